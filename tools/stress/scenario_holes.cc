// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The lowest-descriptor rule: with random holes in the table, 0, 1 and 2 among them, each call that
// makes a descriptor gives the lowest number that is free, as the kernel does.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "protocol/call.h"
#include "tools/stress/descriptors.h"
#include "tools/stress/operation.h"
#include "tools/stress/scenario.h"
#include "tools/support/unique_fd.h"

namespace plash::stress {
namespace {

constexpr int holes_limit = 96;  // numbers below may become holes

struct Maker {
  const char *name;
  int (*make)(Context &);
};

int open_existing(Context &c) { return open(Fixture(c, "a/file"), O_RDONLY); }
int open_directory(Context &c) { return open(Fixture(c, "b"), O_RDONLY | O_DIRECTORY); }
int open_at_working_directory(Context &) { return openat(AT_FDCWD, "link", O_RDWR); }
int create(Context &c) {
  const Name name(c, 'x');
  const int descriptor = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  c.done("unlink", unlink(name));
  return descriptor;
}
int create_old(Context &c) {
  const Name name(c, 'x');
  const int descriptor = creat(name, 0600);
  c.done("unlink", unlink(name));
  return descriptor;
}
int duplicate(Context &c) {
  const int first = open(Fixture(c, "a/file"), O_RDONLY);
  const int second = dup(first);
  c.shut(first);
  // The second stands behind the first, whose number is free again.
  if (second < 0 || !c.holds("dup", second > first, "not the lowest number")) return second;
  const int third = dup(second);
  c.shut(second);
  return third;
}
int open_stream_directory(Context &c) {
  DIR *const stream = opendir(Fixture(c, "a"));
  if (stream == nullptr) return -1;
  // The descriptor belongs to the stream: its number is what matters, so another takes its place.
  const int number = dirfd(stream);
  closedir(stream);
  const int same = open(Fixture(c, "a/file"), O_RDONLY);
  c.holds("opendir", same == number, "not the number that open gives");
  return same;
}
int make_temporary(Context &c) {
  std::string name = static_cast<const char *>(Name(c, 'x'));
  name += ".XXXXXX";
  const int descriptor = mkstemp(name.data());
  if (descriptor >= 0) c.done("unlink", unlink(name.c_str()));
  return descriptor;
}

int open_by_call(Context &c) {
  for (;;) {
    methods::Open::Request request;
    request.flags = c.random.next();
    methods::Open::Reply reply;
    if (invoke<methods::Open>(c.board.settings.object, request, reply) == 0) return reply.file;
  }
}
int change_by_call(Context &c) {
  for (;;) {
    char name[8];
    const std::uint64_t drawn = c.random.next();
    for (unsigned i = 0; i < sizeof name; ++i)
      name[i] = static_cast<char>('a' + (drawn >> (4 * i)) % 16);
    methods::Chdir::Request request;
    request.path = {name, sizeof name};
    methods::Chdir::Reply reply;
    if (invoke<methods::Chdir>(c.board.settings.object, request, reply) == 0)
      return reply.directory;
  }
}

constexpr Maker libc_makers[] = {
    {"open", open_existing},
    {"open, O_DIRECTORY", open_directory},
    {"openat", open_at_working_directory},
    {"open, O_CREAT", create},
    {"creat", create_old},
    {"dup", duplicate},
    {"opendir", open_stream_directory},
    {"mkstemp", make_temporary},
};
constexpr Maker call_makers[] = {{"Open", open_by_call}, {"Chdir", change_by_call}};

// Opens all numbers below the limit, then closes some of those that were not open before.
void make_holes(Context &context, const DescriptorSet &before) {
  const int some = open("/dev/null", O_RDWR);
  const int source = some >= 0 ? some : context.board.settings.object;
  for (int i = 0; i < holes_limit; ++i) {
    if (fcntl(i, F_GETFD) < 0) dup2(source, i);
  }
  const unsigned chance = 2 + static_cast<unsigned>(context.random.below(32));
  for (int i = 0; i < holes_limit; ++i) {
    if (!before.test(static_cast<std::size_t>(i)) && context.random.below(chance) == 0) close(i);
  }
}

}  // namespace

void run_holes(Board &board) {
  Context context(board, board.slots[0], board.settings.seed, 0, 0);
  context.operation = "holes";
  context.timed = false;
  const bool by_call = board.settings.door == Door::call;
  const std::span<const Maker> makers =
      by_call ? std::span<const Maker>(call_makers) : std::span<const Maker>(libc_makers);
  // 0, 1 and 2 come back at the end; until then they are holes like any other.
  UniqueFd saved[3];
  for (int i = 0; i < 3; ++i) saved[i].reset(fcntl(i, F_DUPFD_CLOEXEC, holes_limit));
  for (int i = 0; i < 3; ++i) close(i);
  const DescriptorSet before = open_descriptors();

  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  const auto end = time.tv_sec * 1000 + time.tv_nsec / 1'000'000 +
                   static_cast<long>(board.settings.milliseconds);
  std::uint64_t rounds = 0;
  do {
    make_holes(context, before);
    const DescriptorSet with_holes = open_descriptors();
    for (unsigned i = 0; i < 16; ++i) {
      const Maker &maker = makers[context.random.below(makers.size())];
      const int wanted = lowest_free_descriptor();
      const int got = maker.make(context);
      if (context.done(maker.name, got)) {
        if (got != wanted)
          context.fail((Text<96>() << maker.name << " gave " << long{got}
                                   << ", the lowest free number is " << long{wanted})
                           .view());
        context.shut(got);
      }
      const DescriptorSet now = open_descriptors();
      if (now != with_holes) {
        context.fail((std::string(maker.name) + " changed other descriptors: opened " +
                      describe(now & ~with_holes) + "; closed " + describe(with_holes & ~now)));
        break;
      }
    }
    close_others(before);
    board.heartbeat.fetch_add(1);
    ++rounds;
    clock_gettime(CLOCK_MONOTONIC, &time);
  } while (time.tv_sec * 1000 + time.tv_nsec / 1'000'000 < end &&
           board.failure_count.load() < max_failures);
  for (int i = 0; i < 3; ++i) {
    if (saved[i]) dup2(saved[i].get(), i);
  }
  board.note(std::to_string(rounds) + " tables of descriptors tried");
}

}  // namespace plash::stress
