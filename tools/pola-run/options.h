// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The command line of pola-run.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/server/namespace.h"
#include "tools/server/quota.h"

namespace plash::pola_run {

// One -f or -t.
struct GrantOption {
  std::string source;  // host path, absolute, "." and ".." still in it
  std::optional<std::string>
      name;  // -t: where in the sandbox, absolute; -f: at the source's own path
  server::Rights rights;
  bool follow_links = false;
};

struct Options {
  enum class Action { run, help, version };
  enum class Door { preload, loader, glibc };
  enum class Isolation { user_namespace, landlock, none };

  Action action = Action::run;
  std::string program;  // as given: a path in the sandbox or a name to look up in PATH
  std::vector<std::string> arguments;  // without argv[0]
  std::vector<GrantOption> grants;
  bool default_endowment = false;
  std::vector<std::string> temporary_directories;  // names in the sandbox, absolute

  // Of the program, absolute; nothing with --no-cwd.
  std::optional<std::string> working_directory;
  bool working_directory_named = false;  // by --cwd, so that not to see it is an error

  std::vector<std::pair<std::string, std::string>> environment;  // later ones win
  std::vector<int> descriptors;                                  // of --fd
  bool network = false;
  Door door = Door::loader;
  std::string glibc;  // of --glibc, absolute
  Isolation isolation = Isolation::user_namespace;

  bool keep_file_capabilities = true;  // of the server, where pola-run has them
  server::Quota quota = server::Limits().sandbox;

  bool shares_terminal = false;  // the caller's terminal itself, and its session
  bool explain = false;          // and do not run

  bool log = false;
  std::string log_file;  // absolute; empty: standard error
};

// Parses arguments (without the command's own name). initial_directory: absolute, what relative
// paths start from until --cwd; empty where it has no name (it was removed). Throws Error (usage),
// with a message that names the argument.
Options parse_options(const std::vector<std::string> &arguments,
                      const std::string &initial_directory);

// The text of --help.
std::string_view usage_text();

}  // namespace plash::pola_run
