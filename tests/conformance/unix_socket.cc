// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Unix-domain sockets that have a path (unix(7)): the calls that take it and the calls that tell
// it.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

struct Address {
  sockaddr_un name{};
  socklen_t size = 0;

  explicit Address(const std::string &path, bool with_end = true) {
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), std::min(path.size(), sizeof name.sun_path));
    size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (with_end ? 1 : 0));
  }
};

int new_socket(int type) {
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (fd < 0) set_up_failed("socket");
  return fd;
}

int bound_socket(Call call, int type, const char *path) {
  const int fd = new_socket(type);
  const Address address(path);
  attempt("bind", call(SYS_bind, fd, &address.name, address.size));
  return fd;
}

int listening_socket(Call call, int type, const char *path) {
  const int fd = bound_socket(call, type, path);
  attempt("listen", ::listen(fd, 5));
  return fd;
}

// Prints the name that a call told, with the size that it told.
void record_name(std::string_view what, const sockaddr_un &name, socklen_t size) {
  constexpr socklen_t start = offsetof(sockaddr_un, sun_path);
  const std::size_t length = size > start ? size - start : 0;
  print(std::string(what) + ": size " + std::to_string(size) + ", family " +
        std::to_string(size >= 2 ? name.sun_family : 0) + ", " +
        text_of(std::string(name.sun_path, std::min(length, sizeof name.sun_path))) + "\n");
}

void record_socket_name(Call call, int fd) {
  sockaddr_un name{};
  socklen_t size = sizeof name;
  if (attempt("getsockname", call(SYS_getsockname, fd, &name, &size)) == 0)
    record_name("own name", name, size);
}

void record_peer_name(Call call, int fd) {
  sockaddr_un name{};
  socklen_t size = sizeof name;
  if (attempt("getpeername", call(SYS_getpeername, fd, &name, &size)) == 0)
    record_name("peer's name", name, size);
}

void connect_and_talk(Call call, int type) {
  const int server = listening_socket(call, type, "socket");
  const int client = new_socket(type);
  const Address address("socket");
  attempt("connect", call(SYS_connect, client, &address.name, address.size));
  sockaddr_un name{};
  socklen_t size = sizeof name;
  const int accepted =
      static_cast<int>(attempt("accept", call(SYS_accept4, server, &name, &size, 0)));
  record_name("accepted from", name, size);
  attempt("write", ::write(client, "question", 8));
  char buffer[100];
  attempt("read", ::read(accepted, buffer, sizeof buffer));
  attempt("write", ::write(accepted, "answer", 6));
  attempt("read", ::read(client, buffer, sizeof buffer));
  for (const int fd : {server, client, accepted}) {
    record_socket_name(call, fd);
    record_peer_name(call, fd);
  }
}

CALL_CASE(unix_socket, stream) { connect_and_talk(call, SOCK_STREAM); }
CALL_CASE(unix_socket, sequenced_packets) { connect_and_talk(call, SOCK_SEQPACKET); }

CALL_CASE(unix_socket, bound_client_is_told_to_the_server) {
  const int server = listening_socket(call, SOCK_STREAM, "server");
  const int client = bound_socket(call, SOCK_STREAM, "client");
  const Address address("server");
  attempt("connect", call(SYS_connect, client, &address.name, address.size));
  sockaddr_un name{};
  socklen_t size = sizeof name;
  const int accepted = static_cast<int>(attempt("accept", call(SYS_accept, server, &name, &size)));
  record_name("accepted from", name, size);
  record_peer_name(call, accepted);
  record_peer_name(call, client);
  size = 5;
  std::memset(&name, 0, sizeof name);
  attempt("getpeername with little room", call(SYS_getpeername, accepted, &name, &size));
  record_name("peer's name", name, size);
}

CALL_CASE(unix_socket, bind_forms) {
  make_directory("dir");
  make_file("file");
  make_symlink("missing", "dangling");
  make_symlink("dir", "link");
  for (const char *path : {"socket", "./other", "dir/socket", "link/through", "file", "dir",
                           "dangling", "missing/socket", "dir/", "new/", "."}) {
    const int fd = new_socket(SOCK_STREAM);
    const Address address(path);
    attempt(path, call(SYS_bind, fd, &address.name, address.size));
    record_socket_name(call, fd);
    ::close(fd);
  }
  record("names", names_in("."));
}

CALL_CASE(unix_socket, bind_without_an_end) {
  const int fd = new_socket(SOCK_STREAM);
  const Address address("socket", false);
  attempt("bind", call(SYS_bind, fd, &address.name, address.size));
  record_socket_name(call, fd);
  record("names", names_in("."));
}

