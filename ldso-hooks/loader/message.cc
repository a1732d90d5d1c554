// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/message.h"

#include <asm/unistd_64.h>
#include <sys/uio.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

constexpr int standard_error = 2;
constexpr int not_started = 127;  // the exit status by which shells say it

iovec part(const char *text) noexcept { return {const_cast<char *>(text), strlen(text)}; }

}  // namespace

void say(const char *text, const char *detail, long error) noexcept {
  char digits[24];
  char *number = digits + sizeof digits;
  *--number = '\0';
  if (error < 0) error = -error;
  for (long rest = error; rest != 0; rest /= 10) *--number = static_cast<char>('0' + rest % 10);
  const iovec line[] = {part("ld-plash.so: "),
                        part(text),
                        part(detail != nullptr ? ": " : ""),
                        part(detail != nullptr ? detail : ""),
                        part(error != 0 ? ": error " : ""),
                        part(number),
                        part("\n")};
  system_call(__NR_writev, standard_error, as_argument(line), sizeof line / sizeof *line);
}

void say_once(const char *text) noexcept {
  static bool said;
  if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED)) say(text);
}

void die(const char *text, const char *detail, long error) noexcept {
  say(text, detail, error);
  for (;;) system_call(__NR_exit_group, not_started);
}

}  // namespace plash::loader
