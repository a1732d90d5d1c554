// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sessions on the server's side, with packets made by hand: what the protocol promises, and what no
// well-behaved client sends.
#include <sys/wait.h>

#include <optional>
#include <vector>

#include "tests/tools/server/raw_message.h"

using namespace plash;
using namespace plash::testing;

namespace {

std::vector<UniqueFd> open_sessions(int fs_op, std::uint64_t count, long &result) {
  std::uint64_t words[1] = {count};
  std::uint64_t reply_words[1];
  int descriptors[max_sessions_per_call];
  Call message;
  message.code = methods::OpenSessions::code;
  message.words = words;
  message.word_count = 1;
  message.reply_words = reply_words;
  message.reply_word_count = 1;
  message.reply_descriptors = descriptors;
  message.reply_descriptor_count = max_sessions_per_call;
  result = call(fs_op, message);
  std::vector<UniqueFd> sessions;
  for (std::uint32_t i = 0; result == 0 && i < message.reply_descriptor_count; ++i)
    sessions.emplace_back(descriptors[i]);
  return sessions;
}

// What was closed before ends when the server gets to it.
std::vector<UniqueFd> open_sessions_soon(int fs_op, std::uint64_t count) {
  for (int i = 0; i < 500; ++i) {
    long result;
    auto sessions = open_sessions(fs_op, count, result);
    if (result == 0) return sessions;
    ::usleep(10'000);
  }
  return {};
}

UniqueFd open_session(int fs_op) {
  long result;
  auto sessions = open_sessions(fs_op, 1, result);
  REQUIRE(result == 0);
  REQUIRE(sessions.size() == 1);
  return std::move(sessions[0]);
}

PacketHeader kept_header(std::uint32_t code, std::size_t size, std::uint32_t sequence,
                         std::size_t descriptors = 0) {
  PacketHeader header = header_of(code, size, descriptors);
  header.sequence = sequence;
  return header;
}

void send_kept(int session, const PacketHeader &header, const std::string &payload,
               const std::vector<int> &descriptors = {}) {
  REQUIRE(send_packet_to(session, packet(header, payload), descriptors) == 0);
}

struct Answer {
  PacketHeader header{};
  std::string payload;
  std::vector<UniqueFd> descriptors;
};

// Nothing where the server has closed the session.
std::optional<Answer> receive_kept(int session) {
  pollfd state{session, POLLIN, 0};
  REQUIRE(::poll(&state, 1, 5000) == 1);
  Answer answer;
  char buffer[max_packet_size];
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
  iovec vector[2] = {{&answer.header, sizeof answer.header}, {buffer, sizeof buffer}};
  msghdr message{};
  message.msg_iov = vector;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(session, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) return {};
  answer.payload.assign(buffer, static_cast<std::size_t>(size) - sizeof answer.header);
  for (cmsghdr *part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    for (std::size_t i = 0; i < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      answer.descriptors.emplace_back(fd);
    }
  }
  return answer;
}

bool ends(int session) { return !receive_kept(session).has_value(); }

template <class M>
std::string payload_of(const typename M::Request &request) {
  const Encoded<typename M::Request> encoded(request);
  std::string payload(reinterpret_cast<const char *>(encoded.words),
                      encoded.counts.words * sizeof(std::uint64_t));
  for (std::uint32_t i = 0; i < encoded.counts.parts; ++i)
    payload.append(encoded.parts[i].data, encoded.parts[i].size);
  return payload;
}

std::string open_payload(const std::string &path, int flags) {
  methods::Open::Request request;
  request.path = bytes(path);
  request.flags = static_cast<unsigned>(flags);
  return payload_of<methods::Open>(request);
}

}  // namespace

TEST_CASE("calls over a session are answered in turn, with their sequence") {
  Scratch scratch;
  scratch.write("w/file", "text");
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd session = open_session(client.fs_op());
  for (const std::uint32_t sequence : {1u, 2u, 7u, ~0u}) {
    send_kept(session.get(), kept_header(methods::Ping::code, 0, sequence), "");
    const auto answer = receive_kept(session.get());
    REQUIRE(answer);
    CHECK(answer->header.code == code_okay);
    CHECK(answer->header.sequence == sequence);
  }
  const std::string payload = open_payload("/w/file", O_RDONLY);
  send_kept(session.get(), kept_header(methods::Open::code, payload.size(), 9), payload);
  const auto file = receive_kept(session.get());
  REQUIRE(file);
  REQUIRE(file->descriptors.size() == 1);
  CHECK(contents(file->descriptors[0].get()) == "text");
  const std::string none = open_payload("/w/none", O_RDONLY);
  send_kept(session.get(), kept_header(methods::Open::code, none.size(), 10), none);
  const auto error = receive_kept(session.get());
  REQUIRE(error);
  CHECK(error->header.code == code_fail);
  CHECK(error->header.sequence == 10);
  // Requests that were sent ahead wait in line.
  for (const std::uint32_t sequence : {11u, 12u, 13u})
    send_kept(session.get(), kept_header(methods::Ping::code, 0, sequence), "");
  for (const std::uint32_t sequence : {11u, 12u, 13u})
    CHECK(receive_kept(session.get())->header.sequence == sequence);
}

TEST_CASE("a method of another object names it first") {
  Scratch scratch;
  scratch.write("w/directory/file", "");
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd session = open_session(client.fs_op());
  const UniqueFd directory = client.open_directory("/w/directory");
  methods::DirectoryPath::Request request;
  request.size = 4096;
  const std::string payload = payload_of<methods::DirectoryPath>(request);
  const auto ask = [&](const std::vector<int> &descriptors) {
    send_kept(session.get(),
              kept_header(methods::DirectoryPath::code, payload.size(), 1, descriptors.size()),
              payload, descriptors);
    return receive_kept(session.get());
  };
  const auto path = ask({directory.get()});
  REQUIRE(path);
  CHECK(path->header.code == code_okay);
  CHECK(path->payload.substr(sizeof(std::uint64_t)) == "/w/directory");
  // None, or one that is none of the server's: nothing is done.
  const SocketPair forged;
  CHECK(ask({})->header.code == code_pair);
  CHECK(ask({forged.send_end.get()})->header.code == code_pair);
  CHECK(ask({STDERR_FILENO})->header.code == code_pair);
  // An FsOp has no such method.
  CHECK(ask({client.fs_op()})->header.code == code_fail);
}

TEST_CASE("what may take long is asked to be called plainly, undone") {
  Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  REQUIRE(::mkfifo(scratch.path("w/fifo").c_str(), 0600) == 0);
  const UniqueFd session = open_session(client.fs_op());
  const std::string payload = open_payload("/w/fifo", O_WRONLY);
  send_kept(session.get(), kept_header(methods::Open::code, payload.size(), 5), payload);
  const auto answer = receive_kept(session.get());
  REQUIRE(answer);
  CHECK(answer->header.code == code_pair);
  CHECK(answer->header.sequence == 5);
  // A FIFO that opens at once comes in two packets.
  const std::string at_once = open_payload("/w/fifo", O_RDONLY | O_NONBLOCK);
  send_kept(session.get(), kept_header(methods::Open::code, at_once.size(), 6), at_once);
  const auto first = receive_kept(session.get());
  REQUIRE(first);
  CHECK(first->descriptors.size() == 1);
  CHECK(first->payload.empty());
  const auto second = receive_kept(session.get());
  REQUIRE(second);
  CHECK(second->descriptors.empty());
  CHECK(second->payload.size() == sizeof(std::uint64_t));
}

TEST_CASE("what breaks the rules ends the session, and no other") {
  Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd witness = open_session(client.fs_op());
  const auto send_and_see = [&](const std::function<void(PacketHeader &)> &change,
                                const std::string &payload = "") {
    const UniqueFd session = open_session(client.fs_op());
    PacketHeader header = kept_header(methods::Ping::code, payload.size(), 1);
    change(header);
    send_kept(session.get(), header, payload);
    return ends(session.get());
  };
  CHECK(send_and_see([](PacketHeader &header) { header.sequence = 0; }));
  CHECK(send_and_see([](PacketHeader &header) { header.magic = 1; }));
  CHECK(send_and_see([](PacketHeader &header) { header.version = 2; }));
  CHECK(send_and_see([](PacketHeader &header) { header.size = 1; }));
  CHECK(send_and_see([](PacketHeader &header) { header.total_size = 100; }));
  CHECK(send_and_see([](PacketHeader &header) { header.offset = 8; }));
  CHECK(send_and_see([](PacketHeader &header) { header.descriptor_count = 1; }));
  CHECK(send_and_see([](PacketHeader &header) { header.descriptor_total = 1; }));
  CHECK(send_and_see([](PacketHeader &header) { header.descriptor_offset = 1; }));
  // Unsound requests in sound packets are refused alone.
  CHECK(!send_and_see([](PacketHeader &) {}, "payload that Ping has not"));
  CHECK(!send_and_see([](PacketHeader &header) { header.code = code_of("None"); }));
  // An empty packet; an end that is closed for writing.
  const UniqueFd empty = open_session(client.fs_op());
  REQUIRE(::send(empty.get(), "", 0, 0) == 0);
  CHECK(ends(empty.get()));
  send_kept(witness.get(), kept_header(methods::Ping::code, 0, 3), "");
  CHECK(receive_kept(witness.get())->header.sequence == 3);
}

TEST_CASE("a session whose replies are not read ends, and keeps nobody waiting") {
  Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd session = open_session(client.fs_op());
  const PacketHeader header = kept_header(methods::Ping::code, 0, 1);
  bool ended = false;
  for (int i = 0; i < 200'000 && !ended; ++i) {
    if (::send(session.get(), &header, sizeof header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) continue;
    ended = errno != EAGAIN;
    if (!ended) ::usleep(100);  // the queue is full, and the server as slow as the machine
  }
  CHECK(ended);
  methods::Stat::Reply reply;
  CHECK(client.stat("/w", reply) == 0);
}

TEST_CASE("a sandbox has a number of sessions, and gets them back") {
  Scratch scratch;
  server::Options options;
  options.limits.sandbox.max_sessions = 6;
  Running running(scratch, options);
  const Client client = running.start();
  long result;
  CHECK(open_sessions(client.fs_op(), 0, result).empty());
  CHECK(result == -EINVAL);
  CHECK(open_sessions(client.fs_op(), max_sessions_per_call + 1, result).empty());
  CHECK(result == -EINVAL);
  const int before = baseline_descriptors();
  for (int round = 0; round < 3; ++round) {
    const auto some = open_sessions_soon(client.fs_op(), 4);
    REQUIRE(some.size() == 4);
    CHECK(open_sessions(client.fs_op(), 4, result).empty());
    CHECK(result == -EMFILE);
    // The two that there was room for end again.
    CHECK(open_sessions_soon(client.fs_op(), 2).size() == 2);
    // What a sandbox may not have more of does not keep it from calling.
    methods::Stat::Reply reply;
    CHECK(client.stat("/w", reply) == 0);
    send_kept(some[0].get(), kept_header(methods::Ping::code, 0, 1), "");
    CHECK(receive_kept(some[0].get()));
  }
  CHECK(settled_descriptors(before) <= before);
}

TEST_CASE("sessions end with the server, and many of them do not keep it from ending") {
  Scratch scratch;
  std::vector<UniqueFd> sessions;
  {
    Running running(scratch);
    const Client client = running.start();
    for (int i = 0; i < 50; ++i) {
      sessions.push_back(open_session(client.fs_op()));
      send_kept(sessions.back().get(), kept_header(methods::Ping::code, 0, 1), "");
      CHECK(receive_kept(sessions.back().get()));
    }
  }
  for (const UniqueFd &session : sessions) CHECK(ends(session.get()));
}
