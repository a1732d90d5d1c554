// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/door.h"

namespace plash::pola_run {

std::unique_ptr<Door> make_door(Options::Door door, bool isolated) {
  switch (door) {
    case Options::Door::preload:
      return make_preload_door(isolated);
    case Options::Door::loader:
      return make_loader_door();
  }
  return nullptr;
}

}  // namespace plash::pola_run
