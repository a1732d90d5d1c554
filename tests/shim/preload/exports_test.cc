// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The shim is in front of libc for every symbol that the table calls wrapped.
#include <string>
#include <vector>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

namespace {

std::vector<const char *> wrapped_symbols() {
  std::vector<const char *> names;
#define PLASH_SYMBOLS(title)
#define PLASH_SYMBOL(name, preload, loader, glibc, note) \
  if (std::string(#preload) == "WRAPPED") names.push_back(#name);
#include "shim/preload/libc_symbols.def"
  return names;
}

}  // namespace

TEST_CASE("wrapped symbols are the shim's") {
  const auto names = wrapped_symbols();
  CHECK(names.size() > 200);
  for (const char *name : names) {
    INFO(name);
    void *address = dlsym(RTLD_DEFAULT, name);
    Dl_info info;
    REQUIRE(address != nullptr);
    REQUIRE(dladdr(address, &info) != 0);
    CHECK(std::string(info.dli_fname).find("libplash-preload.so") != std::string::npos);
  }
}
