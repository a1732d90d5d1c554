// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#include "tools/server/calls.h"
#include "tools/server/object.h"
#include "tools/server/sessions.h"

namespace plash::server {
namespace {

constexpr std::uint32_t object_events = EPOLLIN | EPOLLRDHUP | EPOLLET;
constexpr std::size_t max_direct = 8;  // objects with workers of their own
constexpr time_t idle_seconds = 10;    // after which a surplus worker ends

rlim_t descriptor_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

}  // namespace

class Server::Implementation : public Services {
 public:
  explicit Implementation(Options options)
      : options_(std::move(options)),
        threads_(options_.limits.total.max_threads),
        loop_(threads_),
        conversations_(loop_),
        total_(options_.limits.total),
        calls_(options_, *this, conversations_, closer_),
        sessions_(options_.limits.total, *this, closer_, loop_) {
    prepare_interrupts();
    limit_objects();
  }

  ~Implementation() override {
    {
      const std::lock_guard lock(mutex_);
      for (const auto &direct : direct_)
        if (direct->object) ::shutdown(direct->object->socket.get(), SHUT_RD);
    }
    direct_.clear();
    sessions_.stop();
    loop_.stop();
    conversations_.stop();
    calls_.wait();
    ticking_.wait();
  }

  UniqueFd make_object(ObjectType type, const Directory &directory) {
    UniqueFd client;
    const int error = create(type, sandbox_of(directory), directory, client);
    if (error != 0) throw std::system_error(-error, std::generic_category(), "making an object");
    return client;
  }

  UniqueFd make_directory(std::shared_ptr<const Namespace> name_space, const std::string &path) {
    Directory root = root_of(name_space);
    Walk walk(root, path);
    Found found;
    int error = path.empty() || path.front() != '/' ? -ENOENT : find(walk, true, found);
    if (error == 0 && !found.is_directory) error = -ENOTDIR;
    if (error == 0) error = check_search(found.directory);
    if (error != 0) throw std::system_error(-error, std::generic_category(), path);
    return make_object(ObjectType::Directory, found.directory);
  }

  void start() {
    ::umask(0);  // requests bring their own
    limit_objects();
    ticking_.spawn([this] { conversations_.tick_until_stopped(); });
    loop_.start([this](std::uint64_t key, std::uint32_t events) {
      if (ConversationTable::is_key(key)) {
        const Workers::Busy busy(loop_.workers());
        conversations_.on_event(key);
      } else if (Sessions::is_key(key)) {
        sessions_.on_event(key);
      } else if (const auto object = objects_.find_by_event(key)) {
        serve(object, events);
      }
    });
    const std::lock_guard lock(mutex_);
    started_ = true;
    for (const auto &direct : direct_) start(*direct);
  }

  Usage usage() const {
    return {total_.objects.used(), total_.calls.used(), total_.blocked.used(), total_.bytes.used(),
            total_.descriptors.used()};
  }

  int make_directory_object(const Object &asker, const Directory &directory, UniqueFd &client,
                            int opened) override {
    return create(ObjectType::Directory, asker.sandbox, directory, client, opened);
  }
  int open_sessions(Object &object, std::uint64_t count, std::vector<UniqueFd> &clients) override {
    return sessions_.open(object.shared_from_this(), count, last_descriptor_, clients);
  }
  std::shared_ptr<Object> find_by_client(std::uint64_t cookie) const override {
    return objects_.find_by_client(cookie);
  }
  SocketNames &socket_names() override { return socket_names_; }

 private:
  // Objects may not take all descriptors: some have to be left for messages and files that pass
  // through.
  void limit_objects() {
    const rlim_t limit = descriptor_limit();
    total_.descriptors.set_limit(
        std::min<rlim_t>(limit / 2, options_.limits.total.max_descriptors));
    last_descriptor_ =
        static_cast<int>(std::min<rlim_t>(limit - std::min<rlim_t>(limit / 4, 2048), 1 << 30));
  }

  // The same for all objects that start from one namespace.
  std::shared_ptr<Sandbox> sandbox_of(const Directory &directory) {
    const std::lock_guard lock(mutex_);
    std::erase_if(sandboxes_, [](const auto &entry) { return entry.second.expired(); });
    std::weak_ptr<Sandbox> &known = sandboxes_[directory.name_space.get()];
    std::shared_ptr<Sandbox> sandbox = directory.name_space ? known.lock() : nullptr;
    if (!sandbox) sandbox = std::make_shared<Sandbox>(options_.limits.sandbox, total_);
    known = sandbox;
    sandbox_count_ = static_cast<unsigned>(sandboxes_.size());
    return sandbox;
  }

