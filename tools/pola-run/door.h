// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A door: how the path calls of a program come to the file server. To add one: a file door_*.cc, a
// name in Options::Door, and a case in make_door().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "protocol/marshal.h"
#include "tools/pola-run/environment.h"
#include "tools/pola-run/isolation.h"
#include "tools/pola-run/options.h"

namespace plash::pola_run {

// A file that stands in the place of another, at path and wherever that leads.
struct Replacement {
  std::string path;  // in the sandbox, absolute
  std::string host_path;
};

// Whether a door can start a program; as Hooks::check_program of shim/engine/state.h.
using ProgramCheck = long (*)(int file, const Bytes &interpreter, const Bytes &path);

class Door {
 public:
  virtual ~Door() = default;

  // What must be visible to the kernel in the sandbox for programs to start.
  virtual std::vector<RootEntry> root_entries() const = 0;

  // Puts into the program's environment what the door needs there.
  virtual void prepare(Environment &environment) const = 0;

  // The file that starts the program in the kernel's place, a borrowed descriptor; -1 where the
  // kernel itself does.
  virtual int loader() const { return -1; }

  // What the server is to show besides what is granted. default_endowment: with -B.
  virtual std::vector<Replacement> replacements(bool /*default_endowment*/) const { return {}; }

  // Null: any that the kernel can start.
  virtual ProgramCheck program_check() const { return nullptr; }
};

// isolated: whether the program will see root_entries() or the host's root.
// Throws Error (failure) where a part of the door is not installed.
std::unique_ptr<Door> make_door(const Options &options, bool isolated);

// A door's file: built, below pola-run's own build directory, or installed, below libdir, whichever
// can be accessed (access(2)) first. Throws Error (failure) that begins with complaint and names
// both.
std::string find_door_file(const std::string &complaint, const std::string &built,
                           const std::string &installed, int access_mode);

// The preload door: libplash-preload.so in a dynamic program of this system. (door_preload.cc)
std::unique_ptr<Door> make_preload_door(bool isolated);

// The loader door: ld-plash.so for any program. (door_loader.cc)
std::unique_ptr<Door> make_loader_door();

// The glibc door: dynamic programs on the glibc in the given directory, or in that which
// PLASH_GLIBC names where none is given. (door_glibc.cc)
std::unique_ptr<Door> make_glibc_door(const std::string &given, bool isolated);

}  // namespace plash::pola_run
