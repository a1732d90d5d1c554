// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a sandbox may use of a server, and what all of them together may. LIMITS.md says what a
// client sees at each limit.
#pragma once

#include <cstddef>

namespace plash::server {

struct Quota {
  std::size_t max_objects;        // live objects: fs_op, open directories; EMFILE beyond
  std::size_t max_calls;          // begun and not yet answered; EAGAIN beyond
  std::size_t max_threads;        // worker threads, those in slow files included; calls beyond wait
  std::size_t max_blocked_calls;  // that wait for somebody else (FIFO, connect, flock); EAGAIN
  std::size_t max_assemblies;     // messages of several packets under way, each way; oldest dropped
  std::size_t max_bytes;          // memory for messages under way; the oldest are dropped
  std::size_t max_descriptors;    // held by requests under way; as above
  std::size_t max_sessions;       // for calls without a pair; EMFILE beyond, and plain calls
};

struct Limits {
  Quota sandbox{.max_objects = 32'768,
                .max_calls = 1'024,
                .max_threads = 32,
                .max_blocked_calls = 128,
                .max_assemblies = 256,
                .max_bytes = std::size_t{160} << 20,
                .max_descriptors = 2'048,
                .max_sessions = 1'024};
  // For all sandboxes together: the backstop. ENFILE where there are too many objects.
  Quota total{.max_objects = 100'000,
              .max_calls = 8'192,
              .max_threads = 64,
              .max_blocked_calls = 512,
              .max_assemblies = 1'024,
              .max_bytes = std::size_t{512} << 20,
              .max_descriptors = 4'096,
              .max_sessions = 8'192};
  unsigned assembly_timeout_seconds = 10;  // for a large request to arrive, or a reply to be read
};

}  // namespace plash::server
