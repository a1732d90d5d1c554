// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The environment that the program gets.
#pragma once

#include <string>
#include <vector>

namespace plash::pola_run {

class Environment {
 public:
  // A copy of variables (NAME=VALUE, NULL-terminated).
  explicit Environment(const char *const *variables);

  // The empty string where there is none.
  std::string get(const std::string &name) const;
  void set(const std::string &name, const std::string &value);
  void unset(const std::string &name);

  // NULL-terminated; valid until the environment is changed or destroyed.
  std::vector<char *> pointers();

 private:
  std::vector<std::string> variables_;
};

}  // namespace plash::pola_run
