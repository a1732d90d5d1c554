// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls that create, remove and rename names.
#include <errno.h>
#include <fcntl.h>

#include "shim/engine/handlers.h"

namespace plash::engine {
namespace {

// Fills a request's location, lets set do the rest, and makes the call.
template <class M, class Set>
long change_name(long directory, const char *path, const Set &set) noexcept {
  Location location;
  const long error = locate(directory, path, 0, Last::keep, location);
  if (error != 0) return error;
  typename M::Request request;
  set_location(request, location);
  set(request);
  typename M::Reply reply;
  return ask<M>(request, reply);
}

long mkdir_at(long directory, const char *path, unsigned mode) noexcept {
  return change_name<methods::Mkdir>(directory, path, [&](methods::Mkdir::Request &request) {
    request.mode = mode;
    request.umask = umask_of_process();
  });
}

long mknod_at(long directory, const char *path, unsigned mode, unsigned long device) noexcept {
  return change_name<methods::Mknod>(directory, path, [&](methods::Mknod::Request &request) {
    request.mode = mode;
    request.umask = umask_of_process();
    request.device = device;
  });
}

long unlink_at(long directory, const char *path, unsigned flags) noexcept {
  if ((flags & ~unsigned{AT_REMOVEDIR}) != 0) return -EINVAL;
  return change_name<methods::Unlink>(
      directory, path, [&](methods::Unlink::Request &request) { request.flags = flags; });
}

long symlink_at(const char *target, long directory, const char *path) noexcept {
  Bytes text;
  const long error = take_string(target, text);
  if (error != 0) return error;
  if (text.size == 0) return -ENOENT;
  return change_name<methods::Symlink>(
      directory, path, [&](methods::Symlink::Request &request) { request.target = text; });
}

// rename(2) and link(2): two names and flags.
template <class M>
long change_two_names(const Location &from, long new_directory, const char *new_path,
                      unsigned flags) noexcept {
  Location to;
  const long error = locate(new_directory, new_path, 0, Last::keep, to);
  if (error != 0) return error;
  typename M::Request request;
  request.flags = flags;
  set_location(request, from);
  request.new_base = to.base;
  request.new_path = to.path;
  typename M::Reply reply;
  return ask<M>(request, reply);
}

long rename_at(long directory, const char *path, long new_directory, const char *new_path,
               unsigned flags) noexcept {
  constexpr unsigned no_replace = 1;
  constexpr unsigned exchange = 2;
  constexpr unsigned whiteout = 4;
  if ((flags & ~(no_replace | exchange | whiteout)) != 0) return -EINVAL;
  if ((flags & exchange) != 0 && (flags & (no_replace | whiteout)) != 0) return -EINVAL;
  Location from;
  const long error = locate(directory, path, 0, Last::keep, from);
  return error != 0 ? error
                    : change_two_names<methods::Rename>(from, new_directory, new_path, flags);
}

long link_at(long directory, const char *path, long new_directory, const char *new_path,
             unsigned flags) noexcept {
  if ((flags & ~unsigned{AT_SYMLINK_FOLLOW | AT_EMPTY_PATH}) != 0) return -EINVAL;
  Location from;
  const Last last = (flags & AT_SYMLINK_FOLLOW) != 0 ? Last::follow : Last::keep;
  const long error = locate(directory, path, flags, last, from);
  if (error != 0) return error;
  return change_two_names<methods::Link>(from, new_directory, new_path, flags & AT_SYMLINK_FOLLOW);
}

}  // namespace

long emulate_mkdir(const Arguments &arguments) noexcept {
  return mkdir_at(AT_FDCWD, arguments.pointer<const char>(0), arguments.bits(1));
}

long emulate_mkdirat(const Arguments &arguments) noexcept {
  return mkdir_at(arguments[0], arguments.pointer<const char>(1), arguments.bits(2));
}

long emulate_mknod(const Arguments &arguments) noexcept {
  return mknod_at(AT_FDCWD, arguments.pointer<const char>(0), arguments.bits(1), arguments.bits(2));
}

long emulate_mknodat(const Arguments &arguments) noexcept {
  return mknod_at(arguments[0], arguments.pointer<const char>(1), arguments.bits(2),
                  arguments.bits(3));
}

long emulate_unlink(const Arguments &arguments) noexcept {
  return unlink_at(AT_FDCWD, arguments.pointer<const char>(0), 0);
}

long emulate_rmdir(const Arguments &arguments) noexcept {
  return unlink_at(AT_FDCWD, arguments.pointer<const char>(0), AT_REMOVEDIR);
}

long emulate_unlinkat(const Arguments &arguments) noexcept {
  return unlink_at(arguments[0], arguments.pointer<const char>(1), arguments.bits(2));
}

long emulate_rename(const Arguments &arguments) noexcept {
  return rename_at(AT_FDCWD, arguments.pointer<const char>(0), AT_FDCWD,
                   arguments.pointer<const char>(1), 0);
}

long emulate_renameat(const Arguments &arguments) noexcept {
  return rename_at(arguments[0], arguments.pointer<const char>(1), arguments[2],
                   arguments.pointer<const char>(3), 0);
}

long emulate_renameat2(const Arguments &arguments) noexcept {
  return rename_at(arguments[0], arguments.pointer<const char>(1), arguments[2],
                   arguments.pointer<const char>(3), arguments.bits(4));
}

long emulate_link(const Arguments &arguments) noexcept {
  return link_at(AT_FDCWD, arguments.pointer<const char>(0), AT_FDCWD,
                 arguments.pointer<const char>(1), 0);
}

long emulate_linkat(const Arguments &arguments) noexcept {
  return link_at(arguments[0], arguments.pointer<const char>(1), arguments[2],
                 arguments.pointer<const char>(3), arguments.bits(4));
}

long emulate_symlink(const Arguments &arguments) noexcept {
  return symlink_at(arguments.pointer<const char>(0), AT_FDCWD, arguments.pointer<const char>(1));
}

long emulate_symlinkat(const Arguments &arguments) noexcept {
  return symlink_at(arguments.pointer<const char>(0), arguments[1],
                    arguments.pointer<const char>(2));
}

}  // namespace plash::engine
