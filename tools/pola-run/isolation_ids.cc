// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sys/capability.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

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

// Each range of IDs of the caller's namespace, mapped to itself.
std::string identity_map(const char *map_file) {
  std::ifstream map(map_file);
  std::ostringstream identity;
  unsigned long inside, outside, count;
  while (map >> inside >> outside >> count)
    identity << inside << ' ' << inside << ' ' << count << '\n';
  return identity.str();
}

std::string own_id_map(unsigned id) {
  return std::to_string(id) + ' ' + std::to_string(id) + " 1\n";
}

void write_file(pid_t child, const char *name, const std::string &text) {
  const std::string path = "/proc/" + std::to_string(child) + "/" + name;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) {
    throw Error(ExitStatus::failure,
                "no isolation: cannot map IDs into a new user namespace (" + path + ")", errno);
  }
}

}  // namespace

void map_ids(pid_t child) {
  if (may_map_all()) {
    write_file(child, "uid_map", identity_map("/proc/self/uid_map"));
    write_file(child, "gid_map", identity_map("/proc/self/gid_map"));
    return;
  }
  write_file(child, "setgroups", "deny");  // or an ordinary user may not write gid_map
  write_file(child, "uid_map", own_id_map(::geteuid()));
  write_file(child, "gid_map", own_id_map(::getegid()));
}

}  // namespace plash::pola_run
