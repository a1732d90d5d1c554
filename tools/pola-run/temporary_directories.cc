// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/temporary_directories.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "tools/pola-run/error.h"

namespace plash::pola_run {

TemporaryDirectories::~TemporaryDirectories() {
  for (const std::string &path : paths_) {
    std::error_code ignored;  // there is nobody left to tell
    std::filesystem::remove_all(path, ignored);
  }
}

std::string TemporaryDirectories::make() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) throw Error(ExitStatus::failure, "no place for temporary files", error.value());
  std::string path = parent / "pola-run-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    throw Error(ExitStatus::failure, "cannot make " + path, errno);
  }
  paths_.push_back(path);
  // The sandbox sees the mode that such directories have. Other users of the machine do not come
  // here: the directory around it is closed to them.
  path += "/all";
  if (::mkdir(path.c_str(), 0) != 0 || ::chmod(path.c_str(), 01777) != 0)
    throw Error(ExitStatus::failure, "cannot make " + path, errno);
  return path;
}

}  // namespace plash::pola_run
