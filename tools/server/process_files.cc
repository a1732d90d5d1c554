// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/process_files.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

#include "tools/server/target.h"

namespace plash::server {
namespace {

thread_local int reply_socket_of_thread = -1;
thread_local bool caller_is_missed = false;

// The caller's ID in its own PID namespace; 0 where it cannot be known.
pid_t caller() {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (reply_socket_of_thread < 0) {
    caller_is_missed = true;
    return 0;
  }
  if (::getsockopt(reply_socket_of_thread, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return 0;
  // An object's end, given for a reply socket, was made by the server.
  if (credentials.pid == ::getpid()) return 0;
  std::ifstream status("/proc/" + std::to_string(credentials.pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, 6, "NSpid:") != 0) continue;
    std::istringstream numbers(line.substr(6));
    pid_t innermost = 0;
    while (numbers >> innermost) continue;
    return innermost;
  }
  return 0;
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The path of a thing in procfs: the mount is attached nowhere, so the kernel's paths begin at it.
std::vector<std::string> components(int file) {
  std::vector<std::string> parts;
  std::istringstream path(kernel_path(file));
  for (std::string part; std::getline(path, part, '/');) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

template <std::size_t count>
bool contains(const std::string_view (&list)[count], std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

// Of the machine: what sizes and versions programs ask for.
constexpr std::string_view machine_files[] = {
    "cpuinfo", "devices",   "filesystems", "loadavg", "meminfo", "misc",
    "stat",    "swaps",     "uptime",      "version", "vmstat",  "partitions",
    "cmdline", "diskstats", "interrupts",  "cgroups",
};
constexpr std::string_view setting_files[] = {
    "fs/file-max",
    "fs/nr_open",
    "fs/pipe-max-size",
    "fs/inotify/max_queued_events",
    "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches",
    "fs/mqueue/msg_max",
    "fs/mqueue/msgsize_max",
    "kernel/cap_last_cap",
    "kernel/hostname",
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/ngroups_max",
    "kernel/osrelease",
    "kernel/ostype",
    "kernel/overflowgid",
    "kernel/overflowuid",
    "kernel/perf_event_paranoid",
    "kernel/pid_max",
    "kernel/random/boot_id",
    "kernel/random/entropy_avail",
    "kernel/random/uuid",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/tainted",
    "kernel/threads-max",
    "kernel/version",
    "kernel/yama/ptrace_scope",
    "net/core/somaxconn",
    "vm/max_map_count",
    "vm/mmap_min_addr",
    "vm/overcommit_memory",
};
// Of a process, or of a thread of it.
constexpr std::string_view process_names[] = {
    "auxv",      "cgroup",    "cmdline",   "comm",          "environ",
    "io",        "limits",    "maps",      "mounts",        "mountinfo",
    "numa_maps", "oom_adj",   "oom_score", "oom_score_adj", "personality",
    "sched",     "schedstat", "smaps",     "smaps_rollup",  "stat",
    "statm",     "status",    "syscall",   "wchan",         "coredump_filter",
    "loginuid",  "sessionid", "uid_map",   "gid_map",       "setgroups",
    "children",
};
// Of the sandbox's first process, whose memory is a copy of the launcher's.
constexpr std::string_view first_process_names[] = {"cmdline", "comm", "stat", "statm", "status"};

bool is_shown(const std::vector<std::string> &parts) {
  if (parts.empty()) return false;
  if (!is_number(parts[0])) {
    if (parts.size() == 1) return contains(machine_files, parts[0]);
    if (parts[0] != "sys") return false;
    std::string name = parts[1];
    for (std::size_t i = 2; i < parts.size(); ++i) name += "/" + parts[i];
    return contains(setting_files, name);
  }
  const bool of_thread = parts.size() == 4 && parts[1] == "task";
  if (parts[0] == "1") {
    return (parts.size() == 2 || of_thread) && contains(first_process_names, parts.back());
  }
  if (parts.size() == 2 || of_thread) return contains(process_names, parts.back());
  if (parts.size() == 3 && parts[1] == "net") return true;
  return parts.size() >= 3 && parts[parts.size() - 2] == "fdinfo";
}

// What a magic link leads to, by the name that the sandbox has for it.
std::variant<std::string, int> name_of_linked(const Directory &directory, int link) {
  // Followed for its path alone, from the root, since a link that is held cannot be followed.
  const std::string path = kernel_path(link);
  const UniqueFd linked(
      ::openat(directory.granted->grant->anchor.get(), path.c_str() + 1, O_PATH | O_CLOEXEC));
  if (!linked) return -errno;
  return name_of(*directory.name_space, linked.get());
}

}  // namespace

CallerOfThread::CallerOfThread(int reply_socket) noexcept
    : before_(reply_socket_of_thread), missed_before_(caller_is_missed) {
  reply_socket_of_thread = reply_socket;
  caller_is_missed = false;
}

CallerOfThread::~CallerOfThread() {
  reply_socket_of_thread = before_;
  caller_is_missed = missed_before_;
}

bool CallerOfThread::was_missed() const noexcept { return caller_is_missed; }

int check_process_file(int file, int flags) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return -errno;
  if (S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode)) return 0;
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0) return -EACCES;
  return is_shown(components(file)) ? 0 : -EACCES;
}

bool is_magic_link(int link) {
  const std::vector<std::string> parts = components(link);
  return parts.size() >= 2 && is_number(parts[0]);
}

std::variant<std::string, int> process_link(const Directory &directory, int link) {
  const std::vector<std::string> parts = components(link);
  if (parts.empty()) return -ENOENT;
  if (parts.size() == 1 && (parts[0] == "self" || parts[0] == "thread-self")) {
    const pid_t process = caller();
    if (process == 0) return -ENOENT;
    const std::string name = std::to_string(process);
    return parts[0] == "self" ? name : name + "/task/" + name;
  }
  auto text = read_link(link, "");
  if (parts.size() < 2 || !is_number(parts[0]) || std::holds_alternative<int>(text)) return text;
  if (parts[0] == "1") return -EACCES;
  const std::string &name = parts.back();
  if (name == "root") return "/";
  // It is a directory object's socket, which only its holder can ask.
  if (name == "cwd") return -EACCES;
  // "pipe:[1234]": not a path.
  if (std::get<std::string>(text).front() != '/') return text;
  auto given = name_of_linked(directory, link);
  // A descriptor is there, even if its file has no name here.
  const bool of_descriptor = parts[parts.size() - 2] == "fd";
  return of_descriptor && std::holds_alternative<int>(given) ? "anon_inode:[not granted]" : given;
}

}  // namespace plash::server
