// SPDX-License-Identifier: LGPL-2.1-or-later
//
// RLIMIT_NOFILE at every value, from 0 to one at which everything succeeds: each operation succeeds
// or fails with EMFILE, and leaves no descriptor open either way.
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>

#include "tools/stress/descriptors.h"
#include "tools/stress/operation.h"
#include "tools/stress/scenario.h"

namespace plash::stress {
namespace {

// Room that any operation has enough with. Not that it must succeed with so little: what all
// processes of the user have on their way to each other counts, too (ETOOMANYREFS).
constexpr unsigned enough = 24;

void set_limit(rlim_t value) noexcept {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = value;
  setrlimit(RLIMIT_NOFILE, &limit);
}

bool is_tried(const Operation &operation) {
  return operation.kind == Operation::safe || operation.kind == Operation::process;
}

}  // namespace

void run_limits(Board &board) {
  constexpr int tolerated[] = {EMFILE};
  rlimit original{};
  getrlimit(RLIMIT_NOFILE, &original);
  Context context(board, board.slots[0], board.settings.seed, 0, 0);
  const DescriptorSet before = open_descriptors();
  const auto most = static_cast<unsigned>(lowest_free_descriptor()) + enough;
  // Programs that cannot start say so; nobody wants to read it.
  fcntl(STDERR_FILENO, F_SETFD, FD_CLOEXEC);
  unsigned refused = 0;
  unsigned tried = 0;
  for (const Operation &operation : operations(board.settings.door)) {
    if (!is_tried(operation)) continue;
    for (unsigned limit = 0; limit <= most; ++limit) {
      context.tolerated = tolerated;
      context.tolerated_count = 0;
      set_limit(limit);
      run(context, operation);
      set_limit(original.rlim_cur);
      ++tried;
      if (context.tolerated_count != 0) ++refused;
      context.tolerated = {};
      sweep(context);
      const DescriptorSet now = open_descriptors();
      if (now != before) {
        board.fail(std::string(operation.name) + ", limit " + std::to_string(limit) +
                   ": descriptors leaked: " + describe(now & ~before));
        close_others(before);
      }
      if (board.failure_count.load() >= max_failures) return;
    }
    run(context, operation);  // with the limit that there was, no error is tolerated
  }
  fcntl(STDERR_FILENO, F_SETFD, 0);
  board.note(std::to_string(tried) + " operations tried, " + std::to_string(refused) +
             " of them met EMFILE");
}

}  // namespace plash::stress
