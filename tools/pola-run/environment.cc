// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/environment.h"

#include <algorithm>

namespace plash::pola_run {

Environment::Environment(const char *const *variables) {
  for (; *variables != nullptr; ++variables) variables_.emplace_back(*variables);
}

std::string Environment::get(const std::string &name) const {
  for (const std::string &variable : variables_) {
    if (variable.starts_with(name + "=")) return variable.substr(name.size() + 1);
  }
  return {};
}

void Environment::set(const std::string &name, const std::string &value) {
  for (std::string &variable : variables_) {
    if (!variable.starts_with(name + "=")) continue;
    variable = name + "=" + value;
    return;
  }
  variables_.push_back(name + "=" + value);
}

void Environment::unset(const std::string &name) {
  std::erase_if(variables_,
                [&](const std::string &variable) { return variable.starts_with(name + "="); });
}

std::vector<char *> Environment::pointers() {
  std::vector<char *> pointers;
  for (std::string &variable : variables_) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace plash::pola_run
