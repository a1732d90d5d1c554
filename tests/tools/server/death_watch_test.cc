// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What becomes of sockets when the process that watches over a server sees it die.
#include "tools/server/death_watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/catch.h"
#include "tools/support/unique_fd.h"

using namespace plash;

namespace {

struct Pair {
  UniqueFd ours;
  UniqueFd servers;
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    ours.reset(ends[0]);
    servers.reset(ends[1]);
  }
};

bool ends_within(int socket, int milliseconds) {
  pollfd state{socket, POLLIN, 0};
  char byte;
  return ::poll(&state, 1, milliseconds) == 1 && ::recv(socket, &byte, 1, MSG_DONTWAIT) == 0;
}

// A server that holds the descriptors; it is killed once it has a watch. This process keeps copies
// of all of them, as a forked child of a caller would.
template <class Function>
void kill_server_that(Function notes) {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t server = ::fork();
  REQUIRE(server >= 0);
  if (server == 0) {
    const server::DeathWatch watch;
    notes();
    if (::write(ready[1], "", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  ::close(ready[1]);
  ::kill(server, SIGKILL);
  REQUIRE(::waitpid(server, nullptr, 0) == server);
}

}  // namespace

TEST_CASE("reply sockets are shut down, arguments of calls are not") {
  Pair reply;
  Pair argument;
  Pair number_used_again;
  kill_server_that([&] {
    for (Pair *const pair : {&reply, &argument, &number_used_again}) pair->ours.reset();
    server::note_argument(reply.servers.get(), false);
    server::note_argument(argument.servers.get(), true);
    server::note_argument(number_used_again.servers.get(), true);
    server::note_argument(number_used_again.servers.get(), false);
  });
  CHECK(ends_within(reply.ours.get(), 10'000));
  CHECK(ends_within(number_used_again.ours.get(), 10'000));
  CHECK(::send(argument.ours.get(), "x", 1, MSG_NOSIGNAL) == 1);
  char byte = 0;
  CHECK(::recv(argument.servers.get(), &byte, 1, MSG_DONTWAIT) == 1);
}

TEST_CASE("without a watch nothing is noted") {
  server::note_argument(0, true);
  server::note_argument(1 << 20, true);
  SUCCEED();
}
