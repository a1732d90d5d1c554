// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The lookup of execve: permissions, #! lines, the ELF interpreter.
#include <sys/wait.h>

#include <vector>

#include "tests/tools/server/fixture.h"

using namespace plash;
using namespace plash::testing;

namespace {

using Strings = std::vector<std::string>;

struct Executable {
  long error = 0;
  UniqueFd file;
  Strings prefix;
  std::string interpreter;
};

Executable lookup(const Client &client, const std::string &path, int base = -1,
                  std::uint64_t flags = 0, std::size_t room = 8192) {
  methods::Exec::Request request;
  request.base = base;
  request.path = bytes(path);
  request.flags = flags;
  request.size = room;
  methods::Exec::Reply reply;
  std::vector<char> buffer(room);
  Executable found;
  found.error = invoke<methods::Exec>(client.fs_op(), request, reply, {buffer.data(), room});
  if (found.error != 0) return found;
  found.file.reset(reply.file);
  const char *at = reply.prefix.data;
  for (std::uint64_t i = 0; i < reply.prefix_count; ++i) {
    found.prefix.emplace_back(at);
    at += found.prefix.back().size() + 1;
  }
  CHECK(at == reply.prefix.data + reply.prefix.size);
  found.interpreter.assign(reply.interpreter.data, reply.interpreter.size);
  return found;
}

struct Programs {
  Programs() : running(scratch) {
    std::filesystem::copy_file("/bin/true", scratch.path("r/true"));
    running.name_space->grant("/bin/true", "/bin/true", {});
  }
  void script(const std::string &name, const std::string &text, unsigned mode = 0755) const {
    scratch.write("r/" + name, text);
    ::chmod(scratch.path("r/" + name).c_str(), mode);
  }
  Scratch scratch;
  Running running;
};

}  // namespace

TEST_CASE("a program comes with its ELF interpreter") {
  Programs programs;
  programs.script("data", "just text");
  const Client client = programs.running.start();
  const Executable found = lookup(client, "/r/true");
  REQUIRE(found.error == 0);
  CHECK(found.prefix.empty());
  CHECK(found.interpreter.find("ld-linux") != std::string::npos);
  char start[4] = {};
  CHECK(::pread(found.file.get(), start, 4, 0) == 4);
  CHECK(std::string(start, 4) == "\177ELF");
  const Executable text = lookup(client, "/r/data");
  CHECK(text.error == 0);
  CHECK(text.interpreter.empty());
}

TEST_CASE("what cannot be executed is refused as execve(2) does") {
  Programs programs;
  programs.script("plain", "#!/bin/true\n", 0644);
  programs.script("lost", "#!/none\n");
  programs.script("blank", "#! \n");
  programs.scratch.make_directory("r/dir");
  programs.scratch.link("r/link", "true");
  const Client client = programs.running.start();
  CHECK(lookup(client, "/r/plain").error == -EACCES);
  CHECK(lookup(client, "/r/dir").error == -EACCES);
  CHECK(lookup(client, "/none").error == -ENOENT);
  CHECK(lookup(client, "/r/lost").error == -ENOENT);
  CHECK(lookup(client, "/r/blank").error == -ENOEXEC);
  CHECK(lookup(client, "/r/link").error == 0);
  CHECK(lookup(client, "/r/link", -1, AT_SYMLINK_NOFOLLOW).error == -ELOOP);
  CHECK(lookup(client, "/r/true", -1, 0, 3).error == -E2BIG);
}

TEST_CASE("#! lines are read as the kernel reads them") {
  Programs programs;
  programs.script("plain", "#!/bin/true\nrest");
  programs.script("spaces", "#! \t /bin/true  one two \t \n");
  programs.script("end", "#!/bin/true x");
  programs.script("nested", "#!/r/spaces inner\n");
  programs.script("relative", "#!true\n");
  const Client client = programs.running.start();
  CHECK(lookup(client, "/r/plain").prefix == Strings{"/bin/true"});
  CHECK(lookup(client, "/r/spaces").prefix == Strings{"/bin/true", "one two"});
  CHECK(lookup(client, "/r/end").prefix == Strings{"/bin/true", "x"});
  CHECK(lookup(client, "/r/nested").prefix ==
        Strings{"/bin/true", "one two", "/r/spaces", "inner"});
  const UniqueFd directory = client.open_directory("/r");
  CHECK(lookup(client, "relative", directory.get()).prefix == Strings{"true"});
  CHECK(lookup(client, "/r/plain").interpreter.find("ld-linux") != std::string::npos);
}

TEST_CASE("a chain of interpreters ends where the kernel ends it") {
  Programs programs;
  programs.script("1", "#!/bin/true\n");
  for (int i = 2; i <= 6; ++i)
    programs.script(std::to_string(i), "#!/r/" + std::to_string(i - 1) + "\n");
  const Client client = programs.running.start();
  CHECK(lookup(client, "/r/5").error == 0);
  CHECK(lookup(client, "/r/6").error == -ELOOP);
}

TEST_CASE("a descriptor can be executed") {
  Programs programs;
  const Client client = programs.running.start();
  const UniqueFd file(static_cast<int>(client.open("/r/true", O_PATH)));
  CHECK(lookup(client, "", file.get(), AT_EMPTY_PATH).error == 0);
  const UniqueFd directory = client.open_directory("/r");
  CHECK(lookup(client, "", directory.get(), AT_EMPTY_PATH).error == -EACCES);
}

TEST_CASE("what was written a moment ago can be executed at once") {
  Programs programs;
  const std::string text = contents(UniqueFd(::open("/bin/true", O_RDONLY | O_CLOEXEC)).get());
  const Client client = programs.running.start();
  for (int i = 0; i < 300; ++i) {
    {
      const UniqueFd file(
          static_cast<int>(client.open("/w/program", O_WRONLY | O_CREAT | O_TRUNC, 0755)));
      REQUIRE(file);
      REQUIRE(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    const Executable found = lookup(client, "/w/program");
    REQUIRE(found.error == 0);
    char name[] = "program";
    char *const arguments[] = {name, nullptr};
    char *const environment[] = {nullptr};
    const pid_t child = ::fork();
    if (child == 0) {
      ::fexecve(found.file.get(), arguments, environment);
      ::_exit(errno == ETXTBSY ? 100 : 101);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
  }
}
