// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A directory as a walk reaches it: a node of the tree, a real directory, or both.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "tools/server/node.h"

namespace plash::server {

struct Directory {
  std::shared_ptr<const Namespace> name_space;  // keeps node and granted alive
  const Node *node = nullptr;  // where it is in the tree; null for what lies below a grant without
                               // a node of its own
  const Node *granted =
      nullptr;  // the node whose grant it lies in; null where it is only fabricated
  std::shared_ptr<const UniqueFd>
      fd;  // the real directory, O_PATH or readable; null where there is none

  int real() const { return fd ? fd->get() : -1; }
  const Rights &rights() const;
};

// The namespace's root.
Directory root_of(const std::shared_ptr<const Namespace> &name_space);

// The directory that node is, node being neither symlink nor slot. below: the directory of its
// parent node.
Directory enter(const Directory &below, const Node &node);

// Where ".." leads: the real parent as long as it lies in the same grant, then the namespace's.
// resolve: RESOLVE_NO_XDEV or 0. -errno on failure.
std::variant<Directory, int> parent_of(const Directory &directory, std::uint64_t resolve = 0);

// The directory's absolute path in the namespace, or -errno: ENOENT where it was removed or moved
// out of the grant.
std::variant<std::string, int> path_of(const Directory &directory);

// Whether what lies in granted, a node or null, is a sandbox's own /proc.
bool is_in_processes(const Node *granted);

// What the kernel says the path of a descriptor is, by /proc/self/fd; empty on failure, with errno:
// ENAMETOOLONG beyond 4095 bytes.
std::string kernel_path(int fd);

// The path of host_path below the grant of node ("" for the granted thing itself), or nothing where
// it is not in it.
std::optional<std::string> path_below_grant(const Node &node, const std::string &host_path);

// 0 where directory may be searched, or -errno.
int check_search(const Directory &directory);

// -errno, for a call that makes a descriptor: the server's table being full is ENFILE to a client.
int descriptor_error();

// True for descriptors of procfs, which is never entered: its magic links would be the server's
// own.
bool is_procfs(unsigned device_major, unsigned device_minor);

}  // namespace plash::server
