// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is known about a file: stat(2) and relatives, access(2), readlink(2), statfs(2).
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/handlers.h"

namespace plash::engine {
namespace {

constexpr unsigned overflow_id =
    65534;  // what the kernel shows for IDs that a user namespace does not map
constexpr std::uint64_t stat_flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;

Last last_of(std::uint64_t flags) noexcept {
  return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Last::keep : Last::follow;
}

dev_t device(std::uint64_t major_number, std::uint64_t minor_number) noexcept {
  return ((major_number & 0xfffff000) << 32) | ((major_number & 0xfff) << 8) |
         ((minor_number & 0xffffff00) << 12) | (minor_number & 0xff);
}

void fill(struct stat &status, const methods::Stat::Reply &reply) noexcept {
  memset(&status, 0, sizeof status);
  status.st_dev = device(reply.dev_major, reply.dev_minor);
  status.st_ino = reply.ino;
  status.st_nlink = reply.nlink;
  status.st_mode = static_cast<mode_t>(reply.mode);
  status.st_uid = static_cast<uid_t>(reply.uid);
  status.st_gid = static_cast<gid_t>(reply.gid);
  status.st_rdev = device(reply.rdev_major, reply.rdev_minor);
  status.st_size = static_cast<off_t>(reply.size);
  status.st_blksize = static_cast<blksize_t>(reply.blksize);
  status.st_blocks = static_cast<blkcnt_t>(reply.blocks);
  status.st_atim = {reply.atime_sec, static_cast<long>(reply.atime_nsec)};
  status.st_mtim = {reply.mtime_sec, static_cast<long>(reply.mtime_nsec)};
  status.st_ctim = {reply.ctime_sec, static_cast<long>(reply.ctime_nsec)};
}

long ask_status(const Location &location, std::uint64_t flags, unsigned mask,
                methods::Stat::Reply &reply) noexcept {
  methods::Stat::Request request;
  request.flags = flags;
  request.mask = mask;
  set_location(request, location);
  return ask<methods::Stat>(request, reply);
}

long stat_location(const Location &location, std::uint64_t flags, struct stat *status) noexcept {
  methods::Stat::Reply reply;
  const long error = ask_status(location, flags, STATX_BASIC_STATS, reply);
  if (error != 0) return error;
  if (!may_write(status, sizeof *status)) return -EFAULT;
  fill(*status, reply);
  return 0;
}

// The kernel's own answer, unless the descriptor is a directory object, or belongs to somebody whom
// the kernel cannot name in the sandbox's user namespace.
long stat_descriptor(long descriptor, struct stat *status) noexcept {
  const long result = system_call(__NR_fstat, static_cast<int>(descriptor), as_argument(status));
  if (result != 0) return result;
  const bool directory = S_ISSOCK(status->st_mode) && is_directory_object(descriptor);
  const bool nobody = status->st_uid == overflow_id || status->st_gid == overflow_id;
  if (!directory && !nobody) return 0;
  Location location;
  location.base = static_cast<int>(descriptor);
  location.path = {"", 0};
  location.flags = AT_EMPTY_PATH;
  const long error = stat_location(location, 0, status);
  return directory ? error : 0;
}

long stat_at(long directory, const char *path, std::uint64_t flags, struct stat *status) noexcept {
  Location location;
  const long error = locate(directory, path, flags, last_of(flags), location);
  if (error != 0) return error;
  if (location.flags != 0 && location.base != state.cwd)
    return stat_descriptor(location.base, status);
  return stat_location(location, flags & AT_SYMLINK_NOFOLLOW, status);
}

void fill(struct statx &status, const methods::Stat::Reply &reply) noexcept {
  memset(&status, 0, sizeof status);
  status.stx_mask = static_cast<__u32>(reply.mask);
  status.stx_blksize = static_cast<__u32>(reply.blksize);
  status.stx_attributes = reply.attributes;
  status.stx_nlink = static_cast<__u32>(reply.nlink);
  status.stx_uid = static_cast<__u32>(reply.uid);
  status.stx_gid = static_cast<__u32>(reply.gid);
  status.stx_mode = static_cast<__u16>(reply.mode);
  status.stx_ino = reply.ino;
  status.stx_size = reply.size;
  status.stx_blocks = reply.blocks;
  status.stx_attributes_mask = reply.attributes_mask;
  status.stx_atime.tv_sec = reply.atime_sec;
  status.stx_atime.tv_nsec = static_cast<__u32>(reply.atime_nsec);
  status.stx_btime.tv_sec = reply.btime_sec;
  status.stx_btime.tv_nsec = static_cast<__u32>(reply.btime_nsec);
  status.stx_ctime.tv_sec = reply.ctime_sec;
  status.stx_ctime.tv_nsec = static_cast<__u32>(reply.ctime_nsec);
  status.stx_mtime.tv_sec = reply.mtime_sec;
  status.stx_mtime.tv_nsec = static_cast<__u32>(reply.mtime_nsec);
  status.stx_rdev_major = static_cast<__u32>(reply.rdev_major);
  status.stx_rdev_minor = static_cast<__u32>(reply.rdev_minor);
  status.stx_dev_major = static_cast<__u32>(reply.dev_major);
  status.stx_dev_minor = static_cast<__u32>(reply.dev_minor);
  status.stx_mnt_id = reply.mnt_id;
}

long access_at(long directory, const char *path, std::uint64_t mode, std::uint64_t flags) noexcept {
  if ((mode & ~std::uint64_t{R_OK | W_OK | X_OK}) != 0) return -EINVAL;
  if ((flags & ~std::uint64_t{AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0)
    return -EINVAL;
  methods::Access::Request request;
  request.mode = mode;
  request.flags = flags & (AT_EACCESS | AT_SYMLINK_NOFOLLOW);
  Location location;
  const long error = locate(directory, path, flags, last_of(flags), location);
  if (error != 0) return error;
  set_location(request, location);
  methods::Access::Reply reply;
  return ask<methods::Access>(request, reply);
}

// What the kernel shows for descriptors of no file: "pipe:[INODE]" (proc(5), /proc/pid/fd). 0 for
// files and directories.
long read_descriptor_link(int descriptor, char *buffer, long size) noexcept {
  struct stat status;
  const long error = system_call(__NR_fstat, descriptor, as_argument(&status));
  if (error != 0) return -ENOENT;
  const char *kind = "anon_inode:[";
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFCHR:
    case S_IFBLK:
      return 0;
    case S_IFLNK:
      return -EINVAL;
    case S_IFIFO:
      kind = "pipe:[";
      break;
    case S_IFSOCK:
      if (is_directory_object(descriptor)) return 0;
      kind = "socket:[";
      break;
    default:
      break;
  }
  char text[48];
  char *end = text;
  while (*kind != '\0') *end++ = *kind++;
  char digits[24];
  int count = 0;
  for (std::uint64_t rest = status.st_ino; rest != 0 || count == 0; rest /= 10)
    digits[count++] = static_cast<char>('0' + rest % 10);
  while (count != 0) *end++ = digits[--count];
  *end++ = ']';
  const long length = end - text < size ? end - text : size;
  if (!may_write(buffer, static_cast<unsigned long>(length))) return -EFAULT;
  memcpy(buffer, text, static_cast<std::size_t>(length));
  return length;
}

long readlink_at(long directory, const char *path, char *buffer, long size) noexcept {
  if (static_cast<int>(size) <= 0) return -EINVAL;
  // An empty path means a descriptor of a symlink, which the kernel reads.
  if (path != nullptr && may_read(path, 1) && *path == '\0') {
    if (static_cast<int>(directory) == AT_FDCWD) return -ENOENT;
    return system_call(__NR_readlinkat, static_cast<int>(directory), as_argument(path),
                       as_argument(buffer), size);
  }
  Location location;
  long error = locate(directory, path, 0, Last::keep, location);
  if (error != 0) return error;
  if (Bytes rest; is_own_working_directory(location.path, rest) && rest.size == 0) {
    location = {state.cwd, {"", 0}, 0};
  } else if (const int alias = descriptor_alias(location.path); alias >= 0) {
    const long link = read_descriptor_link(alias, buffer, size);
    if (link != 0) return link;
    location = {alias, {"", 0}, 0};
  }
  methods::Readlink::Request request;
  set_location(request, location);
  request.size = static_cast<unsigned>(size) < max_path_size + 1 ? static_cast<unsigned>(size)
                                                                 : max_path_size + 1;
  methods::Readlink::Reply reply;
  error = ask<methods::Readlink>(request, reply, {buffer, request.size});
  return error != 0 ? error : static_cast<long>(reply.target.size);
}

long statfs_location(const Location &location, struct statfs *status) noexcept {
  methods::Statfs::Request request;
  set_location(request, location);
  methods::Statfs::Reply reply;
  const long error = ask<methods::Statfs>(request, reply);
  if (error != 0) return error;
  if (!may_write(status, sizeof *status)) return -EFAULT;
  memset(status, 0, sizeof *status);
  status->f_type = static_cast<__fsword_t>(reply.type);
  status->f_bsize = static_cast<__fsword_t>(reply.bsize);
  status->f_blocks = reply.blocks;
  status->f_bfree = reply.bfree;
  status->f_bavail = reply.bavail;
  status->f_files = reply.files;
  status->f_ffree = reply.ffree;
  status->f_fsid.__val[0] = static_cast<int>(reply.fsid0);
  status->f_fsid.__val[1] = static_cast<int>(reply.fsid1);
  status->f_namelen = static_cast<__fsword_t>(reply.namelen);
  status->f_frsize = static_cast<__fsword_t>(reply.frsize);
  status->f_flags = static_cast<__fsword_t>(reply.mount_flags);
  return 0;
}

}  // namespace

long emulate_stat(const Arguments &arguments) noexcept {
  return stat_at(AT_FDCWD, arguments.pointer<const char>(0), 0, arguments.pointer<struct stat>(1));
}

long emulate_lstat(const Arguments &arguments) noexcept {
  return stat_at(AT_FDCWD, arguments.pointer<const char>(0), AT_SYMLINK_NOFOLLOW,
                 arguments.pointer<struct stat>(1));
}

long emulate_fstat(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  return stat_descriptor(arguments[0], arguments.pointer<struct stat>(1));
}

long emulate_newfstatat(const Arguments &arguments) noexcept {
  const std::uint64_t flags = arguments.bits(3);
  if ((flags & ~stat_flags) != 0) return -EINVAL;
  return stat_at(arguments[0], arguments.pointer<const char>(1), flags,
                 arguments.pointer<struct stat>(2));
}

long emulate_statx(const Arguments &arguments) noexcept {
  const std::uint64_t flags = arguments.bits(2);
  const unsigned mask = arguments.bits(3);
  auto *status = arguments.pointer<struct statx>(4);
  if ((mask & STATX__RESERVED) != 0) return -EINVAL;
  if ((flags & ~(stat_flags | AT_STATX_SYNC_TYPE)) != 0) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE) return -EINVAL;
  Location location;
  long error =
      locate(arguments[0], arguments.pointer<const char>(1), flags, last_of(flags), location);
  if (error != 0) return error;
  methods::Stat::Reply reply;
  error = ask_status(location, flags & AT_SYMLINK_NOFOLLOW, mask, reply);
  if (error != 0) return error;
  if (!may_write(status, sizeof *status)) return -EFAULT;
  fill(*status, reply);
  return 0;
}

long emulate_access(const Arguments &arguments) noexcept {
  return access_at(AT_FDCWD, arguments.pointer<const char>(0), arguments.bits(1), 0);
}

long emulate_faccessat(const Arguments &arguments) noexcept {
  return access_at(arguments[0], arguments.pointer<const char>(1), arguments.bits(2), 0);
}

long emulate_faccessat2(const Arguments &arguments) noexcept {
  return access_at(arguments[0], arguments.pointer<const char>(1), arguments.bits(2),
                   arguments.bits(3));
}

long emulate_readlink(const Arguments &arguments) noexcept {
  return readlink_at(AT_FDCWD, arguments.pointer<const char>(0), arguments.pointer<char>(1),
                     arguments[2]);
}

long emulate_readlinkat(const Arguments &arguments) noexcept {
  return readlink_at(arguments[0], arguments.pointer<const char>(1), arguments.pointer<char>(2),
                     arguments[3]);
}

long emulate_statfs(const Arguments &arguments) noexcept {
  Location location;
  const long error = locate(AT_FDCWD, arguments.pointer<const char>(0), 0, Last::follow, location);
  return error != 0 ? error : statfs_location(location, arguments.pointer<struct statfs>(1));
}

long emulate_fstatfs(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  if (!is_directory_object(arguments[0])) return call_kernel(__NR_fstatfs, arguments);
  return statfs_location({arguments.number(0), {"", 0}, AT_EMPTY_PATH},
                         arguments.pointer<struct statfs>(1));
}

}  // namespace plash::engine
