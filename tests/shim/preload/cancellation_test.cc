// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A thread that waits in a wrapper can be cancelled, and is unwound: destructors run, as they do
// with libc's own functions.
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;

namespace {

struct Waiter {
  void (*wait)(Waiter &);
  int fd = -1;
  std::string path = {};
  bool destroyed = false;
  bool returned = false;
};

struct Witness {
  Waiter &waiter;
  ~Witness() { waiter.destroyed = true; }
};

void *run(void *argument) {
  auto &waiter = *static_cast<Waiter *>(argument);
  const Witness witness{waiter};
  waiter.wait(waiter);
  waiter.returned = true;
  return nullptr;
}

// The request comes before the thread waits, or while it does.
void check_cancelled(Waiter &waiter) {
  for (const int microseconds : {0, 20000}) {
    INFO(microseconds);
    waiter.destroyed = waiter.returned = false;
    pthread_t thread;
    REQUIRE(pthread_create(&thread, nullptr, run, &waiter) == 0);
    usleep(static_cast<useconds_t>(microseconds));
    REQUIRE(pthread_cancel(thread) == 0);
    void *result;
    REQUIRE(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK(waiter.destroyed);
    CHECK(!waiter.returned);
  }
}

}  // namespace

TEST_CASE("read, accept and recvfrom can be cancelled") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  Waiter reader{[](Waiter &waiter) {
                  char byte;
                  (void)!read(waiter.fd, &byte, 1);
                },
                ends[0]};
  check_cancelled(reader);
  close(ends[0]);
  close(ends[1]);

  Directory root;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, (root / "socket").c_str());
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
  REQUIRE(listen(listener, 1) == 0);
  Waiter acceptor{[](Waiter &waiter) { accept(waiter.fd, nullptr, nullptr); }, listener};
  check_cancelled(acceptor);
  close(listener);

  const int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
  REQUIRE(datagrams >= 0);
  Waiter receiver{[](Waiter &waiter) {
                    char byte;
                    sockaddr_storage name;
                    socklen_t size = sizeof name;
                    recvfrom(waiter.fd, &byte, 1, 0, reinterpret_cast<sockaddr *>(&name), &size);
                  },
                  datagrams};
  check_cancelled(receiver);
  close(datagrams);
}

TEST_CASE("open can be cancelled where the kernel does the waiting") {
  // A wait at the server is not cut short: see the README of the shim.
  if (getenv("PLASH_CAPS") != nullptr) return;
  Directory root;
  REQUIRE(mkfifo((root / "fifo").c_str(), 0600) == 0);
  Waiter opener{[](Waiter &waiter) { open(waiter.path.c_str(), O_RDONLY); }, -1, root / "fifo"};
  check_cancelled(opener);
}

TEST_CASE("a pending request is acted on by calls that need not wait") {
  Waiter closer{[](Waiter &) {
    while (true) close(-1);
  }};
  check_cancelled(closer);
  Waiter opener{[](Waiter &) {
    while (true) close(open("/nowhere", O_RDONLY));
  }};
  check_cancelled(opener);
}
