// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "tools/pola-run/error.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {
namespace {

UniqueFd open_null() {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) throw Error(ExitStatus::failure, "cannot open /dev/null", errno);
  return null;
}

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

void refuse_directory(int descriptor) {
  struct stat status;
  if (::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) {
    throw Error(ExitStatus::usage, "descriptor " + std::to_string(descriptor) +
                                       " is a directory, from which any file could be opened");
  }
}

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned first = STDERR_FILENO + 1;
  for (const int descriptor : kept) {
    const unsigned number = static_cast<unsigned>(descriptor);
    if (number > first) ::close_range(first, number - 1, 0);
    first = std::max(first, number + 1);
  }
  ::close_range(first, ~0u, 0);
}

}  // namespace

std::vector<int> claim_descriptors(const std::vector<int> &requested, bool isolated) {
  std::vector<int> claimed;
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (is_open(descriptor)) claimed.push_back(descriptor);
  }
  for (const int descriptor : requested) {
    if (!is_open(descriptor)) {
      throw Error(ExitStatus::usage, "--fd " + std::to_string(descriptor), EBADF);
    }
    if (std::find(claimed.begin(), claimed.end(), descriptor) == claimed.end()) {
      claimed.push_back(descriptor);
    }
  }
  if (isolated) std::for_each(claimed.begin(), claimed.end(), refuse_directory);
  close_all_but(claimed);
  for (UniqueFd filler = open_null(); filler.get() <= STDERR_FILENO; filler = open_null()) {
    filler.release();
  }
  return claimed;
}

void release_descriptors(const std::vector<int> &descriptors) {
  const UniqueFd null = open_null();
  for (const int descriptor : descriptors) {
    if (descriptor == STDERR_FILENO) continue;
    if (descriptor < STDERR_FILENO) {
      ::dup2(null.get(), descriptor);
    } else {
      ::close(descriptor);
    }
  }
}

}  // namespace plash::pola_run
