// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Parsed by hand: what an option means depends on those before it (--cwd), -f and -t carry glued
// flags with commas and an optional "=P" behind them, -t takes two arguments and -e all that are
// left. getopt_long and CLI11 can express none of these without being given every option as raw
// text.
#include "tools/pola-run/options.h"

#include <charconv>
#include <functional>
#include <map>

#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

[[noreturn]] void fail(const std::string &message) {
  throw Error(ExitStatus::usage, message + " (pola-run --help lists the options)");
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

// Descriptors that the sandbox's services use (PLASH_CAPS).
constexpr int first_service_descriptor = 1020;
constexpr int last_service_descriptor = 1023;

class Parser {
 public:
  Parser(const std::vector<std::string> &arguments, const std::string &initial_directory)
      : arguments_(arguments), initial_directory_(initial_directory) {
    copy_directory();
  }

  Options parse() {
    while (next_ < arguments_.size() && options_.action == Options::Action::run) parse_one();
    if (options_.action == Options::Action::run && options_.program.empty()) {
      fail("no program: --prog F or -e CMD is needed");
    }
    if (options_.isolation == Options::Isolation::landlock) check_landlock();
    return std::move(options_);
  }

 private:
  struct LongOption {
    bool takes_value;
    std::function<void(Parser &, const std::string &value)> apply;
  };
  static const std::map<std::string, LongOption, std::less<>> long_options;

  void parse_one() {
    const std::string &argument = arguments_[next_++];
    if (argument.starts_with("--")) return parse_long(argument);
    if (argument == "-h") return set_action(Options::Action::help);
    if (argument == "-B") {
      options_.default_endowment = true;
    } else if (argument == "-e") {
      parse_command();
    } else if (argument == "-a" || argument.starts_with("-a=")) {
      options_.arguments.push_back(argument == "-a" ? value_of("-a") : argument.substr(3));
    } else if (argument.starts_with("-f") || argument.starts_with("-t")) {
      parse_grant(argument);
    } else if (argument.starts_with("-")) {
      fail("unknown option " + quoted(argument));
    } else {
      fail("unexpected argument " + quoted(argument) + ": a program is given with --prog or -e");
    }
  }

  void parse_long(const std::string &argument) {
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const auto found = long_options.find(name);
    if (found == long_options.end()) fail("unknown option " + quoted(argument));
    std::string value;
    if (found->second.takes_value) {
      value = equals == std::string::npos ? value_of(name) : argument.substr(equals + 1);
    } else if (equals != std::string::npos) {
      fail(name + " takes no value, as in " + quoted(argument));
    }
    found->second.apply(*this, value);
  }

  std::string value_of(const std::string &option) {
    if (next_ == arguments_.size()) fail(option + " needs an argument");
    return arguments_[next_++];
  }

  void set_action(Options::Action action) { options_.action = action; }

  void set_program(const std::string &program) {
    if (program.empty()) fail("the program's name is empty");
    options_.program = program;
  }

  void parse_command() {
    if (options_.program.empty()) set_program(value_of("-e"));
    while (next_ < arguments_.size()) options_.arguments.push_back(arguments_[next_++]);
  }

  // -f[awls][,objrw][,socket] P, -t[...] DEST SRC; in both, "=" may stand for the first space.
  void parse_grant(const std::string &argument) {
    const std::size_t equals = argument.find('=');
    const std::string option = argument.substr(0, equals);
    GrantOption grant;
    const bool append = parse_flags(option, grant);
    const std::string first =
        equals == std::string::npos ? value_of(option) : argument.substr(equals + 1);
    const bool named = option[1] == 't';
    const std::string source = named ? value_of(option) : first;
    if (first.empty() || source.empty()) fail(option + " was given an empty path");
    grant.source = absolute(source);
    if (named) grant.name = absolute(first);
    options_.grants.push_back(std::move(grant));
    if (append) options_.arguments.push_back(first);
  }

  // Returns whether the path is to become an argument too.
  static bool parse_flags(const std::string &option, GrantOption &grant) {
    const std::size_t comma = option.find(',');
    bool append = false;
    for (const char letter : option.substr(2, comma - 2)) {
      switch (letter) {
        case 'a':
          append = true;
          break;
        case 'w':
          grant.rights.write = grant.rights.create = true;
          break;
        case 'l':
          grant.follow_links = true;
          break;
        case 's':
          grant.rights.symlink = true;
          break;
        default:
          fail("unknown flag " + quoted(std::string(1, letter)) + " in " + quoted(option) +
               ": the flags are a, w, l, s, ',objrw' and ',socket'");
      }
    }
    for (std::size_t start = comma; start != std::string::npos;) {
      const std::size_t end = option.find(',', ++start);
      const std::string word = option.substr(start, end - start);
      if (word == "objrw") {
        grant.rights.write = true;
      } else if (word == "socket") {
        grant.rights.connect = true;
      } else {
        fail("unknown flag " + quoted(word) + " in " + quoted(option) +
             ": after a comma stand 'objrw' and 'socket'");
      }
      start = end;
    }
    return append;
  }

  std::string absolute(const std::string &path) const {
    if (path.starts_with("/")) return path;
    if (directory_.empty()) {
      fail("relative path " + quoted(path) + ": the working directory has no name");
    }
    return (directory_ == "/" ? "" : directory_) + "/" + path;
  }

  void set_directory(const std::string &path) {
    if (path.empty()) fail("--cwd was given an empty path");
    directory_ = absolute(path);
    options_.working_directory = directory_;
    options_.working_directory_named = true;
  }

  void copy_directory() {
    directory_ = initial_directory_;
    options_.working_directory.reset();
    if (!initial_directory_.empty()) options_.working_directory = initial_directory_;
    options_.working_directory_named = false;
  }

  void add_temporary_directory(const std::string &path) {
    if (path.empty()) fail("--tmpdir was given an empty path");
    options_.temporary_directories.push_back(absolute(path));
  }

  void set_variable(const std::string &text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail("--env needs NAME=VALUE, not " + quoted(text));
    }
    const std::string name = text.substr(0, equals);
    if (name == "PLASH_CAPS") fail("--env cannot set PLASH_CAPS: it names the sandbox's services");
    options_.environment.emplace_back(name, text.substr(equals + 1));
  }

  void add_descriptor(const std::string &text) {
    int number = -1;
    const char *const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || number < 0) {
      fail("--fd needs the number of a file descriptor, not " + quoted(text));
    }
    if (number >= first_service_descriptor && number <= last_service_descriptor) {
      fail("--fd " + text + ": 1020 to 1023 are taken by the sandbox's services");
    }
    options_.descriptors.push_back(number);
  }

  // NAME=N; bytes may be followed by K, M or G.
  void set_limit(const std::string &text) {
    static const std::map<std::string, std::size_t server::Quota::*, std::less<>> names = {
        {"objects", &server::Quota::max_objects},
        {"calls", &server::Quota::max_calls},
        {"threads", &server::Quota::max_threads},
        {"waiting", &server::Quota::max_blocked_calls},
        {"messages", &server::Quota::max_assemblies},
        {"bytes", &server::Quota::max_bytes},
        {"descriptors", &server::Quota::max_descriptors},
        {"sessions", &server::Quota::max_sessions},
    };
    const std::size_t equals = text.find('=');
    const auto found = names.find(text.substr(0, equals));
    if (equals == std::string::npos || found == names.end()) {
      fail("--limit needs NAME=N, not " + quoted(text) +
           ": the names are objects, calls, threads, waiting, messages, bytes, descriptors and "
           "sessions");
    }
    const char *const end = text.data() + text.size();
    std::uint32_t number = 0;
    auto [stop, error] = std::from_chars(text.data() + equals + 1, end, number);
    unsigned shift = 0;
    if (error == std::errc{} && stop == end - 1 && found->first == "bytes") {
      shift = *stop == 'K' ? 10 : *stop == 'M' ? 20 : *stop == 'G' ? 30 : 0;
      if (shift != 0) ++stop;
    }
    if (error != std::errc{} || stop != end || number == 0) {
      fail("--limit " + found->first + " needs a number from 1, not " +
           quoted(text.substr(equals + 1)));
    }
    options_.quota.*found->second = std::size_t{number} << shift;
  }

  void set_log_file(const std::string &path) {
    if (path.empty()) fail("--log-file was given an empty path");
    options_.log = true;
    options_.log_file = absolute(path);
  }

  void set_door(const std::string &name) {
    if (name == "preload") {
      options_.door = Options::Door::preload;
    } else if (name == "loader") {
      options_.door = Options::Door::loader;
    } else if (name == "glibc") {
      options_.door = Options::Door::glibc;
    } else {
      fail("--door=" + name + ": the doors are 'preload', 'loader' and 'glibc'");
    }
  }

  void set_glibc(const std::string &directory) {
    if (directory.empty()) fail("--glibc was given an empty path");
    options_.glibc = absolute(directory);
  }

  void set_isolation(const std::string &name) {
    if (name == "userns") {
      options_.isolation = Options::Isolation::user_namespace;
    } else if (name == "landlock") {
      options_.isolation = Options::Isolation::landlock;
    } else if (name == "none") {
      options_.isolation = Options::Isolation::none;
    } else {
      fail("--isolate=" + name + ": it is 'userns', 'landlock' or 'none'");
    }
  }

  // Its system call filter refuses every path to the kernel, which opens libraries for the preload
  // door, and cannot tell connect(2) to a host from one to a path.
  void check_landlock() {
    if (options_.door != Options::Door::loader) {
      fail("--isolate=landlock works with --door=loader alone");
    }
    if (options_.network) fail("--isolate=landlock leaves no network: --net cannot be given");
  }

  const std::vector<std::string> &arguments_;
  const std::string initial_directory_;
  std::string directory_;  // what relative paths start from
  std::size_t next_ = 0;
  Options options_;
};