  // Where more than half of the descriptors for objects are taken, whoever has its even share gets
  // no more: one sandbox does not use them all up. An object takes two.
  bool may_keep(int descriptor, const Sandbox &sandbox) const {
    const int last = last_descriptor_;
    if (descriptor > last) return false;
    const std::size_t share =
        static_cast<std::size_t>(last) / 2 / std::max(sandbox_count_.load(), 1u);
    return descriptor <= last / 2 || sandbox.budgets.objects.used() <= share;
  }

  int create(ObjectType type, const std::shared_ptr<Sandbox> &sandbox, const Directory &directory,
             UniqueFd &client, int opened = 0) {
    std::shared_ptr<Object> object;
    UniqueFd client_end;
    int error = make_object_pair(type, sandbox, directory, object, client_end, opened);
    if (error != 0) return error;
    if (!may_keep(object->socket.get(), *sandbox)) return -ENFILE;
    objects_.insert(object);
    if (type != ObjectType::Directory && serve_directly(object)) {
      client = std::move(client_end);
      return 0;
    }
    error = loop_.add(object->socket.get(), object_events, object->event_key);
    if (error != 0) {
      objects_.remove(*object);
      return error;
    }
    client = std::move(client_end);
    return 0;
  }

  void serve(const std::shared_ptr<Object> &object, std::uint32_t events) {
    for (;;) {
      Packet packet;
      const Received received = Receiver::of_thread().receive_request(object->socket.get(), packet);
      if (received == Received::nothing) return;
      if (received == Received::closed) {
        objects_.remove(*object);
        return;
      }
      if (received == Received::malformed) {
        closer_.close(packet.take_descriptors());
        continue;
      }
      // What else the event was about, further messages or the end of them, is another worker's.
      if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0 || has_more(*object))
        loop_.modify(object->socket.get(), object_events, object->event_key);
      const Workers::Busy busy(loop_.workers());
      take(object, packet, received == Received::starved);
      return;
    }
  }

  // An object with workers of its own, which wait in recvmsg(2).
  struct Direct {
    Direct(std::shared_ptr<Object> its_object, Budget &threads)
        : object(std::move(its_object)), workers(threads) {}
    std::shared_ptr<Object> object;  // null when the workers have ended; guarded by mutex_ then
    Workers workers;
  };

