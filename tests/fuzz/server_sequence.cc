// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client of a running server that calls, sends descriptors, reads or not, copies, closes and
// shuts down, in any order. When it has gone nothing of it may be left.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "tests/fuzz/program.h"
#include "tests/fuzz/world.h"
#include "tests/hostile/message.h"
#include "tools/server/server.h"

namespace plash::fuzz {
namespace {

constexpr std::size_t max_held = 32;

[[noreturn]] void fail(const std::string &what) {
  std::fprintf(stderr, "server_sequence: %s\n", what.c_str());
  std::abort();
}

class Client {
 public:
  Client(const World &world, UniqueFd fs_op) : world_(world) {
    objects_.push_back(std::move(fs_op));
  }

  void run(const Operation &operation) {
    using What = Operation::What;
    if (objects_.empty()) return;
    UniqueFd &object = objects_[operation.object % objects_.size()];
    switch (operation.what) {
      case What::close_object:
        object = std::move(objects_.back());
        objects_.pop_back();
        return;
      case What::close_replies:
        replies_.clear();
        return;
      case What::copy_object:
        keep(UniqueFd(::dup(object.get())));
        return;
      case What::shut_down:
        ::shutdown(object.get(), static_cast<int>(operation.descriptors.size() % 3));
        return;
      case What::more:
        if (!replies_.empty() && !operation.packet.empty())
          hostile::send(replies_.back().receive_end.get(), operation.packet, borrow(operation),
                        false);
        return;
      default:
        send(object.get(), operation);
    }
  }

 private:
  void keep(UniqueFd object) {
    if (object && objects_.size() < max_held) objects_.push_back(std::move(object));
  }

  // Descriptors for one message, which live until the next one.
  std::vector<int> borrow(const Operation &operation) {
    lent_.clear();
    std::vector<int> numbers;
    for (const std::uint8_t kind : operation.descriptors) {
      if (kind % 2 == 0) {
        numbers.push_back(objects_[kind / 2 % objects_.size()].get());
      } else {
        lent_.push_back(world_.make_descriptor(kind / 2));
        numbers.push_back(lent_.back().get());
      }
    }
    return numbers;
  }

  void send(int object, const Operation &operation) {
    using What = Operation::What;
    if (operation.packet.empty()) return;
    std::vector<int> descriptors = borrow(operation);
    hostile::Pair reply;
    const bool shared = operation.what == What::call_shared && !replies_.empty();
    if (operation.what != What::no_reply_socket && operation.what != What::wrong_reply_socket) {
      const hostile::Pair &used = shared ? replies_.back() : reply;
      descriptors.insert(descriptors.begin(), used.send_end.get());
    }
    // Not waiting: what floods its own object finds it full.
    if (hostile::send(object, operation.packet, descriptors, false) != 0) return;
    if (operation.what == What::call) {
      reply.send_end.reset();
      // As a rule the answer comes at once; a call that waits, or a message that is not finished,
      // is left.
      hostile::Reply got = hostile::receive(reply.receive_end.get(), 3);
      if (got.what == "short" || got.what == "errno?") fail("a reply that makes no sense");
      for (UniqueFd &fd : got.descriptors) keep(std::move(fd));
      if (got.what == "Wait" || got.what == "nothing") keep_reply(std::move(reply));
    } else if (operation.what == What::call_unread) {
      keep_reply(std::move(reply));
    }
  }

  void keep_reply(hostile::Pair reply) {
    if (replies_.size() < max_held) replies_.push_back(std::move(reply));
  }

  const World &world_;
  std::vector<UniqueFd> objects_;
  std::vector<hostile::Pair> replies_;
  std::vector<UniqueFd> lent_;
};

class Bench {
 public:
  Bench() : name_space_(world_.make_namespace()) { server_.start(); }

  void run(const std::vector<Operation> &operations) {
    {
      Client client(world_, server_.make_fs_op(name_space_));
      for (const Operation &operation : operations) client.run(operation);
    }
    wait_until_nothing_is_left();
    if (++runs_ % 200 == 0) {
      world_.restore();
      check_descriptors();
    }
  }

 private:
  void wait_until_nothing_is_left() {
    for (int i = 0; i < 20'000; ++i) {
      const server::Usage usage = server_.usage();
      if (usage.objects + usage.calls + usage.blocked_calls + usage.bytes + usage.descriptors == 0)
        return;
      ::usleep(i < 100 ? 50 : 1'000);
    }
    const server::Usage usage = server_.usage();
    fail("left over: " + std::to_string(usage.objects) + " objects, " +
         std::to_string(usage.calls) + " calls, " + std::to_string(usage.blocked_calls) +
         " waiting, " + std::to_string(usage.bytes) + " bytes, " +
         std::to_string(usage.descriptors) + " descriptors");
  }

  void check_descriptors() {
    int open = 0;
    for (int i = 0; i < 200; ++i) {
      open = open_descriptors();
      if (most_ == 0) most_ = open + 20;
      if (open <= most_) return;
      ::usleep(10'000);
    }
    fail("descriptors: " + std::to_string(open));
  }

  World world_;
  std::shared_ptr<server::Namespace> name_space_;
  server::Server server_;
  unsigned runs_ = 0;
  int most_ = 0;
};

std::ptrdiff_t thread_count() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

// Ends, with all of its threads, at exit() and before leaks are looked for: what belongs to a
// thread that is just ending would be taken for one.
Bench *start_bench() {
  static const std::ptrdiff_t other_threads = thread_count();
  static Bench *const bench = new Bench;
  std::atexit([] {
    delete bench;
    for (int i = 0; thread_count() > other_threads; ++i) {
      if (i == 10'000) fail("threads of the server have not ended");
      ::usleep(1'000);
    }
  });
  return bench;
}

}  // namespace
}  // namespace plash::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static plash::fuzz::Bench *const bench = plash::fuzz::start_bench();
  bench->run(plash::fuzz::parse({reinterpret_cast<const char *>(data), size}));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t *data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return plash::fuzz::mutate(data, size, max_size, seed, 30);
}
