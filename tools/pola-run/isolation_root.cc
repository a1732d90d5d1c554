// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Built with the mount API of Linux 5.12: what is to be shown is cloned by path while the host's
// root is the root, and attached by descriptor, so that no path is looked up in a half-built root.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {
namespace {

[[noreturn]] void fail(const std::string &message) {
  throw Error(ExitStatus::failure, "no isolation: " + message, errno);
}

void make_read_only(const UniqueFd &mount, unsigned flags, std::uint64_t further_attributes,
                    const std::string &name) {
  mount_attr attributes = {};
  attributes.attr_set =
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | further_attributes;
  if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes) !=
      0) {
    fail("cannot make " + name + " read-only");
  }
}

UniqueFd clone_read_only(const std::string &source) {
  UniqueFd tree(
      ::open_tree(AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree) fail("cannot show " + source + " in the sandbox");
  make_read_only(tree, AT_RECURSIVE, 0, source);
  return tree;
}

UniqueFd make_tmpfs() {
  const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context) fail("cannot use tmpfs");
  if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "0755", 0) != 0 ||
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    fail("cannot make a tmpfs");
  }
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount) fail("cannot make a mount of a tmpfs");
  return mount;
}

// Makes the directories that lead to path (absolute) below root.
void make_parents(const UniqueFd &root, const std::string &path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(1, slash - 1);
    if (::mkdirat(root.get(), directory.c_str(), 0755) != 0 && errno != EEXIST) {
      fail("cannot make /" + directory + " in the new root");
    }
  }
}

bool is_directory(const UniqueFd &file) {
  struct stat status;
  if (::fstat(file.get(), &status) != 0) fail("cannot examine a mount");
  return S_ISDIR(status.st_mode);
}

void attach(const UniqueFd &root, const std::string &path, const UniqueFd &tree) {
  const char *const relative = path.c_str() + 1;
  make_parents(root, path);
  const int made =
      is_directory(tree)
          ? ::mkdirat(root.get(), relative, 0755)
          : UniqueFd(::openat(root.get(), relative, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444))
                .get();
  if (made < 0) fail("cannot make " + path + " in the new root");
  if (::move_mount(tree.get(), "", root.get(), relative, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    fail("cannot mount " + path + " in the new root");
  }
}

// Makes root, mounted over "/", the root directory, and lets go of the old one.
void pivot_to(const UniqueFd &root) {
  if (::fchdir(root.get()) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0) {
    fail("cannot change the root directory");
  }
  // The old root now lies over the new one, at the same place.
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) fail("cannot detach the old root");
}

}  // namespace

void enter_root(const std::vector<RootEntry> &entries, const IdPlan &ids) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    fail("cannot make the mounts private");
  }
  std::vector<std::pair<const RootEntry *, UniqueFd>> trees;
  for (const RootEntry &entry : entries) {
    if (entry.kind == RootEntry::Kind::bind)
      trees.emplace_back(&entry, clone_read_only(entry.source));
  }
  take_id(ids);
  const UniqueFd root = make_tmpfs();
  if (::move_mount(root.get(), "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    fail("cannot mount a new root");
  }
  for (const auto &[entry, tree] : trees) attach(root, entry->path, tree);
  for (const RootEntry &entry : entries) {
    if (entry.kind != RootEntry::Kind::symlink) continue;
    make_parents(root, entry.path);
    if (::symlinkat(entry.source.c_str(), root.get(), entry.path.c_str() + 1) != 0) {
      fail("cannot make " + entry.path + " in the new root");
    }
  }
  pivot_to(root);
  // Not recursive: what was mounted in it is read-only already, and has programs in it.
  make_read_only(root, 0, MOUNT_ATTR_NOEXEC, "the new root");
}

}  // namespace plash::pola_run
