// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Unix-domain sockets by path: the client's own socket is bound, connected or sent from by the
// server.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "tools/server/target.h"

namespace plash::server {
namespace {

constexpr std::size_t max_sent_descriptors = 253;  // SCM_MAX_FD

sockaddr_un address_of(const std::string &path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

// 0 for a Unix-domain socket of the client's own.
int check_socket(const Context &context, int socket) {
  if (socket < 0) return -EBADF;
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return -errno;
  if (domain != AF_UNIX) return -EINVAL;
  std::uint64_t cookie = 0;
  size = sizeof cookie;
  if (::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return -errno;
  return context.services.find_by_client(cookie) == nullptr ? 0 : -EINVAL;
}

// The socket file that base and path mean, if the client may connect to it.
int find_peer(Context &context, int base, const Bytes &path, std::shared_ptr<UniqueFd> &peer) {
  Target target;
  const int error = find_target(context, base, path, 0, target);
  if (error != 0) return error;
  const int fd = descriptor_of(target);
  if (fd >= 0 && ::faccessat(fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) != 0) return -errno;
  if (!target.fd || !S_ISSOCK(target.status.stx_mode)) return -ECONNREFUSED;
  if (!target.rights->connect && !target.rights->write) return -EACCES;
  peer = std::make_shared<UniqueFd>(std::move(target.fd));
  return 0;
}

bool is_nonblocking(int socket) { return (::fcntl(socket, F_GETFL) & O_NONBLOCK) != 0; }

// connect(2) waits where the other side's queue is full; datagrams know no such queue.
bool may_wait(int socket) {
  int type = 0;
  socklen_t size = sizeof type;
  return !is_nonblocking(socket) &&
         (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_DGRAM);
}

std::shared_ptr<UniqueFd> copy_of(int fd) {
  return std::make_shared<UniqueFd>(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

}  // namespace

int handle(Context &context, const methods::Connect::Request &request, methods::Connect::Reply &) {
  std::shared_ptr<UniqueFd> peer;
  int error = check_socket(context, request.socket);
  if (error == 0) error = find_peer(context, request.base, request.path, peer);
  if (error != 0) return error;
  const auto socket = copy_of(request.socket);
  if (!*socket) return -ENFILE;
  const auto connect = [socket, peer] {
    Outcome outcome;
    const sockaddr_un address = address_of(descriptor_path(peer->get()));
    if (::connect(socket->get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
      outcome.error = -errno;
    return outcome;
  };
  if (!may_wait(request.socket)) return connect().error;
  context.later.work = connect;
  return 0;
}

int handle(Context &context, const methods::Bind::Request &request, methods::Bind::Reply &) {
  NamedSlot named;
  int error = check_socket(context, request.socket);
  if (error == 0) error = find_named_slot(context, request.base, request.path, named);
  if (error == 0) error = check_creation(named);
  if (error != 0) return error == -EEXIST ? -EADDRINUSE : error;
  // Bound under a name of its own and then renamed: that gives room for long names in the kernel's
  // 108 bytes, and the name by which the kernel will know the socket belongs to no other.
  const std::string unique = context.services.socket_names().make_unique();
  const std::string kernel_name = descriptor_path(named.slot.parent) + "/" + unique;
  const sockaddr_un address = address_of(kernel_name);
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + kernel_name.size() + 1);
  struct stat status {};
  if (::fstatat(named.slot.parent, named.slot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
    return -EADDRINUSE;
  if (named.walk->must_be_directory()) return -ENOENT;
  if (::bind(request.socket, reinterpret_cast<const sockaddr *>(&address), size) != 0)
    return -errno;
  const int parent = named.slot.parent;
  if (::fchmodat(parent, unique.c_str(), static_cast<mode_t>(0777 & ~request.umask), 0) != 0 ||
      ::renameat2(parent, unique.c_str(), parent, named.name().c_str(), RENAME_NOREPLACE) != 0) {
    error = errno == EEXIST ? -EADDRINUSE : -errno;
    ::unlinkat(parent, unique.c_str(), 0);
    return error;
  }
  context.services.socket_names().remember(kernel_name, std::string(view(request.path)));
  return 0;
}

int handle(Context &context, const methods::SocketName::Request &request,
           methods::SocketName::Reply &reply) {
  const auto name = context.services.socket_names().find(std::string(view(request.kernel_name)));
  if (!name) return -ENOENT;
  context.bytes = *name;
  reply.name = {context.bytes.data(), context.bytes.size()};
  return 0;
}

int handle(Context &context, const methods::SendTo::Request &request,
           methods::SendTo::Reply &reply) {
  std::shared_ptr<UniqueFd> peer;
  int error = check_socket(context, request.socket);
  if (error == 0) error = find_peer(context, request.base, request.path, peer);
  if (error != 0) return error;
  if (request.descriptors.size > max_sent_descriptors) return -EINVAL;
  const auto socket = copy_of(request.socket);
  if (!*socket) return -ENFILE;
  auto descriptors = std::make_shared<std::vector<UniqueFd>>();
  for (std::uint64_t i = 0; i < request.descriptors.size; ++i) {
    descriptors->emplace_back(::fcntl(request.descriptors.data[i], F_DUPFD_CLOEXEC, 0));
    if (!descriptors->back()) return -ENFILE;
  }
  const auto send = [socket, peer, descriptors, data = std::string(view(request.data)),
                     flags = static_cast<int>(request.flags)](int extra_flags) {
    sockaddr_un address = address_of(descriptor_path(peer->get()));
    iovec vector{const_cast<char *>(data.data()), data.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(max_sent_descriptors * sizeof(int))] = {};
    msghdr message{};
    message.msg_name = &address;
    message.msg_namelen = sizeof address;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (!descriptors->empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(descriptors->size() * sizeof(int));
      cmsghdr *rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(descriptors->size() * sizeof(int));
      for (std::size_t i = 0; i < descriptors->size(); ++i) {
        const int fd = (*descriptors)[i].get();
        std::memcpy(CMSG_DATA(rights) + i * sizeof(int), &fd, sizeof fd);
      }
    }
    Outcome outcome;
    outcome.number = ::sendmsg(socket->get(), &message, flags | extra_flags | MSG_NOSIGNAL);
    if (outcome.number < 0) outcome.error = -errno;
    return outcome;
  };
  // Most often there is room; then no thread is needed.
  const Outcome at_once = send(MSG_DONTWAIT);
  const bool full = at_once.error == -EAGAIN;
  if (!full || (request.flags & MSG_DONTWAIT) != 0 || is_nonblocking(request.socket)) {
    reply.sent = at_once.number;
    return at_once.error;
  }
  context.later.work = [send] { return send(0); };
  return 0;
}

}  // namespace plash::server
