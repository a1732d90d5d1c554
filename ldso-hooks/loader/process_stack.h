// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the kernel puts on the stack of a new image: argc, argv, envp and the auxiliary vector
// (System V psABI, 3.4.1).
#pragma once

#include <elf.h>

namespace plash::loader {

class ProcessStack {
 public:
  // start: where the stack pointer stood at the image's first instruction.
  explicit ProcessStack(unsigned long *start) noexcept : start_(start) {
    argv_ = reinterpret_cast<char **>(start + 1);
    envp_ = argv_ + start[0] + 1;
    char **end = envp_;
    while (*end != nullptr) ++end;
    auxv_ = reinterpret_cast<Elf64_auxv_t *>(end + 1);
  }

  unsigned long *start() const noexcept { return start_; }
  long argument_count() const noexcept { return static_cast<long>(*start_); }
  char **arguments() const noexcept { return argv_; }
  char **environment() const noexcept { return envp_; }

  // The auxiliary vector with its final AT_NULL, and its size in bytes.
  Elf64_auxv_t *auxiliary_vector() const noexcept { return auxv_; }
  unsigned long auxiliary_size() const noexcept {
    unsigned long count = 0;
    while (auxv_[count].a_type != AT_NULL) ++count;
    return (count + 1) * sizeof(Elf64_auxv_t);
  }

  // The value of an entry of the auxiliary vector; otherwise where it has none.
  unsigned long auxiliary(unsigned long type, unsigned long otherwise = 0) const noexcept {
    for (const Elf64_auxv_t *entry = auxv_; entry->a_type != AT_NULL; ++entry) {
      if (entry->a_type == type) return entry->a_un.a_val;
    }
    return otherwise;
  }

  // Changes an entry of the auxiliary vector; one that is not there is not added.
  void set_auxiliary(unsigned long type, unsigned long value) noexcept {
    for (Elf64_auxv_t *entry = auxv_; entry->a_type != AT_NULL; ++entry) {
      if (entry->a_type == type) entry->a_un.a_val = value;
    }
  }

  // Takes the variable called name (with its "=") out of the environment. Returns its value, which
  // stays where it is, or null.
  char *take_variable(const char *name) noexcept {
    for (char **entry = envp_; *entry != nullptr; ++entry) {
      const char *left = *entry;
      const char *right = name;
      while (*right != '\0' && *left == *right) ++left, ++right;
      if (*right != '\0') continue;
      char *value = *entry + (left - *entry);
      for (; *entry != nullptr; ++entry) entry[0] = entry[1];
      return value;
    }
    return nullptr;
  }

 private:
  unsigned long *start_;
  char **argv_;
  char **envp_;
  Elf64_auxv_t *auxv_;
};

}  // namespace plash::loader
