// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A call as a line of text, from the table of methods.
#pragma once

#include <string>
#include <string_view>

#include "protocol/methods.h"

namespace plash::server {

// text with everything but printable ASCII, quotes and backslashes escaped as in C, at most max
// bytes of it.
std::string quote(std::string_view text, std::size_t max = 256);

// "ok" or the error's name and text.
std::string describe_result(int error);

inline std::string describe_field(std::uint64_t value) {
  return value < 10 ? std::to_string(value) : "0" + [value] {
    std::string digits;
    for (std::uint64_t rest = value; rest != 0; rest >>= 4)
      digits.insert(digits.begin(), "0123456789abcdef"[rest & 15]);
    return "x" + digits;
  }();
}
inline std::string describe_field(std::int64_t value) { return std::to_string(value); }
inline std::string describe_field(int value) { return value < 0 ? "-" : "given"; }
inline std::string describe_field(const Bytes &value) { return quote({value.data, value.size}); }
inline std::string describe_field(const Descriptors &value) {
  return std::to_string(value.size) + " descriptors";
}

// "Name(field=value, ...)"
template <class M>
std::string describe_request(const typename M::Request &request) {
  std::string line = std::string(M::name) + "(";
  bool first = true;
  M::Request::visit(request, [&](const char *name, FieldKind, const auto &value) {
    if (!first) line += ", ";
    first = false;
    line += std::string(name) + "=" + describe_field(value);
  });
  return line + ")";
}

}  // namespace plash::server
