// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Resolution of a path in a namespace: symlinks and ".." are the server's business, the kernel sees
// only runs of plain names below a grant, with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS. Whatever is
// renamed or swapped meanwhile, a walk stays in its grants.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "tools/server/directory.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

// What of openat2(2)'s resolve flags a walk heeds.
struct WalkRules {
  bool no_symlinks = false;
  bool beneath = false;  // neither absolute nor above the start
  bool in_root = false;  // the start counts as the root
  bool no_xdev = false;  // neither from one grant into another nor from one mount into another
  bool cached = false;   // the kernel must not wait: EAGAIN
  bool no_magic_links = false;

  // For the kernel's part of the way.
  std::uint64_t resolve() const;
};

class Walk {
 public:
  // path is relative to start unless it begins with "/".
  Walk(Directory start, std::string_view path, WalkRules rules = {});

  // Goes on until what is left is plain names below a real directory, or a name in the tree, or
  // nothing. 0 or -errno.
  int advance();

  // After advance(): the target is name() in directory(); names between the two that were not
  // opened yet stand in middle() ("a/b/", empty where there are none). An empty name means
  // directory() itself.
  const Directory &directory() const { return directory_; }
  const std::string &middle() const { return middle_; }
  const std::string &name() const { return name_; }
  // The node of that name, or null.
  const Node *node() const { return node_; }
  // The path ended in a slash, or in "." or "..": only a directory will do.
  bool must_be_directory() const { return must_be_directory_; }
  // The path's last component was "." or "..", or there was none.
  bool ends_in_dots() const { return ends_in_dots_; }

  // middle() and name() in one, for openat2(2) below directory().
  std::string relative() const { return middle_ + name_; }

  // Opens the directories in middle(), so that directory() holds name(). Meeting a symlink, it
  // follows it and advances. 0 or -errno.
  int open_parent();

  // Goes from the directory into its child node, none of those that are symlinks or slots. 0 or
  // -errno.
  int enter_node(const Node &node, Directory &entered) const;
  // 0 where the walk may go from its directory into what is granted at node.
  int check_crossing(const Node &node) const;
  const WalkRules &rules() const { return rules_; }
  // What a symlink in directory, which is to be followed, leads to; -ELOOP or -EXDEV where the
  // rules forbid to follow one of its kind.
  std::variant<std::string, int> target_of(const Directory &directory, int link) const;

  // name() is a symlink to target: goes on with that. 0 or -errno.
  int follow(const std::string &target);

 private:
  int advance_from_pending();
  int splice(const std::string &target, std::string_view rest);
  bool is_at_start() const;
  int step_up();

  Directory start_;
  WalkRules rules_;
  Directory directory_;
  std::string pending_;
  std::string middle_;
  std::string name_;
  const Node *node_ = nullptr;
  bool must_be_directory_ = false;
  bool ends_in_dots_ = false;
  int links_ = 0;
  bool advanced_ = false;
  int error_ = 0;
};

// What a walk ended at.
struct Found {
  UniqueFd fd;                 // O_PATH; none for what is only in the tree
  struct statx status {};      // of fd
  const Node *node = nullptr;  // the node, where there is one
  Directory directory;         // the directory itself, where it is one
  bool is_directory = false;
  const Node *granted = nullptr;   // the node whose grant it lies in; null for the fabricated
  const Rights *rights = nullptr;  // of that grant
};

// Ends the walk at what exists. With follow, a final symlink is followed. 0 or -errno.
// mask: for statx(2).
int find(Walk &walk, bool follow, Found &found, unsigned mask = STATX_BASIC_STATS);

// A name to be created, removed or renamed.
struct Slot {
  int parent = -1;  // borrowed from the walk or the tree
  std::string name;
  const Rights *rights = nullptr;
  bool in_tree = false;     // the name is a node's: only what its grant allows
  bool may_change = false;  // the name may be created, removed and replaced
};

// Ends the walk at a name whose directory exists; the name itself need not. Fabricated directories
// hold no such name: EROFS, or ENOENT where nothing of that name is there and must_exist. 0 or
// -errno.
int find_slot(Walk &walk, Slot &slot);

// Where the symlink that is held by link, an O_PATH descriptor, leads; directory: what it lies in.
// As read_link(), but for links in a sandbox's own /proc.
std::variant<std::string, int> link_target(const Directory &directory, int link);

// Text of the symlink name in directory, or -errno (EINVAL where it is none).
std::variant<std::string, int> read_link(int directory, const char *name);

}  // namespace plash::server
