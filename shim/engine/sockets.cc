// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Unix-domain sockets: a path in an address is looked up by the server, which binds, connects or
// sends from the program's own socket; the names that the kernel reports are turned back into the
// paths that were given. All other addresses are the kernel's alone.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/handlers.h"
#include "shim/engine/path_text.h"
#include "shim/engine/socket_names.h"

namespace plash::engine {
namespace {

constexpr std::uint64_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr std::uint64_t path_room = sizeof(sockaddr_un) - path_offset;
constexpr std::uint64_t max_vectors = 1024;          // UIO_MAXIOV
constexpr std::uint64_t max_sent_descriptors = 253;  // SCM_MAX_FD
// How the names begin that the server binds sockets by.
constexpr char server_name_start[] = "/proc/self/fd/";

}  // namespace

bool is_unix_socket(long descriptor) noexcept {
  int domain = 0;
  socklen_t size = sizeof domain;
  return system_call(__NR_getsockopt, static_cast<int>(descriptor), SOL_SOCKET, SO_DOMAIN,
                     as_argument(&domain), as_argument(&size)) == 0 &&
         domain == AF_UNIX;
}

bool find_path(const sockaddr *address, std::uint64_t size, Bytes &path) noexcept {
  if (address == nullptr || size <= path_offset || size > sizeof(sockaddr_un) ||
      !may_read(address, size))
    return false;
  const auto *unix_address = reinterpret_cast<const sockaddr_un *>(address);
  if (unix_address->sun_family != AF_UNIX || unix_address->sun_path[0] == '\0') return false;
  std::uint64_t length = 0;
  while (length < size - path_offset && unix_address->sun_path[length] != '\0') ++length;
  path = {unix_address->sun_path, length};
  return true;
}

namespace {

// A name that begins as the server's do becomes, in name, the one that was given. -ENOENT for all
// others.
long find_given_name(const Bytes &kernel_name, char (&name)[path_room],
                     methods::SocketName::Reply &reply) noexcept {
  Bytes rest;
  if (!take_start(kernel_name, server_name_start, rest)) return -ENOENT;
  methods::SocketName::Request request;
  request.kernel_name = kernel_name;
  return ask<methods::SocketName>(request, reply, {name, sizeof name});
}

// The place of a socket to be bound, connected to or sent to. name is where its path may have to be
// kept.
long locate_socket(const Bytes &path, char (&name)[path_room], Location &location) noexcept {
  location.path = path;
  // The program may have got the server's name from a call that the kernel served alone, as
  // recvmmsg(2) is.
  methods::SocketName::Reply reply;
  const long error = find_given_name(path, name, reply);
  if (error == 0)
    location.path = reply.name;
  else if (error != -ENOENT)
    return error;
  if (location.path.data[0] == '/') return 0;
  location.base = state.cwd;
  return state.cwd >= 0 ? 0 : -ENOENT;
}

}  // namespace

long restore_name(sockaddr *address, unsigned room, unsigned *size) noexcept {
  if (address == nullptr || size == nullptr || *size > room) return 0;
  Bytes kernel_name;
  if (!find_path(address, *size, kernel_name)) return 0;
  methods::SocketName::Reply reply;
  char name[path_room];
  const long error = find_given_name(kernel_name, name, reply);
  if (error != 0) return error == -ENOENT ? 0 : error;
  const std::uint64_t whole = path_offset + reply.name.size + 1;
  auto *path = reinterpret_cast<char *>(address) + path_offset;
  const std::uint64_t space = room - path_offset;
  const std::uint64_t copied = reply.name.size < space ? reply.name.size : space;
  memcpy(path, name, copied);
  if (copied < space) path[copied] = '\0';
  // A name of 108 bytes has its NUL behind the structure, as the kernel counts it.
  *size = static_cast<unsigned>(whole);
  return 0;
}

namespace {

// Hands an address to the caller, as much as there is room for; size says how long it is.
long give_address(const sockaddr_storage &whole, unsigned whole_size, sockaddr *address,
                  unsigned room, unsigned *size) noexcept {
  const unsigned copied = whole_size < room ? whole_size : room;
  if ((copied != 0 && !may_write(address, copied)) || !may_write(size, sizeof *size))
    return -EFAULT;
  memcpy(address, &whole, copied);
  *size = whole_size;
  return 0;
}

// A call that answers with an address: argument address_index is the address, the next one its
// size.
long call_with_name(long number, const Arguments &arguments, int address_index) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  auto *address = arguments.pointer<sockaddr>(address_index);
  auto *size = arguments.pointer<unsigned>(address_index + 1);
  const bool wanted = address != nullptr && size != nullptr && may_read(size, sizeof *size);
  const unsigned room = wanted ? *size : 0;
  // Where the caller has little room the kernel's name would come cut off.
  const bool little = wanted && room < sizeof(sockaddr_un);
  sockaddr_storage whole;
  unsigned whole_size = sizeof whole;
  Arguments made = arguments;
  if (little) {
    made.value[address_index] = as_argument(&whole);
    made.value[address_index + 1] = as_argument(&whole_size);
  }
  const long result = call_kernel(number, made);
  if (result <= 0 && is_directory_object(arguments[0])) return -ENOTSOCK;
  if (result < 0 || !wanted) return result;
  long error = little
                   ? restore_name(reinterpret_cast<sockaddr *>(&whole), sizeof whole, &whole_size)
                   : restore_name(address, room, size);
  // What accept(2) and recvfrom(2) have taken would be lost with an error.
  if (error != 0 && (number == __NR_getsockname || number == __NR_getpeername)) return error;
  error = little ? give_address(whole, whole_size, address, room, size) : 0;
  if (error != 0 && (number == __NR_accept || number == __NR_accept4))
    system_call(__NR_close, result);
  return error != 0 ? error : result;
}

long send_to_path(const Arguments &arguments, const Bytes &path, const Bytes &data, unsigned flags,
                  const Descriptors &descriptors) noexcept {
  methods::SendTo::Request request;
  Location location;
  char name[path_room];
  const long error = locate_socket(path, name, location);
  if (error != 0) return error;
  set_location(request, location);
  request.flags = flags;
  request.socket = arguments.number(0);
  request.data = data;
  request.descriptors = descriptors;
  methods::SendTo::Reply reply;
  const long result = ask<methods::SendTo>(request, reply);
  return result != 0 ? result : reply.sent;
}

// The bytes of several vectors in one piece of memory of their own; none where there is but one.
class Gathered {
 public:
  Gathered() = default;
  ~Gathered() {
    if (mapped_ != 0) system_call(__NR_munmap, as_argument(data_.data), static_cast<long>(mapped_));
  }
  Gathered(const Gathered &) = delete;
  Gathered &operator=(const Gathered &) = delete;

