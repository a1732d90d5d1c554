// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/hostile/bystander.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <vector>

#include "tests/hostile/server_process.h"

namespace plash::hostile {
namespace {

constexpr std::size_t max_samples = 400'000;
constexpr uid_t other_user_id = 65'533;

// Returns "" or what was wrong.
using Step = std::string (*)(int fs_op);

std::string error_text(const char *what, long result) {
  return std::string(what) + ": " + (result < 0 ? std::strerror(static_cast<int>(-result)) : "odd");
}

long open_file(int fs_op, std::string_view path, std::uint64_t flags) {
  methods::Open::Request request;
  request.path = bytes(path);
  request.flags = flags;
  request.mode = 0644;
  methods::Open::Reply reply;
  const long error = invoke<methods::Open>(fs_op, request, reply);
  return error != 0 ? error : reply.file;
}

std::string read_file(int fs_op) {
  const long fd = open_file(fs_op, "/b/sub/file", O_RDONLY);
  if (fd < 0) return error_text("open", fd);
  const UniqueFd file(static_cast<int>(fd));
  return contents(file.get()) == "bystander" ? "" : "open: not the file's contents";
}

std::string get_status(int fs_op) {
  methods::Stat::Request request;
  request.path = bytes("/b/sub/file");
  request.mask = STATX_BASIC_STATS;
  methods::Stat::Reply reply;
  const long error = invoke<methods::Stat>(fs_op, request, reply);
  return error == 0 && reply.size == 9 ? "" : error_text("stat", error);
}

std::string read_link(int fs_op) {
  methods::Readlink::Request request;
  request.path = bytes("/b/link");
  request.size = 100;
  char buffer[100];
  methods::Readlink::Reply reply;
  const long error = invoke<methods::Readlink>(fs_op, request, reply, {buffer, sizeof buffer});
  if (error != 0) return error_text("readlink", error);
  return std::string_view(reply.target.data, reply.target.size) == "sub/file" ? ""
                                                                              : "readlink: odd";
}

std::string name_directory(int fs_op) {
  const long fd = open_file(fs_op, "/b/sub", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return error_text("open of a directory", fd);
  const UniqueFd directory(static_cast<int>(fd));
  methods::DirectoryPath::Request request;
  request.size = 100;
  char buffer[100];
  methods::DirectoryPath::Reply reply;
  const long error =
      invoke<methods::DirectoryPath>(directory.get(), request, reply, {buffer, sizeof buffer});
  if (error != 0) return error_text("getcwd", error);
  return std::string_view(reply.path.data, reply.path.size) == "/b/sub" ? "" : "getcwd: odd";
}

std::string miss(int fs_op) {
  const long fd = open_file(fs_op, "/b/none", O_RDONLY);
  return fd == -ENOENT ? "" : error_text("open of what is not there", fd);
}

std::string create_and_remove(int fs_op) {
  const long fd = open_file(fs_op, "/b/new", O_WRONLY | O_CREAT | O_EXCL);
  if (fd < 0) return error_text("create", fd);
  ::close(static_cast<int>(fd));
  methods::Unlink::Request request;
  request.path = bytes("/b/new");
  methods::Unlink::Reply reply;
  const long error = invoke<methods::Unlink>(fs_op, request, reply);
  return error == 0 ? "" : error_text("unlink", error);
}

constexpr Step steps[] = {read_file,      get_status, read_link,
                          name_directory, miss,       create_and_remove};

}  // namespace

struct Bystander::Board {
  std::atomic<int> phase{0};
  std::atomic<std::size_t> calls{0};
  std::atomic<std::uint64_t> last_call{0};  // steady clock, milliseconds
  std::atomic<bool> is_wrong{false};
  char wrong[200] = {};
  struct Samples {
    std::atomic<std::size_t> count{0};
    std::array<std::uint32_t, max_samples> microseconds;
  } samples[2];
};

namespace {

std::uint64_t now_in_milliseconds() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(
      duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

}  // namespace

Bystander::Bystander(const ServerProcess &server, bool other_user) {
  void *const memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  board_ = new (memory) Board;
  board_->last_call = now_in_milliseconds();
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    const int fs_op = server.bystander.get();
    close_all_but({fs_op});
    if (other_user && ::geteuid() == 0 && ::setuid(other_user_id) != 0) std::_Exit(1);
    run(fs_op, *board_);
  }
}

void Bystander::run(int fs_op, Board &board) {
  for (;;) {
    for (const Step step : steps) {
      const auto start = std::chrono::steady_clock::now();
      const std::string wrong = step(fs_op);
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
          std::chrono::steady_clock::now() - start);
      Board::Samples &samples = board.samples[board.phase];
      if (const std::size_t at = samples.count; at < max_samples) {
        samples.microseconds[at] = static_cast<std::uint32_t>(took.count());
        samples.count = at + 1;
      }
      if (!wrong.empty() && !board.is_wrong) {
        std::snprintf(board.wrong, sizeof board.wrong, "%s", wrong.c_str());
        board.is_wrong = true;
      }
      ++board.calls;
      board.last_call = now_in_milliseconds();
    }
    ::usleep(200);
  }
}

Bystander::~Bystander() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::munmap(board_, sizeof(Board));
}

void Bystander::set_phase(int phase) { board_->phase = phase; }
std::size_t Bystander::calls() const { return board_->calls; }

Latency Bystander::latency(int phase) const {
  const Board::Samples &samples = board_->samples[phase];
  std::vector<std::uint32_t> sorted(
      samples.microseconds.begin(),
      samples.microseconds.begin() + static_cast<std::ptrdiff_t>(samples.count.load()));
  Latency latency;
  latency.calls = sorted.size();
  if (sorted.empty()) return latency;
  std::sort(sorted.begin(), sorted.end());
  latency.worst = sorted.back();
  latency.p99 = sorted[sorted.size() * 99 / 100];
  return latency;
}

std::string Bystander::wrong() const {
  if (board_->is_wrong) return board_->wrong;
  if (now_in_milliseconds() - board_->last_call > 5'000 * patience()) return "no call for long";
  return "";
}

}  // namespace plash::hostile
