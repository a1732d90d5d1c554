// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Ways out of the middle of a call: siglongjmp(), cancellation, pthread_exit(), exit() and abort().
// A call that is left never closes what it has open: that is at most two descriptors, for one call,
// and no more may leak.
#include "tools/stress/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "protocol/call.h"
#include "tools/stress/descriptors.h"
#include "tools/stress/signals.h"

namespace plash::stress {
namespace {

// socketpair's two; or the receiving end and the reply's descriptor. Natively the one that open()
// has made.
constexpr unsigned descriptors_of_a_call = 2;
constexpr int exit_status = 7;

// The plain call. Not by invoke(), which is noexcept and may be inlined: cancellation unwinds the
// stack.
int open_by_call(int object, std::uint64_t flags) {
  const std::uint64_t words[] = {0, 0, flags, 0, 0, 0};
  std::uint64_t reply_word = 0;
  int descriptor = -1;
  Call message;
  message.code = methods::Open::code;
  message.words = words;
  message.word_count = std::size(words);
  message.reply_words = &reply_word;
  message.reply_word_count = 1;
  message.reply_descriptors = &descriptor;
  message.reply_descriptor_count = 1;
  return call(object, message) == 0 ? descriptor : -1;
}

// Calls that hold nothing but what the call itself has open, and leave no name behind.
void call_once(Context &context) {
  const bool by_call = context.board.settings.door == Door::call;
  const int descriptor = by_call
                             ? open_by_call(context.board.settings.object, context.random.next())
                             : open(Fixture(context, "a/file"), O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) {
    close(descriptor);
  } else if (!by_call) {  // the small server refuses now and then
    context.fail("open failed");
  }
  struct stat status {};
  if (!by_call && stat(Fixture(context, "b/link"), &status) != 0) context.fail("stat failed");
  context.slot.calls.fetch_add(1, std::memory_order_relaxed);
  context.board.heartbeat.fetch_add(1, std::memory_order_relaxed);
}

// Counts what has leaked since, closes it and holds it to the bound.
class Leaks {
 public:
  Leaks(Board &board, const char *way) : board_(board), way_(way), before_(open_descriptors()) {}
  Leaks(const Leaks &) = delete;
  Leaks &operator=(const Leaks &) = delete;
  ~Leaks() {
    board_.note(std::string(way_) + ": " + std::to_string(ways_out_) + " times, " +
                std::to_string(leaked_) + " descriptors leaked, " +
                std::to_string(descriptors_of_a_call) + " each allowed");
  }

  void account(unsigned ways_out) {
    const DescriptorSet lost = before_ & ~open_descriptors();
    const unsigned leaked = static_cast<unsigned>(close_others(before_));
    ways_out_ += ways_out;
    leaked_ += leaked;
    if (lost.any()) board_.fail(std::string(way_) + ": descriptors lost: " + describe(lost));
    if (leaked > ways_out * descriptors_of_a_call)
      board_.fail(std::string(way_) + ", " + std::to_string(ways_out) +
                  " times: " + std::to_string(leaked) + " descriptors leaked");
  }

