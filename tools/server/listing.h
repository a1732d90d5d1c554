// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The contents of an open directory, and a position in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/server/directory.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

class Listing {
 public:
  explicit Listing(Directory directory) : directory_(std::move(directory)) {}

  // Appends at most size bytes of linux_dirent64 records to entries. 0 or -errno: EINVAL where not
  // even one fits.
  int read(std::size_t size, std::string &entries);
  // As lseek(2); the new position or -errno.
  std::int64_t seek(std::int64_t offset, int whence);
  // A readable descriptor of the real directory, -errno where there is none.
  int real();

 private:
  struct Entry {
    std::uint64_t inode;
    unsigned char type;
    std::string name;
  };
  // A directory that is (also) in the tree is listed from a snapshot, made when it is read from its
  // beginning.
  bool is_merged() const {
    return directory_.node != nullptr && (!directory_.fd || !directory_.node->children.empty());
  }
  int take_snapshot();
  int read_merged(std::size_t size, std::string &entries);

  Directory directory_;
  UniqueFd readable_;
  std::vector<Entry> snapshot_;
  std::size_t position_ = 0;
};

}  // namespace plash::server
