// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/conformance/show.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include <csignal>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

void show_arguments(int count, char **arguments) {
  for (int i = 0; i < count; ++i) record("argument " + std::to_string(i), arguments[i]);
}

// Those that cases set; a door may have variables of its own.
void show_environment() {
  std::vector<std::string> variables;
  for (char **variable = environ; *variable; ++variable) {
    if (std::string_view(*variable).starts_with("TEST_")) variables.emplace_back(*variable);
  }
  std::sort(variables.begin(), variables.end());
  record("environment", variables);
}

void show_whole_environment() {
  std::vector<std::string> variables;
  for (char **variable = environ; *variable; ++variable) variables.emplace_back(*variable);
  record("whole environment", variables);
}

void show_descriptors() {
  std::vector<int> descriptors;
  for (int fd = 0; fd < 512; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) descriptors.push_back(fd);
  }
  record("descriptors", descriptors);
}

void show_name(char **arguments) {
  char name[16] = "";
  ::prctl(PR_GET_NAME, name);
  record("command", name);
  record("argument 0", arguments[0]);
  const auto *executed = reinterpret_cast<const char *>(::getauxval(AT_EXECFN));
  record("AT_EXECFN", executed);
  record("AT_SECURE", ::getauxval(AT_SECURE));
}

void show_signals() {
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  std::vector<int> numbers;
  for (int number = 1; number < 32; ++number) {
    if (::sigismember(&blocked, number) == 1) numbers.push_back(number);
  }
  record("blocked signals", numbers);
  std::vector<int> ignored;
  for (int number = 1; number < 32; ++number) {
    struct sigaction action;
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
      ignored.push_back(number);
  }
  record("ignored signals", ignored);
}

}  // namespace

bool show_process(int count, char **arguments) {
  std::string what;
  if (count > 0) {
    what = arguments[0];
    what = what.substr(what.rfind('/') + 1);
  }
  if (!what.starts_with("show-") && count > 1) what = arguments[1];
  if (what == "show-arguments" || count == 0) {
    show_arguments(count, arguments);
  } else if (what == "show-environment") {
    show_environment();
  } else if (what == "show-whole-environment") {
    show_whole_environment();
  } else if (what == "show-descriptors") {
    show_descriptors();
  } else if (what == "show-directory") {
    record("current directory", current_directory());
    record("umask", Octal{::umask(0)});
  } else if (what == "show-name") {
    show_name(arguments);
  } else if (what == "show-signals") {
    show_signals();
  } else if (what == "show-input") {
    record("standard input", read_all(STDIN_FILENO));
  } else {
    return false;
  }
  return true;
}

}  // namespace plash::conformance
