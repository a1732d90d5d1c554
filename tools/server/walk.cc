// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/walk.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "protocol/packet.h"
#include "tools/server/open_beneath.h"
#include "tools/server/process_files.h"

namespace plash::server {
namespace {

constexpr int max_links = 40;  // as the kernel's MAXSYMLINKS

std::string_view strip_slashes(std::string_view path) {
  const auto first = path.find_first_not_of('/');
  return first == std::string_view::npos ? std::string_view{} : path.substr(first);
}

// Takes the first component off path, and the slashes behind it.
std::string_view take_component(std::string_view &path, bool &slash_behind) {
  const auto end = path.find('/');
  const std::string_view component = path.substr(0, end);
  slash_behind = end != std::string_view::npos;
  path = slash_behind ? strip_slashes(path.substr(end)) : std::string_view{};
  return component;
}

bool is_link(const struct statx &status) { return S_ISLNK(status.stx_mode); }

// The directory that a slot's node turned out to be.
Directory directory_in_slot(const Directory &below, const Node &node, int fd) {
  Directory directory;
  directory.name_space = below.name_space;
  directory.granted = &node;
  directory.fd = std::make_shared<const UniqueFd>(fd);
  return directory;
}

}  // namespace

std::uint64_t WalkRules::resolve() const {
  return (no_xdev ? std::uint64_t{RESOLVE_NO_XDEV} : 0) |
         (cached ? std::uint64_t{RESOLVE_CACHED} : 0);
}

Walk::Walk(Directory start, std::string_view path, WalkRules rules)
    : start_(start), rules_(rules), directory_(std::move(start)), pending_(path) {
  if (path.empty()) error_ = -ENOENT;
  if (path.size() > max_path_size) error_ = -ENAMETOOLONG;
  if (!path.empty() && path.front() == '/') {
    if (rules_.beneath) error_ = -EXDEV;
    if (!rules_.in_root) directory_ = root_of(directory_.name_space);
  }
}

bool Walk::is_at_start() const {
  if (directory_.node != nullptr || start_.node != nullptr) return directory_.node == start_.node;
  if (!directory_.fd || !start_.fd) return false;
  if (directory_.fd == start_.fd) return true;
  struct stat here {};
  struct stat start {};
  // The kernel says no path of more than 4095 bytes.
  return ::fstat(directory_.real(), &here) == 0 && ::fstat(start_.real(), &start) == 0 &&
         here.st_dev == start.st_dev && here.st_ino == start.st_ino &&
         kernel_path(directory_.real()) == kernel_path(start_.real());
}

int Walk::step_up() {
  if ((rules_.beneath || rules_.in_root) && is_at_start()) return rules_.beneath ? -EXDEV : 0;
  auto parent = parent_of(directory_, rules_.no_xdev ? std::uint64_t{RESOLVE_NO_XDEV} : 0);
  if (const int *error = std::get_if<int>(&parent)) return *error;
  auto &up = std::get<Directory>(parent);
  if (rules_.no_xdev && up.granted != directory_.granted) return -EXDEV;
  directory_ = std::move(up);
  return 0;
}

int Walk::check_crossing(const Node &node) const {
  return rules_.no_xdev && node.grant && &node != directory_.granted ? -EXDEV : 0;
}

int Walk::enter_node(const Node &node, Directory &entered) const {
  const int error = check_crossing(node);
  if (error != 0) return error;
  entered = enter(directory_, node);
  return rules_.no_xdev && entered.granted != directory_.granted ? -EXDEV : 0;
}

int Walk::splice(const std::string &target, std::string_view rest) {
  if (rules_.no_symlinks || ++links_ > max_links) return -ELOOP;
  if (target.empty()) return -ENOENT;
  std::string pending = target;
  if (!rest.empty() || must_be_directory_) pending += "/";
  pending += rest;
  pending_ = std::move(pending);
  advanced_ = false;
  must_be_directory_ = false;
  name_.clear();
  middle_.clear();
  node_ = nullptr;
  if (target.front() == '/') {
    if (rules_.beneath) return -EXDEV;
    Directory root = rules_.in_root ? start_ : root_of(directory_.name_space);
    if (rules_.no_xdev && root.granted != directory_.granted) return -EXDEV;
    directory_ = std::move(root);
  }
  return 0;
}

int Walk::advance() {
  if (error_ != 0 || advanced_) return error_;
  error_ = advance_from_pending();
  advanced_ = true;
  return error_;
}

int Walk::advance_from_pending() {
  must_be_directory_ = false;
  ends_in_dots_ = true;  // where nothing but slashes is left
  std::string_view rest = strip_slashes(pending_);
  name_.clear();
  middle_.clear();
  node_ = nullptr;
  while (!rest.empty()) {
    std::string_view behind = rest;
    bool slash_behind = false;
    const std::string_view component = take_component(behind, slash_behind);
    const bool last = behind.empty();
    if (component == "." || component == "..") {
      ends_in_dots_ = true;
      if (component == "..") {
        const int error = step_up();
        if (error != 0) return error;
      }
      rest = behind;
      if (last) must_be_directory_ = true;
      continue;
    }
    if (component.size() > NAME_MAX) return -ENAMETOOLONG;
    ends_in_dots_ = false;
    const Node *child = directory_.node != nullptr ? directory_.node->find(component) : nullptr;
    if (child != nullptr) {
      if (last) {
        node_ = child;
        name_ = component;
        must_be_directory_ = slash_behind;
        return 0;
      }
      if (child->link) {
        must_be_directory_ = false;
        const std::string remaining(behind);
        const int error = splice(*child->link, remaining);
        return error != 0 ? error : advance_from_pending();
      }
      if (const int crossing = check_crossing(*child); crossing != 0) return crossing;
      if (child->is_slot()) {
        const int fd = open_beneath(child->grant->anchor.get(), child->grant->leaf.c_str(),
                                    O_PATH | O_DIRECTORY | O_NOFOLLOW);
        if (fd >= 0) {
          directory_ = directory_in_slot(directory_, *child, fd);
        } else if (auto target = read_link(child->grant->anchor.get(), child->grant->leaf.c_str());
                   std::holds_alternative<std::string>(target)) {
          const std::string remaining(behind);
          const int error = splice(std::get<std::string>(target), remaining);
          return error != 0 ? error : advance_from_pending();
        } else {
          return fd == -ELOOP ? -ENOTDIR : fd;
        }
      } else {
        Directory entered;
        const int error = enter_node(*child, entered);
        if (error != 0) return error;
        directory_ = std::move(entered);
      }
      rest = behind;
      continue;
    }
    if (!directory_.fd) {
      // A fabricated directory holds nothing but its children.
      if (!last) return -ENOENT;
      name_ = component;
      must_be_directory_ = slash_behind;
      return 0;
    }
    // A run of plain names, up to the end or the next "..".
    std::string run;
    std::string_view name = component;
    for (;;) {
      const bool at_end = behind.empty();
      std::string_view next_behind = behind;
      bool next_slash = false;
      std::string_view next = at_end ? std::string_view{} : take_component(next_behind, next_slash);
      while (!at_end && next == "." && !next_behind.empty())
        next = take_component(next_behind, next_slash);
      if (at_end) {
        middle_ = run;
        name_ = name;
        must_be_directory_ = slash_behind;
        return 0;
      }
      if (next == "." || next == "..") {
        // The names so far are directories; ".." has to be taken from the last of them.
        middle_ = run + std::string(name) + "/";
        pending_ = std::string(next) + (next_slash ? "/" : "") + std::string(next_behind);
        name_.clear();
        const int error = open_parent();
        if (error != 0) return error;
        return advance_from_pending();
      }
      if (next.size() > NAME_MAX) return -ENAMETOOLONG;
      run += name;
      run += '/';
      name = next;
      slash_behind = next_slash;
      behind = next_behind;
    }
  }
  return 0;
}

int Walk::open_parent() {
  // Nodes below a grant need their names looked up one by one, advance() did that; here the names
  // are the kernel's alone.
  if (middle_.empty()) return 0;
  const int whole =
      open_beneath(directory_.real(), middle_.c_str(), O_PATH | O_DIRECTORY, 0, rules_.resolve());
  if (whole >= 0) {
    directory_.fd = std::make_shared<const UniqueFd>(whole);
    directory_.node = nullptr;
    middle_.clear();
    return 0;
  }
  if (whole != -ELOOP && (whole != -EXDEV || rules_.no_xdev)) return whole;
  // Step by step, to find the symlink.
  std::string_view rest = middle_;
  const bool name_follows = !name_.empty();
  std::string behind_middle = name_follows ? name_ + (must_be_directory_ ? "/" : "") : pending_;
  while (!rest.empty()) {
    std::string_view behind = rest;
    bool slash_behind = false;
    const std::string component(take_component(behind, slash_behind));
    const int fd = open_beneath(directory_.real(), component.c_str(), O_PATH | O_NOFOLLOW, 0,
                                rules_.resolve());
    if (fd < 0) return fd;
    auto holder = std::make_shared<const UniqueFd>(fd);
    struct statx status {};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) != 0) return -errno;
    if (is_procfs(status.stx_dev_major, status.stx_dev_minor)) return -EACCES;
    if (is_link(status)) {
      auto target = target_of(directory_, fd);
      if (const int *error = std::get_if<int>(&target)) return *error;
      const std::string remaining = std::string(behind) + behind_middle;
      must_be_directory_ = false;
      const int error = splice(std::get<std::string>(target), remaining);
      if (error != 0) return error;
      if (!name_follows) return 0;  // the caller advances
      const int advanced = advance();
      return advanced != 0 ? advanced : open_parent();
    }
    if (!S_ISDIR(status.stx_mode)) return -ENOTDIR;
    directory_.fd = std::move(holder);
    directory_.node = nullptr;
    rest = behind;
  }
  middle_.clear();
  return 0;
}

