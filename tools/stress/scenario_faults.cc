// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Each system call of each call fails in turn with each error that the kernel can give there, and
// each reply arrives in each wrong way: the call gives the errno that protocol/call.h documents,
// leaves no descriptor open, and the next one works.
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tools/stress/call_fault.h"
#include "tools/stress/descriptors.h"
#include "tools/stress/interceptor.h"
#include "tools/stress/operation.h"
#include "tools/stress/scenario.h"
#include "tools/stress/stepper.h"

namespace plash::stress {
namespace {

struct Recorder {
  std::vector<Step> system_calls;
};

void record(Step &step, void *data) {
  if (step.kind == Step::before_system_call)
    static_cast<Recorder *>(data)->system_calls.push_back(step);
}

struct Injection {
  const Fault *fault;
  std::size_t index;   // of the system call, in the order of the operation
  std::size_t passed;  // so far
  bool done;
};

void inject(Step &step, void *data) {
  Injection &injection = *static_cast<Injection *>(data);
  if (step.kind == Step::before_system_call) {
    if (injection.passed++ != injection.index || step.number != injection.fault->number) return;
    injection.done = true;
    injection.fault->before(step);
  } else if (step.kind == Step::after_system_call && injection.done &&
             injection.passed == injection.index + 1) {
    injection.fault->after(step);
  }
}

struct Job {
  Context &context;
  const Operation &operation;
};

void run_job(void *data) {
  const Job &job = *static_cast<Job *>(data);
  run(job.context, job.operation);
}

bool starts_call(const Step &step) {
  return step.number == SYS_socketpair && step.arguments[0] == AF_UNIX &&
         step.arguments[1] == (SOCK_SEQPACKET | SOCK_CLOEXEC);
}

class Injector {
 public:
  explicit Injector(Board &board)
      : board_(board), context_(board, board.slots[0], 0, 0, 0), before_(open_descriptors()) {
    context_.timed = false;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t calls() const { return calls_; }

  void try_operation(const Operation &operation) {
    Recorder recorder;
    visit_system_calls(operation, record, &recorder);
    const auto &made = recorder.system_calls;
    for (std::size_t at = 0; at < made.size(); ++at) {
      if (!starts_call(made[at])) continue;
      ++calls_;
      // The call ends with the second close of its own.
      unsigned closed = 0;
      for (std::size_t i = at; i < made.size() && closed < 2; ++i) {
        if (made[i].number == SYS_close) ++closed;
        for (const Fault &fault : faults(board_.settings.door)) {
          if (fault.number != made[i].number) continue;
          try_fault(operation, fault, i);
          if (board_.failure_count.load() >= max_failures) return;
        }
      }
    }
  }

 private:
  // With the same random choices each time, so that the same system calls are made.
  void visit_system_calls(const Operation &operation, Visitor visitor, void *data) {
    context_.random = Random(board_.settings.seed);
    Job job{context_, operation};
    // Stepping gets to the same places, only slower.
    if (!intercept(run_job, &job, visitor, data)) step_through(run_job, &job, visitor, data);
  }

  void try_fault(const Operation &operation, const Fault &fault, std::size_t index) {
    const std::string what = std::string(operation.name) + ", system call " +
                             std::to_string(index + 1) + ", " + fault.name;
    context_.tolerated =
        fault.result != 0 ? std::span<const int>(&fault.result, 1) : std::span<const int>();
    context_.tolerated_count = 0;
    const std::uint32_t failures = board_.failure_count.load();
    Injection injection{&fault, index, 0, false};
    visit_system_calls(operation, inject, &injection);
    ++count_;
    if (board_.failure_count.load() != failures) board_.fail("so with " + what);
    if (!injection.done) {
      board_.fail(what + ": the operation did not come to it again");
    } else if (fault.result != 0 && context_.tolerated_count == 0) {
      board_.fail(what + ": no call failed");
    }
    context_.tolerated = {};
    sweep(context_);
    const DescriptorSet now = open_descriptors();
    if (now != before_) {
      board_.fail(what + ": descriptors leaked: " + describe(now & ~before_) +
                  "; lost: " + describe(before_ & ~now));
      close_others(before_);
    }
    run(context_, operation);  // the next one works
  }

  Board &board_;
  Context context_;
  DescriptorSet before_;
  std::uint64_t count_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace

void run_faults(Board &board) {
  Injector injector(board);
  for (const Operation &operation : operations(board.settings.door)) {
    if (operation.kind != Operation::safe) continue;
    injector.try_operation(operation);
    if (board.failure_count.load() >= max_failures) return;
  }
  board.note(std::to_string(injector.calls()) + " calls, " + std::to_string(injector.count()) +
             " faults injected");
  const Door door = board.settings.door;
  // Natively there is no call path; through the loader door it lies where no handler of the
  // program's can see it.
  if (injector.count() == 0 && door != Door::none && door != Door::loader)
    board.fail("no call was found to inject a fault into");
}

}  // namespace plash::stress
