// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A namespace: the tree of names that a sandbox sees. Directories in it are fabricated, or real
// ones that were granted, or both (a granted directory with further grants below it).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tools/support/unique_fd.h"

namespace plash::server {

// What may be done with a granted file or directory. Read-only: neither contents nor metadata can
// be changed.
struct Rights {
  bool write =
      false;  // write and change what exists; in a directory also create, remove and rename
  bool create = false;   // the slot itself may be created, replaced, renamed and removed (-fw)
  bool symlink = false;  // symlinks may be created (with write)
  bool connect = false;  // Unix-domain sockets may be connected to
};

class Node;

class Namespace {
 public:
  Namespace();
  ~Namespace();
  Namespace(const Namespace &) = delete;
  Namespace &operator=(const Namespace &) = delete;

  // Grants the file or directory at host_path (absolute, resolved by the host's kernel, final
  // symlink not followed) at path (absolute, without "." and ".."); missing directories on the way
  // are fabricated, existing nodes are kept, rights of a node granted twice are united. With
  // rights.create the file need not exist, but its directory must. A symlink is granted as the link
  // that it is. Throws std::system_error naming the host path.
  void grant(const std::string &path, const std::string &host_path, Rights rights);

  // Grants a file system that is mounted nowhere, by its root, at path. Where it is a procfs, only
  // what process_files.h says can be seen of it. Throws std::system_error.
  void grant_mount(const std::string &path, UniqueFd root, Rights rights);
  void grant_processes(const std::string &path, UniqueFd root);

  // Fabricates an empty directory at path. Throws std::system_error (ENOTDIR where a file is in the
  // way).
  void make_directory(const std::string &path);

  // Fabricates a symlink at path. Throws std::system_error (EEXIST).
  void make_symlink(const std::string &path, const std::string &target);

  const std::shared_ptr<Node> &root() const { return root_; }

 private:
  std::shared_ptr<Node> root_;
};

}  // namespace plash::server
