// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pola-run: runs a program with only the files that it was granted.
#include <fcntl.h>
#include <malloc.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "tools/pola-run/call_log.h"
#include "tools/pola-run/confine_server.h"
#include "tools/pola-run/descriptors.h"
#include "tools/pola-run/door.h"
#include "tools/pola-run/error.h"
#include "tools/pola-run/executable_files.h"
#include "tools/pola-run/explanation.h"
#include "tools/pola-run/grants.h"
#include "tools/pola-run/options.h"
#include "tools/pola-run/sandbox.h"
#include "tools/pola-run/supervisor.h"
#include "tools/pola-run/temporary_directories.h"
#include "tools/pola-run/terminal.h"
#include "tools/server/death_watch.h"
#include "tools/server/server.h"

namespace plash::pola_run {
namespace {

std::string current_directory() {
  std::error_code error;
  const auto path = std::filesystem::current_path(error);
  return error ? std::string() : path.string();
}

std::vector<PlannedGrant> plan(const Options &options, const Door &door,
                               TemporaryDirectories &temporary) {
  std::vector<PlannedGrant> grants = plan_grants(options);
  std::vector<std::string> names = options.temporary_directories;
  const auto is_shared_memory = [](const PlannedGrant &grant) { return grant.path == "/dev/shm"; };
  if (options.default_endowment && std::none_of(grants.begin(), grants.end(), is_shared_memory))
    names.emplace_back("/dev/shm");
  for (const std::string &name : names) {
    grants.push_back(
        {normal_name(name), temporary.make(), {.write = true, .symlink = true, .connect = true}});
  }
  for (const Replacement &replacement : door.replacements(options.default_endowment)) {
    for (PlannedGrant &grant : plan_replacement(replacement.path, replacement.host_path))
      grants.push_back(std::move(grant));
  }
  return grants;
}

UniqueFd make_working_directory(server::Server &server,
                                const std::shared_ptr<server::Namespace> &name_space,
                                const Options &options) {
  if (!options.working_directory) return UniqueFd();
  try {
    return server.make_directory(name_space, *options.working_directory);
  } catch (const std::system_error &error) {
    if (!options.working_directory_named) return UniqueFd();  // relative paths will not exist
    throw Error(ExitStatus::usage,
                "--cwd: the sandbox cannot see '" + *options.working_directory + "'",
                error.code().value());
  }
}

Program make_program(const Options &options, const Door &door, const UniqueFd &fs_op,
                     const UniqueFd &cwd, const std::vector<int> &descriptors) {
  Program program{.name = options.program,
                  .arguments = {options.program},
                  .environment = Environment(environ),
                  .fs_op = fs_op.get(),
                  .cwd = cwd.get(),
                  .loader = door.loader(),
                  .program_check = door.program_check(),
                  .descriptors = descriptors};
  program.arguments.insert(program.arguments.end(), options.arguments.begin(),
                           options.arguments.end());
  program.environment.unset("PLASH_CAPS");
  for (const auto &[name, value] : options.environment) program.environment.set(name, value);
  door.prepare(program.environment);
  return program;
}

std::optional<IsolationSettings> isolation_of(const Options &options, const Door &door,
                                              const std::vector<PlannedGrant> &grants) {
  switch (options.isolation) {
    case Options::Isolation::user_namespace: {
      IsolationSettings settings;
      settings.keep_network = options.network;
      settings.root = door.root_entries();
      settings.ids = plan_ids(settings.root);
      settings.executable = open_executable_files(grants);
      return settings;
    }
    case Options::Isolation::landlock: {
      // The loader maps programs itself: nothing else is executed.
      IsolationSettings settings;
      settings.kind = IsolationSettings::Kind::landlock;
      settings.executable.emplace_back(::fcntl(door.loader(), F_DUPFD_CLOEXEC, 0));
      return settings;
    }
    case Options::Isolation::none:
      std::fputs(
          "pola-run: --isolate=none is no sandbox: the kernel opens any file for a program that "
          "asks it directly\n",
          stderr);
      break;
  }
  return std::nullopt;
}

// One sandbox: what it may use is what there is.
server::Limits limits_of(const Options &options) {
  server::Limits limits;
  limits.sandbox = options.quota;
  limits.total = options.quota;
  limits.total.max_threads = std::max(limits.total.max_threads, server::Limits().total.max_threads);
  return limits;
}

int print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) throw Error(ExitStatus::failure, "cannot write", errno);
  return 0;
}

