// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/signals.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>

#include "tools/stress/call_path.h"

namespace plash::stress {
namespace {

constexpr int thread_signal = SIGUSR1;
constexpr int process_signal = SIGALRM;

// What an operation needs on the stack, besides the kernel's frame: the engine's 2 KiB and its own.
constexpr std::size_t operation_stack = 2048 + 4096;

// Of the current run.
Board *current_board = nullptr;
HandlerStyle current_style;
void (*current_handler)(Context &) = nullptr;
std::atomic<bool> stopping;
std::atomic<unsigned> ready;  // threads that exist

thread_local Worker *this_worker = nullptr;
thread_local timer_t this_timer = nullptr;

// Around the set interval, so that signals do not keep step with calls.
long delay_nanoseconds(Random &random) noexcept {
  const std::uint64_t interval = 1'000'000'000 / current_style.rate;
  return static_cast<long>(interval / 2 + random.below(interval));
}

void arm_thread_timer(Random &random) noexcept {
  itimerspec time{};
  time.it_value.tv_nsec = delay_nanoseconds(random);
  timer_settime(this_timer, 0, &time, nullptr);
}

void arm_process_timer(Random &random) noexcept {
  itimerval time{};
  time.it_value.tv_usec = delay_nanoseconds(random) / 1000 + 1;
  setitimer(ITIMER_REAL, &time, nullptr);
}

// The timers fire once and are set again here: a handler that takes longer than the interval would
// otherwise leave the thread no instruction between two signals.
void handle(int signal, siginfo_t *, void *interrupted) noexcept {
  const int error = errno;
  Worker *const worker = this_worker;
  if (worker != nullptr) {
    Context &outer = worker->context();
    outer.slot.signals.fetch_add(1, std::memory_order_relaxed);
    count_window(*current_board, *static_cast<const ucontext_t *>(interrupted));
    const bool again = !stopping.load(std::memory_order_relaxed);
    Context &context = worker->context_at(
        worker->depth < current_style.max_depth ? worker->depth + 1 : worker->depth);
    if (worker->depth < current_style.max_depth) {
      ++worker->depth;
      if (again && current_style.max_depth > 1) arm_thread_timer(context.random);
      current_handler(context);
      --worker->depth;
    }
    if (again) {
      signal == process_signal ? arm_process_timer(context.random)
                               : arm_thread_timer(context.random);
    }
  }
  errno = error;
}

void install(int signal) {
  struct sigaction action {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | (current_style.restart ? SA_RESTART : 0) |
                    (current_style.alternate_stack ? SA_ONSTACK : 0) |
                    (current_style.max_depth > 1 ? SA_NODEFER : 0);
  sigemptyset(&action.sa_mask);
  if (current_style.max_depth == 1) {
    sigaddset(&action.sa_mask, thread_signal);
    sigaddset(&action.sa_mask, process_signal);
  }
  if (sigaction(signal, &action, nullptr) != 0)
    throw std::system_error(errno, std::generic_category(), "sigaction");
}

void set_blocked(bool blocked) noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, thread_signal);
  sigaddset(&set, process_signal);
  pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr);
}

std::size_t stack_size() {
  return (getauxval(AT_MINSIGSTKSZ) + operation_stack) * current_style.max_depth;
}

void work(Worker &worker, void (*body)(Context &)) {
  std::unique_ptr<SignalStack> stack;
  if (current_style.alternate_stack) {
    stack = std::make_unique<SignalStack>(stack_size());
    stack->install();
  }
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = thread_signal;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  if (timer_create(CLOCK_MONOTONIC, &event, &this_timer) != 0)
    throw std::system_error(errno, std::generic_category(), "timer_create");
  this_worker = &worker;
  Context &context = worker.context();
  // A thread that is interrupted all the time may hold a lock of libc for long: no signal before
  // all threads are there.
  ready.fetch_add(1);
  while (ready.load() < current_style.threads) sched_yield();
  arm_thread_timer(context.random);
  set_blocked(false);
  while (!stopping.load(std::memory_order_relaxed)) body(context);
  set_blocked(true);
  timer_delete(this_timer);
  this_worker = nullptr;
  if (stack) {
    const stack_t none{nullptr, SS_DISABLE, 0};
    sigaltstack(&none, nullptr);
  }
}

}  // namespace

SignalStack::SignalStack(std::size_t size) {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  size_ = (size + page - 1) / page * page + page;
  void *const memory =
      mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  memory_ = static_cast<char *>(memory);
  mprotect(memory_, page, PROT_NONE);
  // The stack proper starts right above the page, so that one byte too many is seen.
  size_ = size + page;
}

SignalStack::~SignalStack() { munmap(memory_, size_); }

void SignalStack::install() const noexcept {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const stack_t stack{memory_ + page, 0, size_ - page};
  sigaltstack(&stack, nullptr);
}

Worker::Worker(Board &board, unsigned index, std::uint64_t seed) {
  Random random(seed ^ (std::uint64_t{index} << 32));
  for (unsigned level = 0; level <= max_handler_depth; ++level)
    contexts_.push_back(
        std::make_unique<Context>(board, board.slots[index], random.next(), index, level));
}

bool run_is_ending() noexcept { return stopping.load(std::memory_order_relaxed); }

void resume_after_jump() noexcept {
  this_worker->depth = 0;
  Random &random = this_worker->context().random;
  arm_thread_timer(random);
  arm_process_timer(random);
}

void run_interrupted(Board &board, const HandlerStyle &style, std::uint64_t seed,
                     std::uint64_t milliseconds, void (*body)(Context &),
                     void (*handler)(Context &)) {
  current_board = &board;
  current_style = style;
  current_handler = handler;
  stopping.store(false);
  ready.store(0);
  set_blocked(true);
  install(thread_signal);
  install(process_signal);
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  Random random(seed);
  for (unsigned i = 0; i < style.threads; ++i)
    workers.push_back(std::make_unique<Worker>(board, i, seed));
  for (const auto &worker : workers) threads.emplace_back(work, std::ref(*worker), body);
  while (ready.load() < style.threads) sched_yield();
  arm_process_timer(random);
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  stopping.store(true);
  for (std::thread &thread : threads) thread.join();
  const itimerval none{};
  setitimer(ITIMER_REAL, &none, nullptr);
  // One that came while all threads blocked it.
  const timespec at_once{};
  sigset_t pending;
  sigemptyset(&pending);
  sigaddset(&pending, process_signal);
  while (sigtimedwait(&pending, nullptr, &at_once) > 0) {
  }
}

}  // namespace plash::stress
