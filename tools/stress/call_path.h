// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where in a call a signal has arrived. The path of one call of open() is learned once, by
// single-stepping through it: which system calls it makes and which instructions lie between them.
// A handler then looks up the interrupted instruction. Works on any door without knowing it:
// natively, open() has the one window of its one system call, and so have all calls of the loader
// door, which serves them with signals blocked.
#pragma once

#include <ucontext.h>

#include "tools/stress/board.h"

namespace plash::stress {

constexpr unsigned no_window = ~0u;

// Fills in the board's windows: for each system call of the path one in which the call itself was
// interrupted (or has just returned) and one for the instructions between it and the next; the same
// again where later calls take another path than the first. Not async-signal-safe; before there are
// threads.
void learn_call_path(Board &board);

// The window that the interrupted instruction lies in; no_window outside the path, or where it is
// the same code as elsewhere on the path. Async-signal-safe.
unsigned window_of(const ucontext_t &interrupted) noexcept;

// Counts a signal in its window; whether a call was in flight. Async-signal-safe.
bool count_window(Board &board, const ucontext_t &interrupted) noexcept;

}  // namespace plash::stress
