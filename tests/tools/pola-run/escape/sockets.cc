// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sockets: of the host's network, of other address families, and Unix-domain ones by path and name.
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

struct Address {
  sockaddr_storage storage = {};
  long size = 0;
};

Address unix_address(const std::string &name, bool abstract) {
  Address address;
  auto &un = reinterpret_cast<sockaddr_un &>(address.storage);
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path + abstract, name.data(), std::min(name.size(), sizeof un.sun_path - 1));
  address.size = static_cast<long>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  return address;
}

Address ipv4_address(const char *host, long port) {
  Address address;
  auto &in = reinterpret_cast<sockaddr_in &>(address.storage);
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, host, &in.sin_addr);
  address.size = sizeof in;
  return address;
}

Address ipv6_address(const char *host, long port) {
  Address address;
  auto &in = reinterpret_cast<sockaddr_in6 &>(address.storage);
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET6, host, &in.sin6_addr);
  address.size = sizeof in;
  return address;
}

long connect_to(int type, const Address &address) {
  const long socket = call(SYS_socket, address.storage.ss_family, type | SOCK_NONBLOCK, 0);
  if (socket < 0) return socket;
  const long result = call(SYS_connect, socket, to_argument(&address.storage), address.size);
  if (result != -EINPROGRESS) return result;
  pollfd source = {static_cast<int>(socket), POLLOUT, 0};
  if (::poll(&source, 1, 100) <= 0) return -ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(static_cast<int>(socket), SOL_SOCKET, SO_ERROR, &error, &size);
  return -error;
}

// Whether it came is for escape_test.py to say, which listens: sending alone tells nothing of UDP.
long send_to(long socket, const Address &address, bool by_message) {
  if (socket < 0) return socket;
  iovec vector = {const_cast<char *>("out"), 3};
  msghdr message = {};
  message.msg_name = const_cast<sockaddr_storage *>(&address.storage);
  message.msg_namelen = static_cast<socklen_t>(address.size);
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  const long result = by_message ? call(SYS_sendmsg, socket, to_argument(&message), MSG_DONTWAIT)
                                 : call(SYS_sendto, socket, to_argument("out"), 3, MSG_DONTWAIT,
                                        to_argument(&address.storage), address.size);
  return result >= 0 && address.storage.ss_family != AF_UNIX ? -EPERM : result;
}

long new_datagram_socket(int family) { return call(SYS_socket, family, SOCK_DGRAM, 0); }

long one_of_a_pair(int type) {
  int pair[2];
  const long result = call(SYS_socketpair, AF_UNIX, type, 0, to_argument(pair));
  return result < 0 ? result : pair[0];
}

long bind_to(const Address &address) {
  const long socket = call(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
  return socket < 0 ? socket : call(SYS_bind, socket, to_argument(&address.storage), address.size);
}

}  // namespace

void try_sockets() {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const std::string name = type == SOCK_STREAM  ? "stream"
                             : type == SOCK_DGRAM ? "datagram"
                                                  : "packet";
    attempt("socket", "connect by path, " + name, [&] {
      const auto &path = type == SOCK_DGRAM ? outside.datagrams : outside.socket;
      return connect_to(type, unix_address(path, false));
    });
    attempt("socket", "connect by abstract name, " + name,
            [&] { return connect_to(type, unix_address(outside.abstract, true)); });
  }
  for (const bool by_message : {false, true}) {
    const std::string name = by_message ? "sendmsg" : "sendto";
    attempt("socket", name + " by path", [&] {
      return send_to(new_datagram_socket(AF_UNIX), unix_address(outside.datagrams, false),
                     by_message);
    });
    attempt("socket", name + " by path, type SOCK_RAW", [&] {
      return send_to(call(SYS_socket, AF_UNIX, SOCK_RAW, 0), unix_address(outside.datagrams, false),
                     by_message);
    });
    attempt("socket", name + " by path, from one of a pair", [&] {
      return send_to(one_of_a_pair(SOCK_DGRAM), unix_address(outside.datagrams, false), by_message);
    });
    attempt("socket", name + " by abstract name", [&] {
      return send_to(new_datagram_socket(AF_UNIX), unix_address(outside.abstract + "-d", true),
                     by_message);
    });
    attempt("socket", name + " to the host by UDP", [&] {
      return send_to(new_datagram_socket(AF_INET), ipv4_address("127.0.0.1", outside.udp_port),
                     by_message);
    });
  }
  attempt("socket", "bind by path outside",
          [] { return bind_to(unix_address(outside.missing, false)); });
  attempt("socket", "connect to the host by TCP",
          [] { return connect_to(SOCK_STREAM, ipv4_address("127.0.0.1", outside.port)); });
  attempt("socket", "connect to the host by TCP, IPv6",
          [] { return connect_to(SOCK_STREAM, ipv6_address("::1", outside.port)); });
  attempt("socket", "connect to the host by TCP, mapped address",
          [] { return connect_to(SOCK_STREAM, ipv6_address("::ffff:127.0.0.1", outside.port)); });
  attempt("socket", "connect to the Internet",
          [] { return connect_to(SOCK_STREAM, ipv4_address("192.0.2.1", 80)); });
  attempt("socket", "raw IP", [] { return call(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP); });
  attempt("socket", "IP of any protocol", [] { return call(SYS_socket, AF_INET, SOCK_RAW, 255); });
  attempt("socket", "MPTCP to the host", [] {
    const long socket = call(SYS_socket, AF_INET, SOCK_STREAM, 262);
    const Address address = ipv4_address("127.0.0.1", outside.port);
    return socket < 0 ? socket
                      : call(SYS_connect, socket, to_argument(&address.storage), address.size);
  });
  for (const int protocol :
       {4 /* SOCK_DIAG */, 9 /* AUDIT */, 11 /* CONNECTOR */, 12 /* NETFILTER */,
        15 /* KOBJECT_UEVENT */, 16 /* GENERIC */, 21 /* CRYPTO */}) {
    attempt("socket", "netlink protocol " + std::to_string(protocol),
            [&] { return call(SYS_socket, AF_NETLINK, SOCK_RAW, protocol); });
  }
  for (int family = 3; family < 46; ++family) {
    if (family == AF_INET6 || family == AF_NETLINK) continue;
    attempt("socket", "address family " + std::to_string(family), [&] {
      long last = -EAFNOSUPPORT;
      for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}) {
        last = call(SYS_socket, family, type, 0);
        if (last >= 0) return last;
      }
      return last;
    });
  }
}

}  // namespace plash::escape
