// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/target.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "tools/server/open_beneath.h"
#include "tools/server/transport.h"

namespace plash::server {
namespace {

// The grant that a host path lies in, the innermost where they nest.
void find_innermost_grant(const Node &node, std::uint64_t device, const std::string &host_path,
                          const Node *&best, std::string &best_below) {
  // Paths in a mount that is attached nowhere say nothing about others.
  if (node.grant && (node.grant->kind == Grant::Kind::attached || node.grant->device == device)) {
    const auto below = path_below_grant(node, host_path);
    if (below && (best == nullptr || below->size() <= best_below.size())) {
      best = &node;
      best_below = *below;
    }
  }
  for (const auto &[name, child] : node.children)
    find_innermost_grant(*child, device, host_path, best, best_below);
}

// True where the file that a client holds open lies in a grant that may be written to.
bool lies_in_writable_grant(const Namespace &name_space, int fd) {
  const Node *granted = nullptr;
  std::string below;
  struct stat held {};
  if (::fstat(fd, &held) != 0) return false;
  find_innermost_grant(*name_space.root(), held.st_dev, kernel_path(fd), granted, below);
  if (granted == nullptr || !granted->grant->rights.write) return false;
  const Grant &grant = *granted->grant;
  const std::string path = below.empty() ? (grant.leaf.empty() ? "." : grant.leaf) : below;
  const UniqueFd again(open_beneath(grant.anchor.get(), path.c_str(), O_PATH | O_NOFOLLOW));
  struct stat found {};
  return again && ::fstat(again.get(), &found) == 0 && held.st_dev == found.st_dev &&
         held.st_ino == found.st_ino;
}

bool may_change_descriptor(const Namespace &name_space, int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return false;
  // Who could open it for writing was granted that.
  if ((flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY) return true;
  return lies_in_writable_grant(name_space, fd);
}

// What a directory object of another server has in common with a forged one.
bool looks_like_object(int fd) {
  int tag = 0;
  socklen_t size = sizeof tag;
  return ::getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &tag, &size) == 0 && tag == directory_object_tag;
}

}  // namespace

std::variant<std::string, int> name_of(const Namespace &name_space, int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return -errno;
  const Node *granted = nullptr;
  std::string below;
  // Of a file that was removed the kernel gives the name that it had, marked so.
  const std::string host_path = kernel_path(fd);
  // Memory lies in no grant, and has a name that its holder gave it.
  if (host_path.compare(0, 7, "/memfd:") == 0 && ::fcntl(fd, F_GET_SEALS) >= 0) return host_path;
  find_innermost_grant(*name_space.root(), status.st_dev, host_path, granted, below);
  if (granted == nullptr) return -ENOENT;
  std::string path = granted->path();
  if (below.empty()) return path;
  if (path != "/") path += "/";
  return path + below;
}

int find_start(Context &context, int base, const Bytes &path, Directory &start) {
  if (path.size != 0 && path.data[0] == '/' && base < 0) {
    start = context.object.directory;
    return 0;
  }
  if (base < 0) return -ENOENT;
  const auto object = context.services.find_by_client(socket_cookie(base));
  if (object == nullptr) return looks_like_object(base) ? -EINVAL : -ENOTDIR;
  if (object->type != ObjectType::Directory) return -ENOTDIR;
  start = object->directory;
  return 0;
}

int find_target(Context &context, int base, const Bytes &path, std::uint64_t flags, Target &target,
                unsigned mask) {
  if (path.size == 0 && (flags & AT_EMPTY_PATH) != 0) {
    if (base < 0) return -ENOENT;
    const auto object = context.services.find_by_client(socket_cookie(base));
    if (object == nullptr) {
      target.file_descriptor = true;
      target.fd.reset(::fcntl(base, F_DUPFD_CLOEXEC, 0));
      if (!target.fd) return errno == EMFILE ? -ENFILE : -errno;
      return ::statx(base, "", AT_EMPTY_PATH, mask | STATX_TYPE, &target.status) == 0 ? 0 : -errno;
    }
    if (object->type != ObjectType::Directory) return -EBADF;
    target.directory = object->directory;
    target.node = object->directory.node;
    target.is_directory = true;
    target.rights = object->directory.granted != nullptr ? &object->directory.rights() : nullptr;
    if (!target.directory.fd) return 0;
    return ::statx(target.directory.real(), "", AT_EMPTY_PATH, mask | STATX_TYPE, &target.status) ==
                   0
               ? 0
               : -errno;
  }
  Directory start;
  const int error = find_start(context, base, path, start);
  if (error != 0) return error;
  Walk walk(std::move(start), view(path));
  return find(walk, (flags & AT_SYMLINK_NOFOLLOW) == 0, target, mask);
}

int find_changeable(Context &context, int base, const Bytes &path, std::uint64_t flags,
                    Target &target) {
  const int error = find_target(context, base, path, flags, target, STATX_BASIC_STATS);
  if (error != 0) return error;
  // A device that may be written to is the host's all the same; one of a devpts is the sandbox's.
  const bool own = target.granted != nullptr && target.granted->grant->kind == Grant::Kind::mount;
  if ((S_ISCHR(target.status.stx_mode) || S_ISBLK(target.status.stx_mode)) && !own) return -EPERM;
  if (target.file_descriptor) {
    if (S_ISSOCK(target.status.stx_mode)) return -EINVAL;
    return may_change_descriptor(*context.object.directory.name_space, target.fd.get()) ? 0
                                                                                        : -EROFS;
  }
  return target.rights != nullptr && target.rights->write ? 0 : -EROFS;
}

int find_named_slot(Context &context, int base, const Bytes &path, NamedSlot &named) {
  Directory start;
  const int error = find_start(context, base, path, start);
  if (error != 0) return error;
  named.walk.emplace(std::move(start), view(path));
  return find_slot(*named.walk, named.slot);
}

int check_creation(const NamedSlot &named) {
  const Slot &slot = named.slot;
  if (slot.name.empty()) return -EEXIST;
  if (slot.in_tree && slot.parent < 0) return -EEXIST;
  if (slot.may_change) return 0;
  struct stat status {};
  if (slot.parent >= 0 &&
      ::fstatat(slot.parent, slot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    return -EEXIST;
  return -EROFS;
}

int refuse_creation(const NamedSlot &named, int refusal) {
  const Slot &slot = named.slot;
  struct stat status {};
  if (::fstatat(slot.parent, slot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return -EEXIST;
  if (errno != ENOENT) return -errno;
  if (named.walk->must_be_directory()) return -ENOENT;
  // A directory that was removed.
  if (::fstat(slot.parent, &status) == 0 && status.st_nlink == 0) return -ENOENT;
  return ::faccessat(slot.parent, "", W_OK | X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0 ? refusal
                                                                                    : -errno;
}

int descriptor_of(const Found &found) {
  return found.is_directory ? found.directory.real() : found.fd.get();
}

std::string descriptor_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace plash::server
