// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/call_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <system_error>
#include <vector>

#include "protocol/methods.h"
#include "protocol/packet.h"
#include "tools/server/death_watch.h"

namespace plash::stress {
namespace {

constexpr std::size_t max_reply = 2048;

struct Request {
  alignas(8) std::array<char, max_packet_size> bytes;
  long size = 0;
  std::vector<UniqueFd> descriptors;  // the reply socket first
};

// False at the end of file: nobody holds the object any more.
bool receive(int object, Request &request) {
  alignas(cmsghdr) char control[CMSG_SPACE(max_packet_descriptors * sizeof(int))];
  iovec vector{request.bytes.data(), request.bytes.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  do {
    request.size = recvmsg(object, &message, MSG_CMSG_CLOEXEC);
  } while (request.size < 0 && errno == EINTR);
  request.descriptors.clear();
  for (const cmsghdr *part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, const_cast<cmsghdr *>(part))) {
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i)
      request.descriptors.emplace_back(reinterpret_cast<const int *>(CMSG_DATA(part))[i]);
  }
  return request.size > 0;
}

void send(int socket, std::uint32_t code, const char *payload, std::size_t size, int descriptor) {
  PacketHeader header{};
  header.magic = packet_magic;
  header.version = packet_version;
  header.code = code;
  header.descriptor_count = header.descriptor_total = descriptor >= 0 ? 1 : 0;
  header.total_size = size;
  header.size = static_cast<std::uint32_t>(size);
  iovec vector[2] = {{&header, sizeof header}, {const_cast<char *>(payload), size}};
  msghdr message{};
  message.msg_iov = vector;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr *const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
  }
  // A caller that is gone is no concern of the server's.
  sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

UniqueFd pipe_with(std::uint64_t content) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return UniqueFd();
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  if (write(writing.get(), &content, sizeof content) != sizeof content) return UniqueFd();
  return reading;
}

template <class M>
void answer(int socket, std::uint64_t hash) {
  if (M::interruptible && is_waiting(hash)) send(socket, code_wait, nullptr, 0, -1);
  if (is_refused(hash)) {
    const auto error = static_cast<std::uint64_t>(refusal(hash));
    send(socket, code_fail, reinterpret_cast<const char *>(&error), sizeof error, -1);
    return;
  }
  alignas(8) char payload[max_reply] = {};
  constexpr std::size_t words = count_fields<typename M::Reply>().words;
  std::size_t size = words * sizeof(std::uint64_t);
  std::uint32_t index = 0;
  UniqueFd descriptor;
  typename M::Reply reply{};
  M::Reply::visit(reply, [&](const char *, FieldKind kind, const auto &) {
    std::uint64_t word = reply_word(hash, index);
    if (kind == FieldKind::bytes || kind == FieldKind::path) {
      word = reply_length(hash, index);
      for (std::uint64_t i = 0; i < word; ++i) payload[size++] = reply_byte(hash, index, i);
    } else if (kind == FieldKind::descriptor) {
      descriptor = pipe_with(descriptor_content(hash));
      word = descriptor ? 1 : 0;
    } else if (kind == FieldKind::descriptors) {
      word = 0;
    }
    memcpy(payload + index * sizeof word, &word, sizeof word);
    ++index;
  });
  send(socket, code_okay, payload, size, descriptor.get());
}

void serve(int object) {
  Request request;
  while (receive(object, request)) {
    PacketHeader header;
    if (static_cast<std::size_t>(request.size) < sizeof header || request.descriptors.empty())
      continue;
    memcpy(&header, request.bytes.data(), sizeof header);
    RequestHash hash;
    hash.add(&header.code, sizeof header.code);
    hash.add(request.bytes.data() + sizeof header,
             static_cast<std::size_t>(request.size) - sizeof header);
    const int socket = request.descriptors.front().get();
    for_each_method([&]<class M> {
      if (M::code == header.code) answer<M>(socket, hash.value());
    });
    request.descriptors.clear();
  }
}

}  // namespace

CallServer start_call_server() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  UniqueFd client(ends[0]);
  UniqueFd server_end(ends[1]);
  const pid_t process = fork();
  if (process < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process == 0) {
    client.reset();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    {
      const server::DeathWatch death_watch;
      serve(server_end.get());
    }
    _exit(0);
  }
  return {std::move(client), process};
}

}  // namespace plash::stress
