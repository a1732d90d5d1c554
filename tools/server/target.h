// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a request's base and path to what they mean.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "tools/server/handlers.h"

namespace plash::server {

inline std::string_view view(const Bytes &bytes) { return {bytes.data, bytes.size}; }

// Where a path starts: the root, or the directory object base. 0 or -errno (ENOTDIR where base is
// none, ENOENT without a base).
int find_start(Context &context, int base, const Bytes &path, Directory &start);

// What base and path mean; with an empty path and AT_EMPTY_PATH, base itself. With
// AT_SYMLINK_NOFOLLOW a final symlink is not followed. 0 or -errno. file_descriptor: found.fd is a
// copy of a descriptor that the client holds.
struct Target : Found {
  bool file_descriptor = false;
};
int find_target(Context &context, int base, const Bytes &path, std::uint64_t flags, Target &target,
                unsigned mask = STATX_BASIC_STATS);

// The same, for a change to the thing found: EROFS where its grant does not allow that.
int find_changeable(Context &context, int base, const Bytes &path, std::uint64_t flags,
                    Target &target);

// A name to be created, removed or renamed, and the walk that keeps its directory open.
struct NamedSlot {
  std::optional<Walk> walk;
  Slot slot;
  std::string name() const { return slot.name + (walk->must_be_directory() ? "/" : ""); }
};
int find_named_slot(Context &context, int base, const Bytes &path, NamedSlot &named);

// 0 where named may be created: EEXIST where it exists, EROFS where its grant does not allow it.
int check_creation(const NamedSlot &named);

// What creating named, which is refused, comes to: what the kernel would have found before it came
// to the refusal, or the refusal.
int refuse_creation(const NamedSlot &named, int refusal);

// A descriptor for the target, real or of the directory; -1 where it is only fabricated.
int descriptor_of(const Found &found);

// The path in the namespace by which what a client holds open is known, the innermost grant's where
// grants nest. -ENOENT where it lies in none.
std::variant<std::string, int> name_of(const Namespace &name_space, int fd);

// A path that names an open descriptor to the kernel, for calls that take no descriptor.
std::string descriptor_path(int fd);

}  // namespace plash::server
