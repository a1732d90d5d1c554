// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Operations that make, rename and remove names, on directories and on Unix-domain sockets.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <string_view>

#include "tools/stress/libc_operations.h"

namespace plash::stress {
namespace {

void make_directory(Context &c) noexcept {
  const Name name(c, 'x');
  if (!c.done("mkdir", mkdir(name, 0755))) return;
  c.refused("mkdir", mkdir(name, 0755), EEXIST);
  struct stat status {};
  if (c.done("stat", stat(name, &status)))
    c.holds("mkdir", S_ISDIR(status.st_mode), "not a directory");
  c.done("rmdir", rmdir(name));
  const Name relative(c, 'y', Name::Form::relative);
  if (!c.done("mkdirat", mkdirat(AT_FDCWD, relative, 0700))) return;
  c.done("unlinkat", unlinkat(AT_FDCWD, relative, AT_REMOVEDIR));
}

void make_nodes(Context &c) noexcept {
  const Name name(c, 'x');
  struct stat status {};
  if (!c.done("mkfifo", mkfifo(name, 0600))) return;
  if (c.done("stat", stat(name, &status)))
    c.holds("mkfifo", S_ISFIFO(status.st_mode), "not a FIFO");
  if (!c.done("unlink", unlink(name))) return;
  if (!c.done("mkfifoat", mkfifoat(AT_FDCWD, name, 0600))) return;
  if (!c.done("unlink", unlink(name))) return;
  if (!c.done("mknod", mknod(name, S_IFREG | 0600, 0))) return;
  if (!c.done("unlink", unlink(name))) return;
  if (!c.done("mknodat", mknodat(AT_FDCWD, name, S_IFREG | 0600, 0))) return;
  c.done("unlinkat", unlinkat(AT_FDCWD, name, 0));
}

void link_names(Context &c) noexcept {
  const Name name(c, 'x');
  const Name relative(c, 'y', Name::Form::relative);
  struct stat status {};
  if (c.done("link", link(Fixture(c, "a/file"), name))) {
    if (c.done("stat", stat(name, &status)))
      c.holds("link", status.st_nlink >= 2, "wrong number of links");
    c.done("unlink", unlink(name));
  }
  if (c.done("linkat", linkat(AT_FDCWD, "file", AT_FDCWD, relative, 0)))
    c.done("unlink", unlink(relative));
}

void symlink_names(Context &c) noexcept {
  const Name name(c, 'x');
  char target[8];
  if (!c.done("symlink", symlink("over", name))) return;
  const long size = readlink(name, target, sizeof target);
  if (c.done("readlink", size))
    c.holds("readlink", std::string_view(target, static_cast<std::size_t>(size)) == "over",
            "wrong target");
  if (!c.done("unlink", unlink(name))) return;
  if (!c.done("symlinkat", symlinkat("there", AT_FDCWD, name))) return;
  c.done("unlink", unlink(name));
}

void rename_names(Context &c) noexcept {
  const Name from(c, 'x');
  const Name to(c, 'y');
  if (!c.done("mkdir", mkdir(from, 0700))) return;
  if (!c.done("rename", rename(from, to))) return;
  c.refused("access", access(from, F_OK), ENOENT);
  if (!c.done("renameat", renameat(AT_FDCWD, to, AT_FDCWD, from))) return;
  c.done("rmdir", rmdir(from));
}

// The working directory is the process's: it changes only between two that look the same.
void change_directory(Context &c) noexcept {
  c.done("chdir", chdir(Fixture(c, c.random.below(2) == 0 ? "a" : "b")));
  char path[sizeof c.board.settings.directory + 8];
  const char *const result = getcwd(path, sizeof path);
  if (!c.done("getcwd", result != nullptr ? 0 : -1)) return;
  c.holds("getcwd",
          std::string_view(path) == static_cast<const char *>(Fixture(c, "a")) ||
              std::string_view(path) == static_cast<const char *>(Fixture(c, "b")),
          "another directory");
  c.refused("chdir", chdir(Fixture(c, "none")), ENOENT);
}

void change_directory_by_descriptor(Context &c) noexcept {
  const int directory =
      open(Fixture(c, c.random.below(2) == 0 ? "a" : "b"), O_RDONLY | O_DIRECTORY);
  if (!c.done("open", directory)) return;
  c.done("fchdir", fchdir(directory));
  c.shut(directory);
}

// How many of the names that must be there come, up to the end of the directory; -1 where a call
// failed.
int count_names(Context &c, int directory) noexcept {
  int found = 0;
  for (;;) {
    alignas(8) char entries[256];
    const long size = getdents64(directory, entries, sizeof entries);
    if (!c.done("getdents64", size)) return -1;
    if (size == 0) return found;
    for (long at = 0; at < size;) {
      const auto *const entry = reinterpret_cast<const dirent64 *>(entries + at);
      const std::string_view name(static_cast<const char *>(entry->d_name));
      if (name == "file" || name == "link" || name == "." || name == "..") ++found;
      at += entry->d_reclen;
    }
  }
}

// getdents64() stands for readdir(), which allocates.
void list_directory(Context &c) noexcept {
  const int directory = open(Fixture(c, "a"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!c.done("open", directory)) return;
  for (int round = 0; round < 2; ++round) {
    const int found = count_names(c, directory);
    if (found < 0) break;
    c.holds("getdents64", found == 4, "not the names of the directory");
    if (!c.done("lseek", lseek(directory, 0, SEEK_SET))) break;
  }
  c.shut(directory);
}

sockaddr_un address_of(const Name &name) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string_view path(static_cast<const char *>(name));
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

void connect_sockets(Context &c) noexcept {
  const Name name(c, 'x');
  const sockaddr_un address = address_of(name);
  const auto *const generic = reinterpret_cast<const sockaddr *>(&address);
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (!c.done("socket", server)) return;
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c.done("socket", client)) {
    if (c.done("bind", bind(server, generic, sizeof address))) {
      sockaddr_un found{};
      socklen_t size = sizeof found;
      if (c.done("getsockname", getsockname(server, reinterpret_cast<sockaddr *>(&found), &size)))
        c.holds("getsockname", std::string_view(found.sun_path) == static_cast<const char *>(name),
                "another name");
      // A call that is given up may still be carried out: then the socket is not asked to connect
      // again.
      if (c.refused("connect", connect(client, generic, sizeof address), ECONNREFUSED) &&
          c.done("listen", listen(server, 1)) &&
          c.done("connect", connect(client, generic, sizeof address))) {
        size = sizeof found;
        if (c.done("getpeername", getpeername(client, reinterpret_cast<sockaddr *>(&found), &size)))
          c.holds("getpeername",
                  std::string_view(found.sun_path) == static_cast<const char *>(name),
                  "another name");
        const int accepted = accept4(server, nullptr, nullptr, SOCK_CLOEXEC);
        if (c.done("accept4", accepted)) c.shut(accepted);
      }
      c.done("unlink", unlink(name));
    }
    c.shut(client);
  }
  c.shut(server);
}

void send_datagram(Context &c) noexcept {
  const Name name(c, 'x');
  const sockaddr_un address = address_of(name);
  const auto *const generic = reinterpret_cast<const sockaddr *>(&address);
  const int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (!c.done("socket", server)) return;
  const int client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (c.done("socket", client)) {
    if (c.done("bind", bind(server, generic, sizeof address))) {
      char buffer[8];
      if (c.done("sendto", sendto(client, "five5", 5, 0, generic, sizeof address))) {
        c.holds("recv", recv(server, buffer, sizeof buffer, MSG_DONTWAIT) == 5, "no datagram");
        iovec part{const_cast<char *>("seven77"), 7};
        msghdr message{};
        message.msg_name = const_cast<sockaddr_un *>(&address);
        message.msg_namelen = sizeof address;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (c.done("sendmsg", sendmsg(client, &message, 0)))
          c.holds("recv", recv(server, buffer, sizeof buffer, MSG_DONTWAIT) == 7, "no datagram");
      }
      c.done("unlink", unlink(name));
    }
    c.shut(client);
  }
  c.shut(server);
}

constexpr Operation list[] = {
    {"mkdir", make_directory},
    {"mknod, mkfifo", make_nodes},
    {"link", link_names},
    {"symlink", symlink_names},
    {"rename", rename_names},
    {"chdir", change_directory},
    {"fchdir", change_directory_by_descriptor},
    {"getdents64", list_directory},
    {"bind, connect", connect_sockets},
    {"sendto, sendmsg", send_datagram},
};

}  // namespace

std::span<const Operation> libc_name_operations() noexcept { return list; }

}  // namespace plash::stress
