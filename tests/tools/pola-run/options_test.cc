// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/options.h"

#include "tests/support/catch.h"
#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

using Words = std::vector<std::string>;

Options parse(const Words &arguments) { return parse_options(arguments, "/start"); }

// With a program, which every command line needs.
Options parse_with_program(Words arguments) {
  arguments.insert(arguments.end(), {"-e", "cmd"});
  return parse(arguments);
}

// The message, after checking that it is an error of usage.
std::string message_of(const Words &arguments, const std::string &directory = "/start") {
  try {
    parse_options(arguments, directory);
  } catch (const Error &error) {
    CHECK(error.status() == ExitStatus::usage);
    return error.what();
  }
  FAIL("was accepted");
  return {};
}

bool is_refused_for(const Words &arguments, const std::string &reason) {
  const std::string message = message_of(arguments);
  INFO(message);
  CHECK(message.find(reason) != std::string::npos);
  return message.find(reason) != std::string::npos;
}

TEST_CASE("-e takes the rest of the line, options and all") {
  const Options options = parse({"-e", "cmd", "-B", "--help", "-e", ""});
  CHECK(options.program == "cmd");
  CHECK(options.arguments == Words{"-B", "--help", "-e", ""});
  CHECK_FALSE(options.default_endowment);
}

TEST_CASE("--prog names the program, and -e then only arguments") {
  CHECK(parse({"--prog", "/bin/a"}).program == "/bin/a");
  const Options options = parse({"--prog=/bin/a", "-a", "one", "-a=two=2", "-e", "three", "four"});
  CHECK(options.program == "/bin/a");
  CHECK(options.arguments == Words{"one", "two=2", "three", "four"});
  CHECK(parse({"--prog=/bin/a", "-e"}).arguments.empty());
}

TEST_CASE("A program is needed, and has a name") {
  CHECK(is_refused_for({}, "no program"));
  CHECK(is_refused_for({"-B"}, "no program"));
  CHECK(is_refused_for({"-e"}, "-e needs an argument"));
  CHECK(is_refused_for({"-e", ""}, "name is empty"));
  CHECK(is_refused_for({"--prog="}, "name is empty"));
  CHECK(is_refused_for({"--prog"}, "--prog needs an argument"));
}

TEST_CASE("-f: flags are glued, the path stands behind a space or =") {
  struct Case {
    Words words;
    server::Rights rights;
    bool follow;
  };
  const Case cases[] = {
      {{"-f", "/p"}, {}, false},
      {{"-f=/p"}, {}, false},
      {{"-fw", "/p"}, {.write = true, .create = true}, false},
      {{"-fw=/p"}, {.write = true, .create = true}, false},
      {{"-fl", "/p"}, {}, true},
      {{"-fwls", "/p"}, {.write = true, .create = true, .symlink = true}, true},
      {{"-f,objrw", "/p"}, {.write = true}, false},
      {{"-f,socket=/p"}, {.connect = true}, false},
      {{"-fl,objrw,socket", "/p"}, {.write = true, .connect = true}, true},
      {{"-fw,objrw", "/p"}, {.write = true, .create = true}, false},
  };
  for (const Case &each : cases) {
    INFO(each.words[0]);
    const Options options = parse_with_program(each.words);
    REQUIRE(options.grants.size() == 1);
    const GrantOption &grant = options.grants[0];
    CHECK(grant.source == "/p");
    CHECK_FALSE(grant.name.has_value());
    CHECK(grant.follow_links == each.follow);
    CHECK(grant.rights.write == each.rights.write);
    CHECK(grant.rights.create == each.rights.create);
    CHECK(grant.rights.symlink == each.rights.symlink);
    CHECK(grant.rights.connect == each.rights.connect);
    CHECK(options.arguments.empty());
  }
}

TEST_CASE("-t: where, then what") {
  for (const Words &words : {Words{"-tw", "/there", "/here"}, Words{"-tw=/there", "/here"}}) {
    const Options options = parse_with_program(words);
    REQUIRE(options.grants.size() == 1);
    CHECK(options.grants[0].source == "/here");
    CHECK(options.grants[0].name == "/there");
    CHECK(options.grants[0].rights.create);
  }
}

TEST_CASE("The flag a makes the path an argument, in order and as it was written") {
  const Options options =
      parse({"-a", "0", "-fa", "p", "-ta", "/dest", "q", "-a=1", "-e", "cmd", "2"});
  CHECK(options.arguments == Words{"0", "p", "/dest", "1", "2"});
}

TEST_CASE("A path may contain = and commas") {
  CHECK(parse_with_program({"-f=/a=b,c"}).grants[0].source == "/a=b,c");
  CHECK(parse_with_program({"-f", "=x"}).grants[0].source == "/start/=x");
}

