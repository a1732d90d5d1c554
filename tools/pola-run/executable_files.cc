// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/executable_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <utility>

namespace plash::pola_run {
namespace {

bool has_type(const UniqueFd &file, mode_t type) {
  struct stat status;
  return ::fstat(file.get(), &status) == 0 && (status.st_mode & S_IFMT) == type;
}

UniqueFd open_path(const std::string &path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace

std::vector<UniqueFd> open_executable_files(const std::vector<PlannedGrant> &grants) {
  std::vector<UniqueFd> files;
  for (const PlannedGrant &grant : grants) {
    UniqueFd file = open_path(grant.host_path);
    if (file && has_type(file, S_IFLNK)) continue;
    if (grant.rights.create && !(file && has_type(file, S_IFDIR))) {
      const std::size_t slash = grant.host_path.rfind('/');
      file = open_path(grant.host_path.substr(0, slash == 0 ? 1 : slash));
    }
    if (file) files.push_back(std::move(file));
  }
  return files;
}

}  // namespace plash::pola_run
