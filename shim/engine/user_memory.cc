// SPDX-License-Identifier: LGPL-2.1-or-later
#include "shim/engine/user_memory.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/epoll.h>

#include "protocol/system_call.h"

namespace plash::engine {
namespace {

constexpr unsigned long page_size = 4096;
// What the two calls below access; aligned, it lies in one page.
constexpr unsigned long read_at_once = 16;
constexpr unsigned long written_at_once = 8;

unsigned long next_page(unsigned long address) noexcept { return (address | (page_size - 1)) + 1; }

// epoll_ctl(2) takes its event (12 bytes) from memory before it looks at the descriptor, of which
// there is none.
bool page_readable(unsigned long address) noexcept {
  const unsigned long aligned = address & ~(read_at_once - 1);
  return system_call(__NR_epoll_ctl, -1, EPOLL_CTL_ADD, -1, static_cast<long>(aligned)) != -EFAULT;
}

// time(2) writes 8 bytes.
bool word_writable(unsigned long address) noexcept {
  return address != 0 && system_call(__NR_time, static_cast<long>(address)) != -EFAULT;
}

}  // namespace

bool is_readable(const void *address, unsigned long size) noexcept {
  const auto start = reinterpret_cast<unsigned long>(address);
  if (size == 0) return true;
  const unsigned long last = start + size - 1;
  if (last < start) return false;
  for (unsigned long at = start; page_readable(at);) {
    at = next_page(at);
    if (at == 0 || at > last) return true;
  }
  return false;
}

bool is_string_readable(const char *address, unsigned long limit) noexcept {
  auto at = reinterpret_cast<unsigned long>(address);
  for (unsigned long checked = 0; checked < limit;) {
    if (!page_readable(at)) return false;
    for (const unsigned long end = next_page(at); at != end && checked < limit; ++at, ++checked) {
      if (*reinterpret_cast<const char *>(at) == '\0') return true;
    }
  }
  return true;
}

bool is_writable(void *address, unsigned long size) noexcept {
  // Less than that cannot be asked about without touching what stands beside it.
  if (size < written_at_once) return is_readable(address, size);
  const auto start = reinterpret_cast<unsigned long>(address);
  const unsigned long last = start + size - written_at_once;
  return last >= start && word_writable(start) && (last == start || word_writable(last));
}

}  // namespace plash::engine
