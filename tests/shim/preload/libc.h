// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The test program runs under LD_PRELOAD: a plain call is the shim's, libc's own is behind it.
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ostream>
#include <stdexcept>
#include <string>

namespace plash::test {

template <class F>
F *libc(const char *name) {
  static void *handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  auto *function = reinterpret_cast<F *>(dlsym(handle, name));
  if (function == nullptr) throw std::runtime_error(std::string("libc has no ") + name);
  return function;
}

// What a call came to: its result, and errno, which stays as it was where the call succeeded.
struct Outcome {
  long result;
  int error;
  bool operator==(const Outcome &) const = default;
};

constexpr int untouched = 9999;

template <class Call>
Outcome outcome(Call call) {
  errno = untouched;
  const auto result = static_cast<long>(call());
  return {result, errno};
}

inline std::ostream &operator<<(std::ostream &out, const Outcome &outcome) {
  return out << outcome.result << " (errno " << outcome.error << ")";
}

// A directory of its own for each test, removed at the end.
class Directory {
 public:
  Directory() {
    if (mkdtemp(path_) == nullptr) throw std::runtime_error("mkdtemp");
  }
  ~Directory() {
    const std::string command = std::string("rm -rf ") + path_;
    if (::system(command.c_str()) != 0) fprintf(stderr, "%s is left\n", path_);
  }
  Directory(const Directory &) = delete;
  Directory &operator=(const Directory &) = delete;
  std::string operator/(const std::string &name) const { return std::string(path_) + "/" + name; }
  const char *c_str() const { return path_; }

 private:
  char path_[32] = "/tmp/plash-preload-XXXXXX";
};

inline std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t size;
  while ((size = read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(size));
  return text;
}

}  // namespace plash::test
