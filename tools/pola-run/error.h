// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What ends pola-run before, or instead of, the program.
#pragma once

#include <stdexcept>
#include <string>

namespace plash::pola_run {

// Exit statuses of pola-run's own; any other is the program's.
enum class ExitStatus {
  usage = 2,             // the command line: nothing was run
  failure = 125,         // the sandbox could not be set up: nothing was run
  cannot_execute = 126,  // the program was found but could not be executed
  not_found = 127,       // the program was not found
};

class Error : public std::runtime_error {
 public:
  Error(ExitStatus status, const std::string &message)
      : std::runtime_error(message), status_(status) {}
  // "message: text of error_number".
  Error(ExitStatus status, const std::string &message, int error_number);

  ExitStatus status() const { return status_; }

 private:
  ExitStatus status_;
};

}  // namespace plash::pola_run
