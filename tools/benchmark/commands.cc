// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/benchmark/commands.h"

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace plash::benchmark {

int obey(const Commands &commands) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    Arguments arguments;
    for (std::string word; std::getline(words, word, ' ');) arguments.push_back(word);
    try {
      if (arguments.empty()) throw std::invalid_argument("an empty line");
      const auto command = commands.find(arguments[0]);
      if (command == commands.end()) throw std::invalid_argument("no command " + arguments[0]);
      const Numbers answer = command->second(arguments);
      std::printf("ok");
      for (const double value : answer) std::printf(" %.9g", value);
      std::printf("\n");
    } catch (const std::exception &error) {
      std::printf("error %s: %s\n", line.c_str(), error.what());
    }
    if (std::fflush(stdout) != 0) return 1;
  }
  return 0;
}

int number(const Arguments &arguments, std::size_t index) {
  if (index >= arguments.size()) throw std::invalid_argument("an argument is missing");
  const int value = std::stoi(arguments[index]);
  if (value < 1) throw std::invalid_argument("not a count: " + arguments[index]);
  return value;
}

void fail(const char *what) { throw std::system_error(errno, std::generic_category(), what); }

void fail(const char *what, long result) {
  throw std::system_error(static_cast<int>(-result), std::generic_category(), what);
}

}  // namespace plash::benchmark
