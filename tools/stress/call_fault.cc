// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/call_fault.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include <vector>

#include "protocol/system_call.h"

namespace plash::stress {
namespace {

// Closes the descriptors that came and makes the message look as if none had.
void drop_descriptors(msghdr &message) noexcept {
  const auto *const part = static_cast<const cmsghdr *>(message.msg_control);
  if (message.msg_controllen >= sizeof(cmsghdr) && part->cmsg_type == SCM_RIGHTS) {
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i)
      system_call(SYS_close, reinterpret_cast<const int *>(part + 1)[i]);
  }
  message.msg_controllen = 0;
}

Fault failing(const char *call, long number, int injected, int result) {
  return {Fault::error, std::string(call) + " fails with " + strerrorname_np(injected), number,
          injected, result};
}

std::vector<Fault> make_faults() {
  std::vector<Fault> list;
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EPERM})
    list.push_back(failing("socketpair", SYS_socketpair, error, error));
  // Tried again: nothing was sent.
  for (const int error : {EINTR, EAGAIN}) list.push_back(failing("sendmsg", SYS_sendmsg, error, 0));
  for (const int error : {ENOMEM, ENOBUFS, ETOOMANYREFS, EPERM})
    list.push_back(failing("sendmsg", SYS_sendmsg, error, error));
  for (const int error : {EPIPE, ECONNRESET, ENOTCONN, EMSGSIZE})
    list.push_back(failing("sendmsg", SYS_sendmsg, error, EIO));
  // The descriptor is closed nevertheless (close(2), "Dealing with error returns").
  for (const int error : {EINTR, EIO}) list.push_back(failing("close", SYS_close, error, 0));
  list.push_back(failing("recvmsg", SYS_recvmsg, EINTR, 0));
  for (const int error : {ENOMEM, ENOBUFS})
    list.push_back(failing("recvmsg", SYS_recvmsg, error, error));
  // The other side has not read everything; its reply is there nevertheless.
  list.push_back(failing("recvmsg", SYS_recvmsg, ECONNRESET, 0));
  list.push_back({Fault::late, "a late reply", SYS_recvmsg, 0, 0});
  list.push_back({Fault::missing, "no reply", SYS_recvmsg, 0, EIO});
  list.push_back({Fault::truncated, "MSG_TRUNC", SYS_recvmsg, 0, EIO});
  list.push_back({Fault::no_control, "MSG_CTRUNC", SYS_recvmsg, 0, EMFILE});
  list.push_back({Fault::shortened, "a short reply", SYS_recvmsg, 0, EIO});
  list.push_back({Fault::garbled, "a garbled reply", SYS_recvmsg, 0, EIO});
  // A server with several threads may carry out the second request first: last in the list, for
  // those that have one.
  list.push_back({Fault::twice, "a second reply", SYS_sendmsg, 0, 0});
  return list;
}

}  // namespace

// A close(2) that fails has closed. A reply that is lost was sent: without waiting for it, the next
// call would overtake what this one does.
bool Fault::is_made_nevertheless() const noexcept {
  return number == SYS_close || (number == SYS_recvmsg && result != 0);
}

void Fault::before(Step &step) const noexcept {
  const long *const a = step.arguments;
  switch (kind) {
    case error:
      if (is_made_nevertheless()) break;
      step.skip = true;
      step.result = -long{injected};
      break;
    case late: {
      const timespec delay{0, 2'000'000};
      nanosleep(&delay, nullptr);
      break;
    }
    case twice:
      system_call(step.number, a[0], a[1], a[2]);
      break;
    default:
      break;
  }
}

void Fault::after(Step &step) const noexcept {
  if (kind == error) {
    if (number == SYS_recvmsg && is_made_nevertheless() && step.result >= 0)
      drop_descriptors(*reinterpret_cast<msghdr *>(step.arguments[1]));
    step.result = -long{injected};
    return;
  }
  if (number != SYS_recvmsg || step.result < 0) return;
  auto &message = *reinterpret_cast<msghdr *>(step.arguments[1]);
  switch (kind) {
    case missing:
      // Whatever else comes, until the other side has closed.
      while (step.result > 0) {
        drop_descriptors(message);
        step.result = system_call(step.number, step.arguments[0], step.arguments[1], 0);
      }
      break;
    case truncated:
      message.msg_flags |= MSG_TRUNC;
      break;
    case no_control:
      drop_descriptors(message);
      message.msg_flags |= MSG_CTRUNC;
      break;
    case shortened:
      --step.result;
      break;
    case garbled:
      ++*static_cast<char *>(message.msg_iov[0].iov_base);
      break;
    default:
      break;
  }
}

std::span<const Fault> faults(Door door) {
  static const std::vector<Fault> list = make_faults();
  return {list.data(), door == Door::call ? list.size() : list.size() - 1};
}

}  // namespace plash::stress
