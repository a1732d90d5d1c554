// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The working directory is a directory object at a fixed descriptor: changing it is a lookup and
// one dup3(2), and fork and exec hand it on.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>

#include "protocol/system_call.h"
#include "shim/engine/handlers.h"

namespace plash::engine {
namespace {

long change_to(const Location &location) noexcept {
  methods::Chdir::Request request;
  set_location(request, location);
  methods::Chdir::Reply reply;
  const long error = ask<methods::Chdir>(request, reply);
  if (error != 0) return error;
  const long result = system_call(__NR_dup3, reply.directory, state.cwd, 0);
  system_call(__NR_close, reply.directory);
  return result < 0 ? result : 0;
}

}  // namespace

long emulate_chdir(const Arguments &arguments) noexcept {
  Location location;
  const long error = locate(AT_FDCWD, arguments.pointer<const char>(0), 0, Last::follow, location);
  if (error != 0) return error;
  if (state.cwd < 0) return -ENOENT;
  return change_to(location);
}

long emulate_fchdir(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  if (!is_directory_object(arguments[0])) {
    const long flags = system_call(__NR_fcntl, arguments.number(0), F_GETFD);
    return flags < 0 ? flags : -ENOTDIR;
  }
  if (state.cwd < 0) return -ENOENT;
  return change_to({arguments.number(0), {"", 0}, 0});
}

long emulate_getcwd(const Arguments &arguments) noexcept {
  if (state.cwd < 0) return -ENOENT;
  auto *buffer = arguments.pointer<char>(0);
  const auto size = static_cast<std::uint64_t>(arguments[1]);
  methods::DirectoryPath::Request request;
  request.size = size < max_path_size + 1 ? size : max_path_size + 1;
  methods::DirectoryPath::Reply reply;
  const long error =
      invoke<methods::DirectoryPath>(state.cwd, request, reply, {buffer, request.size});
  if (error != 0) return error;
  buffer[reply.path.size] = '\0';
  return static_cast<long>(reply.path.size + 1);
}

long emulate_umask(const Arguments &arguments) noexcept {
  const long before = call_kernel(__NR_umask, arguments);
  follow_umask(arguments.bits(0));
  return before;
}

}  // namespace plash::engine
