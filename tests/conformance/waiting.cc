// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls that wait: FIFOs, signals that interrupt them, locks; and mapping what was opened.
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <csignal>
#include <thread>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

volatile std::sig_atomic_t signals_seen = 0;

// A handler for SIGALRM, and an alarm in milliseconds.
void set_alarm(int milliseconds, int flags, int repeat = 0) {
  struct sigaction action {};
  action.sa_handler = [](int) { signals_seen = signals_seen + 1; };
  action.sa_flags = flags;
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval timer{{repeat / 1000, (repeat % 1000) * 1000},
                        {milliseconds / 1000, (milliseconds % 1000) * 1000}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

CALL_CASE(fifo, reader_and_writer_meet) {
  make_fifo("fifo");
  in_child("writer and reader", [&] {
    const pid_t writer = ::fork();
    if (writer == 0) {
      ::usleep(50'000);
      const int fd = static_cast<int>(call(SYS_openat, AT_FDCWD, "fifo", O_WRONLY, 0));
      ::_exit(::write(fd, "through", 7) == 7 ? 0 : 1);
    }
    const int fd =
        static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "fifo", O_RDONLY, 0)));
    record("read", read_all(fd));
    record_end("writer", writer);
  });
}

CALL_CASE(fifo, writer_waits_for_reader) {
  make_fifo("fifo");
  const pid_t reader = ::fork();
  if (reader == 0) {
    ::usleep(50'000);
    const int fd = static_cast<int>(call(SYS_openat, AT_FDCWD, "fifo", O_RDONLY, 0));
    ::_exit(read_all(fd) == "through" ? 0 : 1);
  }
  const int fd = static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "fifo", O_WRONLY, 0)));
  attempt("write", ::write(fd, "through", 7));
  ::close(fd);
  record_end("reader", reader);
}

CALL_CASE(fifo, without_waiting) {
  make_fifo("fifo");
  attempt("writer alone", call(SYS_openat, AT_FDCWD, "fifo", O_WRONLY | O_NONBLOCK, 0));
  attempt("reader", call(SYS_openat, AT_FDCWD, "fifo", O_RDONLY | O_NONBLOCK, 0));
  const int writer = static_cast<int>(
      attempt("writer", call(SYS_openat, AT_FDCWD, "fifo", O_WRONLY | O_NONBLOCK, 0)));
  attempt("write", ::write(writer, "x", 1));
  attempt("both", call(SYS_openat, AT_FDCWD, "fifo", O_RDWR, 0));
  attempt("reader that need not wait", call(SYS_openat, AT_FDCWD, "fifo", O_RDONLY, 0));
}

CALL_CASE(fifo, interrupted) {
  make_fifo("fifo");
  set_alarm(100, 0);
  attempt("open", call(SYS_openat, AT_FDCWD, "fifo", O_RDONLY, 0));
  record("signals", static_cast<int>(signals_seen));
  attempt("next descriptor", call(SYS_openat, AT_FDCWD, ".", O_RDONLY, 0));
  // The interrupted one is not waiting any more.
  attempt("writer", call(SYS_openat, AT_FDCWD, "fifo", O_WRONLY | O_NONBLOCK, 0));
}

