// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Extended attributes, by path (following a final symlink or not) and by descriptor.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>

#include "protocol/memory.h"
#include "shim/engine/handlers.h"

namespace plash::engine {
namespace {

constexpr std::uint64_t max_name = 255;         // XATTR_NAME_MAX
constexpr std::uint64_t max_value = 64 * 1024;  // XATTR_SIZE_MAX and XATTR_LIST_MAX

long take_name(const char *pointer, Bytes &name) noexcept {
  const long error = take_string(pointer, name);
  if (error == -ENAMETOOLONG || (error == 0 && (name.size == 0 || name.size > max_name)))
    return -ERANGE;
  return error;
}

std::uint64_t limited(long size) noexcept {
  const auto wanted = static_cast<std::uint64_t>(size);
  return wanted < max_value ? wanted : max_value;
}

// A path's location with the flag for a call on the link itself.
long locate_path(const Arguments &arguments, Last last, Location &location) noexcept {
  const long error = locate(AT_FDCWD, arguments.pointer<const char>(0), 0, last, location);
  if (last == Last::keep) location.flags |= AT_SYMLINK_NOFOLLOW;
  return error;
}

long get(const Location &location, const Arguments &arguments) noexcept {
  methods::GetXattr::Request request;
  const long error = take_name(arguments.pointer<const char>(1), request.name);
  if (error != 0) return error;
  set_location(request, location);
  request.size = limited(arguments[3]);
  methods::GetXattr::Reply reply;
  const long result =
      ask<methods::GetXattr>(request, reply, {arguments.pointer<char>(2), request.size});
  return result != 0 ? result : static_cast<long>(reply.length);
}

long list(const Location &location, const Arguments &arguments) noexcept {
  methods::ListXattr::Request request;
  set_location(request, location);
  request.size = limited(arguments[2]);
  methods::ListXattr::Reply reply;
  const long result =
      ask<methods::ListXattr>(request, reply, {arguments.pointer<char>(1), request.size});
  return result != 0 ? result : static_cast<long>(reply.length);
}

long set(const Location &location, const Arguments &arguments) noexcept {
  methods::SetXattr::Request request;
  const auto size = static_cast<std::uint64_t>(arguments[3]);
  request.create_flags = arguments.bits(4);
  if ((request.create_flags & ~std::uint64_t{3} /* XATTR_CREATE, XATTR_REPLACE */) != 0)
    return -EINVAL;
  const long error = take_name(arguments.pointer<const char>(1), request.name);
  if (error != 0) return error;
  if (size > max_value) return -E2BIG;
  if (size != 0 && !may_read(arguments.pointer<char>(2), size)) return -EFAULT;
  request.value = {arguments.pointer<const char>(2), size};
  set_location(request, location);
  methods::SetXattr::Reply reply;
  return ask<methods::SetXattr>(request, reply);
}

long remove(const Location &location, const Arguments &arguments) noexcept {
  methods::RemoveXattr::Request request;
  const long error = take_name(arguments.pointer<const char>(1), request.name);
  if (error != 0) return error;
  set_location(request, location);
  methods::RemoveXattr::Reply reply;
  return ask<methods::RemoveXattr>(request, reply);
}

// One of the above on a path.
long on_path(const Arguments &arguments, Last last,
             long (*call)(const Location &, const Arguments &)) noexcept {
  Location location;
  const long error = locate_path(arguments, last, location);
  return error != 0 ? error : call(location, arguments);
}

// Whether a value has user and group IDs in it, which the kernel tells as the sandbox's user
// namespace has them: those of others, all alike, as none.
bool has_ids(long number, const Arguments &arguments) noexcept {
  constexpr char start[] = "system.posix_acl_";
  const auto *const name = arguments.pointer<const char>(1);
  return number == __NR_fgetxattr && may_read(name, sizeof start - 1) &&
         memcmp(name, start, sizeof start - 1) == 0;
}

// One of the above on a descriptor: the kernel's own call unless it is a directory object, the
// sandbox's filter refuses it, or the server knows better.
long on_descriptor(const Arguments &arguments, long number,
                   long (*call)(const Location &, const Arguments &)) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  const int directory = open_directory(arguments[0]);
  if (directory < 0) return directory;
  if (directory == 0) {
    const long result = has_ids(number, arguments) ? -EPERM : call_kernel(number, arguments);
    if (result != -EPERM) return result;
    if (!is_open_file(arguments[0])) return -EBADF;
  }
  return call({arguments.number(0), {"", 0}, AT_EMPTY_PATH}, arguments);
}

// struct xattr_args (include/uapi/linux/xattr.h, Linux 6.13).
struct Value {
  std::uint64_t pointer;
  std::uint32_t size;
  std::uint32_t flags;
};

// The structure of setxattrat(2) and getxattrat(2), as copy_struct_from_user() of the kernel.
long take_value(const Arguments &arguments, Value &value) noexcept {
  const auto *given = arguments.pointer<const unsigned char>(4);
  const auto size = static_cast<std::uint64_t>(arguments[5]);
  if (size < sizeof value) return -EINVAL;
  if (size > 4096) return -E2BIG;
  if (!may_read(given, size)) return -EFAULT;
  for (std::uint64_t i = sizeof value; i < size; ++i) {
    if (given[i] != 0) return -E2BIG;
  }
  memcpy(&value, given, sizeof value);
  return 0;
}

// One of the above by directory, path and flags. rest: the arguments as the call on a descriptor,
// number, has them; the first is left to this function.
long on_path_at(const Arguments &arguments, long number, Arguments rest,
                long (*call)(const Location &, const Arguments &)) noexcept {
  const std::uint64_t flags = arguments.bits(2);
  if ((flags & ~std::uint64_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) return -EINVAL;
  long error = 0;
  // The kernels that have these calls look at the name first.
  if (Bytes name; number != __NR_flistxattr) error = take_name(rest.pointer<const char>(1), name);
  if (error != 0) return error;
  const Last last = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Last::keep : Last::follow;
  Location location;
  error = locate(arguments[0], arguments.pointer<const char>(1), flags, last, location);
  if (error != 0) return error;
  if (location.flags != 0 && location.base != state.cwd) {
    rest.value[0] = location.base;
    return on_descriptor(rest, number, call);
  }
  location.flags |= flags & AT_SYMLINK_NOFOLLOW;
  return call(location, rest);
}

}  // namespace

long emulate_getxattr(const Arguments &arguments) noexcept {
  return on_path(arguments, Last::follow, get);
}
long emulate_lgetxattr(const Arguments &arguments) noexcept {
  return on_path(arguments, Last::keep, get);
}
long emulate_fgetxattr(const Arguments &arguments) noexcept {
  return on_descriptor(arguments, __NR_fgetxattr, get);
}
long emulate_listxattr(const Arguments &arguments) noexcept {
  return on_path(arguments, Last::follow, list);
}
long emulate_llistxattr(const Arguments &arguments) noexcept {
  return on_path(arguments, Last::keep, list);
}
long emulate_flistxattr(const Arguments &arguments) noexcept {
  return on_descriptor(arguments, __NR_flistxattr, list);
}
long emulate_setxattr(const Arguments &arguments) noexcept {
  return on_path(arguments, Last::follow, set);
}
long emulate_lsetxattr(const Arguments &arguments) noexcept {
  return on_path(arguments, Last::keep, set);
}
long emulate_fsetxattr(const Arguments &arguments) noexcept {
  return on_descriptor(arguments, __NR_fsetxattr, set);
}
long emulate_removexattr(const Arguments &arguments) noexcept {
  return on_path(arguments, Last::follow, remove);
}
long emulate_lremovexattr(const Arguments &arguments) noexcept {
  return on_path(arguments, Last::keep, remove);
}
long emulate_fremovexattr(const Arguments &arguments) noexcept {
  return on_descriptor(arguments, __NR_fremovexattr, remove);
}

long emulate_setxattrat(const Arguments &arguments) noexcept {
  Value value;
  const long error = take_value(arguments, value);
  if (error != 0) return error;
  return on_path_at(
      arguments, __NR_fsetxattr,
      {{0, arguments[3], static_cast<long>(value.pointer), value.size, value.flags, 0}}, set);
}
long emulate_getxattrat(const Arguments &arguments) noexcept {
  Value value;
  const long error = take_value(arguments, value);
  if (error != 0) return error;
  if (value.flags != 0) return -EINVAL;
  return on_path_at(arguments, __NR_fgetxattr,
                    {{0, arguments[3], static_cast<long>(value.pointer), value.size, 0, 0}}, get);
}
long emulate_listxattrat(const Arguments &arguments) noexcept {
  return on_path_at(arguments, __NR_flistxattr, {{0, arguments[3], arguments[4], 0, 0, 0}}, list);
}
long emulate_removexattrat(const Arguments &arguments) noexcept {
  return on_path_at(arguments, __NR_fremovexattr, {{0, arguments[3], 0, 0, 0, 0}}, remove);
}

}  // namespace plash::engine
