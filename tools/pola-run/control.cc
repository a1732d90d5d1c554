// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/control.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace plash::pola_run {

void ControlMessage::set_text(const std::string &message) {
  const std::size_t length = std::min(message.size(), sizeof text - 1);
  text[message.copy(text, length)] = '\0';
}

bool send_control(int socket, const ControlMessage &message) noexcept {
  ssize_t sent;
  do {
    sent = ::send(socket, &message, sizeof message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == sizeof message;
}

bool receive_control(int socket, ControlMessage &message) noexcept {
  ssize_t received;
  do {
    received = ::recv(socket, &message, sizeof message, 0);
  } while (received < 0 && errno == EINTR);
  return received == sizeof message;
}

}  // namespace plash::pola_run
