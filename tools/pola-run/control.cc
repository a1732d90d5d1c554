// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/control.h"

#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace plash::pola_run {

void ControlMessage::set_text(const std::string &message) {
  const std::size_t length = std::min(message.size(), sizeof text - 1);
  text[message.copy(text, length)] = '\0';
}

bool send_control(int socket, const ControlMessage &message,
                  const ControlDescriptors *descriptors) noexcept {
  ControlMessage sent_message = message;
  alignas(cmsghdr) char control[CMSG_SPACE(control_descriptors * sizeof(int))] = {};
  iovec vector{&sent_message, sizeof sent_message};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  std::size_t count = 0;
  if (descriptors != nullptr) {
    auto *rights = reinterpret_cast<cmsghdr *>(control);
    for (std::size_t i = 0; i < descriptors->size(); ++i) {
      const int descriptor = (*descriptors)[i].get();
      sent_message.has_descriptor[i] = descriptor >= 0;
      if (descriptor < 0) continue;
      std::memcpy(CMSG_DATA(rights) + count++ * sizeof(int), &descriptor, sizeof descriptor);
    }
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
  }
  if (count != 0) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(count * sizeof(int));
  }
  // Descriptors in flight are counted by user: others may have too many of them for a while. Then
  // the message has to do without.
  constexpr timespec pause{0, 1'000'000};
  ssize_t sent;
  for (int attempt = 0;; ++attempt) {
    sent = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    if (sent >= 0 || (errno != EINTR && errno != ETOOMANYREFS)) break;
    if (errno == EINTR) continue;
    ::nanosleep(&pause, nullptr);
    if (attempt < 500) continue;
    header.msg_control = nullptr;
    header.msg_controllen = 0;
    sent_message.has_descriptor = {};
  }
  return sent == sizeof message;
}

bool receive_control(int socket, ControlMessage &message,
                     ControlDescriptors *descriptors) noexcept {
  alignas(cmsghdr) char control[CMSG_SPACE(control_descriptors * sizeof(int))] = {};
  iovec vector{&message, sizeof message};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (descriptors != nullptr) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
  ssize_t received;
  do {
    received = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received != sizeof message) return false;
  const cmsghdr *rights = CMSG_FIRSTHDR(&header);
  if (descriptors == nullptr || rights == nullptr || rights->cmsg_type != SCM_RIGHTS) return true;
  const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  std::size_t taken = 0;
  for (std::size_t i = 0; i < descriptors->size() && taken < count; ++i) {
    if (!message.has_descriptor[i]) continue;
    int descriptor;
    std::memcpy(&descriptor, CMSG_DATA(rights) + taken++ * sizeof(int), sizeof descriptor);
    (*descriptors)[i].reset(descriptor);
  }
  return true;
}

}  // namespace plash::pola_run
