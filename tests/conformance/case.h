// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A case is one small program: a function that runs in a fresh scratch directory and prints what
// came of its calls, a line each. The runner compares the lines of a native run with those of a run
// in a sandbox, so nothing that differs between two native runs (inode numbers, times, process IDs)
// is printed; what matters of it is compared inside the case.
//
// Lines go out by write(2) at once: they are in order when a case forks, and survive a crash.
#pragma once

#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tests/conformance/call.h"

namespace plash::conformance {

struct Case {
  std::string name;  // GROUP/NAME
  std::function<void()> run;
  bool raw = false;  // makes system calls by the instruction, where a door between program and libc
                     // does not see them
};

inline std::vector<Case> &cases() {
  static std::vector<Case> all;
  return all;
}

// At static initialisation: adds a case.
struct Registration {
  Registration(std::string name, std::function<void()> run, bool raw = false) {
    cases().push_back({std::move(name), std::move(run), raw});
  }
};

// Adds a case twice: its calls made through libc's syscall(), and by the instruction (NAME.raw).
struct CallRegistration {
  CallRegistration(const std::string &name, const std::function<void(Call)> &run) {
    Registration(name, [run] { run(Call(Call::Way::libc)); });
    Registration(
        name + ".raw", [run] { run(Call(Call::Way::instruction)); }, true);
  }
};

// CASE(open, of_a_directory) { ... }: calls libc's functions.
#define CASE(group, name)                                                    \
  static void case_##group##_##name();                                       \
  static const ::plash::conformance::Registration register_##group##_##name( \
      #group "/" #name, case_##group##_##name);                              \
  static void case_##group##_##name()

// CALL_CASE(open, of_a_directory) { ... call(SYS_open, ...) ... }: makes system calls, in both
// ways.
#define CALL_CASE(group, name)                                                         \
  static void case_##group##_##name([[maybe_unused]] ::plash::conformance::Call call); \
  static const ::plash::conformance::CallRegistration register_##group##_##name(       \
      #group "/" #name, case_##group##_##name);                                        \
  static void case_##group##_##name([[maybe_unused]] ::plash::conformance::Call call)

// Prints text as it is.
inline void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written <= 0) ::_exit(4);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Text with what is not printable ASCII as \xNN, cut short where it is long.
inline std::string escaped(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string result = "\"";
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '"') {
      result += c;
    } else {
      constexpr char digits[] = "0123456789abcdef";
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  result += '"';
  if (text.size() > longest) result += " and so on, " + std::to_string(text.size()) + " bytes";
  return result;
}

inline std::string error_name(int error) {
  if (error == 0) return "0";
  const char *name = ::strerrorname_np(error);
  return name ? name : "error " + std::to_string(error);
}

struct Octal {
  unsigned long value;
};

inline std::string text_of(std::string_view value) { return escaped(value); }
inline std::string text_of(const std::string &value) { return escaped(value); }
inline std::string text_of(const char *value) { return value ? escaped(value) : "null"; }
inline std::string text_of(bool value) { return value ? "yes" : "no"; }
inline std::string text_of(Octal octal) {
  char text[32];
  ::snprintf(text, sizeof text, "0%lo", octal.value);
  return text;
}
template <typename Number>
requires std::is_integral_v<Number> std::string text_of(Number value) {
  return std::to_string(value);
}
template <typename Item>
std::string text_of(const std::vector<Item> &items) {
  std::string text = "[";
  for (const Item &item : items) text += (text.size() > 1 ? ", " : "") + text_of(item);
  return text + "]";
}

// Prints "what: value".
template <typename Value>
void record(std::string_view what, const Value &value) {
  const int saved = errno;
  print(std::string(what) + ": " + text_of(value) + "\n");
  errno = saved;
}

// Prints an error number by its name.
inline void record_error(std::string_view what, int error) {
  print(std::string(what) + ": " + error_name(error) + "\n");
}

// Prints what a call came to: its result, or errno where that is -1. Returns the result.
template <typename Result>
requires std::is_integral_v<Result> Result attempt(std::string_view what, Result result) {
  const int error = errno;
  if (result == static_cast<Result>(-1)) {
    record_error(what, error);
  } else {
    record(what, result);
  }
  errno = error;
  return result;
}

// The same for a call that returns a pointer, null where it failed.
template <typename Pointee>
Pointee *attempt(std::string_view what, Pointee *result) {
  const int error = errno;
  print(std::string(what) + ": " + (result ? "succeeds" : error_name(error)) + "\n");
  errno = error;
  return result;
}

// Ends the case: what it needs could not be set up.
[[noreturn]] inline void set_up_failed(std::string_view what) {
  print("set-up failed: " + std::string(what) + ": " + error_name(errno) + "\n");
  ::_exit(3);
}

// The path of this program, for cases that execute it (show.h says how).
inline std::string &program() {
  static std::string path;
  return path;
}

}  // namespace plash::conformance
