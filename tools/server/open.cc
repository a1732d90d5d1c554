// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Open and Chdir.
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "tools/server/open_beneath.h"
#include "tools/server/process_files.h"
#include "tools/server/target.h"
#include "tools/server/umask.h"

namespace plash::server {
namespace {

constexpr std::uint64_t known_flags = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |
                                      O_NONBLOCK | O_DSYNC | O_SYNC | O_ASYNC | O_DIRECT |
                                      O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |
                                      O_CLOEXEC | O_PATH | O_TMPFILE;
constexpr std::uint64_t path_flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::uint64_t known_resolve_flags = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS |
                                              RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |
                                              RESOLVE_IN_ROOT | RESOLVE_CACHED;

// An open(2) under way.
class Opening {
 public:
  Opening(Context &context, const methods::Open::Request &request, std::uint64_t resolve)
      : context_(context),
        flags_(static_cast<int>(request.flags & known_flags)),
        resolve_(resolve) {
    if ((flags_ & O_PATH) != 0) flags_ &= static_cast<int>(path_flags);
    if (creates() || is_temporary())
      mode_ =
          mode_under_umask(static_cast<unsigned>(request.mode & (0777 | S_ISVTX)), request.umask);
  }

  int run(Walk &walk) {
    if (is_temporary()) return open_temporary(walk);
    if (creates() && (flags_ & O_DIRECTORY) != 0) return -EINVAL;
    int error = walk.advance();
    while (error == 0) {
      error = creates() ? create(walk) : open_existing(walk);
      if (error != again) return error;
      error = 0;
    }
    return error;
  }

 private:
  static constexpr int again = 1;  // a symlink was followed

  bool creates() const { return (flags_ & O_CREAT) != 0; }
  bool is_temporary() const { return (flags_ & O_TMPFILE) == O_TMPFILE; }
  bool writes() const {
    return (flags_ & O_PATH) == 0 && ((flags_ & O_ACCMODE) != O_RDONLY || (flags_ & O_TRUNC) != 0);
  }
  bool may_block() const { return (flags_ & (O_PATH | O_NONBLOCK)) == 0; }

  int follow(Walk &walk, const std::string &target) {
    if ((flags_ & O_NOFOLLOW) != 0 && !walk.must_be_directory()) return -ELOOP;
    const int error = walk.follow(target);
    return error != 0 ? error : again;
  }

  int open_existing(Walk &walk) {
    if (walk.name().empty()) return open_directory(walk.directory());
    const Node *node = walk.node();
    if (node != nullptr && node->link) return follow(walk, *node->link);
    // A slash behind the name asks for what a link leads to, O_NOFOLLOW or not.
    const int flags = walk.must_be_directory() ? (flags_ & ~O_NOFOLLOW) | O_DIRECTORY : flags_;
    if (node != nullptr && node->is_slot()) {
      const int crossing = walk.check_crossing(*node);
      return crossing != 0 ? crossing : open_in_slot(walk, *node, flags);
    }
    if (node != nullptr) {
      Directory entered;
      const int error = walk.enter_node(*node, entered);
      return error != 0 ? error : open_directory(entered);
    }
    if (!walk.directory().fd) return -ENOENT;
    const int error =
        open_real(walk.directory().real(), walk.relative(), flags, walk.directory().granted);
    if (error != -ELOOP) return error;
    if (!walk.middle().empty()) {
      const int opened = walk.open_parent();
      return opened != 0 ? opened : again;
    }
    return follow_real(walk, walk.directory().real(), walk.name());
  }

  int open_in_slot(Walk &walk, const Node &node, int flags) {
    const int error = open_real(node.grant->anchor.get(), node.grant->leaf, flags, &node);
    return error == -ELOOP ? follow_real(walk, node.grant->anchor.get(), node.grant->leaf) : error;
  }

  int follow_real(Walk &walk, int parent, const std::string &name) {
    const UniqueFd link(open_beneath(parent, name.c_str(), O_PATH | O_NOFOLLOW));
    if (!link) return link.get();
    auto target = walk.target_of(walk.directory(), link.get());
    if (const int *error = std::get_if<int>(&target))
      return *error == -EACCES || *error == -EXDEV ? *error : -ELOOP;
    return follow(walk, std::get<std::string>(target));
  }