 private:
  Board &board_;
  const char *way_;
  DescriptorSet before_;
  std::uint64_t ways_out_ = 0;
  std::uint64_t leaked_ = 0;
};

sigjmp_buf jump_target;
std::atomic<bool> may_jump;
unsigned jumps = 0;
Leaks *jump_leaks = nullptr;

void jump(Context &context) noexcept {
  context.board.heartbeat.fetch_add(1, std::memory_order_relaxed);
  if (may_jump.load()) {
    may_jump.store(false);
    siglongjmp(jump_target, 1);
  }
}

void call_until_jump(Context &context) {
  if (sigsetjmp(jump_target, 1) == 0) {
    may_jump.store(true);
    // The signal that would have made it jump may have come a moment too early to do so, and the
    // run have ended since, so that no other follows.
    while (!run_is_ending()) call_once(context);
    may_jump.store(false);
    return;
  }
  ++jumps;
  if (jumps % 64 == 0) jump_leaks->account(64);
  resume_after_jump();
}

void leave_by_jump(Board &board, std::uint64_t milliseconds) {
  for (const bool alternate : {false, true}) {
    Leaks leaks(board, alternate ? "siglongjmp from an alternate stack" : "siglongjmp");
    jump_leaks = &leaks;
    jumps = 0;
    may_jump.store(false);
    HandlerStyle style{};
    style.restart = true;
    style.alternate_stack = alternate;
    style.max_depth = 1;
    style.rate = 2000;
    style.threads = 1;
    run_interrupted(board, style, board.settings.seed, milliseconds / 2, call_until_jump, jump);
    leaks.account(jumps % 64);
  }
}

// What a thread that is to be ended does.
struct Victim {
  Context &context;
  int cancel_type;
  std::atomic<bool> ready{false};
};

void *work_until_ended(void *data) {
  Victim &victim = *static_cast<Victim *>(data);
  int old = 0;
  pthread_setcanceltype(victim.cancel_type, &old);
  victim.ready.store(true);
  for (;;) {
    call_once(victim.context);
    pthread_testcancel();
  }
}

void sleep_up_to(Random &random, std::uint64_t nanoseconds) {
  const timespec delay{0, static_cast<long>(random.below(nanoseconds))};
  nanosleep(&delay, nullptr);
}

void exit_thread(int, siginfo_t *, void *) { pthread_exit(PTHREAD_CANCELED); }

enum class End { deferred, asynchronous, exit };

void end_thread(Board &board, const char *way, End end, std::uint64_t milliseconds) {
  struct sigaction action {};
  action.sa_sigaction = exit_thread;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGUSR2, &action, nullptr);
  Random random(board.settings.seed);
  Leaks leaks(board, way);
  timespec begin{};
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    Context context(board, board.slots[0], random.next(), 0, 0);
    context.timed = false;
    Victim victim{context,
                  end == End::asynchronous ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED};
    pthread_t thread;
    if (pthread_create(&thread, nullptr, work_until_ended, &victim) != 0) {
      board.fail("pthread_create failed");
      return;
    }
    while (!victim.ready.load()) sched_yield();
    sleep_up_to(random, 300'000);
    const int error = end == End::exit ? pthread_kill(thread, SIGUSR2) : pthread_cancel(thread);
    void *result = nullptr;
    if (error != 0 || pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED)
      board.fail(std::string(way) + ": the thread ended in another way");
    board.slots[0].signals.fetch_add(1);
    leaks.account(1);
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1'000'000 <
               static_cast<long>(milliseconds) &&
           board.failure_count.load() < max_failures);
}

void handle_exit(int) { exit(exit_status); }
void handle_abort(int) { abort(); }

// In a child, which a handler ends in the middle of its calls.
void end_process(Board &board, const char *way, void (*handler)(int), bool (*is_right)(int),
                 unsigned times) {
  Random random(board.settings.seed);
  for (unsigned i = 0; i < times; ++i) {
    Context context(board, board.slots[0], random.next(), 0, 0);
    context.timed = false;
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) return board.fail("pipe2 failed");
    const pid_t child = fork();
    if (child == 0) {
      struct sigaction action {};
      action.sa_handler = handler;
      sigaction(SIGUSR2, &action, nullptr);
      if (write(ready[1], "", 1) != 1) _exit(1);
      for (;;) call_once(context);
    }
    close(ready[1]);
    char byte;
    if (read(ready[0], &byte, 1) != 1) board.fail("the child did not start");
    close(ready[0]);
    sleep_up_to(random, 300'000);
    kill(child, SIGUSR2);
    int status = 0;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    if (!is_right(status))
      board.fail(std::string(way) + ": the process ended with wait status " +
                 std::to_string(status));
  }
  board.note(std::string(way) + ": " + std::to_string(times) + " times");
}

}  // namespace

void run_jumps(Board &board) {
  const std::uint64_t each = std::max<std::uint64_t>(200, board.settings.milliseconds / 5);
  const unsigned times = static_cast<unsigned>(each / 10);
  leave_by_jump(board, each);
  end_thread(board, "pthread_cancel, deferred", End::deferred, each);
  end_thread(board, "pthread_cancel, asynchronous", End::asynchronous, each);
  end_thread(board, "pthread_exit in a handler", End::exit, each);
  end_process(
      board, "exit in a handler", handle_exit,
      [](int status) { return WIFEXITED(status) && WEXITSTATUS(status) == exit_status; }, times);
  end_process(
      board, "abort in a handler", handle_abort,
      [](int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT; }, times);
}

}  // namespace plash::stress
