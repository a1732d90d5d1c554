// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cancellation: a thread that waits in the kernel can be cancelled there, one that waits for the
// server cannot, since the answer may bring descriptors.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ldso-hooks/glibc/door.h"
#include "shim/engine/location.h"
#include "shim/engine/socket_names.h"

namespace plash::engine {
namespace {

Arguments arguments_of(const plash_wait &wait) noexcept {
  Arguments arguments;
  for (int i = 0; i < 6; ++i) arguments.value[i] = wait.arguments[i];
  return arguments;
}

bool is_for_path(const void *address, std::uint64_t size) noexcept {
  Bytes path;
  return find_path(static_cast<const sockaddr *>(address), size, path);
}

// Whether the name that the kernel gives, or none, can be made good afterwards; room: in it, for
// the name. In less room it would come cut off.
bool has_room_for_name(const void *address, const unsigned *size, unsigned &room) noexcept {
  room = address != nullptr && size != nullptr ? *size : 0;
  return room == 0 || room >= sizeof(sockaddr_un);
}

bool kernel_waits(plash_wait &wait) noexcept {
  const Arguments arguments = arguments_of(wait);
  switch (wait.number) {
    case __NR_read:
    case __NR_readv:
    case __NR_pread64:
    case __NR_preadv:
    case __NR_preadv2:
    case __NR_fcntl:
      return true;
    case __NR_accept:
    case __NR_accept4:
      return has_room_for_name(arguments.pointer<void>(1), arguments.pointer<unsigned>(2),
                               wait.room);
    case __NR_recvfrom:
      return has_room_for_name(arguments.pointer<void>(4), arguments.pointer<unsigned>(5),
                               wait.room);
    case __NR_recvmsg: {
      const auto *message = arguments.pointer<msghdr>(1);
      return has_room_for_name(message->msg_name, &message->msg_namelen, wait.room);
    }
    case __NR_connect:
      return !is_for_path(arguments.pointer<void>(1), arguments.bits(2));
    case __NR_sendto:
      return !is_for_path(arguments.pointer<void>(4), arguments.bits(5));
    case __NR_sendmsg: {
      const auto *message = arguments.pointer<msghdr>(1);
      return !is_for_path(message->msg_name, message->msg_namelen);
    }
    default:
      return false;
  }
}

void give_name(const plash_wait &wait, void *address, unsigned *size) noexcept {
  // What the call has taken would be lost with an error.
  if (wait.room != 0) restore_name(static_cast<sockaddr *>(address), wait.room, size);
}

}  // namespace
}  // namespace plash::engine

using namespace plash;

extern "C" bool plash_begin_wait(plash_wait *wait) noexcept {
  if (!engine::state.serving) return true;
  if (engine::state.broken || engine::is_service(wait->arguments[0])) return false;
  return engine::kernel_waits(*wait);
}

extern "C" long plash_end_wait(const plash_wait *wait, long result) noexcept {
  if (!engine::state.serving) return result;
  const engine::Arguments arguments = engine::arguments_of(*wait);
  switch (wait->number) {
    case __NR_read:
    case __NR_readv:
    case __NR_pread64:
    case __NR_preadv:
    case __NR_preadv2:
      return engine::explain_read(result, arguments[0]);
    case __NR_accept:
    case __NR_accept4:
    case __NR_recvfrom: {
      if (result <= 0 && engine::is_directory_object(arguments[0])) return -ENOTSOCK;
      const int index = wait->number == __NR_recvfrom ? 4 : 1;
      if (result >= 0) {
        engine::give_name(*wait, arguments.pointer<void>(index),
                          arguments.pointer<unsigned>(index + 1));
      }
      return result;
    }
    case __NR_recvmsg: {
      auto *message = arguments.pointer<msghdr>(1);
      if (result >= 0) engine::give_name(*wait, message->msg_name, &message->msg_namelen);
      return result;
    }
    default:
      return result;
  }
}
