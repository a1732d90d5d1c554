// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A node of a namespace's tree. Built by Namespace, read-only afterwards.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tools/server/namespace.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

// Something real that was granted. A directory is held by an O_PATH descriptor of its own; anything
// else by the directory that it is in and its name there, so that a file which is replaced by
// rename(2) stays granted.
struct Grant {
  // mount: anchor is the root of a file system that is attached nowhere, so that paths in it begin
  // with "/"; processes: the same, a procfs, see process_files.h.
  enum class Kind { attached, mount, processes };
  Kind kind = Kind::attached;
  std::uint64_t device = 0;  // of a mount
  UniqueFd anchor;
  std::string leaf;  // empty: anchor itself is granted
  Rights rights;
};

class Node {
 public:
  Node(std::string name, const Node *parent, std::uint64_t inode)
      : name(std::move(name)), parent(parent), inode(inode) {}

  // The child of that name, or null.
  const Node *find(std::string_view child_name) const {
    const auto found = children.find(child_name);
    return found == children.end() ? nullptr : found->second.get();
  }
  bool is_root() const { return parent == nullptr; }
  bool is_directory_grant() const { return grant && grant->leaf.empty(); }
  bool is_slot() const { return grant && !grant->leaf.empty(); }
  // Absolute path in the namespace.
  std::string path() const {
    if (is_root()) return "/";
    return parent->is_root() ? "/" + name : parent->path() + "/" + name;
  }

  std::string name;
  const Node *parent;
  std::uint64_t inode;
  std::map<std::string, std::shared_ptr<Node>, std::less<>> children;
  std::optional<Grant> grant;
  std::optional<std::string> link;  // the target, where the node is a symlink
};

}  // namespace plash::server
