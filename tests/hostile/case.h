// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A case: an attack, numbered and named, that runs in a process of its own while a bystander's
// calls are checked.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/call.h"
#include "tests/hostile/message.h"
#include "tools/server/quota.h"

namespace plash::hostile {

// The files that there are. The attacker is granted w (writable, with symlinks and sockets) as /w
// and r (read-only) as /r; the bystander has b as /b; nobody has what is in outside.
//   r/file "text"   r/sub/deep/file "deep"   w/fifo   outside/secret "secret"
struct World {
  std::string directory;
  unsigned scale = 1;   // how much longer than a few seconds it may take
  bool strict = false;  // the bystander's latency is judged closely

  std::string path(const std::string &name) const { return directory + "/" + name; }
};

struct Attack {
  const World &world;
  int fs_op;        // the attacker's
  int whole_fs_op;  // of a namespace in which the host's "/" was granted, read-only
  pid_t server;     // to be looked at, not to be touched
  void (*failed)(const std::string &what);
  // Something to be said in the table: what could not be tried here, and why.
  void (*note)(const std::string &what);

  void expect(bool good, const std::string &what) const {
    if (!good) failed(what);
  }
  void expect(const std::string &got, const std::string &wanted, const std::string &what) const {
    if (got != wanted) failed(what + ": " + got + " instead of " + wanted);
  }

  // Raw, to fs_op or another object.
  Reply send(std::string_view bytes, const std::vector<int> &descriptors = {},
             int object = -1) const {
    return receive(begin(object < 0 ? fs_op : object, bytes, descriptors).get());
  }
  Reply send(const Request &request, int object = -1) const {
    return send(request.bytes, request.descriptors, object);
  }
  // A method with base and path; set fills in the other fields.
  template <class M>
  Reply call(std::string_view path, const std::function<void(typename M::Request &)> &set = {},
             int base = -1, int object = -1) const {
    typename M::Request request;
    request.base = base;
    request.path = bytes(path);
    if (set) set(request);
    return send(encode<M>(request), object);
  }
  // Open: the descriptor in the reply, or none.
  Reply open(std::string_view path, std::uint64_t flags = 0, int base = -1, int object = -1) const {
    const auto set = [flags](auto &request) {
      request.flags = flags;
      request.mode = 0666;
    };
    return call<methods::Open>(path, set, base, object);
  }
};

struct Case {
  int number;
  const char *name;
  void (*attack)(const Attack &);
  server::Limits limits = {};
  unsigned server_descriptors = 8'192;  // RLIMIT_NOFILE of the server
  bool bystander_is_other_user = false;
  bool log = false;                 // the server keeps a log in the world's directory
  bool keeps_capabilities = false;  // the attacker, to prepare what it attacks with
  double worst_p99 = 0;             // times the bystander's quiet one; 0: not judged
};

std::vector<Case> &all_cases();

struct Registration {
  explicit Registration(Case registered) { all_cases().push_back(std::move(registered)); }
};

// HOSTILE_CASE(number, "name as in the list", .limits = ...) { uses attack }
#define HOSTILE_CASE(number_, name_, ...)                                                        \
  static void attack_##number_(const ::plash::hostile::Attack &attack);                          \
  static const ::plash::hostile::Registration registration_##number_(::plash::hostile::Case{     \
      .number = number_, .name = name_, .attack = attack_##number_ __VA_OPT__(, ) __VA_ARGS__}); \
  static void attack_##number_(const ::plash::hostile::Attack &attack)

// The contents of a file; "(none)" where it cannot be read.
std::string contents(int fd);
std::string contents(const std::string &host_path);

}  // namespace plash::hostile
