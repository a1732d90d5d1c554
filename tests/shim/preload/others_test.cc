// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Descriptors, sockets, identity, accounts, terminals, shared memory, syscall(2).
#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <pwd.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <vector>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;
using plash::test::libc;
using plash::test::outcome;
using plash::test::Outcome;

namespace {

sockaddr_un address_of(const std::string &path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

const sockaddr *generic(const sockaddr_un &address) {
  return reinterpret_cast<const sockaddr *>(&address);
}
sockaddr *generic(sockaddr_un &address) { return reinterpret_cast<sockaddr *>(&address); }

}  // namespace

TEST_CASE("descriptors are duplicated, controlled and closed") {
  const int fd = open("/etc/passwd", O_RDONLY);
  CHECK(dup2(fd, 200) == 200);
  CHECK(dup3(fd, 201, O_CLOEXEC) == 201);
  CHECK(fcntl(201, F_GETFD) == FD_CLOEXEC);
  CHECK(outcome([&] { return dup3(fd, fd, 0); }) == Outcome{-1, EINVAL});
  CHECK(outcome([] { return dup2(500, 3); }) == Outcome{-1, EBADF});
  CHECK(fcntl(fd, F_DUPFD, 210) == 210);
  CHECK(close_range(200, 210, 0) == 0);
  CHECK(outcome([] { return close(200); }) == Outcome{-1, EBADF});
  CHECK(outcome([] { return close_range(5, 3, 0); }) == Outcome{-1, EINVAL});
  CHECK(flock(fd, LOCK_SH) == 0);
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  CHECK(fcntl(fd, F_SETLKW, &lock) == 0);
  CHECK(fcntl(fd, F_SETOWN, -getpgrp()) == 0);
  CHECK(fcntl(fd, F_GETOWN) == -getpgrp());
  char text[4] = "";
  CHECK(read(fd, text, 3) == 3);
  CHECK(lseek(fd, 0, SEEK_CUR) == 3);
  CHECK(pread(fd, text, 3, 0) == 3);
  close(fd);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[1]);
  CHECK(outcome([&] { return read(ends[0], text, 3); }) == Outcome{0, plash::test::untouched});
  CHECK(outcome([&] { return lseek(ends[0], 0, SEEK_CUR); }) == Outcome{-1, ESPIPE});
  CHECK(outcome([&] { return pread(ends[0], text, 3, 0); }) == Outcome{-1, ESPIPE});
  close(ends[0]);
}

TEST_CASE("Unix sockets by path") {
  Directory root;
  const auto path = address_of(root / "socket");
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(bind(listener, generic(path), sizeof path) == 0);
  CHECK(outcome([&] { return bind(listener, generic(path), sizeof path); }) ==
        Outcome{-1, EADDRINUSE});
  REQUIRE(listen(listener, 1) == 0);
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  const auto missing = address_of(root / "missing");
  CHECK(outcome([&] { return connect(client, generic(missing), sizeof missing); }) ==
        Outcome{-1, ENOENT});
  REQUIRE(connect(client, generic(path), sizeof path) == 0);
  sockaddr_un name = {};
  socklen_t size = sizeof name;
  const int server = accept4(listener, generic(name), &size, SOCK_CLOEXEC);
  REQUIRE(server >= 0);
  CHECK(fcntl(server, F_GETFD) == FD_CLOEXEC);
  CHECK(size == sizeof(sa_family_t));
  size = sizeof name;
  REQUIRE(getpeername(client, generic(name), &size) == 0);
  CHECK(name.sun_path == root / "socket");
  size = sizeof name;
  REQUIRE(getsockname(server, generic(name), &size) == 0);
  CHECK(name.sun_path == root / "socket");
  close(server);
  close(client);
  close(listener);
}

TEST_CASE("datagrams to Unix sockets by path") {
  Directory root;
  const auto here = address_of(root / "here");
  const auto there = address_of(root / "there");
  const int receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
  const int sender = socket(AF_UNIX, SOCK_DGRAM, 0);
  REQUIRE(bind(receiver, generic(here), sizeof here) == 0);
  REQUIRE(bind(sender, generic(there), sizeof there) == 0);
  CHECK(sendto(sender, "one", 3, 0, generic(here), sizeof here) == 3);
  char text[8] = "";
  sockaddr_un name = {};
  socklen_t size = sizeof name;
  CHECK(recvfrom(receiver, text, sizeof text, 0, generic(name), &size) == 3);
  CHECK(name.sun_path == root / "there");
  iovec part = {text, 3};
  mmsghdr messages[2] = {};
  for (auto &message : messages) {
    message.msg_hdr.msg_name = const_cast<sockaddr_un *>(&here);
    message.msg_hdr.msg_namelen = sizeof here;
    message.msg_hdr.msg_iov = &part;
    message.msg_hdr.msg_iovlen = 1;
  }
  CHECK(sendmsg(sender, &messages[0].msg_hdr, 0) == 3);
  CHECK(sendmmsg(sender, messages, 2, 0) == 2);
  CHECK(messages[1].msg_len == 3);
  msghdr received = {};
  received.msg_iov = &part;
  received.msg_iovlen = 1;
  received.msg_name = &name;
  received.msg_namelen = sizeof name;
  for (int i = 0; i < 3; ++i) CHECK(recvmsg(receiver, &received, MSG_DONTWAIT) == 3);
  CHECK(outcome([&] { return recvmsg(receiver, &received, MSG_DONTWAIT); }) == Outcome{-1, EAGAIN});
  close(sender);
  close(receiver);
}

