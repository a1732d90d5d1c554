// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/tools/pola-run/escape/attempt.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ldso-hooks/loader/layout.h"
#include "protocol/call.h"
#include "protocol/system_call.h"

namespace plash::escape {
namespace {

struct Row {
  std::string group, name, outcome[2];
  bool gained = false;
};

std::vector<Row> rows;
bool by_loader;
const unsigned char *instruction;  // "syscall; ret" in the loader

long call_by(const unsigned char *address, long number, const long *arguments) {
  long result = number;
  register long r10 __asm__("r10") = arguments[3];
  register long r8 __asm__("r8") = arguments[4];
  register long r9 __asm__("r9") = arguments[5];
  __asm__ volatile("sub $128, %%rsp\n call *%[address]\n add $128, %%rsp"
                   : "+a"(result)
                   : [address] "b"(address), "D"(arguments[0]), "S"(arguments[1]),
                     "d"(arguments[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory", "cc");
  return result;
}

// Whether the byte can be read: the kernel says so without a fault.
bool is_readable(unsigned long address) {
  static int ends[2] = {-1, -1};
  char byte;
  if (ends[0] < 0 && ::pipe(ends) != 0) return false;
  return system_call(SYS_write, ends[1], static_cast<long>(address), 1) == 1 &&
         ::read(ends[0], &byte, 1) == 1;
}

// The loader lies at a fixed address.
const unsigned char *find_instruction() {
  constexpr unsigned long page_size = 4096;
  for (unsigned long page = loader::image_start; page < loader::image_limit; page += page_size) {
    if (!is_readable(page)) continue;
    const auto *bytes = reinterpret_cast<const unsigned char *>(page);
    for (unsigned long i = 0; i + 3 <= page_size; ++i) {
      if (std::memcmp(bytes + i, "\x0f\x05\xc3", 3) == 0) return bytes + i;
    }
  }
  return nullptr;
}

std::string describe(long result) {
  if (result <= killed) return std::string("SIG") + sigabbrev_np(static_cast<int>(killed - result));
  if (result >= 0 || result < -4095) return "GAINED " + std::to_string(result);
  const char *const name = strerrorname_np(static_cast<int>(-result));
  return name != nullptr ? name : std::to_string(result);
}

Row &row_for(const char *group, const std::string &name) {
  for (Row &row : rows) {
    if (row.group == group && row.name == name) return row;
  }
  return rows.emplace_back(Row{group, name, {}, false});
}

}  // namespace

Outside outside;

bool has_loader() {
  return instruction != nullptr || (instruction = find_instruction()) != nullptr;
}

void set_way(bool loader) { by_loader = loader; }

long call(long number, long a1, long a2, long a3, long a4, long a5, long a6) {
  if (!by_loader) return system_call(number, a1, a2, a3, a4, a5, a6);
  const long arguments[] = {a1, a2, a3, a4, a5, a6};
  return call_by(instruction, number, arguments);
}

long run_apart(const std::function<long()> &action, int milliseconds) {
  static volatile long *const result = static_cast<long *>(
      ::mmap(nullptr, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *result = -ETIME;  // where it does not end
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("fork");
    std::exit(2);
  }
  if (child == 0) {
    *result = action();
    ::_exit(0);
  }
  int status = 0;
  unsigned pause = 20;  // microseconds
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (std::chrono::steady_clock::now() < end) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child && !WIFSTOPPED(status)) {
      return WIFSIGNALED(status) ? killed - WTERMSIG(status) : *result;
    }
    if (ended == child) break;  // it lets itself be traced
    ::usleep(pause);
    pause = std::min(2 * pause, 1'000u);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return -ETIME;
}

void attempt(const char *group, const std::string &name, const std::function<long()> &action) {
  const long result = run_apart(action);
  Row &row = row_for(group, name);
  row.outcome[by_loader] = describe(result);
  row.gained |= result >= 0 || (result < -4095);
}

void note(const char *group, const std::string &name, const std::string &outcome, bool gained) {
  Row &row = row_for(group, name);
  row.outcome[by_loader] = outcome;
  row.gained |= gained;
}

int print_table() {
  int gained = 0;
  for (const Row &row : rows) {
    std::printf("%-12s %-46s %-18s %s\n", row.group.c_str(), row.name.c_str(),
                row.outcome[0].c_str(), row.outcome[1].c_str());
    gained += row.gained;
  }
  std::printf("%zu ways out tried%s, %d gained something\n", rows.size(),
              has_loader() ? ", each directly and by the loader's instruction" : "", gained);
  return gained;
}

int open_granted() {
  const long direct = system_call(SYS_open, to_argument(outside.granted), O_RDONLY);
  if (direct >= 0) return static_cast<int>(direct);
  const char *const services = std::getenv("PLASH_CAPS");
  int server = -1;
  if (services != nullptr) std::sscanf(services, "fs_op=%d", &server);
  methods::Open::Request request;
  request.path = {outside.granted.data(), outside.granted.size()};
  methods::Open::Reply reply;
  if (invoke<methods::Open>(server, request, reply, {}) != 0 || reply.file < 0) {
    std::fprintf(stderr, "escape: cannot open what was granted\n");
    std::exit(2);
  }
  return reply.file;
}

}  // namespace plash::escape
