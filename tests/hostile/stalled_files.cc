// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/hostile/stalled_files.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace plash::hostile {
namespace {

constexpr std::uint64_t ready_node = 2;
constexpr std::uint64_t never_node = 3;

fuse_attr attributes(std::uint64_t node) {
  fuse_attr attr{};
  attr.ino = node;
  attr.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
  attr.nlink = 1;
  attr.blksize = 4096;
  return attr;
}

class Answers {
 public:
  explicit Answers(int device) : device_(device) {}

  void run() {
    std::vector<char> buffer(1 << 17);
    for (;;) {
      const ssize_t size = ::read(device_, buffer.data(), buffer.size());
      if (size < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN)) continue;
      if (size < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
      fuse_in_header header;
      std::memcpy(&header, buffer.data(), sizeof header);
      answer(header, buffer.data() + sizeof header);
    }
  }

 private:
  void reply(const fuse_in_header &to, int error, const void *data = nullptr,
             std::size_t size = 0) {
    fuse_out_header header{static_cast<std::uint32_t>(sizeof header + size), error, to.unique};
    const iovec vector[2] = {{&header, sizeof header}, {const_cast<void *>(data), size}};
    [[maybe_unused]] const ssize_t written = ::writev(device_, vector, 2);
  }

  void answer(const fuse_in_header &header, const char *argument) {
    switch (header.opcode) {
      case FUSE_INIT: {
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = FUSE_KERNEL_MINOR_VERSION;
        out.max_write = 4096;
        return reply(header, 0, &out, sizeof out);
      }
      case FUSE_LOOKUP: {
        const bool is_ready = std::strcmp(argument, "ready") == 0;
        if (!is_ready && std::strcmp(argument, "never") != 0) return reply(header, -ENOENT);
        fuse_entry_out out{};
        out.nodeid = is_ready ? ready_node : never_node;
        out.generation = 1;
        out.entry_valid = is_ready ? 60 : 0;
        out.attr_valid = is_ready ? 60 : 0;
        out.attr = attributes(out.nodeid);
        return reply(header, 0, &out, sizeof out);
      }
      case FUSE_GETATTR: {
        if (header.nodeid == never_node) return;
        fuse_attr_out out{};
        out.attr_valid = 60;
        out.attr = attributes(header.nodeid);
        return reply(header, 0, &out, sizeof out);
      }
      case FUSE_OPEN: {
        if (header.nodeid == never_node) return;
        const fuse_open_out out{};
        return reply(header, 0, &out, sizeof out);
      }
      case FUSE_FLUSH:
      case FUSE_RELEASE:
      case FUSE_FORGET:
      case FUSE_INTERRUPT:
        return;
      default:
        return reply(header, -ENOSYS);
    }
  }

  int device_;
};

}  // namespace

StalledFiles::StalledFiles(std::string directory) : directory_(std::move(directory)) {
  ::mkdir(directory_.c_str(), 0755);
  UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device) return;
  const std::string options = "fd=" + std::to_string(device.get()) +
                              ",rootmode=40000,allow_other,user_id=" + std::to_string(::getuid()) +
                              ",group_id=" + std::to_string(::getgid());
  if (::mount("stalled", directory_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
    return;
  device_ = std::move(device);
  server_ = ::fork();
  if (server_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Answers(device_.get()).run();
    std::_Exit(0);
  }
}

StalledFiles::~StalledFiles() {
  if (!mounted()) return;
  ::umount2(directory_.c_str(), MNT_FORCE | MNT_DETACH);
  ::kill(server_, SIGKILL);
  ::waitpid(server_, nullptr, 0);
}

UniqueFd StalledFiles::open_file() const {
  return UniqueFd(::open((directory_ + "/ready").c_str(), O_RDWR | O_CLOEXEC));
}

void StalledFiles::close_in_background(UniqueFd file) const {
  const pid_t closer = ::fork();
  if (closer == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    file.reset();
    std::_Exit(0);
  }
  // close(2) sends FLUSH, which waits; ours is closed by the end of this process, as that one's is.
  [[maybe_unused]] const int left_open = file.release();
}

}  // namespace plash::hostile
