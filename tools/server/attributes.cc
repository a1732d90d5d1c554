// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Methods that look at a file or directory, or change what is known about it.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string_view>

#include "tools/server/target.h"
#include "tools/server/transport.h"

namespace plash::server {
namespace {

constexpr unsigned set_id_bits = S_ISUID | S_ISGID;

// What a fabricated directory or symlink looks like.
void describe_fabricated(const Node &node, methods::Stat::Reply &reply) {
  reply.mask = STATX_BASIC_STATS;
  reply.blksize = 4096;
  reply.ino = node.inode;
  reply.mode = node.link ? S_IFLNK | 0777 : S_IFDIR | 0555;
  reply.nlink = node.link ? 1 : 2;
  if (node.link) reply.size = node.link->size();
}

void describe(const struct statx &status, methods::Stat::Reply &reply) {
  reply.mask = status.stx_mask;
  reply.blksize = status.stx_blksize;
  reply.attributes = status.stx_attributes;
  reply.nlink = status.stx_nlink;
  reply.uid = status.stx_uid;
  reply.gid = status.stx_gid;
  reply.mode = status.stx_mode;
  reply.ino = status.stx_ino;
  reply.size = status.stx_size;
  reply.blocks = status.stx_blocks;
  reply.attributes_mask = status.stx_attributes_mask;
  reply.atime_sec = status.stx_atime.tv_sec;
  reply.atime_nsec = status.stx_atime.tv_nsec;
  reply.btime_sec = status.stx_btime.tv_sec;
  reply.btime_nsec = status.stx_btime.tv_nsec;
  reply.ctime_sec = status.stx_ctime.tv_sec;
  reply.ctime_nsec = status.stx_ctime.tv_nsec;
  reply.mtime_sec = status.stx_mtime.tv_sec;
  reply.mtime_nsec = status.stx_mtime.tv_nsec;
  reply.rdev_major = status.stx_rdev_major;
  reply.rdev_minor = status.stx_rdev_minor;
  reply.dev_major = status.stx_dev_major;
  reply.dev_minor = status.stx_dev_minor;
  reply.mnt_id = status.stx_mnt_id;
}

// A name in the directory that a directory object stands for, nothing more: what the walk would
// come to, in one system call instead of three. False where there may be more to it: a symlink to
// be followed, a node of the tree.
bool stat_name(Context &context, const methods::Stat::Request &request, unsigned mask, int &error,
               methods::Stat::Reply &reply) {
  const std::string_view name = view(request.path);
  if (request.base < 0 || name.empty() || name.size() > NAME_MAX ||
      name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos || name == "." ||
      name == "..") {
    return false;
  }
  const auto object = context.services.find_by_client(socket_cookie(request.base));
  if (object == nullptr || object->type != ObjectType::Directory) return false;
  const Directory &directory = object->directory;
  if (!directory.fd || (directory.node != nullptr && directory.node->find(name) != nullptr))
    return false;
  char path[NAME_MAX + 1];
  path[name.copy(path, name.size())] = '\0';
  struct statx status {};
  if (::statx(directory.real(), path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, mask | STATX_TYPE,
              &status) != 0) {
    error = -errno;
    return true;
  }
  if (S_ISLNK(status.stx_mode) && (request.flags & AT_SYMLINK_NOFOLLOW) == 0) return false;
  error = is_procfs(status.stx_dev_major, status.stx_dev_minor) ? -EACCES : 0;
  if (error == 0) describe(status, reply);
  return true;
}

}  // namespace

int handle(Context &, const methods::Ping::Request &, methods::Ping::Reply &) { return 0; }

int handle(Context &context, const methods::OpenSessions::Request &request,
           methods::OpenSessions::Reply &reply) {
  const int error = context.services.open_sessions(context.object, request.count, context.fds);
  if (error != 0) return error;
  for (const UniqueFd &fd : context.fds) context.numbers.push_back(fd.get());
  reply.sessions = {context.numbers.data(), context.numbers.size()};
  return 0;
}

int handle(Context &context, const methods::Stat::Request &request, methods::Stat::Reply &reply) {
  Target target;
  const unsigned mask =
      static_cast<unsigned>(request.mask) & ~static_cast<unsigned>(STATX__RESERVED);
  int error = 0;
  if (stat_name(context, request, mask, error, reply)) return error;
  error = find_target(context, request.base, request.path, request.flags, target, mask);
  if (error != 0) return error;
  if (descriptor_of(target) < 0) {
    describe_fabricated(*target.node, reply);
  } else {
    describe(target.status, reply);
  }
  return 0;
}

int handle(Context &context, const methods::Access::Request &request, methods::Access::Reply &) {
  if ((request.mode & ~std::uint64_t{R_OK | W_OK | X_OK}) != 0) return -EINVAL;
  Target target;
  const int error = find_target(context, request.base, request.path, request.flags, target);
  if (error != 0 || request.mode == F_OK) return error;
  const bool writable =
      target.file_descriptor || (target.rights != nullptr && target.rights->write);
  const int fd = descriptor_of(target);
  if (fd >= 0) {
    const int flags = AT_EMPTY_PATH | static_cast<int>(request.flags & AT_EACCESS);
    const int mode = static_cast<int>(request.mode);
    if (::faccessat(fd, "", mode & ~W_OK, flags) != 0) return -errno;
    if ((mode & W_OK) != 0 && writable && ::faccessat(fd, "", mode, flags) != 0) return -errno;
  }
  return (request.mode & W_OK) != 0 && !writable ? -EROFS : 0;
}

int handle(Context &context, const methods::Readlink::Request &request,
           methods::Readlink::Reply &reply) {
  Target target;
  const int error =
      find_target(context, request.base, request.path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, target);
  if (error != 0) return error;
  if (request.size == 0) return -EINVAL;
  if (target.node != nullptr && target.node->link) {
    context.bytes = *target.node->link;
  } else if (target.fd && S_ISLNK(target.status.stx_mode)) {
    Directory around;
    around.name_space = context.object.directory.name_space;
    around.granted = target.granted;
    auto text = link_target(around, target.fd.get());
    if (const int *failure = std::get_if<int>(&text)) return *failure;
    context.bytes = std::get<std::string>(text);
  } else if (request.path.size == 0) {
    const Namespace &name_space = *context.object.directory.name_space;
    auto text =
        target.file_descriptor ? name_of(name_space, target.fd.get()) : path_of(target.directory);
    if (target.directory.fd && std::holds_alternative<int>(text))
      text = name_of(name_space, target.directory.real());  // a removed one
    if (const int *failure = std::get_if<int>(&text)) return *failure;
    context.bytes = std::get<std::string>(text);
  } else {
    return -EINVAL;
  }
  if (context.bytes.size() > request.size) context.bytes.resize(request.size);
  reply.target = {context.bytes.data(), context.bytes.size()};
  return 0;
}

int handle(Context &context, const methods::Chmod::Request &request, methods::Chmod::Reply &) {
  Target target;
  const int error = find_changeable(context, request.base, request.path, request.flags, target);
  if (error != 0) return error;
  if (S_ISLNK(target.status.stx_mode)) return -EOPNOTSUPP;
  const auto mode = static_cast<unsigned>(request.mode & 07777);
  // A set-ID program would run with the rights of whoever runs the server. Not even bits that are
  // there already are set again: writing to the file may clear them in between.
  if ((mode & set_id_bits) != 0 && !target.is_directory) return -EPERM;
  return ::chmod(descriptor_path(descriptor_of(target)).c_str(), mode) == 0 ? 0 : -errno;
}

int handle(Context &context, const methods::Chown::Request &request, methods::Chown::Reply &) {
  Target target;
  const int error = find_changeable(context, request.base, request.path, request.flags, target);
  if (error != 0) return error;
  const auto uid = static_cast<uid_t>(request.uid);
  const auto gid = static_cast<gid_t>(request.gid);
  return ::fchownat(descriptor_of(target), "", uid, gid, AT_EMPTY_PATH) == 0 ? 0 : -errno;
}

int handle(Context &context, const methods::Utimens::Request &request, methods::Utimens::Reply &) {
  Target target;
  const int error = find_changeable(context, request.base, request.path, request.flags, target);
  if (error != 0) return error;
  const timespec times[2] = {{request.atime_sec, request.atime_nsec},
                             {request.mtime_sec, request.mtime_nsec}};
  return ::utimensat(descriptor_of(target), "", times, AT_EMPTY_PATH) == 0 ? 0 : -errno;
}

int handle(Context &context, const methods::Truncate::Request &request,
           methods::Truncate::Reply &) {
  if (request.length < 0) return -EINVAL;
  Target target;
  int error = find_target(context, request.base, request.path, 0, target);
  if (error != 0) return error;
  if (target.is_directory) return -EISDIR;
  if (target.rights == nullptr || !target.rights->write) return -EROFS;
  return ::truncate(descriptor_path(target.fd.get()).c_str(), request.length) == 0 ? 0 : -errno;
}

int handle(Context &context, const methods::Statfs::Request &request,
           methods::Statfs::Reply &reply) {
  Target target;
  const int error = find_target(context, request.base, request.path, request.flags, target);
  if (error != 0) return error;
  struct statfs status {};
  const int fd = descriptor_of(target);
  if (fd < 0) {
    status.f_type = TMPFS_MAGIC;
    status.f_bsize = status.f_frsize = 4096;
    status.f_namelen = NAME_MAX;
  } else if (::fstatfs(fd, &status) != 0) {
    return -errno;
  }
  static_assert(sizeof status.f_fsid == 2 * sizeof(int));
  reply.type = static_cast<std::uint64_t>(status.f_type);
  reply.bsize = static_cast<std::uint64_t>(status.f_bsize);
  reply.blocks = status.f_blocks;
  reply.bfree = status.f_bfree;
  reply.bavail = status.f_bavail;
  reply.files = status.f_files;
  reply.ffree = status.f_ffree;
  reply.fsid0 = static_cast<unsigned>(status.f_fsid.__val[0]);
  reply.fsid1 = static_cast<unsigned>(status.f_fsid.__val[1]);
  reply.namelen = static_cast<std::uint64_t>(status.f_namelen);
  reply.frsize = static_cast<std::uint64_t>(status.f_frsize);
  reply.mount_flags = static_cast<std::uint64_t>(status.f_flags);
  return 0;
}

int handle(Context &context, const methods::InotifyAddWatch::Request &request,
           methods::InotifyAddWatch::Reply &reply) {
  if (request.inotify < 0) return -EBADF;
  Target target;
  const std::uint64_t flags = (request.mask & IN_DONT_FOLLOW) != 0 ? AT_SYMLINK_NOFOLLOW : 0;
  const int error = find_target(context, request.base, request.path, flags, target);
  if (error != 0) return error;
  const int fd = descriptor_of(target);
  if (fd < 0) return -EACCES;
  const auto mask =
      static_cast<std::uint32_t>(request.mask) & ~static_cast<std::uint32_t>(IN_DONT_FOLLOW);
  reply.watch = ::inotify_add_watch(request.inotify, descriptor_path(fd).c_str(), mask);
  return reply.watch >= 0 ? 0 : -errno;
}

}  // namespace plash::server
