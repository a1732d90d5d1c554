// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: latency [ROUNDS [JSON_FILE]]
//
// Latency of single calls, each measured in turn with the bare loop of the same five system calls
// and with the kernel's own call, in one run: first with client and servers on one core, then
// unpinned. Decides nothing.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "protocol/call.h"
#include "shim/engine/engine.h"
#include "tests/benchmark/bare_loop.h"
#include "tests/benchmark/statistics.h"
#include "tools/server/server.h"

using namespace plash;
using namespace plash::benchmark;

namespace {

constexpr int service_number = 1020;

struct Subject {
  std::string name;
  std::function<void()> call;
  Samples times;
};

void pin(pid_t process, bool one_core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (one_core) {
    CPU_SET(0, &cores);
  } else {
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) CPU_SET(i, &cores);
  }
  ::sched_setaffinity(process, sizeof cores, &cores);
  // Threads that a process has already have affinities of their own.
  const std::string tasks =
      "/proc/" + std::to_string(process == 0 ? ::getpid() : process) + "/task";
  for (const auto &task : std::filesystem::directory_iterator(tasks)) {
    ::sched_setaffinity(std::atoi(task.path().filename().c_str()), sizeof cores, &cores);
  }
}

// A server of the project in a process of its own, over one directory at its own path.
class ServerProcess {
 public:
  explicit ServerProcess(const std::string &directory) {
    int channel[2];
    if (::pipe2(channel, O_CLOEXEC) != 0) std::abort();
    auto name_space = std::make_shared<server::Namespace>();
    name_space->grant(directory, directory, {});
    auto server = std::make_unique<server::Server>();
    UniqueFd fs_op = server->make_fs_op(name_space);
    process_ = ::fork();
    if (process_ == 0) {
      fs_op.reset();
      ::close(channel[1]);
      server->start();
      char byte;
      while (::read(channel[0], &byte, 1) > 0) continue;
      ::_exit(0);
    }
    // Not destroyed here: that would stop the child's, whose descriptors it shares.
    [[maybe_unused]] const server::Server *shared = server.release();
    ::close(channel[0]);
    channel_.reset(channel[1]);
    ::dup2(fs_op.get(), service_number);
  }
  ~ServerProcess() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  ServerProcess(const ServerProcess &) = delete;
  ServerProcess &operator=(const ServerProcess &) = delete;
  pid_t process() const { return process_; }

 private:
  pid_t process_;
  UniqueFd channel_;
};

std::vector<Subject> make_subjects(const BareServer &bare, const std::string &top) {
  std::vector<Subject> subjects;
  subjects.push_back({"bare loop", [&bare] { bare_call(bare.socket()); }, {}});
  subjects.push_back({"null call",
                      [] {
                        methods::Ping::Reply reply;
                        if (invoke<methods::Ping>(service_number, {}, reply) != 0) std::abort();
                      },
                      {}});
  for (const int depth : {1, 6}) {
    std::string path = top;
    for (int i = 1; i < depth; ++i) path += "/directory";
    std::filesystem::create_directories(path);
    const std::string file = path + "/file";
    const std::string link = path + "/link";
    std::ofstream(file) << "text";
    if (::symlink("file", link.c_str()) != 0) std::abort();
    const std::string suffix = ", depth " + std::to_string(depth);
    subjects.push_back(
        {"kernel open+close" + suffix, [file] { ::close(::open(file.c_str(), O_RDONLY)); }, {}});
    subjects.push_back({"open+close" + suffix,
                        [file] {
                          const long fd = plash_syscall(
                              SYS_open, reinterpret_cast<long>(file.c_str()), O_RDONLY, 0, 0, 0, 0);
                          if (fd < 0) std::abort();
                          ::close(static_cast<int>(fd));
                        },
                        {}});
    subjects.push_back({"kernel stat" + suffix,
                        [file] {
                          struct stat status;
                          ::stat(file.c_str(), &status);
                        },
                        {}});
    subjects.push_back({"stat" + suffix,
                        [file] {
                          struct stat status;
                          if (plash_syscall(SYS_stat, reinterpret_cast<long>(file.c_str()),
                                            reinterpret_cast<long>(&status), 0, 0, 0, 0) != 0) {
                            std::abort();
                          }
                        },
                        {}});
    subjects.push_back({"kernel readlink" + suffix,
                        [link] {
                          char target[64];
                          if (::readlink(link.c_str(), target, sizeof target) < 0) std::abort();
                        },
                        {}});
    subjects.push_back({"readlink" + suffix,
                        [link] {
                          char target[64];
                          if (plash_syscall(SYS_readlink, reinterpret_cast<long>(link.c_str()),
                                            reinterpret_cast<long>(target), sizeof target, 0, 0,
                                            0) < 0) {
                            std::abort();
                          }
                        },
                        {}});
  }
  return subjects;
}

