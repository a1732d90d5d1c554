// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the tool and its worker share: one block of memory behind a descriptor that is passed down.
// The worker may run in a sandbox, crash or hang; what it has written is still there. Everything
// that a worker writes is async-signal-safe to write.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plash::stress {

enum class Door : std::uint8_t {
  none,  // no server: libc and the kernel, the control
  call,  // protocol/call.h itself, linked in, with a small server of the tool's own
  preload,
  glibc,
  loader,
};

constexpr unsigned max_threads = 64;
constexpr unsigned max_windows = 24;
constexpr unsigned max_failures = 16;
constexpr unsigned max_notes = 24;
constexpr std::size_t line_size = 240;

// What the worker is to do. Written before it starts.
struct Settings {
  char scenario[24];
  char directory[96];  // where it may do what it likes; absolute
  std::uint64_t seed;
  std::uint64_t milliseconds;
  unsigned threads;
  unsigned rate;  // signals a second and thread; 0: the scenario varies it
  Door door;
  int object;  // Door::call: the object's descriptor
};

// Of one thread of the worker.
struct alignas(64) Slot {
  std::atomic<std::uint64_t> calls;
  std::atomic<std::uint64_t> signals;
  std::atomic<std::uint64_t> worst_nanoseconds;
  std::atomic<std::uint32_t> worst_operation;  // number in operations(), as the next
  std::atomic<std::uint32_t> operation;
};

// A stretch of the call path in which a signal can arrive.
struct Window {
  char name[48];
  std::atomic<std::uint64_t> hits;
};

struct Line {
  std::atomic<bool> complete;
  char text[line_size];
};

// What a worker asks of the tool with regard to the server, and the tool's acknowledgement.
enum class ServerRequest : std::uint32_t { none, stop, stopped, kill, killed };

struct Board {
  Settings settings;
  std::atomic<bool> started;
  std::atomic<bool> finished;
  std::atomic<ServerRequest> server_request;
  std::atomic<std::uint64_t> heartbeat;  // grows while anything is done
  std::atomic<std::int64_t> descriptors_before;
  std::atomic<std::int64_t> descriptors_after;
  std::atomic<std::uint32_t> window_count;
  Window windows[max_windows];
  std::atomic<std::uint32_t> failure_count;
  Line failures[max_failures];
  std::atomic<std::uint32_t> note_count;
  Line notes[max_notes];
  Slot slots[max_threads];

  // Each takes a line of its own; failures beyond the room are counted only.
  void fail(std::string_view text) noexcept { write(failure_count, failures, max_failures, text); }
  void note(std::string_view text) noexcept { write(note_count, notes, max_notes, text); }

 private:
  static void write(std::atomic<std::uint32_t> &count, Line *lines, unsigned room,
                    std::string_view text) noexcept {
    const std::uint32_t index = count.fetch_add(1);
    if (index >= room) return;
    Line &line = lines[index];
    const std::size_t length = text.size() < line_size - 1 ? text.size() : line_size - 1;
    for (std::size_t i = 0; i < length; ++i) line.text[i] = text[i];
    line.text[length] = '\0';
    line.complete.store(true, std::memory_order_release);
  }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace plash::stress
