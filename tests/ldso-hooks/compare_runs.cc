// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs each case of a program natively and in the sandbox, each time in a fresh scratch directory
// with the same contents, and compares what it printed and how it ended.
//
//   compare-runs PROGRAM LAUNCHER...     the launcher's words, to be followed by the program's; {}
//   in them stands for the directory
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace fs = std::filesystem;

namespace {

constexpr unsigned time_limit_seconds = 60;

struct Outcome {
  std::string output;
  int status = 0;
  bool operator==(const Outcome &) const = default;
};

void write_file(const fs::path &path, const std::string &contents, fs::perms permissions) {
  std::ofstream(path) << contents;
  fs::permissions(path, permissions);
}

class ScratchDirectory {
 public:
  explicit ScratchDirectory(const fs::path &program) {
    std::string name = (fs::temp_directory_path() / "plash-pitfalls-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      throw std::system_error(errno, std::generic_category(), name);
    path_ = name;
    constexpr auto plain = static_cast<fs::perms>(0644);
    constexpr auto executable = static_cast<fs::perms>(0755);
    write_file(path_ / "file", "contents\n", plain);
    write_file(path_ / "garbage", "\x01\x02 no program\n", executable);
    write_file(path_ / "script", "#!/bin/sh\necho \"script $0 $#: $*\"\nexit 3\n", executable);
    write_file(path_ / "script-with-argument", "#! /bin/sh -eu \necho \"script $0 $#: $* $-\"\n",
               executable);
    write_file(path_ / "script-of-script", "#!./script first second\n", executable);
    write_file(path_ / "script-without-interpreter", "#!/missing/interpreter\n", executable);
    fs::create_directory(path_ / "directory");
    write_file(path_ / "directory" / "inner", "inner\n", plain);
    fs::copy_file(program, path_ / "program");
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path &path() const { return path_; }

 private:
  fs::path path_;
};

std::string read_all(int descriptor) {
  std::string text;
  char buffer[4096];
  for (long size; (size = read(descriptor, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

Outcome run(const fs::path &directory, std::vector<std::string> words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  const pid_t child = fork();
  if (child == 0) {
    alarm(time_limit_seconds);
    setpgid(0, 0);
    if (chdir(directory.c_str()) != 0) _exit(126);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    close_range(3, ~0u, 0);
    std::vector<char *> arguments;
    for (auto &word : words) {
      if (word == "{}") word = directory;
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(ends[1]);
  Outcome outcome;
  outcome.output = read_all(ends[0]);
  close(ends[0]);
  waitpid(child, &outcome.status, 0);
  kill(-child, SIGKILL);
  return outcome;
}

std::vector<std::string> cases_of(const fs::path &program) {
  std::istringstream lines(run("/", {program}).output);
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  return names;
}

bool same(const fs::path &program, const std::string &name,
          const std::vector<std::string> &launcher) {
  const std::vector<std::string> command = {"./program", name};
  std::vector<std::string> boxed = launcher;
  boxed.insert(boxed.end(), command.begin(), command.end());
  const ScratchDirectory native_directory(program);
  const ScratchDirectory boxed_directory(program);
  const Outcome native = run(native_directory.path(), command);
  const Outcome outcome = run(boxed_directory.path(), boxed);
  if (native.output.empty()) {
    std::cout << "not ok: " << name << " printed nothing natively\n";
    return false;
  }
  if (native == outcome) return true;
  std::cout << "not ok: " << name << "\nnatively, status " << native.status << ":\n"
            << native.output << "in the sandbox, status " << outcome.status << ":\n"
            << outcome.output << '\n';
  return false;
}

}  // namespace

int main(int count, char **arguments) {
  if (count < 3) {
    std::cerr << "usage: compare-runs PROGRAM LAUNCHER...\n";
    return 2;
  }
  const fs::path program = fs::absolute(arguments[1]);
  std::vector<std::string> launcher(arguments + 2, arguments + count);
  launcher[0] = fs::absolute(launcher[0]);
  const char *only = std::getenv("CASE");
  int failed = 0;
  int total = 0;
  for (const std::string &name : cases_of(program)) {
    if (only != nullptr && name != only) continue;
    ++total;
    if (!same(program, name, launcher)) ++failed;
  }
  std::cout << total << " cases, " << failed << " differ\n";
  return failed == 0 && total != 0 ? 0 : 1;
}