TEST_CASE("IDs and accounts are libc's where there is no server") {
  CHECK(getuid() == libc<decltype(getuid)>("getuid")());
  CHECK(getegid() == libc<decltype(getegid)>("getegid")());
  uid_t real;
  uid_t effective;
  uid_t saved;
  CHECK(getresuid(&real, &effective, &saved) == 0);
  CHECK(effective == geteuid());
  CHECK(setuid(getuid()) == 0);
  const passwd *root = getpwnam("root");
  REQUIRE(root != nullptr);
  CHECK(root->pw_uid == 0);
  CHECK(getpwnam("nobody-of-this-name") == nullptr);
  const group *nothing = getgrgid(0x7ffffff0);
  CHECK(nothing == nullptr);
  setpwent();
  CHECK(getpwent() != nullptr);
  endpwent();
  gid_t groups[32];
  int count = 32;
  CHECK(getgrouplist("root", 4242, groups, &count) >= 1);
  CHECK(groups[0] == 4242);
}

TEST_CASE("terminals have names") {
  int master;
  int slave;
  REQUIRE(openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  char ours[64] = "";
  char own[64] = "";
  CHECK(ttyname_r(slave, ours, sizeof ours) ==
        libc<decltype(ttyname_r)>("ttyname_r")(slave, own, sizeof own));
  CHECK(std::string(ours) == own);
  CHECK(ttyname_r(slave, ours, 3) == ERANGE);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  CHECK(ttyname_r(ends[0], ours, sizeof ours) == ENOTTY);
  close(ends[0]);
  close(ends[1]);
  close(slave);
  close(master);
  int terminal;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) _exit(isatty(0) && isatty(2) ? 6 : 1);
  REQUIRE(child > 0);
  int status;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 6);
  close(terminal);
}

TEST_CASE("shared memory and named semaphores") {
  const std::string name = "/plash-test-" + std::to_string(getpid());
  const int fd = shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  REQUIRE(fd >= 0);
  CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
  close(fd);
  CHECK(outcome([&] { return shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600); }) ==
        Outcome{-1, EEXIST});
  CHECK(shm_unlink(name.c_str()) == 0);
  CHECK(outcome([&] { return shm_unlink(name.c_str()); }) == Outcome{-1, ENOENT});
  CHECK(outcome([] { return shm_open("/a/b", O_RDWR, 0); }) == Outcome{-1, EINVAL});

  CHECK(sem_open(name.c_str(), 0) == SEM_FAILED);
  CHECK(errno == ENOENT);
  sem_t *semaphore = sem_open(name.c_str(), O_CREAT, 0600, 2);
  REQUIRE(semaphore != SEM_FAILED);
  CHECK(sem_open(name.c_str(), O_CREAT, 0600, 9) == semaphore);
  // libc's own finds it, too.
  sem_t *own = libc<sem_t *(const char *, int, ...)>("sem_open")(name.c_str(), 0);
  REQUIRE(own != SEM_FAILED);
  CHECK(sem_trywait(semaphore) == 0);
  int value;
  CHECK(sem_getvalue(own, &value) == 0);
  CHECK(value == 1);
  libc<int(sem_t *)>("sem_close")(own);
  CHECK(sem_open(name.c_str(), O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED);
  CHECK(errno == EEXIST);
  CHECK(sem_close(semaphore) == 0);
  CHECK(sem_close(semaphore) == 0);
  CHECK(outcome([&] { return sem_close(semaphore); }) == Outcome{-1, EINVAL});
  CHECK(sem_unlink(name.c_str()) == 0);
}

TEST_CASE("syscall makes any system call, with libc's errors") {
  CHECK(syscall(SYS_getpid) == getpid());
  CHECK(outcome([] { return syscall(SYS_openat, AT_FDCWD, "/nowhere", O_RDONLY); }) ==
        Outcome{-1, ENOENT});
  void *memory = reinterpret_cast<void *>(
      syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK(memory != MAP_FAILED);
  CHECK(munmap(memory, 4096) == 0);
  const long child = syscall(SYS_fork);
  if (child == 0) _exit(9);
  int status;
  REQUIRE(waitpid(static_cast<pid_t>(child), &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 9);
  CHECK(outcome([] { return syscall(100000); }) == Outcome{-1, ENOSYS});
  CHECK(outcome([] { return syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0); }).error == EINVAL);
}

TEST_CASE("inotify and ftok") {
  Directory root;
  const int fd = inotify_init1(IN_CLOEXEC);
  CHECK(inotify_add_watch(fd, root.c_str(), IN_CREATE) > 0);
  CHECK(outcome([&] { return inotify_add_watch(fd, "/nowhere", IN_CREATE); }) ==
        Outcome{-1, ENOENT});
  close(fd);
  CHECK(ftok(root.c_str(), 5) == libc<decltype(ftok)>("ftok")(root.c_str(), 5));
  CHECK(outcome([] { return ftok("/nowhere", 1); }) == Outcome{-1, ENOENT});
}
