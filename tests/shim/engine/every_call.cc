// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/shim/engine/every_call.h"

#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <utime.h>

#include "shim/engine/syscall_numbers.h"
#include "tests/shim/engine/world.h"

namespace plash::testing {
namespace {

constexpr int service = 800;
constexpr int spare = 600;
constexpr int not_open = 601;
constexpr char attribute[] = "user.plash-test";

char memory[4096] = "text";
iovec one_byte{memory, 1};
struct stat status;
struct statx extended_status;
struct statfs file_system;
sockaddr_un address_buffer;
socklen_t address_size;
open_how how{};
// struct xattr_args of Linux 6.13.
struct {
  char *pointer = memory;
  std::uint32_t size = 1;
  std::uint32_t flags = 0;
} value;
char *const no_strings[] = {nullptr};

sockaddr_un address_of(const std::string &path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

// What the calls act on.
struct Things {
  const std::string top = World::get().writable() + "/every";
  const std::string file = top + "/file", link = top + "/link", sub = top + "/sub";
  const std::string none = top + "/none", fresh = top + "/fresh", program = top + "/true";
  int file_fd, directory_fd, inotify_fd, listener, receiver;
  sockaddr_un listens = address_of(top + "/listener"), receives = address_of(top + "/receiver");
  sockaddr_un nobody = address_of(none), binds = address_of(fresh);

  Things() {
    std::filesystem::create_directories(sub);
    std::ofstream(file) << "text";
    std::filesystem::create_symlink("file", link);
    std::filesystem::copy("/bin/true", program);
    file_fd = static_cast<int>(emulated(SYS_open, file.c_str(), O_RDWR | O_CLOEXEC));
    directory_fd = static_cast<int>(emulated(SYS_open, top.c_str(), O_RDONLY | O_CLOEXEC));
    inotify_fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    listener = bound(SOCK_STREAM, listens);
    ::listen(listener, 8);
    receiver = bound(SOCK_DGRAM, receives);
    REQUIRE(file_fd >= 0);
    REQUIRE(directory_fd >= 0);
    REQUIRE(::setxattr(file.c_str(), attribute, "x", 1, 0) == 0);
  }
  static int bound(int type, sockaddr_un &address) {
    const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
    return fd;
  }
};

Things &things() {
  static Things all;
  return all;
}

const char *file() { return things().file.c_str(); }
const char *none() { return things().none.c_str(); }
const char *fresh() { return things().fresh.c_str(); }
const char *sub() { return things().sub.c_str(); }
const char *link() { return things().link.c_str(); }
int directory() { return things().directory_fd; }
int file_fd() { return things().file_fd; }

long then_close(long fd) {
  if (fd >= 0) ::close(static_cast<int>(fd));
  return fd;
}
long then_remove(long result) {
  ::remove(fresh());
  return result;
}
const char *made() {
  ::close(::open(fresh(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  return fresh();
}

// A call with a socket of its own.
template <class Use>
long with_socket(int type, Use use) {
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  const long result = use(fd);
  ::close(fd);
  return result;
}
// A call with a socket that is connected to the listener, which accepts it afterwards.
template <class Use>
long with_connection(Use use) {
  return with_socket(SOCK_STREAM, [&](int fd) {
    auto *address = reinterpret_cast<sockaddr *>(&things().listens);
    if (::connect(fd, address, sizeof things().listens) != 0) return -1L;
    const long result = use(fd);
    ::close(::accept(things().listener, nullptr, nullptr));
    return result;
  });
}
long accept_by(long number) {
  return with_socket(SOCK_STREAM, [&](int fd) {
    auto *address = reinterpret_cast<sockaddr *>(&things().listens);
    if (::connect(fd, address, sizeof things().listens) != 0) return -1L;
    address_size = sizeof address_buffer;
    return then_close(
        emulated(number, things().listener, &address_buffer, &address_size, SOCK_CLOEXEC));
  });
}

long send_to(const sockaddr_un &address) {
  return with_socket(SOCK_DGRAM, [&](int fd) {
    return emulated(SYS_sendto, fd, memory, 1, 0, &address, sizeof address);
  });
}
long send_message_to(sockaddr_un &address) {
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = sizeof address;
  message.msg_iov = &one_byte;
  message.msg_iovlen = 1;
  return with_socket(SOCK_DGRAM, [&](int fd) { return emulated(SYS_sendmsg, fd, &message, 0); });
}
long send_messages_to(sockaddr_un &address) {
  mmsghdr message{};
  message.msg_hdr.msg_name = &address;
  message.msg_hdr.msg_namelen = sizeof address;
  message.msg_hdr.msg_iov = &one_byte;
  message.msg_hdr.msg_iovlen = 1;
  return with_socket(SOCK_DGRAM,
                     [&](int fd) { return emulated(SYS_sendmmsg, fd, &message, 1, 0); });
}
long then_receive(long result) {
  char byte;
  if (::recv(things().receiver, &byte, 1, MSG_DONTWAIT) < 0) return -1;
  return result;
}
long signal_self() {
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  return emulated(SYS_pidfd_send_signal, self.get(), 0, nullptr, 0);
}

long receive() {
  address_size = sizeof address_buffer;
  return emulated(SYS_recvfrom, things().receiver, memory, 1, MSG_DONTWAIT, &address_buffer,
                  &address_size);
}
long receive_message() {
  msghdr message{};
  message.msg_name = &address_buffer;
  message.msg_namelen = sizeof address_buffer;
  message.msg_iov = &one_byte;
  message.msg_iovlen = 1;
  return emulated(SYS_recvmsg, things().receiver, &message, MSG_DONTWAIT);
}
long ask_name(long number, int fd) {
  address_size = sizeof address_buffer;
  return emulated(number, fd, &address_buffer, &address_size);
}

// In a child, which becomes /bin/true: 0 where it did.
template <class Execute>
long in_child(Execute execute) {
  const pid_t child = ::fork();
  if (child == 0) {
    execute();
    ::_exit(1);
  }
  int exit_status = -1;
  ::waitpid(child, &exit_status, 0);
  return -exit_status;
}
long watch(const char *path) {
  const long number = emulated(SYS_inotify_add_watch, things().inotify_fd, path, IN_DELETE_SELF);
  if (number >= 0) ::inotify_rm_watch(things().inotify_fd, static_cast<int>(number));
  while (::read(things().inotify_fd, memory, sizeof memory) > 0) continue;
  return number;
}
long list(long number) {
  emulated(SYS_lseek, directory(), 0, SEEK_SET);
  return emulated(number, directory(), memory, sizeof memory);
}
long call(long number, const char *path, int flags) {
  how.flags = static_cast<std::uint64_t>(flags);
  return then_close(emulated(number, directory(), path, &how, sizeof how));
}

}  // namespace

// clang-format off
const std::vector<EveryCall> &every_call() {
  things();
  static const std::vector<EveryCall> calls = {
    // Files and their descriptors
    {"open", [] { return then_close(emulated(SYS_open, file(), O_RDONLY)); }, [] { return emulated(SYS_open, none(), O_RDONLY); }},
    {"openat", [] { return then_close(emulated(SYS_openat, directory(), "sub", O_RDONLY)); }, [] { return emulated(SYS_openat, directory(), "none", O_RDONLY); }},
    {"openat2", [] { return call(SYS_openat2, "file", O_RDWR); }, [] { return call(SYS_openat2, "none", O_RDONLY); }},
    {"creat", [] { return then_remove(then_close(emulated(SYS_creat, fresh(), 0600))); }, [] { return emulated(SYS_creat, sub(), 0600); }},
    {"close", [] { return emulated(SYS_close, ::dup(directory())); }, [] { return emulated(SYS_close, service); }},
    {"close_range", [] { ::dup2(directory(), spare); return emulated(SYS_close_range, spare, spare, 0); }, [] { return emulated(SYS_close_range, 2, 1, 0); }},
    {"dup", [] { return then_close(emulated(SYS_dup, directory())); }, [] { return emulated(SYS_dup, service); }},
    {"dup2", [] { return then_close(emulated(SYS_dup2, directory(), spare)); }, [] { return emulated(SYS_dup2, directory(), service); }},
    {"dup3", [] { return then_close(emulated(SYS_dup3, directory(), spare, O_CLOEXEC)); }, [] { return emulated(SYS_dup3, directory(), service, 0); }},
    {"fcntl", [] { return then_close(emulated(SYS_fcntl, directory(), F_DUPFD_CLOEXEC, 3)); }, [] { return emulated(SYS_fcntl, service, F_DUPFD, 3); }},
    {"read", [] { return emulated(SYS_read, file_fd(), memory, 0); }, [] { return emulated(SYS_read, directory(), memory, 1); }},
    {"pread64", [] { return emulated(SYS_pread64, file_fd(), memory, 1, 0); }, [] { return emulated(SYS_pread64, directory(), memory, 1, 0); }},
    {"readv", [] { return emulated(SYS_readv, file_fd(), &one_byte, 1); }, [] { return emulated(SYS_readv, directory(), &one_byte, 1); }},
    {"preadv", [] { return emulated(SYS_preadv, file_fd(), &one_byte, 1, 0, 0); }, [] { return emulated(SYS_preadv, directory(), &one_byte, 1, 0, 0); }},
    {"preadv2", [] { return emulated(SYS_preadv2, file_fd(), &one_byte, 1, 0, 0, 0); }, [] { return emulated(SYS_preadv2, directory(), &one_byte, 1, 0, 0, 0); }},
    {"lseek", [] { return emulated(SYS_lseek, directory(), 0, SEEK_SET); }, [] { return emulated(SYS_lseek, directory(), 0, 99); }},
    {"flock", [] { return emulated(SYS_flock, file_fd(), LOCK_SH); }, [] { return emulated(SYS_flock, not_open, LOCK_SH); }},
    {"fsync", [] { return emulated(SYS_fsync, directory()); }, [] { return emulated(SYS_fsync, not_open); }},
    {"fdatasync", [] { return emulated(SYS_fdatasync, directory()); }, [] { return emulated(SYS_fdatasync, not_open); }},
    {"truncate", [] { return emulated(SYS_truncate, file(), 4); }, [] { return emulated(SYS_truncate, none(), 4); }},
    {"getdents", [] { return list(SYS_getdents); }, [] { return emulated(SYS_getdents, file_fd(), memory, sizeof memory); }},
    {"getdents64", [] { return list(SYS_getdents64); }, [] { return emulated(SYS_getdents64, file_fd(), memory, sizeof memory); }},
    // Status
    {"stat", [] { return emulated(SYS_stat, file(), &status); }, [] { return emulated(SYS_stat, none(), &status); }},
    {"lstat", [] { return emulated(SYS_lstat, link(), &status); }, [] { return emulated(SYS_lstat, none(), &status); }},
    {"fstat", [] { return emulated(SYS_fstat, directory(), &status); }, [] { return emulated(SYS_fstat, not_open, &status); }},
    {"newfstatat", [] { return emulated(SYS_newfstatat, directory(), "link", &status, 0); }, [] { return emulated(SYS_newfstatat, directory(), "file/", &status, 0); }},
    {"statx", [] { return emulated(SYS_statx, directory(), "file", 0, STATX_ALL, &extended_status); }, [] { return emulated(SYS_statx, directory(), "none", 0, STATX_ALL, &extended_status); }},
    {"access", [] { return emulated(SYS_access, file(), R_OK); }, [] { return emulated(SYS_access, none(), R_OK); }},
    {"faccessat", [] { return emulated(SYS_faccessat, directory(), "file", R_OK); }, [] { return emulated(SYS_faccessat, file_fd(), "file", R_OK); }},
    {"faccessat2", [] { return emulated(SYS_faccessat2, directory(), "file", R_OK, AT_EACCESS); }, [] { return emulated(SYS_faccessat2, not_open, "file", R_OK, 0); }},
    {"readlink", [] { return emulated(SYS_readlink, link(), memory, 64); }, [] { return emulated(SYS_readlink, file(), memory, 64); }},
    {"readlinkat", [] { return emulated(SYS_readlinkat, directory(), "link", memory, 64); }, [] { return emulated(SYS_readlinkat, directory(), "none", memory, 64); }},
    {"statfs", [] { return emulated(SYS_statfs, file(), &file_system); }, [] { return emulated(SYS_statfs, none(), &file_system); }},
    {"fstatfs", [] { return emulated(SYS_fstatfs, directory(), &file_system); }, [] { return emulated(SYS_fstatfs, not_open, &file_system); }},
    {"pidfd_send_signal", signal_self, [] { return emulated(SYS_pidfd_send_signal, directory(), 0, nullptr, 0); }},
    {"inotify_add_watch", [] { return watch(file()); }, [] { return watch(none()); }},
    // Names
    {"mkdir", [] { return then_remove(emulated(SYS_mkdir, fresh(), 0700)); }, [] { return emulated(SYS_mkdir, sub(), 0700); }},
    {"mkdirat", [] { return then_remove(emulated(SYS_mkdirat, directory(), "fresh", 0700)); }, [] { return emulated(SYS_mkdirat, directory(), "sub", 0700); }},
    {"rmdir", [] { ::mkdir(fresh(), 0700); return emulated(SYS_rmdir, fresh()); }, [] { return emulated(SYS_rmdir, file()); }},
    {"unlink", [] { return emulated(SYS_unlink, made()); }, [] { return emulated(SYS_unlink, sub()); }},
    {"unlinkat", [] { made(); return emulated(SYS_unlinkat, directory(), "fresh", 0); }, [] { return emulated(SYS_unlinkat, directory(), "file", AT_REMOVEDIR); }},
    {"rename", [] { return then_remove(emulated(SYS_rename, made(), fresh())); }, [] { return emulated(SYS_rename, none(), fresh()); }},
    {"renameat", [] { made(); return then_remove(emulated(SYS_renameat, directory(), "fresh", directory(), "fresh")); }, [] { return emulated(SYS_renameat, directory(), "none", not_open, "x"); }},
    {"renameat2", [] { made(); return then_remove(emulated(SYS_renameat2, directory(), "fresh", directory(), "fresh", 0)); }, [] { return emulated(SYS_renameat2, directory(), "file", directory(), "link", 1); }},
    {"link", [] { return then_remove(emulated(SYS_link, file(), fresh())); }, [] { return emulated(SYS_link, file(), sub()); }},
    {"linkat", [] { return then_remove(emulated(SYS_linkat, directory(), "file", directory(), "fresh", 0)); }, [] { return emulated(SYS_linkat, directory(), "none", directory(), "fresh", 0); }},
    {"symlink", [] { return then_remove(emulated(SYS_symlink, "x", fresh())); }, [] { return emulated(SYS_symlink, "x", file()); }},
    {"symlinkat", [] { return then_remove(emulated(SYS_symlinkat, "x", directory(), "fresh")); }, [] { return emulated(SYS_symlinkat, "x", directory(), "file"); }},
    {"mknod", [] { return then_remove(emulated(SYS_mknod, fresh(), S_IFIFO | 0600, 0)); }, [] { return emulated(SYS_mknod, file(), S_IFIFO | 0600, 0); }},
    {"mknodat", [] { return then_remove(emulated(SYS_mknodat, directory(), "fresh", S_IFIFO | 0600, 0)); }, [] { return emulated(SYS_mknodat, directory(), "file", S_IFIFO, 0); }},
    // Attributes
    {"chmod", [] { return emulated(SYS_chmod, file(), 0644); }, [] { return emulated(SYS_chmod, none(), 0644); }},
    {"fchmod", [] { return emulated(SYS_fchmod, file_fd(), 0644); }, [] { return emulated(SYS_fchmod, not_open, 0644); }},
    {"fchmodat", [] { return emulated(SYS_fchmodat, directory(), "file", 0644); }, [] { return emulated(SYS_fchmodat, directory(), "none", 0644); }},
    {"fchmodat2", [] { return emulated(__NR_fchmodat2, directory(), "file", 0644, 0); }, [] { return emulated(__NR_fchmodat2, directory(), "none", 0644, 0); }},
    {"chown", [] { return emulated(SYS_chown, file(), -1, -1); }, [] { return emulated(SYS_chown, none(), -1, -1); }},
    {"lchown", [] { return emulated(SYS_lchown, link(), -1, -1); }, [] { return emulated(SYS_lchown, none(), -1, -1); }},
    {"fchown", [] { return emulated(SYS_fchown, file_fd(), -1, -1); }, [] { return emulated(SYS_fchown, not_open, -1, -1); }},
    {"fchownat", [] { return emulated(SYS_fchownat, directory(), "file", -1, -1, 0); }, [] { return emulated(SYS_fchownat, directory(), "none", -1, -1, 0); }},
    {"utime", [] { return emulated(SYS_utime, file(), nullptr); }, [] { return emulated(SYS_utime, none(), nullptr); }},
    {"utimes", [] { return emulated(SYS_utimes, file(), nullptr); }, [] { return emulated(SYS_utimes, none(), nullptr); }},
    {"futimesat", [] { return emulated(SYS_futimesat, directory(), "file", nullptr); }, [] { return emulated(SYS_futimesat, directory(), "none", nullptr); }},
    {"utimensat", [] { return emulated(SYS_utimensat, file_fd(), nullptr, nullptr, 0); }, [] { return emulated(SYS_utimensat, directory(), "none", nullptr, 0); }},
    {"setxattr", [] { return emulated(SYS_setxattr, file(), attribute, "x", 1, 0); }, [] { return emulated(SYS_setxattr, none(), attribute, "x", 1, 0); }},
    {"lsetxattr", [] { return emulated(SYS_lsetxattr, file(), attribute, "x", 1, 0); }, [] { return emulated(SYS_lsetxattr, none(), attribute, "x", 1, 0); }},
    {"fsetxattr", [] { return emulated(SYS_fsetxattr, file_fd(), attribute, "x", 1, 0); }, [] { return emulated(SYS_fsetxattr, not_open, attribute, "x", 1, 0); }},
    {"getxattr", [] { return emulated(SYS_getxattr, file(), attribute, memory, 64); }, [] { return emulated(SYS_getxattr, sub(), attribute, memory, 64); }},
    {"lgetxattr", [] { return emulated(SYS_lgetxattr, file(), attribute, memory, 64); }, [] { return emulated(SYS_lgetxattr, none(), attribute, memory, 64); }},
    {"fgetxattr", [] { return emulated(SYS_fgetxattr, file_fd(), attribute, memory, 64); }, [] { return emulated(SYS_fgetxattr, not_open, attribute, memory, 64); }},
    {"listxattr", [] { return emulated(SYS_listxattr, file(), memory, 64); }, [] { return emulated(SYS_listxattr, none(), memory, 64); }},
    {"llistxattr", [] { return emulated(SYS_llistxattr, file(), memory, 64); }, [] { return emulated(SYS_llistxattr, none(), memory, 64); }},
    {"flistxattr", [] { return emulated(SYS_flistxattr, directory(), memory, 64); }, [] { return emulated(SYS_flistxattr, not_open, memory, 64); }},
    {"removexattr", [] { emulated(SYS_setxattr, file(), "user.plash-other", "x", 1, 0); return emulated(SYS_removexattr, file(), "user.plash-other"); }, [] { return emulated(SYS_removexattr, none(), attribute); }},
    {"lremovexattr", [] { emulated(SYS_setxattr, file(), "user.plash-other", "x", 1, 0); return emulated(SYS_lremovexattr, file(), "user.plash-other"); }, [] { return emulated(SYS_lremovexattr, none(), attribute); }},
    {"fremovexattr", [] { emulated(SYS_setxattr, file(), "user.plash-other", "x", 1, 0); return emulated(SYS_fremovexattr, file_fd(), "user.plash-other"); }, [] { return emulated(SYS_fremovexattr, not_open, attribute); }},
    {"setxattrat", [] { return emulated(__NR_setxattrat, directory(), "file", 0, attribute, &value, sizeof value); }, [] { return emulated(__NR_setxattrat, directory(), "none", 0, attribute, &value, sizeof value); }},
    {"getxattrat", [] { return emulated(__NR_getxattrat, file_fd(), "", AT_EMPTY_PATH, attribute, &value, sizeof value); }, [] { return emulated(__NR_getxattrat, not_open, "", AT_EMPTY_PATH, attribute, &value, sizeof value); }},
    {"listxattrat", [] { return emulated(__NR_listxattrat, directory(), "file", 0, memory, 64); }, [] { return emulated(__NR_listxattrat, directory(), "none", 0, memory, 64); }},
    {"removexattrat", [] { emulated(SYS_setxattr, file(), "user.plash-other", "x", 1, 0); return emulated(__NR_removexattrat, directory(), "file", 0, "user.plash-other"); }, [] { return emulated(__NR_removexattrat, directory(), "none", 0, attribute); }},
    // The process
    {"getcwd", [] { return emulated(SYS_getcwd, memory, sizeof memory); }, [] { return emulated(SYS_getcwd, memory, 1); }},
    {"chdir", [] { return emulated(SYS_chdir, sub()); }, [] { return emulated(SYS_chdir, file()); }},
    {"fchdir", [] { return emulated(SYS_fchdir, directory()); }, [] { return emulated(SYS_fchdir, file_fd()); }},
    {"umask", [] { return emulated(SYS_umask, 022); }, nullptr},
    {"execve", [] { return in_child([] { emulated(SYS_execve, things().program.c_str(), no_strings, no_strings); }); }, [] { return emulated(SYS_execve, file(), no_strings, no_strings); }},
    {"execveat", [] { return in_child([] { emulated(SYS_execveat, directory(), "true", no_strings, no_strings, 0); }); }, [] { return emulated(SYS_execveat, directory(), "none", no_strings, no_strings, 0); }},
    // Sockets
    {"bind", [] { return with_socket(SOCK_STREAM, [](int fd) { return then_remove(emulated(SYS_bind, fd, &things().binds, sizeof things().binds)); }); },
             [] { return with_socket(SOCK_STREAM, [](int fd) { return emulated(SYS_bind, fd, &things().listens, sizeof things().listens); }); }},
    {"connect", [] { return with_socket(SOCK_STREAM, [](int fd) { const long result = emulated(SYS_connect, fd, &things().listens, sizeof things().listens); ::close(::accept(things().listener, nullptr, nullptr)); return result; }); },
                [] { return with_socket(SOCK_STREAM, [](int fd) { return emulated(SYS_connect, fd, &things().nobody, sizeof things().nobody); }); }},
    {"accept", [] { return accept_by(SYS_accept); }, [] { return emulated(SYS_accept, not_open, nullptr, nullptr); }},
    {"accept4", [] { return accept_by(SYS_accept4); }, [] { return emulated(SYS_accept4, file_fd(), nullptr, nullptr, 0); }},
    {"getsockname", [] { return ask_name(SYS_getsockname, things().listener); }, [] { return ask_name(SYS_getsockname, directory()); }},
    {"getpeername", [] { return with_connection([](int fd) { return ask_name(SYS_getpeername, fd); }); }, [] { return ask_name(SYS_getpeername, things().listener); }},
    {"sendto", [] { return then_receive(send_to(things().receives)); }, [] { return send_to(things().nobody); }},
    {"sendmsg", [] { return then_receive(send_message_to(things().receives)); }, [] { return send_message_to(things().nobody); }},
    {"sendmmsg", [] { return then_receive(send_messages_to(things().receives)); }, [] { return send_messages_to(things().nobody); }},
    {"recvfrom", [] { send_to(things().receives); return receive(); }, [] { return receive(); }},
    {"recvmsg", [] { send_to(things().receives); return receive_message(); }, [] { return receive_message(); }},
  };
  return calls;
}
// clang-format on

}  // namespace plash::testing
