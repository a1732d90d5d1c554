// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Methods of directory objects, and of the echo object.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>

#include "tools/server/handlers.h"

namespace plash::server {
namespace {

// With the reply's two words it fits into a packet.
constexpr std::uint64_t max_page = max_fragment_size - 2 * sizeof(std::uint64_t);

// The object's listing. The caller holds its mutex.
Listing &listing_of(Object &object) {
  if (!object.listing) object.listing = std::make_unique<Listing>(object.directory);
  return *object.listing;
}

}  // namespace

int handle(Context &context, const methods::ListDirectory::Request &request,
           methods::ListDirectory::Reply &reply) {
  const std::lock_guard lock(context.object.mutex);
  Listing &listing = listing_of(context.object);
  const int error = listing.read(std::min(request.size, max_page), context.bytes);
  reply.at_end = listing.at_end() ? 1 : 0;
  reply.entries = {context.bytes.data(), context.bytes.size()};
  return error;
}

int handle(Context &context, const methods::SeekDirectory::Request &request,
           methods::SeekDirectory::Reply &reply) {
  const std::lock_guard lock(context.object.mutex);
  reply.position =
      listing_of(context.object).seek(request.offset, static_cast<int>(request.whence));
  // Positions in the tree's part of a listing are negative too, far below any error.
  const bool failed = reply.position < 0 && reply.position >= -max_errno;
  return failed ? static_cast<int>(reply.position) : 0;
}

int handle(Context &context, const methods::DirectoryPath::Request &request,
           methods::DirectoryPath::Reply &reply) {
  auto path = path_of(context.object.directory);
  if (const int *error = std::get_if<int>(&path)) return *error;
  context.bytes = std::get<std::string>(std::move(path));
  if (context.bytes.size() >= request.size) return -ERANGE;
  reply.path = {context.bytes.data(), context.bytes.size()};
  return 0;
}

int handle(Context &context, const methods::LockDirectory::Request &request,
           methods::LockDirectory::Reply &) {
  const auto operation = static_cast<int>(request.operation);
  int fd;
  {
    const std::lock_guard lock(context.object.mutex);
    fd = listing_of(context.object).real();
  }
  if (fd < 0) return -EBADF;
  if (::flock(fd, operation | LOCK_NB) == 0) return 0;
  if (errno != EWOULDBLOCK) return -errno;
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return -ENFILE;
  context.later.work = [held = std::make_shared<UniqueFd>(copy), operation] {
    Outcome outcome;
    // A client that has closed its descriptor holds the lock until the server has noticed.
    const int attempts = (operation & LOCK_NB) != 0 ? 10 : 1;
    for (int i = 0; i < attempts; ++i) {
      if (i != 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      outcome.error = ::flock(held->get(), operation) == 0 ? 0 : -errno;
      if (outcome.error != -EWOULDBLOCK) break;
    }
    return outcome;
  };
  return 0;
}

int handle(Context &context, const methods::SyncDirectory::Request &request,
           methods::SyncDirectory::Reply &) {
  int fd;
  {
    const std::lock_guard lock(context.object.mutex);
    fd = listing_of(context.object).real();
  }
  if (fd == -ENOENT) return 0;  // fabricated: there is nothing to write
  if (fd < 0) return fd;
  return (request.data_only != 0 ? ::fdatasync(fd) : ::fsync(fd)) == 0 ? 0 : -errno;
}

int handle(Context &, const methods::Echo::Request &request, methods::Echo::Reply &reply) {
  reply.data = request.data;
  reply.descriptors = request.descriptors;
  return 0;
}

}  // namespace plash::server
