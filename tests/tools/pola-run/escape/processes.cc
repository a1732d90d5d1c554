// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Processes outside, by the number that they have on the host, and the sandbox's first one. SIGCONT
// harms nobody; escape_test.py's process would notice it.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

struct ProcessCall {
  const char *name;
  long (*make)(long process);
};

// ioprio_set(2). linux/ioprio.h is not C++ in every version.
constexpr long ioprio_who_process = 1;
constexpr long ioprio_class_idle = 3L << 13;

long word[64];
const long room = to_argument(word);

siginfo_t queued() {
  siginfo_t information = {};
  information.si_code = SI_QUEUE;
  information.si_pid = ::getpid();
  return information;
}

long pidfd(long process) { return call(SYS_pidfd_open, process, 0); }

const ProcessCall on_processes[] = {
    {"kill, null signal", [](long process) { return call(SYS_kill, process, 0); }},
    {"kill SIGCONT", [](long process) { return call(SYS_kill, process, SIGCONT); }},
    {"tkill", [](long process) { return call(SYS_tkill, process, SIGCONT); }},
    {"tgkill", [](long process) { return call(SYS_tgkill, process, process, SIGCONT); }},
    {"rt_sigqueueinfo",
     [](long process) {
       const siginfo_t information = queued();
       return call(SYS_rt_sigqueueinfo, process, SIGCONT, to_argument(&information));
     }},
    {"rt_tgsigqueueinfo",
     [](long process) {
       const siginfo_t information = queued();
       return call(SYS_rt_tgsigqueueinfo, process, process, SIGCONT, to_argument(&information));
     }},
    {"pidfd_send_signal",
     [](long process) {
       const long descriptor = pidfd(process);
       return descriptor < 0 ? descriptor : call(SYS_pidfd_send_signal, descriptor, SIGCONT, 0, 0);
     }},
    {"pidfd_getfd",
     [](long process) {
       const long descriptor = pidfd(process);
       return descriptor < 0 ? descriptor : call(SYS_pidfd_getfd, descriptor, 1, 0);
     }},
    {"setns by pidfd",
     [](long process) {
       const long descriptor = pidfd(process);
       return descriptor < 0 ? descriptor : call(SYS_setns, descriptor, CLONE_NEWNS);
     }},
    {"process_madvise",
     [](long process) {
       const iovec vector = {word, 8};
       const long descriptor = pidfd(process);
       return descriptor < 0
                  ? descriptor
                  : call(SYS_process_madvise, descriptor, to_argument(&vector), 1, 20, 0);
     }},
    {"process_mrelease",
     [](long process) {
       const long descriptor = pidfd(process);
       return descriptor < 0 ? descriptor : call(SYS_process_mrelease, descriptor, 0);
     }},
    {"ptrace PTRACE_ATTACH",
     [](long process) { return call(SYS_ptrace, PTRACE_ATTACH, process, 0, 0); }},
    {"ptrace PTRACE_SEIZE",
     [](long process) { return call(SYS_ptrace, PTRACE_SEIZE, process, 0, 0); }},
    {"process_vm_readv",
     [](long process) {
       const iovec here = {word, 8}, there = {reinterpret_cast<void *>(0x400000), 8};
       return call(SYS_process_vm_readv, process, to_argument(&here), 1, to_argument(&there), 1, 0);
     }},
    {"process_vm_writev",
     [](long process) {
       const iovec here = {word, 8}, there = {reinterpret_cast<void *>(0x400000), 8};
       return call(SYS_process_vm_writev, process, to_argument(&here), 1, to_argument(&there), 1,
                   0);
     }},
    {"kcmp", [](long process) { return call(SYS_kcmp, process, ::getpid(), 0, 0, 0); }},
    {"get_robust_list",
     [](long process) { return call(SYS_get_robust_list, process, room, room + 8); }},
    {"perf_event_open",
     [](long process) { return call(SYS_perf_event_open, room, process, -1, -1, 0); }},
    {"prlimit64", [](long process) { return call(SYS_prlimit64, process, RLIMIT_CORE, 0, room); }},
    {"sched_setaffinity",
     [](long process) {
       word[0] = 1;
       return call(SYS_sched_setaffinity, process, 8, room);
     }},
    {"sched_setscheduler",
     [](long process) {
       word[0] = 0;
       return call(SYS_sched_setscheduler, process, SCHED_BATCH, room);
     }},
    {"sched_setparam",
     [](long process) {
       word[0] = 0;
       return call(SYS_sched_setparam, process, room);
     }},
    {"setpriority", [](long process) { return call(SYS_setpriority, PRIO_PROCESS, process, 19); }},
    {"ioprio_set",
     [](long process) {
       return call(SYS_ioprio_set, ioprio_who_process, process, ioprio_class_idle);
     }},
    {"setpgid", [](long process) { return call(SYS_setpgid, process, process); }},
    {"migrate_pages", [](long process) { return call(SYS_migrate_pages, process, 8, room, room); }},
    {"move_pages", [](long process) { return call(SYS_move_pages, process, 0, 0, 0, 0, 0); }},
    {"SIGIO by F_SETOWN",
     [](long process) {
       int ends[2];
       long result = call(SYS_pipe2, to_argument(ends), 0);
       if (result == 0) result = call(SYS_fcntl, ends[0], F_SETOWN, process);
       if (result == 0) result = call(SYS_fcntl, ends[0], 10 /* F_SETSIG */, SIGCONT);
       if (result == 0) result = call(SYS_fcntl, ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
       if (result == 0) result = call(SYS_write, ends[1], room, 1);
       return result < 0 ? result : -EPERM;  // whether it came is for the receiver to say
     }},
    {"timer_create SIGEV_THREAD_ID",
     [](long process) {
       sigevent event = {};
       event.sigev_notify = SIGEV_THREAD_ID;
       event.sigev_signo = SIGCONT;
       event._sigev_un._tid = static_cast<int>(process);
       int timer;
       return call(SYS_timer_create, CLOCK_MONOTONIC, to_argument(&event), to_argument(&timer));
     }},
    {"clock of its time",
     [](long process) {
       // CPUCLOCK_SCHED of a process; reading one's own is all that is allowed with a PID
       // namespace.
       return call(SYS_clock_settime, ~process << 3 | 2, room);
     }},
};

}  // namespace

void try_processes() {
  for (const ProcessCall &entry : on_processes) {
    attempt("process", std::string(entry.name) + ", outside",
            [&] { return entry.make(outside.process); });
  }
  const long first = ::getppid();
  for (const ProcessCall &entry : on_processes) {
    // What touches only how it is scheduled is the sandbox's own matter, and so is a signal that it
    // ignores, where it has a PID namespace: process 1 takes no harm from inside.
    const std::string name = entry.name;
    if (name.starts_with("ptrace") || name.starts_with("process_vm") || name == "pidfd_getfd") {
      attempt("process", name + ", the first in the sandbox", [&] { return entry.make(first); });
    }
  }
  attempt("process", "kill SIGCONT of all", [] {
    // Reaches the sandbox's own; escape_test.py says whether it reached more.
    const long result = call(SYS_kill, -1, SIGCONT);
    return result < 0 ? result : -EPERM;
  });
  attempt("process", "kill SIGCONT of the process group outside",
          [] { return call(SYS_kill, -outside.process, SIGCONT); });
  attempt("process", "setpriority of the user's", [] {
    // By user ID of the sandbox; how outside fares escape_test.py looks up.
    const long result = call(SYS_setpriority, PRIO_USER, ::getuid(), 19);
    return result < 0 ? result : -EPERM;
  });
}

}  // namespace plash::escape