  long gather(const iovec *vector, std::uint64_t count) noexcept {
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (vector[i].iov_len > max_message_size || (total += vector[i].iov_len) > max_message_size)
        return -EMSGSIZE;
    }
    if (count == 1) {
      data_ = {static_cast<const char *>(vector[0].iov_base), total};
      return 0;
    }
    if (total == 0) return 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (vector[i].iov_len != 0 && !may_read(vector[i].iov_base, vector[i].iov_len))
        return -EFAULT;
    }
    const long memory = system_call(__NR_mmap, 0, static_cast<long>(total), PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0 && memory > -4096) return memory;
    mapped_ = total;
    auto *to = reinterpret_cast<char *>(memory);
    data_ = {to, total};
    for (std::uint64_t i = 0; i < count; ++i) {
      memcpy(to, vector[i].iov_base, vector[i].iov_len);
      to += vector[i].iov_len;
    }
    return 0;
  }
  const Bytes &data() const noexcept { return data_; }

 private:
  Bytes data_;
  std::uint64_t mapped_ = 0;
};

// Descriptors that go with a message: SCM_RIGHTS, and nothing else. False where there is more than
// that.
bool find_descriptors(const msghdr &message, Descriptors &descriptors) noexcept {
  if (message.msg_controllen < sizeof(cmsghdr)) return true;
  const auto *control = static_cast<const cmsghdr *>(message.msg_control);
  if (!may_read(control, message.msg_controllen)) return false;
  if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) return false;
  if (control->cmsg_len < sizeof(cmsghdr) || control->cmsg_len > message.msg_controllen)
    return false;
  if (message.msg_controllen - control->cmsg_len >= sizeof(cmsghdr)) return false;
  descriptors = {reinterpret_cast<const int *>(control + 1),
                 (control->cmsg_len - sizeof(cmsghdr)) / sizeof(int)};
  return descriptors.size <= max_sent_descriptors;
}

// False also for a path where the socket takes none: the kernel has the error for that.
bool is_for_path(long socket, const sockaddr *address, std::uint64_t size, Bytes &path) noexcept {
  return find_path(address, size, path) && is_unix_socket(socket);
}

bool find_path_of(long socket, const msghdr &message, Bytes &path) noexcept {
  return is_for_path(socket, static_cast<const sockaddr *>(message.msg_name), message.msg_namelen,
                     path);
}

