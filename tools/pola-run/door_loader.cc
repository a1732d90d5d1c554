// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The loader door needs one file: the loader, where programs name the dynamic loaders that it
// stands for, and as a descriptor by which static programs are started. Nothing else is in the
// root, and nothing in the environment.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "tools/pola-run/door.h"
#include "tools/pola-run/error.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {
namespace {

constexpr const char *interpreters[] = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"};

std::string find_loader() {
  return find_door_file("--door=loader: cannot execute the loader", "ldso-hooks/ld-plash.so",
                        "plash-seqpacket/ld-plash.so", X_OK);
}

class LoaderDoor : public Door {
 public:
  LoaderDoor() : path_(find_loader()), file_(::open(path_.c_str(), O_PATH | O_CLOEXEC)) {
    if (!file_) throw Error(ExitStatus::failure, "--door=loader: cannot open " + path_, errno);
  }

  std::vector<RootEntry> root_entries() const override {
    std::vector<RootEntry> entries;
    for (const char *interpreter : interpreters)
      entries.push_back({RootEntry::Kind::bind, interpreter, path_});
    return entries;
  }

  void prepare(Environment &) const override {}

  int loader() const override { return file_.get(); }

 private:
  std::string path_;
  UniqueFd file_;
};

}  // namespace

std::unique_ptr<Door> make_loader_door() { return std::make_unique<LoaderDoor>(); }

}  // namespace plash::pola_run
