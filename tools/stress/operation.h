// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An operation makes one or a few calls and checks all that they answer: result, errno, bytes, and
// that what it made is gone again. The scenarios run operations; they differ in what they do to
// them meanwhile.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tools/stress/board.h"
#include "tools/stress/random.h"
#include "tools/stress/text.h"

namespace plash::stress {

constexpr std::size_t child_stack_size = 32 * 1024;

// What an operation runs with. One for each thread and each level of handlers on it, so that two
// that interrupt each other share nothing. Async-signal-safe.
class Context {
 public:
  // Throws std::system_error where there is no memory for child_stack.
  Context(Board &board, Slot &slot, std::uint64_t seed, long thread, long level);
  ~Context();
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;

  // What a call returned, as libc does it: -1 and errno. Each counts a call and returns whether it
  // went as it should; if not, that is recorded as a failure, unless the errno is tolerated.
  bool done(const char *call, long result) noexcept;                        // 0 or more
  bool refused(const char *call, long result, int error) noexcept;          // -1 with that errno
  bool holds(const char *call, bool condition, const char *what) noexcept;  // counts no call

  // As done(close(descriptor)).
  bool shut(int descriptor) noexcept;

  // From here on the names are the child's own.
  void enter_child() noexcept;

  void fail(std::string_view text) noexcept;

  // The time from which the next call's latency counts, nanoseconds.
  void start_clock(std::uint64_t time) noexcept { last_time_ = time; }

  Board &board;
  Slot &slot;
  Random random;
  Text<16> area;  // what the names of this context start with
  const char *operation = "";
  char *child_stack;  // child_stack_size bytes, for a child that shares memory
  bool timed = true;  // worst latency is measured

  // The errnos that a scenario provokes; how many calls ended with one of them, and the last.
  std::span<const int> tolerated;
  unsigned tolerated_count = 0;
  int last_tolerated = 0;

 private:
  void count() noexcept;
  std::uint64_t last_time_ = 0;
  long level_;
};

// A name that belongs to a context, absolute or relative to the working directory.
class Name {
 public:
  enum class Form { absolute, relative };
  Name(const Context &context, char letter, Form form = Form::absolute) noexcept;
  operator const char *() const noexcept { return text_.c_str(); }  // NOLINT: stands for the path

 private:
  Text<128> text_;
};

// The letters that operations make names with, for those who clean up.
constexpr std::string_view name_letters = "xyz";

// Removes what interrupted operations of this context have left. Not counted, not checked.
void sweep(const Context &context) noexcept;

// A file or directory that is there all the time: "" for the scratch directory, "a/file", "b/link".
class Fixture {
 public:
  Fixture(const Context &context, std::string_view name) noexcept;
  operator const char *() const noexcept { return text_.c_str(); }  // NOLINT: stands for the path

 private:
  Text<128> text_;
};

// What stands in a/file and b/file; a/link and b/link are symlinks to "file".
constexpr std::string_view file_content = "Nothing but the bytes of this very file, all 53 of them";

// Makes the fixtures in directory, which exists and is empty. Throws std::system_error.
void make_fixtures(const char *directory);

struct Operation {
  enum Kind : std::uint8_t {
    safe,             // made of functions that are async-signal-safe: may run anywhere
    thread,           // not in handlers: takes libc's locks
    process,          // as safe, but makes a process: expensive
    locking_process,  // as both
  };
  const char *name;
  void (*run)(Context &) noexcept;
  Kind kind = safe;
};

// All operations of a door; the first makes a single call. Operations of Door::call are the
// methods; of all others, libc's functions.
std::span<const Operation> operations(Door door) noexcept;

// Runs one operation: this one, or one drawn from those of the door. Async-signal-safe for
// operations that are.
void run(Context &context, const Operation &operation) noexcept;
void run_simple(Context &context) noexcept;  // a safe one
void run_safe(Context &context) noexcept;    // as well, or now and then one that makes a process
void run_any(Context &context) noexcept;     // of any kind
void run_short(Context &context) noexcept;   // the one of a single call, three times in four

}  // namespace plash::stress
