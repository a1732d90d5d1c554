// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cases 10 to 17: what is given as reply socket.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/hostile/case.h"
#include "tests/hostile/server_process.h"
#include "tests/hostile/stalled_files.h"

namespace plash::hostile {
namespace {

std::string ping() { return encode<methods::Ping>({}).bytes; }

// The server is done with everything sent before.
void settle(const Attack &attack) { attack.expect(attack.send(ping()).what, "Okay", "Ping"); }

// Nothing comes within a short time.
bool stays_silent(int fd) {
  pollfd state{fd, POLLIN, 0};
  return ::poll(&state, 1, 50) == 0 || (state.revents & POLLIN) == 0;
}

// Two TCP sockets that are connected to each other, or none where there is no loopback.
std::pair<UniqueFd, UniqueFd> tcp_pair() {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto *const generic = reinterpret_cast<sockaddr *>(&address);
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), generic, &size) != 0)
    return {};
  UniqueFd one(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(one.get(), generic, size) != 0) return {};
  UniqueFd other(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return {std::move(one), std::move(other)};
}

}  // namespace

HOSTILE_CASE(10, "No reply FD") {
  for (int i = 0; i < 1'000; ++i)
    attack.expect(send(attack.fs_op, ping()) == 0, "sending without a descriptor");
  PacketHeader header = header_of(methods::Open::code, 100, 1);
  for (int i = 0; i < 100; ++i) send(attack.fs_op, packet(header, std::string(100, '\0')));
  settle(attack);
}

HOSTILE_CASE(11, "Regular file, pipe, eventfd, memfd, O_PATH: never written to") {
  const std::string path = attack.world.path("w/target");
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  const UniqueFd path_only(::open(path.c_str(), O_PATH | O_CLOEXEC));
  int pipe[2];
  attack.expect(::pipe2(pipe, O_CLOEXEC) == 0, "pipe");
  const UniqueFd reading(pipe[0]);
  UniqueFd writing(pipe[1]);
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const UniqueFd memory(::memfd_create("hostile", MFD_CLOEXEC));
  for (const int descriptor :
       {file.get(), path_only.get(), writing.get(), reading.get(), event.get(), memory.get()}) {
    attack.expect(send(attack.fs_op, ping(), {descriptor}) == 0, "sending");
    PacketHeader header = header_of(methods::Open::code, 100);
    header.total_size = 1 << 20;  // refused or not: nothing is to be written
    send(attack.fs_op, packet(header, std::string(100, '\0')), {descriptor});
  }
  settle(attack);
  struct stat status {};
  attack.expect(::fstat(file.get(), &status) == 0 && status.st_size == 0, "the file is empty");
  attack.expect(::fstat(memory.get(), &status) == 0 && status.st_size == 0, "the memfd is empty");
  std::uint64_t value = 0;
  attack.expect(::read(event.get(), &value, sizeof value) < 0, "the eventfd is 0");
  attack.expect(stays_silent(reading.get()), "the pipe is empty");
  writing.reset();
  char byte;
  attack.expect(::read(reading.get(), &byte, 1) == 0, "the server has closed the pipe");
}

HOSTILE_CASE(12, "STREAM, DGRAM, INET socket as reply FD: dropped") {
  const Pair stream(SOCK_STREAM);
  const Pair datagram(SOCK_DGRAM);
  const auto [tcp, tcp_peer] = tcp_pair();
  const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const UniqueFd unconnected(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  for (const int descriptor :
       {stream.send_end.get(), datagram.send_end.get(), udp.get(), tcp.get(), unconnected.get()}) {
    if (descriptor >= 0) attack.expect(send(attack.fs_op, ping(), {descriptor}) == 0, "sending");
  }
  settle(attack);
  attack.expect(stays_silent(stream.receive_end.get()), "nothing comes on the stream");
  attack.expect(stays_silent(datagram.receive_end.get()), "nothing comes as datagram");
  if (tcp_peer) attack.expect(stays_silent(tcp_peer.get()), "nothing comes by TCP");
}

HOSTILE_CASE(13, "A TCP socket with SO_LINGER, a FUSE file: closing stalls nobody",
             .keeps_capabilities = true) {
  for (int i = 0; i < 20; ++i) {
    auto [tcp, peer] = tcp_pair();
    if (!tcp) return attack.expect(false, "no loopback interface");
    // Unread data, and a peer whose window is full: close waits for as long as the option says.
    const linger waits{1, 5};
    ::setsockopt(tcp.get(), SOL_SOCKET, SO_LINGER, &waits, sizeof waits);
    ::fcntl(tcp.get(), F_SETFL, O_NONBLOCK);
    const std::string much(1 << 16, 'x');
    while (::send(tcp.get(), much.data(), much.size(), MSG_NOSIGNAL) > 0) {
    }
    ::fcntl(tcp.get(), F_SETFL, 0);
    send(attack.fs_op, ping(), {tcp.get()});
    const Pair reply;
    PacketHeader header = header_of(methods::Ping::code, 0, 1);
    send(attack.fs_op, packet(header), {reply.send_end.get(), tcp.get()});
    // Ours must not be the last, or we wait.
    settle(attack);
    const linger none{1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  StalledFiles stalled(attack.world.path("w/fuse"));
  if (!stalled.mounted()) return attack.note("without FUSE, which cannot be mounted here");
  for (int i = 0; i < 4; ++i) {
    UniqueFd file = stalled.open_file();
    attack.expect(static_cast<bool>(file), "a file of the stalled file system");
    send(attack.fs_op, ping(), {file.get()});
    const Pair reply;
    send(attack.fs_op, packet(header_of(methods::Ping::code, 0, 1)),
         {reply.send_end.get(), file.get()});
    settle(attack);
    stalled.close_in_background(std::move(file));
  }
  for (int i = 0; i < 100; ++i) settle(attack);
}

HOSTILE_CASE(14, "The server's own object end as reply FD: the reply comes back, is dropped") {
  Reply opened = attack.open("/w", O_DIRECTORY);
  if (opened.descriptors.empty()) return attack.expect(false, "open of a directory");
  const int directory = opened.descriptors[0].get();
  const UniqueFd copy(::dup(attack.fs_op));
  for (int i = 0; i < 100; ++i) {
    for (const int end : {attack.fs_op, attack.whole_fs_op, directory, copy.get()}) {
      attack.expect(send(attack.fs_op, ping(), {end}) == 0, "sending");
      attack.expect(send(directory, directory_path().bytes, {end}) == 0, "sending to a directory");
      // A larger message's rest would go over it.
      PacketHeader header = header_of(methods::Open::code, 100);
      header.total_size = 200;
      send(attack.fs_op, packet(header, std::string(100, '\0')), {end});
    }
  }
  settle(attack);
  attack.expect(attack.send(directory_path(), directory).what, "Okay",
                "the directory still answers");
}

HOSTILE_CASE(15, "A reply FD whose queue is already full: dropped, no wait") {
  for (int i = 0; i < 50; ++i) {
    const Pair reply;
    const std::string much(10'000, 'x');
    while (send(reply.send_end.get(), much, {}, false) == 0) {
    }
    attack.expect(send(attack.fs_op, ping(), {reply.send_end.get()}) == 0, "sending");
    attack.call<methods::Stat>("/r/file");
  }
  settle(attack);
}

HOSTILE_CASE(16, "SO_SNDBUF=1 or SO_PASSRIGHTS=0 on the reply FD: tolerated") {
  constexpr int so_passrights = 83;
  for (int i = 0; i < 100; ++i) {
    const Pair reply;
    const int value = i % 2;
    if (i % 4 < 2) {
      ::setsockopt(reply.send_end.get(), SOL_SOCKET, SO_SNDBUF, &value, sizeof value);
      ::setsockopt(reply.receive_end.get(), SOL_SOCKET, SO_RCVBUF, &value, sizeof value);
    } else {
      const int none = 0;
      ::setsockopt(reply.send_end.get(), SOL_SOCKET, so_passrights, &none, sizeof none);
      ::setsockopt(reply.receive_end.get(), SOL_SOCKET, so_passrights, &none, sizeof none);
    }
    methods::Open::Request request;
    request.path = bytes("/r/file");
    attack.expect(
        send(attack.fs_op, encode<methods::Open>(request).bytes, {reply.send_end.get()}) == 0,
        "sending");
    receive(reply.receive_end.get(), 10);
    // A reply of nearly a packet.
    request.path = bytes("/w");
    methods::Stat::Request status;
    status.path = bytes("/w");
    send(attack.fs_op, encode<methods::Stat>(status).bytes, {reply.send_end.get()});
  }
  // Off on the object itself: a message comes without its reply socket.
  const int none = 0;
  ::setsockopt(attack.fs_op, SOL_SOCKET, so_passrights, &none, sizeof none);
  settle(attack);
}

HOSTILE_CASE(17, "A reply FD that is closed, or never read: no growth") {
  const Measure before = [&] {
    settle(attack);
    return measure_of(attack.server);
  }();
  std::vector<Pair> unread(200);
  for (unsigned i = 0; i < 20'000; ++i) {
    if (i % 2 == 0) {
      Pair reply;
      reply.receive_end.reset();
      send(attack.fs_op, ping(), {reply.send_end.get()});
    } else {
      send(attack.fs_op, ping(), {unread[i % unread.size()].send_end.get()});
    }
  }
  settle(attack);
  const Measure after = measure_of(attack.server);
  attack.expect(after.descriptors <= before.descriptors + 100, "the server's descriptors grow");
  attack.expect(is_instrumented() || after.resident < before.resident + 24 * 1024,
                "the server's memory grows");
}

}  // namespace plash::hostile
