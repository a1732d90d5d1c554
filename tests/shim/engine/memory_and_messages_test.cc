// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a call's pointers lead to: memory that cannot be accessed, structures of vectors and
// descriptors, and other names of descriptors.
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cstddef>

#include "shim/engine/state.h"
#include "shim/engine/syscall_numbers.h"
#include "tests/shim/engine/world.h"

using namespace plash;
using namespace plash::testing;

#define SAME(...) CHECK(emulated(__VA_ARGS__) == native(__VA_ARGS__))

namespace {

constexpr std::size_t page = 4096;

// Two pages that can be used, and a third that cannot.
struct Guarded {
  char *start = static_cast<char *>(
      ::mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char *end = start + 2 * page;
  Guarded() {
    std::memset(start, 'x', 2 * page);
    REQUIRE(::mprotect(end, page, PROT_NONE) == 0);
  }
  ~Guarded() { ::munmap(start, 3 * page); }
  Guarded(const Guarded &) = delete;
  Guarded &operator=(const Guarded &) = delete;
};

// A door's hooks: the kernel copies what they are asked about.
bool can_copy(void *address, unsigned long size, bool write) {
  char byte;
  for (unsigned long at = 0; at < size; ++at) {
    iovec here{&byte, 1}, there{static_cast<char *>(address) + at, 1};
    if (::process_vm_readv(::getpid(), &here, 1, &there, 1, 0) != 1) return false;
    if (write && ::process_vm_writev(::getpid(), &here, 1, &there, 1, 0) != 1) return false;
  }
  return true;
}

class DoorThatChecks {
 public:
  DoorThatChecks() : before_(engine::state.hooks) {
    engine::Hooks hooks = before_;
    hooks.readable = [](const void *address, unsigned long size) {
      return can_copy(const_cast<void *>(address), size, false);
    };
    hooks.writable = [](void *address, unsigned long size) {
      return can_copy(address, size, true);
    };
    hooks.string_readable = [](const char *address, unsigned long limit) {
      for (unsigned long at = 0; at < limit; ++at) {
        if (!can_copy(const_cast<char *>(address) + at, 1, false)) return false;
        if (address[at] == '\0') return true;
      }
      return true;
    };
    engine::set_hooks(hooks);
  }
  ~DoorThatChecks() { engine::set_hooks(before_); }
  DoorThatChecks(const DoorThatChecks &) = delete;
  DoorThatChecks &operator=(const DoorThatChecks &) = delete;

