// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Processes made in the middle of calls: at random, by threads and handlers; at each system call of
// a call in turn; and with the server killed while a child holds what the server would have
// answered through.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include "protocol/call.h"
#include "tools/stress/descriptors.h"
#include "tools/stress/exec_in_handler.h"
#include "tools/stress/scenario.h"
#include "tools/stress/signals.h"
#include "tools/stress/stepper.h"

namespace plash::stress {
namespace {

constexpr unsigned handler_rate = 200;
constexpr double allowed_seconds = 1;  // for a call to end after the server has been killed

void run_process(Context &context) noexcept {
  const auto all = operations(context.board.settings.door);
  for (;;) {
    const Operation &operation = all[context.random.below(all.size())];
    if (operation.kind == Operation::process) return run(context, operation);
  }
}

void run_mostly_simple(Context &context) noexcept {
  context.random.below(16) == 0 ? run_process(context) : run_simple(context);
}

void make_at_random(Board &board, std::uint64_t milliseconds) {
  HandlerStyle style{};
  style.restart = true;
  style.max_depth = 1;
  style.rate = board.settings.rate != 0 ? board.settings.rate : handler_rate;
  style.threads = board.settings.threads;
  run_interrupted(board, style, board.settings.seed, milliseconds, run_mostly_simple, run_process);
}

// At the system calls of an operation, on both sides of each.
struct Interruption {
  Context &context;
  const Operation &with;
  pid_t process;
  std::uint64_t points;
};

void interrupt(Step &step, void *data) {
  Interruption &interruption = *static_cast<Interruption *>(data);
  if (step.kind == Step::instruction || getpid() != interruption.process) return;
  ++interruption.points;
  run(interruption.context, interruption.with);
}

struct Job {
  Context &context;
  const Operation &operation;
};

void run_job(void *data) {
  const Job &job = *static_cast<Job *>(data);
  run(job.context, job.operation);
}

void make_at_each_system_call(Board &board) {
  const auto all = operations(board.settings.door);
  Context outer(board, board.slots[0], board.settings.seed, 0, 0);
  Context inner(board, board.slots[1], board.settings.seed + 1, 0, 1);
  outer.timed = false;
  std::uint64_t points = 0;
  for (const Operation &with : all) {
    if (with.kind != Operation::process) continue;
    // A few operations are enough: the path of the call is the same for all.
    for (std::size_t i = 0; i < all.size(); i += 5) {
      if (all[i].kind != Operation::safe) continue;
      Interruption interruption{inner, with, getpid(), 0};
      Job job{outer, all[i]};
      step_through(run_job, &job, interrupt, &interruption);
      points += interruption.points;
      if (board.failure_count.load() >= max_failures) return;
    }
  }
  board.note(std::to_string(points) + " times a process made at a system call of a call");
}

double seconds_since(const timespec &begin) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec - begin.tv_sec) +
         static_cast<double>(now.tv_nsec - begin.tv_nsec) / 1e9;
}

void request(Board &board, ServerRequest wanted, ServerRequest answer) {
  board.server_request.store(wanted);
  while (board.server_request.load() != answer) {
    board.heartbeat.fetch_add(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// One call, 0 or its errno.
int call_once(Board &board) {
  if (board.settings.door == Door::call) {
    methods::Ping::Request ping;
    methods::Ping::Reply reply;
    return static_cast<int>(-invoke<methods::Ping>(board.settings.object, ping, reply));
  }
  Context context(board, board.slots[0], 0, 0, 0);
  return access(Fixture(context, "a/file"), F_OK) == 0 ? 0 : errno;
}

// A child that stays, made by fork between two system calls of the call: it holds what the call had
// open there.
struct Straggler {
  unsigned at;  // system calls of the path to let pass first
  unsigned passed = 0;
  pid_t child = -1;
};

void fork_straggler(Step &step, void *data) {
  Straggler &straggler = *static_cast<Straggler *>(data);
  if (step.kind != Step::after_system_call || straggler.child >= 0) return;
  if (straggler.passed++ != straggler.at) return;
  straggler.child = _Fork();
  if (straggler.child == 0) {
    for (;;) pause();
  }
}

struct Call {
  Board &board;
  int error = 0;
};

void make_call(void *data) {
  Call &call = *static_cast<Call *>(data);
  call.error = call_once(call.board);
}

// Threads wait for replies of a stopped server, one of them having left a child in the middle of
// its call; then the server is killed. Every call ends.
void kill_server(Board &board, unsigned at) {
  request(board, ServerRequest::stop, ServerRequest::stopped);
  const unsigned count = board.settings.threads;
  std::atomic<unsigned> wrong{0};
  std::atomic<unsigned> ended{0};
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < count; ++i) {
    threads.emplace_back([&] {
      if (call_once(board) != EIO) ++wrong;
      ++ended;
    });
  }
  Straggler straggler{at};
  threads.emplace_back([&] {
    Call call{board};
    step_through(make_call, &call, fork_straggler, &straggler);
    if (call.error != EIO) ++wrong;
    ++ended;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  request(board, ServerRequest::kill, ServerRequest::killed);
  timespec begin{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  while (ended.load() != count && seconds_since(begin) < allowed_seconds) {
    board.heartbeat.fetch_add(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (ended.load() != count) {
    board.fail("a call hangs after the server was killed, with a child made behind system call " +
               std::to_string(at + 1));
  } else {
    board.note("the server killed: all " + std::to_string(count) + " pending calls ended after " +
               std::to_string(seconds_since(begin)) + " s");
  }
  if (straggler.child > 0) {
    kill(straggler.child, SIGKILL);
    waitpid(straggler.child, nullptr, 0);
  } else {
    board.fail("no child was made in the middle of the call");
  }
  for (std::thread &thread : threads) thread.join();
  if (wrong.load() != 0) board.fail("a pending call did not end with EIO");
  if (const int error = call_once(board); error != EIO)
    board.fail("a later call gave errno " + std::to_string(error) + " instead of EIO");
}

}  // namespace

void run_processes(Board &board) {
  const DescriptorSet before = open_descriptors();
  make_at_random(board, board.settings.milliseconds - board.settings.milliseconds / 4);
  exec_in_handlers(board, board.settings.milliseconds / 4);
  make_at_each_system_call(board);
  // Behind the first or the second system call: both leave the sending end open in the child.
  if (board.settings.door != Door::none)
    kill_server(board, static_cast<unsigned>(board.settings.seed % 2));
  const DescriptorSet now = open_descriptors();
  if (now != before) board.fail("descriptors leaked: " + describe(now & ~before));
}

}  // namespace plash::stress
