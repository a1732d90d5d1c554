// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cases 18 to 24: descriptors and objects.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

#include "tests/hostile/case.h"
#include "tests/hostile/server_process.h"

namespace plash::hostile {
namespace {

std::string ping() { return encode<methods::Ping>({}).bytes; }

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  // Nobody has the writing end any more, after ours was closed.
  bool ends() {
    writing.reset();
    char byte;
    return ::read(reading.get(), &byte, 1) == 0;
  }
  UniqueFd reading;
  UniqueFd writing;
};

UniqueFd open_directory(const Attack &attack) {
  Reply opened = attack.open("/r", O_DIRECTORY);
  return opened.descriptors.empty() ? UniqueFd() : std::move(opened.descriptors[0]);
}

// Keeps a descriptor of every directory that it is given, until it is given none; then says what it
// was told instead, and waits to be killed.
std::string hoard(const Attack &attack, std::vector<UniqueFd> &hoarded, std::size_t most) {
  while (hoarded.size() < most) {
    Reply opened = attack.open("/r", O_DIRECTORY);
    if (opened.descriptors.empty()) return opened.what;
    hoarded.push_back(std::move(opened.descriptors[0]));
  }
  return "enough";
}

}  // namespace

HOSTILE_CASE(18, "A second FD in the padding, 253 FDs: closed, refused") {
  for (const std::size_t count : {1u, 2u, 3u, 100u, 252u}) {
    Pipe pipe;
    // None are announced; then fewer than come; then as many, for a method that takes none.
    const std::vector<int> descriptors(count, pipe.writing.get());
    attack.expect(attack.send(ping(), descriptors).what, "end",
                  "descriptors that are not announced");
    if (count > 1)
      attack.expect(
          attack.send(packet(header_of(methods::Ping::code, 0, count - 1)), descriptors).what,
          "end", "one too many");
    attack.expect(attack.send(packet(header_of(methods::Ping::code, 0, count)), descriptors).what,
                  "EINVAL", "a method that takes none");
    attack.expect(
        attack.send(packet(header_of(methods::Ping::code, 0, count + 1)), descriptors).what, "end",
        "one too few");
    attack.expect(pipe.ends(), "all are closed");
  }
}

HOSTILE_CASE(19, "A forged socketpair as a directory: EINVAL") {
  Pair forged;
  attack.expect(attack.open("file", 0, forged.send_end.get()).what, "ENOTDIR", "a plain socket");
  const int tag = directory_object_tag;
  ::setsockopt(forged.send_end.get(), SOL_SOCKET, SO_RCVLOWAT, &tag, sizeof tag);
  attack.expect(attack.open("file", 0, forged.send_end.get()).what, "EINVAL", "Open");
  attack.expect(attack.call<methods::Chdir>("file", {}, forged.send_end.get()).what, "EINVAL",
                "Chdir");
  attack.expect(attack.call<methods::Unlink>("file", {}, forged.send_end.get()).what, "EINVAL",
                "Unlink");
  attack.expect(attack.call<methods::Chmod>(
                          "", [](auto &r) { r.flags = AT_EMPTY_PATH; }, forged.send_end.get())
                        .what != "Okay",
                "Chmod");
  attack.expect(attack.open("file", 0, attack.fs_op).what, "ENOTDIR", "an object of another type");
  Reply stale = attack.open("/r", O_DIRECTORY);
  const UniqueFd directory = std::move(stale.descriptors.at(0));
  attack.expect(attack.open("file", 0, directory.get()).what, "Okay", "the true one");
}

