// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/isolation_ids.h"

#include "tests/support/catch.h"

namespace plash::pola_run {
namespace {

uid_t first_of(const char *text, const char *name, uid_t uid) {
  const auto ids = find_subordinate_ids(text, name, uid);
  return ids ? ids->first : 0;
}

TEST_CASE("IDs that /etc/subuid sets aside, by name and by number") {
  CHECK(first_of("other:100:5\nuser:200:5\nuser:300:5\n", "user", 7) == 200);
  CHECK(first_of("7:400:1\n", "user", 7) == 400);
  CHECK(first_of("7:400:1\n", "", 7) == 400);
  CHECK(find_subordinate_ids("user:200:65536\n", "user", 7)->count == 65536);
}

TEST_CASE("lines of /etc/subuid that set nothing aside") {
  for (const char *text : {"", "\n", "# user:1:1\n", "user\n", "user:\n", "user:x:5\n", "user:5\n",
                           "user:5:\n", "user:5:0\n", "user:-1:5\n", "user:4294967295:1\n",
                           "user:4294967290:10\n", ":5:5\n", "users:5:5\n", "77:5:5\n"}) {
    INFO(text);
    CHECK(first_of(text, "user", 7) == 0);
  }
  CHECK(first_of(":5:5\n", "", 7) == 0);
}

}  // namespace
}  // namespace plash::pola_run
