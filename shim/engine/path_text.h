// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Taking paths apart. Async-signal-safe.
#pragma once

#include "protocol/marshal.h"
#include "protocol/memory.h"

namespace plash::engine {

// Whether text begins with start; rest is what follows.
inline bool take_start(const Bytes &text, const char *start, Bytes &rest) noexcept {
  const std::uint64_t size = strlen(start);
  if (text.size < size || memcmp(text.data, start, size) != 0) return false;
  rest = {text.data + size, text.size - size};
  return true;
}

// Whether text begins with a decimal number, of a descriptor or a process; rest is what follows its
// last digit.
inline bool take_number(const Bytes &text, int &number, Bytes &rest) noexcept {
  constexpr int largest_start = 1 << 24;
  std::uint64_t at = 0;
  number = 0;
  for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; ++at) {
    if (number > largest_start) return false;
    number = number * 10 + (text.data[at] - '0');
  }
  rest = {text.data + at, text.size - at};
  return at != 0;
}

}  // namespace plash::engine
