// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One request, from decoding to its reply, on this thread: decoding, dispatch and every handler.
// Aborts where a reply does not decode.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/program.h"
#include "tests/fuzz/world.h"
#include "tests/hostile/message.h"
#include "tools/server/calls.h"

namespace plash::fuzz {
namespace {

[[noreturn]] void fail(const char *what) {
  std::fprintf(stderr, "server_dispatch: %s\n", what);
  std::abort();
}

class Bench : public server::Services {
 public:
  Bench()
      : threads_(8),
        loop_(threads_),
        conversations_(loop_),
        total_(options_.limits.total),
        sandbox_(std::make_shared<server::Sandbox>(options_.limits.sandbox, total_)),
        calls_(options_, *this, conversations_, closer_) {
    server::prepare_interrupts();
    const auto name_space = world_.make_namespace();
    make(ObjectType::FsOp, server::root_of(name_space));
    for (const char *path : {"/w", "/r/sub", "/f"}) {
      server::Walk walk(server::root_of(name_space), path);
      server::Found found;
      if (server::find(walk, true, found) != 0) fail("the world is not as it should be");
      make(ObjectType::Directory, found.directory);
    }
  }

  void run(const Operation &operation) {
    const Object &object = objects_[operation.object % objects_.size()];
    if (operation.packet.size() < sizeof(PacketHeader)) return;
    PacketHeader header;
    std::memcpy(&header, operation.packet.data(), sizeof header);
    hostile::Pair reply;
    server::Message message;
    message.code = header.code;
    message.reply_to.own = std::move(reply.send_end);
    message.payload = operation.packet.data() + sizeof header;
    message.size = operation.packet.size() - sizeof header;
    for (const std::uint8_t kind : operation.descriptors) {
      // Every other one is a directory object, which is what most methods want.
      message.descriptors.emplace_back(
          kind % 2 == 0 ? ::fcntl(objects_[1 + kind / 2 % 3].client.get(), F_DUPFD_CLOEXEC, 0)
                        : world_.make_descriptor(kind / 2).release());
    }
    calls_.carry_out(object.object, std::move(message));
    const hostile::Reply got = hostile::receive(reply.receive_end.get(), 0);
    check(got);
    if (++runs_ % 500 == 0) world_.restore();
  }

  int make_directory_object(const server::Object &asker, const server::Directory &directory,
                            UniqueFd &client, int opened) override {
    std::shared_ptr<server::Object> object;
    return server::make_object_pair(ObjectType::Directory, asker.sandbox, directory, object, client,
                                    opened);
  }
  int open_sessions(server::Object &, std::uint64_t, std::vector<UniqueFd> &) override {
    return -EMFILE;  // server_sequence has them
  }
  void admit(const std::shared_ptr<server::Object> &object, server::Message &&message) override {
    calls_.carry_out(object, std::move(message));
  }
  std::shared_ptr<server::Object> find_by_client(std::uint64_t cookie) const override {
    for (const Object &object : objects_)
      if (object.object->client_cookie == cookie) return object.object;
    return nullptr;
  }
  server::SocketNames &socket_names() override { return socket_names_; }

 private:
  struct Object {
    std::shared_ptr<server::Object> object;
    UniqueFd client;
  };

  void make(ObjectType type, const server::Directory &directory) {
    Object made;
    if (server::make_object_pair(type, sandbox_, directory, made.object, made.client) != 0)
      fail("no object");
    objects_.push_back(std::move(made));
  }

  static void check(const hostile::Reply &got) {
    if (got.what == "short" || got.what == "errno?") fail("a reply that makes no sense");
    for (const UniqueFd &fd : got.descriptors) {
      struct stat status {};
      if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode))
        fail("a directory's descriptor was handed out");
    }
  }

  World world_;
  const server::Options options_;
  server::Closer closer_;
  server::Budget threads_;
  server::EventLoop loop_;
  server::ConversationTable conversations_;
  server::Budgets total_;
  std::shared_ptr<server::Sandbox> sandbox_;
  server::SocketNames socket_names_;
  server::Calls calls_;
  std::vector<Object> objects_;
  unsigned runs_ = 0;
};

}  // namespace
}  // namespace plash::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  // Never destroyed: calls that wait for a FIFO would be waited for.
  static auto *const bench = new plash::fuzz::Bench;
  for (const auto &operation : plash::fuzz::parse({reinterpret_cast<const char *>(data), size})) {
    bench->run(operation);
    break;
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t *data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return plash::fuzz::mutate(data, size, max_size, seed, 1);
}