  // Without epoll(7) in between a call costs less: worth it for the few objects that nearly all
  // calls go to. False where there are enough such.
  bool serve_directly(const std::shared_ptr<Object> &object) {
    const std::lock_guard lock(mutex_);
    std::erase_if(direct_, [](const auto &direct) { return direct->workers.ended(); });
    if (direct_.size() >= max_direct) return false;
    const timeval idle{idle_seconds, 0};
    ::setsockopt(object->socket.get(), SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
    direct_.push_back(std::make_unique<Direct>(object, threads_));
    if (started_) start(*direct_.back());
    return true;
  }

  void start(Direct &direct) {
    direct.workers.start([this, &direct] { return wait_and_serve(direct); },
                         [this, &direct] {
                           const std::lock_guard lock(mutex_);
                           direct.object.reset();
                         });
  }

  Workers::Turn wait_and_serve(Direct &direct) {
    Packet packet;
    const Received received =
        Receiver::of_thread().receive_request(direct.object->socket.get(), packet, true);
    switch (received) {
      case Received::nothing:
        return Workers::Turn::idle;
      case Received::closed:
        objects_.remove(*direct.object);
        return Workers::Turn::over;
      case Received::malformed:
        closer_.close(packet.take_descriptors());
        return Workers::Turn::worked;
      case Received::packet:
      case Received::starved:
        break;
    }
    const Workers::Busy busy(direct.workers);
    take(direct.object, packet, received == Received::starved);
    return Workers::Turn::worked;
  }

  static bool has_more(const Object &object) {
    int bytes = 0;
    return ::ioctl(object.socket.get(), SIOCINQ, &bytes) == 0 && bytes > 0;
  }

  // The first packet of a request.
  void take(const std::shared_ptr<Object> &object, Packet &packet, bool starved) {
    const PacketHeader &header = packet.header;
    if (!is_unix_socket(packet.reply_socket.get()) || header.sequence != 0 || header.offset != 0 ||
        header.descriptor_offset != 0) {
      closer_.close(packet.take_descriptors());
      return;
    }
    UniqueFd reply_socket = std::move(packet.reply_socket);
    Share call(object->sandbox->budgets.calls);
    if (starved) {
      Calls::refuse(reply_socket.get(), ENFILE);
      closer_.close(std::move(packet.descriptors));
    } else if (header.descriptor_count != packet.descriptors.size() ||
               header.size > header.total_size ||
               header.descriptor_count > header.descriptor_total) {
      closer_.close(std::move(packet.descriptors));
    } else if (header.total_size > max_message_size ||
               header.descriptor_total > max_message_descriptors) {
      Calls::refuse(reply_socket.get(), E2BIG);
      closer_.close(std::move(packet.descriptors));
    } else if (!call.grow(1)) {
      Calls::refuse(reply_socket.get(), EAGAIN);
      closer_.close(std::move(packet.descriptors));
    } else if (header.size == header.total_size &&
               header.descriptor_count == header.descriptor_total) {
      Message message;
      message.code = header.code;
      message.reply_to.own = std::move(reply_socket);
      message.payload = packet.payload;
      message.size = header.size;
      message.descriptors = std::move(packet.descriptors);
      message.call = std::move(call);
      admit(object, std::move(message));
    } else {
      assemble(object, std::move(reply_socket), packet, std::move(call));
    }
  }

  // Carries it out, or leaves it to one of its sandbox's threads, where there are as many as may
  // be.
  void admit(const std::shared_ptr<Object> &object, Message &&message) override {
    Gate<Job> &gate = object->sandbox->gate;
    if (gate.try_enter()) {
      carry_out(object, std::move(message));
    } else {
      Budgets &budgets = object->sandbox->budgets;
      message.bytes = Share(budgets.bytes);
      message.descriptors_share = Share(budgets.descriptors);
      if (!message.bytes.grow(message.size) ||
          !message.descriptors_share.grow(1 + message.descriptors.size())) {
        Calls::refuse(message.reply_to, ENOBUFS);
        closer_.close(std::move(message.descriptors));
        return;
      }
      message.keep();
      Job job{object, std::move(message)};
      if (!gate.enter(job)) return;
      carry_out(object, std::move(job.message));
    }
    while (std::optional<Job> next = gate.leave())
      carry_out(next->object, std::move(next->message));
  }

  void carry_out(const std::shared_ptr<Object> &object, Message &&message) noexcept {
    const std::shared_ptr<const UniqueFd> session = message.reply_to.session;
    try {
      calls_.carry_out(object, std::move(message));
    } catch (const std::exception &) {
      // Memory or threads ran out: the caller sees end of file.
      if (session) Calls::drop(session->get());
    }
    // Now, not after the calls that come next: where no reply was sent, this is what its caller
    // waits for.
    message = {};
  }

  void assemble(const std::shared_ptr<Object> &object, UniqueFd reply_socket, Packet &first,
                Share call) {
    const int socket = reply_socket.get();
    Sandbox &sandbox = *object->sandbox;
    LargeRequest::Room room{
        std::move(call), Share(sandbox.budgets.bytes), Share(sandbox.budgets.descriptors),
        [this](const Conversation *grows, const Budget &budget, std::size_t amount) {
          // Who is over its own limit makes room itself.
          const bool is_own = !budget.has_room(amount);
          return conversations_.drop_oldest(grows, is_own ? grows->sandbox().get() : nullptr);
        }};
    const auto deadline =
        Clock::now() + std::chrono::seconds(options_.limits.assembly_timeout_seconds);
    const auto request = std::make_shared<LargeRequest>(
        object->sandbox, std::move(reply_socket), first.header, std::move(room), deadline,
        [this, object](Message message) { admit(object, std::move(message)); });
    if (!request->take(first)) {
      const PacketHeader &header = first.header;
      // A first packet that brings nothing is malformed.
      if (header.size != 0 || header.descriptor_count != 0) Calls::refuse(socket, ENOBUFS);
    } else if (!conversations_.add(request, options_.limits.total.max_assemblies)) {
      Calls::refuse(socket, ENOBUFS);
    }
  }

  const Options options_;
  std::atomic<int> last_descriptor_{0};
  std::atomic<unsigned> sandbox_count_{0};
  Closer closer_;
  Budget threads_;
  EventLoop loop_;
  ConversationTable conversations_;
  Budgets total_;
  ObjectTable objects_;
  SocketNames socket_names_;
  Calls calls_;
  Sessions sessions_;
  Threads ticking_;
  std::mutex mutex_;  // guards started_, sandboxes_ and direct_
  bool started_ = false;
  std::map<const Namespace *, std::weak_ptr<Sandbox>> sandboxes_;
  std::vector<std::unique_ptr<Direct>> direct_;
};

Server::Server(Options options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Server::~Server() = default;

UniqueFd Server::make_fs_op(std::shared_ptr<const Namespace> name_space) {
  return implementation_->make_object(ObjectType::FsOp, root_of(name_space));
}

UniqueFd Server::make_directory(std::shared_ptr<const Namespace> name_space,
                                const std::string &path) {
  return implementation_->make_directory(std::move(name_space), path);
}

UniqueFd Server::make_echo() { return implementation_->make_object(ObjectType::Echo, {}); }

void Server::start() { implementation_->start(); }

Usage Server::usage() const { return implementation_->usage(); }

}  // namespace plash::server
