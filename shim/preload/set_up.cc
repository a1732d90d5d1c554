// SPDX-License-Identifier: LGPL-2.1-or-later
#include "shim/preload/set_up.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "shim/engine/state.h"
#include "shim/preload/wrap.h"

namespace plash::preload {

bool is_set_up = false;
bool passes_through = true;
FakeIds fake_ids;

namespace {

const char *find_variable(char **environment, const char *name) noexcept {
  const size_t length = strlen(name);
  for (; *environment != nullptr; ++environment) {
    if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') {
      return *environment + length + 1;
    }
  }
  return nullptr;
}

long find_id(char **environment, const char *name) noexcept {
  const char *text = find_variable(environment, name);
  if (text == nullptr || *text < '0' || *text > '9') return -1;
  char *end;
  const unsigned long id = strtoul(text, &end, 10);
  return *end == '\0' && id < 0xffffffff ? static_cast<long>(id) : -1;
}

void set_up_from(char **environment) noexcept {
  if (is_set_up) return;
  const int saved = errno;
  char *nothing[] = {nullptr};
  if (environment == nullptr) environment = nothing;
  const bool secure = getauxval(AT_SECURE) != 0;
  plash_setup(environment, secure);
  passes_through = secure || find_variable(environment, "PLASH_CAPS") == nullptr;
  if (!passes_through) {
    // The strings that the kernel put on the stack stay there, whatever the program does to its
    // environment.
    const char *value = find_variable(environment, "LD_PRELOAD");
    if (value != nullptr) engine::set_preload(value - sizeof "LD_PRELOAD");
    fake_ids.uid = find_id(environment, "PLASH_FAKE_UID");
    fake_ids.euid = find_id(environment, "PLASH_FAKE_EUID");
    fake_ids.gid = find_id(environment, "PLASH_FAKE_GID");
    fake_ids.egid = find_id(environment, "PLASH_FAKE_EGID");
  }
  is_set_up = true;
  errno = saved;
}

}  // namespace

void set_up() noexcept { set_up_from(environ); }

void *next_symbol(const char *name) noexcept { return dlsym(RTLD_NEXT, name); }

}  // namespace plash::preload

// DT_INIT, named so on the linker's command line; ld.so calls it with main's arguments.
extern "C" void plash_preload_initialise(int, char **, char **environment) {
  plash::preload::set_up_from(environment);
}