// Options of the original that this version does not have.
auto unsupported(const char *name) {
  return [name](Parser &, const std::string &) { fail(std::string(name) + " is not supported"); };
}

const std::map<std::string, Parser::LongOption, std::less<>> Parser::long_options = {
    {"--prog", {true, &Parser::set_program}},
    {"--cwd", {true, &Parser::set_directory}},
    {"--no-cwd",
     {false,
      [](Parser &parser, const std::string &) {
        parser.options_.working_directory.reset();
        parser.options_.working_directory_named = false;
      }}},
    {"--copy-cwd", {false, [](Parser &parser, const std::string &) { parser.copy_directory(); }}},
    {"--env", {true, &Parser::set_variable}},
    {"--fd", {true, &Parser::add_descriptor}},
    {"--tmp",
     {false, [](Parser &parser, const std::string &) { parser.add_temporary_directory("/tmp"); }}},
    {"--tmpdir", {true, &Parser::add_temporary_directory}},
    {"--net", {false, [](Parser &parser, const std::string &) { parser.options_.network = true; }}},
    {"--no-file-capabilities",
     {false,
      [](Parser &parser, const std::string &) { parser.options_.keep_file_capabilities = false; }}},
    {"--limit", {true, &Parser::set_limit}},
    {"--share-terminal",
     {false, [](Parser &parser, const std::string &) { parser.options_.shares_terminal = true; }}},
    {"--explain",
     {false, [](Parser &parser, const std::string &) { parser.options_.explain = true; }}},
    {"--log", {false, [](Parser &parser, const std::string &) { parser.options_.log = true; }}},
    {"--log-file", {true, &Parser::set_log_file}},
    {"--door", {true, &Parser::set_door}},
    {"--glibc", {true, &Parser::set_glibc}},
    {"--isolate", {true, &Parser::set_isolation}},
    {"--help",
     {false,
      [](Parser &parser, const std::string &) { parser.set_action(Options::Action::help); }}},
    {"--version",
     {false,
      [](Parser &parser, const std::string &) { parser.set_action(Options::Action::version); }}},
    {"--x11", {false, unsupported("--x11")}},
    {"--powerbox", {false, unsupported("--powerbox")}},
    {"--pet-name", {true, unsupported("--pet-name")}},
};

}  // namespace

Options parse_options(const std::vector<std::string> &arguments,
                      const std::string &initial_directory) {
  return Parser(arguments, initial_directory).parse();
}

}  // namespace plash::pola_run