CALL_CASE(fifo, restarted) {
  make_fifo("fifo");
  set_alarm(50, SA_RESTART, 50);
  const pid_t writer = ::fork();
  if (writer == 0) {
    ::usleep(300'000);
    ::_exit(call(SYS_openat, AT_FDCWD, "fifo", O_WRONLY, 0) >= 0 ? 0 : 1);
  }
  attempt("open", call(SYS_openat, AT_FDCWD, "fifo", O_RDONLY, 0));
  set_alarm(0, 0);
  record("there were signals", signals_seen >= 2);
  record_end("writer", writer);
}

CALL_CASE(fifo, killed_while_waiting) {
  make_fifo("fifo");
  const pid_t reader = ::fork();
  if (reader == 0) {
    call(SYS_openat, AT_FDCWD, "fifo", O_RDONLY, 0);
    ::_exit(0);
  }
  ::usleep(100'000);
  attempt("kill", ::kill(reader, SIGKILL));
  record_end("reader", reader);
  ::usleep(100'000);
  attempt("writer", call(SYS_openat, AT_FDCWD, "fifo", O_WRONLY | O_NONBLOCK, 0));
}

CALL_CASE(fifo, handler_makes_calls_while_waiting) {
  make_fifo("fifo");
  make_file("file", "text");
  struct sigaction action {};
  action.sa_handler = [](int) {
    struct stat status;
    signals_seen = ::stat("file", &status) == 0 && status.st_size == 4 ? 1 : -1;
  };
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval timer{{0, 0}, {0, 100'000}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
  attempt("open", call(SYS_openat, AT_FDCWD, "fifo", O_RDONLY, 0));
  record("stat in the handler", static_cast<int>(signals_seen));
}

CASE(fifo, others_go_on_while_one_waits) {
  make_fifo("fifo");
  int reader = -1;
  std::thread waiting([&reader] { reader = ::open("fifo", O_RDONLY); });
  ::usleep(50'000);
  make_file("file", "text");
  record("contents", contents_of("file"));
  record("writer", ::open("fifo", O_WRONLY) >= 0);
  waiting.join();
  record("reader", reader >= 0);
}

CALL_CASE(fifo, signal_during_a_plain_call) {
  make_file("file", "text");
  set_alarm(1, SA_RESTART, 1);
  int bad = 0;
  for (int i = 0; i < 2000; ++i) {
    struct stat status;
    if (call(SYS_stat, "file", &status) != 0) ++bad;
    const long fd = call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0);
    if (fd != 3 || ::close(static_cast<int>(fd)) != 0) ++bad;
  }
  set_alarm(0, 0);
  record("failed", bad);
}

CALL_CASE(lock, flock) {
  make_file("file");
  const int one = must_open("file"), two = must_open("file", O_RDWR);
  attempt("exclusive", call(SYS_flock, one, LOCK_EX));
  attempt("second", call(SYS_flock, two, LOCK_SH | LOCK_NB));
  in_child("child", [&] {
    attempt("of the same open file", call(SYS_flock, one, LOCK_SH | LOCK_NB));
    attempt("of its own", call(SYS_flock, must_open("file"), LOCK_EX | LOCK_NB));
  });
  attempt("unlock", call(SYS_flock, one, LOCK_UN));
  attempt("second", call(SYS_flock, two, LOCK_EX | LOCK_NB));
}

CALL_CASE(lock, of_records) {
  make_file("file", "0123456789");
  const int fd = must_open("file", O_RDWR);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_len = 5;
  attempt("own", call(SYS_fcntl, fd, F_SETLK, &lock));
  in_child("child", [&] {
    struct flock asked {};
    asked.l_type = F_WRLCK;
    const int other = must_open("file", O_RDWR);
    attempt("overlapping", call(SYS_fcntl, other, F_SETLK, &asked));
    attempt("get", call(SYS_fcntl, other, F_GETLK, &asked));
    record("held by the parent", asked.l_pid == ::getppid());
    record("length", asked.l_len);
    asked = {};
    asked.l_type = F_WRLCK;
    asked.l_start = 5;
    attempt("beside", call(SYS_fcntl, other, F_SETLK, &asked));
  });
  ::close(must_open("file"));
  in_child("child", [&] {
    struct flock asked {};
    asked.l_type = F_WRLCK;
    attempt("after the parent closed another descriptor",
            call(SYS_fcntl, must_open("file", O_RDWR), F_SETLK, &asked));
  });
}

CALL_CASE(lock, of_open_files) {
  make_file("file", "0123456789");
  struct flock lock {};
  lock.l_type = F_WRLCK;
  const int one = must_open("file", O_RDWR), two = must_open("file", O_RDWR);
  attempt("first", call(SYS_fcntl, one, F_OFD_SETLK, &lock));
  attempt("second", call(SYS_fcntl, two, F_OFD_SETLK, &lock));
}

CASE(lock, lockf) {
  make_file("file", "0123456789");
  const int fd = must_open("file", O_RDWR);
  attempt("lockf", ::lockf(fd, F_TLOCK, 0));
  in_child("child", [] { attempt("test", ::lockf(must_open("file", O_RDWR), F_TEST, 0)); });
}

CALL_CASE(map, shared_writing) {
  make_file("file", "0123456789");
  const int fd = static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDWR, 0)));
  char *memory =
      static_cast<char *>(::mmap(nullptr, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (memory == MAP_FAILED) set_up_failed("mmap");
  std::memcpy(memory, "mapped", 6);
  attempt("msync", ::msync(memory, 10, MS_SYNC));
  record("contents", contents_of("file"));
  attempt("write", ::pwrite(fd, "XY", 2, 8));
  record("memory", std::string(memory, 10));
}

CALL_CASE(map, rights) {
  make_file("file", "0123456789");
  const auto map = [&](int flags, int protection, int kind) {
    const int fd = static_cast<int>(call(SYS_openat, AT_FDCWD, "file", flags, 0));
    return ::mmap(nullptr, 10, protection, kind, fd, 0) == MAP_FAILED ? -1 : 0;
  };
  attempt("read-only, shared writing", map(O_RDONLY, PROT_READ | PROT_WRITE, MAP_SHARED));
  attempt("read-only, private writing", map(O_RDONLY, PROT_READ | PROT_WRITE, MAP_PRIVATE));
  attempt("write-only, reading", map(O_WRONLY, PROT_READ, MAP_SHARED));
  attempt("executing", map(O_RDONLY, PROT_READ | PROT_EXEC, MAP_PRIVATE));
}

CALL_CASE(map, stays_when_the_file_is_removed) {
  make_file("file", "0123456789");
  const int fd = must_open("file");
  const char *memory =
      static_cast<const char *>(::mmap(nullptr, 10, PROT_READ, MAP_PRIVATE, fd, 0));
  ::close(fd);
  attempt("unlink", call(SYS_unlink, "file"));
  record("memory", std::string(memory, 10));
}

CALL_CASE(file, other_calls_on_what_was_opened) {
  const int fd =
      static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDWR | O_CREAT, 0644)));
  attempt("fallocate", call(SYS_fallocate, fd, 0, 0, 5000));
  attempt("punch", call(SYS_fallocate, fd, 3, 0, 4096));
  record_status("file", fd);
  attempt("pwrite", ::pwrite(fd, "text", 4, 4996));
  attempt("SEEK_DATA", call(SYS_lseek, fd, 0, SEEK_DATA) >= 0 ? 0 : -1);
  attempt("SEEK_END", call(SYS_lseek, fd, 0, SEEK_END));
  const int other =
      static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "copy", O_RDWR | O_CREAT, 0644)));
  attempt("rewind", call(SYS_lseek, fd, 0, SEEK_SET));
  attempt("copy_file_range", call(SYS_copy_file_range, fd, nullptr, other, nullptr, 5000, 0));
  attempt("fsync", call(SYS_fsync, other));
  attempt("sync_file_range", call(SYS_sync_file_range, other, 0, 0, 7));
  record_status("copy", "copy");
}

}  // namespace
}  // namespace plash::conformance
