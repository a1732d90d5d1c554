// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Unix-domain sockets with names in the file system. Every other address, and every call without
// one, is the kernel's, and cancelled as libc does.
#include <sys/socket.h>
#include <sys/un.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

// Whether the address is a path: neither abstract nor unnamed.
bool is_path(const void *address, socklen_t size) noexcept {
  const auto *name = static_cast<const sockaddr_un *>(address);
  return name != nullptr && size > sizeof(sa_family_t) && name->sun_family == AF_UNIX &&
         name->sun_path[0] != '\0';
}

bool is_unix_socket(int fd) noexcept {
  int domain = 0;
  socklen_t size = sizeof domain;
  return system_call(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, as_argument(&domain),
                     as_argument(&size)) == 0 &&
         domain == AF_UNIX;
}

}  // namespace

PLASH_EXPORT(int, bind, int fd, const struct sockaddr *address, socklen_t size) {
  return to_result(call(SYS_bind, fd, address, size));
}

PLASH_EXPORT(int, connect, int fd, const struct sockaddr *address, socklen_t size) {
  return to_result(is_path(address, size)
                       ? cancellable_call(SYS_connect, fd, address, size)
                       : cancellable_kernel_call(SYS_connect, fd, address, size));
}
PLASH_ALIAS(__connect, connect);

PLASH_EXPORT(int, getsockname, int fd, struct sockaddr *address, socklen_t *size) {
  return to_result(call(SYS_getsockname, fd, address, size));
}

PLASH_EXPORT(int, getpeername, int fd, struct sockaddr *address, socklen_t *size) {
  return to_result(call(SYS_getpeername, fd, address, size));
}

PLASH_EXPORT(int, accept4, int fd, struct sockaddr *address, socklen_t *size, int flags) {
  return to_result(address != nullptr && is_unix_socket(fd)
                       ? cancellable_call(SYS_accept4, fd, address, size, flags)
                       : cancellable_kernel_call(SYS_accept4, fd, address, size, flags));
}

PLASH_EXPORT(int, accept, int fd, struct sockaddr *address, socklen_t *size) {
  return wrapped_accept4(fd, address, size, 0);
}

PLASH_EXPORT(ssize_t, recvfrom, int fd, void *buffer, size_t buffer_size, int flags,
             struct sockaddr *address, socklen_t *size) {
  return to_result<ssize_t>(
      address != nullptr && is_unix_socket(fd)
          ? cancellable_call(SYS_recvfrom, fd, buffer, buffer_size, flags, address, size)
          : cancellable_kernel_call(SYS_recvfrom, fd, buffer, buffer_size, flags, address, size));
}

PLASH_EXPORT(ssize_t, __recvfrom_chk, int fd, void *buffer, size_t buffer_size, size_t known_size,
             int flags, struct sockaddr *address, socklen_t *size) {
  if (buffer_size > known_size) __chk_fail();
  return wrapped_recvfrom(fd, buffer, buffer_size, flags, address, size);
}

PLASH_EXPORT(ssize_t, recvmsg, int fd, struct msghdr *message, int flags) {
  return to_result<ssize_t>(message != nullptr && message->msg_name != nullptr && is_unix_socket(fd)
                                ? cancellable_call(SYS_recvmsg, fd, message, flags)
                                : cancellable_kernel_call(SYS_recvmsg, fd, message, flags));
}

PLASH_EXPORT(ssize_t, sendto, int fd, const void *data, size_t data_size, int flags,
             const struct sockaddr *address, socklen_t size) {
  return to_result<ssize_t>(
      is_path(address, size)
          ? cancellable_call(SYS_sendto, fd, data, data_size, flags, address, size)
          : cancellable_kernel_call(SYS_sendto, fd, data, data_size, flags, address, size));
}

PLASH_EXPORT(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags) {
  return to_result<ssize_t>(message != nullptr && is_path(message->msg_name, message->msg_namelen)
                                ? cancellable_call(SYS_sendmsg, fd, message, flags)
                                : cancellable_kernel_call(SYS_sendmsg, fd, message, flags));
}

// One message after another where one is for a path; the count of those sent, as the kernel has it.
PLASH_EXPORT(int, sendmmsg, int fd, struct mmsghdr *messages, unsigned count, int flags) {
  bool paths = false;
  for (unsigned i = 0; i < count && !paths; ++i) {
    paths = is_path(messages[i].msg_hdr.msg_name, messages[i].msg_hdr.msg_namelen);
  }
  if (!paths) return to_result(cancellable_kernel_call(SYS_sendmmsg, fd, messages, count, flags));
  for (unsigned i = 0; i < count; ++i) {
    const long sent = cancellable_call(SYS_sendmsg, fd, &messages[i].msg_hdr, flags);
    if (sent < 0) return i == 0 ? to_result(sent) : static_cast<int>(i);
    messages[i].msg_len = static_cast<unsigned>(sent);
  }
  return static_cast<int>(count);
}

}  // namespace plash::preload
