// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cases from 51 on: attacks that came to mind later.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/hostile/case.h"
#include "tests/hostile/server_process.h"

namespace plash::hostile {
namespace {

std::string with_sequence(std::string packet, std::uint32_t sequence) {
  packet.replace(offsetof(PacketHeader, sequence), sizeof sequence,
                 reinterpret_cast<const char *>(&sequence), sizeof sequence);
  return packet;
}

std::vector<UniqueFd> open_sessions(const Attack &attack) {
  methods::OpenSessions::Request request;
  request.count = 4;
  return attack.send(encode<methods::OpenSessions>(request)).descriptors;
}

}  // namespace

HOSTILE_CASE(51, "Sessions: malformed, flooded, unread, hoarded, passed to themselves") {
  const std::string ping = encode<methods::Ping>({}).bytes;
  std::vector<UniqueFd> sessions = open_sessions(attack);
  if (sessions.size() != 4) return attack.expect(false, "four sessions");
  send(sessions[0].get(), with_sequence(ping, 7));
  attack.expect(receive(sessions[0].get()).what, "Okay", "a call over a session");
  send(sessions[0].get(), ping);
  attack.expect(receive(sessions[0].get()).what, "end", "no sequence");
  send(sessions[1].get(), "x");
  attack.expect(receive(sessions[1].get()).what, "end", "1 byte");
  PacketHeader header = header_of(methods::Open::code, 100);
  header.total_size = 1 << 20;
  send(sessions[2].get(), with_sequence(packet(header, std::string(100, '\0')), 1));
  attack.expect(receive(sessions[2].get()).what, "end", "a message of several packets");
  // A session, and the namespace itself, where an object or an argument is expected.
  send(
      sessions[3].get(),
      with_sequence(packet(header_of(methods::DirectoryPath::code, 8, 0), std::string(8, '\1')), 1),
      {sessions[3].get()});
  receive(sessions[3].get(), 300);
  sessions.clear();
  // Flooded by requests whose replies nobody reads, until the queue is full.
  for (int round = 0; round < 20; ++round) {
    std::vector<UniqueFd> flooded = open_sessions(attack);
    for (const UniqueFd &session : flooded) {
      for (std::uint32_t i = 1; i < 2'000; ++i) {
        if (send(session.get(), with_sequence(ping, i), {}, false) != 0) break;
      }
    }
    // As reply socket and as argument.
    for (const UniqueFd &session : flooded) send(attack.fs_op, ping, {session.get()});
  }
  std::vector<UniqueFd> hoarded;
  std::string last;
  for (int i = 0; i < 1'000; ++i) {
    methods::OpenSessions::Request request;
    request.count = 4;
    Reply reply = attack.send(encode<methods::OpenSessions>(request));
    last = reply.what;
    if (last != "Okay") break;
    for (UniqueFd &session : reply.descriptors) hoarded.push_back(std::move(session));
  }
  attack.expect(last == "EMFILE" || last == "ENFILE", "too many sessions: " + last);
  for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{5}, ~std::uint64_t{0}}) {
    methods::OpenSessions::Request request;
    request.count = count;
    attack.expect(attack.send(encode<methods::OpenSessions>(request)).what != "Okay",
                  std::to_string(count) + " sessions");
  }
  attack.expect(attack.open("/r/file").what, "Okay", "a plain call meanwhile");
}

HOSTILE_CASE(52, "Long names of bound sockets, bound and removed: bounded memory") {
  std::string path = "/w";
  while (path.size() < 3'900) path += "/./";
  path += "/socket";
  const Measure before = measure_of(attack.server);
  const unsigned rounds = 5'000 * attack.world.scale;
  for (unsigned i = 0; i < rounds; ++i) {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    methods::Bind::Request request;
    request.socket = socket.get();
    request.path = bytes(path);
    attack.expect(attack.send(encode<methods::Bind>(request)).what, "Okay", "Bind");
    attack.call<methods::Unlink>("/w/socket");
  }
  const Measure after = measure_of(attack.server);
  attack.expect(is_instrumented() || after.resident < before.resident + 24 * 1024,
                "the server's memory grows");
}

HOSTILE_CASE(53, "Directories deeper than the kernel can name: \"..\" fails or stays inside") {
  Reply at = attack.open("/w", O_DIRECTORY);
  const std::string name(200, 'd');
  for (int i = 0; i < 40 && !at.descriptors.empty(); ++i) {
    const UniqueFd here = std::move(at.descriptors[0]);
    attack.call<methods::Mkdir>(
        name, [](auto &r) { r.mode = 0755; }, here.get());
    at = attack.open(name, O_DIRECTORY, here.get());
  }
  if (at.descriptors.empty()) return attack.expect(false, "8000 bytes deep: " + at.what);
  for (std::size_t ups = 1; ups < 60; ++ups) {
    std::string up;
    for (std::size_t i = 0; i < ups; ++i) up += "../";
    const Reply found = attack.open(up + "outside/secret", 0, at.descriptors[0].get());
    attack.expect(found.what != "Okay", std::to_string(ups) + " steps up");
  }
  attack.expect(attack.open("/r/file").what, "Okay", "another call");
}

HOSTILE_CASE(54, "Paths that take long to walk: others are served", .worst_p99 = 5) {
  std::string path = "/r";
  while (path.size() < 4'080) path += "/sub/..";
  path += "/file";
  std::vector<Pair> replies(8);
  const unsigned calls = is_instrumented() ? 50 : 500 * attack.world.scale;
  for (unsigned i = 0; i < calls; ++i) {
    methods::Stat::Request request;
    request.path = bytes(path);
    send(attack.fs_op, encode<methods::Stat>(request).bytes,
         {replies[i % replies.size()].send_end.get()});
  }
  attack.expect(attack.open("/r/file").what, "Okay", "another call");
}

}  // namespace plash::hostile
