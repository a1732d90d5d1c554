// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/door.h"

#include <unistd.h>

#include <filesystem>

#include "tools/pola-run/error.h"

namespace plash::pola_run {

std::string find_door_file(const std::string &complaint, const std::string &built,
                           const std::string &installed, int access_mode) {
  const std::filesystem::path own_path = std::filesystem::read_symlink("/proc/self/exe");
  const std::string first = own_path.parent_path().parent_path() / built;
  if (::access(first.c_str(), access_mode) == 0) return first;
  const std::string second = PLASH_LIBRARY_DIRECTORY "/" + installed;
  if (::access(second.c_str(), access_mode) == 0) return second;
  throw Error(ExitStatus::failure, complaint + ", neither " + first + " nor " + second);
}

std::unique_ptr<Door> make_door(const Options &options, bool isolated) {
  switch (options.door) {
    case Options::Door::preload:
      return make_preload_door(isolated);
    case Options::Door::loader:
      return make_loader_door();
    case Options::Door::glibc:
      return make_glibc_door(options.glibc, isolated);
  }
  return nullptr;
}

}  // namespace plash::pola_run
