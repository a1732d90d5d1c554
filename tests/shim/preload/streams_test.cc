// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fopen(3), freopen(3), setmntent(3).
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <wchar.h>

#include <iostream>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;
using plash::test::libc;
using plash::test::outcome;
using plash::test::Outcome;
using plash::test::untouched;

namespace {

std::string contents(const std::string &path) {
  const int fd = open(path.c_str(), O_RDONLY);
  const std::string text = plash::test::read_all(fd);
  close(fd);
  return text;
}

}  // namespace

TEST_CASE("fopen's modes open as libc's do") {
  Directory root;
  const std::string path = root / "file";
  for (const char *mode :
       {"r", "w", "a", "r+", "w+", "a+", "re", "wx", "w+xe", "rb", "rm", "ab+", "q", "", "+r"}) {
    INFO(mode);
    for (const bool exists : {false, true}) {
      INFO(exists);
      int flags[2] = {-1, -1};
      std::string texts[2];
      long offsets[2];
      Outcome outcomes[2];
      for (int i = 0; i < 2; ++i) {
        unlink(path.c_str());
        if (exists) {
          const int fd = open(path.c_str(), O_WRONLY | O_CREAT, 0600);
          REQUIRE(write(fd, "12345", 5) == 5);
          close(fd);
        }
        auto *function = i == 0 ? fopen : libc<decltype(fopen)>("fopen");
        FILE *stream = nullptr;
        outcomes[i] = outcome([&] { return (stream = function(path.c_str(), mode)) != nullptr; });
        if (stream == nullptr) continue;
        flags[i] = fcntl(fileno(stream), F_GETFL) | fcntl(fileno(stream), F_GETFD) << 28;
        fputs("ab", stream);
        offsets[i] = ftell(stream);
        fclose(stream);
        texts[i] = contents(path);
      }
      CHECK(outcomes[0] == outcomes[1]);
      CHECK(flags[0] == flags[1]);
      CHECK(texts[0] == texts[1]);
      if (outcomes[0].result == 1) CHECK(offsets[0] == offsets[1]);
    }
  }
}

TEST_CASE("a stream on a directory opens and does not read") {
  FILE *stream = fopen("/", "r");
  REQUIRE(stream != nullptr);
  CHECK(outcome([&] { return fgetc(stream); }) == Outcome{EOF, EISDIR});
  CHECK(ferror(stream) != 0);
  fclose(stream);
  CHECK(outcome([] { return fopen("/", "w") == nullptr; }) == Outcome{1, EISDIR});
}

TEST_CASE("freopen keeps the stream and its descriptor") {
  Directory root;
  FILE *stream = fopen((root / "one").c_str(), "w");
  const int fd = fileno(stream);
  fputs("first", stream);  // still in the buffer
  CHECK(freopen((root / "two").c_str(), "w", stream) == stream);
  CHECK(fileno(stream) == fd);
  CHECK(contents(root / "one") == "first");
  fputs("second", stream);
  CHECK(freopen((root / "two").c_str(), "re", stream) == stream);
  CHECK(fileno(stream) == fd);
  CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
  char text[16] = "";
  CHECK(fgets(text, sizeof text, stream) == std::string("second"));
  CHECK(outcome([&] { return fputc('x', stream); }) == Outcome{EOF, EBADF});
  CHECK(freopen((root / "two").c_str(), "a", stream) == stream);
  fputs("+third", stream);
  CHECK(fclose(stream) == 0);
  CHECK(fcntl(fd, F_GETFD) == -1);
}

TEST_CASE("freopen without a name opens the same file once more") {
  Directory root;
  FILE *stream = fopen((root / "file").c_str(), "w+");
  REQUIRE(stream != nullptr);
  const int fd = fileno(stream);
  fputs("text", stream);
  REQUIRE(freopen(nullptr, "r", stream) == stream);
  CHECK(fileno(stream) == fd);
  char text[16] = "";
  CHECK(fgets(text, sizeof text, stream) == std::string("text"));
  CHECK(outcome([&] { return fputc('x', stream); }) == Outcome{EOF, EBADF});
  fclose(stream);
}

TEST_CASE("freopen that fails closes the stream's descriptor") {
  FILE *stream = fopen("/etc/passwd", "r");
  const int fd = fileno(stream);
  CHECK(outcome([&] { return freopen("/nowhere", "r", stream) == nullptr; }) == Outcome{1, ENOENT});
  CHECK(fcntl(fd, F_GETFD) == -1);
  // It can be opened again.
  CHECK(freopen("/etc/passwd", "r", stream) == stream);
  CHECK(fgetc(stream) != EOF);
  fclose(stream);
}

TEST_CASE("freopen makes a wide stream, or a mapped one, a plain one") {
  Directory root;
  FILE *stream = fopen((root / "wide").c_str(), "w");
  fputwc(L'w', stream);
  CHECK(freopen((root / "narrow").c_str(), "w", stream) == stream);
  CHECK(fputs("narrow", stream) >= 0);
  CHECK(freopen("/etc/passwd", "rm", stream) == stream);
  CHECK(contents(root / "wide") == "w");
  CHECK(contents(root / "narrow") == "narrow");
  CHECK(fgetc(stream) != EOF);
  CHECK(freopen("/etc/group", "r", stream) == stream);
  CHECK(fgetc(stream) != EOF);
  fclose(stream);
}

TEST_CASE("what is written to a reopened stream is flushed at exit") {
  Directory root;
  std::cout.flush();
  fflush(nullptr);  // nothing of the test's own is to be written twice
  const pid_t child = fork();
  if (child == 0) {
    FILE *stream = fopen("/dev/null", "w");
    freopen((root / "file").c_str(), "w", stream);
    fputs("flushed", stream);
    fflush(nullptr);  // reaches the streams that libc has in its list, as exit(3) does
    _exit(0);
  }
  CHECK(waitpid(child, nullptr, 0) == child);
  CHECK(contents(root / "file") == "flushed");
}

TEST_CASE("mount tables are read") {
  Directory root;
  const int fd = open((root / "fstab").c_str(), O_WRONLY | O_CREAT, 0600);
  REQUIRE(write(fd, "none /proc proc defaults 0 0\n", 29) == 29);
  close(fd);
  FILE *stream = setmntent((root / "fstab").c_str(), "r");
  REQUIRE(stream != nullptr);
  CHECK((fcntl(fileno(stream), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(getmntent(stream) != nullptr);
  endmntent(stream);
}
