// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/namespace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <atomic>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "tools/server/directory.h"
#include "tools/server/node.h"

namespace plash::server {
namespace {

std::uint64_t next_inode() {
  static std::atomic<std::uint64_t> next{1};
  return next++;
}

[[noreturn]] void fail(int error, const std::string &what) {
  throw std::system_error(error, std::generic_category(), what);
}

std::vector<std::string> components_of(const std::string &path) {
  if (path.empty() || path.front() != '/') fail(EINVAL, path + ": not an absolute path");
  std::vector<std::string> components;
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto end = rest.find('/');
    const std::string component(rest.substr(0, end));
    if (component == "." || component == "..")
      fail(EINVAL, path + ": \".\" and \"..\" cannot be granted");
    if (!component.empty()) components.push_back(component);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return components;
}

// The node at path, its directories made where they are missing.
Node &make_node(Node &root, const std::string &path) {
  Node *node = &root;
  for (const std::string &component : components_of(path)) {
    if (node->link || node->is_slot()) fail(ENOTDIR, path);
    auto &child = node->children[component];
    if (!child) child = std::make_shared<Node>(component, node, next_inode());
    node = child.get();
  }
  return *node;
}

Grant open_grant(const std::string &host_path, Rights rights) {
  const auto slash = host_path.find_last_of('/');
  if (host_path.empty() || host_path.front() != '/')
    fail(EINVAL, host_path + ": not an absolute path");
  Grant grant;
  grant.rights = rights;
  UniqueFd self(::open(host_path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (self) {
    if (::fstat(self.get(), &status) != 0) fail(errno, host_path);
  } else if (errno != ENOENT || !rights.create) {
    fail(errno, host_path);
  }
  if (self && is_procfs(major(status.st_dev), minor(status.st_dev))) {
    fail(EPERM, host_path + ": the host's /proc cannot be granted");
  }
  if (self && S_ISDIR(status.st_mode)) {
    grant.anchor = std::move(self);
    return grant;
  }
  const std::string parent = slash == 0 ? "/" : host_path.substr(0, slash);
  grant.leaf = host_path.substr(slash + 1);
  grant.anchor.reset(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!grant.anchor) fail(errno, parent);
  return grant;
}

}  // namespace

Namespace::Namespace() : root_(std::make_shared<Node>("", nullptr, next_inode())) {}
Namespace::~Namespace() = default;

void Namespace::grant(const std::string &path, const std::string &host_path, Rights rights) {
  Grant grant = open_grant(host_path, rights);
  Node &node = make_node(*root_, path);
  if (node.link) fail(EEXIST, path);
  if (!grant.leaf.empty() && (node.is_root() || !node.children.empty())) fail(ENOTDIR, host_path);
  if (node.grant) {
    const Rights &old = node.grant->rights;
    grant.rights = {old.write || rights.write, old.create || rights.create,
                    old.symlink || rights.symlink, old.connect || rights.connect};
  }
  node.grant = std::move(grant);
}

void Namespace::grant_mount(const std::string &path, UniqueFd root, Rights rights) {
  struct stat status {};
  if (::fstat(root.get(), &status) != 0) fail(errno, path);
  Node &node = make_node(*root_, path);
  if (node.link || node.grant) fail(EEXIST, path);
  Grant grant;
  grant.kind = Grant::Kind::mount;
  grant.device = status.st_dev;
  grant.anchor = std::move(root);
  grant.rights = rights;
  node.grant = std::move(grant);
}

void Namespace::grant_processes(const std::string &path, UniqueFd root) {
  grant_mount(path, std::move(root), {});
  make_node(*root_, path).grant->kind = Grant::Kind::processes;
}

void Namespace::make_directory(const std::string &path) {
  const Node &node = make_node(*root_, path);
  if (node.link || node.is_slot()) fail(ENOTDIR, path);
}

void Namespace::make_symlink(const std::string &path, const std::string &target) {
  Node &node = make_node(*root_, path);
  if (node.link && *node.link == target) return;
  if (node.is_root() || node.link || node.grant || !node.children.empty()) fail(EEXIST, path);
  node.link = target;
}

}  // namespace plash::server
