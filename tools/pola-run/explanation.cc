// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/explanation.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "tools/pola-run/isolation_landlock.h"
#include "tools/pola-run/isolation_seccomp_table.h"

namespace plash::pola_run {
namespace {

constexpr std::size_t label_width = 22;

// Newlines and the like in names must not look like lines of this text.
std::string printable(const std::string &text) {
  static const char digits[] = "0123456789abcdef";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && c != '\\') {
      result += c;
    } else {
      result += {'\\', 'x', digits[byte / 16], digits[byte % 16]};
    }
  }
  return result;
}

class Text {
 public:
  void heading(const std::string &name) { text_ += (text_.empty() ? "" : "\n") + name + "\n"; }

  void line(const std::string &label, const std::string &value) {
    const std::size_t padding = std::max(label_width, label.size() + 1) - label.size();
    text_ += "  " + label + std::string(padding, ' ') + value + "\n";
  }

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// What /proc/PID/status says of a process: it can be read whatever the process is.
using Status = std::map<std::string, std::string>;

Status status_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  Status status;
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t start = line.find_first_not_of(" \t", colon + 1);
    status[line.substr(0, colon)] = start == std::string::npos ? "" : line.substr(start);
  }
  return status;
}

std::string first_word(const std::string &text) {
  return text.substr(0, text.find_first_of(" \t"));
}

std::string name_of(Options::Door door) {
  switch (door) {
    case Options::Door::preload:
      return "preload";
    case Options::Door::loader:
      return "loader";
    case Options::Door::glibc:
      return "glibc";
  }
  return "";
}

void explain_program(Text &text, const Options &options, const std::vector<int> &descriptors) {
  text.heading("Program (not run)");
  std::string command = printable(options.program);
  for (const std::string &argument : options.arguments) command += ' ' + printable(argument);
  text.line("command", command);
  text.line("door", name_of(options.door));
  text.line("working directory", options.working_directory
                                     ? printable(*options.working_directory) + ", if it is granted"
                                     : "none");
  std::string variables = "the caller's";
  for (const auto &[name, value] : options.environment) {
    variables += ", " + printable(name) + '=' + printable(value);
  }
  text.line("environment", variables);
  std::string numbers;
  for (const int descriptor : descriptors) numbers += std::to_string(descriptor) + ' ';
  text.line("open descriptors", numbers + "and the file server's");
}

std::string describe_user(const IdPlan &plan, Status &status) {
  const std::string outside = first_word(status["Uid"]);
  std::string text = "shows as " + std::to_string(plan.own) + ", is " + outside + " outside: ";
  if (outside != std::to_string(plan.own)) return text + "owns none of the caller's files";
  text += "the owner of the caller's files";
  if (plan.outside) return text + " (newuidmap could not give another)";
  return text + " (no other: " + plan.reason + ")";
}

std::string describe_capabilities(Status &status) {
  const auto is_zero = [&status](const char *name) {
    return status[name].find_first_not_of('0') == std::string::npos;
  };
  std::string text;
  for (const char *name : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    if (!is_zero(name)) text += std::string(name) + ' ' + status[name] + ", ";
  }
  text = text.empty() ? "none, " : text;
  text += is_zero("CapBnd") ? "bounding set empty, " : "bounding set " + status["CapBnd"] + ", ";
  return text + (status["NoNewPrivs"] == "1" ? "no_new_privs" : "privileges can be gained");
}

std::string describe_landlock(bool only_loader) {
  const int abi = landlock_abi();
  if (abi == 0) return "none: the kernel is without, or it is switched off";
  std::string text = "ABI " + std::to_string(abi) + ": by path nothing but ";
  text += only_loader ? "the loader can be read or executed"
                      : "the root's files, and of what was granted reading and executing";
  if (abi >= landlock_abi_with_scopes) {
    text += "; no signals and abstract sockets to what is outside";
  }
  return text;
}

std::string describe_filter(Status &status, bool without_namespaces) {
  std::size_t count = std::size(refused_calls);
  if (without_namespaces) count += std::size(refused_without_namespaces);
  return status["Seccomp"] != "2" ? "no filter"
                                  : "a filter refuses " + std::to_string(count) +
                                        " of them, others by argument, and 32-bit ones";
}

