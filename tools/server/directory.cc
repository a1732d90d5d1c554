// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "tools/server/open_beneath.h"

namespace plash::server {
namespace {

// Shares the ownership of the namespace, which owns the descriptor.
std::shared_ptr<const UniqueFd> alias(const std::shared_ptr<const Namespace> &owner,
                                      const UniqueFd &fd) {
  return {owner, &fd};
}

// The node's directory, found from the root of the tree.
Directory directory_of(const std::shared_ptr<const Namespace> &name_space, const Node &node) {
  if (node.is_root()) return root_of(name_space);
  return enter(directory_of(name_space, *node.parent), node);
}

const Node *descend(const Node *node, std::string_view path) {
  while (node != nullptr && !path.empty()) {
    const auto slash = path.find('/');
    node = node->find(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return node;
}

// Devices of the procfs instances that were mounted when the server started, as major:minor.
const std::set<std::pair<unsigned, unsigned>> &procfs_devices() {
  static const std::set<std::pair<unsigned, unsigned>> devices = [] {
    std::set<std::pair<unsigned, unsigned>> found;
    std::ifstream mounts("/proc/self/mountinfo");
    std::string line;
    while (std::getline(mounts, line)) {
      const auto separator = line.find(" - ");
      if (separator == std::string::npos || line.compare(separator + 3, 5, "proc ") != 0) continue;
      std::istringstream fields(line);
      unsigned id;
      unsigned parent;
      unsigned device_major;
      unsigned device_minor;
      char colon;
      if (fields >> id >> parent >> device_major >> colon >> device_minor)
        found.emplace(device_major, device_minor);
    }
    return found;
  }();
  return devices;
}

}  // namespace

const Rights &Directory::rights() const {
  static const Rights none;
  return granted != nullptr ? granted->grant->rights : none;
}

Directory root_of(const std::shared_ptr<const Namespace> &name_space) {
  Directory root;
  root.name_space = name_space;
  root.node = name_space->root().get();
  if (root.node->is_directory_grant()) {
    root.granted = root.node;
    root.fd = alias(name_space, root.node->grant->anchor);
  }
  return root;
}

Directory enter(const Directory &below, const Node &node) {
  Directory directory;
  directory.name_space = below.name_space;
  directory.node = &node;
  if (node.is_directory_grant()) {
    directory.granted = &node;
    directory.fd = alias(below.name_space, node.grant->anchor);
  } else if (below.fd) {
    const int fd = open_beneath(below.real(), node.name.c_str(), O_PATH | O_DIRECTORY);
    if (fd >= 0) {
      directory.granted = below.granted;
      directory.fd = std::make_shared<const UniqueFd>(fd);
    }
  }
  return directory;
}

int descriptor_error() { return errno == EMFILE ? -ENFILE : -errno; }

namespace {

// Where a directory lies below a grant; a part of it where the whole path is longer than the kernel
// says one: its ancestors are looked at then, until one's path is not.
std::optional<std::string> path_of_descriptor_below_grant(const Node &node, int fd) {
  constexpr int most_ancestors = 4096;
  UniqueFd ancestor;
  for (int i = 0; i < most_ancestors; ++i) {
    const std::string path = kernel_path(fd);
    if (!path.empty()) return path_below_grant(node, path);
    if (errno != ENAMETOOLONG) return std::nullopt;
    ancestor.reset(::openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!ancestor) return std::nullopt;
    fd = ancestor.get();
  }
  return std::nullopt;
}

}  // namespace

std::variant<Directory, int> parent_of(const Directory &directory, std::uint64_t resolve) {
  if (directory.node != nullptr) {
    if (directory.node->is_root()) return directory;
    return directory_of(directory.name_space, *directory.node->parent);
  }
  const Node &granted = *directory.granted;
  const std::string own_path = kernel_path(directory.real());
  if (granted.is_slot() && path_below_grant(granted, own_path) == "") {
    return directory_of(directory.name_space, *granted.parent);
  }
  const int fd = open_parent(directory.real(), resolve);
  if (fd < 0) return fd;
  Directory parent;
  parent.name_space = directory.name_space;
  parent.granted = &granted;
  parent.fd = std::make_shared<const UniqueFd>(fd);
  // Whoever moved the directory out of the grant while this walk was on its way must not lead it
  // there.
  const auto below = path_of_descriptor_below_grant(granted, fd);
  if (!below) return -ENOENT;
  if (granted.is_directory_grant()) parent.node = descend(&granted, *below);
  return parent;
}

std::variant<std::string, int> path_of(const Directory &directory) {
  if (directory.fd) {
    struct stat status {};
    if (::fstat(directory.real(), &status) != 0) return -errno;
    if (status.st_nlink == 0) return -ENOENT;
  }
  if (directory.node != nullptr) return directory.node->path();
  const std::string host_path = kernel_path(directory.real());
  if (host_path.empty()) return -errno;
  const auto below = path_below_grant(*directory.granted, host_path);
  if (!below) return -ENOENT;
  std::string path = directory.granted->path();
  if (below->empty()) return path;
  if (path != "/") path += "/";
  return path + *below;
}

bool is_in_processes(const Node *granted) {
  return granted != nullptr && granted->grant && granted->grant->kind == Grant::Kind::processes;
}

std::string kernel_path(int fd) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path, sizeof path);
  return size < 0 ? std::string() : std::string(path, static_cast<std::size_t>(size));
}

std::optional<std::string> path_below_grant(const Node &node, const std::string &host_path) {
  std::string base = kernel_path(node.grant->anchor.get());
  if (base.empty() || host_path.empty()) return std::nullopt;
  if (base.back() != '/') base += '/';
  if (node.is_slot()) base += node.grant->leaf + "/";
  if (host_path + "/" == base || host_path == base) return "";
  if (host_path.compare(0, base.size(), base) != 0) return std::nullopt;
  return host_path.substr(base.size());
}

int check_search(const Directory &directory) {
  if (!directory.fd) return 0;
  return ::faccessat(directory.real(), "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0 ? 0 : -errno;
}

bool is_procfs(unsigned device_major, unsigned device_minor) {
  return procfs_devices().count({device_major, device_minor}) != 0;
}

}  // namespace plash::server
