// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/death_watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "protocol/packet.h"
#include "tools/server/transport.h"

namespace plash::server {
namespace {

// One bit a descriptor, in memory that server and watch share. Higher ones are taken for no
// arguments.
constexpr int tracked_descriptors = 1 << 16;
struct Arguments {
  std::atomic<std::uint64_t> bits[tracked_descriptors / 64];
};
Arguments *arguments = nullptr;

bool is_argument(int fd) {
  return fd < tracked_descriptors && ((arguments->bits[fd / 64].load() >> (fd % 64)) & 1) != 0;
}

// Takes one message from the socket and shuts its reply socket, the first of its descriptors, down.
// False where there is none.
bool refuse_message(int object) {
  alignas(cmsghdr) char control[CMSG_SPACE(max_packet_descriptors * sizeof(int))];
  char byte;
  iovec vector{&byte, 1};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(object, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return false;
  bool first = true;
  for (cmsghdr *part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (first && is_packet_socket(fd)) ::shutdown(fd, SHUT_RDWR);
      first = false;
      ::close(fd);
    }
  }
  return true;
}

// No new request can come in behind those that are waiting: the way in is shut first.
void end_calls(int fd) {
  if (is_argument(fd) || !is_packet_socket(fd)) return;
  ::shutdown(fd, SHUT_RDWR);
  while (refuse_message(fd)) {
  }
}

void end_all_calls() {
  DIR *const list = ::opendir("/proc/self/fd");
  if (list == nullptr) {
    for (int fd = 0; fd < static_cast<int>(::sysconf(_SC_OPEN_MAX)); ++fd) end_calls(fd);
    return;
  }
  while (const dirent *const entry = ::readdir(list)) end_calls(std::atoi(entry->d_name));
}

[[noreturn]] void watch(pid_t server) {
  // Neither the terminal's signals nor those to the server's group are meant for this process.
  ::setsid();
  ::prctl(PR_SET_NAME, "plash-watch");
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  const int life = static_cast<int>(::syscall(SYS_pidfd_open, server, 0));
  pollfd state{life, POLLIN, 0};
  // Where it is not there any more, it is dead already.
  while (life >= 0 && ::getppid() == server && ::poll(&state, 1, -1) < 0 && errno == EINTR) {
  }
  end_all_calls();
  ::_exit(0);
}

}  // namespace

void note_argument(int fd, bool is_argument) noexcept {
  if (arguments == nullptr || fd >= tracked_descriptors) return;
  std::atomic<std::uint64_t> &bits = arguments->bits[fd / 64];
  const std::uint64_t bit = std::uint64_t{1} << (fd % 64);
  const bool noted = (bits.load(std::memory_order_relaxed) & bit) != 0;
  if (is_argument && !noted) bits.fetch_or(bit, std::memory_order_relaxed);
  if (!is_argument && noted) bits.fetch_and(~bit, std::memory_order_relaxed);
}

DeathWatch::DeathWatch() {
  const pid_t server = ::getpid();
  // Stays: threads of the server may be at work when the watch ends.
  void *const memory =
      ::mmap(nullptr, sizeof(Arguments), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  arguments = static_cast<Arguments *>(memory);
  // A copy of memory, the same descriptors. It sends no SIGCHLD and no plain wait sees it.
  process_ = static_cast<pid_t>(::syscall(SYS_clone, CLONE_FILES, nullptr, nullptr, nullptr, 0));
  if (process_ < 0) throw std::system_error(errno, std::generic_category(), "clone");
  if (process_ == 0) watch(server);
}

DeathWatch::~DeathWatch() {
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, static_cast<int>(__WCLONE)) < 0 && errno == EINTR) {
  }
}

}  // namespace plash::server
