// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

#include "tools/stress/call_server.h"
#include "tools/stress/operation.h"
#include "tools/support/unique_fd.h"

namespace plash::stress {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// A worker in which nothing was finished for so long hangs.
constexpr auto patience = 6s;
constexpr auto poll_interval = 5ms;

[[noreturn]] void throw_errno(const char *what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::filesystem::path own_path() { return std::filesystem::read_symlink("/proc/self/exe"); }
std::filesystem::path launcher_path() { return own_path().parent_path() / "pola-run"; }

// A directory of its own for each worker, removed with it.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "plash-stress.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw_errno("mkdtemp");
    path_ = name;
    make_fixtures(name.c_str());
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  std::string path() const { return path_.string(); }

  // The names that are not the fixtures'.
  std::string leftovers() const {
    std::string text;
    for (const auto &entry : std::filesystem::directory_iterator(path_)) {
      const std::string name = entry.path().filename();
      if (name != "a" && name != "b") text += (text.empty() ? "" : ", ") + name;
    }
    return text;
  }

 private:
  std::filesystem::path path_;
};

class SharedBoard {
 public:
  SharedBoard() : descriptor_(memfd_create("plash-stress", 0)) {
    if (!descriptor_) throw_errno("memfd_create");
    if (ftruncate(descriptor_.get(), sizeof(Board)) != 0) throw_errno("ftruncate");
    void *const memory =
        mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_.get(), 0);
    if (memory == MAP_FAILED) throw_errno("mmap");
    board_ = static_cast<Board *>(memory);
  }
  ~SharedBoard() { munmap(board_, sizeof(Board)); }
  SharedBoard(const SharedBoard &) = delete;
  SharedBoard &operator=(const SharedBoard &) = delete;
  Board *operator->() const { return board_; }
  Board &operator*() const { return *board_; }
  int descriptor() const { return descriptor_.get(); }

 private:
  UniqueFd descriptor_;
  Board *board_;
};

std::vector<std::string> worker_command(Door door, int board, const std::string &directory) {
  const std::vector<std::string> worker = {own_path(), "--worker", std::to_string(board)};
  if (door == Door::none || door == Door::call) return worker;
  std::vector<std::string> command = {launcher_path(),
                                      std::string("--door=") + name_of(door),
                                      "-B",
                                      "-f",
                                      own_path(),
                                      "-fwls",
                                      directory,
                                      "--fd",
                                      std::to_string(board),
                                      "--cwd",
                                      directory,
                                      "-e"};
  command.insert(command.end(), worker.begin(), worker.end());
  return command;
}

pid_t start(const std::vector<std::string> &command) {
  std::vector<char *> arguments;
  for (const std::string &argument : command)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) throw_errno("fork");
  if (child == 0) {
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  return child;
}

// Kills the process and all that come from it, deepest last: none of them may make another
// meanwhile.
void kill_tree(pid_t process) {
  kill(process, SIGSTOP);
  const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
  std::error_code ignored;
  for (const auto &task : std::filesystem::directory_iterator(tasks, ignored)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child; children >> child;) kill_tree(child);
  }
  kill(process, SIGKILL);
}

void kill_descendants() {
  for (int round = 0; round < 100; ++round) {
    std::ifstream children("/proc/self/task/" + std::to_string(getpid()) + "/children");
    bool any = false;
    for (pid_t child; children >> child; any = true) kill_tree(child);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (!any) return;
    std::this_thread::sleep_for(poll_interval);
  }
}

void read_lines(const std::atomic<std::uint32_t> &count, const Line *lines, unsigned room,
                std::vector<std::string> &out) {
  out.clear();
  for (unsigned i = 0; i < std::min<unsigned>(count.load(), room); ++i) {
    if (lines[i].complete.load(std::memory_order_acquire))
      out.emplace_back(static_cast<const char *>(lines[i].text));
  }
}

void read_board(const Board &board, Outcome &outcome) {
  const auto all = operations(board.settings.door);
  outcome.calls = outcome.signals = 0;
  std::uint64_t worst = 0;
  for (const Slot &slot : board.slots) {
    outcome.calls += slot.calls.load();
    outcome.signals += slot.signals.load();
    if (slot.worst_nanoseconds.load() <= worst) continue;
    worst = slot.worst_nanoseconds.load();
    const std::uint32_t operation = slot.worst_operation.load();
    outcome.worst_operation = operation < all.size() ? all[operation].name : "";
  }
  outcome.worst_milliseconds = static_cast<double>(worst) / 1e6;
  outcome.in_flight = 0;
  outcome.windows.clear();
  for (unsigned i = 0; i < board.window_count.load(); ++i) {
    outcome.in_flight += board.windows[i].hits.load();
    outcome.windows.push_back(
        {static_cast<const char *>(board.windows[i].name), board.windows[i].hits.load()});
  }
  outcome.failure_count = board.failure_count.load();
  outcome.descriptors_before = board.descriptors_before.load();
  outcome.descriptors_after = board.descriptors_after.load();
  read_lines(board.failure_count, board.failures, max_failures, outcome.failures);
  read_lines(board.note_count, board.notes, max_notes, outcome.notes);
}

// What each thread was at, when nothing moved any more.
std::string last_operations(const Board &board) {
  const auto all = operations(board.settings.door);
  std::string text;
  for (unsigned i = 0; i < std::min(board.settings.threads, max_threads); ++i) {
    const std::uint32_t operation = board.slots[i].operation.load();
    text += (i == 0 ? "" : ", ") +
            std::string(operation < all.size() ? all[operation].name : "nothing");
  }
  return text;
}

