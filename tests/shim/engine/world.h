// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The engine in this process, and a server in another that shows a scratch directory's two halves
// under their own host paths, so that the same path means the same thing to the kernel and to the
// engine.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cstring>
#include <type_traits>

#include "shim/engine/engine.h"
#include "tests/tools/server/fixture.h"

namespace plash::testing {

template <class T>
inline long argument(T value) {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

template <class... A>
inline long emulated(long number, A... arguments) {
  const long a[6] = {argument(arguments)...};
  return plash_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

template <class... A>
inline long native(long number, A... arguments) {
  const long result = ::syscall(number, arguments...);
  return result == -1 ? -errno : result;
}

// One server for the whole program: the engine is set up once in a process. The namespace shows the
// scratch directory's two halves under their own host paths, so that the same path means the same
// thing to the kernel and to the engine.
class World {
 public:
  static World &get() {
    static World world;
    return world;
  }
  std::string writable() const { return scratch_.path("w"); }
  std::string read_only() const { return scratch_.path("r"); }
  // The server process.
  pid_t server() const { return server_; }
  const Scratch &scratch() const { return scratch_; }

 private:
  // The server is another process: the numbers of descriptors must be the kernel's own here.
  World() {
    scratch_.make_directory("w");
    scratch_.make_directory("r");
    int channel[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) == 0);
    server_ = ::fork();
    REQUIRE(server_ >= 0);
    if (server_ == 0) {
      ::close(channel[0]);
      serve(channel[1]);
    }
    ::close(channel[1]);
    channel_.reset(::fcntl(channel[0], F_DUPFD_CLOEXEC, 700));
    ::close(channel[0]);
    REQUIRE(::dup2(receive_descriptor(), 800) == 800);
    ::close(received_);
    REQUIRE(::dup2(receive_descriptor(), 801) == 801);
    ::close(received_);
    REQUIRE(::chdir(writable().c_str()) == 0);
    ::umask(022);
    char capabilities[] = "PLASH_CAPS=fs_op=800;cwd=801";
    char *environment[] = {capabilities, nullptr};
    plash_setup(environment, false);
  }
  [[noreturn]] void serve(int channel) {
    {
      auto name_space = std::make_shared<server::Namespace>();
      name_space->grant(writable(), writable(), {true, false, true, true});
      name_space->grant(read_only(), read_only(), {});
      server::Server server;
      const UniqueFd fs_op = server.make_fs_op(name_space);
      const UniqueFd cwd = server.make_directory(name_space, writable());
      send_descriptor(channel, fs_op.get());
      send_descriptor(channel, cwd.get());
      server.start();
      char byte;
      while (::read(channel, &byte, 1) > 0) continue;
    }
    ::_exit(0);
  }
  static void send_descriptor(int channel, int fd) {
    char byte = 0;
    iovec vector{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    ::sendmsg(channel, &message, 0);
  }
  int receive_descriptor() {
    char byte;
    iovec vector{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    REQUIRE(::recvmsg(channel_.get(), &message, 0) == 1);
    std::memcpy(&received_, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received_);
    return received_;
  }

  Scratch scratch_;
  UniqueFd channel_;
  int received_ = -1;
  pid_t server_ = -1;
};

}  // namespace plash::testing
