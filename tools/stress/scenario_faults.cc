// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Each system call of each call fails in turn with each error that the kernel can give there, and
// each reply arrives in each wrong way: the call gives the errno that protocol/call.h documents,
// leaves no descriptor open, and the next one works.
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "protocol/packet.h"
#include "tools/stress/call_fault.h"
#include "tools/stress/descriptors.h"
#include "tools/stress/interceptor.h"
#include "tools/stress/operation.h"
#include "tools/stress/scenario.h"
#include "tools/stress/stepper.h"
#include "tools/stress/tracer.h"

namespace plash::stress {
namespace {

constexpr int calls_before_kept_ones = 24;

// What is to be done at the system calls of an operation: noted, or one of them spoiled. Shared
// with the tracer, where there is one.
struct Plan {
  static constexpr std::size_t room = 4096;
  const Fault *fault;  // null: they are noted
  std::size_t index;   // of the system call, in the order of the operation
  std::size_t passed;  // so far
  bool done;
  bool ended;
  Step made[room];
  bool sends_request[room];
};

bool is_request(const Step &step, const Subject &subject) {
  if (step.number != SYS_sendmsg) return false;
  msghdr message;
  subject.load(&message, reinterpret_cast<const msghdr *>(step.arguments[1]), sizeof message);
  if (message.msg_iovlen == 0) return false;
  iovec part;
  subject.load(&part, message.msg_iov, sizeof part);
  std::uint32_t magic = 0;
  if (part.iov_len < sizeof(PacketHeader)) return false;
  subject.load(&magic, part.iov_base, sizeof magic);
  return magic == packet_magic;
}

// Where a fault is to last, it does so until the call closes its first descriptor, or the next one
// is made. The pauses between its tries are left out.
bool lasts(Step &step, Plan &plan) {
  const Fault::Kind kind = plan.fault->kind;
  if ((kind != Fault::always && kind != Fault::ended) || !plan.done || plan.ended) return false;
  plan.ended = step.number == SYS_close || (kind == Fault::ended && step.number == SYS_sendmsg);
  step.skip = step.number == SYS_ppoll;
  return step.number == plan.fault->number && !plan.ended;
}

// Whether there is more to do.
bool visit(Step &step, const Subject &subject, void *data) {
  Plan &plan = *static_cast<Plan *>(data);
  // By these the loader asks about each page of a path, so that there are more of them where the
  // path, which is not always at the same place, lies across two.
  if (step.number == SYS_rt_sigprocmask) return true;
  // A process that has no connections asks now and then whether it could have some.
  if (step.number == SYS_unshare) return true;
  if (step.kind == Step::before_system_call) {
    const std::size_t index = plan.passed++;
    if (plan.fault == nullptr) {
      if (index >= Plan::room) return true;
      plan.made[index] = step;
      plan.sends_request[index] = is_request(step, subject);
    } else if ((index == plan.index && step.number == plan.fault->number) || lasts(step, plan)) {
      plan.index = index;
      plan.fault->before(step, subject, plan.done);
      plan.done = true;
    }
  } else if (step.kind == Step::after_system_call && plan.done && plan.passed == plan.index + 1) {
    plan.fault->after(step, subject);
    return plan.fault->kind == Fault::always || plan.fault->kind == Fault::ended;
  }
  return true;
}

void visit_here(Step &step, void *data) {
  const OwnProcess here;
  visit(step, here, data);
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

// A call over a connection: where in an operation it sends and receives.
struct KeptCall {
  std::size_t request;
  std::size_t reply;
};

std::vector<KeptCall> kept_calls_in(const Plan &noted) {
  std::vector<KeptCall> calls;
  const std::size_t size = std::min(noted.passed, Plan::room);
  for (std::size_t at = 0; at < size; ++at) {
    if (!noted.sends_request[at] || (at != 0 && starts_call(noted.made[at - 1]))) continue;
    std::size_t reply = at + 1;
    while (reply < size && noted.made[reply].number != SYS_recvmsg) ++reply;
    calls.push_back({at, reply});
  }
  return calls;
}

void fail_kept_call(Board &board, const Operation &operation, const Fault &fault, int status) {
  board.fail(std::string(operation.name) + ", kept call, " + fault.name + ": wait status " +
             std::to_string(status));
}

class Injector {
 public:
  Injector(Board &board, Plan &plan, bool traced)
      : board_(board),
        plan_(plan),
        context_(board, board.slots[0], 0, 0, 0),
        before_(open_descriptors()),
        traced_(traced) {
    context_.timed = false;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t calls() const { return calls_; }

  void try_operation(const Operation &operation) {
    run(context_, operation);  // what only a first time needs is not noted
    visit_system_calls(operation, nullptr, 0);
    const std::size_t size = std::min(plan_.passed, Plan::room);
    const std::vector<Step> made(plan_.made, plan_.made + size);
    const std::vector<KeptCall> kept_calls = kept_calls_in(plan_);
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
    for (const KeptCall &call : kept_calls) {
      ++kept_calls_;
      for (const Fault &fault : faults_of_kept_calls()) {
        if (board_.failure_count.load() >= max_failures) return;
        const pid_t child = fork();
        if (child == 0) {
          try_kept_call(operation, fault, call);
          _exit(0);
        }
        int status = 0;
        while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
        }
        ++count_;
        if (status != 0) fail_kept_call(board_, operation, fault, status);
      }
    }
  }

  std::uint64_t kept_calls() const { return kept_calls_; }

  // In a process of its own: some faults cost a connection.
  void try_kept_call(const Operation &operation, const Fault &fault, const KeptCall &call) {
    open_connections();
    before_ = open_descriptors();
    try_fault(operation, fault, fault.number == SYS_sendmsg ? call.request : call.reply);
  }

  // The system calls of the operation in a process that has connections.
  void note_kept_calls(const Operation &operation) {
    open_connections();
    run(context_, operation);
    visit_system_calls(operation, nullptr, 0);
  }

 private:
  // A process does so after some calls.
  void open_connections() {
    for (int i = 0; i < calls_before_kept_ones; ++i)
      run(context_, operations(board_.settings.door).front());
  }

  // With the same random choices each time, so that the same system calls are made.
  void visit_system_calls(const Operation &operation, const Fault *fault, std::size_t index) {
    context_.random = Random(board_.settings.seed);
    plan_.fault = fault;
    plan_.index = index;
    plan_.passed = 0;
    plan_.done = plan_.ended = false;
    Job job{context_, operation};
    if (traced_) {
      begin_visits();
      run_job(&job);
      end_visits();
    } else if (!intercept(run_job, &job, visit_here, &plan_)) {
      // Stepping gets to the same places, only slower.
      step_through(run_job, &job, visit_here, &plan_);
    }
  }

  void try_fault(const Operation &operation, const Fault &fault, std::size_t index) {
    const std::string what = std::string(operation.name) + ", system call " +
                             std::to_string(index + 1) + ", " + fault.name;
    context_.tolerated =
        fault.result != 0 ? std::span<const int>(&fault.result, 1) : std::span<const int>();
    context_.tolerated_count = 0;
    const std::uint32_t failures = board_.failure_count.load();
    visit_system_calls(operation, &fault, index);
    ++count_;
    if (board_.failure_count.load() != failures) board_.fail("so with " + what);
    if (!plan_.done) {
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
  Plan &plan_;
  Context context_;
  DescriptorSet before_;
  bool traced_;
  std::uint64_t count_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t kept_calls_ = 0;
};

void inject_faults(Board &board, Plan &plan, bool traced) {
  Injector injector(board, plan, traced);
  for (const Operation &operation : operations(board.settings.door)) {
    if (operation.kind != Operation::safe) continue;
    injector.try_operation(operation);
    if (board.failure_count.load() >= max_failures) return;
  }
  board.note(std::to_string(injector.calls()) + " calls" +
             (injector.kept_calls() != 0
                  ? " and " + std::to_string(injector.kept_calls()) + " over kept connections"
                  : "") +
             ", " + std::to_string(injector.count()) + " faults injected");
  // Natively there is no call path.
  if (injector.count() == 0 && board.settings.door != Door::none)
    board.fail("no call was found to inject a fault into");
}

struct Traced {
  Board &board;
  Plan &plan;
};

void inject_faults_traced(void *data) {
  const Traced &traced = *static_cast<Traced *>(data);
  // Whoever shares its memory has no connections.
  std::thread([] {
    for (;;) pause();
  }).detach();
  inject_faults(traced.board, traced.plan, true);
}

struct TracedKeptCall {
  Board &board;
  Plan &plan;
  const Operation &operation;
  const Fault *fault;  // null: its system calls are noted
  KeptCall call;
};

void visit_kept_call_traced(void *data) {
  const TracedKeptCall &kept = *static_cast<TracedKeptCall *>(data);
  Injector injector(kept.board, kept.plan, true);
  if (kept.fault == nullptr) {
    injector.note_kept_calls(kept.operation);
  } else {
    injector.try_kept_call(kept.operation, *kept.fault, kept.call);
  }
}

// What the traced child does not come to: each time it is another one.
void inject_faults_into_kept_calls_traced(Board &board, Plan &plan) {
  std::uint64_t calls = 0;
  std::uint64_t count = 0;
  for (const Operation &operation : operations(board.settings.door)) {
    if (operation.kind != Operation::safe) continue;
    TracedKeptCall kept{board, plan, operation, nullptr, {}};
    run_traced(visit_kept_call_traced, &kept, visit, &plan);
    const std::vector<KeptCall> kept_calls = kept_calls_in(plan);
    if (kept_calls.empty() && calls == 0) return;
    for (const KeptCall &call : kept_calls) {
      ++calls;
      kept.call = call;
      for (const Fault &fault : faults_of_kept_calls()) {
        if (board.failure_count.load() >= max_failures) return;
        kept.fault = &fault;
        const int status = run_traced(visit_kept_call_traced, &kept, visit, &plan);
        ++count;
        if (status != 0) fail_kept_call(board, operation, fault, status);
      }
    }
  }
  board.note(std::to_string(calls) + " calls over kept connections, " + std::to_string(count) +
             " faults injected");
}

}  // namespace

void run_faults(Board &board) {
  auto *const plan = static_cast<Plan *>(shared_memory(sizeof(Plan)));
  faults(board.settings.door);  // made before there are two processes
  faults_of_kept_calls();
  if (board.settings.door == Door::loader) {
    Traced traced{board, *plan};
    const int status = run_traced(inject_faults_traced, &traced, visit, plan);
    if (status != 0)
      board.fail("the traced child ended with wait status " + std::to_string(status));
    inject_faults_into_kept_calls_traced(board, *plan);
  } else {
    inject_faults(board, *plan, false);
  }
  munmap(plan, sizeof(Plan));
}

}  // namespace plash::stress
