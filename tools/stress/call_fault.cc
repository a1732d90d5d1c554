// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/call_fault.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include <vector>

namespace plash::stress {
namespace {

// A message that was received, in the caller's memory.
class Received {
 public:
  Received(const Subject &subject, long address) noexcept
      : subject_(subject), address_(reinterpret_cast<msghdr *>(address)) {
    subject_.load(&message_, address_, sizeof message_);
  }

  // Closes the descriptors that came and makes the message look as if none had.
  void drop_descriptors() noexcept {
    cmsghdr part{};
    if (message_.msg_controllen >= sizeof part) {
      subject_.load(&part, message_.msg_control, sizeof part);
      const std::size_t count =
          part.cmsg_type == SCM_RIGHTS ? (part.cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
      for (std::size_t i = 0; i < count; ++i) {
        int descriptor;
        const auto *const first = static_cast<const cmsghdr *>(message_.msg_control) + 1;
        subject_.load(&descriptor, reinterpret_cast<const int *>(first) + i, sizeof descriptor);
        subject_.call(SYS_close, descriptor, 0, 0);
      }
    }
    message_.msg_controllen = 0;
    write();
  }
  void add_flag(int flag) noexcept {
    message_.msg_flags |= flag;
    write();
  }
  void change_first_byte() noexcept {
    iovec part;
    subject_.load(&part, message_.msg_iov, sizeof part);
    char byte;
    subject_.load(&byte, part.iov_base, 1);
    ++byte;
    subject_.store(part.iov_base, &byte, 1);
  }

 private:
  void write() noexcept { subject_.store(address_, &message_, sizeof message_); }

  const Subject &subject_;
  msghdr *address_;
  msghdr message_;
};

Fault failing(const char *call, long number, int injected, int result) {
  return {Fault::error, std::string(call) + " fails with " + strerrorname_np(injected), number,
          injected, result};
}

std::vector<Fault> make_faults() {
  std::vector<Fault> list;
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS, EPERM})
    list.push_back(failing("socketpair", SYS_socketpair, error, error));
  // Tried again: nothing was sent.
  for (const int error : {EINTR, EAGAIN, ETOOMANYREFS})
    list.push_back(failing("sendmsg", SYS_sendmsg, error, 0));
  list.push_back(
      {Fault::always, "sendmsg always fails with ETOOMANYREFS", SYS_sendmsg, ETOOMANYREFS, EMFILE});
  for (const int error : {ENOMEM, ENOBUFS, EPERM})
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

std::vector<Fault> make_faults_of_kept_calls() {
  std::vector<Fault> list;
  for (const int error :
       {EINTR, EAGAIN, ENOMEM, ENOBUFS, ETOOMANYREFS, EPERM, EPIPE, ECONNRESET, ENOTCONN, EMSGSIZE})
    list.push_back(failing("sendmsg", SYS_sendmsg, error, 0));
  for (const int error : {EINTR, EAGAIN, ECONNRESET})
    list.push_back(failing("recvmsg", SYS_recvmsg, error, 0));
  for (const int error : {ENOMEM, ENOBUFS})
    list.push_back(failing("recvmsg", SYS_recvmsg, error, EIO));
  list.push_back({Fault::late, "a late reply", SYS_recvmsg, 0, 0});
  list.push_back({Fault::ended, "no reply", SYS_recvmsg, 0, EIO});
  list.push_back({Fault::truncated, "MSG_TRUNC", SYS_recvmsg, 0, EIO});
  list.push_back({Fault::no_control, "MSG_CTRUNC", SYS_recvmsg, 0, EMFILE});
  list.push_back({Fault::shortened, "a short reply", SYS_recvmsg, 0, EIO});
  list.push_back({Fault::garbled, "a garbled reply", SYS_recvmsg, 0, EIO});
  return list;
}

}  // namespace

// A close(2) that fails has closed. A reply that is lost was sent: without waiting for it, the next
// call would overtake what this one does.
bool Fault::is_made_nevertheless() const noexcept {
  return number == SYS_close || (number == SYS_recvmsg && result != 0);
}

void Fault::before(Step &step, const Subject &subject, bool again) const noexcept {
  const long *const a = step.arguments;
  switch (kind) {
    case error:
    case always:
      if (is_made_nevertheless()) break;
      step.skip = true;
      step.result = -long{injected};
      break;
    case late: {
      const timespec delay{0, 2'000'000};
      nanosleep(&delay, nullptr);
      break;
    }
    case ended:
      step.skip = again;
      break;
    case twice:
      subject.call(step.number, a[0], a[1], a[2]);
      break;
    default:
      break;
  }
}

void Fault::after(Step &step, const Subject &subject) const noexcept {
  const bool received = number == SYS_recvmsg && step.result >= 0;
  if (kind == error || kind == always) {
    if (received && is_made_nevertheless()) Received(subject, step.arguments[1]).drop_descriptors();
    step.result = -long{injected};
    return;
  }
  if (!received || step.skip) return;
  Received message(subject, step.arguments[1]);
  switch (kind) {
    case missing:
      // Whatever else comes, until the other side has closed.
      while (step.result > 0) {
        message.drop_descriptors();
        step.result = subject.call(step.number, step.arguments[0], step.arguments[1], 0);
      }
      break;
    case ended:
      message.drop_descriptors();
      step.result = 0;
      break;
    case truncated:
      message.add_flag(MSG_TRUNC);
      break;
    case no_control:
      message.drop_descriptors();
      message.add_flag(MSG_CTRUNC);
      break;
    case shortened:
      --step.result;
      break;
    case garbled:
      message.change_first_byte();
      break;
    default:
      break;
  }
}

std::span<const Fault> faults(Door door) {
  static const std::vector<Fault> list = make_faults();
  return {list.data(), door == Door::call ? list.size() : list.size() - 1};
}

std::span<const Fault> faults_of_kept_calls() {
  static const std::vector<Fault> list = make_faults_of_kept_calls();
  return list;
}

}  // namespace plash::stress
