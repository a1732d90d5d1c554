// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/call_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "tools/pola-run/error.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {

std::function<void(const std::string &line)> open_log(const Options &options) {
  if (!options.log) return {};
  auto file = std::make_shared<UniqueFd>();
  if (!options.log_file.empty()) {
    const char *const path = options.log_file.c_str();
    file->reset(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    if (!*file)
      throw Error(ExitStatus::usage, "cannot write to the log '" + options.log_file + "'", errno);
  }
  return [file](const std::string &line) {
    const std::string text = "pola-run: " + line + "\n";
    const int descriptor = *file ? file->get() : STDERR_FILENO;
    [[maybe_unused]] const ssize_t written = ::write(descriptor, text.data(), text.size());
  };
}

std::string describe_root(const std::vector<RootEntry> &entries) {
  std::string line = "the kernel itself shows the sandbox, read-only,";
  for (const RootEntry &entry : entries) line += " " + entry.path;
  return line + " and nothing else: no /proc, no /dev";
}

}  // namespace plash::pola_run
