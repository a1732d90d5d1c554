// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Threads that work while timers interrupt them, and the handlers that work in between.
#pragma once

#include <signal.h>
#include <time.h>

#include <memory>
#include <vector>

#include "tools/stress/board.h"
#include "tools/stress/operation.h"

namespace plash::stress {

// How handlers are installed.
struct HandlerStyle {
  bool restart;          // SA_RESTART
  bool alternate_stack;  // SA_ONSTACK on a stack of the smallest size
  unsigned max_depth;    // more than 1: SA_NODEFER, up to so many within each other
  unsigned rate;         // signals a second and thread
  unsigned threads;
};

// Memory for a signal stack, with a page below it that cannot be touched.
class SignalStack {
 public:
  // size in bytes. Throws std::system_error.
  explicit SignalStack(std::size_t size);
  ~SignalStack();
  SignalStack(const SignalStack &) = delete;
  SignalStack &operator=(const SignalStack &) = delete;
  void install() const noexcept;  // for the calling thread

 private:
  char *memory_;
  std::size_t size_;
};

// What a thread of the worker is: a context for its own work and one for each level of handlers.
class Worker {
 public:
  Worker(Board &board, unsigned index, std::uint64_t seed);
  Context &context() noexcept { return *contexts_[0]; }
  Context &context_at(unsigned depth) noexcept { return *contexts_[depth]; }

  unsigned depth = 0;

 private:
  std::vector<std::unique_ptr<Context>> contexts_;
};

constexpr unsigned max_handler_depth = 8;

// Runs style.threads threads that call body(context) again and again for the given time, each
// interrupted by a timer of its own, and all by one of the process. Handlers run handler(context)
// of their level. Afterwards no thread and no timer is left.
void run_interrupted(Board &board, const HandlerStyle &style, std::uint64_t seed,
                     std::uint64_t milliseconds, void (*body)(Context &),
                     void (*handler)(Context &));

// Whether no signals follow any more: a body that does not return by itself must.
bool run_is_ending() noexcept;

// To be called by a body that a handler has left by siglongjmp(): sets what the handler would have
// set on its way back.
void resume_after_jump() noexcept;

}  // namespace plash::stress