  int create(Walk &walk) {
    Slot slot;
    const int error = find_slot(walk, slot);
    if (error != 0) return error;
    const bool exclusive = (flags_ & O_EXCL) != 0;
    if (slot.name.empty()) return exclusive ? -EEXIST : -EISDIR;
    const Node *node = walk.node();
    if (node != nullptr && node->link) return exclusive ? -EEXIST : follow(walk, *node->link);
    if (node != nullptr && !node->is_slot()) return exclusive ? -EEXIST : -EISDIR;
    if (slot.parent < 0) return -EROFS;
    if (walk.must_be_directory()) return -EISDIR;
    if (node != nullptr && walk.check_crossing(*node) != 0) return -EXDEV;
    const Node *granted = node != nullptr ? node : walk.directory().granted;
    int result;
    if (slot.may_change) {
      result = open_real(slot.parent, slot.name, flags_, granted);
    } else {
      struct stat status {};
      const bool exists =
          ::fstatat(slot.parent, slot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
      if (!exists) return errno == ENOENT ? -EROFS : -errno;
      if (exclusive) return -EEXIST;
      if (S_ISDIR(status.st_mode)) return -EISDIR;
      result = open_real(slot.parent, slot.name, flags_ & ~O_CREAT, granted);
    }
    return result == -ELOOP ? follow_real(walk, slot.parent, slot.name) : result;
  }

  int open_temporary(Walk &walk) {
    Found found;
    const int error = find(walk, (flags_ & O_NOFOLLOW) == 0, found);
    if (error != 0) return error;
    if (!found.is_directory)
      return found.status.stx_mode != 0 && S_ISLNK(found.status.stx_mode) ? -ELOOP : -ENOTDIR;
    if (found.rights == nullptr || !found.rights->write) return -EROFS;
    const int fd = ::openat(found.directory.real(), ".", flags_ | O_CLOEXEC, mode_);
    if (fd < 0) return descriptor_error();
    context_.is_handed_over = true;
    context_.fd.reset(fd);
    return 0;
  }

  // The name as the kernel has it, no symlink followed.
  int open_real(int directory, const std::string &path, int flags, const Node *granted) {
    const Rights &rights = granted->grant->rights;
    if (writes() && !rights.write) return refuse_writing(directory, path, flags);
    const int created_mode = (flags & O_CREAT) != 0 ? static_cast<int>(mode_) : 0;
    if (is_in_processes(granted)) {
      const UniqueFd file(open_beneath(directory, path.c_str(), O_PATH | O_NOFOLLOW));
      const int refused = file ? check_process_file(file.get(), flags) : file.get();
      if (refused != 0) return refused;
    }
    // Never to wait here: a FIFO without a peer, a lease, a terminal line.
    const int nonblocking = may_block() ? O_NONBLOCK : 0;
    const int no_terminal = (flags & O_PATH) == 0 ? O_NOCTTY : 0;
    UniqueFd fd(open_beneath(directory, path.c_str(), flags | nonblocking | no_terminal,
                             static_cast<unsigned>(created_mode), resolve_));
    if (!fd) {
      if (nonblocking != 0 && (fd.get() == -ENXIO || fd.get() == -EWOULDBLOCK))
        return open_blocking(directory, path, flags, fd.get());
      return fd.get();
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return -errno;
    if (is_procfs(major(status.st_dev), minor(status.st_dev))) return -EACCES;
    if (S_ISDIR(status.st_mode)) return make_directory(std::move(fd), granted);
    if (nonblocking != 0) {
      if (S_ISFIFO(status.st_mode) && (flags & O_ACCMODE) == O_RDONLY) {
        wait_for_writer(std::move(fd), flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW));
        return 0;
      }
      if (::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) return -errno;
    }
    context_.is_handed_over = writes() || S_ISFIFO(status.st_mode);
    context_.fd = std::move(fd);
    return 0;
  }

  static int refuse_writing(int directory, const std::string &path, int flags) {
    const UniqueFd fd(
        open_beneath(directory, path.c_str(), O_PATH | O_NOFOLLOW | (flags & O_DIRECTORY)));
    if (!fd) return fd.get();
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return -errno;
    if (S_ISLNK(status.st_mode)) return -ELOOP;
    return S_ISDIR(status.st_mode) ? -EISDIR : -EROFS;
  }

  // A FIFO that nobody reads yet, or a file with a lease.
  int open_blocking(int directory, const std::string &path, int flags, int error) {
    UniqueFd fd(open_beneath(directory, path.c_str(), O_PATH | O_NOFOLLOW));
    if (!fd) return fd.get();
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return -errno;
    if (!S_ISFIFO(status.st_mode) && !S_ISREG(status.st_mode)) return error;
    wait_for_peer(std::move(fd), flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW));
    return 0;
  }