std::string describe_limit(pid_t process) {
  rlimit limit = {};
  if (::prlimit(process, RLIMIT_NOFILE, nullptr, &limit) != 0) return "as pola-run's, halved";
  return std::to_string(limit.rlim_max) + " at most";
}

void explain_namespaces(Text &text, const IsolationSettings &settings, Status &status) {
  text.line("namespaces", settings.keep_network ? "user, PID, mount, IPC, UTS"
                                                : "user, PID, mount, IPC, UTS, network");
  text.line("network", settings.keep_network ? "the host's (--net)" : "a loopback interface alone");
  text.line("user ID", describe_user(settings.ids, status));
  std::string shown;
  for (const RootEntry &entry : settings.root) shown += ' ' + printable(entry.path);
  text.line("root", "read-only, holds nothing but" + shown);
}

std::string describe_terminal(const Options &options) {
  if (options.shares_terminal) return "the caller's, in the caller's session (--share-terminal)";
  return "a session of its own, with a terminal of its own where the caller has one";
}

void explain_walls(Text &text, const Options &options,
                   const std::optional<IsolationSettings> &isolation, pid_t process) {
  Status status = status_of(process);
  if (!isolation) {
    text.heading("Walls");
    text.line("none", "--isolate=none is no sandbox");
    return;
  }
  text.heading("Walls (put up to be looked at)");
  const bool by_landlock = isolation->kind == IsolationSettings::Kind::landlock;
  if (by_landlock) {
    text.line("namespaces", "none: the host's process IDs and host name can be seen");
    text.line("network", "none");
    text.line("user ID", "the caller's, " + first_word(status["Uid"]));
    text.line("root", "the host's, behind Landlock and the filter");
  } else {
    explain_namespaces(text, *isolation, status);
  }
  text.line("capabilities", describe_capabilities(status));
  text.line("Landlock", describe_landlock(by_landlock));
  text.line("system calls", describe_filter(status, by_landlock));
  text.line("open files", describe_limit(process));
  text.line("terminal", describe_terminal(options));
}

std::string describe_rights(const PlannedGrant &grant) {
  struct stat status;
  const bool exists = ::lstat(grant.host_path.c_str(), &status) == 0;
  if (exists && S_ISLNK(status.st_mode)) return "a symlink, as it is";
  std::string text = grant.rights.write ? "read, write" : "read-only";
  if (grant.rights.create) text += ", replace";
  if (grant.rights.symlink) text += ", make symlinks";
  if (grant.rights.connect) text += ", connect to sockets";
  if (!exists) text += "; is not there yet";
  return text + (exists && S_ISDIR(status.st_mode) ? "; with all below" : "");
}

void explain_grants(Text &text, const std::vector<PlannedGrant> &grants, const Options &options,
                    const SandboxMounts &mounts) {
  text.heading("Granted (" + std::to_string(grants.size()) + ')');
  for (const PlannedGrant &grant : grants) {
    const bool temporary =
        (grant.path == "/dev/shm" && grant.path != grant.host_path) ||
        std::any_of(options.temporary_directories.begin(), options.temporary_directories.end(),
                    [&](const std::string &name) { return normal_name(name) == grant.path; });
    std::string value = describe_rights(grant);
    if (temporary) {
      value = "a fresh directory; " + value;
    } else if (grant.host_path != grant.path) {
      value += "; is " + printable(grant.host_path);
    }
    text.line(printable(grant.path), value);
  }
  if (!options.default_endowment) return;
  if (mounts.processes) text.line("/proc", "of the sandbox's own processes, in part; read-only");
  if (mounts.terminals) text.line("/dev/pts", "terminals of the sandbox's own");
}

}  // namespace

std::string explain(const Options &options, const std::vector<PlannedGrant> &grants,
                    const std::optional<IsolationSettings> &isolation, const Sandbox &sandbox,
                    const std::vector<int> &descriptors) {
  Text text;
  explain_program(text, options, descriptors);
  explain_walls(text, options, isolation, sandbox.first_process);
  explain_grants(text, grants, options, sandbox.mounts);
  return text.take();
}

}  // namespace plash::pola_run
