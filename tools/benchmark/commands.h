// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A measuring process takes its orders from standard input, a line each: a command's name and its
// arguments. It answers each with one line on standard output: "ok" and numbers, or "error" and a
// text. So one who drives several such processes, natively and under each mediator, can let them
// measure in turns.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace plash::benchmark {

using Arguments = std::vector<std::string>;
using Numbers = std::vector<double>;
// Throws std::exception where it cannot.
using Commands = std::map<std::string, std::function<Numbers(const Arguments &)>>;

// Obeys until end of file. Arguments are separated by single spaces. Returns the exit status.
int obey(const Commands &commands);

// Argument number index as a number of at least 1; throws std::invalid_argument.
int number(const Arguments &arguments, std::size_t index);

// Nanoseconds that each of count calls took.
template <class F>
Numbers time_calls(int count, F &&call) {
  Numbers times;
  times.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    call();
    const auto end = std::chrono::steady_clock::now();
    times.push_back(static_cast<double>((end - begin).count()));
  }
  return times;
}

// How often a second the threads together make the call, which is told the thread's number, within
// the duration. False from it is a failure: throws std::runtime_error.
double calls_a_second(int threads, std::chrono::milliseconds duration,
                      const std::function<bool(int)> &call);

// Throws std::system_error of errno, or of -result where that is given.
[[noreturn]] void fail(const char *what);
[[noreturn]] void fail(const char *what, long result);

}  // namespace plash::benchmark
