// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

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

std::size_t record_size(std::size_t name_size) {
  return (name_offset + name_size + 1 + 7) & ~std::size_t{7};
}

long read_entries(int fd, char *buffer, std::size_t size) {
  const long result = ::syscall(SYS_getdents64, fd, buffer, size);
  return result < 0 ? -errno : result;
}

unsigned char type_of(const Node &node) {
  if (node.link) return DT_LNK;
  if (!node.is_slot()) return DT_DIR;
  struct stat status {};
  if (::fstatat(node.grant->anchor.get(), node.grant->leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) !=
      0)
    return DT_UNKNOWN;
  return static_cast<unsigned char>(IFTODT(status.st_mode));
}

bool exists(const Node &node) {
  struct stat status {};
  return !node.is_slot() || ::fstatat(node.grant->anchor.get(), node.grant->leaf.c_str(), &status,
                                      AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

int Listing::real() {
  if (readable_) return readable_.get();
  if (!directory_.fd) return -ENOENT;
  const int fd = ::openat(directory_.real(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  readable_.reset(fd);
  return fd;
}

int Listing::take_snapshot() {
  snapshot_.clear();
  const Node &node = *directory_.node;
  if (directory_.fd) {
    const int fd = real();
    if (fd < 0) return fd;
    if (::lseek(fd, 0, SEEK_SET) < 0) return -errno;
    alignas(DirectoryEntry) char buffer[32 * 1024];
    long size;
    while ((size = read_entries(fd, buffer, sizeof buffer)) > 0) {
      for (long at = 0; at < size;) {
        DirectoryEntry entry;
        std::memcpy(&entry, buffer + at, name_offset);
        std::string name(buffer + at + name_offset);
        if (node.find(name) == nullptr)
          snapshot_.push_back({entry.inode, entry.type, std::move(name)});
        at += entry.size;
      }
    }
    if (size < 0) return static_cast<int>(size);
  } else {
    snapshot_.push_back({node.inode, DT_DIR, "."});
    snapshot_.push_back({node.is_root() ? node.inode : node.parent->inode, DT_DIR, ".."});
  }
  for (const auto &[name, child] : node.children) {
    if (exists(*child)) snapshot_.push_back({child->inode, type_of(*child), name});
  }
  return 0;
}

int Listing::read_merged(std::size_t size, std::string &entries) {
  if (position_ == 0) {
    const int error = take_snapshot();
    if (error != 0) return error;
  }
  const std::size_t begin = entries.size();
  while (position_ < snapshot_.size()) {
    const Entry &entry = snapshot_[position_];
    const std::size_t record = record_size(entry.name.size());
    if (entries.size() - begin + record > size) return entries.size() == begin ? -EINVAL : 0;
    DirectoryEntry header{};
    header.inode = entry.inode;
    header.offset = static_cast<std::int64_t>(++position_);
    header.size = static_cast<unsigned short>(record);
    header.type = entry.type;
    const std::size_t at = entries.size();
    entries.resize(at + record);
    std::memcpy(entries.data() + at, &header, name_offset);
    std::memcpy(entries.data() + at + name_offset, entry.name.data(), entry.name.size());
  }
  return 0;
}

int Listing::read(std::size_t size, std::string &entries) {
  if (is_merged()) return read_merged(size, entries);
  const int fd = real();
  if (fd < 0) return fd;
  const std::size_t begin = entries.size();
  entries.resize(begin + size);
  const long result = read_entries(fd, entries.data() + begin, size);
  entries.resize(begin + (result > 0 ? static_cast<std::size_t>(result) : 0));
  return result < 0 ? static_cast<int>(result) : 0;
}

std::int64_t Listing::seek(std::int64_t offset, int whence) {
  if (!is_merged()) {
    const int fd = real();
    if (fd < 0) return fd;
    const off_t position = ::lseek(fd, offset, whence);
    return position < 0 ? -errno : position;
  }
  if (whence == SEEK_CUR) offset += static_cast<std::int64_t>(position_);
  if (whence != SEEK_CUR && whence != SEEK_SET) return -EINVAL;
  if (offset < 0) return -EINVAL;
  position_ = static_cast<std::size_t>(offset);
  return offset;
}

}  // namespace plash::server
