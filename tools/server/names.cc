// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Methods that create, remove and rename names.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>

#include "tools/server/target.h"
#include "tools/server/umask.h"

namespace plash::server {
namespace {

unsigned created_mode(std::uint64_t mode, std::uint64_t umask) {
  return mode_under_umask(static_cast<unsigned>(mode & (0777 | S_ISVTX)), umask);
}

// The path's last component as written: ".", "..", "/" for nothing but slashes, or a name.
std::string_view last_component(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const auto slash = path.find_last_of('/');
  return slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1);
}

// An error for a name that cannot be removed or renamed because it is none, or is in the tree.
int check_removal(const NamedSlot &named) {
  const Slot &slot = named.slot;
  if (slot.in_tree && slot.parent < 0) return -EBUSY;
  if (slot.parent < 0) return -ENOENT;
  return slot.may_change ? 0 : -EROFS;
}

bool is_missing(const Slot &slot) {
  struct stat status {};
  return slot.parent >= 0 && !slot.name.empty() &&
         ::fstatat(slot.parent, slot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 &&
         errno == ENOENT;
}

}  // namespace

int handle(Context &context, const methods::Mkdir::Request &request, methods::Mkdir::Reply &) {
  NamedSlot named;
  int error = find_named_slot(context, request.base, request.path, named);
  if (error == 0) error = check_creation(named);
  if (error != 0) return error;
  const unsigned mode = created_mode(request.mode, request.umask);
  return ::mkdirat(named.slot.parent, named.name().c_str(), mode) == 0 ? 0 : -errno;
}

int handle(Context &context, const methods::Mknod::Request &request, methods::Mknod::Reply &) {
  const auto type = static_cast<unsigned>(request.mode & S_IFMT);
  if (S_ISDIR(type)) return -EPERM;
  if (type != 0 && !S_ISREG(type) && !S_ISFIFO(type) && !S_ISSOCK(type) && !S_ISCHR(type) &&
      !S_ISBLK(type))
    return -EINVAL;
  NamedSlot named;
  int error = find_named_slot(context, request.base, request.path, named);
  if (error == 0) error = check_creation(named);
  if (error != 0) return error;
  if (S_ISCHR(type) || S_ISBLK(type)) return refuse_creation(named, -EPERM);
  const unsigned mode = type | created_mode(request.mode, request.umask);
  return ::mknodat(named.slot.parent, named.name().c_str(), mode, 0) == 0 ? 0 : -errno;
}

int handle(Context &context, const methods::Symlink::Request &request, methods::Symlink::Reply &) {
  if (request.target.size == 0) return -ENOENT;
  NamedSlot named;
  int error = find_named_slot(context, request.base, request.path, named);
  if (error == 0) error = check_creation(named);
  if (error != 0) return error;
  if (!named.slot.rights->symlink) return refuse_creation(named, -EPERM);
  const std::string target(view(request.target));
  return ::symlinkat(target.c_str(), named.slot.parent, named.name().c_str()) == 0 ? 0 : -errno;
}

int handle(Context &context, const methods::Unlink::Request &request, methods::Unlink::Reply &) {
  if ((request.flags & ~std::uint64_t{AT_REMOVEDIR}) != 0) return -EINVAL;
  const bool directory = (request.flags & AT_REMOVEDIR) != 0;
  NamedSlot named;
  int error = find_named_slot(context, request.base, request.path, named);
  if (error != 0) return error;
  const std::string_view last = last_component(view(request.path));
  if (last == "." || last == ".." || last == "/" || named.slot.name.empty()) {
    if (!directory) return -EISDIR;
    return last == "." ? -EINVAL : last == ".." ? -ENOTEMPTY : -EBUSY;
  }
  error = check_removal(named);
  if (error != 0)
    return error == -EBUSY && !directory && !named.walk->node()->link ? -EISDIR : error;
  return ::unlinkat(named.slot.parent, named.name().c_str(), static_cast<int>(request.flags)) == 0
             ? 0
             : -errno;
}

int handle(Context &context, const methods::Rename::Request &request, methods::Rename::Reply &) {
  const std::uint64_t flags = request.flags;
  if ((flags & ~std::uint64_t{RENAME_NOREPLACE | RENAME_EXCHANGE}) != 0) return -EINVAL;
  if (flags == (RENAME_NOREPLACE | RENAME_EXCHANGE)) return -EINVAL;
  NamedSlot from;
  NamedSlot to;
  int error = find_named_slot(context, request.base, request.path, from);
  if (error != 0) return error;
  error = find_named_slot(context, request.new_base, request.new_path, to);
  // The kernel looks at the names themselves in this order.
  if (error == -ENAMETOOLONG && last_component(view(request.new_path)).size() > NAME_MAX &&
      is_missing(from.slot))
    return -ENOENT;
  if (error != 0) return error;
  if (from.slot.name.empty()) return -EBUSY;
  if (to.slot.name.empty()) return (flags & RENAME_NOREPLACE) != 0 ? -EEXIST : -EBUSY;
  error = check_removal(from);
  if (error != 0) return error;
  if (to.slot.in_tree && to.slot.parent < 0) return -EBUSY;
  if (!to.slot.may_change) return -EROFS;
  return ::renameat2(from.slot.parent, from.name().c_str(), to.slot.parent, to.name().c_str(),
                     static_cast<unsigned>(flags)) == 0
             ? 0
             : -errno;
}

int handle(Context &context, const methods::Link::Request &request, methods::Link::Reply &) {
  if ((request.flags & ~std::uint64_t{AT_SYMLINK_FOLLOW | AT_EMPTY_PATH}) != 0) return -EINVAL;
  Target source;
  const std::uint64_t nofollow = (request.flags & AT_SYMLINK_FOLLOW) != 0 ? 0 : AT_SYMLINK_NOFOLLOW;
  const int may_change = find_changeable(context, request.base, request.path,
                                         (request.flags & AT_EMPTY_PATH) | nofollow, source);
  if (may_change != 0 && may_change != -EROFS) return may_change;
  NamedSlot named;
  int error = find_named_slot(context, request.new_base, request.new_path, named);
  if (error == 0) error = check_creation(named);
  if (error != 0) return error;
  if (source.is_directory) return refuse_creation(named, -EPERM);
  // A second name in a writable directory would make a read-only file writable.
  if (may_change != 0) return -EXDEV;
  return ::linkat(AT_FDCWD, descriptor_path(source.fd.get()).c_str(), named.slot.parent,
                  named.name().c_str(), AT_SYMLINK_FOLLOW) == 0
             ? 0
             : -errno;
}

}  // namespace plash::server
