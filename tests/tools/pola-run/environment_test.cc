// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/environment.h"

#include "tests/support/catch.h"

namespace plash::pola_run {
namespace {

std::vector<std::string> strings_of(Environment &environment) {
  std::vector<std::string> strings;
  for (const char *variable : environment.pointers()) {
    if (variable != nullptr) strings.emplace_back(variable);
  }
  return strings;
}

TEST_CASE("An environment is changed in place") {
  const char *const variables[] = {"A=1", "AB=2", "C=3", nullptr};
  Environment environment(variables);
  CHECK(environment.get("A") == "1");
  CHECK(environment.get("B").empty());
  environment.set("A", "x=y");
  environment.set("D", "4");
  environment.unset("C");
  environment.unset("none");
  CHECK(strings_of(environment) == std::vector<std::string>{"A=x=y", "AB=2", "D=4"});
  CHECK(environment.pointers().back() == nullptr);
}

}  // namespace
}  // namespace plash::pola_run
