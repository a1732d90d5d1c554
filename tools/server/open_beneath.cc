// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/open_beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>

#include "tools/server/directory.h"
#include "tools/support/unique_fd.h"

namespace plash::server {
namespace {

constexpr int max_attempts = 16;

int open_at_once(int directory, const char *path, int flags, unsigned mode, std::uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    // The kernel could not rule out a race with a rename somewhere.
    if (errno != EAGAIN || attempt == max_attempts) return descriptor_error();
  }
}

int open_last(int directory, const char *name, int flags, unsigned mode) {
  const bool may_be_symlink = (flags & O_NOFOLLOW) != 0;
  UniqueFd opened(::openat(directory, name, flags | O_NOFOLLOW | O_CLOEXEC, mode));
  const int error = opened ? 0 : descriptor_error();
  if (may_be_symlink || (error != 0 && error != -ENOTDIR))
    return error != 0 ? error : opened.release();
  // A symlink is ELOOP. O_PATH and O_DIRECTORY do not tell.
  if (error != 0) opened.reset(::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!opened) return descriptor_error();
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) return -errno;
  if (S_ISLNK(status.st_mode)) return -ELOOP;
  if (error == 0) return opened.release();
  if (!S_ISDIR(status.st_mode)) return error;
  // It has become a directory meanwhile.
  const int fd = ::openat(opened.get(), ".", flags | O_CLOEXEC);
  return fd >= 0 ? fd : descriptor_error();
}

int open_by_names(int directory, std::string_view path, int flags, unsigned mode) {
  UniqueFd below;
  for (;;) {
    const std::size_t slash = path.find('/');
    const int here = below ? below.get() : directory;
    const std::string name(path.substr(0, slash));
    path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
    const bool is_last = path.find_first_not_of('/') == std::string_view::npos;
    if (name.empty() || name == "..") return -EXDEV;
    if (is_last)
      return open_last(here, name.c_str(),
                       slash == std::string_view::npos ? flags : flags | O_DIRECTORY, mode);
    UniqueFd next(::openat(here, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return descriptor_error();
    struct stat status {};
    if (::fstat(next.get(), &status) != 0) return -errno;
    if (S_ISLNK(status.st_mode)) return -ELOOP;
    if (!S_ISDIR(status.st_mode)) return -ENOTDIR;
    below = std::move(next);
  }
}

}  // namespace

int open_beneath(int directory, const char *path, int flags, unsigned mode, std::uint64_t resolve) {
  static std::atomic<bool> is_unknown{false};
  if (!is_unknown.load(std::memory_order_relaxed)) {
    const int fd = open_at_once(directory, path, flags, mode, resolve);
    if (fd != -ENOSYS) return fd;
    is_unknown = true;
  }
  return resolve != 0 ? -ENOSYS : open_by_names(directory, path, flags, mode);
}

int open_parent(int directory, std::uint64_t resolve) {
  constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  if (resolve == 0) {
    const int fd = ::openat(directory, "..", flags);
    return fd >= 0 ? fd : descriptor_error();
  }
  open_how how{};
  how.flags = flags;
  how.resolve = resolve;
  const long fd = ::syscall(SYS_openat2, directory, "..", &how, sizeof how);
  return fd >= 0 ? static_cast<int>(fd) : descriptor_error();
}

}  // namespace plash::server