void measure(std::vector<Subject> &subjects, int rounds) {
  for (int round = -rounds / 10; round < rounds; ++round) {
    for (Subject &subject : subjects) {
      const auto begin = std::chrono::steady_clock::now();
      subject.call();
      const auto end = std::chrono::steady_clock::now();
      if (round >= 0) subject.times.add(end - begin);
    }
  }
}

double median_of(std::vector<Subject> &subjects, const std::string &name) {
  for (Subject &subject : subjects) {
    if (subject.name == name) return subject.times.median();
  }
  return 0;
}

nlohmann::json report(std::vector<Subject> &subjects, const char *where) {
  nlohmann::json results;
  const double bare = median_of(subjects, "bare loop");
  std::printf("\n%s: microseconds\n%-28s %10s %10s %12s\n", where, "", "median", "p99",
              "x bare loop");
  for (Subject &subject : subjects) {
    const double median = subject.times.median();
    const double p99 = subject.times.p99();
    std::printf("%-28s %10.2f %10.2f %12.2f\n", subject.name.c_str(), median, p99, median / bare);
    results[subject.name] = {
        {"median_us", median}, {"p99_us", p99}, {"ratio_to_bare_loop", median / bare}};
  }
  const double null_ratio = median_of(subjects, "null call") / bare;
  const double depth_ratio =
      median_of(subjects, "open+close, depth 6") / median_of(subjects, "open+close, depth 1");
  std::printf("null call / bare loop: %.2f\nopen at depth 6 / open at depth 1: %.2f\n", null_ratio,
              depth_ratio);
  results["null call / bare loop"] = null_ratio;
  results["open at depth 6 / open at depth 1"] = depth_ratio;
  return results;
}

}  // namespace

int main(int count, char **values) {
  const int rounds = count > 1 ? std::atoi(values[1]) : 5000;
  std::string top = (std::filesystem::temp_directory_path() / "plash-latency-XXXXXX").string();
  if (rounds < 10 || ::mkdtemp(top.data()) == nullptr) {
    std::fprintf(stderr, "usage: latency [ROUNDS [JSON_FILE]], with 10 rounds at least\n");
    return 2;
  }
  nlohmann::json results;
  {
    const BareServer bare;
    const ServerProcess server(top);
    char capabilities[] = "PLASH_CAPS=fs_op=1020";
    char *environment[] = {capabilities, nullptr};
    plash_setup(environment, false);
    std::vector<Subject> subjects = make_subjects(bare, top);
    for (const bool one_core : {true, false}) {
      for (const pid_t process : {pid_t{0}, bare.process(), server.process()})
        pin(process, one_core);
      for (Subject &subject : subjects) subject.times = {};
      measure(subjects, rounds);
      results[one_core ? "same core" : "unpinned"] =
          report(subjects, one_core ? "same core" : "unpinned");
    }
  }
  std::filesystem::remove_all(top);
  if (count > 2) std::ofstream(values[2]) << results.dump(2) << "\n";
  return 0;
}
