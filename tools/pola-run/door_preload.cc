// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The preload door leaves it to the kernel, and so to a root that holds more than nothing, to find
// the dynamic loader and the libraries that it loads: LD_PRELOAD takes effect after that.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>

#include "tools/pola-run/door.h"
#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

constexpr char library_in_sandbox[] = "/plash/libplash-preload.so";
// Where ld.so and Debian's multiarch libraries are; with a merged /usr, those in the root are
// links.
constexpr const char *library_directories[] = {
    "/lib", "/lib32", "/lib64", "/libx32", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32"};

// Tells ld.so where each library is. Without it, it tries some forty directories in every program.
constexpr char library_cache[] = "/etc/ld.so.cache";

std::string find_library() {
  return find_door_file("--door=preload: cannot read the preload library",
                        "shim/libplash-preload.so", "libplash-preload.so", R_OK);
}

class PreloadDoor : public Door {
 public:
  explicit PreloadDoor(bool isolated) : library_(find_library()), isolated_(isolated) {}

  std::vector<RootEntry> root_entries() const override {
    std::vector<RootEntry> entries = {{RootEntry::Kind::bind, library_in_sandbox, library_}};
    if (::access(library_cache, R_OK) == 0) {
      entries.push_back({RootEntry::Kind::bind, library_cache, library_cache});
    }
    for (const char *directory : library_directories) {
      struct stat status;
      if (::lstat(directory, &status) != 0) continue;
      if (S_ISLNK(status.st_mode)) {
        entries.push_back(
            {RootEntry::Kind::symlink, directory, std::filesystem::read_symlink(directory)});
      } else {
        entries.push_back({RootEntry::Kind::bind, directory, directory});
      }
    }
    return entries;
  }

  void prepare(Environment &environment) const override {
    const std::string library = isolated_ ? library_in_sandbox : library_;
    const std::string others = environment.get("LD_PRELOAD");
    environment.set("LD_PRELOAD", others.empty() ? library : library + ":" + others);
  }

 private:
  std::string library_;
  bool isolated_;
};

}  // namespace

std::unique_ptr<Door> make_preload_door(bool isolated) {
  return std::make_unique<PreloadDoor>(isolated);
}

}  // namespace plash::pola_run