CALL_CASE(unix_socket, bind_absolute) {
  const std::string path = current_directory() + "/s";
  const int fd = new_socket(SOCK_DGRAM);
  if (path.size() > 107) set_up_failed("the scratch directory's path is too long");
  const Address address(path);
  attempt("bind", call(SYS_bind, fd, &address.name, address.size));
  record_socket_name(call, fd);
}

CALL_CASE(unix_socket, bind_longest) {
  for (const std::size_t length : {107u, 108u}) {
    const int fd = new_socket(SOCK_STREAM);
    const Address address(std::string(length, 's'), length < 108);
    attempt("bind " + std::to_string(length), call(SYS_bind, fd, &address.name, address.size));
    record_socket_name(call, fd);
    const int client = new_socket(SOCK_STREAM);
    attempt("listen", ::listen(fd, 1));
    attempt("connect", call(SYS_connect, client, &address.name, address.size));
  }
  record("names", names_in("."));
}

CALL_CASE(unix_socket, bind_twice) {
  const int fd = bound_socket(call, SOCK_STREAM, "socket");
  const Address other("other"), same("socket");
  attempt("other name", call(SYS_bind, fd, &other.name, other.size));
  attempt("same name by another", call(SYS_bind, new_socket(SOCK_STREAM), &same.name, same.size));
  record("names", names_in("."));
}

CALL_CASE(unix_socket, bind_heeds_umask) {
  ::umask(077);
  bound_socket(call, SOCK_STREAM, "closed");
  ::umask(0);
  bound_socket(call, SOCK_STREAM, "open");
  record_status("closed", "closed");
  record_status("open", "open");
}

CALL_CASE(unix_socket, name_after_rename_and_removal) {
  const int server = listening_socket(call, SOCK_STREAM, "socket");
  attempt("rename", ::rename("socket", "renamed"));
  record_socket_name(call, server);
  const Address old("socket"), renamed("renamed");
  attempt("connect to the old name",
          call(SYS_connect, new_socket(SOCK_STREAM), &old.name, old.size));
  attempt("connect to the new name",
          call(SYS_connect, new_socket(SOCK_STREAM), &renamed.name, renamed.size));
  attempt("unlink", ::unlink("renamed"));
  record_socket_name(call, server);
}

CALL_CASE(unix_socket, connect_errors) {
  make_file("file");
  make_directory("dir");
  bound_socket(call, SOCK_STREAM, "not-listening");
  const int closed = listening_socket(call, SOCK_STREAM, "closed");
  ::close(closed);
  bound_socket(call, SOCK_DGRAM, "datagram");
  for (const char *path : {"file", "dir", "missing", "missing/socket", "not-listening", "closed",
                           "datagram", "dir/"}) {
    const Address address(path);
    attempt(path, call(SYS_connect, new_socket(SOCK_STREAM), &address.name, address.size));
  }
  const Address address("not-listening");
  attempt("bad descriptor", call(SYS_connect, 99, &address.name, address.size));
  attempt("file descriptor", call(SYS_connect, must_open("file"), &address.name, address.size));
  attempt("null address", call(SYS_connect, new_socket(SOCK_STREAM), nullptr, address.size));
  attempt("size 2", call(SYS_connect, new_socket(SOCK_STREAM), &address.name, 2));
  attempt("size 1000", call(SYS_connect, new_socket(SOCK_STREAM), &address.name, 1000));
}

CALL_CASE(unix_socket, connect_through_a_link) {
  listening_socket(call, SOCK_STREAM, "socket");
  make_symlink("socket", "link");
  const Address address("link");
  const int client = new_socket(SOCK_STREAM);
  attempt("connect", call(SYS_connect, client, &address.name, address.size));
  record_peer_name(call, client);
}

CALL_CASE(unix_socket, connect_without_permission) {
  listening_socket(call, SOCK_STREAM, "socket");
  attempt("chmod", ::chmod("socket", 0));
  const Address address("socket");
  attempt("connect", call(SYS_connect, new_socket(SOCK_STREAM), &address.name, address.size));
}

CALL_CASE(unix_socket, connect_would_block) {
  const int server = bound_socket(call, SOCK_STREAM, "socket");
  attempt("listen", ::listen(server, 0));
  const Address address("socket");
  attempt("first",
          call(SYS_connect, new_socket(SOCK_STREAM | SOCK_NONBLOCK), &address.name, address.size));
  attempt("second",
          call(SYS_connect, new_socket(SOCK_STREAM | SOCK_NONBLOCK), &address.name, address.size));
}

