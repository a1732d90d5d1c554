// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/own_executable.h"

#include <asm/unistd_64.h>

#include "ldso-hooks/loader/service_descriptors.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

// What follows start in text, or null.
const char *after(const char *text, const char *start) noexcept {
  while (*start != '\0') {
    if (*text++ != *start++) return nullptr;
  }
  return text;
}

// What follows the process's own ID in text, or null.
const char *after_own_id(const char *text) noexcept {
  long number = 0;
  const char *at = text;
  for (; *at >= '0' && *at <= '9' && number < 1 << 24; ++at) number = number * 10 + (*at - '0');
  return at != text && number == system_call(__NR_getpid) ? at : nullptr;
}

}  // namespace

const char *resolve_own_executable(const char *path) noexcept {
  const char *rest = after(path, "/proc/");
  if (rest == nullptr) return path;
  const char *process = after(rest, "self");
  if (process == nullptr) process = after(rest, "thread-self");
  if (process == nullptr) process = after_own_id(rest);
  if (process == nullptr) return path;
  const char *end = after(process, "/exe");
  return end != nullptr && *end == '\0' ? exe_descriptor_name : path;
}

}  // namespace plash::loader
