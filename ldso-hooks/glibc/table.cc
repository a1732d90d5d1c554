// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Run when the door is built: writes plash-emulated.h, the numbers of the emulated calls for
// glibc's C and assembler sources.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "shim/engine/syscall_numbers.h"

namespace {

#define PLASH_NUMBER_EMULATED(name) __NR_##name,
#define PLASH_NUMBER_LOCAL(name)
#define PLASH_NUMBER_PASSED(name)
#define PLASH_NUMBER_DENIED(error) PLASH_NUMBER_NOTHING
#define PLASH_NUMBER_NOTHING(name)
#define PLASH_SYSCALL(name, treatment) PLASH_NUMBER_##treatment(name)
constexpr unsigned emulated[] = {
#include "shim/engine/syscalls.def"
};

std::vector<std::uint64_t> bitmap() {
  std::vector<std::uint64_t> words;
  for (const unsigned number : emulated) {
    if (number / 64 >= words.size()) words.resize(number / 64 + 1);
    words[number / 64] |= std::uint64_t{1} << number % 64;
  }
  return words;
}

}  // namespace

int main() {
  const auto words = bitmap();
  std::puts(
      "/* Made from shim/engine/syscalls.def.  */\n\n"
      "/* Whether the engine emulates system call NUMBER, a constant, for C and the assembler.  "
      "*/\n"
      "#define PLASH_EMULATED(number) \\");
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::printf("  %s(((number) >> 6) == %zu && ((0x%llx >> ((number) & 63)) & 1) != 0)%s\n",
                i == 0 ? "(" : " || ", i, static_cast<unsigned long long>(words[i]),
                i + 1 == words.size() ? ")\n" : " \\");
  }
  std::printf(
      "/* The same as a bitmap, and how many bits it has.  */\n#define PLASH_EMULATED_BITS ");
  for (std::size_t i = 0; i < words.size(); ++i)
    std::printf("%s0x%llx", i == 0 ? "" : ", ", static_cast<unsigned long long>(words[i]));
  std::printf("\n#define PLASH_EMULATED_LIMIT %zu\n", words.size() * 64);
}
