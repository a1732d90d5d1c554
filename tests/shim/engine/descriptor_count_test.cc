// SPDX-License-Identifier: LGPL-2.1-or-later
//
// However calls end, as many descriptors are open afterwards as were before: here and in the
// server.
#include <unistd.h>

#include <algorithm>

#include "tests/shim/engine/every_call.h"
#include "tests/shim/engine/world.h"

using namespace plash::testing;

namespace {

constexpr std::size_t calls_in_all = 100'000;

// When it has been the same for a while: what the last calls left is freed by the server's threads.
int server_descriptors() {
  const std::string path = "/proc/" + std::to_string(World::get().server()) + "/fd";
  int count = -1;
  for (int same = 0, tries = 0; same < 20 && tries < 1000; ++same, ++tries) {
    ::usleep(10'000);
    const auto now = static_cast<int>(std::distance(std::filesystem::directory_iterator(path), {}));
    if (now != count) same = 0;
    count = now;
  }
  return count;
}

void call_each(const EveryCall &call) {
  INFO(call.name);
  const long result = call.succeed();
  if (result < 0) FAIL_CHECK(call.name << " gave " << result);
  if (call.fail != nullptr && call.fail() >= 0) FAIL_CHECK(call.name << " did not fail");
}

}  // namespace

TEST_CASE("every emulated system call is among those that are counted") {
  std::vector<std::string> missing;
  const auto expect = [&](const char *name) {
    const auto is_it = [&](const EveryCall &call) { return std::string(call.name) == name; };
    if (std::none_of(every_call().begin(), every_call().end(), is_it)) missing.emplace_back(name);
  };
#define EMULATED true
#define LOCAL false
#define PASSED false
#define DENIED(error) false
#define PLASH_SYSCALL(name, treatment) \
  if (treatment) expect(#name);
#include "shim/engine/syscalls.def"
#undef PLASH_SYSCALL
#undef DENIED
#undef PASSED
#undef LOCAL
#undef EMULATED
  CHECK(missing == std::vector<std::string>());
}

TEST_CASE("100,000 calls of every kind, failed ones included, leave no descriptor open") {
  for (const EveryCall &call : every_call()) call_each(call);
  REQUIRE(emulated(SYS_chdir, World::get().writable().c_str()) == 0);
  const int mine = open_descriptors();
  const int servers = server_descriptors();
  for (std::size_t made = 0; made < calls_in_all; made += 2 * every_call().size()) {
    for (const EveryCall &call : every_call()) call_each(call);
  }
  REQUIRE(emulated(SYS_chdir, World::get().writable().c_str()) == 0);
  CHECK(open_descriptors() == mine);
  CHECK(server_descriptors() == servers);
}