std::variant<std::string, int> Walk::target_of(const Directory &directory, int link) const {
  const bool scoped = rules_.beneath || rules_.in_root;
  if ((rules_.no_magic_links || scoped) && is_in_processes(directory.granted) &&
      is_magic_link(link)) {
    return rules_.no_magic_links ? -ELOOP : -EXDEV;
  }
  return link_target(directory, link);
}

int Walk::follow(const std::string &target) {
  const int error = splice(target, "");
  return error != 0 ? error : advance();
}

std::variant<std::string, int> read_link(int directory, const char *name) {
  // Links of procfs, and what they say, are the server's own.
  struct stat status {};
  if (::fstat(directory, &status) != 0) return -errno;
  if (is_procfs(major(status.st_dev), minor(status.st_dev))) return -EACCES;
  char text[PATH_MAX];
  const ssize_t size = ::readlinkat(directory, name, text, sizeof text);
  if (size < 0) return -errno;
  return std::string(text, static_cast<std::size_t>(size));
}

std::variant<std::string, int> link_target(const Directory &directory, int link) {
  return is_in_processes(directory.granted) ? process_link(directory, link) : read_link(link, "");
}

namespace {

int found_directory(const Directory &directory, Found &found, unsigned mask) {
  found.directory = directory;
  found.node = directory.node;
  found.is_directory = true;
  found.granted = directory.granted;
  found.rights = directory.granted != nullptr ? &directory.rights() : nullptr;
  if (!directory.fd) return 0;
  if (::statx(directory.real(), "", AT_EMPTY_PATH, mask | STATX_TYPE, &found.status) != 0)
    return -errno;
  return is_procfs(found.status.stx_dev_major, found.status.stx_dev_minor) ? -EACCES : 0;
}

// Opens the walk's name as it is, a symlink included. A descriptor or -errno.
int open_name(const Walk &walk, const Node *&granted) {
  if (const Node *node = walk.node(); node != nullptr) {
    granted = node;
    return open_beneath(node->grant->anchor.get(), node->grant->leaf.c_str(), O_PATH | O_NOFOLLOW);
  }
  if (!walk.directory().fd) return -ENOENT;
  granted = walk.directory().granted;
  return open_beneath(walk.directory().real(), walk.relative().c_str(), O_PATH | O_NOFOLLOW);
}

}  // namespace

