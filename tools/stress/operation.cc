// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/operation.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <system_error>

namespace plash::stress {
namespace {

// One in so many operations makes a process.
constexpr unsigned process_interval = 256;

std::uint64_t now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

enum class Choice { simple, safe, any };

const Operation &draw(Context &context, Choice choice) noexcept {
  const std::span<const Operation> all = operations(context.board.settings.door);
  const bool process = context.random.below(process_interval) == 0;
  for (;;) {
    const Operation &operation = all[context.random.below(all.size())];
    switch (operation.kind) {
      case Operation::safe:
        return operation;
      case Operation::thread:
        if (choice == Choice::any) return operation;
        break;
      case Operation::process:
        if (process && choice != Choice::simple) return operation;
        break;
      case Operation::locking_process:
        if (process && choice == Choice::any) return operation;
        break;
    }
  }
}

}  // namespace

Context::Context(Board &the_board, Slot &the_slot, std::uint64_t seed, long thread, long level)
    : board(the_board), slot(the_slot), random(seed), level_(level) {
  area << 't' << thread << 'd' << level;
  void *const memory =
      mmap(nullptr, child_stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  child_stack = static_cast<char *>(memory);
}

Context::~Context() { munmap(child_stack, child_stack_size); }

void Context::count() noexcept {
  slot.calls.fetch_add(1, std::memory_order_relaxed);
  if (!timed) return;
  const std::uint64_t time = now();
  const std::uint64_t taken = time - last_time_;
  last_time_ = time;
  if (taken > slot.worst_nanoseconds.load(std::memory_order_relaxed)) {
    slot.worst_nanoseconds.store(taken, std::memory_order_relaxed);
    slot.worst_operation.store(slot.operation.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
  }
}

void Context::fail(std::string_view text) noexcept {
  board.fail((Text<line_size>() << operation << ": " << text << " (" << area.view() << ')').view());
}

bool Context::done(const char *call, long result) noexcept {
  const int error = errno;
  count();
  if (result >= 0) return true;
  if (std::find(tolerated.begin(), tolerated.end(), error) != tolerated.end()) {
    ++tolerated_count;
    last_tolerated = error;
    return false;
  }
  fail((Text<160>() << call << " failed with errno " << long{error}).view());
  return false;
}

bool Context::refused(const char *call, long result, int wanted) noexcept {
  const int error = errno;
  count();
  if (result == -1 && error == wanted) return true;
  if (result == -1 && std::find(tolerated.begin(), tolerated.end(), error) != tolerated.end()) {
    ++tolerated_count;
    last_tolerated = error;
    return false;
  }
  fail((Text<160>() << call << " gave " << result << ", errno " << long{result == -1 ? error : 0}
                    << "; wanted errno " << long{wanted})
           .view());
  return false;
}

bool Context::holds(const char *call, bool condition, const char *what) noexcept {
  if (!condition) fail((Text<160>() << call << ": " << what).view());
  return condition;
}

bool Context::shut(int descriptor) noexcept { return done("close", close(descriptor)); }

void Context::enter_child() noexcept {
  area = Text<16>() << 'p' << long{getpid()} << 'd' << level_;
}

Name::Name(const Context &context, char letter, Form form) noexcept {
  if (form == Form::absolute) {
    text_ << context.board.settings.directory << '/';
  } else {
    text_ << "../";  // the working directory is a or b
  }
  text_ << context.area.view() << letter;
}

Fixture::Fixture(const Context &context, std::string_view name) noexcept {
  text_ << context.board.settings.directory << '/' << name;
}

void sweep(const Context &context) noexcept {
  for (const char letter : name_letters) {
    const Name name(context, letter);
    if (unlink(name) != 0 && errno != ENOENT) rmdir(name);
  }
}

void make_fixtures(const char *directory) {
  for (const std::string name : {"a", "b"}) {
    const std::string path = std::string(directory) + "/" + name;
    if (mkdir(path.c_str(), 0755) != 0)
      throw std::system_error(errno, std::generic_category(), path);
    std::ofstream(path + "/file") << file_content;
    if (symlink("file", (path + "/link").c_str()) != 0)
      throw std::system_error(errno, std::generic_category(), path + "/link");
  }
}

void run(Context &context, const Operation &operation) noexcept {
  const int error = errno;
  context.operation = operation.name;
  context.slot.operation.store(
      static_cast<std::uint32_t>(&operation - operations(context.board.settings.door).data()),
      std::memory_order_relaxed);
  if (context.timed) context.start_clock(now());
  operation.run(context);
  context.board.heartbeat.fetch_add(1, std::memory_order_relaxed);
  errno = error;
}

void run_simple(Context &context) noexcept { run(context, draw(context, Choice::simple)); }

void run_safe(Context &context) noexcept { run(context, draw(context, Choice::safe)); }

void run_any(Context &context) noexcept { run(context, draw(context, Choice::any)); }

void run_short(Context &context) noexcept {
  if (context.random.below(4) == 0) return run_safe(context);
  run(context, operations(context.board.settings.door).front());
}

}  // namespace plash::stress
