// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: escape [reach] NAME=VALUE...
// With "reach" only what harms nothing but the files and sockets that are named, to be tried
// outside of a sandbox. Tries ways out of the sandbox that it runs in, and prints how each ended.
// Exit status: 0 where none gained anything, 1 otherwise.
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

bool set(const std::string &name, const std::string &value) {
  const struct {
    const char *name;
    std::string *text;
    long *number;
  } fields[] = {{"granted", &outside.granted, nullptr},
                {"directory", &outside.directory, nullptr},
                {"secret", &outside.secret, nullptr},
                {"missing", &outside.missing, nullptr},
                {"socket", &outside.socket, nullptr},
                {"datagrams", &outside.datagrams, nullptr},
                {"abstract", &outside.abstract, nullptr},
                {"queue", &outside.queue, nullptr},
                {"process", nullptr, &outside.process},
                {"port", nullptr, &outside.port},
                {"udp-port", nullptr, &outside.udp_port},
                {"key", nullptr, &outside.key},
                {"shared-memory", nullptr, &outside.shared_memory},
                {"semaphores", nullptr, &outside.semaphores},
                {"messages", nullptr, &outside.messages}};
  for (const auto &field : fields) {
    if (name != field.name) continue;
    if (field.text != nullptr) *field.text = value;
    if (field.number != nullptr) *field.number = std::strtol(value.c_str(), nullptr, 10);
    return true;
  }
  return false;
}

bool reach_only;

void try_all() {
  try_paths();
  if (reach_only) {
    try_sockets();
    try_communication();
    return;
  }
  try_magic_links();
  try_descriptors();
  try_processes();
  try_privileges();
  try_sockets();
  try_communication();
  try_kernel();
  try_every_number();
}

}  // namespace
}  // namespace plash::escape

int main(int count, char **arguments) {
  using namespace plash::escape;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "reach") {
      reach_only = true;
      continue;
    }
    const auto equals = argument.find('=');
    if (equals == std::string::npos ||
        !set(argument.substr(0, equals), argument.substr(equals + 1))) {
      std::fprintf(stderr, "usage: see main.cc\n");
      return 2;
    }
  }
  // Sent to all processes that can be reached.
  ::signal(SIGCONT, SIG_IGN);
  const bool loader = has_loader();
  for (const bool by_loader : {false, true}) {
    if (by_loader && !loader) break;
    set_way(by_loader);
    try_all();
  }
  return print_table() == 0 ? 0 : 1;
}
