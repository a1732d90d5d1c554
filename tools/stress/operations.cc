// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The list of operations.
#include <array>

#include "tools/stress/call_operations.h"
#include "tools/stress/libc_operations.h"

namespace plash::stress {
namespace {

constexpr std::size_t max_operations = 64;

struct List {
  std::array<Operation, max_operations> operations;
  std::size_t size = 0;

  List() noexcept {
    for (const auto &part : {libc_file_operations(), libc_name_operations(),
                             libc_process_operations(), libc_locking_operations()}) {
      for (const Operation &operation : part) operations[size++] = operation;
    }
  }
};

// Made before main(): a handler must not be the first to ask for it.
const List libc_list;

}  // namespace

std::span<const Operation> operations(Door door) noexcept {
  if (door == Door::call) return call_operations();
  return {libc_list.operations.data(), libc_list.size};
}

}  // namespace plash::stress