int find(Walk &walk, bool follow, Found &found, unsigned mask) {
  int error = walk.advance();
  while (error == 0) {
    if (walk.name().empty()) return found_directory(walk.directory(), found, mask);
    const bool follow_here = follow || walk.must_be_directory();
    const Node *node = walk.node();
    if (node != nullptr && node->link) {
      if (!follow_here) {
        found.node = node;
        return 0;
      }
      error = walk.follow(*node->link);
      continue;
    }
    if (node != nullptr && !node->is_slot())
      return found_directory(enter(walk.directory(), *node), found, mask);
    const Node *granted = nullptr;
    UniqueFd fd(open_name(walk, granted));
    if (!fd) {
      if (fd.get() != -ELOOP || walk.middle().empty()) return fd.get();
      error = walk.open_parent();
      continue;
    }
    if (::statx(fd.get(), "", AT_EMPTY_PATH, mask | STATX_TYPE, &found.status) != 0) return -errno;
    if (is_procfs(found.status.stx_dev_major, found.status.stx_dev_minor)) return -EACCES;
    if (is_link(found.status) && follow_here) {
      if (!walk.middle().empty()) {
        // What the link says counts from the directory that it is in.
        error = walk.open_parent();
        continue;
      }
      Directory around = walk.directory();
      around.granted = granted;
      auto target = walk.target_of(around, fd.get());
      if (const int *failure = std::get_if<int>(&target)) return *failure;
      error = walk.follow(std::get<std::string>(target));
      continue;
    }
    found.is_directory = S_ISDIR(found.status.stx_mode);
    if (walk.must_be_directory() && !found.is_directory) return -ENOTDIR;
    found.granted = granted;
    found.rights = &granted->grant->rights;
    if (found.is_directory) {
      found.directory.name_space = walk.directory().name_space;
      found.directory.granted = granted;
      found.directory.fd = std::make_shared<const UniqueFd>(fd.release());
    } else {
      found.fd = std::move(fd);
    }
    return 0;
  }
  return error;
}

int find_slot(Walk &walk, Slot &slot) {
  int error = walk.advance();
  if (error == 0) error = walk.open_parent();
  if (error != 0) return error;
  slot.name = walk.name();
  if (slot.name.empty()) return 0;
  if (const Node *node = walk.node(); node != nullptr) {
    slot.in_tree = true;
    if (node->is_slot()) {
      slot.parent = node->grant->anchor.get();
      slot.name = node->grant->leaf;
      slot.rights = &node->grant->rights;
      slot.may_change = slot.rights->create;
    }
    return 0;
  }
  if (walk.directory().fd) {
    slot.parent = walk.directory().real();
    slot.rights = &walk.directory().rights();
    slot.may_change = slot.rights->write;
  }
  return 0;
}

}  // namespace plash::server