// Whether all threads of the process stand still: on a busy machine they may go on for a while
// after kill(2) has returned.
bool is_stopped(pid_t process) {
  std::error_code ignored;
  const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto &task : std::filesystem::directory_iterator(tasks, ignored)) {
    std::ifstream file(task.path() / "stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(") ");
    if (name_end != std::string::npos && text[name_end + 2] != 'T') return false;
  }
  return true;
}

void serve_request(Board &board, pid_t server) {
  switch (board.server_request.load()) {
    case ServerRequest::stop:
      kill(server, SIGSTOP);
      if (!is_stopped(server)) break;  // the next time
      board.server_request.store(ServerRequest::stopped);
      break;
    case ServerRequest::kill:
      kill(server, SIGKILL);
      board.server_request.store(ServerRequest::killed);
      break;
    default:
      break;
  }
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status))
    return std::string("was killed by signal ") + std::to_string(WTERMSIG(status)) + " (" +
           strsignal(WTERMSIG(status)) + ")";
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

const char *name_of(Door door) noexcept {
  switch (door) {
    case Door::none:
      return "none";
    case Door::call:
      return "call";
    case Door::preload:
      return "preload";
    case Door::glibc:
      return "glibc";
    case Door::loader:
      return "loader";
  }
  return "";
}

std::string why_unavailable(Door door) {
  if (door == Door::none || door == Door::call) return "";
  if (access(launcher_path().c_str(), X_OK) != 0)
    return launcher_path().string() + ": " + strerror(errno);
  // Whether the launcher knows the door and this machine lets it work.
  const std::string command = launcher_path().string() + " --door=" + name_of(door) +
                              " -B -e /usr/bin/true </dev/null 2>&1";
  FILE *const pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return strerror(errno);
  std::string output;
  char buffer[256];
  while (fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
  const int status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return "a trial run " + describe_status(status) + (output.empty() ? "" : ": " + output);
}

Outcome run_scenario(const Scenario &scenario, const LaunchOptions &options,
                     std::uint64_t milliseconds,
                     const std::function<void(const Outcome &)> &progress) {
  const Scratch scratch;
  const SharedBoard board;
  Settings &settings = board->settings;
  scratch.path().copy(settings.directory, sizeof settings.directory - 1);
  std::string_view(scenario.name).copy(settings.scenario, sizeof settings.scenario - 1);
  settings.seed = options.seed;
  settings.milliseconds = milliseconds;
  settings.threads = options.threads;
  settings.rate = options.rate;
  settings.door = options.door;
  CallServer server;
  if (options.door == Door::call) {
    server = start_call_server();
    settings.object = fcntl(server.object.get(), F_DUPFD, 0);
    server.object.reset();
  }
  // A sandbox outlives its server; what is left of it comes to us.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const auto begin = Clock::now();
  const pid_t child = start(worker_command(options.door, board.descriptor(), scratch.path()));
  if (options.door == Door::call) close(settings.object);
  const pid_t server_process = options.door == Door::call ? server.process : child;

  Outcome outcome;
  outcome.scenario = scenario.name;
  std::uint64_t heartbeat = 0;
  auto last_change = begin;
  auto last_progress = begin;
  int status = 0;
  bool ended = false;
  std::string trouble;
  while (true) {
    ended = ended || waitpid(child, &status, WNOHANG) == child;
    // After the server was killed, the worker goes on without the launcher.
    if (ended && (board->finished.load() || board->server_request.load() != ServerRequest::killed ||
                  child != server_process))
      break;
    if (board->finished.load() && board->server_request.load() == ServerRequest::killed) break;
    serve_request(*board, server_process);
    const auto now = Clock::now();
    if (board->heartbeat.load() != heartbeat) {
      heartbeat = board->heartbeat.load();
      last_change = now;
    }
    if (now - last_change > patience) {
      trouble = "hangs: nothing was finished for " + std::to_string(patience.count()) +
                " s; the threads are at: " + last_operations(*board);
      break;
    }
    if (scenario.share != 0 && now - begin > std::chrono::milliseconds(milliseconds) * 10 + 300s) {
      trouble = "does not end; the threads are at: " + last_operations(*board);
      break;
    }
    if (now - last_progress > 1s) {
      last_progress = now;
      outcome.seconds = std::chrono::duration<double>(now - begin).count();
      read_board(*board, outcome);
      progress(outcome);
    }
    std::this_thread::sleep_for(poll_interval);
  }
  outcome.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const bool server_killed = board->server_request.load() == ServerRequest::killed;
  if (trouble.empty() && !board->finished.load()) {
    trouble = board->started.load() ? "died: " + describe_status(status) +
                                          "; the threads were at: " + last_operations(*board)
                                    : "did not start: " + describe_status(status);
  } else if (trouble.empty() && !server_killed && status != 0) {
    trouble = "finished, then " + describe_status(status);
  }
  kill_descendants();
  if (!trouble.empty()) board->fail("the worker " + trouble);
  if (trouble.empty()) {
    const std::string leftovers = scratch.leftovers();
    if (!leftovers.empty()) board->fail("names left in the scratch directory: " + leftovers);
    if (board->descriptors_after.load() != board->descriptors_before.load())
      board->fail("descriptors open before: " + std::to_string(board->descriptors_before.load()) +
                  ", after: " + std::to_string(board->descriptors_after.load()));
  }
  read_board(*board, outcome);
  return outcome;
}

}  // namespace plash::stress