TEST_CASE("Grants that make no sense are refused by name") {
  CHECK(is_refused_for({"-f"}, "-f needs an argument"));
  CHECK(is_refused_for({"-fw,objrw"}, "-fw,objrw needs an argument"));
  CHECK(is_refused_for({"-t", "/x"}, "-t needs an argument"));
  CHECK(is_refused_for({"-f", ""}, "empty path"));
  CHECK(is_refused_for({"-f="}, "empty path"));
  CHECK(is_refused_for({"-t", "/x", ""}, "empty path"));
  CHECK(is_refused_for({"-fx", "/p"}, "unknown flag 'x' in '-fx'"));
  CHECK(is_refused_for({"-fw,rw", "/p"}, "unknown flag 'rw'"));
  CHECK(is_refused_for({"-fw,", "/p"}, "unknown flag ''"));
  CHECK(is_refused_for({"-fobjrw", "/p"}, "unknown flag 'o'"));
}

TEST_CASE("--cwd changes what relative paths start from, and where the program does") {
  const Options options = parse_with_program({"-f", "a", "--cwd", "in", "-f", "b", "--cwd=/top",
                                              "-f", "c", "--cwd", "deep/er", "-t", "d", "e"});
  CHECK(options.grants[0].source == "/start/a");
  CHECK(options.grants[1].source == "/start/in/b");
  CHECK(options.grants[2].source == "/top/c");
  CHECK(options.grants[3].source == "/top/deep/er/e");
  CHECK(options.grants[3].name == "/top/deep/er/d");
  CHECK(options.working_directory == "/top/deep/er");
  CHECK(options.working_directory_named);
  CHECK(parse_options({"-f", "a", "-e", "cmd"}, "/").grants[0].source == "/a");
}

TEST_CASE("The working directory is the caller's, or none") {
  CHECK(parse_with_program({}).working_directory == "/start");
  CHECK_FALSE(parse_with_program({}).working_directory_named);
  CHECK_FALSE(parse_with_program({"--no-cwd"}).working_directory.has_value());
  const Options options = parse_with_program({"--cwd=/x", "--no-cwd", "--copy-cwd", "-f", "a"});
  CHECK(options.working_directory == "/start");
  CHECK_FALSE(options.working_directory_named);
  CHECK(options.grants[0].source == "/start/a");
  CHECK(is_refused_for({"--cwd="}, "empty path"));
  CHECK(is_refused_for({"--cwd"}, "--cwd needs an argument"));
}

TEST_CASE("A caller without a working directory can use absolute paths") {
  CHECK_FALSE(parse_options({"-f", "/p", "-e", "cmd"}, "").working_directory.has_value());
  CHECK(message_of({"-f", "p"}, "").find("relative path 'p'") != std::string::npos);
  CHECK(message_of({"--cwd", "d"}, "").find("relative path 'd'") != std::string::npos);
}

TEST_CASE("--env") {
  const Options options = parse_with_program({"--env", "A=b=c", "--env=D="});
  const std::vector<std::pair<std::string, std::string>> expected = {{"A", "b=c"}, {"D", ""}};
  CHECK(options.environment == expected);
  CHECK(is_refused_for({"--env", "A"}, "NAME=VALUE, not 'A'"));
  CHECK(is_refused_for({"--env", "=b"}, "NAME=VALUE, not '=b'"));
  CHECK(is_refused_for({"--env=PLASH_CAPS=x"}, "cannot set PLASH_CAPS"));
  CHECK(is_refused_for({"--env"}, "--env needs an argument"));
}

TEST_CASE("--fd") {
  CHECK(parse_with_program({"--fd", "3", "--fd=17"}).descriptors == std::vector<int>{3, 17});
  for (const char *wrong : {"", "x", "3x", "-1", "99999999999", " 3"}) {
    CHECK(is_refused_for({"--fd", wrong}, "'" + std::string(wrong) + "'"));
  }
  CHECK(is_refused_for({"--fd", "1020"}, "taken by the sandbox's services"));
  CHECK(is_refused_for({"--fd=1023"}, "taken by the sandbox's services"));
}

TEST_CASE("--tmp, --tmpdir, --net, -B") {
  const Options options =
      parse_with_program({"--tmp", "--tmpdir", "t", "--tmpdir=/u", "--net", "-B"});
  CHECK(options.temporary_directories == Words{"/tmp", "/start/t", "/u"});
  CHECK(options.network);
  CHECK(options.default_endowment);
  CHECK(is_refused_for({"--tmpdir="}, "empty path"));
  const Options plain = parse_with_program({});
  CHECK(plain.temporary_directories.empty());
  CHECK_FALSE(plain.network);
}

