// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/call_path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "ldso-hooks/loader/conditions.h"
#include "ldso-hooks/loader/treatment.h"
#include "protocol/call.h"
#include "tools/stress/operation.h"
#include "tools/stress/stepper.h"

namespace plash::stress {
namespace {

// Open addressing; 0 is no address of an instruction.
constexpr std::size_t table_size = 1 << 13;
struct Entry {
  std::uint64_t address = 0;
  unsigned window = no_window;
};
Entry table[table_size];

std::size_t place_of(std::uint64_t address) noexcept {
  std::size_t place = (address * 0x9e3779b97f4a7c15) >> 51;
  while (table[place].address != 0 && table[place].address != address)
    place = (place + 1) % table_size;
  return place;
}

void enter(std::uint64_t address, unsigned window) noexcept {
  Entry &entry = table[place_of(address)];
  if (entry.address == 0) {
    entry = {address, window};
  } else if (entry.window != window) {
    entry.window = no_window;
  }
}

// A door may go another way once a process has made some calls.
constexpr int calls_before_another_path = 64;

struct Recorder {
  std::vector<Step> steps;
};

void record(Step &step, void *data) {
  if (step.kind != Step::after_system_call) static_cast<Recorder *>(data)->steps.push_back(step);
}

void open_once(void *data) {
  Context &context = *static_cast<Context *>(data);
  int descriptor = -1;
  if (context.board.settings.door == Door::call) {
    methods::Open::Request request;
    request.path = {"file", 4};
    methods::Open::Reply reply;
    if (invoke<methods::Open>(context.board.settings.object, request, reply) == 0)
      descriptor = reply.file;
  } else {
    descriptor = open(Fixture(context, "a/file"), O_RDONLY | O_CLOEXEC);
  }
  context.slot.operation.store(static_cast<std::uint32_t>(descriptor));
}

// Whether the loader door serves the system call whatever its arguments are.
bool is_taken_by_loader(long number) noexcept {
  const int row = static_cast<int>(number);
  return loader::row_of(row).treatment == loader::Treatment::emulated &&
         loader::rule_of(row).condition == loader::Condition::always;
}

void run_operation(void *data) {
  auto &[context, operation] = *static_cast<std::pair<Context &, const Operation &> *>(data);
  run(context, operation);
}

// The loader door blocks signals while it serves a call: one that comes meanwhile is taken when the
// system call has returned. That is the one window, with the same code in it for all calls.
void learn_taken_calls(Board &board) {
  Context context(board, board.slots[0], 0, 0, 0);
  for (const Operation &operation : operations(board.settings.door)) {
    if (operation.kind != Operation::safe) continue;
    Recorder recorder;
    recorder.steps.reserve(1 << 14);
    std::pair<Context &, const Operation &> job(context, operation);
    step_through(run_operation, &job, record, &recorder);
    for (const Step &step : recorder.steps) {
      if (step.kind != Step::before_system_call || !is_taken_by_loader(step.number)) continue;
      enter(step.address, 0);
      enter(step.address + 2, 0);
    }
  }
  constexpr std::string_view name = "a call that the loader serves";
  name.copy(board.windows[0].name, sizeof board.windows[0].name - 1);
  board.window_count.store(1);
}

const char *name_of(long number) noexcept {
  switch (number) {
    case SYS_socketpair:
      return "socketpair";
    case SYS_sendmsg:
      return "sendmsg";
    case SYS_close:
      return "close";
    case SYS_recvmsg:
      return "recvmsg";
    case SYS_openat:
      return "openat";
    default:
      return nullptr;
  }
}

// One call of open().
std::vector<Step> steps_of_open(Context &context) {
  Recorder recorder;
  recorder.steps.reserve(1 << 14);
  step_through(open_once, &context, record, &recorder);
  const int descriptor = static_cast<int>(context.slot.operation.exchange(0));
  if (descriptor >= 0) close(descriptor);
  return std::move(recorder.steps);
}

std::vector<long> system_calls_of(const std::vector<Step> &steps) {
  std::vector<long> numbers;
  for (const Step &step : steps) {
    if (step.kind == Step::before_system_call) numbers.push_back(step.number);
  }
  return numbers;
}

// Two windows for each system call, behind those that the board has.
void add_windows(Board &board, const std::vector<Step> &steps, const char *prefix) {
  const unsigned first = board.window_count.load();
  unsigned count = first;
  std::vector<std::pair<std::uint64_t, unsigned>> between;
  for (const Step &step : steps) {
    if (step.kind != Step::before_system_call) {
      if (count != first) between.emplace_back(step.address, count - 1);
      continue;
    }
    for (const auto &[address, window] : between) enter(address, window);
    between.clear();
    if (count + 2 > max_windows) break;
    const char *const name = name_of(step.number);
    char number[24];
    snprintf(number, sizeof number, "system call %ld", step.number);
    const unsigned place = (count - first) / 2 + 1;
    snprintf(board.windows[count].name, sizeof board.windows[count].name, "%s%u %s", prefix, place,
             name != nullptr ? name : number);
    snprintf(board.windows[count + 1].name, sizeof board.windows[count + 1].name,
             "%s%u instructions behind it", prefix, place);
    enter(step.address, count);
    enter(step.address + 2, count);
    count += 2;
  }
  // What lies behind the last system call is no part of the path.
  board.window_count.store(count != first ? count - 1 : count);
}

}  // namespace

void learn_call_path(Board &board) {
  Context context(board, board.slots[0], 0, 0, 0);
  // With a second thread, or having had one, libc goes other ways in some functions.
  std::thread([] {}).join();
  if (board.settings.door == Door::loader) return learn_taken_calls(board);
  const std::vector<Step> first = steps_of_open(context);
  add_windows(board, first, "");
  for (int i = 0; i < calls_before_another_path; ++i) {
    open_once(&context);
    const int descriptor = static_cast<int>(context.slot.operation.exchange(0));
    if (descriptor >= 0) close(descriptor);
  }
  const std::vector<Step> later = steps_of_open(context);
  if (system_calls_of(later) != system_calls_of(first)) add_windows(board, later, "later: ");
}

unsigned window_of(const ucontext_t &interrupted) noexcept {
  const auto address = static_cast<std::uint64_t>(interrupted.uc_mcontext.gregs[REG_RIP]);
  return table[place_of(address)].window;
}

bool count_window(Board &board, const ucontext_t &interrupted) noexcept {
  const unsigned window = window_of(interrupted);
  if (window >= board.window_count.load(std::memory_order_relaxed)) return false;
  board.windows[window].hits.fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace plash::stress
