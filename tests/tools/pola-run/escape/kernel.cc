// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Parts of the kernel that reach further than files and processes.
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

struct Call {
  const char *name;
  long (*make)();
};

long words[64];
const long room = to_argument(words);
const long text = to_argument("plash-test");

const Call calls[] = {
    {"io_uring_setup", [] { return call(SYS_io_uring_setup, 8, room); }},
    {"io_uring_enter", [] { return call(SYS_io_uring_enter, 0, 1, 1, 0, 0); }},
    {"io_uring_register", [] { return call(SYS_io_uring_register, -1, 0, room, 0); }},
    {"userfaultfd", [] { return call(SYS_userfaultfd, 1); }},
    {"bpf BPF_MAP_CREATE",
     [] {
       bpf_attr attributes = {};
       attributes.map_type = BPF_MAP_TYPE_ARRAY;
       attributes.key_size = attributes.value_size = 4;
       attributes.max_entries = 1;
       return call(SYS_bpf, BPF_MAP_CREATE, to_argument(&attributes), sizeof attributes);
     }},
    {"bpf BPF_PROG_GET_NEXT_ID", [] { return call(SYS_bpf, BPF_PROG_GET_NEXT_ID, room, 64); }},
    {"perf_event_open of itself",
     [] {
       perf_event_attr attributes = {};
       attributes.size = sizeof attributes;
       attributes.type = PERF_TYPE_SOFTWARE;
       return call(SYS_perf_event_open, to_argument(&attributes), 0, -1, -1, 0);
     }},
    {"keyctl, session keyring",
     [] { return call(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0); }},
    {"keyctl, user keyring",
     [] { return call(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1); }},
    {"keyctl KEYCTL_READ",
     [] { return call(SYS_keyctl, KEYCTL_READ, KEY_SPEC_USER_SESSION_KEYRING, room, 64); }},
    {"keyctl KEYCTL_SEARCH",
     [] {
       return call(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, to_argument("user"), text,
                   0);
     }},
    {"keyctl KEYCTL_JOIN_SESSION_KEYRING",
     [] { return call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0); }},
    {"add_key",
     [] { return call(SYS_add_key, to_argument("user"), text, text, 5, KEY_SPEC_USER_KEYRING); }},
    {"request_key",
     [] { return call(SYS_request_key, to_argument("user"), text, text, KEY_SPEC_USER_KEYRING); }},
    {"kexec_load", [] { return call(SYS_kexec_load, 0, 0, 0, 0); }},
    {"kexec_file_load", [] { return call(SYS_kexec_file_load, -1, -1, 0, 0, 0); }},
    {"init_module", [] { return call(SYS_init_module, room, 8, text); }},
    {"finit_module", [] { return call(SYS_finit_module, 0, text, 0); }},
    {"delete_module", [] { return call(SYS_delete_module, text, 0); }},
    {"reboot", [] { return call(SYS_reboot, 0xfee1dead, 0x28121969, 0 /* Ctrl-Alt-Del */, 0); }},
    {"swapoff", [] { return call(SYS_swapoff, text); }},
    {"syslog", [] { return call(SYS_syslog, 3, room, 64); }},
    {"iopl", [] { return call(SYS_iopl, 3); }},
    {"ioperm", [] { return call(SYS_ioperm, 0x80, 1, 1); }},
    {"modify_ldt", [] { return call(SYS_modify_ldt, 0, room, 64); }},
    {"vhangup", [] { return call(SYS_vhangup); }},
    {"sethostname", [] { return call(SYS_sethostname, text, 5); }},
    {"setdomainname", [] { return call(SYS_setdomainname, text, 5); }},
    {"settimeofday",
     [] {
       words[0] = 1;
       return call(SYS_settimeofday, room, 0);
     }},
    {"clock_settime", [] { return call(SYS_clock_settime, 0, room); }},
    {"adjtimex",
     [] {
       words[0] = 0x8001;  // ADJ_OFFSET_SINGLESHOT
       return call(SYS_adjtimex, room);
     }},
    {"fanotify_init", [] { return call(SYS_fanotify_init, 0, 0); }},
    {"fsopen", [] { return call(SYS_fsopen, to_argument("tmpfs"), 0); }},
    {"statmount", [] { return call(457, room, room, 512, 0); }},
    {"listmount",
     [] {
       words[0] = 24;
       words[1] = -1;
       return call(458, room, room, 8, 0);
     }},
    {"mount of proc", [] { return call(SYS_mount, text, text, to_argument("proc"), 0, 0); }},
    {"personality READ_IMPLIES_EXEC", [] { return call(SYS_personality, READ_IMPLIES_EXEC); }},
    {"lookup_dcookie", [] { return call(SYS_lookup_dcookie, 0, room, 64); }},
    {"a call of a later kernel", [] { return call(480, room, room, room); }},
    {"a call by int 0x80",
     [] {
       long result = 20;  // getpid
       __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
       return result;
     }},
    {"a call of x32", [] { return call(0x40000000 | SYS_getpid); }},
};

struct Request {
  const char *name;
  unsigned long number;
};

const Request requests[] = {
    {"TIOCSTI", TIOCSTI},     {"TIOCSTI, upper half set", TIOCSTI | 1ul << 40},
    {"TIOCLINUX", TIOCLINUX}, {"TIOCSETD", TIOCSETD},
    {"TIOCCONS", TIOCCONS},   {"TIOCSCTTY", TIOCSCTTY},
    {"KDSKBENT", 0x4b47},     {"KDSKBSENT", 0x4b49},
    {"VT_ACTIVATE", 0x5606}};

}  // namespace

void try_kernel() {
  for (const Call &entry : calls) attempt("kernel", entry.name, entry.make);
  for (const Request &request : requests) {
    attempt("terminal", request.name, [&] {
      long last = -ENOTTY;
      for (long descriptor = 0; descriptor < 3; ++descriptor) {
        char character[64] = "x";
        last =
            call(SYS_ioctl, descriptor, static_cast<long>(request.number), to_argument(character));
        if (last >= 0) return last;
      }
      return last;
    });
  }
}

}  // namespace plash::escape
