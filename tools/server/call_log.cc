// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/call_log.h"

#include <cstring>

namespace plash::server {

std::string quote(std::string_view text, std::size_t max) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      constexpr char digits[] = "0123456789abcdef";
      quoted += "\\x";
      quoted += digits[byte >> 4];
      quoted += digits[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + (text.size() > max ? "\"..." : "\"");
}

std::string describe_result(int error) {
  if (error == 0) return "ok";
  const char *name = ::strerrorname_np(-error);
  return name != nullptr ? name : "error " + std::to_string(-error);
}

}  // namespace plash::server