TEST_CASE("--limit") {
  const server::Quota quota = parse_with_program({"--limit", "objects=10", "--limit=calls=20",
                                                  "--limit=bytes=3M", "--limit=threads=1"})
                                  .quota;
  CHECK(quota.max_objects == 10);
  CHECK(quota.max_calls == 20);
  CHECK(quota.max_threads == 1);
  CHECK(quota.max_bytes == 3u << 20);
  CHECK(quota.max_blocked_calls == server::Limits().sandbox.max_blocked_calls);
  CHECK(is_refused_for({"--limit", "objects"}, "NAME=N"));
  CHECK(is_refused_for({"--limit", "sheep=1"}, "'sheep=1'"));
  for (const char *value : {"", "0", "-1", "1x", "1M", "99999999999"}) {
    CHECK(is_refused_for({std::string("--limit=objects=") + value}, "--limit objects"));
  }
  CHECK(is_refused_for({"--limit=bytes=1MM"}, "--limit bytes"));
}

TEST_CASE("--log, --log-file") {
  CHECK_FALSE(parse_with_program({}).log);
  CHECK(parse_with_program({"--log"}).log);
  CHECK(parse_with_program({"--log"}).log_file.empty());
  CHECK(parse_with_program({"--log-file", "l"}).log);
  CHECK(parse_with_program({"--cwd=/d", "--log-file=l"}).log_file == "/d/l");
  CHECK(is_refused_for({"--log-file="}, "empty path"));
}

TEST_CASE("--door and --isolate") {
  CHECK(parse_with_program({}).door == Options::Door::loader);
  CHECK(parse_with_program({"--door=preload"}).door == Options::Door::preload);
  CHECK(parse_with_program({"--door", "loader"}).door == Options::Door::loader);
  CHECK(is_refused_for({"--door=window"}, "--door=window"));
  CHECK(parse_with_program({}).isolation == Options::Isolation::user_namespace);
  CHECK(parse_with_program({"--isolate=userns"}).isolation == Options::Isolation::user_namespace);
  CHECK(parse_with_program({"--isolate", "none"}).isolation == Options::Isolation::none);
  CHECK(is_refused_for({"--isolate=half"}, "--isolate=half"));
}

TEST_CASE("--isolate=landlock takes the loader door and leaves no network") {
  const Options options = parse_with_program({"--isolate=landlock"});
  CHECK(options.isolation == Options::Isolation::landlock);
  CHECK(options.door == Options::Door::loader);
  CHECK(is_refused_for({"--isolate=landlock", "--door=preload", "-e", "true"}, "--door=loader"));
  CHECK(is_refused_for({"--net", "--isolate=landlock", "-e", "true"}, "--net"));
}

TEST_CASE("--help and --version need no program and end the parsing") {
  CHECK(parse({"-h"}).action == Options::Action::help);
  CHECK(parse({"-B", "--help", "--nonsense"}).action == Options::Action::help);
  CHECK(parse({"--version"}).action == Options::Action::version);
}

TEST_CASE("What is not an option is refused by name") {
  CHECK(is_refused_for({"--nonsense"}, "unknown option '--nonsense'"));
  CHECK(is_refused_for({"--nonsense=x"}, "unknown option '--nonsense=x'"));
  CHECK(is_refused_for({"-x"}, "unknown option '-x'"));
  CHECK(is_refused_for({"-Bx"}, "unknown option '-Bx'"));
  CHECK(is_refused_for({"-"}, "unknown option '-'"));
  CHECK(is_refused_for({"ls"}, "unexpected argument 'ls'"));
  CHECK(is_refused_for({""}, "unexpected argument ''"));
  CHECK(is_refused_for({"--net=x"}, "--net takes no value"));
}

TEST_CASE("Options of the original that are not there say so") {
  CHECK(is_refused_for({"--x11"}, "--x11 is not supported"));
  CHECK(is_refused_for({"--powerbox"}, "--powerbox is not supported"));
  CHECK(is_refused_for({"--pet-name", "n"}, "--pet-name is not supported"));
}

TEST_CASE("The usage text names every option") {
  for (const char *option :
       {"--prog",   "-a ",        "-e ",    "--cwd",     "--copy-cwd", "--no-cwd",
        "--env",    "--fd",       "-f[",    "-t[",       "-B",         "--tmp,",
        "--tmpdir", "--net",      "--door", "--isolate", "--explain",  "--share-terminal",
        "--log,",   "--log-file", "--help", "--version", "--limit",    "--no-file-capabilities"}) {
    INFO(option);
    CHECK(usage_text().find(option) != std::string_view::npos);
  }
}

}  // namespace
}  // namespace plash::pola_run
