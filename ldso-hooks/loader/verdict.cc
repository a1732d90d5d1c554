// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/verdict.h"

#include <asm/unistd_64.h>
#include <errno.h>

#include "ldso-hooks/loader/filter.h"
#include "ldso-hooks/loader/path_argument.h"
#include "ldso-hooks/loader/sigsys_action.h"
#include "protocol/system_call.h"

namespace plash::loader {

extern "C" {
// System call number with six arguments.
long plash_ask(long number, const long *arguments);
void plash_asked();
}
__asm__(
    ".text\n.hidden plash_ask, plash_asked\n.globl plash_ask, plash_asked\n"
    ".type plash_ask, @function\n.type plash_asked, @function\nplash_ask:\n"
    "  mov %rdi, %rax\n  mov %rsi, %r11\n  mov 0(%r11), %rdi\n  mov 8(%r11), %rsi\n  mov 16(%r11), "
    "%rdx\n"
    "  mov 24(%r11), %r10\n  mov 32(%r11), %r8\n  mov 40(%r11), %r9\n  syscall\nplash_asked:\n  "
    "ret\n");

namespace {

constexpr long unreadable = 1;
constexpr long trapped = 1l << 32;  // plus the filter's data

bool installed;

}  // namespace

unsigned long asking_address() noexcept { return reinterpret_cast<unsigned long>(plash_asked); }

void find_programs_filters() noexcept {
  installed = system_call(probe_number, verdict_question) == -verdict_answer;
}
void note_programs_filter() noexcept { installed = true; }

bool programs_filters_allow(Trap &trap, siginfo_t &information, void *context) noexcept {
  if (!installed) return true;
  const int index = path_argument(trap.number());
  if (index < 0) return true;
  long arguments[6];
  for (int i = 0; i < 6; ++i) arguments[i] = i == index ? unreadable : trap.argument(i);
  // A trap of the program's filter must find SIGSYS unblocked.
  set_signal_mask(all_signals & ~sigsys_bit);
  const long result = plash_ask(trap.number(), arguments);
  set_signal_mask(all_signals);
  if (result == -EFAULT) return true;
  if ((result & ~0xffffl) != trapped) {
    trap.answer(result);
    return false;
  }
  information.si_errno = static_cast<int>(result & 0xffff);
  deliver_sigsys(trap, information, context);
  return false;
}

bool answers_question(Trap &trap, const siginfo_t &information) noexcept {
  if (reinterpret_cast<unsigned long>(information.si_call_addr) != asking_address()) return false;
  trap.answer(trapped | (information.si_errno & 0xffff));
  return true;
}

}  // namespace plash::loader