// For --explain: makes the sandbox as it would be for the program, prints what it is, and takes it
// down.
int show(const Options &options, Program &program, const std::vector<PlannedGrant> &grants,
         const std::optional<IsolationSettings> &isolation) {
  program.starts = false;
  Sandbox sandbox = fork_sandbox(program, isolation, -1, false);
  const std::string text = explain(options, grants, isolation, sandbox, program.descriptors);
  sandbox.control.reset();
  ::waitpid(sandbox.first_process, nullptr, 0);
  return print(text);
}

bool logs_to_terminal(const Options &options) {
  return options.log && options.log_file.empty() && ::isatty(STDERR_FILENO) == 1;
}

// The server would open its own.
void replace_terminal(std::vector<PlannedGrant> &grants, const std::string &path) {
  for (PlannedGrant &grant : grants) {
    if (grant.host_path == "/dev/tty") grant.host_path = path;
  }
}

// Returns the program's wait status.
int run(const Options &options) {
  const bool isolated = options.isolation != Options::Isolation::none;
  const bool own_root = options.isolation == Options::Isolation::user_namespace;
  const std::vector<int> descriptors = claim_descriptors(options.descriptors, isolated);

  Terminal terminal;
  const bool own_session = isolated && !options.shares_terminal;
  std::optional<PseudoTerminal> own_terminal;
  if (own_session && terminal.get() >= 0 && !options.explain) {
    own_terminal.emplace(terminal.get(), !terminal.is_standard() || logs_to_terminal(options));
  }

  const auto door = make_door(options, own_root);
  TemporaryDirectories temporary;
  std::vector<PlannedGrant> grants = plan(options, *door, temporary);
  if (own_terminal) replace_terminal(grants, own_terminal->path());
  const auto name_space = std::make_shared<server::Namespace>();
  apply_grants(grants, *name_space);

  const auto log = open_log(options);
  server::Server server({.limits = limits_of(options), .log = log});
  UniqueFd fs_op = server.make_fs_op(name_space);
  UniqueFd cwd = make_working_directory(server, name_space, options);

  Program program = make_program(options, *door, fs_op, cwd, descriptors);
  if (log && own_root) log(describe_root(door->root_entries()));
  if (options.explain) return show(options, program, grants, isolation_of(options, *door, grants));
  take_over_signals(program);
  const bool foreground = terminal.is_for_program();
  int sandboxes_terminal = own_session ? -1 : terminal.get();
  if (own_terminal) {
    sandboxes_terminal = own_terminal->sandboxes_end();
    program.terminal_descriptors = find_terminal(descriptors, terminal.get());
  }
  program.own_session = own_session;
  Sandbox sandbox =
      fork_sandbox(program, isolation_of(options, *door, grants), sandboxes_terminal, foreground);
  if (options.default_endowment) grant_own_mounts(std::move(sandbox.mounts), *name_space);
  if (own_terminal) own_terminal->close_sandboxes_end();
  release_descriptors(descriptors);
  fs_op.reset();
  cwd.reset();

  raise_descriptor_limit();
  confine_server(options.keep_file_capabilities);
  ::malloc_trim(0);  // before there are two processes with it
  const server::DeathWatch death_watch;
  server.start();
  return supervise(sandbox, options.program, terminal, own_terminal ? &*own_terminal : nullptr,
                   foreground);
}

int main_with(int count, char **values) {
  if (::getauxval(AT_SECURE) != 0) {
    throw Error(ExitStatus::failure,
                "not made to be run set-user-ID, set-group-ID or with file capabilities");
  }
  const std::vector<std::string> arguments(values + (count > 0 ? 1 : 0), values + count);
  const Options options = parse_options(arguments, current_directory());
  switch (options.action) {
    case Options::Action::help:
      return print(usage_text());
    case Options::Action::version:
      return print("pola-run (Plash over SOCK_SEQPACKET) " PLASH_VERSION "\n");
    case Options::Action::run:
      break;
  }
  end_like(run(options));
}

}  // namespace
}  // namespace plash::pola_run

int main(int count, char **values) {
  using plash::pola_run::ExitStatus;
  try {
    return plash::pola_run::main_with(count, values);
  } catch (const plash::pola_run::Error &error) {
    std::fprintf(stderr, "pola-run: %s\n", error.what());
    return static_cast<int>(error.status());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "pola-run: %s\n", error.what());
    return static_cast<int>(ExitStatus::failure);
  }
}
