// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Extended attributes.
#include <sys/xattr.h>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "tools/server/target.h"

namespace plash::server {
namespace {

constexpr std::size_t max_name = 255;         // XATTR_NAME_MAX
constexpr std::size_t max_value = 64 * 1024;  // XATTR_SIZE_MAX

// The name as a string, or an error as xattr(7) has it.
int check_name(const Bytes &name, std::string &text) {
  if (name.size == 0 || name.size > max_name) return -ERANGE;
  text.assign(name.data, name.size);
  return text.find('\0') == std::string::npos ? 0 : -EINVAL;
}

// 0 where name is of a namespace that there is (xattr(7)), or -EOPNOTSUPP.
int check_namespace(const std::string &name) {
  for (const char *start : {"user.", "trusted.", "security.", "system."}) {
    if (name.rfind(start, 0) == 0) return 0;
  }
  return -EOPNOTSUPP;
}

// Others carry privileges (security.capability) or belong to the host's administrator.
bool may_be_changed(const std::string &name) {
  return name.compare(0, 5, "user.") == 0 || name.compare(0, 17, "system.posix_acl_") == 0;
}

// Asks read(buffer, size) for a value of at most size bytes, or for its length where size is 0.
template <class Read>
int read_value(std::string &bytes, std::uint64_t size, std::uint64_t &length, const Read &read) {
  bytes.resize(std::min<std::uint64_t>(size, max_value));
  const ssize_t result = read(bytes.data(), bytes.size());
  if (result < 0) {
    bytes.clear();
    return -errno;
  }
  length = static_cast<std::uint64_t>(result);
  bytes.resize(size == 0 ? 0 : length);
  return 0;
}

}  // namespace

int handle(Context &context, const methods::GetXattr::Request &request,
           methods::GetXattr::Reply &reply) {
  std::string name;
  Target target;
  int error = check_name(request.name, name);
  if (error == 0) error = find_target(context, request.base, request.path, request.flags, target);
  if (error != 0) return error;
  const int fd = descriptor_of(target);
  if (fd < 0) return -ENODATA;
  error =
      read_value(context.bytes, request.size, reply.length, [&](char *buffer, std::size_t size) {
        return ::getxattr(descriptor_path(fd).c_str(), name.c_str(), buffer, size);
      });
  reply.value = {context.bytes.data(), context.bytes.size()};
  return error;
}

int handle(Context &context, const methods::ListXattr::Request &request,
           methods::ListXattr::Reply &reply) {
  Target target;
  int error = find_target(context, request.base, request.path, request.flags, target);
  if (error != 0) return error;
  const int fd = descriptor_of(target);
  if (fd < 0) return 0;
  error =
      read_value(context.bytes, request.size, reply.length, [&](char *buffer, std::size_t size) {
        return ::listxattr(descriptor_path(fd).c_str(), buffer, size);
      });
  reply.names = {context.bytes.data(), context.bytes.size()};
  return error;
}

int handle(Context &context, const methods::SetXattr::Request &request,
           methods::SetXattr::Reply &) {
  std::string name;
  Target target;
  int error = check_name(request.name, name);
  if (error == 0 && (request.create_flags & ~std::uint64_t{XATTR_CREATE | XATTR_REPLACE}) != 0)
    error = -EINVAL;
  if (error == 0 && request.value.size > max_value) error = -E2BIG;
  if (error == 0)
    error = find_changeable(context, request.base, request.path, request.flags, target);
  if (error != 0) return error;
  if (const int unknown = check_namespace(name); unknown != 0) return unknown;
  if (!may_be_changed(name)) return -EPERM;
  return ::setxattr(descriptor_path(descriptor_of(target)).c_str(), name.c_str(),
                    request.value.data, request.value.size,
                    static_cast<int>(request.create_flags)) == 0
             ? 0
             : -errno;
}

int handle(Context &context, const methods::RemoveXattr::Request &request,
           methods::RemoveXattr::Reply &) {
  std::string name;
  Target target;
  int error = check_name(request.name, name);
  if (error == 0)
    error = find_changeable(context, request.base, request.path, request.flags, target);
  if (error != 0) return error;
  if (const int unknown = check_namespace(name); unknown != 0) return unknown;
  if (!may_be_changed(name)) return -EPERM;
  return ::removexattr(descriptor_path(descriptor_of(target)).c_str(), name.c_str()) == 0 ? 0
                                                                                          : -errno;
}

}  // namespace plash::server
