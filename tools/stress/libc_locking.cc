// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Operations that take libc's locks or allocate: what a program does while signals arrive, but not
// in a handler.
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/stress/libc_operations.h"

namespace plash::stress {
namespace {

void allocate(Context &c) noexcept {
  char *blocks[32];
  for (char *&block : blocks) {
    const std::size_t size = 1 + c.random.below(4096);
    block = static_cast<char *>(malloc(size));
    if (block != nullptr) memset(block, static_cast<int>(size & 0x7f), size);
    if (block != nullptr)
      c.holds("malloc", block[size - 1] == static_cast<char>(size & 0x7f), "other bytes");
  }
  for (char *block : blocks) free(block);
}

void print(Context &c) noexcept {
  char text[64];
  const int size = snprintf(text, sizeof text, "%s %d %.3f", "text", 42, 1.5);
  c.holds("snprintf", size == 13 && strcmp(text, "text 42 1.500") == 0, "other text");
}

void use_stream(Context &c) noexcept {
  const Name name(c, 'z');
  FILE *stream = fopen(name, "w+e");
  if (!c.done("fopen", stream != nullptr ? 0 : -1)) return;
  c.holds("fprintf", fprintf(stream, "%d\n", 12345) == 6, "wrong length");
  rewind(stream);
  int number = 0;
  c.holds("fscanf", fscanf(stream, "%d", &number) == 1 && number == 12345, "wrong number");
  c.done("fclose", fclose(stream));
  c.done("unlink", unlink(name));
}

void read_directory(Context &c) noexcept {
  DIR *directory = opendir(Fixture(c, "b"));
  if (!c.done("opendir", directory != nullptr ? 0 : -1)) return;
  int count = 0;
  while (readdir(directory) != nullptr) ++count;
  c.holds("readdir", count == 4, "wrong number of entries");
  c.done("closedir", closedir(directory));
}

void resolve_name(Context &c) noexcept {
  char path[PATH_MAX];
  const char *const result = realpath(Fixture(c, "a/link"), path);
  if (c.done("realpath", result != nullptr ? 0 : -1))
    c.holds("realpath", strcmp(path, Fixture(c, "a/file")) == 0, "another path");
}

void load_library(Context &c) noexcept {
  void *library = dlopen("libresolv.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!c.holds("dlopen", library != nullptr, "failed")) return;
  c.holds("dlsym", dlsym(library, "ns_get16") != nullptr, "no such symbol");
  c.holds("dlclose", dlclose(library) == 0, "failed");
}

void fork_with_locks(Context &c) noexcept {
  const pid_t child = fork();
  if (child == 0) {
    c.enter_child();
    free(malloc(1000));
    for (int i = 0; i < 3; ++i) run_simple(c);
    _exit(0);
  }
  if (!c.done("fork", child)) return;
  int status = 0;
  long result;
  do {
    result = waitpid(child, &status, 0);
  } while (result == -1 && errno == EINTR);
  c.holds("fork", result == child && status == 0, "the child failed");
}

constexpr Operation list[] = {
    {"malloc, free", allocate, Operation::thread},
    {"printf", print, Operation::thread},
    {"fopen", use_stream, Operation::thread},
    {"opendir", read_directory, Operation::thread},
    {"realpath", resolve_name, Operation::thread},
    {"dlopen", load_library, Operation::thread},
    {"fork", fork_with_locks, Operation::locking_process},
};

}  // namespace

std::span<const Operation> libc_locking_operations() noexcept { return list; }

}  // namespace plash::stress
