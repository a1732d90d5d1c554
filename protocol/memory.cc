// SPDX-License-Identifier: LGPL-2.1-or-later
#include "protocol/memory.h"

// rep movsb and rep stosb: no loop for the compiler to turn back into a call of the function that
// is being defined, no vector register, and as fast as any on processors with ERMS for the sizes
// that paths have.

extern "C" {

void *memcpy(void *destination, const void *source, std::size_t size) noexcept {
  void *to = destination;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(size) : : "memory");
  return destination;
}

void *memmove(void *destination, const void *source, std::size_t size) noexcept {
  auto *to = static_cast<char *>(destination);
  const auto *from = static_cast<const char *>(source);
  if (to <= from || to >= from + size) return memcpy(destination, source, size);
  while (size-- != 0) to[size] = from[size];
  return destination;
}

void *memset(void *destination, int byte, std::size_t size) noexcept {
  void *to = destination;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
  return destination;
}

int memcmp(const void *left, const void *right, std::size_t size) noexcept {
  const auto *a = static_cast<const unsigned char *>(left);
  const auto *b = static_cast<const unsigned char *>(right);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

std::size_t strlen(const char *string) noexcept {
  std::size_t size = 0;
  while (string[size] != '\0') ++size;
  return size;
}

}  // extern "C"
