// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <exception>

#include "tools/stress/board.h"
#include "tools/stress/call_path.h"
#include "tools/stress/descriptors.h"
#include "tools/stress/operation.h"
#include "tools/stress/scenario.h"

namespace plash::stress {

int run_worker(int descriptor) {
  void *const memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) {
    perror("plash-stress: the worker's board");
    return 1;
  }
  close(descriptor);
  Board &board = *static_cast<Board *>(memory);
  umask(0);
  const Scenario *const scenario =
      find_scenario(static_cast<const char *>(board.settings.scenario));
  if (board.settings.door != Door::call) {
    Context context(board, board.slots[0], 0, 0, 0);
    if (chdir(Fixture(context, "a")) != 0) {
      board.fail(std::string("chdir to the scratch directory: ") + strerror(errno));
      return 1;
    }
  }
  board.started.store(true);
  board.descriptors_before.store(static_cast<std::int64_t>(open_descriptors().count()));
  try {
    learn_call_path(board);
    scenario->run(board);
  } catch (const std::exception &error) {
    board.fail(std::string("the scenario could not be run: ") + error.what());
  }
  board.descriptors_after.store(static_cast<std::int64_t>(open_descriptors().count()));
  board.finished.store(true);
  return 0;
}

}  // namespace plash::stress
