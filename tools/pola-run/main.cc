// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pola-run: runs a program with only the files that it was granted.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <system_error>

#include "tools/pola-run/door.h"
#include "tools/pola-run/error.h"
#include "tools/pola-run/grants.h"
#include "tools/pola-run/options.h"
#include "tools/pola-run/sandbox.h"
#include "tools/pola-run/supervisor.h"
#include "tools/server/server.h"

namespace plash::pola_run {
namespace {

// Removed, with all that was put into them, when the program has ended.
class TemporaryDirectories {
 public:
  TemporaryDirectories() = default;
  ~TemporaryDirectories() {
    std::error_code ignored;
    for (const std::string &path : paths_) std::filesystem::remove_all(path, ignored);
  }
  TemporaryDirectories(const TemporaryDirectories &) = delete;
  TemporaryDirectories &operator=(const TemporaryDirectories &) = delete;

  std::string make() {
    std::string path = (std::filesystem::temp_directory_path() / "pola-run-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw Error(ExitStatus::failure, "cannot make a temporary directory", errno);
    paths_.push_back(path);
    return path;
  }

 private:
  std::vector<std::string> paths_;
};

std::string current_directory() {
  std::error_code error;
  const auto path = std::filesystem::current_path(error);
  return error ? std::string() : path.string();
}

std::shared_ptr<server::Namespace> make_namespace(const Options &options, TemporaryDirectories &temporary) {
  auto name_space = std::make_shared<server::Namespace>();
  apply_grants(plan_grants(options), *name_space);
  for (const std::string &name : options.temporary_directories) {
    try {
      name_space->grant(normal_name(name), temporary.make(), {.write = true, .symlink = true, .connect = true});
    } catch (const std::system_error &error) {
      throw Error(ExitStatus::usage, "cannot make '" + name + "' a temporary directory", error.code().value());
    }
  }
  return name_space;
}

// Writes whole lines, whichever thread they come from.
std::function<void(const std::string &)> make_log(const Options &options) {
  if (!options.log) return {};
  int descriptor = STDERR_FILENO;
  if (!options.log_file.empty()) {
    descriptor = ::open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor < 0) throw Error(ExitStatus::usage, "cannot write to the log '" + options.log_file + "'", errno);
  }
  return [descriptor](const std::string &line) {
    const std::string text = "pola-run: " + line + "\n";
    [[maybe_unused]] const ssize_t written = ::write(descriptor, text.data(), text.size());
  };
}

UniqueFd make_working_directory(server::Server &server, const std::shared_ptr<server::Namespace> &name_space, const Options &options) {
  if (!options.working_directory) return UniqueFd();
  try {
    return server.make_directory(name_space, normal_name(*options.working_directory));
  } catch (const std::system_error &error) {
    if (options.working_directory_named) {
      throw Error(ExitStatus::usage, "--cwd: '" + *options.working_directory + "' is not visible in the sandbox", error.code().value());
    }
    return UniqueFd();  // relative paths will not exist
  }
}

Program make_program(const Options &options, const Door &door) {
  Program program{options.program, {options.program}, Environment(environ), -1, -1, -1, {}, {}, false};
  program.arguments.insert(program.arguments.end(), options.arguments.begin(), options.arguments.end());
  for (const auto &[name, value] : options.environment) program.environment.set(name, value);
  door.prepare(program.environment);
  program.descriptors = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  program.descriptors.insert(program.descriptors.end(), options.descriptors.begin(), options.descriptors.end());
  std::erase_if(program.descriptors, [](int descriptor) { return ::fcntl(descriptor, F_GETFD) < 0; });
  return program;
}

int run(const Options &options) {
  TemporaryDirectories temporary;
  const bool isolated = options.isolation == Options::Isolation::user_namespace;
  const std::unique_ptr<Door> door = make_door(options.door, isolated);
  const auto name_space = make_namespace(options, temporary);
  if (!isolated) {
    std::fputs("pola-run: --isolate=none: no sandbox; the program can leave the door and name any file to the kernel\n", stderr);
  }

  Program program = make_program(options, *door);
  raise_descriptor_limit();
  server::Server server({.limits = {}, .log = make_log(options)});
  UniqueFd fs_op = server.make_fs_op(name_space);
  UniqueFd cwd = make_working_directory(server, name_space, options);
  program.fs_op = fs_op.get();
  program.cwd = cwd.get();
  program.loader = door->loader();

  const sigset_t signals = supervised_signals();
  ::sigprocmask(SIG_BLOCK, &signals, &program.signal_mask);
  struct sigaction child_action = {};
  ::sigaction(SIGCHLD, nullptr, &child_action);
  program.child_signal_ignored = child_action.sa_handler == SIG_IGN;
  ::signal(SIGCHLD, SIG_DFL);
  const UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  const bool foreground = terminal && ::tcgetpgrp(terminal.get()) == ::getpgrp();

  std::optional<IsolationSettings> isolation;
  if (isolated) isolation = IsolationSettings{options.network, door->root_entries()};
  const Sandbox sandbox = fork_sandbox(program, isolation, terminal.get(), foreground);
  fs_op.reset();
  cwd.reset();
  server.start();
  return supervise(sandbox, options.program, terminal.get(), foreground);
}

int main_with(int count, char **values) {
  const std::vector<std::string> arguments(values + (count > 0 ? 1 : 0), values + count);
  const Options options = parse_options(arguments, current_directory());
  switch (options.action) {
    case Options::Action::help:
      std::fwrite(usage_text().data(), 1, usage_text().size(), stdout);
      return std::fflush(stdout) == 0 ? 0 : 1;
    case Options::Action::version:
      std::printf("pola-run %s\n", PLASH_VERSION);
      return std::fflush(stdout) == 0 ? 0 : 1;
    case Options::Action::run:
      break;
  }
  end_like(run(options));
}

}  // namespace
}  // namespace plash::pola_run

int main(int count, char **values) {
  try {
    return plash::pola_run::main_with(count, values);
  } catch (const plash::pola_run::Error &error) {
    std::fprintf(stderr, "pola-run: %s\n", error.what());
    return static_cast<int>(error.status());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "pola-run: %s\n", error.what());
    return static_cast<int>(plash::pola_run::ExitStatus::failure);
  }
}
