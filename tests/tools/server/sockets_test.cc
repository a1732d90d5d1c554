// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Unix-domain sockets by path.
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/tools/server/fixture.h"

using namespace plash;
using namespace plash::testing;

namespace {

UniqueFd make_socket(int type) { return UniqueFd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)); }

long bind_socket(const Client &client, int socket, const std::string &path, int base = -1) {
  return client.simple<methods::Bind>(
      path,
      [&](auto &request) {
        request.socket = socket;
        request.umask = 027;
      },
      base);
}

long connect_socket(const Client &client, int socket, const std::string &path) {
  return client.simple<methods::Connect>(path, [&](auto &request) { request.socket = socket; });
}

std::string given_name(const Client &client, int socket) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr *>(&address), &size) == 0);
  const std::string kernel_name = address.sun_path;
  methods::SocketName::Request request;
  request.kernel_name = bytes(kernel_name);
  methods::SocketName::Reply reply;
  char buffer[4096];
  const long error =
      invoke<methods::SocketName>(client.fs_op(), request, reply, {buffer, sizeof buffer});
  return error != 0 ? "errno " + std::to_string(-error)
                    : std::string(reply.name.data, reply.name.size);
}

}  // namespace

TEST_CASE("sockets are bound and connected to by path, and know the name that was given") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "");
  const Client client = running.start();
  const UniqueFd listener = make_socket(SOCK_STREAM);
  CHECK(bind_socket(client, listener.get(), "/w/socket") == 0);
  CHECK(given_name(client, listener.get()) == "/w/socket");
  struct stat status {};
  REQUIRE(::lstat(scratch.path("w/socket").c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 0777) == 0750);
  const UniqueFd early = make_socket(SOCK_STREAM);
  CHECK(connect_socket(client, early.get(), "/w/socket") == -ECONNREFUSED);
  REQUIRE(::listen(listener.get(), 4) == 0);
  const UniqueFd caller = make_socket(SOCK_STREAM);
  CHECK(connect_socket(client, caller.get(), "/w/socket") == 0);
  const UniqueFd accepted(::accept(listener.get(), nullptr, nullptr));
  REQUIRE(::write(caller.get(), "hello", 5) == 5);
  char text[5];
  CHECK(::read(accepted.get(), text, 5) == 5);
  CHECK(connect_socket(client, caller.get(), "/w/socket") == -EISCONN);

  const UniqueFd second = make_socket(SOCK_STREAM);
  CHECK(bind_socket(client, second.get(), "/w/socket") == -EADDRINUSE);
  CHECK(bind_socket(client, second.get(), "/none/socket") == -ENOENT);
  CHECK(bind_socket(client, second.get(), "/r/socket") == -EROFS);
  CHECK(connect_socket(client, second.get(), "/w/none") == -ENOENT);
  CHECK(connect_socket(client, second.get(), "/w/file") == -ECONNREFUSED);
  const UniqueFd base = client.open_directory("/w");
  CHECK(bind_socket(client, second.get(), "relative", base.get()) == 0);
  CHECK(given_name(client, second.get()) == "relative");
  const UniqueFd third = make_socket(SOCK_STREAM);
  CHECK(bind_socket(client, third.get(), "/w/" + std::string(200, 'n')) == 0);
  CHECK(scratch.exists("w/" + std::string(200, 'n')));
  // Nothing is left of the names in between.
  for (const auto &entry : std::filesystem::directory_iterator(scratch.path("w")))
    CHECK(entry.path().filename().string().front() != '.');
}

TEST_CASE("only the caller's own Unix-domain sockets will do") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd internet(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(bind_socket(client, internet.get(), "/w/socket") == -EINVAL);
  CHECK(bind_socket(client, client.fs_op(), "/w/socket") == -EINVAL);
  CHECK(bind_socket(client, -1, "/w/socket") == -EBADF);
  const UniqueFd file(static_cast<int>(client.open("/w/file", O_RDWR | O_CREAT)));
  CHECK(bind_socket(client, file.get(), "/w/socket") == -ENOTSOCK);
}

TEST_CASE("connecting needs a right") {
  const Scratch scratch;
  Running running(scratch);
  scratch.make_directory("c");
  running.name_space->grant("/c", scratch.path("c"), {false, false, false, true});
  for (const char *name : {"r/socket", "c/socket"}) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, scratch.path(name).c_str());
    const UniqueFd socket = make_socket(SOCK_STREAM);
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
  }
  const Client client = running.start();
  const UniqueFd caller = make_socket(SOCK_STREAM);
  CHECK(connect_socket(client, caller.get(), "/r/socket") == -EACCES);
  CHECK(connect_socket(client, caller.get(), "/c/socket") ==
        -ECONNREFUSED);  // it came to the socket
}

TEST_CASE("a full queue makes only its own caller wait") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd listener = make_socket(SOCK_STREAM);
  REQUIRE(bind_socket(client, listener.get(), "/w/socket") == 0);
  REQUIRE(::listen(listener.get(), 0) == 0);
  const UniqueFd first = make_socket(SOCK_STREAM);
  REQUIRE(connect_socket(client, first.get(), "/w/socket") == 0);
  const UniqueFd impatient = make_socket(SOCK_STREAM | SOCK_NONBLOCK);
  CHECK(connect_socket(client, impatient.get(), "/w/socket") == -EAGAIN);
  const UniqueFd patient = make_socket(SOCK_STREAM);
  std::atomic<long> result{1};
  std::thread waiting([&] { result = connect_socket(client, patient.get(), "/w/socket"); });
  ::usleep(50'000);
  CHECK(result == 1);
  for (int i = 0; i < 100; ++i) CHECK(client.open("/none") == -ENOENT);
  const UniqueFd accepted(::accept(listener.get(), nullptr, nullptr));
  waiting.join();
  CHECK(result == 0);
}

TEST_CASE("datagrams go by path, with descriptors") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "text");
  const Client client = running.start();
  const UniqueFd receiver = make_socket(SOCK_DGRAM);
  REQUIRE(bind_socket(client, receiver.get(), "/w/socket") == 0);
  const UniqueFd sender = make_socket(SOCK_DGRAM);
  REQUIRE(bind_socket(client, sender.get(), "/w/sender") == 0);
  const UniqueFd file(static_cast<int>(client.open("/w/file")));
  const int descriptor = file.get();
  const auto send = [&](const std::string &path, std::size_t size, bool with_file) {
    const std::string data(size, 'x');
    return client.simple<methods::SendTo>(path, [&](auto &request) {
      request.socket = sender.get();
      request.flags = MSG_DONTWAIT;
      request.data = bytes(data);
      if (with_file) request.descriptors = {&descriptor, 1};
    });
  };
  CHECK(send("/w/socket", 5, false) == 0);
  char buffer[64];
  CHECK(::recv(receiver.get(), buffer, sizeof buffer, 0) == 5);
  CHECK(given_name(client, sender.get()) == "/w/sender");
  CHECK(send("/w/socket", 1, true) == 0);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec vector{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  REQUIRE(::recvmsg(receiver.get(), &message, MSG_CMSG_CLOEXEC) == 1);
  REQUIRE(CMSG_FIRSTHDR(&message) != nullptr);
  int received;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  CHECK(contents(UniqueFd(received).get()) == "text");
  CHECK(send("/w/none", 1, false) == -ENOENT);
  CHECK(send("/w/socket", 10'000'000, false) == -EMSGSIZE);
  long last = 0;
  for (int i = 0; i < 10'000 && last == 0; ++i) last = send("/w/socket", 1, false);
  CHECK(last == -EAGAIN);
}
