// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whose an object is: the account on which everything goes that a client makes the server hold.
#pragma once

#include <memory>
#include <utility>

#include "tools/server/budget.h"
#include "tools/server/gate.h"
#include "tools/server/message.h"
#include "tools/server/quota.h"
#include "tools/server/waiting_readers.h"

namespace plash::server {

struct Object;

struct Budgets {
  explicit Budgets(const Quota &quota, Budgets *outer = nullptr)
      : objects(quota.max_objects, outer != nullptr ? &outer->objects : nullptr),
        calls(quota.max_calls, outer != nullptr ? &outer->calls : nullptr),
        blocked(quota.max_blocked_calls, outer != nullptr ? &outer->blocked : nullptr),
        bytes(quota.max_bytes, outer != nullptr ? &outer->bytes : nullptr),
        descriptors(quota.max_descriptors, outer != nullptr ? &outer->descriptors : nullptr),
        sessions(quota.max_sessions, outer != nullptr ? &outer->sessions : nullptr) {}

  Budget objects;
  Budget calls;        // begun and not yet answered
  Budget blocked;      // calls on threads of their own
  Budget bytes;        // of messages under way
  Budget descriptors;  // of requests under way
  Budget sessions;
};

// A request that waits for one of its sandbox's threads.
struct Job {
  std::shared_ptr<Object> object;
  Message message;
};

struct Sandbox {
  Sandbox(const Quota &quota, Budgets &total)
      : budgets(quota, &total),
        gate(static_cast<std::uint32_t>(quota.max_threads)),
        max_assemblies(quota.max_assemblies) {}

  Budgets budgets;
  Gate<Job> gate;
  const std::size_t max_assemblies;
  WaitingReaders waiting_readers;
};

}  // namespace plash::server