// sendmsg(2) to a path.
long send_message(const Arguments &arguments, const msghdr &message, const Bytes &path,
                  unsigned flags) noexcept {
  Descriptors descriptors;
  if (message.msg_iovlen > max_vectors) return -EMSGSIZE;
  if (message.msg_iovlen != 0 && !may_read(message.msg_iov, message.msg_iovlen * sizeof(iovec)))
    return -EFAULT;
  if (!find_descriptors(message, descriptors)) return -EINVAL;
  Gathered gathered;
  const long error = gathered.gather(message.msg_iov, message.msg_iovlen);
  return error != 0 ? error : send_to_path(arguments, path, gathered.data(), flags, descriptors);
}

}  // namespace

long emulate_connect(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  Bytes path;
  if (!is_for_path(arguments[0], arguments.pointer<const sockaddr>(1), arguments.bits(2), path))
    return call_kernel(__NR_connect, arguments);
  Location location;
  char name[path_room];
  const long error = locate_socket(path, name, location);
  if (error != 0) return error;
  methods::Connect::Request request;
  set_location(request, location);
  request.socket = arguments.number(0);
  methods::Connect::Reply reply;
  return ask<methods::Connect>(request, reply);
}

long emulate_bind(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  Bytes path;
  if (!is_for_path(arguments[0], arguments.pointer<const sockaddr>(1), arguments.bits(2), path))
    return call_kernel(__NR_bind, arguments);
  Location location;
  char name[path_room];
  const long error = locate_socket(path, name, location);
  if (error != 0) return error;
  methods::Bind::Request request;
  set_location(request, location);
  request.socket = arguments.number(0);
  request.umask = umask_of_process();
  methods::Bind::Reply reply;
  return ask<methods::Bind>(request, reply);
}

long emulate_getsockname(const Arguments &arguments) noexcept {
  return call_with_name(__NR_getsockname, arguments, 1);
}
long emulate_getpeername(const Arguments &arguments) noexcept {
  return call_with_name(__NR_getpeername, arguments, 1);
}
long emulate_accept(const Arguments &arguments) noexcept {
  return call_with_name(__NR_accept, arguments, 1);
}
long emulate_accept4(const Arguments &arguments) noexcept {
  return call_with_name(__NR_accept4, arguments, 1);
}
long emulate_recvfrom(const Arguments &arguments) noexcept {
  return call_with_name(__NR_recvfrom, arguments, 4);
}

long emulate_recvmsg(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  auto *message = arguments.pointer<msghdr>(1);
  const unsigned room =
      may_read(message, sizeof *message) && message->msg_name != nullptr ? message->msg_namelen : 0;
  const long result = call_kernel(__NR_recvmsg, arguments);
  if (result >= 0 && room != 0)
    restore_name(static_cast<sockaddr *>(message->msg_name), room, &message->msg_namelen);
  return result;
}

long emulate_sendto(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  Bytes path;
  if (!is_for_path(arguments[0], arguments.pointer<const sockaddr>(4), arguments.bits(5), path))
    return call_kernel(__NR_sendto, arguments);
  const Bytes data{arguments.pointer<const char>(1), static_cast<std::uint64_t>(arguments[2])};
  return send_to_path(arguments, path, data, arguments.bits(3), {});
}

long emulate_sendmsg(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  const auto *message = arguments.pointer<const msghdr>(1);
  Bytes path;
  if (!may_read(message, sizeof *message) || !find_path_of(arguments[0], *message, path))
    return call_kernel(__NR_sendmsg, arguments);
  return send_message(arguments, *message, path, arguments.bits(2));
}

// One message after another where one of them is for a path.
long emulate_sendmmsg(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  auto *messages = arguments.pointer<mmsghdr>(1);
  const std::uint64_t count = arguments.bits(2) < max_vectors ? arguments.bits(2) : max_vectors;
  Bytes path;
  bool paths = false;
  for (std::uint64_t i = 0; i < count && !paths; ++i) {
    if (!may_read(&messages[i], sizeof messages[i])) break;
    paths = find_path_of(arguments[0], messages[i].msg_hdr, path);
  }
  if (!paths) return call_kernel(__NR_sendmmsg, arguments);
  for (std::uint64_t i = 0; i < count; ++i) {
    long result = -EFAULT;
    if (may_read(&messages[i], sizeof messages[i])) {
      msghdr &message = messages[i].msg_hdr;
      result = find_path_of(arguments[0], message, path)
                   ? send_message(arguments, message, path, arguments.bits(3))
                   : system_call(__NR_sendmsg, arguments.number(0), as_argument(&message),
                                 arguments.number(3));
    }
    // What has been sent counts; the error comes with the next call.
    if (result < 0) return i == 0 ? result : static_cast<long>(i);
    messages[i].msg_len = static_cast<unsigned>(result);
  }
  return static_cast<long>(count);
}

}  // namespace plash::engine
