// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/program.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string_view>

#include "ldso-hooks/loader/service_descriptors.h"
#include "protocol/call.h"
#include "shim/engine/engine.h"
#include "shim/engine/state.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {
namespace {

using loader::loader_descriptor;

// As the C library has it where PATH is not set.
constexpr char default_path[] = "/bin:/usr/bin";

void place(int descriptor, int number) {
  if (descriptor == number) {
    ::fcntl(descriptor, F_SETFD, 0);
  } else {
    ::dup3(descriptor, number, 0);
  }
}

// All but those of the program close at exec; until then the control socket is needed to say what
// went wrong.
void arrange_descriptors(const Program &program, std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned first = 0;
  for (const int descriptor : kept) {
    const unsigned number = static_cast<unsigned>(descriptor);
    if (number > first) ::close_range(first, number - 1, CLOSE_RANGE_CLOEXEC);
    first = number + 1;
  }
  ::close_range(first, ~0u, CLOSE_RANGE_CLOEXEC);
  for (const int descriptor : program.descriptors) ::fcntl(descriptor, F_SETFD, 0);
}

std::string service_names(const Program &program) {
  std::string names = "fs_op=" + std::to_string(fs_op_descriptor);
  if (program.cwd >= 0) names += ";cwd=" + std::to_string(cwd_descriptor);
  return names;
}

// Returns the errno. The engine makes the file server look path up, and the kernel execute what it
// answers with.
int try_execute(const std::string &path, char **arguments, char **environment) {
  const long result = plash_syscall(__NR_execve, reinterpret_cast<long>(path.c_str()),
                                    reinterpret_cast<long>(arguments),
                                    reinterpret_cast<long>(environment), 0, 0, 0);
  return static_cast<int>(-result);
}

// As far as it can be read; a program that can only be executed may be one.
bool is_elf(const UniqueFd &file) {
  char magic[SELFMAG] = {};
  const ssize_t size = ::pread(file.get(), magic, sizeof magic, 0);
  return size < 0 || std::string_view(magic, sizeof magic) == ELFMAG;
}

// The same for the loader door: the server is asked whether path can be executed, then the loader
// is executed, which makes path the first program.
int try_load(const std::string &path, char **arguments, std::vector<char *> environment) {
  methods::Exec::Request request;
  request.path = {path.data(), path.size()};
  if (!path.starts_with('/')) request.base = cwd_descriptor;
  std::vector<char> strings(std::size_t{16} * 1024);
  request.size = strings.size();
  methods::Exec::Reply reply;
  const long error =
      invoke<methods::Exec>(fs_op_descriptor, request, reply, {strings.data(), strings.size()});
  if (error != 0) return static_cast<int>(-error);
  const UniqueFd file(reply.file);
  // By now the kernel would have said so; the loader can only give up.
  if (!is_elf(file)) return ENOEXEC;
  std::string variable = "PLASH_LOADER=" + path;
  environment.insert(environment.end() - 1, variable.data());
  ::syscall(SYS_execveat, loader_descriptor, "", arguments, environment.data(), AT_EMPTY_PATH);
  return errno;
}

using Execution = std::function<int(const std::string &path)>;

// As execvp(3), but that a file of unknown format is not given to a shell.
int look_up_and_execute(const std::string &name, const std::string &search_path,
                        const Execution &try_path) {
  if (name.find('/') != std::string::npos) return try_path(name);
  int result = ENOENT;
  for (std::size_t start = 0; start <= search_path.size();) {
    const std::size_t end = std::min(search_path.find(':', start), search_path.size());
    const std::string directory = search_path.substr(start, end - start);
    const int error = try_path(directory.empty() ? name : directory + "/" + name);
    if (error == EACCES) {
      result = EACCES;
    } else if (error != ENOENT && error != ENOTDIR) {
      return error;
    }
    start = end + 1;
  }
  return result;
}

}  // namespace

int execute(Program &program) {
  std::vector<int> kept = program.descriptors;
  place(program.fs_op, fs_op_descriptor);
  kept.push_back(fs_op_descriptor);
  if (program.cwd >= 0) {
    place(program.cwd, cwd_descriptor);
    kept.push_back(cwd_descriptor);
  }
  if (program.loader >= 0) {
    place(program.loader, loader_descriptor);
    kept.push_back(loader_descriptor);
  } else {
    program.environment.set("PLASH_CAPS", service_names(program));
  }
  arrange_descriptors(program, std::move(kept));

  std::string search_path = program.environment.get("PATH");
  if (search_path.empty()) search_path = default_path;
  std::vector<char *> environment = program.environment.pointers();
  std::vector<char *> arguments;
  for (std::string &argument : program.arguments) arguments.push_back(argument.data());
  arguments.push_back(nullptr);

  if (program.child_signal_ignored) ::signal(SIGCHLD, SIG_IGN);
  ::sigprocmask(SIG_SETMASK, &program.signal_mask, nullptr);
  if (program.loader >= 0) {
    return look_up_and_execute(program.name, search_path, [&](const std::string &path) {
      return try_load(path, arguments.data(), environment);
    });
  }
  engine::Hooks hooks;
  hooks.check_program = program.program_check;
  engine::set_hooks(hooks);
  plash_setup(environment.data(), false);
  return look_up_and_execute(program.name, search_path, [&](const std::string &path) {
    return try_execute(path, arguments.data(), environment.data());
  });
}

}  // namespace plash::pola_run
