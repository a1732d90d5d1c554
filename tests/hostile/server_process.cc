// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/hostile/server_process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "tools/server/server.h"

namespace plash::hostile {
namespace {

std::shared_ptr<server::Namespace> make_namespace() {
  return std::make_shared<server::Namespace>();
}

long number_behind(const std::string &status, const std::string &label) {
  const std::size_t at = status.find(label);
  return at == std::string::npos ? -1 : std::atol(status.c_str() + at + label.size());
}

}  // namespace

void give_up_capabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  ::syscall(SYS_capset, &header, none);
}

void close_all_but(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned first = 3;
  for (const int descriptor : keep) {
    const auto number = static_cast<unsigned>(descriptor);
    if (number > first) ::close_range(first, number - 1, 0);
    first = std::max(first, number + 1);
  }
  ::close_range(first, ~0u, 0);
}

ServerProcess::ServerProcess(const World &world, const Case &of) {
  Pair control;
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) run(world, of, control.send_end.get());
  control.send_end.reset();
  control_ = std::move(control.receive_end);
  Reply made = receive(control_.get(), 30'000 * static_cast<int>(patience()));
  if (made.descriptors.size() != 3) throw std::runtime_error("the server did not start");
  attacker = std::move(made.descriptors[0]);
  whole = std::move(made.descriptors[1]);
  bystander = std::move(made.descriptors[2]);
}

void ServerProcess::run(const World &world, const Case &of, int control) {
  close_all_but({control});
  int status = 1;
  try {
    const rlimit limit{of.server_descriptors, of.server_descriptors};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    server::Options options;
    options.limits = of.limits;
    const UniqueFd log(
        of.log ? ::open(world.path("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
               : -1);
    if (log)
      options.log = [&log](const std::string &line) { ::dprintf(log.get(), "%s\n", line.c_str()); };
    server::Server server(options);
    const auto attacker = make_namespace();
    attacker->grant("/w", world.path("w"), {true, false, true, true});
    attacker->grant("/r", world.path("r"), {});
    const auto whole = make_namespace();
    whole->grant("/", "/", {});
    const auto bystander = make_namespace();
    bystander->grant("/b", world.path("b"), {true, false, true, true});
    {
      const UniqueFd ends[] = {server.make_fs_op(attacker), server.make_fs_op(whole),
                               server.make_fs_op(bystander)};
      give_up_capabilities();
      server.start();
      if (send(control, "x", {ends[0].get(), ends[1].get(), ends[2].get()}) != 0) std::_Exit(2);
    }
    char byte;
    while (::read(control, &byte, 1) < 0 && errno == EINTR) {
    }
    status = 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "server: %s\n", error.what());
  }
  std::exit(status);
}

bool is_instrumented() {
#if defined(__SANITIZE_ADDRESS__)
  return true;
#else
  const char *const preloaded = std::getenv("LD_PRELOAD");
  return preloaded != nullptr && std::strstr(preloaded, "vgpreload") != nullptr;
#endif
}

unsigned patience() { return is_instrumented() ? 5 : 1; }

Measure measure_of(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid);
  Measure measure;
  std::error_code error;
  for ([[maybe_unused]] const auto &entry :
       std::filesystem::directory_iterator(directory + "/fd", error))
    ++measure.descriptors;
  std::ostringstream status;
  status << std::ifstream(directory + "/status").rdbuf();
  measure.resident = number_behind(status.str(), "VmRSS:");
  measure.peak = number_behind(status.str(), "VmHWM:");
  measure.threads = number_behind(status.str(), "Threads:");
  return measure;
}

bool ServerProcess::stop() {
  if (pid_ < 0) return false;
  control_.reset();
  int status = 0;
  for (int i = 0; i < 1'500; ++i) {
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) {
      pid_ = -1;
      return status == 0;
    }
    ::usleep(10'000);
  }
  return false;
}

ServerProcess::~ServerProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace plash::hostile
