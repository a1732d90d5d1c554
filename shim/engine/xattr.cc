// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Extended attributes, by path (following a final symlink or not) and by descriptor.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>

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

// One of the above on a descriptor: the kernel's own call unless it is a directory object, or the
// sandbox's filter refuses it.
long on_descriptor(const Arguments &arguments, long number,
                   long (*call)(const Location &, const Arguments &)) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  if (!is_directory_object(arguments[0])) {
    const long result = call_kernel(number, arguments);
    if (result != -EPERM) return result;
    if (!is_open_file(arguments[0])) return -EBADF;
  }
  return call({arguments.number(0), {"", 0}, AT_EMPTY_PATH}, arguments);
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

}  // namespace plash::engine
