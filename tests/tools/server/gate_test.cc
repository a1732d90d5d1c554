// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The gate: no more inside than its limit, none left outside for ever, in order.
#include "tools/server/gate.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

using plash::server::Gate;

TEST_CASE("who finds it full waits in order, for the thread of one that leaves") {
  Gate<int> gate(2);
  REQUIRE(gate.try_enter());
  REQUIRE(gate.try_enter());
  CHECK_FALSE(gate.try_enter());
  int first = 1;
  int second = 2;
  CHECK_FALSE(gate.enter(first));
  CHECK_FALSE(gate.enter(second));
  CHECK(gate.leave() == 1);
  CHECK_FALSE(gate.try_enter());
  CHECK(gate.leave() == 2);
  CHECK(gate.leave() == std::nullopt);
  CHECK(gate.leave() == std::nullopt);
  int third = 3;
  CHECK(gate.enter(third));
  CHECK(third == 3);
}

TEST_CASE("many threads at a narrow gate: each job is done once, and never too many at a time") {
  constexpr int threads = 8;
  constexpr int jobs = 20'000;
  constexpr int limit = 2;
  Gate<int> gate(limit);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<long> sum{0};
  const auto carry_out = [&](int job) {
    const int now = ++inside;
    int old = most;
    while (now > old && !most.compare_exchange_weak(old, now)) {
    }
    sum += job;
    if (job % 64 == 0) std::this_thread::yield();
    --inside;
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i) {
    callers.emplace_back([&] {
      for (int k = 1; k <= jobs; ++k) {
        int job = k;
        if (!gate.try_enter() && !gate.enter(job)) continue;
        carry_out(job);
        while (const auto next = gate.leave()) carry_out(*next);
      }
    });
  }
  for (std::thread &caller : callers) caller.join();
  CHECK(sum == static_cast<long>(threads) * jobs * (jobs + 1) / 2);
  CHECK(most <= limit);
  CHECK(gate.try_enter());
}