 private:
  engine::Hooks before_;
};

std::string fresh(const char *name) {
  const std::string path = World::get().writable() + "/" + name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

sockaddr_un address_of(const std::string &path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

int datagram_socket_at(const sockaddr_un &address) {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  REQUIRE(emulated(SYS_bind, fd, &address, sizeof address) == 0);
  return fd;
}

// From here on only the protocol's own calls, and what ends the process.
bool allow_protocol_only() {
  const auto allow = [](unsigned number, std::uint8_t distance) {
    return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, distance, 0);
  };
  std::array<sock_filter, 8> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      allow(SYS_socketpair, 5),
      allow(SYS_sendmsg, 4),
      allow(SYS_recvmsg, 3),
      allow(SYS_close, 2),
      allow(SYS_exit_group, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

TEST_CASE("pointers that lead nowhere give EFAULT where the door can tell") {
  World::get();
  const DoorThatChecks door;
  const Guarded memory;
  const std::string file = fresh("pointers") + "/file";
  std::ofstream(file) << "text";
  std::memcpy(memory.end - 8, "pointers", 8);
  struct stat status;
  for (const char *path :
       {static_cast<const char *>(nullptr), reinterpret_cast<const char *>(1),
        static_cast<const char *>(memory.end), static_cast<const char *>(memory.end - 8),
        reinterpret_cast<const char *>(~0ul)}) {
    SAME(SYS_open, path, O_RDONLY);
    SAME(SYS_stat, path, &status);
    SAME(SYS_access, path, F_OK);
    SAME(SYS_rename, path, file.c_str());
    SAME(SYS_rename, file.c_str(), path);
    SAME(SYS_chdir, path);
    SAME(SYS_execve, path, nullptr, nullptr);
  }
  for (char *buffer : {static_cast<char *>(nullptr), memory.end, memory.end - 8}) {
    SAME(SYS_stat, file.c_str(), buffer);
    SAME(SYS_statfs, file.c_str(), buffer);
    SAME(SYS_getcwd, buffer, page);
  }
  // The path fits, its NUL does not.
  char directory[page];
  const long size = emulated(SYS_getcwd, directory, sizeof directory);
  REQUIRE(size > 1);
  SAME(SYS_getcwd, memory.end - size + 1, page);
  SAME(SYS_getcwd, memory.end - size, page);
}

TEST_CASE("calls make the five system calls and no other") {
  const std::string dir = fresh("five");
  std::ofstream(dir + "/file") << "text";
  REQUIRE(::symlink("file", (dir + "/link").c_str()) == 0);
  const std::string file = dir + "/file", link = dir + "/link", none = dir + "/none";
  struct stat status;
  struct statx extended;
  char target[64];
  // The kinds of calls, each with its result.
  const auto call_all = [&] {
    return emulated(SYS_stat, file.c_str(), &status) == 0 &&
           emulated(SYS_statx, AT_FDCWD, file.c_str(), 0, STATX_BASIC_STATS, &extended) == 0 &&
           emulated(SYS_access, none.c_str(), F_OK) == -ENOENT &&
           emulated(SYS_readlink, link.c_str(), target, sizeof target) == 4 &&
           emulated(SYS_link, file.c_str(), link.c_str()) == -EEXIST &&
           emulated(SYS_close, emulated(SYS_open, file.c_str(), O_RDONLY)) == 0;
  };
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    bool good = allow_protocol_only();
    for (int i = 0; good && i < 1000; ++i) good = call_all();
    ::_exit(good ? 0 : 1);
  }
  int result = -1;
  REQUIRE(::waitpid(child, &result, 0) == child);
  CHECK(result == 0);
}

TEST_CASE("messages to a path carry vectors and descriptors") {
  const sockaddr_un address = address_of(fresh("messages") + "/socket");
  const UniqueFd receiver(datagram_socket_at(address));
  const UniqueFd sender(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int before = open_descriptors();
  iovec vectors[] = {{const_cast<char *>("one "), 4}, {nullptr, 0}, {const_cast<char *>("two"), 3}};
  constexpr std::size_t count = 5;
  alignas(cmsghdr) char control[CMSG_SPACE(count * sizeof(int))] = {};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_un *>(&address);
  message.msg_namelen = sizeof address;
  message.msg_iov = vectors;
  message.msg_iovlen = 3;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr *rights = CMSG_FIRSTHDR(&message);
  *rights = {CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  std::array<int, count> descriptors;
  descriptors.fill(receiver.get());
  std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof descriptors);
  REQUIRE(emulated(SYS_sendmsg, sender.get(), &message, 0) == 7);
  char text[16];
  iovec into{text, sizeof text};
  msghdr received{};
  received.msg_iov = &into;
  received.msg_iovlen = 1;
  received.msg_control = control;
  received.msg_controllen = sizeof control;
  REQUIRE(::recvmsg(receiver.get(), &received, 0) == 7);
  CHECK(std::string(text, 7) == "one two");
  REQUIRE(CMSG_FIRSTHDR(&received)->cmsg_len == CMSG_LEN(count * sizeof(int)));
  std::memcpy(descriptors.data(), CMSG_DATA(CMSG_FIRSTHDR(&received)), sizeof descriptors);
  for (const int fd : descriptors) ::close(fd);
  CHECK(open_descriptors() == before);

  const DoorThatChecks door;
  const Guarded memory;
  message.msg_control = nullptr;
  message.msg_controllen = 0;
  message.msg_iovlen = 1025;
  SAME(SYS_sendmsg, sender.get(), &message, 0);
  message.msg_iovlen = ~0ul / 8;
  SAME(SYS_sendmsg, sender.get(), &message, 0);
  message.msg_iovlen = 3;
  message.msg_iov = reinterpret_cast<iovec *>(memory.end);
  SAME(SYS_sendmsg, sender.get(), &message, 0);
  message.msg_iov = vectors;
  vectors[1] = {memory.end, 1};
  SAME(SYS_sendmsg, sender.get(), &message, 0);
  message.msg_iov = vectors + 1;
  message.msg_iovlen = 1;
  SAME(SYS_sendmsg, sender.get(), &message, 0);
}

TEST_CASE("sendmmsg sends one message after another and counts them") {
  const std::string dir = fresh("many");
  const sockaddr_un address = address_of(dir + "/socket");
  const sockaddr_un nobody = address_of(dir + "/none");
  const UniqueFd receiver(datagram_socket_at(address));
  const UniqueFd sender(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  iovec vectors[] = {
      {const_cast<char *>("a"), 1}, {const_cast<char *>("bb"), 2}, {const_cast<char *>("ccc"), 3}};
  std::array<mmsghdr, 3> messages{};
  const auto prepare = [&](const sockaddr_un &last) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      messages[i] = {};
      messages[i].msg_hdr.msg_name = const_cast<sockaddr_un *>(i == 2 ? &last : &address);
      messages[i].msg_hdr.msg_namelen = sizeof address;
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  };
  char text[16];
  prepare(address);
  CHECK(emulated(SYS_sendmmsg, sender.get(), messages.data(), 3, 0) == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(messages[i].msg_len == i + 1);
    CHECK(::recv(receiver.get(), text, sizeof text, MSG_DONTWAIT) == static_cast<long>(i) + 1);
  }
  prepare(nobody);
  CHECK(emulated(SYS_sendmmsg, sender.get(), messages.data(), 3, 0) == 2);
  CHECK(emulated(SYS_sendmmsg, sender.get(), messages.data() + 2, 1, 0) == -ENOENT);
  CHECK(emulated(SYS_sendmmsg, 800, messages.data(), 3, 0) == -EBADF);
  SAME(SYS_sendmmsg, sender.get(), messages.data(), 0, 0);
  SAME(SYS_sendmmsg, sender.get(), nullptr, 1, 0);
  // Without a path it is the kernel's.
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
  const UniqueFd left(pair[0]), right(pair[1]);
  for (mmsghdr &message : messages) message.msg_hdr.msg_name = nullptr;
  CHECK(emulated(SYS_sendmmsg, left.get(), messages.data(), 3, 0) == 3);
  CHECK(messages[2].msg_len == 3);
}

TEST_CASE("a socket's name is given as far as there is room") {
  const std::string dir = fresh("room");
  const std::string name = dir + "/" + std::string(107 - dir.size(), 'n');
  REQUIRE(name.size() == 108);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const UniqueFd ours(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd kernels(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(emulated(SYS_bind, ours.get(), &address, sizeof address) == 0);
  REQUIRE(::unlink(name.c_str()) == 0);
  REQUIRE(native(SYS_bind, kernels.get(), &address, sizeof address) == 0);
  for (unsigned room : {0u, 1u, 2u, 3u, 5u, 60u, 109u, 110u, 111u, 128u, 0x80000000u}) {
    INFO(room);
    std::array<char, 128> our_name, kernel_name;
    our_name.fill('*');
    kernel_name.fill('*');
    unsigned our_size = room, kernel_size = room;
    CHECK(emulated(SYS_getsockname, ours.get(), our_name.data(), &our_size) ==
          native(SYS_getsockname, kernels.get(), kernel_name.data(), &kernel_size));
    CHECK(our_size == kernel_size);
    CHECK(our_name == kernel_name);
  }
  // accept(2) takes the connection even where its address cannot be given.
  const DoorThatChecks door;
  const Guarded memory;
  address = address_of(dir + "/listener");
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(emulated(SYS_bind, listener.get(), &address, sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 4) == 0);
  const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(emulated(SYS_connect, client.get(), &address, sizeof address) == 0);
  const int before = open_descriptors();
  unsigned size = 20;
  CHECK(emulated(SYS_accept4, listener.get(), memory.end, &size, SOCK_CLOEXEC) == -EFAULT);
  CHECK(open_descriptors() == before);
}

TEST_CASE("extended attributes by directory, path and flags") {
  if (native(__NR_getxattrat, -1, "", 0, "user.a", nullptr, 0) == -ENOSYS) {
    WARN("this kernel has no getxattrat(2): not compared");
    return;
  }
  const std::string dir = fresh("xattrat");
  std::ofstream(dir + "/file") << "text";
  REQUIRE(::symlink("file", (dir + "/link").c_str()) == 0);
  const UniqueFd ours(static_cast<int>(emulated(SYS_open, dir.c_str(), O_RDONLY)));
  const UniqueFd kernels(::open(dir.c_str(), O_RDONLY));
  const UniqueFd file(::open((dir + "/file").c_str(), O_RDWR));
  char memory[64] = "value";
  struct Value {
    char *pointer;
    std::uint32_t size, flags, zero;
  };
  const auto same = [&](long number, const char *path, unsigned flags, const char *name,
                        Value value, std::size_t size) {
    INFO(number << " " << path << " " << flags << " " << name << " " << size);
    CHECK(emulated(number, ours.get(), path, flags, name, &value, size) ==
          native(number, kernels.get(), path, flags, name, &value, size));
    CHECK(emulated(number, file.get(), path, flags, name, &value, size) ==
          native(number, file.get(), path, flags, name, &value, size));
  };
  const Value good{memory, 5, 0, 0};
  for (const long number : {__NR_setxattrat, __NR_getxattrat}) {
    for (const char *path : {"file", "link", "none", "", "."}) {
      for (const unsigned flags : {0, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, 1}) {
        for (const char *name : {"user.a", "user.b", ""}) same(number, path, flags, name, good, 16);
      }
    }
    same(number, "file", 0, "user.a", good, 15);
    same(number, "file", 0, "user.a", good, 24);
    same(number, "file", 0, "user.a", good, 4097);
    same(number, "file", 0, "user.a", {memory, 5, 0, 1}, 24);
    same(number, "file", 0, "user.a", {memory, 5, 3, 0}, 16);
    same(number, "file", 0, "user.a", {memory, 5, 4, 0}, 16);
    same(number, "file", 0, "user.a", {memory, 2, 0, 0}, 16);
    same(number, "file", 0, "user.a", {nullptr, 0, 0, 0}, 16);
    CHECK(emulated(number, ours.get(), "file", 0, "user.a", nullptr, 16) == -EFAULT);
  }
  for (const char *path : {"file", "link", "none", ""}) {
    for (const unsigned flags : {0, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW}) {
      INFO(path << " " << flags);
      CHECK(emulated(__NR_listxattrat, ours.get(), path, flags, memory, sizeof memory) ==
            native(__NR_listxattrat, kernels.get(), path, flags, memory, sizeof memory));
    }
  }
  CHECK(emulated(__NR_removexattrat, ours.get(), "file", 0, "user.a") == 0);
  CHECK(native(__NR_removexattrat, kernels.get(), "file", 0, "user.a") == -ENODATA);
  SAME(__NR_removexattrat, file.get(), "", AT_EMPTY_PATH, "user.none");
}

TEST_CASE("other names of a descriptor mean that descriptor") {
  const std::string file = fresh("alias") + "/file";
  std::ofstream(file) << "text";
  const UniqueFd held(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const std::string number = std::to_string(held.get());
  for (const std::string &name : {"/dev/fd/" + number, "/proc/self/fd/" + number,
                                  "/proc/" + std::to_string(::getpid()) + "/fd/" + number}) {
    INFO(name);
    const UniqueFd copy(static_cast<int>(emulated(SYS_open, name.c_str(), O_RDONLY | O_CLOEXEC)));
    CHECK(copy.get() == held.get() + 1);
    CHECK((::fcntl(copy.get(), F_GETFD) & FD_CLOEXEC) != 0);
    struct stat ours, kernels;
    CHECK(emulated(SYS_stat, name.c_str(), &ours) == 0);
    REQUIRE(::fstat(held.get(), &kernels) == 0);
    CHECK(ours.st_ino == kernels.st_ino);
    // A copy, not a new opening: it cannot become writable.
    CHECK(emulated(SYS_open, name.c_str(), O_RDWR) == -EACCES);
    char target[256];
    const long size = emulated(SYS_readlink, name.c_str(), target, sizeof target);
    REQUIRE(size > 0);
    CHECK(std::string(target, static_cast<std::size_t>(size)) == file);
  }
  // The descriptors of others, and the service descriptors, have no such names.
  CHECK(emulated(SYS_open, ("/proc/1/fd/" + number).c_str(), O_RDONLY) == -ENOENT);
  CHECK(emulated(SYS_open, "/dev/fd/601", O_RDONLY) == -ENOENT);
  CHECK(emulated(SYS_open, "/dev/fd/800", O_RDONLY) == -ENOENT);
  CHECK(emulated(SYS_open, "/proc/self/fd/800", O_RDONLY) == -ENOENT);
}

TEST_CASE("close_range around the service descriptors checks its flags all the same") {
  World::get();
  SAME(SYS_close_range, 900, 901, 0x80u);
  CHECK(emulated(SYS_close_range, 800, 801, 0x80u) == -EINVAL);
  CHECK(emulated(SYS_close_range, 800, 801, CLOSE_RANGE_CLOEXEC) == 0);
  CHECK((::fcntl(800, F_GETFD) & FD_CLOEXEC) == 0);
  CHECK(emulated(SYS_access, ".", F_OK) == 0);
}
