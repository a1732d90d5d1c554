// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/conformance/path_calls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/conformance/case.h"

namespace plash::conformance {
namespace {

long open_with(Call call, int base, const char *path, int flags) {
  return call(SYS_openat, base, path, flags, 0640);
}

long openat2_with(Call call, int base, const char *path, std::uint64_t flags,
                  std::uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.resolve = resolve;
  return call(SYS_openat2, base, path, &how, sizeof how);
}

// The mode, where it succeeds.
template <typename... Arguments>
long mode_by(Call call, const struct stat &status, Arguments... arguments) {
  const long result = call(arguments...);
  return result == 0 ? static_cast<long>(status.st_mode) : result;
}

long statx_mode(Call call, int base, const char *path, int flags) {
  struct statx status {};
  const long result = call(SYS_statx, base, path, flags, STATX_BASIC_STATS, &status);
  return result == 0 ? status.stx_mode : result;
}

// bind() or connect() of a new socket to the path.
long with_address(Call call, long number, const char *path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path, length + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const long result = call(number, fd, &address, offsetof(sockaddr_un, sun_path) + length + 1);
  const int error = errno;
  ::close(fd);
  errno = error;
  return result;
}

long watch(Call call, const char *path, std::uint32_t mask) {
  const int fd = ::inotify_init1(IN_CLOEXEC);
  const long result = call(SYS_inotify_add_watch, fd, path, mask);
  const int error = errno;
  ::close(fd);
  errno = error;
  return result;
}

constexpr struct timespec fixed_times[2] = {{1'000'000'000, 123'456'789},
                                            {1'100'000'000, 987'654'321}};

// Opening, by openat() unless the name says otherwise.
void add_opening(std::vector<PathCall> &calls) {
  const auto add = [&](const char *name, auto make) { calls.push_back({name, make, true, true}); };
  const auto add_flags = [&](const char *name, int flags) {
    add(name, [flags](Call call, int base, const char *path) {
      return open_with(call, base, path, flags);
    });
  };
  add_flags("openat_read", O_RDONLY);
  add_flags("openat_write", O_WRONLY);
  add_flags("openat_create", O_WRONLY | O_CREAT);
  add_flags("openat_create_exclusive", O_WRONLY | O_CREAT | O_EXCL);
  add_flags("openat_truncate", O_RDWR | O_TRUNC);
  add_flags("openat_directory", O_RDONLY | O_DIRECTORY);
  add_flags("openat_nofollow", O_RDONLY | O_NOFOLLOW);
  add_flags("openat_path", O_PATH);
  add_flags("openat_path_nofollow", O_PATH | O_NOFOLLOW);
  add_flags("openat_path_directory", O_PATH | O_DIRECTORY);
  add_flags("openat_tmpfile", O_TMPFILE | O_RDWR);
  const auto add_resolve = [&](const char *name, std::uint64_t resolve) {
    add(name, [resolve](Call call, int base, const char *path) {
      return openat2_with(call, base, path, O_RDONLY, resolve);
    });
  };
  add_resolve("openat2", 0);
  add_resolve("openat2_beneath", RESOLVE_BENEATH);
  add_resolve("openat2_in_root", RESOLVE_IN_ROOT);
  add_resolve("openat2_no_symlinks", RESOLVE_NO_SYMLINKS);
  add_resolve("openat2_no_magiclinks", RESOLVE_NO_MAGICLINKS);
  calls.push_back(
      {"open", [](Call call, int, const char *path) { return call(SYS_open, path, O_RDONLY, 0); },
       false, true});
  calls.push_back({"creat",
                   [](Call call, int, const char *path) { return call(SYS_creat, path, 0600); },
                   false, true});
}

void add_looking(std::vector<PathCall> &calls) {
  const auto add = [&](const char *name, auto make) { calls.push_back({name, make}); };
  const auto add_at = [&](const char *name, auto make) { calls.push_back({name, make, true}); };
  add("stat", [](Call call, int, const char *path) {
    struct stat status {};
    return mode_by(call, status, SYS_stat, path, &status);
  });
  add("lstat", [](Call call, int, const char *path) {
    struct stat status {};
    return mode_by(call, status, SYS_lstat, path, &status);
  });
  const auto add_fstatat = [&](const char *name, int flags) {
    add_at(name, [flags](Call call, int base, const char *path) {
      struct stat status {};
      return mode_by(call, status, SYS_newfstatat, base, path, &status, flags);
    });
  };
  add_fstatat("newfstatat", 0);
  add_fstatat("newfstatat_nofollow", AT_SYMLINK_NOFOLLOW);
  add_fstatat("newfstatat_empty_path", AT_EMPTY_PATH);
  add_at("statx",
         [](Call call, int base, const char *path) { return statx_mode(call, base, path, 0); });
  add_at("statx_nofollow", [](Call call, int base, const char *path) {
    return statx_mode(call, base, path, AT_SYMLINK_NOFOLLOW);
  });
  add("access", [](Call call, int, const char *path) { return call(SYS_access, path, R_OK); });
  add_at("faccessat", [](Call call, int base, const char *path) {
    return call(SYS_faccessat, base, path, W_OK);
  });
  add_at("faccessat2", [](Call call, int base, const char *path) {
    return call(SYS_faccessat2, base, path, X_OK, AT_EACCESS);
  });
  add_at("faccessat2_nofollow", [](Call call, int base, const char *path) {
    return call(SYS_faccessat2, base, path, F_OK, AT_SYMLINK_NOFOLLOW);
  });
  add("readlink", [](Call call, int, const char *path) {
    char target[100];
    return call(SYS_readlink, path, target, 4);
  });
  add_at("readlinkat", [](Call call, int base, const char *path) {
    char target[100];
    return call(SYS_readlinkat, base, path, target, 4);
  });
  add("chdir", [](Call call, int, const char *path) { return call(SYS_chdir, path); });
  add("statfs", [](Call call, int, const char *path) {
    struct statfs status;
    return call(SYS_statfs, path, &status);
  });
  add("inotify_add_watch",
      [](Call call, int, const char *path) { return watch(call, path, IN_CREATE); });
  add("inotify_add_watch_nofollow", [](Call call, int, const char *path) {
    return watch(call, path, IN_CREATE | IN_DONT_FOLLOW);
  });
  add("inotify_add_watch_directory",
      [](Call call, int, const char *path) { return watch(call, path, IN_CREATE | IN_ONLYDIR); });
  const auto execute = [](Call call, long number, auto... arguments) {
    static char *const none[] = {nullptr, nullptr};
    return call(number, arguments..., none, none, 0);
  };
  add("execve",
      [execute](Call call, int, const char *path) { return execute(call, SYS_execve, path); });
  add_at("execveat", [execute](Call call, int base, const char *path) {
    return execute(call, SYS_execveat, base, path);
  });
}

void add_naming(std::vector<PathCall> &calls) {
  const auto add = [&](const char *name, auto make) { calls.push_back({name, make}); };
  const auto add_at = [&](const char *name, auto make) { calls.push_back({name, make, true}); };
  add("mkdir", [](Call call, int, const char *path) { return call(SYS_mkdir, path, 0750); });
  add_at("mkdirat",
         [](Call call, int base, const char *path) { return call(SYS_mkdirat, base, path, 0750); });
  add("mknod",
      [](Call call, int, const char *path) { return call(SYS_mknod, path, S_IFREG | 0640, 0); });
  add_at("mknodat_fifo", [](Call call, int base, const char *path) {
    return call(SYS_mknodat, base, path, S_IFIFO | 0640, 0);
  });
  add("unlink", [](Call call, int, const char *path) { return call(SYS_unlink, path); });
  add_at("unlinkat",
         [](Call call, int base, const char *path) { return call(SYS_unlinkat, base, path, 0); });
  add("rmdir", [](Call call, int, const char *path) { return call(SYS_rmdir, path); });
  add_at("unlinkat_removedir", [](Call call, int base, const char *path) {
    return call(SYS_unlinkat, base, path, AT_REMOVEDIR);
  });
  add("rename_from",
      [](Call call, int, const char *path) { return call(SYS_rename, path, "new-name"); });
  add("rename_to",
      [](Call call, int, const char *path) { return call(SYS_rename, "other", path); });
  add_at("renameat_from", [](Call call, int base, const char *path) {
    return call(SYS_renameat, base, path, AT_FDCWD, "new-name");
  });
  add_at("renameat_directory_to", [](Call call, int base, const char *path) {
    return call(SYS_renameat, AT_FDCWD, "other-dir", base, path);
  });
  add_at("renameat2_noreplace_to", [](Call call, int base, const char *path) {
    return call(SYS_renameat2, AT_FDCWD, "other", base, path, 1u);
  });
  add_at("renameat2_exchange", [](Call call, int base, const char *path) {
    return call(SYS_renameat2, AT_FDCWD, "other", base, path, 2u);
  });
  add("link_from",
      [](Call call, int, const char *path) { return call(SYS_link, path, "new-name"); });
  add("link_to", [](Call call, int, const char *path) { return call(SYS_link, "other", path); });
  add_at("linkat_from_follow", [](Call call, int base, const char *path) {
    return call(SYS_linkat, base, path, AT_FDCWD, "new-name", AT_SYMLINK_FOLLOW);
  });
  add_at("linkat_to", [](Call call, int base, const char *path) {
    return call(SYS_linkat, AT_FDCWD, "other", base, path, 0);
  });
  add("symlink",
      [](Call call, int, const char *path) { return call(SYS_symlink, "target", path); });
  add_at("symlinkat", [](Call call, int base, const char *path) {
    return call(SYS_symlinkat, "target", base, path);
  });
  calls.push_back(
      {"bind", [](Call call, int, const char *path) { return with_address(call, SYS_bind, path); },
       false, false, true});
  calls.push_back(
      {"connect",
       [](Call call, int, const char *path) { return with_address(call, SYS_connect, path); },
       false, false, true});
}

void add_changing(std::vector<PathCall> &calls) {
  const auto add = [&](const char *name, auto make) { calls.push_back({name, make}); };
  const auto add_at = [&](const char *name, auto make) { calls.push_back({name, make, true}); };
  add("chmod", [](Call call, int, const char *path) { return call(SYS_chmod, path, 0711); });
  add_at("fchmodat", [](Call call, int base, const char *path) {
    return call(SYS_fchmodat, base, path, 0711);
  });
  add("chown", [](Call call, int, const char *path) {
    return call(SYS_chown, path, ::getuid(), ::getgid());
  });
  add("lchown",
      [](Call call, int, const char *path) { return call(SYS_lchown, path, ::getuid(), -1); });
  add_at("fchownat", [](Call call, int base, const char *path) {
    return call(SYS_fchownat, base, path, -1, ::getgid(), 0);
  });
  add_at("fchownat_nofollow", [](Call call, int base, const char *path) {
    return call(SYS_fchownat, base, path, ::getuid(), -1, AT_SYMLINK_NOFOLLOW);
  });
  add_at("utimensat", [](Call call, int base, const char *path) {
    return call(SYS_utimensat, base, path, fixed_times, 0);
  });
  add_at("utimensat_nofollow", [](Call call, int base, const char *path) {
    return call(SYS_utimensat, base, path, fixed_times, AT_SYMLINK_NOFOLLOW);
  });
  add("utimes", [](Call call, int, const char *path) {
    const struct timeval times[2] = {{1'000'000'000, 5}, {1'000'000'001, 6}};
    return call(SYS_utimes, path, times);
  });
  add("utime", [](Call call, int, const char *path) {
    const long times[2] = {1'000'000'000, 1'000'000'002};
    return call(SYS_utime, path, times);
  });
  add_at("futimesat", [](Call call, int base, const char *path) {
    const struct timeval times[2] = {{1'000'000'000, 5}, {1'000'000'003, 6}};
    return call(SYS_futimesat, base, path, times);
  });
  add("truncate", [](Call call, int, const char *path) { return call(SYS_truncate, path, 2); });
  add("setxattr", [](Call call, int, const char *path) {
    return call(SYS_setxattr, path, "user.new", "value", 5, 0);
  });
  add("lsetxattr", [](Call call, int, const char *path) {
    return call(SYS_lsetxattr, path, "user.new", "value", 5, 0);
  });
  add("getxattr", [](Call call, int, const char *path) {
    char value[10];
    return call(SYS_getxattr, path, "user.there", value, sizeof value);
  });
  add("lgetxattr", [](Call call, int, const char *path) {
    char value[10];
    return call(SYS_lgetxattr, path, "user.there", value, sizeof value);
  });
  add("listxattr", [](Call call, int, const char *path) {
    char names[100];
    return call(SYS_listxattr, path, names, sizeof names);
  });
  add("llistxattr", [](Call call, int, const char *path) {
    char names[100];
    return call(SYS_llistxattr, path, names, sizeof names);
  });
  add("removexattr",
      [](Call call, int, const char *path) { return call(SYS_removexattr, path, "user.there"); });
  add("lremovexattr",
      [](Call call, int, const char *path) { return call(SYS_lremovexattr, path, "user.there"); });
}

}  // namespace

const std::vector<PathCall> &path_calls() {
  static const std::vector<PathCall> calls = [] {
    std::vector<PathCall> all;
    add_opening(all);
    add_looking(all);
    add_naming(all);
    add_changing(all);
    return all;
  }();
  return calls;
}

void attempt_path_call(const PathCall &path_call, Call call, int base, const std::string &what,
                       const char *path) {
  char buffer[4097];
  const std::string top = ::getcwd(buffer, sizeof buffer) ? buffer : "";
  const long result = attempt(what, path_call.make(call, base, path));
  if (path_call.opens && result >= 0) ::close(static_cast<int>(result));
  if (path_call.name == "chdir" && result == 0 && !top.empty() && ::chdir(top.c_str()) != 0)
    set_up_failed("chdir back");
}

PathCallRegistration::PathCallRegistration(const std::string &family,
                                           const std::function<void(const PathCall &, Call)> &run,
                                           const std::function<bool(const PathCall &)> &wanted) {
  for (const PathCall &path_call : path_calls()) {
    if (!wanted(path_call)) continue;
    CallRegistration(family + "/" + path_call.name,
                     [&path_call, run](Call call) { run(path_call, call); });
  }
}

}  // namespace plash::conformance
