// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/benchmark/commands.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

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

double calls_a_second(int thread_count, std::chrono::milliseconds duration,
                      const std::function<bool(int)> &call) {
  std::atomic<bool> go = false, stop = false;
  std::atomic<long> total = 0, failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) {
    threads.emplace_back([&, i] {
      go.wait(false);
      long done = 0;
      for (; !stop.load(std::memory_order_relaxed); ++done) {
        if (!call(i)) ++failed;
      }
      total += done;
    });
  }
  const auto begin = std::chrono::steady_clock::now();
  go = true;
  go.notify_all();
  std::this_thread::sleep_for(duration);
  stop = true;
  for (std::thread &thread : threads) thread.join();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  if (failed != 0) throw std::runtime_error("a call failed in a thread");
  return static_cast<double>(total) / taken.count();
}

void fail(const char *what) { throw std::system_error(errno, std::generic_category(), what); }

void fail(const char *what, long result) {
  throw std::system_error(static_cast<int>(-result), std::generic_category(), what);
}

}  // namespace plash::benchmark
