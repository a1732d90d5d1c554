// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cases 25 to 29: who makes others wait.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "tests/hostile/case.h"
#include "tests/hostile/server_process.h"
#include "tests/hostile/stalled_files.h"

namespace plash::hostile {
namespace {

using Clock = std::chrono::steady_clock;

std::string ping() { return encode<methods::Ping>({}).bytes; }

template <class M>
Request path_request(std::string_view path, std::uint64_t flags) {
  typename M::Request fields;
  fields.path = bytes(path);
  fields.flags = flags;
  return encode<M>(fields);
}

// Runs body in so many processes, and waits for them.
template <class Body>
void in_processes(const Attack &attack, unsigned count, Body body) {
  std::vector<pid_t> processes;
  for (unsigned i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      try {
        body(i);
      } catch (const std::exception &error) {
        attack.expect(false, error.what());
      }
      std::_Exit(0);
    }
    processes.push_back(pid);
  }
  for (const pid_t pid : processes) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    attack.expect(status == 0, "a process of the attacker's ended with " + std::to_string(status));
  }
}

// Sends, as fast as it goes, and never reads, for so long.
void flood(int object, const std::vector<Request> &requests, Clock::duration time) {
  const Pair reply;
  const Clock::time_point end = Clock::now() + time;
  for (std::size_t i = 0; Clock::now() < end; ++i) {
    const Request &request = requests[i % requests.size()];
    std::vector<int> descriptors{reply.send_end.get()};
    descriptors.insert(descriptors.end(), request.descriptors.begin(), request.descriptors.end());
    send(object, request.bytes, descriptors);
  }
}

std::string begin_fifo(const Attack &attack, UniqueFd &reply) {
  reply = begin(attack.fs_op, path_request<methods::Open>("/w/fifo", O_WRONLY).bytes);
  return receive(reply.get()).what;
}

}  // namespace

HOSTILE_CASE(25, "A flood of requests without reading: others are served", .worst_p99 = 5) {
  const std::vector<Request> requests{encode<methods::Ping>({}),
                                      path_request<methods::Stat>("/r/sub/deep/file", 0),
                                      path_request<methods::Open>("/r/sub/deep/file", 0),
                                      path_request<methods::Open>("/r/sub/deep/../../file", 0),
                                      path_request<methods::Access>("/r/none/none", 0)};
  const auto time = std::chrono::seconds(2 * attack.world.scale);
  in_processes(attack, 4, [&](unsigned) { flood(attack.fs_op, requests, time); });
}

HOSTILE_CASE(26, "FIFO open with no peer: only that caller waits; cancelled") {
  std::vector<UniqueFd> waiting(100);
  for (UniqueFd &reply : waiting)
    attack.expect(begin_fifo(attack, reply), "Wait", "Open of a FIFO");
  attack.expect(attack.open("/r/file").what, "Okay", "another call");
  const std::string cancel = packet(header_of(code_cancel, 0));
  for (std::size_t i = 0; i < 50; ++i) send(waiting[i].get(), cancel);
  for (std::size_t i = 0; i < 50; ++i)
    attack.expect(receive(waiting[i].get()).what, "EINTR", "a call that was cancelled");
  // Something else than a cancellation, twice, and nothing at all.
  for (std::size_t i = 50; i < 60; ++i) send(waiting[i].get(), "nonsense");
  for (std::size_t i = 60; i < 70; ++i) {
    send(waiting[i].get(), cancel);
    send(waiting[i].get(), cancel);
  }
  for (std::size_t i = 50; i < 60; ++i)
    attack.expect(receive(waiting[i].get()).what, "end", "a call that was not cancelled in order");
  for (std::size_t i = 70; i < 100; ++i) waiting[i].reset();
  attack.expect(attack.open("/r/file").what, "Okay", "another call");
}

