// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/exec_in_handler.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "protocol/call.h"
#include "tools/stress/descriptors.h"
#include "tools/stress/operation.h"

extern char **environ;

namespace plash::stress {
namespace {

constexpr unsigned thread_count = 3;
constexpr int exec_failed = 20;
constexpr int wrong_descriptors = 21;
constexpr int wrong_call = 22;

// What the handler executes, put together beforehand.
char *arguments[8];

void execute(int) {
  execve(arguments[0], arguments, environ);
  _exit(exec_failed);
}

int descriptors_that_stay() {
  int count = 0;
  for (int i = 0; i < max_descriptor; ++i) {
    const int flags = fcntl(i, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) ++count;
  }
  return count;
}

// Makes calls with nothing open but close-on-exec.
void call_for_ever(Board &board) {
  Context context(board, board.slots[0], 0, 0, 0);
  for (;;) {
    if (board.settings.door == Door::call) {
      methods::Open::Request request;
      request.flags = context.random.next();
      methods::Open::Reply reply;
      if (invoke<methods::Open>(board.settings.object, request, reply) == 0) close(reply.file);
    } else {
      close(open(Fixture(context, "a/file"), O_RDONLY | O_CLOEXEC));
    }
    board.slots[0].calls.fetch_add(1, std::memory_order_relaxed);
  }
}

[[noreturn]] void work_until_executed(Board &board, int ready) {
  struct sigaction action {};
  action.sa_handler = execute;
  sigaction(SIGUSR2, &action, nullptr);
  std::thread threads[thread_count];
  for (std::thread &thread : threads) thread = std::thread(call_for_ever, std::ref(board));
  if (write(ready, "", 1) != 1) _exit(1);
  call_for_ever(board);
  _exit(1);
}

}  // namespace

void exec_in_handlers(Board &board, std::uint64_t milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  Random random(board.settings.seed);
  std::string texts[] = {
      program_invocation_name, "--after-exec",
      std::to_string(board.settings.door == Door::call ? board.settings.object : -1),
      static_cast<const char *>(board.settings.directory), std::to_string(descriptors_that_stay())};
  for (std::size_t i = 0; i < std::size(texts); ++i) arguments[i] = texts[i].data();
  unsigned times = 0;
  do {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) return board.fail("pipe2 failed");
    const pid_t child = fork();
    if (child == 0) work_until_executed(board, ready[1]);
    close(ready[1]);
    char byte;
    if (read(ready[0], &byte, 1) != 1) board.fail("the child did not start");
    close(ready[0]);
    const timespec delay{0, static_cast<long>(random.below(300'000))};
    nanosleep(&delay, nullptr);
    kill(child, SIGUSR2);
    int status = 0;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    if (status != 0)
      board.fail("execve in a handler: the program ended with wait status " +
                 std::to_string(status));
    board.heartbeat.fetch_add(1);
    ++times;
  } while (std::chrono::steady_clock::now() < end && board.failure_count.load() < max_failures);
  board.note("execve in a handler, all threads in calls: " + std::to_string(times) + " times");
}

int run_after_exec(int object, const std::string &directory, int descriptors) {
  if (static_cast<int>(open_descriptors().count()) != descriptors) return wrong_descriptors;
  if (object >= 0) {
    methods::Ping::Request request;
    methods::Ping::Reply reply;
    const long result = invoke<methods::Ping>(object, request, reply);
    return result == 0 || result <= -1000 ? 0 : wrong_call;  // the small server may refuse
  }
  struct stat status {};
  if (stat((directory + "/b/link").c_str(), &status) != 0 ||
      status.st_size != long{file_content.size()})
    return wrong_call;
  if (stat("file", &status) != 0 || chdir("../b") != 0 || stat("link", &status) != 0)
    return wrong_call;
  return static_cast<int>(open_descriptors().count()) == descriptors ? 0 : wrong_descriptors;
}

}  // namespace plash::stress
