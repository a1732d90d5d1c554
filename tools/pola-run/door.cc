// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/door.h"

namespace plash::pola_run {

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
