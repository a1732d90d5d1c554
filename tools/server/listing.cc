// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>
#include <limits>

#include "protocol/packet.h"
#include "tools/server/target.h"

namespace plash::server {
namespace {

// As the kernel's struct linux_dirent64, see getdents64(2).
struct DirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short size;
  unsigned char type;
  char name[1];
};
constexpr std::size_t name_offset = offsetof(DirectoryEntry, name);

constexpr std::size_t largest_record = name_offset + NAME_MAX + 1 + 8;

std::size_t record_size(std::size_t name_size) {
  return (name_offset + name_size + 1 + 7) & ~std::size_t{7};
}

long read_entries(int fd, char *buffer, std::size_t size) {
  const long result = ::syscall(SYS_getdents64, fd, buffer, size);
  return result < 0 ? -errno : result;
}

// What stands at a node; false where it is a slot without a file.
bool describe(const Node &node, std::uint64_t &inode, unsigned char &type) {
  inode = node.inode;
  type = node.link ? DT_LNK : DT_DIR;
  if (!node.grant) return true;
  struct stat status {};
  const char *name = node.grant->leaf.c_str();
  if (::fstatat(node.grant->anchor.get(), name, &status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
    return false;
  inode = status.st_ino;
  type = static_cast<unsigned char>(IFTODT(status.st_mode));
  return true;
}

constexpr std::int64_t merged_base = std::numeric_limits<std::int64_t>::min() / 2;

}  // namespace

Listing::Listing(Directory directory) : directory_(std::move(directory)) {
  const Node *node = directory_.node;
  if (!directory_.fd) {
    tree_.push_back({".", node});
    tree_.push_back({"..", node->is_root() ? node : node->parent});
    go_to_tree(0);
  }
  if (node == nullptr) return;
  for (const auto &[name, child] : node->children) tree_.push_back({name.c_str(), child.get()});
}

int Listing::real() {
  if (readable_) return readable_.get();
  if (!directory_.fd) return -ENOENT;
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  int fd = ::openat(directory_.real(), ".", flags);
  // "." is a search, which may not be allowed where reading is.
  if (fd < 0 && errno == EACCES) fd = ::open(descriptor_path(directory_.real()).c_str(), flags);
  if (fd < 0) return descriptor_error();
  readable_.reset(fd);
  return fd;
}

std::int64_t Listing::tree_base() const { return directory_.fd ? merged_base : 0; }

int Listing::read(std::size_t size, std::string &entries) {
  at_end_ = false;
  const std::size_t begin = entries.size();
  if (!tree_position_) {
    const int error = read_real(size, entries);
    if (error != 0 || entries.size() != begin || tree_.empty()) return error;
    go_to_tree(0);
  }
  return read_tree(size, entries);
}

int Listing::read_real(std::size_t size, std::string &entries) {
  const int fd = real();
  if (fd < 0) return fd;
  const std::size_t begin = entries.size();
  char page[max_fragment_size];
  size = std::min(size, sizeof page);
  while (entries.size() == begin) {
    const long filled = read_entries(fd, page, size);
    if (filled <= 0) {
      at_end_ = filled == 0 && tree_.empty();
      return static_cast<int>(filled);
    }
    const auto got = static_cast<std::size_t>(filled);
    if (tree_.empty()) {
      entries.append(page, got);
      // Where the next record would have found room, there may be none.
      if (size - got >= largest_record) return read_on(fd, page, size - got, entries);
      return 0;
    }
    for (std::size_t at = 0; at < got;) {
      DirectoryEntry entry;
      std::memcpy(&entry, page + at, name_offset);
      if (directory_.node->find(page + at + name_offset) == nullptr)
        entries.append(page + at, entry.size);
      at += entry.size;
    }
  }
  return 0;
}

int Listing::read_on(int fd, char *page, std::size_t size, std::string &entries) {
  const long filled = read_entries(fd, page, size);
  if (filled > 0) entries.append(page, static_cast<std::size_t>(filled));
  at_end_ = filled == 0;
  return 0;
}

int Listing::read_tree(std::size_t size, std::string &entries) {
  const std::size_t begin = entries.size();
  for (std::size_t &index = *tree_position_; index < tree_.size(); ++index) {
    DirectoryEntry header{};
    if (!describe(*tree_[index].node, header.inode, header.type)) continue;
    const std::size_t name_size = std::strlen(tree_[index].name);
    const std::size_t record = record_size(name_size);
    const std::size_t at = entries.size();
    if (at - begin + record > size) return at == begin ? -EINVAL : 0;
    header.offset = tree_base() + static_cast<std::int64_t>(index) + 1;
    header.size = static_cast<unsigned short>(record);
    entries.resize(at + record);
    std::memcpy(entries.data() + at, &header, name_offset);
    std::memcpy(entries.data() + at + name_offset, tree_[index].name, name_size);
  }
  at_end_ = true;
  return 0;
}

std::int64_t Listing::seek(std::int64_t offset, int whence) {
  if (tree_position_ && whence == SEEK_CUR) {
    const std::int64_t position = tree_base() + static_cast<std::int64_t>(*tree_position_);
    if (offset == 0) return position;
    if (__builtin_add_overflow(offset, position, &offset)) return -EOVERFLOW;
    whence = SEEK_SET;
  }
  // No other negative offset is a position, least of all one that would read as an error.
  const bool in_tree =
      directory_.fd ? offset < tree_base() + std::numeric_limits<int>::max() : true;
  if (whence == SEEK_SET && !tree_.empty() && offset >= tree_base() && in_tree) {
    go_to_tree(static_cast<std::size_t>(offset - tree_base()));
    return offset;
  }
  if (!directory_.fd) return -EINVAL;
  const int fd = real();
  if (fd < 0) return fd;
  const off_t position = ::lseek(fd, offset, whence);
  if (position < 0) return -errno;
  tree_position_.reset();
  return position;
}

}  // namespace plash::server
