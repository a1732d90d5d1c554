// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/benchmark/path_commands.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace plash::benchmark {
namespace {

long or_error(long result) { return result < 0 ? -errno : result; }

// Of a command whose arguments are a path and a count.
template <class F>
auto path_command(const char *name, F call) {
  return [=](const Arguments &arguments) {
    if (arguments.size() != 3) throw std::invalid_argument("a path and a count are wanted");
    const std::string &path = arguments[1];
    return time_calls(number(arguments, 2), [&] {
      const long result = call(path.c_str());
      if (result < 0) fail(name, result);
    });
  };
}

long open_and_close(const PathCalls &calls, const char *path) {
  const long fd = calls.open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) calls.close(static_cast<int>(fd));
  return fd;
}

// Only open is timed.
Numbers time_opens(const PathCalls &calls, const Arguments &arguments) {
  Numbers times;
  for (int left = number(arguments, 2); left > 0; --left) {
    long fd = -1;
    times.push_back(time_calls(1, [&] { fd = calls.open(arguments[1].c_str(), O_RDONLY); })[0]);
    if (fd < 0) fail("open", fd);
    calls.close(static_cast<int>(fd));
  }
  return times;
}

long read_whole_directory(const PathCalls &calls, const char *path) {
  // What opendir(3) of glibc takes.
  alignas(16) char buffer[32768];
  const long fd = calls.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fd;
  long got;
  do {
    got = calls.read_directory(static_cast<int>(fd), buffer, sizeof buffer);
  } while (got > 0);
  calls.close(static_cast<int>(fd));
  return got;
}

void wait_for(pid_t child) {
  if (child < 0) fail("fork");
  int status;
  if (::waitpid(child, &status, 0) != child) fail("waitpid");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error("the child failed");
  }
}

Numbers time_forks(const Arguments &arguments) {
  return time_calls(number(arguments, 1), [] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    wait_for(child);
  });
}

Numbers time_execs(const Arguments &arguments) {
  const int count = number(arguments, 2);
  const std::string &program = arguments[1];
  return time_calls(count, [&program] {
    char *values[] = {const_cast<char *>(program.c_str()), nullptr};
    const pid_t child = ::vfork();
    if (child == 0) {
      ::execve(program.c_str(), values, environ);
      ::_exit(127);
    }
    wait_for(child);
  });
}

Numbers throughput(const PathCalls &calls, const Arguments &arguments) {
  const std::string &path = arguments[1];
  return {calls_a_second(number(arguments, 2), std::chrono::milliseconds(number(arguments, 3)),
                         [&](int) { return open_and_close(calls, path.c_str()) >= 0; })};
}

}  // namespace

const PathCalls libc_calls = {
    .open = [](const char *path, int flags) { return or_error(::open(path, flags)); },
    .close = [](int fd) { return or_error(::close(fd)); },
    .stat =
        [](const char *path) {
          struct stat status;
          return or_error(::stat(path, &status));
        },
    .access = [](const char *path) { return or_error(::access(path, R_OK)); },
    .readlink =
        [](const char *path) {
          char target[256];
          return or_error(::readlink(path, target, sizeof target));
        },
    .read_directory = [](int fd, char *buffer,
                         std::size_t size) { return or_error(::getdents64(fd, buffer, size)); },
};

void add_path_commands(Commands &commands, const PathCalls &calls) {
  commands["open"] =
      path_command("open", [calls](const char *path) { return open_and_close(calls, path); });
  commands["open-alone"] = [calls](const Arguments &arguments) {
    return time_opens(calls, arguments);
  };
  commands["stat"] = path_command("stat", calls.stat);
  commands["access"] = path_command("access", calls.access);
  commands["readlink"] = path_command("readlink", calls.readlink);
  commands["enoent"] = path_command("open of what is not there", [calls](const char *path) -> long {
    const long result = calls.open(path, O_RDONLY | O_CLOEXEC);
    if (result == -ENOENT) return 0;
    return result < 0 ? result : -EEXIST;
  });
  commands["getdents"] = path_command(
      "getdents64", [calls](const char *path) { return read_whole_directory(calls, path); });
  commands["fork"] = time_forks;
  commands["exec"] = time_execs;
  commands["throughput"] = [calls](const Arguments &arguments) {
    return throughput(calls, arguments);
  };
}

}  // namespace plash::benchmark
