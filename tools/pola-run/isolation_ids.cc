// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/isolation_ids.h"

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {
namespace {

// Whether the caller may map IDs other than its own (user_namespaces(7)).
bool may_map_all() {
  const std::unique_ptr<void, decltype(&cap_free)> capabilities(cap_get_proc(), &cap_free);
  if (!capabilities) return false;
  for (const cap_value_t capability : {CAP_SETUID, CAP_SETGID, CAP_SETFCAP}) {
    cap_flag_value_t value = CAP_CLEAR;
    cap_get_flag(static_cast<cap_t>(capabilities.get()), capability, CAP_EFFECTIVE, &value);
    if (value != CAP_SET) return false;
  }
  return true;
}

using Ranges = std::vector<std::pair<unsigned long, unsigned long>>;  // first, count

// The IDs of the caller's namespace.
Ranges own_ranges(const char *map_file) {
  std::ifstream map(map_file);
  Ranges ranges;
  unsigned long inside, outside, count;
  while (map >> inside >> outside >> count) ranges.emplace_back(inside, count);
  return ranges;
}

bool contains(const Ranges &ranges, unsigned long id) {
  return std::any_of(ranges.begin(), ranges.end(), [id](const auto &range) {
    return id >= range.first && id - range.first < range.second;
  });
}

Ranges without(const Ranges &ranges, unsigned long id) {
  Ranges rest;
  for (const auto &[first, count] : ranges) {
    if (id < first || id - first >= count) {
      rest.emplace_back(first, count);
      continue;
    }
    if (id > first) rest.emplace_back(first, id - first);
    if (id - first + 1 < count) rest.emplace_back(id + 1, count - (id - first) - 1);
  }
  return rest;
}

// Each range mapped to itself.
std::string identity_map(const Ranges &ranges) {
  std::ostringstream identity;
  for (const auto &[first, count] : ranges)
    identity << first << ' ' << first << ' ' << count << '\n';
  return identity.str();
}

std::string single_map(unsigned long inside, unsigned long outside) {
  return std::to_string(inside) + ' ' + std::to_string(outside) + " 1\n";
}

void write_file(pid_t child, const char *name, const std::string &text) {
  const std::string path = "/proc/" + std::to_string(child) + "/" + name;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) {
    throw Error(ExitStatus::failure,
                "no isolation: cannot map IDs into a new user namespace (" + path + ")", errno);
  }
}

constexpr char helper[] = "/usr/bin/newuidmap";

// newuidmap(1) is privileged, and looks up in /etc/subuid what its caller may map. False where it
// would not.
bool run_helper(pid_t child, const IdPlan &plan) {
  std::vector<std::string> words = {helper, std::to_string(child), std::to_string(plan.own),
                                    std::to_string(*plan.outside), "1"};
  std::vector<char *> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char *const environment[] = {nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process;
  int status = -1;
  if (::posix_spawn(&process, helper, &actions, nullptr, arguments.data(), environment) == 0) {
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
  }
  posix_spawn_file_actions_destroy(&actions);
  return status == 0;
}

std::string user_name(uid_t uid) {
  const passwd *const user = ::getpwuid(uid);
  return user != nullptr ? user->pw_name : "";
}

std::string contents(const char *path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Whether a user who owns nothing of it can be started with what the door needs.
bool readable_for_all(const std::vector<RootEntry> &entries) {
  return std::all_of(entries.begin(), entries.end(), [](const RootEntry &entry) {
    struct stat status;
    constexpr mode_t needed = S_IROTH | S_IXOTH;
    return entry.kind != RootEntry::Kind::bind ||
           (::stat(entry.source.c_str(), &status) == 0 &&
            (S_ISREG(status.st_mode) ? (status.st_mode & S_IROTH) != 0
                                     : (status.st_mode & needed) == needed));
  });
}

}  // namespace

std::optional<SubordinateIds> find_subordinate_ids(const std::string &text, const std::string &name,
                                                   uid_t uid) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string user;
    unsigned long first = 0, count = 0;
    char colon = 0;
    if (!std::getline(fields, user, ':') || !(fields >> first >> colon >> count) || colon != ':') {
      continue;
    }
    const bool is_users = user == std::to_string(uid) || (!name.empty() && user == name);
    // 4294967295 is no ID.
    if (!is_users || count == 0 || first >= UINT32_MAX || count > UINT32_MAX - first) continue;
    return SubordinateIds{static_cast<uid_t>(first), count};
  }
  return std::nullopt;
}

IdPlan plan_ids(const std::vector<RootEntry> &entries) {
  IdPlan plan;
  plan.own = ::geteuid();
  const std::string text = contents("/etc/subuid");
  const auto ids =
      text.empty() ? std::nullopt : find_subordinate_ids(text, user_name(plan.own), plan.own);
  if (!ids) {
    plan.reason = "/etc/subuid sets none aside";
    return plan;
  }
  if (!readable_for_all(entries)) {
    plan.reason = "what the door needs can be read by its owner alone";
    return plan;
  }
  // Not the same for all sandboxes of the user: the kernel counts some things by user.
  const uid_t outside =
      ids->first + static_cast<uid_t>(static_cast<unsigned long>(::getpid()) % ids->count);
  plan.by_helper = !may_map_all();
  if (plan.by_helper && ::access(helper, X_OK) != 0) {
    plan.reason = std::string(helper) + " is not there";
  } else if (!plan.by_helper && (!contains(own_ranges("/proc/self/uid_map"), outside))) {
    plan.reason = "those of /etc/subuid do not exist in this user namespace";
  } else if (outside == plan.own) {
    plan.reason = "/etc/subuid names the user's own";
  } else {
    plan.outside = outside;
  }
  return plan;
}

void map_ids(pid_t child, const IdPlan &plan) {
  if (may_map_all()) {
    Ranges ranges = own_ranges("/proc/self/uid_map");
    std::string map;
    if (plan.outside) {
      ranges = without(without(ranges, plan.own), *plan.outside);
      map = single_map(plan.own, *plan.outside);
    }
    write_file(child, "uid_map", map + identity_map(ranges));
    write_file(child, "gid_map", identity_map(own_ranges("/proc/self/gid_map")));
    return;
  }
  write_file(child, "setgroups", "deny");  // or an ordinary user may not write gid_map
  // Where the helper is not set-user-ID (a mount with nosuid, no_new_privs), nothing was written.
  if (!plan.outside || !run_helper(child, plan)) {
    write_file(child, "uid_map", single_map(plan.own, plan.own));
  }
  write_file(child, "gid_map", single_map(::getegid(), ::getegid()));
}

void take_id(const IdPlan &plan) {
  if (::geteuid() == plan.own) return;
  if (::setresuid(plan.own, plan.own, plan.own) != 0) {
    throw Error(ExitStatus::failure, "no isolation: cannot take the user ID of the sandbox", errno);
  }
}

}  // namespace plash::pola_run
