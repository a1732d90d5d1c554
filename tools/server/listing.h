// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The contents of an open directory, and a position in them: first what the real directory holds,
// less what the tree hides, then what the tree has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/server/directory.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

class Listing {
 public:
  explicit Listing(Directory directory);

  // Appends at most size bytes of linux_dirent64 records to entries. 0 or -errno: EINVAL where not
  // even one fits.
  int read(std::size_t size, std::string &entries);
  // Whether the last read came to the end, as far as that is known.
  bool at_end() const { return at_end_; }
  // As lseek(2); the new position or -errno.
  std::int64_t seek(std::int64_t offset, int whence);
  // A readable descriptor of the real directory, -errno where there is none.
  int real();

 private:
  // Offsets in the tree's part are negative where there is a real part too: no file system uses
  // those.
  std::int64_t tree_base() const;
  void go_to_tree(std::size_t index) { tree_position_ = index; }
  int read_real(std::size_t size, std::string &entries);
  int read_on(int fd, char *page, std::size_t size, std::string &entries);
  int read_tree(std::size_t size, std::string &entries);

  struct TreeEntry {
    const char *name;
    const Node *node;
  };

  Directory directory_;
  UniqueFd readable_;
  std::vector<TreeEntry> tree_;
  std::optional<std::size_t> tree_position_;  // nothing: in the real part
  bool at_end_ = false;
};

}  // namespace plash::server
