// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The glibc door: the kernel finds a rebuilt dynamic loader where programs name the system's; it
// loads program and libraries through the server, which shows it a rebuilt libc.so.6 in the place
// of the system's. Nothing else is in the root, and nothing in the environment.
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "ldso-hooks/glibc/program_check.h"
#include "tools/pola-run/door.h"
#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

constexpr const char *interpreter = "/lib64/ld-linux-x86-64.so.2";
constexpr const char *library_cache = "/etc/ld.so.cache";

// The files below a directory, and the system's that they stand for.
struct Part {
  std::array<const char *, 2> names;  // as installed; in a directory that glibc was built in
  std::array<const char *, 2> system_names;
};
constexpr Part dynamic_loader = {{"lib/ld-linux-x86-64.so.2", "elf/ld.so"},
                                 {interpreter, "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"}};
constexpr Part c_library = {{"lib/libc.so.6", "libc.so"},
                            {"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6"}};

std::string find(const Part &part, const std::string &directory) {
  std::string path;
  for (const char *name : part.names) {
    path = directory + "/" + name;
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  throw Error(ExitStatus::failure, "--glibc: " + directory + " holds neither " + part.names[0] +
                                       " nor " + part.names[1] +
                                       ": tools/build-plash-glibc makes one that does");
}

class GlibcDoor : public Door {
 public:
  explicit GlibcDoor(const std::string &directory)
      : dynamic_loader_(find(dynamic_loader, directory)), c_library_(find(c_library, directory)) {}

  std::vector<RootEntry> root_entries() const override {
    return {{RootEntry::Kind::bind, interpreter, dynamic_loader_}};
  }

  void prepare(Environment &) const override {}

  std::vector<Replacement> replacements(bool default_endowment) const override {
    std::vector<Replacement> replacements;
    for (const char *name : dynamic_loader.system_names)
      replacements.push_back({name, dynamic_loader_});
    for (const char *name : c_library.system_names) replacements.push_back({name, c_library_});
    // With -B all that it tells can be seen; without it each library is looked for in dozens of
    // directories.
    if (default_endowment && ::access(library_cache, R_OK) == 0)
      replacements.push_back({library_cache, library_cache});
    return replacements;
  }

  ProgramCheck program_check() const override { return glibc::check_program; }

 private:
  std::string dynamic_loader_;
  std::string c_library_;
};

}  // namespace

std::unique_ptr<Door> make_glibc_door(const std::string &given, bool isolated) {
  const char *const usual = std::getenv("PLASH_GLIBC");
  const std::string directory = given.empty() && usual != nullptr ? usual : given;
  if (directory.empty()) {
    throw Error(ExitStatus::usage,
                "--door=glibc needs --glibc=DIR, or PLASH_GLIBC in the environment: where "
                "tools/build-plash-glibc has put one");
  }
  if (!isolated) {
    throw Error(
        ExitStatus::usage,
        "--door=glibc goes with --isolate=userns alone: otherwise the kernel takes the system's "
        "own dynamic loader");
  }
  return std::make_unique<GlibcDoor>(directory);
}

}  // namespace plash::pola_run