HOSTILE_CASE(27, "A stalled FUSE file in open, stat, close: others unaffected",
             .keeps_capabilities = true) {
  StalledFiles stalled(attack.world.path("w/fuse"));
  if (!stalled.mounted()) return attack.note("not tried: FUSE cannot be mounted here");
  std::vector<UniqueFd> calls;
  for (int i = 0; i < 40; ++i) {
    calls.push_back(begin(attack.fs_op, path_request<methods::Stat>("/w/fuse/never", 0).bytes));
    calls.push_back(begin(attack.fs_op, path_request<methods::Open>("/w/fuse/never", 0).bytes));
    calls.push_back(
        begin(attack.fs_op, path_request<methods::Open>("/w/fuse/ready", O_RDWR).bytes));
  }
  // All of the sandbox's threads are in there; others must not be.
  ::usleep(1'000'000);
  calls.push_back(begin(attack.fs_op, path_request<methods::Stat>("/r/file", 0).bytes));
  attack.expect(receive(calls.back().get(), 200).what, "nothing",
                "a further call of the same sandbox waits");
  const Measure during = measure_of(attack.server);
  attack.expect(during.threads < 60, "threads: " + std::to_string(during.threads));
}

HOSTILE_CASE(28, "A directory of 10^6 entries: paged, bounded memory") {
  const unsigned entries = attack.world.scale > 10 ? 1'000'000 : 20'000 * attack.world.scale;
  const std::string directory = attack.world.path("w/many");
  ::mkdir(directory.c_str(), 0755);
  const UniqueFd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (unsigned i = 0; i < entries; ++i)
    ::mknodat(parent.get(), ("entry-" + std::to_string(i)).c_str(), S_IFREG | 0644, 0);
  const Measure before = measure_of(attack.server);
  Reply opened = attack.open("/w/many", O_DIRECTORY);
  if (opened.descriptors.empty()) return attack.expect(false, "open of the directory");
  methods::ListDirectory::Request fields;
  fields.size = ~std::uint64_t{0};
  const Request request = encode<methods::ListDirectory>(fields);
  constexpr std::size_t words = 2 * sizeof(std::uint64_t);  // at_end, and the entries' size
  std::size_t found = 0;
  for (;;) {
    const Reply page = attack.send(request, opened.descriptors[0].get());
    attack.expect(page.what, "Okay", "a page");
    if (page.what != "Okay" || page.tail.size() <= words) break;
    for (std::size_t at = words; at + 19 <= page.tail.size();) {
      std::uint16_t length;
      std::memcpy(&length, page.tail.data() + at + 16, sizeof length);
      if (length == 0) break;
      ++found;
      at += length;
    }
  }
  attack.expect(found == entries + 2, "entries: " + std::to_string(found));
  const Measure after = measure_of(attack.server);
  attack.expect(is_instrumented() || after.peak < before.peak + 8 * 1024,
                "the server's memory grows");
  // Many who read at once, and do not.
  for (int i = 0; i < 200; ++i) {
    Reply another = attack.open("/w/many", O_DIRECTORY);
    if (!another.descriptors.empty()) begin(another.descriptors[0].get(), request.bytes);
  }
}

HOSTILE_CASE(29, "SIGKILL mid-call: the server's FDs return to the baseline") {
  for (int round = 0; round < 20; ++round) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      std::vector<UniqueFd> kept;
      for (unsigned i = 0;; ++i) {
        UniqueFd reply;
        begin_fifo(attack, reply);
        kept.push_back(std::move(reply));
        Reply opened = attack.open("/w", O_DIRECTORY);
        for (UniqueFd &fd : opened.descriptors) kept.push_back(std::move(fd));
        PacketHeader header = header_of(methods::Open::code, 1'000);
        header.total_size = 100'000;
        kept.push_back(begin(attack.fs_op, packet(header, std::string(1'000, '\0'))));
        if (kept.size() > 200) kept.clear();
      }
    }
    ::usleep(static_cast<useconds_t>(5'000 + round * 2'000));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  attack.expect(attack.send(ping()).what, "Okay", "Ping");
}

}  // namespace plash::hostile
