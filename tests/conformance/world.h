// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What cases set up before the calls that they are about, and how they look at what came of them.
// Set-up that fails ends the case.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/conformance/case.h"

namespace plash::conformance {

inline void make_file(const std::string &path, std::string_view contents = "", mode_t mode = 0644) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) set_up_failed("open " + path);
  if (::write(fd, contents.data(), contents.size()) != static_cast<ssize_t>(contents.size()))
    set_up_failed("write " + path);
  ::close(fd);
  if (::chmod(path.c_str(), mode) != 0) set_up_failed("chmod " + path);
}

inline void make_directory(const std::string &path, mode_t mode = 0755) {
  if (::mkdir(path.c_str(), 0700) != 0) set_up_failed("mkdir " + path);
  if (::chmod(path.c_str(), mode) != 0) set_up_failed("chmod " + path);
}

inline void make_symlink(const std::string &target, const std::string &path) {
  if (::symlink(target.c_str(), path.c_str()) != 0) set_up_failed("symlink " + path);
}

inline void make_fifo(const std::string &path) {
  if (::mkfifo(path.c_str(), 0644) != 0) set_up_failed("mkfifo " + path);
}

// A descriptor of what is there.
inline int must_open(const std::string &path, int flags = O_RDONLY) {
  const int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0) set_up_failed("open " + path);
  return fd;
}

inline void must_change_directory(const std::string &path) {
  if (::chdir(path.c_str()) != 0) set_up_failed("chdir " + path);
}

inline std::string current_directory() {
  char path[4097];
  if (!::getcwd(path, sizeof path)) set_up_failed("getcwd");
  return path;
}

// All that can be read from fd; ends at an error.
inline std::string read_all(int fd) {
  std::string contents;
  char buffer[4096];
  for (ssize_t size; (size = ::read(fd, buffer, sizeof buffer)) > 0;)
    contents.append(buffer, static_cast<std::size_t>(size));
  return contents;
}

inline std::string contents_of(const std::string &path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "cannot open: " + error_name(errno);
  std::string contents = read_all(fd);
  ::close(fd);
  return contents;
}

// Names in a directory, sorted, without "." and "..".
inline std::vector<std::string> names_in(const std::string &path) {
  std::vector<std::string> names;
  DIR *directory = ::opendir(path.c_str());
  if (!directory) return {"cannot open: " + error_name(errno)};
  while (const dirent *entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

inline std::string type_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFIFO:
      return "FIFO";
    case S_IFSOCK:
      return "socket";
    case S_IFCHR:
      return "character device";
    case S_IFBLK:
      return "block device";
    default:
      return "no type";
  }
}

// What of a status is the same in every run.
inline std::string describe(const struct stat &status) {
  char text[160];
  ::snprintf(text, sizeof text, "%s 0%o, size %ld, links %lu, owner %u:%u",
             type_name(status.st_mode).c_str(), status.st_mode & 07777,
             S_ISDIR(status.st_mode) ? 0L : static_cast<long>(status.st_size),
             static_cast<unsigned long>(status.st_nlink), status.st_uid, status.st_gid);
  return text;
}

inline bool same_file(const struct stat &a, const struct stat &b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Every field but the access time, which the calls between two looks may change.
inline bool same_status(const struct stat &a, const struct stat &b) {
  return same_file(a, b) && a.st_mode == b.st_mode && a.st_nlink == b.st_nlink &&
         a.st_uid == b.st_uid && a.st_gid == b.st_gid && a.st_rdev == b.st_rdev &&
         a.st_size == b.st_size && a.st_blksize == b.st_blksize && a.st_blocks == b.st_blocks &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

// Prints what lstat() says of path.
inline void record_status(std::string_view what, const std::string &path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) {
    record_error(what, errno);
  } else {
    print(std::string(what) + ": " + describe(status) + "\n");
  }
}

// Prints what fstat() says of fd.
inline void record_status(std::string_view what, int fd) {
  struct stat status;
  if (::fstat(fd, &status) != 0) {
    record_error(what, errno);
  } else {
    print(std::string(what) + ": " + describe(status) + "\n");
  }
}

// Prints how a child ended.
inline void record_end(std::string_view what, pid_t child) {
  int status;
  pid_t ended;
  while ((ended = ::waitpid(child, &status, 0)) < 0 && errno == EINTR) {
  }
  if (ended != child) {
    record_error(what, errno);
  } else if (WIFSIGNALED(status)) {
    print(std::string(what) + ": killed by SIG" + ::sigabbrev_np(WTERMSIG(status)) + "\n");
  } else {
    print(std::string(what) + ": exits with " + std::to_string(WEXITSTATUS(status)) + "\n");
  }
}

// Runs work in a forked child, which then exits with 0; waits and prints how it ended.
template <typename Work>
void in_child(std::string_view what, Work work) {
  const pid_t child = ::fork();
  if (child < 0) set_up_failed("fork");
  if (child == 0) {
    work();
    ::_exit(0);
  }
  record_end(what, child);
}

// An access control list as its attribute has it (linux/posix_acl_xattr.h).
struct AclEntry {
  std::uint16_t tag, permissions;
  std::uint32_t id = static_cast<std::uint32_t>(ACL_UNDEFINED_ID);
};
template <std::size_t count>
struct Acl {
  std::uint32_t version = 2;
  AclEntry entries[count];
};

}  // namespace plash::conformance
