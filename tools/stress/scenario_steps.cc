// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Between every two instructions of each operation, and behind each system call, a handler makes
// calls, of each kind in turn. Exhaustive in the points at which it interrupts.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "ldso-hooks/loader/layout.h"
#include "tools/stress/descriptors.h"
#include "tools/stress/operation.h"
#include "tools/stress/scenario.h"
#include "tools/stress/stepper.h"
#include "tools/stress/tracer.h"

namespace plash::stress {
namespace {

constexpr int injected_signal = SIGUSR1;

struct Interruption {
  Context &context;
  std::span<const Operation> all;
  std::size_t next;  // operation to interrupt with
  pid_t process;
  std::uint64_t points;
};

void interrupt(Step &, void *data) {
  Interruption &interruption = *static_cast<Interruption *>(data);
  Context &context = interruption.context;
  if (const pid_t process = getpid(); process != interruption.process) {
    // In a child: parent and child are not to use the same names.
    interruption.process = process;
    context.enter_child();
  }
  ++interruption.points;
  context.slot.signals.fetch_add(1, std::memory_order_relaxed);
  const int lowest = lowest_free_descriptor();
  do {
    interruption.next = (interruption.next + 1) % interruption.all.size();
  } while (interruption.all[interruption.next].kind != Operation::safe);
  run(context, interruption.all[interruption.next]);
  if (lowest_free_descriptor() != lowest) context.fail("left a descriptor open");
}

struct Job {
  Context &context;
  const Operation &operation;
};

void run_job(void *data) {
  const Job &job = *static_cast<Job *>(data);
  run(job.context, job.operation);
}

// posix_spawn() blocks all signals, that of the stepping too, which the kernel answers by ending
// the process.
bool can_be_stepped(const Operation &operation) {
  return (operation.kind == Operation::safe || operation.kind == Operation::process) &&
         std::string_view(operation.name) != "posix_spawn";
}

// What lies in the loader, where no handler of the program sees an instruction.
struct TracedRun {
  Board &board;
  Context outer;
  Interruption interruption;
  Interruptions *shared;
};
TracedRun *traced_run = nullptr;

void handle_injected(int, siginfo_t *, void *context) noexcept {
  note_interruption(*traced_run->shared, context);
  Step none{};
  interrupt(none, &traced_run->interruption);
  leave_handler();
}

void run_traced_operations(void *) {
  TracedRun &run = *traced_run;
  struct sigaction action {};
  action.sa_sigaction = handle_injected;
  action.sa_flags = SA_SIGINFO;
  sigaction(injected_signal, &action, nullptr);
  run.interruption.process = getpid();
  const DescriptorSet before = open_descriptors();
  for (const Operation &operation : operations(run.board.settings.door)) {
    if (operation.kind != Operation::safe) continue;
    Job job{run.outer, operation};
    begin_visits();
    run_job(&job);
    end_visits();
    const DescriptorSet now = open_descriptors();
    if (now != before)
      run.board.fail(std::string(operation.name) +
                     ": descriptors leaked: " + describe(now & ~before));
    if (run.board.failure_count.load() >= max_failures) return;
  }
}

void step_through_loader(Board &board, Context &inner) {
  auto *const shared = static_cast<Interruptions *>(shared_memory(sizeof(Interruptions)));
  const auto all = operations(board.settings.door);
  TracedRun run{
      board, {board, board.slots[0], board.settings.seed, 0, 0}, {inner, all, 0, 0, 0}, shared};
  run.outer.timed = false;
  traced_run = &run;
  const int status = run_interrupted_by_tracer(run_traced_operations, nullptr, injected_signal,
                                               loader::image_start, loader::image_limit, *shared);
  if (status != 0) board.fail("the traced child ended with wait status " + std::to_string(status));
  if (shared->points == 0 || shared->handled == 0)
    board.fail("no instruction of the loader's seen");
  board.note(std::to_string(shared->points) + " points in the loader, a signal sent at each; " +
             std::to_string(shared->handled) + " handlers run");
  munmap(shared, sizeof(Interruptions));
}

}  // namespace

void run_steps(Board &board) {
  const auto all = operations(board.settings.door);
  Context outer(board, board.slots[0], board.settings.seed, 0, 0);
  Context inner(board, board.slots[1], board.settings.seed + 1, 0, 1);
  outer.timed = false;
  const DescriptorSet before = open_descriptors();
  std::uint64_t points = 0;
  for (const Operation &operation : all) {
    if (!can_be_stepped(operation)) continue;
    Interruption interruption{inner, all, static_cast<std::size_t>(&operation - all.data()),
                              getpid(), 0};
    Job job{outer, operation};
    step_through(run_job, &job, interrupt, &interruption);
    points += interruption.points;
    const DescriptorSet now = open_descriptors();
    if (now != before) {
      board.fail(std::string(operation.name) + ": descriptors leaked: " + describe(now & ~before));
      close_others(before);
    }
    if (board.failure_count.load() >= max_failures) return;
  }
  board.note(std::to_string(points) + " points between instructions, a handler run at each");
  if (board.settings.door == Door::loader) step_through_loader(board, inner);
}

}  // namespace plash::stress
