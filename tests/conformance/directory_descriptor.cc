// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Descriptors of directories: all that a program may do with one.
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

struct Entry {  // the beginning of a struct linux_dirent64; the name follows at name_start
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;
  std::uint8_t type;
};
constexpr std::size_t name_start = 19;

int open_directory(const std::string &path = ".") {
  return must_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void make_entries(int count) {
  make_directory("dir");
  for (int i = 0; i < count; ++i) make_file("dir/file-" + std::to_string(i));
}

// Names and types by getdents64 with a buffer of size bytes, sorted. Ends at an error.
std::vector<std::string> read_entries(Call call, int fd, std::size_t size) {
  std::vector<std::string> entries;
  std::vector<char> buffer(size);
  for (;;) {
    const long length = call(SYS_getdents64, fd, buffer.data(), size);
    if (length < 0) entries.push_back("~" + error_name(errno));
    if (length <= 0) break;
    for (long at = 0; at < length;) {
      const auto *entry = reinterpret_cast<const Entry *>(buffer.data() + at);
      entries.push_back(std::string(reinterpret_cast<const char *>(entry) + name_start) + ":" +
                        std::to_string(entry->type));
      at += entry->size;
    }
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

CALL_CASE(directory, entries_and_types) {
  make_directory("dir");
  make_file("dir/file");
  make_directory("dir/inner");
  make_symlink("file", "dir/link");
  make_fifo("dir/fifo");
  attempt("mknod", ::mknod("dir/socket", S_IFSOCK | 0600, 0));
  record("entries", read_entries(call, open_directory("dir"), 4096));
}

CALL_CASE(directory, many_entries_in_small_buffers) {
  make_entries(300);
  for (const std::size_t size : {24u, 32u, 100u, 1000u, 32768u, 1'000'000u}) {
    const auto entries = read_entries(call, open_directory("dir"), size);
    record("buffer of " + std::to_string(size), entries.size());
  }
}

CALL_CASE(directory, buffer_too_small) {
  make_entries(1);
  char buffer[100];
  const int fd = open_directory("dir");
  attempt("1 byte", call(SYS_getdents64, fd, buffer, 1));
  attempt("0 bytes", call(SYS_getdents64, fd, buffer, 0));
  attempt("23 bytes", call(SYS_getdents64, fd, buffer, 23));
  attempt("null", call(SYS_getdents64, fd, nullptr, 100));
  record("entries afterwards", read_entries(call, fd, 1000));
}

CALL_CASE(directory, long_names) {
  make_directory("dir");
  const std::string name(255, 'n');
  make_file("dir/" + name);
  const auto entries = read_entries(call, open_directory("dir"), 300);
  record("entries", entries.size());
  record("found", entries.back() == name + ":8");
}

CALL_CASE(directory, inodes_are_those_of_stat) {
  make_directory("dir");
  make_file("dir/file");
  make_directory("dir/inner");
  char buffer[1000];
  const int fd = open_directory("dir");
  const long length = call(SYS_getdents64, fd, buffer, sizeof buffer);
  for (long at = 0; at < length;) {
    const auto *entry = reinterpret_cast<const Entry *>(buffer + at);
    struct stat status;
    if (::fstatat(fd, buffer + at + name_start, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        status.st_ino != entry->inode)
      record("differs", at);
    at += entry->size;
  }
  record("entries", read_entries(call, open_directory("dir"), 1000));
}

CALL_CASE(directory, old_getdents) {
  make_entries(3);
  char buffer[1000];
  const int fd = open_directory("dir");
  record("some", call(SYS_getdents, fd, buffer, sizeof buffer) > 0);
  attempt("end", call(SYS_getdents, fd, buffer, sizeof buffer));
  attempt("too small", call(SYS_getdents, open_directory("dir"), buffer, 5));
}

CALL_CASE(directory, position) {
  make_entries(5);
  const int fd = open_directory("dir");
  attempt("at the start", call(SYS_lseek, fd, 0, SEEK_CUR));
  const auto first = read_entries(call, fd, 4096);
  record("end is not the start", call(SYS_lseek, fd, 0, SEEK_CUR) != 0);
  record("nothing more", read_entries(call, fd, 4096));
  attempt("rewind", call(SYS_lseek, fd, 0, SEEK_SET));
  record("the same again", read_entries(call, fd, 4096) == first);
  attempt("negative", call(SYS_lseek, fd, -1, SEEK_SET));
  attempt("bad whence", call(SYS_lseek, fd, 0, 9));
}

CALL_CASE(directory, seek_to_an_entry) {
  make_entries(20);
  const int fd = open_directory("dir");
  char buffer[4096];
  const long length = call(SYS_getdents64, fd, buffer, sizeof buffer);
  std::vector<std::string> names;
  std::vector<std::int64_t> offsets;
  for (long at = 0; at < length;) {
    const auto *entry = reinterpret_cast<const Entry *>(buffer + at);
    names.emplace_back(buffer + at + name_start);
    offsets.push_back(entry->offset);
    at += entry->size;
  }
  bool same = names.size() == 22;
  for (std::size_t i = 0; i + 1 < names.size(); ++i) {
    if (call(SYS_lseek, fd, offsets[i], SEEK_SET) != offsets[i] ||
        call(SYS_getdents64, fd, buffer, sizeof buffer) <= 0 ||
        std::string(buffer + name_start) != names[i + 1])
      same = false;
  }
  record("each entry's offset leads to the next", same);
}

CALL_CASE(directory, two_opens_have_two_positions_and_copies_have_one) {
  make_entries(3);
  const int one = open_directory("dir"), two = open_directory("dir");
  const int copy = attempt("dup", ::dup(one));
  record("one", read_entries(call, one, 4096).size());
  record("copy", read_entries(call, copy, 4096).size());
  record("two", read_entries(call, two, 4096).size());
  attempt("rewind the copy", call(SYS_lseek, copy, 0, SEEK_SET));
  record("one", read_entries(call, one, 4096).size());
}

CALL_CASE(directory, sees_changes_after_rewind) {
  make_entries(1);
  const int fd = open_directory("dir");
  record("before", read_entries(call, fd, 4096).size());
  make_file("dir/new");
  call(SYS_lseek, fd, 0, SEEK_SET);
  record("after", read_entries(call, fd, 4096).size());
}

CALL_CASE(directory, no_reading_or_writing) {
  make_entries(1);
  const int fd = open_directory("dir");
  char buffer[10];
  iovec part{buffer, sizeof buffer};
  attempt("read", call(SYS_read, fd, buffer, sizeof buffer));
  attempt("read of 0 bytes", call(SYS_read, fd, buffer, 0));
  attempt("pread64", call(SYS_pread64, fd, buffer, sizeof buffer, 0));
  attempt("readv", call(SYS_readv, fd, &part, 1));
  attempt("preadv", call(SYS_preadv, fd, &part, 1, 0, 0));
  attempt("write", call(SYS_write, fd, "x", 1));
  attempt("pwrite64", call(SYS_pwrite64, fd, "x", 1, 0));
  attempt("writev", call(SYS_writev, fd, &part, 1));
  attempt("ftruncate", call(SYS_ftruncate, fd, 0));
}

CALL_CASE(directory, other_calls) {
  make_entries(1);
  const int fd = open_directory("dir");
  int unread = 0;
  attempt("fsync", call(SYS_fsync, fd));
  attempt("fdatasync", call(SYS_fdatasync, fd));
  attempt("mmap", ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  attempt("fallocate", call(SYS_fallocate, fd, 0, 0, 1));
  attempt("fadvise", call(SYS_fadvise64, fd, 0, 0, 0));
  attempt("FIONREAD", call(SYS_ioctl, fd, 0x541b, &unread));
  attempt("TCGETS", call(SYS_ioctl, fd, 0x5401, &unread));
  record("isatty", ::isatty(fd) == 1);
  attempt("syncfs", call(SYS_syncfs, fd));
  attempt("sendfile", call(SYS_sendfile, STDOUT_FILENO, fd, nullptr, 10));
}

CALL_CASE(directory, socket_calls_say_that_it_is_none) {
  make_directory("dir");
  const int fd = open_directory("dir");
  char buffer[100];
  socklen_t size = sizeof buffer;
  attempt("getsockname", call(SYS_getsockname, fd, buffer, &size));
  attempt("getpeername", call(SYS_getpeername, fd, buffer, &size));
  attempt("getsockopt", call(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, buffer, &size));
  attempt("send", call(SYS_sendto, fd, "x", 1, MSG_DONTWAIT, nullptr, 0));
  attempt("recv", call(SYS_recvfrom, fd, buffer, 1, MSG_DONTWAIT, nullptr, nullptr));
  attempt("listen", call(SYS_listen, fd, 1));
  attempt("shutdown", call(SYS_shutdown, fd, SHUT_RD));
}

CALL_CASE(directory, flags) {
  make_directory("dir");
  const int fd = static_cast<int>(
      attempt("open", call(SYS_openat, AT_FDCWD, "dir", O_RDONLY | O_DIRECTORY, 0)));
  record("F_GETFL", Octal{static_cast<unsigned long>(::fcntl(fd, F_GETFL))});
  attempt("F_GETFD", ::fcntl(fd, F_GETFD));
  attempt("F_SETFD", ::fcntl(fd, F_SETFD, FD_CLOEXEC));
  attempt("F_GETFD", ::fcntl(fd, F_GETFD));
  attempt("F_SETFL", ::fcntl(fd, F_SETFL, O_NONBLOCK));
  record("F_GETFL", Octal{static_cast<unsigned long>(::fcntl(fd, F_GETFL))});
  record_status("still a directory", fd);
  attempt("F_SETLK", [&] {
    struct flock lock {};
    lock.l_type = F_RDLCK;
    return ::fcntl(fd, F_SETLK, &lock);
  }());
}

CALL_CASE(directory, poll) {
  make_directory("dir");
  pollfd item{open_directory("dir"), POLLIN | POLLOUT, 0};
  attempt("poll", call(SYS_poll, &item, 1, 0));
  record("events", item.revents);
  fd_set readable, writable;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_SET(item.fd, &readable);
  FD_SET(item.fd, &writable);
  timeval none{};
  attempt("select", ::select(item.fd + 1, &readable, &writable, nullptr, &none));
}

CALL_CASE(directory, copies) {
  make_directory("dir");
  make_file("dir/file", "text");
  const int fd = open_directory("dir");
  const int copy = static_cast<int>(attempt("dup", call(SYS_dup, fd)));
  attempt("F_GETFD of the copy", ::fcntl(copy, F_GETFD));
  attempt("dup2", call(SYS_dup2, fd, 20));
  attempt("dup3", call(SYS_dup3, fd, 21, O_CLOEXEC));
  attempt("F_DUPFD", call(SYS_fcntl, fd, F_DUPFD, 30));
  attempt("F_DUPFD_CLOEXEC", call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 30));
  attempt("F_GETFD", ::fcntl(31, F_GETFD));
  ::close(fd);
  for (const int number : {copy, 20, 21, 30, 31}) {
    record_status("copy", number);
    attempt("openat", ::openat(number, "file", O_RDONLY));
  }
  attempt("over a directory", call(SYS_dup2, 0, 20));
  attempt("openat", ::openat(20, "file", O_RDONLY));
}

CALL_CASE(directory, as_a_low_descriptor) {
  make_directory("dir");
  make_file("dir/file", "text");
  const int fd = open_directory("dir");
  attempt("dup2 to 0", call(SYS_dup2, fd, 0));
  record_status("fstat", 0);
  attempt("openat", ::openat(0, "file", O_RDONLY));
  char byte;
  attempt("read", call(SYS_read, 0, &byte, 1));
  record("entries", read_entries(call, 0, 1000));
}

CALL_CASE(directory, passed_through_a_socket) {
  make_directory("dir");
  make_file("dir/file", "text");
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) set_up_failed("socketpair");
  int fd = open_directory("dir");
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  *CMSG_FIRSTHDR(&message) = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  std::memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
  attempt("sendmsg", call(SYS_sendmsg, pair[0], &message, 0));
  ::close(fd);
  attempt("recvmsg", call(SYS_recvmsg, pair[1], &message, 0));
  std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  record("descriptor", fd);
  record_status("fstat", fd);
  record("entries", read_entries(call, fd, 1000));
  attempt("fchdir", ::fchdir(fd));
  record("current directory", current_directory());
}

CALL_CASE(directory, shared_by_fork) {
  make_entries(3);
  const int fd = open_directory("dir");
  in_child("child", [&] { record("entries", read_entries(call, fd, 1000).size()); });
  record("entries left to the parent", read_entries(call, fd, 1000).size());
}

CALL_CASE(directory, locks) {
  make_directory("dir");
  const int one = open_directory("dir"), two = open_directory("dir");
  attempt("exclusive", call(SYS_flock, one, LOCK_EX));
  attempt("second", call(SYS_flock, two, LOCK_EX | LOCK_NB));
  attempt("second, shared", call(SYS_flock, two, LOCK_SH | LOCK_NB));
  attempt("unlock", call(SYS_flock, one, LOCK_UN));
  attempt("second, shared", call(SYS_flock, two, LOCK_SH | LOCK_NB));
  attempt("first, shared", call(SYS_flock, one, LOCK_SH | LOCK_NB));
  attempt("first, exclusive", call(SYS_flock, one, LOCK_EX | LOCK_NB));
  ::close(two);
  attempt("first, exclusive after close", call(SYS_flock, one, LOCK_EX | LOCK_NB));
  attempt("bad operation", call(SYS_flock, one, 77));
}

CALL_CASE(directory, closed) {
  make_directory("dir");
  const int fd = open_directory("dir");
  attempt("close", call(SYS_close, fd));
  attempt("close again", call(SYS_close, fd));
  char buffer[100];
  attempt("getdents64", call(SYS_getdents64, fd, buffer, sizeof buffer));
  attempt("openat", ::openat(fd, "file", O_RDONLY));
  attempt("fchdir", ::fchdir(fd));
  attempt("lseek", call(SYS_lseek, fd, 0, SEEK_SET));
}

CALL_CASE(directory, listing_what_is_none) {
  make_file("file");
  char buffer[100];
  int ends[2];
  if (::pipe(ends) != 0) set_up_failed("pipe");
  attempt("file", call(SYS_getdents64, must_open("file"), buffer, sizeof buffer));
  attempt("pipe", call(SYS_getdents64, ends[0], buffer, sizeof buffer));
  attempt("-1", call(SYS_getdents64, -1, buffer, sizeof buffer));
  attempt("lseek of a pipe", call(SYS_lseek, ends[0], 0, SEEK_CUR));
}

CALL_CASE(directory, own_sockets_are_left_alone) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) set_up_failed("socketpair");
  char buffer[100];
  attempt("getdents64", call(SYS_getdents64, pair[0], buffer, sizeof buffer));
  attempt("lseek", call(SYS_lseek, pair[0], 0, SEEK_SET));
  attempt("fchdir", call(SYS_fchdir, pair[0]));
  attempt("openat", call(SYS_openat, pair[0], "x", O_RDONLY, 0));
  attempt("flock", call(SYS_flock, pair[0], LOCK_EX | LOCK_NB));
  record_status("fstat", pair[0]);
  attempt("nothing was sent",
          call(SYS_recvfrom, pair[1], buffer, sizeof buffer, MSG_DONTWAIT, nullptr, nullptr));
  ::shutdown(pair[1], SHUT_WR);
  attempt("read at the end", call(SYS_read, pair[0], buffer, sizeof buffer));
}

CASE(directory, inherited_by_exec) {
  make_directory("dir");
  make_file("dir/file", "text");
  const int fd = must_open("dir", O_RDONLY | O_DIRECTORY);
  in_child("executed", [&] {
    ::dup2(fd, 0);
    ::execlp("ls", "ls", "-A", "/dev/stdin/", nullptr);
  });
  in_child("executed", [&] { ::execl(program().c_str(), "show-descriptors", nullptr); });
}

CALL_CASE(directory, listed_without_permission_to_search) {
  make_directory("dir");
  make_file("dir/file", "text");
  attempt("chmod", call(SYS_chmod, "dir", 0600));
  record("names", names_in("dir"));
  const int fd = static_cast<int>(
      attempt("open", call(SYS_openat, AT_FDCWD, "dir", O_RDONLY | O_DIRECTORY, 0)));
  char buffer[1024];
  record("entries", call(SYS_getdents64, fd, buffer, sizeof buffer) > 0);
  attempt("file", call(SYS_openat, fd, "file", O_RDONLY, 0));
  attempt("itself", call(SYS_openat, fd, ".", O_RDONLY, 0));
  attempt("chmod", call(SYS_chmod, "dir", 0300));
  attempt("without permission to read",
          call(SYS_openat, AT_FDCWD, "dir", O_RDONLY | O_DIRECTORY, 0));
}

}  // namespace
}  // namespace plash::conformance