  // Opens again through held, which is O_PATH.
  void wait_for_peer(UniqueFd held, int flags) {
    auto file = std::make_shared<const UniqueFd>(std::move(held));
    context_.later.work = [file, flags] {
      Outcome outcome;
      outcome.is_handed_over = true;
      outcome.fd.reset(::open(descriptor_path(file->get()).c_str(), flags | O_CLOEXEC | O_NOCTTY));
      if (!outcome.fd) outcome.error = descriptor_error();
      return outcome;
    };
  }

  // reader is a FIFO open for reading, which lets a writer go on. That one may come, write and
  // leave before the thread is there to wait for it: reader tells that too.
  void wait_for_writer(UniqueFd reader, int flags) {
    auto file = std::make_shared<const UniqueFd>(std::move(reader));
    const auto has_come = [file] {
      pollfd state{file->get(), POLLIN, 0};
      return ::poll(&state, 1, 0) == 1;
    };
    context_.later.has_happened = has_come;
    context_.later.reader = file;
    context_.later.work = [file, has_come, flags] {
      Outcome outcome;
      outcome.is_handed_over = true;
      if (has_come()) {
        outcome.fd.reset(::fcntl(file->get(), F_DUPFD_CLOEXEC, 0));
        if (outcome.fd && ::fcntl(outcome.fd.get(), F_SETFL, flags & ~O_NONBLOCK) == 0)
          return outcome;
      } else {
        outcome.fd.reset(
            ::open(descriptor_path(file->get()).c_str(), flags | O_CLOEXEC | O_NOCTTY));
      }
      if (!outcome.fd) outcome.error = descriptor_error();
      return outcome;
    };
  }

  int open_directory(const Directory &directory) {
    if (creates() || writes()) return (flags_ & O_EXCL) != 0 && creates() ? -EEXIST : -EISDIR;
    Directory opened = directory;
    if (directory.fd && (flags_ & O_PATH) == 0) {
      const int fd = ::openat(directory.real(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (fd < 0) return descriptor_error();
      opened.fd = std::make_shared<const UniqueFd>(fd);
    }
    return context_.services.make_directory_object(context_.object, opened, context_.fd,
                                                   opened_flags());
  }

  int make_directory(UniqueFd fd, const Node *granted) {
    Directory directory;
    directory.name_space = context_.object.directory.name_space;
    directory.granted = granted;
    directory.fd = std::make_shared<const UniqueFd>(fd.release());
    return context_.services.make_directory_object(context_.object, directory, context_.fd,
                                                   opened_flags());
  }

  int opened_flags() const {
    return ((flags_ & O_DIRECTORY) != 0 ? opened_with_directory_flag : 0) +
           ((flags_ & O_PATH) != 0 ? opened_for_path : 0);
  }

  Context &context_;
  int flags_;
  std::uint64_t resolve_;  // for the kernel's part of the way
  unsigned mode_ = 0;
};

}  // namespace

int handle(Context &context, const methods::Open::Request &request, methods::Open::Reply &reply) {
  if ((request.resolve & ~known_resolve_flags) != 0) return -EINVAL;
  if ((request.resolve & RESOLVE_BENEATH) != 0 && (request.resolve & RESOLVE_IN_ROOT) != 0)
    return -EINVAL;
  Directory start;
  int error = find_start(context, request.base, request.path, start);
  if (error != 0) return error;
  const WalkRules rules{
      (request.resolve & RESOLVE_NO_SYMLINKS) != 0, (request.resolve & RESOLVE_BENEATH) != 0,
      (request.resolve & RESOLVE_IN_ROOT) != 0,     (request.resolve & RESOLVE_NO_XDEV) != 0,
      (request.resolve & RESOLVE_CACHED) != 0,      (request.resolve & RESOLVE_NO_MAGICLINKS) != 0};
  Walk walk(std::move(start), view(request.path), rules);
  Opening opening(context, request, rules.resolve());
  error = opening.run(walk);
  reply.file = context.fd.get();
  return error;
}

int handle(Context &context, const methods::Chdir::Request &request, methods::Chdir::Reply &reply) {
  Target target;
  const int error = find_target(context, request.base, request.path, AT_EMPTY_PATH, target);
  if (error != 0) return error;
  if (!target.is_directory) return -ENOTDIR;
  if (const int denied = check_search(target.directory); denied != 0) return denied;
  const int made =
      context.services.make_directory_object(context.object, target.directory, context.fd, 0);
  reply.directory = context.fd.get();
  return made;
}

}  // namespace plash::server
