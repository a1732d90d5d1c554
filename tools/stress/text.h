// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Text of bounded length, put together without libc's formatting. Async-signal-safe.
#pragma once

#include <cstddef>
#include <string_view>

namespace plash::stress {

// Always terminated; what does not fit is cut off.
template <std::size_t size>
class Text {
 public:
  Text &operator<<(std::string_view text) noexcept {
    for (const char c : text) {
      if (length_ + 1 < size) text_[length_++] = c;
    }
    text_[length_] = '\0';
    return *this;
  }
  Text &operator<<(char c) noexcept { return *this << std::string_view(&c, 1); }
  Text &operator<<(long number) noexcept {
    char digits[24];
    std::size_t at = sizeof digits;
    unsigned long rest =
        number < 0 ? 0ul - static_cast<unsigned long>(number) : static_cast<unsigned long>(number);
    do {
      digits[--at] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest != 0);
    if (number < 0) digits[--at] = '-';
    return *this << std::string_view(digits + at, sizeof digits - at);
  }

  const char *c_str() const noexcept { return text_; }
  std::string_view view() const noexcept { return {text_, length_}; }

 private:
  std::size_t length_ = 0;
  char text_[size] = {};
};

}  // namespace plash::stress
