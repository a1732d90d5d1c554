// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: hostile [--scale N] [--strict] [NUMBER | FIRST-LAST]...
//
// Runs the cases, all or those named, each against a server of its own, and prints a table: the
// outcome, the bystander's worst latency and 99th percentile (quiet, then under attack), the
// server's descriptors and memory before and after. Fails if a case does, if a call of the
// bystander's does, or if the server keeps descriptors, grows, or does not end in order.
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "tests/hostile/bystander.h"
#include "tests/hostile/case.h"
#include "tests/hostile/server_process.h"

namespace plash::hostile {

std::vector<Case> &all_cases() {
  static std::vector<Case> cases;
  return cases;
}

std::string contents(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t size;
  while ((size = ::read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

std::string contents(const std::string &host_path) {
  std::ifstream file(host_path);
  if (!file) return "(none)";
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

namespace {

constexpr long may_grow = 24 * 1024;  // KiB: stacks and buffers of threads that came meanwhile
constexpr std::uint32_t longest_wait = 3'000'000;  // microseconds, on a machine with other work
constexpr unsigned case_seconds = 60;

// What the attacker's process, in memory shared with it, says was wrong.
struct Failures {
  std::atomic<unsigned> count{0};
  char first[1000] = {};
  char note[200] = {};
};
Failures *failures = nullptr;

void note_failure(const std::string &what) {
  if (failures->count++ != 0) return;
  std::snprintf(failures->first, sizeof failures->first, "%s", what.c_str());
}

void note(const std::string &what) {
  std::snprintf(failures->note, sizeof failures->note, "%s", what.c_str());
}

void write_file(const std::string &path, const std::string &text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

// The world's files, anew.
class Scratch {
 public:
  explicit Scratch(World &world) : world_(world) {
    std::string name = "/tmp/plash-hostile-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
      throw std::system_error(errno, std::generic_category(), "mkdtemp");
    ::chmod(name.c_str(), 0755);
    world_.directory = name;
    write_file(name + "/r/file", "text");
    write_file(name + "/r/sub/deep/file", "deep");
    write_file(name + "/w/sub/file", "text");
    write_file(name + "/b/sub/file", "bystander");
    write_file(name + "/outside/secret", "secret");
    std::filesystem::create_symlink("sub/file", name + "/b/link");
    ::mkfifo((name + "/w/fifo").c_str(), 0666);
  }
  ~Scratch() {
    ::umount2((world_.directory + "/w/fuse").c_str(), MNT_FORCE | MNT_DETACH);
    std::error_code error;
    std::filesystem::remove_all(world_.directory, error);
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

 private:
  World &world_;
};

[[noreturn]] void run_attacker(const World &world, const Case &of, const ServerProcess &server) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  const int fs_op = server.attacker.get();
  const int whole = server.whole.get();
  close_all_but({fs_op, whole});
  const rlimit limit{of.server_descriptors / 2, of.server_descriptors / 2};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (!of.keeps_capabilities) give_up_capabilities();
  try {
    of.attack(Attack{world, fs_op, whole, server.pid(), note_failure, note});
  } catch (const std::exception &error) {
    note_failure(error.what());
  }
  std::_Exit(0);
}

// False where it did not end in time.
bool wait_for(pid_t pid, unsigned seconds) {
  int status = 0;
  for (unsigned i = 0; i < seconds * 100; ++i) {
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      if (status != 0)
        note_failure("the attacker's process ended with status " + std::to_string(status));
      return true;
    }
    ::usleep(10'000);
  }
  return false;
}

struct Row {
  Latency quiet;
  Latency attacked;
  Measure before;
  Measure after;
  std::string failure;
};

Row run(World &world, const Case &of) {
  const Scratch scratch(world);
  failures->count = 0;
  failures->first[0] = failures->note[0] = '\0';
  Row row;
  ServerProcess server(world, of);
  Bystander bystander(server, of.bystander_is_other_user);
  ::usleep(of.worst_p99 != 0 ? 1'000'000 : 150'000);
  row.before = server.measure();
  bystander.set_phase(1);
  const pid_t attacker = ::fork();
  if (attacker == 0) run_attacker(world, of, server);
  server.attacker.reset();
  server.whole.reset();
  if (!wait_for(attacker, case_seconds * world.scale * patience())) note_failure("took too long");
  ::kill(-attacker, SIGKILL);  // and what it has started
  ::waitpid(attacker, nullptr, WNOHANG);
  row.attacked = bystander.latency(1);
  const std::size_t calls = bystander.calls();
  // Back to what it was, but for the attacker's two objects, which are gone.
  for (int i = 0; i < 1'500; ++i) {
    row.after = server.measure();
    if (row.after.descriptors <= row.before.descriptors && bystander.calls() > calls + 20) break;
    ::usleep(10'000);
  }
  row.quiet = bystander.latency(0);
  if (bystander.calls() <= calls) note_failure("the bystander makes no more calls");
  if (const std::string wrong = bystander.wrong(); !wrong.empty())
    note_failure("bystander: " + wrong);
  if (row.attacked.worst > longest_wait * patience()) note_failure("the bystander waited too long");
  if (row.after.descriptors > row.before.descriptors) note_failure("the server keeps descriptors");
  if (!is_instrumented() && row.after.resident > row.before.resident + may_grow)
    note_failure("the server keeps memory");
  if (world.strict && of.worst_p99 != 0 &&
      row.attacked.p99 > of.worst_p99 * std::max(row.quiet.p99, 200u))
    note_failure("the bystander's 99th percentile rose too far");
  if (!server.stop()) note_failure("the server did not end in order");
  if (failures->count != 0) row.failure = failures->first;
  return row;
}

void print_head() {
  std::printf("%4s %-58s %-7s %25s %17s %11s %17s\n", "case", "attack", "outcome",
              "bystander: worst (calls)", "p99 us: quiet/att", "descriptors", "MiB before/after");
  std::fflush(stdout);
}

void print(const Case &of, const Row &row) {
  std::printf("%4d %-58.58s %-7s %12.1f ms (%7zu) %8u/%8u %5ld/%5ld %8.1f/%8.1f\n", of.number,
              of.name, row.failure.empty() ? "held" : "FAILED", row.attacked.worst / 1000.0,
              row.attacked.calls, row.quiet.p99, row.attacked.p99, row.before.descriptors,
              row.after.descriptors, static_cast<double>(row.before.resident) / 1024,
              static_cast<double>(row.after.resident) / 1024);
  if (!row.failure.empty()) std::printf("     %s\n", row.failure.c_str());
  if (failures->note[0] != '\0') std::printf("     %s\n", failures->note);
  std::fflush(stdout);
}

struct Range {
  int first;
  int last;
};

unsigned number_of(std::string_view text) {
  unsigned number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) {
    std::fprintf(stderr, "hostile: not a number: '%.*s'\n", static_cast<int>(text.size()),
                 text.data());
    std::exit(2);
  }
  return number;
}

int main_with(int count, char **values) {
  World world;
  std::vector<Range> ranges;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = values[i];
    if (argument == "--scale" && i + 1 < count) {
      world.scale = number_of(values[++i]);
      continue;
    }
    if (argument == "--strict") {
      world.strict = true;
      continue;
    }
    const std::size_t dash = argument.find('-');
    const auto first = static_cast<int>(number_of(argument.substr(0, dash)));
    ranges.push_back({first, dash == std::string_view::npos
                                 ? first
                                 : static_cast<int>(number_of(argument.substr(dash + 1)))});
  }
  void *const memory =
      ::mmap(nullptr, sizeof(Failures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  failures = new (memory) Failures;
  auto &cases = all_cases();
  std::sort(cases.begin(), cases.end(),
            [](const Case &a, const Case &b) { return a.number < b.number; });
  int failed = 0;
  int done = 0;
  print_head();
  for (const Case &of : cases) {
    const bool wanted =
        ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](Range range) {
          return of.number >= range.first && of.number <= range.last;
        });
    if (!wanted) continue;
    const Row row = run(world, of);
    print(of, row);
    ++done;
    if (!row.failure.empty()) ++failed;
  }
  std::printf("%d cases, %d failed\n", done, failed);
  return failed == 0 && done != 0 ? 0 : 1;
}

}  // namespace
}  // namespace plash::hostile

int main(int count, char **values) {
  try {
    return plash::hostile::main_with(count, values);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "hostile: %s\n", error.what());
    return 2;
  }
}