CALL_CASE(unix_socket, datagrams) {
  const int receiver = bound_socket(call, SOCK_DGRAM, "receiver");
  const int sender = bound_socket(call, SOCK_DGRAM, "sender");
  const Address to("receiver");
  attempt("sendto", call(SYS_sendto, sender, "datagram", 8, 0, &to.name, to.size));
  attempt("from one without a name",
          call(SYS_sendto, new_socket(SOCK_DGRAM), "anonymous", 9, 0, &to.name, to.size));
  for (int i = 0; i < 2; ++i) {
    char buffer[100];
    sockaddr_un from{};
    socklen_t size = sizeof from;
    const long length =
        attempt("recvfrom", call(SYS_recvfrom, receiver, buffer, sizeof buffer, 0, &from, &size));
    record("data", std::string(buffer, static_cast<std::size_t>(length)));
    record_name("from", from, size);
  }
}

CALL_CASE(unix_socket, datagrams_by_message) {
  const int receiver = bound_socket(call, SOCK_DGRAM, "receiver");
  const int sender = bound_socket(call, SOCK_DGRAM, "sender");
  Address to("receiver");
  char first[] = "first ", second[] = "second";
  iovec parts[2] = {{first, 6}, {second, 6}};
  msghdr message{};
  message.msg_name = &to.name;
  message.msg_namelen = to.size;
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  attempt("sendmsg", call(SYS_sendmsg, sender, &message, 0));
  char buffer[100];
  sockaddr_un from{};
  iovec part{buffer, sizeof buffer};
  message = {};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const long length = attempt("recvmsg", call(SYS_recvmsg, receiver, &message, 0));
  record("data", std::string(buffer, static_cast<std::size_t>(length)));
  record_name("from", from, message.msg_namelen);
  record("flags", message.msg_flags);
}

CALL_CASE(unix_socket, descriptor_by_datagram) {
  const int receiver = bound_socket(call, SOCK_DGRAM, "receiver");
  make_file("file", "passed");
  const int file = must_open("file");
  Address to("receiver");
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_name = &to.name;
  message.msg_namelen = to.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  std::memcpy(CMSG_DATA(header), &file, sizeof file);
  attempt("sendmsg", call(SYS_sendmsg, new_socket(SOCK_DGRAM), &message, 0));
  message.msg_name = nullptr;
  message.msg_namelen = 0;
  message.msg_controllen = sizeof control;
  attempt("recvmsg", call(SYS_recvmsg, receiver, &message, 0));
  int received = -1;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  record("descriptor", received);
  record("contents", read_all(received));
}

