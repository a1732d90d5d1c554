// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace plash::stress {

DescriptorSet open_descriptors() noexcept {
  DescriptorSet result;
  for (int i = 0; i < max_descriptor; ++i) {
    if (fcntl(i, F_GETFD) >= 0) result.set(static_cast<std::size_t>(i));
  }
  return result;
}

int lowest_free_descriptor() noexcept {
  int descriptor = 0;
  while (fcntl(descriptor, F_GETFD) >= 0) ++descriptor;
  return descriptor;
}

std::string describe(const DescriptorSet &descriptors) {
  std::string text;
  for (int i = 0; i < max_descriptor; ++i) {
    if (!descriptors.test(static_cast<std::size_t>(i))) continue;
    struct stat status {};
    const char *kind = "?";
    if (fstat(i, &status) == 0) {
      kind = S_ISSOCK(status.st_mode)   ? "socket"
             : S_ISFIFO(status.st_mode) ? "pipe"
             : S_ISDIR(status.st_mode)  ? "directory"
             : S_ISREG(status.st_mode)  ? "file"
                                        : "other";
    }
    text += (text.empty() ? "" : ", ") + std::to_string(i) + " (" + kind + ")";
  }
  return text;
}

int close_others(const DescriptorSet &before) noexcept {
  const DescriptorSet extra = open_descriptors() & ~before;
  for (int i = 0; i < max_descriptor; ++i) {
    if (extra.test(static_cast<std::size_t>(i))) close(i);
  }
  return static_cast<int>(extra.count());
}

}  // namespace plash::stress
