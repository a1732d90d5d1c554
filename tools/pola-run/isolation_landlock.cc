// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/isolation_landlock.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>

#include "tools/pola-run/error.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {
namespace {

// As linux/landlock.h has them, in which Debian 12 knows half of this (uapi of Linux 6.12).
struct RulesetAttributes {
  std::uint64_t handled_files = 0;
  std::uint64_t handled_network = 0;
  std::uint64_t scoped = 0;
};

struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed;
  std::int32_t parent;
};

constexpr unsigned version_flag = 1;
constexpr int rule_path_beneath = 1;
constexpr std::uint64_t execute = 1 << 0;
constexpr std::uint64_t write_file = 1 << 1;
constexpr std::uint64_t read_file = 1 << 2;
constexpr std::uint64_t read_directory = 1 << 3;
constexpr std::uint64_t tcp = 0x3;
constexpr std::uint64_t scope_abstract_sockets = 1 << 0;
constexpr std::uint64_t scope_signals = 1 << 1;

// Every right that an ABI has. The first has those up to MAKE_SYM; then came REFER (2), TRUNCATE
// (3) and IOCTL_DEV (5).
constexpr std::uint64_t file_rights_of(int abi) {
  const int count = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;
  return (std::uint64_t{1} << count) - 1;
}

[[noreturn]] void fail(const std::string &message) {
  throw Error(ExitStatus::failure, "no isolation: Landlock: " + message, errno);
}

UniqueFd make_ruleset(const RulesetAttributes &attributes) {
  UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!ruleset) fail("cannot make a ruleset");
  return ruleset;
}

void allow(const UniqueFd &ruleset, int descriptor, std::uint64_t allowed) {
  const PathBeneath rule = {allowed, descriptor};
  if (::syscall(SYS_landlock_add_rule, ruleset.get(), rule_path_beneath, &rule, 0) == 0) return;
  // What lies in no file system that paths lead to (a memfd, a pipe) no rule is needed for.
  if (errno != EBADFD) fail("cannot make a rule");
}

void allow_reading(const UniqueFd &ruleset, int descriptor) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0) fail("cannot examine a file");
  allow(ruleset, descriptor,
        execute | read_file | (S_ISDIR(status.st_mode) ? read_directory : std::uint64_t{0}));
}

void restrict_self(const UniqueFd &ruleset) {
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    fail("cannot restrict the process");
  }
}

}  // namespace

int landlock_abi() noexcept {
  return static_cast<int>(
      std::max(::syscall(SYS_landlock_create_ruleset, nullptr, 0, version_flag), 0l));
}

void enter_landlock(const LandlockRules &rules) {
  const int abi = landlock_abi();
  RulesetAttributes attributes;
  attributes.handled_files = file_rights_of(abi);
  if (rules.deny_tcp && abi >= 4) attributes.handled_network = tcp;
  if (abi >= landlock_abi_with_scopes) attributes.scoped = scope_abstract_sockets | scope_signals;
  const UniqueFd ruleset = make_ruleset(attributes);
  for (const int descriptor : rules.readable) allow_reading(ruleset, descriptor);
  if (rules.message_queues >= 0) allow(ruleset, rules.message_queues, read_file | write_file);
  restrict_self(ruleset);
}

void confine_signals() {
  RulesetAttributes attributes;
  attributes.scoped = scope_signals;
  restrict_self(make_ruleset(attributes));
}

}  // namespace plash::pola_run
