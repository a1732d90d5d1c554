// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/socket_calls.h"

#include <asm/unistd_64.h>
#include <poll.h>
#include <sys/socket.h>

#include "ldso-hooks/loader/user_memory.h"
#include "protocol/system_call.h"
#include "shim/engine/socket_names.h"

namespace plash::loader {
namespace {

constexpr unsigned long max_messages = 1024;  // UIO_MAXIOV: sendmmsg(2) sends no more

// An address that the server serves: family and first byte of the path, and what socket it is for.
bool is_path_for(long socket, const void *address, unsigned long size) noexcept {
  struct {
    sa_family_t family;
    char first;
  } start;
  if (address == nullptr || size <= sizeof start.family ||
      !readable(address, sizeof start.family + 1))
    return false;
  __builtin_memcpy(&start, address, sizeof start.family + 1);
  return start.family == AF_UNIX && start.first != '\0' && engine::is_unix_socket(socket);
}

bool can_give_path(int descriptor) noexcept {
  pollfd ready{descriptor, POLLIN, 0};
  const timespec now{};
  return engine::is_unix_socket(descriptor) &&
         system_call(__NR_ppoll, as_argument(&ready), 1, as_argument(&now), 0, 0) == 1;
}

}  // namespace

bool kernel_serves_socket_call(const Trap &trap) noexcept {
  const long socket = trap.argument(0);
  switch (trap.number()) {
    case __NR_connect:
    case __NR_bind:
      return !is_path_for(socket, trap.pointer<void>(1), static_cast<unsigned>(trap.argument(2)));
    case __NR_sendto:
      return !is_path_for(socket, trap.pointer<void>(4), static_cast<unsigned>(trap.argument(5)));
    case __NR_sendmsg: {
      msghdr message;
      return !copy_in(message, trap.pointer<msghdr>(1)) ||
             !is_path_for(socket, message.msg_name, message.msg_namelen);
    }
    case __NR_sendmmsg: {
      const unsigned long count = static_cast<unsigned>(trap.argument(2));
      for (unsigned long i = 0; i < count && i < max_messages; ++i) {
        mmsghdr message;
        if (!copy_in(message, trap.pointer<mmsghdr>(1) + i)) return true;
        if (is_path_for(socket, message.msg_hdr.msg_name, message.msg_hdr.msg_namelen))
          return false;
      }
      return true;
    }
    case __NR_recvmsg: {
      msghdr message;
      if (!copy_in(message, trap.pointer<msghdr>(1)) || message.msg_name == nullptr) return true;
      return !can_give_path(static_cast<int>(trap.argument(0)));
    }
    default:  // accept, accept4, recvfrom with room for an address
      return !can_give_path(static_cast<int>(trap.argument(0)));
  }
}

}  // namespace plash::loader
