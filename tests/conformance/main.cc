// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: plash-conformance --list | NAME
// Lists the cases, or runs one in the current directory. Cases execute the program itself by other
// names: show.h.
#include <sys/stat.h>
#include <csignal>
#include <cstdio>

#include "tests/conformance/case.h"
#include "tests/conformance/show.h"

namespace plash::conformance {
namespace {

int list() {
  for (const Case &item : cases()) std::printf("%s%s\n", item.name.c_str(), item.raw ? " raw" : "");
  return 0;
}

int run(const std::string &name) {
  for (const Case &item : cases()) {
    if (item.name != name) continue;
    ::umask(022);
    item.run();
    return 0;
  }
  std::fprintf(stderr, "plash-conformance: no case %s\n", name.c_str());
  return 2;
}

}  // namespace
}  // namespace plash::conformance

int main(int count, char **arguments) {
  using namespace plash::conformance;
  if (show_process(count, arguments)) return 0;
  if (count != 2) {
    std::fprintf(stderr, "usage: plash-conformance --list | NAME\n");
    return 2;
  }
  if (std::string_view(arguments[1]) == "--list") return list();
  // In a sandbox too the program stands at the path by which it was started.
  program() = arguments[0];
  return run(arguments[1]);
}
