// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Signals from timers of the process and of each thread, at all rates, with handlers installed in
// every way, each of which makes calls that are checked.
#include <algorithm>

#include "tools/stress/descriptors.h"
#include "tools/stress/scenario.h"
#include "tools/stress/signals.h"

namespace plash::stress {
namespace {

constexpr std::uint64_t epoch_milliseconds = 250;
// Short handlers leave the threads, whose calls are to be interrupted, the larger part of the time.
constexpr unsigned rates[] = {20'000, 1'000, 20'000, 10'000, 20'000, 5'000, 2'000};

}  // namespace

void run_timers(Board &board) {
  const DescriptorSet before = open_descriptors();
  Random random(board.settings.seed);
  const std::uint64_t epochs =
      std::max<std::uint64_t>(1, board.settings.milliseconds / epoch_milliseconds);
  // The combinations in turn, so that the first eight epochs see each.
  for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
    HandlerStyle style{};
    style.threads = board.settings.threads;
    style.restart = (epoch & 1) != 0;
    style.alternate_stack = (epoch & 2) != 0;
    style.max_depth = (epoch & 4) != 0 ? max_handler_depth : 1;
    style.rate = board.settings.rate != 0 ? board.settings.rate : rates[epoch % std::size(rates)];
    run_interrupted(board, style, random.next(), epoch_milliseconds, run_any, run_short);
    const DescriptorSet now = open_descriptors();
    if (now != before) {
      board.fail("descriptors leaked: " + describe(now & ~before) +
                 "; lost: " + describe(before & ~now));
      close_others(before);
    }
    if (board.failure_count.load() >= max_failures) return;
  }
}

}  // namespace plash::stress