HOSTILE_CASE(20, "In-flight flood (ETOOMANYREFS): other sandboxes go on",
             .server_descriptors = 4'096, .bystander_is_other_user = true) {
  if (::geteuid() != 0)
    return attack.note("not tried: needs a second user, whose sandbox is not counted with ours");
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::vector<int> descriptors(250, null.get());
  std::vector<Pair> pairs(50);
  int refused = 0;
  for (int round = 0; round < 20 && refused == 0; ++round) {
    for (const Pair &pair : pairs) {
      const int error = send(pair.send_end.get(), "x", descriptors, false);
      if (error == -ETOOMANYREFS) refused = error;
    }
  }
  attack.expect(refused == -ETOOMANYREFS, "the kernel's limit is reached");
  // For a second: nobody of this user can send a descriptor, the server excepted.
  for (int i = 0; i < 100; ++i) {
    attack.expect(send(attack.fs_op, ping(), {null.get()}) == -ETOOMANYREFS, "still");
    ::usleep(10'000);
  }
  pairs.clear();
  attack.expect(attack.open("/r/file").what, "Okay", "open afterwards");
}

HOSTILE_CASE(21, "Server out of FDs: ENFILE, recovers", .server_descriptors = 400) {
  std::vector<pid_t> hoarders;
  int ready[2];
  attack.expect(::pipe2(ready, O_CLOEXEC) == 0, "pipe");
  for (int i = 0; i < 4; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      std::vector<UniqueFd> hoarded;
      const std::string last = hoard(attack, hoarded, 150);
      char outcome = last == "enough" ? 'e' : last == "ENFILE" ? 'n' : '?';
      if (outcome == '?') attack.expect(last, "ENFILE", "a hoarder");
      [[maybe_unused]] const ssize_t written = ::write(ready[1], &outcome, 1);
      ::pause();
      std::_Exit(0);
    }
    hoarders.push_back(pid);
  }
  std::string outcomes;
  char outcome;
  while (outcomes.size() < 4 && ::read(ready[0], &outcome, 1) == 1) outcomes += outcome;
  attack.expect(outcomes.find('n') != std::string::npos, "ENFILE was seen: " + outcomes);
  std::vector<UniqueFd> own;
  attack.expect(hoard(attack, own, 100), "ENFILE", "one more directory");
  for (int i = 0; i < 50; ++i)
    attack.expect(attack.open("/r/file").what, "Okay", "a file meanwhile");
  own.clear();
  for (const pid_t pid : hoarders) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  std::string last;
  for (int i = 0; i < 300 && last != "Okay"; ++i) {
    ::usleep(10'000);
    last = attack.open("/r", O_DIRECTORY).what;
  }
  attack.expect(last, "Okay", "a directory afterwards");
}

HOSTILE_CASE(22, "A cycle of FDs in flight: reclaimed") {
  for (int i = 0; i < 300; ++i) {
    // A directory object's end in a message to that object: it holds itself.
    UniqueFd directory = open_directory(attack);
    if (!directory) return attack.expect(false, "open of a directory");
    const Pair reply;
    Request request = directory_path();
    send(directory.get(),
         packet(header_of(methods::DirectoryPath::code, 8, 1),
                request.bytes.substr(sizeof(PacketHeader))),
         {reply.send_end.get(), directory.get()});
    // And in one that is never taken: on a reply socket that holds itself too.
    Pair cycle;
    send(cycle.send_end.get(), "x",
         {cycle.send_end.get(), cycle.receive_end.get(), directory.get()});
    // The reply socket's other end in a message over the reply socket.
    Pair begun;
    PacketHeader header = header_of(methods::Open::code, 10);
    header.total_size = 1'000;
    send(attack.fs_op, packet(header, std::string(10, '\0')), {begun.send_end.get()});
    header.offset = 10;
    header.descriptor_count = header.descriptor_total = 1;
    send(begun.receive_end.get(), packet(header, std::string(10, '\0')), {begun.receive_end.get()},
         false);
  }
  attack.expect(attack.send(ping()).what, "Okay", "Ping");
}

HOSTILE_CASE(23, "shutdown(), O_NONBLOCK on a shared end: only its holders are hurt") {
  const UniqueFd directory = open_directory(attack);
  const UniqueFd other = open_directory(attack);
  ::fcntl(attack.fs_op, F_SETFL, O_NONBLOCK);
  for (int i = 0; i < 200; ++i) attack.expect(attack.send(ping()).what, "Okay", "O_NONBLOCK");
  ::shutdown(directory.get(), SHUT_RDWR);
  attack.expect(send(directory.get(), directory_path().bytes) == -EPIPE,
                "an end that was shut down");
  attack.expect(attack.send(directory_path(), other.get()).what, "Okay", "another object");
  Reply still = attack.open("file", 0, directory.get());
  attack.expect(still.what == "Okay" || still.what == "EINVAL" || still.what == "ENOTDIR",
                "as an argument: " + still.what);
  // A reply socket that is shut down while the reply is on its way.
  for (int how : {SHUT_RD, SHUT_WR, SHUT_RDWR}) {
    for (int i = 0; i < 100; ++i) {
      const Pair reply;
      send(attack.fs_op, ping(), {reply.send_end.get()});
      ::shutdown(i % 2 == 0 ? reply.receive_end.get() : reply.send_end.get(), how);
    }
  }
  attack.expect(attack.send(ping()).what, "Okay", "Ping");
  ::shutdown(attack.fs_op, SHUT_RDWR);
  attack.expect(send(attack.fs_op, ping()) == -EPIPE, "fs_op shut down");
}

HOSTILE_CASE(24, "Objects by the million: quota, EMFILE",
             .limits = {.sandbox = {.max_objects = 1'000,
                                    .max_calls = 1'000,
                                    .max_threads = 32,
                                    .max_blocked_calls = 100,
                                    .max_assemblies = 100,
                                    .max_bytes = std::size_t{16} << 20,
                                    .max_descriptors = 1'000,
                                    .max_sessions = 100}}) {
  std::vector<UniqueFd> hoarded;
  attack.expect(hoard(attack, hoarded, 2'000), "EMFILE", "too many objects");
  attack.expect(hoarded.size() == 999,
                "as many as the quota says: " + std::to_string(hoarded.size()));
  const std::size_t attempts = 10'000u * attack.world.scale;
  for (std::size_t i = 0; i < attempts; ++i) {
    if (attack.open("/r", O_DIRECTORY).what == "EMFILE") continue;
    attack.expect(false, "one more object");
    break;
  }
  attack.expect(attack.open("/r/file").what, "Okay", "a file meanwhile");
  hoarded.clear();
  // And a million that come and go.
  for (std::size_t i = 0; i < attempts; ++i) {
    const std::string what = attack.open("/r", O_DIRECTORY).what;
    // Those that were closed a moment ago may still be counted.
    if (what != "Okay" && what != "EMFILE") attack.expect(what, "Okay", "open and close");
  }
}

}  // namespace plash::hostile
