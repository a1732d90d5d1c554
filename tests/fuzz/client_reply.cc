// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A hostile object: whatever it answers, the caller gets its result or an error, keeps to its
// buffers, and has no descriptor that it did not ask for. The first operation's object chooses the
// method that is called; each operation is a packet of the answer.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "protocol/call.h"
#include "tests/fuzz/program.h"
#include "tests/fuzz/world.h"
#include "tests/hostile/message.h"

namespace plash::fuzz {
namespace {

[[noreturn]] void fail(const char *what) {
  std::fprintf(stderr, "client_reply: %s\n", what);
  std::abort();
}

// Answers one request with the packets of operations.
void answer(const World &world, int object, const std::vector<Operation> &operations) {
  hostile::Reply request = hostile::receive(object, 10'000);
  if (request.descriptors.empty()) fail("a request without a reply socket");
  const int reply = request.descriptors[0].get();
  for (const Operation &operation : operations) {
    std::vector<UniqueFd> lent;
    std::vector<int> numbers;
    for (const std::uint8_t kind : operation.descriptors) {
      lent.push_back(world.make_descriptor(kind));
      numbers.push_back(lent.back().get());
    }
    if (operation.packet.empty()) continue;
    hostile::send(reply, operation.packet, numbers, false);
  }
}

// The lowest number that is free: the same before and after, where nothing was left open.
int lowest_free() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(fd);
  return fd;
}

template <class M>
void call_once(int object, std::size_t room) {
  typename M::Request request;
  typename M::Reply reply;
  // In a block of its own, so that the sanitizer sees its end.
  std::vector<char> tail(room);
  long (*const no_wait)(int) = nullptr;
  const long error = invoke<M>(object, request, reply, {tail.data(), tail.size()}, true, no_wait);
  if (error > 0 || error < -max_errno) fail("an error that is none");
  if (error != 0) return;
  M::Reply::visit(reply, [&]<class T>(const char *, FieldKind, T &value) {
    if constexpr (__is_same(T, Bytes)) {
      if (value.size > room) fail("more bytes than there was room for");
      volatile char sum = 0;
      for (std::uint64_t i = 0; i < value.size; ++i) sum = static_cast<char>(sum + value.data[i]);
    } else if constexpr (__is_same(T, int)) {
      if (value >= 0) ::close(value);
    }
  });
}

void call_any(int object, unsigned which) {
  unsigned index = 0;
  bool called = false;
  const std::size_t room = which / 32 % 2 == 0 ? 4'096 : which % 97;
  for_each_method([&]<class M>() {
    constexpr bool is_typed = !count_fields<typename M::Reply>().many_descriptors;
    if constexpr (is_typed) {
      if (index++ == which % 32) {
        called = true;
        call_once<M>(object, room);
      }
    }
  });
  if (!called) call_once<methods::Open>(object, room);
}

}  // namespace
}  // namespace plash::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace plash;
  static const fuzz::World world;
  const auto operations = fuzz::parse({reinterpret_cast<const char *>(data), size});
  const int free_before = fuzz::lowest_free();
  {
    const hostile::Pair object;
    std::thread answering([&] { fuzz::answer(world, object.receive_end.get(), operations); });
    fuzz::call_any(object.send_end.get(), operations.empty() ? 0 : operations[0].object);
    answering.join();
  }
  if (fuzz::lowest_free() != free_before) fuzz::fail("a descriptor was left open");
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t *data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return plash::fuzz::mutate(data, size, max_size, seed, 6);
}
