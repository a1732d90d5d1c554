// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/user_memory.h"

#include <asm/unistd_64.h>
#include <signal.h>

#include "ldso-hooks/loader/signals.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

constexpr unsigned long page_size = 4096;
constexpr unsigned long word_mask = ~7ul;

// The aligned word around address: it never crosses a page. The kernel takes a null pointer for "no
// set".
bool word_readable(unsigned long address) noexcept {
  return (address & word_mask) != 0 &&
         system_call(__NR_rt_sigprocmask, SIG_BLOCK, static_cast<long>(address & word_mask), 0,
                     signal_set_size) == 0;
}

bool word_writable(unsigned long address) noexcept {
  return address != 0 && system_call(__NR_rt_sigprocmask, SIG_BLOCK, 0, static_cast<long>(address),
                                     signal_set_size) == 0;
}

}  // namespace

bool readable(const void *address, unsigned long size) noexcept {
  const auto start = reinterpret_cast<unsigned long>(address);
  if (size == 0) return true;
  const unsigned long last = start + size - 1;
  if (last < start) return false;
  // One word in each page.
  for (unsigned long at = start;;) {
    if (!word_readable(at)) return false;
    const unsigned long next = (at | (page_size - 1)) + 1;
    if (next == 0 || next > last) return true;
    at = next;
  }
}

bool string_readable(const char *address, unsigned long limit) noexcept {
  auto at = reinterpret_cast<unsigned long>(address);
  for (unsigned long checked = 0; checked < limit;) {
    if (!word_readable(at)) return false;
    unsigned long next = (at | (page_size - 1)) + 1;
    for (; at != next && checked < limit; ++at, ++checked) {
      if (*reinterpret_cast<const char *>(at) == '\0') return true;
    }
  }
  return true;
}

bool writable(void *address, unsigned long size) noexcept {
  // Less than that cannot be asked about without touching what stands beside it.
  if (size < signal_set_size) return readable(address, size);
  const auto start = reinterpret_cast<unsigned long>(address);
  const unsigned long last = start + size - signal_set_size;
  const bool in_one_page = (start ^ (start + size - 1)) < page_size;
  return last >= start && word_writable(start) && (in_one_page || word_writable(last));
}

}  // namespace plash::loader
