// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Operations that open, create and describe files.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "tools/stress/libc_operations.h"

namespace plash::stress {
namespace {

// Reads the fixture through descriptor and closes it.
void check_content(Context &c, int descriptor) noexcept {
  char buffer[file_content.size() + 8];
  const long size = read(descriptor, buffer, sizeof buffer);
  if (c.done("read", size)) {
    c.holds("read", std::string_view(buffer, static_cast<std::size_t>(size)) == file_content,
            "not the bytes of the file");
  }
  c.shut(descriptor);
}

void status_alone(Context &c) noexcept {
  struct stat status {};
  if (c.done("stat", stat("file", &status)))
    c.holds("stat", status.st_size == long{file_content.size()}, "wrong size");
}

void open_absolute(Context &c) noexcept {
  const int descriptor = open(Fixture(c, "a/file"), O_RDONLY | O_CLOEXEC);
  if (!c.done("open", descriptor)) return;
  c.holds("open", fcntl(descriptor, F_GETFD) == FD_CLOEXEC, "O_CLOEXEC was lost");
  check_content(c, descriptor);
}

void open_relative(Context &c) noexcept {
  const int descriptor = open("file", O_RDONLY);
  if (!c.done("open", descriptor)) return;
  c.holds("open", fcntl(descriptor, F_GETFD) == 0, "close-on-exec unasked");
  check_content(c, descriptor);
}

void open_through_link(Context &c) noexcept {
  const int descriptor = open(Fixture(c, "b/link"), O_RDONLY | O_CLOEXEC);
  if (c.done("open", descriptor)) check_content(c, descriptor);
  c.refused("open", open(Fixture(c, "b/link"), O_RDONLY | O_NOFOLLOW), ELOOP);
}

void open_fails(Context &c) noexcept {
  c.refused("open", open(Fixture(c, "a/none"), O_RDONLY), ENOENT);
  c.refused("open", open(Fixture(c, "a/file/none"), O_RDONLY), ENOTDIR);
  c.refused("open", open(Fixture(c, "a/file"), O_RDONLY | O_DIRECTORY), ENOTDIR);
}

void open_at(Context &c) noexcept {
  const int directory = open(Fixture(c, "a"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!c.done("open", directory)) return;
  const int descriptor = openat(directory, "link", O_RDONLY | O_CLOEXEC);
  if (c.done("openat", descriptor)) check_content(c, descriptor);
  c.refused("openat", openat(directory, "none", O_RDONLY), ENOENT);
  c.shut(directory);
}

void create_and_write(Context &c) noexcept {
  const Name name(c, 'x');
  const int descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (!c.done("open", descriptor)) return;
  c.refused("open", open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640), EEXIST);
  c.holds("write", write(descriptor, "1234", 4) == 4, "short write");
  struct stat status {};
  if (c.done("fstat", fstat(descriptor, &status)))
    c.holds("fstat", S_ISREG(status.st_mode) && status.st_size == 4, "wrong status");
  if (c.done("truncate", truncate(name, 2)) && c.done("stat", stat(name, &status)))
    c.holds("stat", status.st_size == 2, "wrong size");
  c.shut(descriptor);
  c.done("unlink", unlink(name));
}

void creat_again(Context &c) noexcept {
  const Name name(c, 'x', Name::Form::relative);
  const int descriptor = creat(name, 0600);
  if (!c.done("creat", descriptor)) return;
  c.shut(descriptor);
  c.done("unlink", unlink(name));
}

void status_of_file(Context &c) noexcept {
  struct stat by_path {};
  struct stat of_link {};
  if (c.done("stat", stat(Fixture(c, "a/link"), &by_path)))
    c.holds("stat", S_ISREG(by_path.st_mode) && by_path.st_size == long{file_content.size()},
            "wrong status");
  if (c.done("lstat", lstat(Fixture(c, "a/link"), &of_link)))
    c.holds("lstat", S_ISLNK(of_link.st_mode) && of_link.st_size == 4, "wrong status");
  if (c.done("fstatat", fstatat(AT_FDCWD, "file", &of_link, AT_SYMLINK_NOFOLLOW)))
    c.holds("fstatat", S_ISREG(of_link.st_mode), "wrong status");
  c.refused("stat", stat(Fixture(c, "none"), &by_path), ENOENT);
}

void status_of_descriptor(Context &c) noexcept {
  // Without O_DIRECTORY, as who reads from it would open it: the loader door traps reads from there
  // on.
  const int directory = open(Fixture(c, "b"), O_RDONLY | O_CLOEXEC);
  if (!c.done("open", directory)) return;
  struct stat status {};
  if (c.done("fstat", fstat(directory, &status)))
    c.holds("fstat", S_ISDIR(status.st_mode), "not a directory");
  if (c.done("fstatat", fstatat(directory, "file", &status, 0)))
    c.holds("fstatat", status.st_size == long{file_content.size()}, "wrong size");
  char byte;
  c.refused("read", read(directory, &byte, 1), EISDIR);
  c.shut(directory);
}

void may_access(Context &c) noexcept {
  c.done("access", access(Fixture(c, "a/file"), R_OK));
  c.refused("access", access("none", F_OK), ENOENT);
  c.done("faccessat", faccessat(AT_FDCWD, "link", R_OK | W_OK, 0));
}

void read_link(Context &c) noexcept {
  char target[16];
  const long size = readlink(Fixture(c, "a/link"), target, sizeof target);
  if (c.done("readlink", size))
    c.holds("readlink", std::string_view(target, static_cast<std::size_t>(size)) == "file",
            "wrong target");
  if (c.done("readlinkat", readlinkat(AT_FDCWD, "link", target, 2)))
    c.holds("readlinkat", target[0] == 'f' && target[1] == 'i', "wrong target");
  c.refused("readlink", readlink("file", target, sizeof target), EINVAL);
}

void set_times(Context &c) noexcept {
  const Name name(c, 'x');
  const int descriptor = creat(name, 0600);
  if (!c.done("creat", descriptor)) return;
  const timespec times[2] = {{1000, 1}, {2000, 2}};
  struct stat status {};
  if (c.done("futimens", futimens(descriptor, times)) &&
      c.done("fstat", fstat(descriptor, &status)))
    c.holds("futimens", status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 2, "wrong time");
  if (c.done("utimensat", utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW)) &&
      c.done("stat", stat(name, &status)))
    c.holds("utimensat", status.st_atim.tv_sec == 1000 && status.st_atim.tv_nsec == 1,
            "wrong time");
  const timeval values[2] = {{3000, 3}, {4000, 4}};
  if (c.done("utimes", utimes(name, values)) && c.done("stat", stat(name, &status)))
    c.holds("utimes", status.st_mtim.tv_sec == 4000 && status.st_mtim.tv_nsec == 4000,
            "wrong time");
  const utimbuf seconds{5000, 6000};
  if (c.done("utime", utime(name, &seconds)) && c.done("stat", stat(name, &status)))
    c.holds("utime", status.st_atim.tv_sec == 5000 && status.st_mtim.tv_sec == 6000, "wrong time");
  c.shut(descriptor);
  c.done("unlink", unlink(name));
}

void set_mode_and_owner(Context &c) noexcept {
  const Name name(c, 'x');
  const int descriptor = creat(name, 0600);
  if (!c.done("creat", descriptor)) return;
  struct stat status {};
  if (c.done("fchmod", fchmod(descriptor, 0640)) && c.done("fstat", fstat(descriptor, &status)))
    c.holds("fchmod", (status.st_mode & 07777) == 0640, "wrong mode");
  if (c.done("chmod", chmod(name, 0604)) && c.done("stat", stat(name, &status)))
    c.holds("chmod", (status.st_mode & 07777) == 0604, "wrong mode");
  if (c.done("fchmodat", fchmodat(AT_FDCWD, name, 0400, 0)) && c.done("stat", stat(name, &status)))
    c.holds("fchmodat", (status.st_mode & 07777) == 0400, "wrong mode");
  const uid_t same_user = static_cast<uid_t>(-1);
  const gid_t same_group = static_cast<gid_t>(-1);
  c.done("chown", chown(name, same_user, same_group));
  c.done("fchown", fchown(descriptor, same_user, same_group));
  c.done("lchown", lchown(name, same_user, same_group));
  c.done("fchownat", fchownat(AT_FDCWD, name, same_user, same_group, 0));
  c.shut(descriptor);
  c.done("unlink", unlink(name));
}

// A FIFO that has a reader and then a writer: neither open blocks. Over a door, the server takes
// both for calls that may: a signal meanwhile may end one with EINTR, which a blocking open gives
// natively.
void open_fifo(Context &c) noexcept {
  const Name name(c, 'x');
  if (!c.done("mkfifo", mkfifo(name, 0600))) return;
  const int reader = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (c.done("open", reader)) {
    int writer;
    do {
      writer = open(name, O_WRONLY | O_CLOEXEC);
    } while (writer == -1 && errno == EINTR);
    if (c.done("open", writer)) {
      char byte = 0;
      c.holds("write", write(writer, "x", 1) == 1, "nothing written");
      c.holds("read", read(reader, &byte, 1) == 1 && byte == 'x', "nothing read");
      c.shut(writer);
    }
    c.shut(reader);
  }
  c.done("unlink", unlink(name));
}

// The worker's is 0 all the time.
void set_umask(Context &c) noexcept {
  c.holds("umask", umask(0) == 0, "another mask than was set");
  const Name name(c, 'x');
  struct stat status {};
  if (!c.done("mknod", mknod(name, S_IFREG | 0666, 0))) return;
  if (c.done("stat", stat(name, &status)))
    c.holds("umask", (status.st_mode & 07777) == 0666, "wrong mode");
  c.done("unlink", unlink(name));
}

constexpr Operation list[] = {
    {"stat, alone", status_alone},
    {"open, FIFO", open_fifo},
    {"umask", set_umask},
    {"open, absolute", open_absolute},
    {"open, relative", open_relative},
    {"open, symlink", open_through_link},
    {"open, failing", open_fails},
    {"openat", open_at},
    {"open, O_CREAT", create_and_write},
    {"creat", creat_again},
    {"stat", status_of_file},
    {"fstat", status_of_descriptor},
    {"access", may_access},
    {"readlink", read_link},
    {"utimensat", set_times},
    {"chmod, chown", set_mode_and_owner},
};

}  // namespace

std::span<const Operation> libc_file_operations() noexcept { return list; }

}  // namespace plash::stress
