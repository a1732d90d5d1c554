// SPDX-License-Identifier: LGPL-2.1-or-later
//
// shim/engine/syscalls.def by number.
#pragma once

#include <errno.h>

#include "shim/engine/syscall_numbers.h"

namespace plash::loader {

enum class Treatment { passed, denied, emulated, local };

struct Row {
  Treatment treatment = Treatment::denied;  // numbers without a row are no system calls
  int error = ENOSYS;
};

constexpr int row_count = 512;  // above the last number

struct Rows {
  Row row[row_count] = {};
  constexpr Rows() {
#define EMULATED \
  Row { Treatment::emulated, 0 }
#define LOCAL \
  Row { Treatment::local, 0 }
#define PASSED \
  Row { Treatment::passed, 0 }
#define DENIED(error) \
  Row { Treatment::denied, error }
#define PLASH_SYSCALL(name, treatment) row[__NR_##name] = treatment;
#include "shim/engine/syscalls.def"
#undef EMULATED
#undef LOCAL
#undef PASSED
#undef DENIED
  }
};
constexpr Rows rows;

constexpr Row row_of(int number) { return rows.row[number]; }

}  // namespace plash::loader
