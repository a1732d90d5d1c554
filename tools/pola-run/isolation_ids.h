// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The user IDs of a sandbox: what it shows for the caller, and what the kernel knows it by outside.
//
// A process that the kernel takes for a file's owner may do more with a descriptor than read and
// write it. So the sandbox gets, where that is possible, a user ID that owns no file: one of those
// that /etc/subuid sets aside for the caller. Group IDs allow nothing of the kind, and stay.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace plash::pola_run {

struct RootEntry;

struct IdPlan {
  uid_t own;                     // the caller's, which the sandbox shows as its own
  std::optional<uid_t> outside;  // what it is outside; nothing: the caller's too
  bool by_helper = false;        // newuidmap(1) has to make the map
  std::string reason;            // why outside is missing
};

// What can be done for the caller. entries: what a process of another user must be able to read.
IdPlan plan_ids(const std::vector<RootEntry> &entries);

// The first user IDs and counts that text, in the form of /etc/subuid, sets aside for the user.
struct SubordinateIds {
  uid_t first;
  unsigned long count;
};
std::optional<SubordinateIds> find_subordinate_ids(const std::string &text, const std::string &name,
                                                   uid_t uid);

// Gives child's user namespace its IDs. All those that the caller has are shown unchanged, if it
// may map them (CAP_SETUID, CAP_SETGID); otherwise its own alone. Called in the parent. Throws
// Error (failure).
void map_ids(pid_t child, const IdPlan &plan);

// Takes the user ID that was mapped, in the child: until then it is still the one that may open the
// caller's files. Throws Error (failure).
void take_id(const IdPlan &plan);

}  // namespace plash::pola_run