CALL_CASE(unix_socket, datagram_errors) {
  make_file("file");
  const int sender = new_socket(SOCK_DGRAM);
  listening_socket(call, SOCK_STREAM, "stream");
  for (const char *path : {"missing", "file", "stream", "."}) {
    const Address to(path);
    attempt(path, call(SYS_sendto, sender, "x", 1, 0, &to.name, to.size));
  }
  bound_socket(call, SOCK_DGRAM, "receiver");
  const Address to("receiver");
  attempt("too large", call(SYS_sendto, sender, std::string(400'000, 'x').data(), 400'000, 0,
                            &to.name, to.size));
  attempt("empty", call(SYS_sendto, sender, "", 0, 0, &to.name, to.size));
  attempt("no destination", call(SYS_sendto, sender, "x", 1, 0, nullptr, 0));
  attempt("data that cannot be read", call(SYS_sendto, sender, 1, 5, 0, &to.name, to.size));
}

CALL_CASE(unix_socket, answer_to_whom_recvmmsg_names) {
  const int server = bound_socket(call, SOCK_DGRAM, "server");
  const int client = bound_socket(call, SOCK_DGRAM, "client");
  const Address address("server");
  attempt("sendto", call(SYS_sendto, client, "ask", 3, 0, &address.name, address.size));
  char data[8];
  iovec vector{data, sizeof data};
  sockaddr_un from{};
  mmsghdr message{};
  message.msg_hdr.msg_name = &from;
  message.msg_hdr.msg_namelen = sizeof from;
  message.msg_hdr.msg_iov = &vector;
  message.msg_hdr.msg_iovlen = 1;
  attempt("recvmmsg", call(SYS_recvmmsg, server, &message, 1, 0, nullptr));
  attempt("answer", call(SYS_sendto, server, "hear", 4, 0, &from, message.msg_hdr.msg_namelen));
  record("received", attempt("read", ::read(client, data, sizeof data)));
  attempt("connect", call(SYS_connect, server, &from, message.msg_hdr.msg_namelen));
  record_peer_name(call, server);
}

CALL_CASE(unix_socket, answer_to_whom_was_waited_for) {
  const int server = bound_socket(call, SOCK_DGRAM, "server");
  const pid_t child = ::fork();
  if (child == 0) {
    ::usleep(300'000);
    const Address own("client");
    const Address address("server");
    const int client = new_socket(SOCK_DGRAM);
    char data[8];
    const bool good = call(SYS_bind, client, &own.name, own.size) == 0 &&
                      call(SYS_sendto, client, "ask", 3, 0, &address.name, address.size) == 3 &&
                      ::read(client, data, sizeof data) == 4;
    ::_exit(good ? 0 : 1);
  }
  char data[8];
  sockaddr_un from{};
  socklen_t size = sizeof from;
  attempt("recvfrom", call(SYS_recvfrom, server, data, sizeof data, 0, &from, &size));
  attempt("answer", call(SYS_sendto, server, "hear", 4, 0, &from, size));
  int status = -1;
  ::waitpid(child, &status, 0);
  record("child's status", status);
}

CALL_CASE(unix_socket, path_for_a_socket_of_another_family) {
  const Address address("socket");
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    attempt("bind", call(SYS_bind, fd, &address.name, address.size));
    attempt("connect", call(SYS_connect, fd, &address.name, address.size));
    attempt("sendto", call(SYS_sendto, fd, "text", 4, MSG_NOSIGNAL, &address.name, address.size));
  }
  make_file("file");
  const int file = ::open("file", O_RDWR);
  attempt("bind of a file", call(SYS_bind, file, &address.name, address.size));
  attempt("connect of a file", call(SYS_connect, file, &address.name, address.size));
  attempt("bind of nothing", call(SYS_bind, 77, &address.name, address.size));
  attempt("connect of nothing", call(SYS_connect, 77, &address.name, address.size));
}

CALL_CASE(unix_socket, connected_datagrams) {
  const int receiver = bound_socket(call, SOCK_DGRAM, "receiver");
  const int sender = new_socket(SOCK_DGRAM);
  const Address to("receiver");
  attempt("connect", call(SYS_connect, sender, &to.name, to.size));
  attempt("write", ::write(sender, "text", 4));
  char buffer[10];
  attempt("read", ::read(receiver, buffer, sizeof buffer));
  record_peer_name(call, sender);
  sockaddr unspecified{};
  unspecified.sa_family = AF_UNSPEC;
  attempt("disconnect", call(SYS_connect, sender, &unspecified, sizeof unspecified));
  attempt("write", ::write(sender, "text", 4));
}

CALL_CASE(unix_socket, abstract_and_automatic_names) {
  const int fd = new_socket(SOCK_STREAM);
  Address abstract(std::string(1, '\0') + "plash-conformance-" + std::to_string(::getpid()), false);
  attempt("bind", call(SYS_bind, fd, &abstract.name, abstract.size));
  sockaddr_un own{};
  socklen_t own_size = sizeof own;
  attempt("getsockname", call(SYS_getsockname, fd, &own, &own_size));
  record("as bound", own_size == abstract.size && std::memcmp(&own, &abstract.name, own_size) == 0);
  ::listen(fd, 1);
  const int client = new_socket(SOCK_STREAM);
  attempt("connect", call(SYS_connect, client, &abstract.name, abstract.size));
  const int automatic = new_socket(SOCK_DGRAM);
  attempt("automatic", call(SYS_bind, automatic, &abstract.name, sizeof(sa_family_t)));
  sockaddr_un name{};
  socklen_t size = sizeof name;
  attempt("getsockname", call(SYS_getsockname, automatic, &name, &size));
  record("size", size);
}

CALL_CASE(unix_socket, unnamed) {
  const int fd = new_socket(SOCK_STREAM);
  record_socket_name(call, fd);
  record_peer_name(call, fd);
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) set_up_failed("socketpair");
  record_socket_name(call, pair[0]);
  record_peer_name(call, pair[0]);
  record_socket_name(call, must_open("/dev/null"));
  record_socket_name(call, 99);
}

CASE(unix_socket, by_libc) {
  const int server = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const Address address("socket");
  attempt("bind", ::bind(server, reinterpret_cast<const sockaddr *>(&address.name), address.size));
  attempt("listen", ::listen(server, 1));
  in_child("client", [&] {
    const int client = ::socket(AF_UNIX, SOCK_STREAM, 0);
    attempt("connect",
            ::connect(client, reinterpret_cast<const sockaddr *>(&address.name), address.size));
    attempt("send", ::send(client, "text", 4, 0));
  });
  const int accepted = attempt("accept", ::accept(server, nullptr, nullptr));
  record("received", read_all(accepted));
}

}  // namespace
}  // namespace plash::conformance
