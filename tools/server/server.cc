// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <system_error>
#include <thread>

#include "tools/server/blocking_call.h"
#include "tools/server/call_log.h"
#include "tools/server/conversation.h"
#include "tools/server/handlers.h"
#include "tools/server/large_messages.h"
#include "tools/server/object.h"
#include "tools/server/transport.h"

namespace plash::server {
namespace {

constexpr std::uint64_t stop_key = 0;  // no socket has this cookie
constexpr auto tick = std::chrono::milliseconds(50);
constexpr int idle_seconds = 10;  // after which a surplus worker ends

[[noreturn]] void fail(const char *what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// An outcome as the reply of the method that was called.
template <class Reply>
void fill(Reply &reply, const Outcome &outcome) {
  if constexpr (requires { reply.file; }) reply.file = outcome.fd.get();
  if constexpr (requires { reply.sent; }) reply.sent = outcome.number;
}

Outgoing failure(const std::uint64_t &error) {
  Outgoing message;
  message.code = code_fail;
  message.words = &error;
  message.word_count = 1;
  return message;
}

}  // namespace

class Server::Implementation : public Services {
 public:
  explicit Implementation(Options options)
      : options_(std::move(options)), conversations_(make_epoll()) {
    prepare_interrupts();
    stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = stop_key;
    if (!stop_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) != 0)
      fail("eventfd");
  }

  ~Implementation() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return threads_ == 0; });
    lock.unlock();
    conversations_.abandon_all();
    while (!conversations_.empty()) {
      conversations_.on_tick();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  UniqueFd make_object(ObjectType type, const Directory &directory) {
    UniqueFd client;
    const int error = create(type, directory, client);
    if (error != 0) throw std::system_error(-error, std::generic_category(), "making an object");
    return client;
  }

  UniqueFd make_directory(std::shared_ptr<const Namespace> name_space, const std::string &path) {
    Directory root = root_of(name_space);
    Walk walk(root, path);
    Found found;
    int error = path.empty() || path.front() != '/' ? -ENOENT : find(walk, true, found);
    if (error == 0 && !found.is_directory) error = -ENOTDIR;
    if (error == 0 && found.directory.fd &&
        ::faccessat(found.directory.real(), "", X_OK, AT_EMPTY_PATH | AT_EACCESS) != 0) {
      error = -errno;
    }
    if (error != 0) throw std::system_error(-error, std::generic_category(), path);
    return make_object(ObjectType::Directory, found.directory);
  }

  void start() {
    ::umask(0);  // requests bring their own
    spawn([this] { tick_until_stopped(); });
    idle_ = 1;
    spawn([this] { work(); });
  }

  int make_directory_object(const Directory &directory, UniqueFd &client) override {
    return create(ObjectType::Directory, directory, client);
  }
  std::shared_ptr<Object> find_by_client(std::uint64_t cookie) const override {
    return objects_.find_by_client(cookie);
  }
  SocketNames &socket_names() override { return socket_names_; }

 private:
  int make_epoll() {
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) fail("epoll_create1");
    return epoll_.get();
  }

  int create(ObjectType type, const Directory &directory, UniqueFd &client) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
      return errno == EMFILE ? -ENFILE : -errno;
    UniqueFd client_end(pair[0]);
    auto object = std::make_shared<Object>();
    object->socket.reset(pair[1]);
    object->type = type;
    object->directory = directory;
    object->event_key = socket_cookie(pair[1]);
    object->client_cookie = socket_cookie(pair[0]);
    // Nothing is ever sent to a holder: it reads end of file.
    ::shutdown(pair[1], SHUT_WR);
    if (type == ObjectType::Directory &&
        ::setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &directory_object_tag,
                     sizeof directory_object_tag) != 0) {
      return -errno;
    }
    if (!objects_.insert(object, options_.limits.max_objects)) return -EMFILE;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.u64 = object->event_key;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, pair[1], &event) != 0) {
      const int error = -errno;
      objects_.remove(*object);
      return error;
    }
    client = std::move(client_end);
    return 0;
  }

  // Threads.

  void spawn(std::function<void()> body) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      ++threads_;
    }
    try {
      std::thread([this, body = std::move(body)] {
        body();
        const std::lock_guard lock(mutex_);
        --threads_;
        changed_.notify_all();
      }).detach();
    } catch (const std::system_error &) {
      const std::lock_guard lock(mutex_);
      --threads_;
      throw;
    }
  }

  void tick_until_stopped() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      changed_.wait_for(lock, tick);
      lock.unlock();
      conversations_.on_tick();
      lock.lock();
    }
  }

  // A worker is about to do something that may take long: somebody else has to be there for the
  // next message.
  void leave_idle() {
    if (--idle_ > 0) return;
    if (workers_ >= options_.limits.max_threads) return;
    ++workers_;
    ++idle_;
    try {
      spawn([this] {
        work();
        --workers_;
      });
    } catch (const std::system_error &) {
      --workers_;
      --idle_;
    }
  }

  // Counted in idle_ when it begins.
  void work() {
    Receiver receiver;
    for (;;) {
      epoll_event event{};
      const int count = ::epoll_wait(epoll_.get(), &event, 1, idle_seconds * 1000);
      if (count < 0 && errno != EINTR) break;
      if (count == 0) {
        int idle = idle_;
        if (idle > 1 && idle_.compare_exchange_strong(idle, idle - 1)) return;
      }
      if (count != 1) continue;
      if (event.data.u64 == stop_key) break;
      if (ConversationTable::is_key(event.data.u64)) {
        leave_idle();
        conversations_.on_event(event.data.u64);
        ++idle_;
      } else if (const auto object = objects_.find_by_event(event.data.u64)) {
        serve(*object, receiver);
      }
    }
    --idle_;
  }

  // Messages.

  void serve(Object &object, Receiver &receiver) {
    for (;;) {
      Packet packet;
      const Received received = receiver.receive(object.socket.get(), packet);
      if (received == Received::nothing) return;
      if (received == Received::closed) {
        objects_.remove(object);
        return;
      }
      const bool more = has_more(object);
      if (received == Received::malformed) {
        drop(std::move(packet.descriptors));
        continue;
      }
      // Further messages that came with the same event are somebody else's.
      if (more) notify_again(object);
      leave_idle();
      try {
        take(object, std::move(packet));
      } catch (const std::exception &) {
        // Memory or descriptors ran out: the caller sees end of file.
      }
      ++idle_;
      return;
    }
  }

  static bool has_more(const Object &object) {
    int bytes = 0;
    return ::ioctl(object.socket.get(), SIOCINQ, &bytes) == 0 && bytes > 0;
  }

  void notify_again(const Object &object) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.u64 = object.event_key;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, object.socket.get(), &event);
  }

  // Closing what a client sent can take as long as the client likes: not on a worker that others
  // wait for.
  static void drop(std::vector<UniqueFd> descriptors) {
    for (const UniqueFd &fd : descriptors) {
      int domain = 0;
      socklen_t size = sizeof domain;
      if (::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX)
        continue;
      auto rest = std::make_shared<std::vector<UniqueFd>>(std::move(descriptors));
      std::thread([rest] { rest->clear(); }).detach();
      return;
    }
  }

  void take(Object &object, Packet packet) {
    if (packet.descriptors.empty() || !is_reply_socket(packet.descriptors.front().get()) ||
        objects_.find_by_client(socket_cookie(packet.descriptors.front().get())) != nullptr) {
      drop(std::move(packet.descriptors));
      return;
    }
    UniqueFd reply_socket = std::move(packet.descriptors.front());
    packet.descriptors.erase(packet.descriptors.begin());
    const PacketHeader &header = packet.header;
    if (header.offset != 0 || header.descriptor_offset != 0 ||
        header.descriptor_count != packet.descriptors.size() || header.size > header.total_size ||
        header.descriptor_count > header.descriptor_total) {
      drop(std::move(packet.descriptors));
      return;
    }
    if (header.total_size > max_message_size || header.descriptor_total > max_message_descriptors) {
      send(std::move(reply_socket), failure(E2BIG));
      drop(std::move(packet.descriptors));
      return;
    }
    if (header.size == header.total_size && header.descriptor_count == header.descriptor_total) {
      dispatch(object.shared_from_this(), {header.code, std::move(reply_socket), packet.payload,
                                           header.size, std::move(packet.descriptors)});
      return;
    }
    assemble(object, std::move(reply_socket), std::move(packet));
  }

  void assemble(Object &object, UniqueFd reply_socket, Packet first) {
    const auto may_grow = [this](std::size_t more) {
      return conversations_.bytes() + more <= options_.limits.max_assembly_bytes;
    };
    const UniqueFd refusal(::fcntl(reply_socket.get(), F_DUPFD_CLOEXEC, 0));
    if (may_grow(first.header.size)) {
      const auto deadline =
          Clock::now() + std::chrono::seconds(options_.limits.assembly_timeout_seconds);
      auto request = std::make_shared<LargeRequest>(
          std::move(reply_socket), std::move(first), deadline, may_grow,
          [this, object = object.shared_from_this()](Message message) {
            dispatch(object, std::move(message));
          });
      if (conversations_.add(std::move(request), options_.limits.max_assemblies)) return;
    }
    if (refusal) send_packet(refusal.get(), failure(ENOBUFS));
  }

  void dispatch(const std::shared_ptr<Object> &object, Message message) {
    switch (message.code) {
#define PLASH_METHOD(Name, Code, Object_, Interruptible, RequestFields, ReplyFields, Text) \
  case methods::Name::code:                                                                \
    return run<methods::Name>(object, std::move(message));
#include "protocol/methods.def"
      default:
        send(std::move(message.reply_socket), failure(ENOSYS));
        drop(std::move(message.descriptors));
    }
  }

  template <class M>
  void run(const std::shared_ptr<Object> &object, Message message) {
    using Request = typename M::Request;
    typename M::Reply reply{};
    Request request{};
    Context context{*this, *object, {}, {}, {}, {}};
    constexpr std::uint32_t words = count_fields<Request>().words;
    int error = -EINVAL;
    std::vector<int> descriptors;
    if (M::object != object->type) {
      error = -ENOSYS;
    } else if (message.size >= words * sizeof(std::uint64_t)) {
      std::uint64_t fixed[words + 1];
      std::memcpy(fixed, message.payload, words * sizeof(std::uint64_t));
      for (const UniqueFd &fd : message.descriptors) descriptors.push_back(fd.get());
      if (decode(request, fixed, message.payload + words * sizeof(std::uint64_t),
                 message.size - words * sizeof(std::uint64_t), descriptors.data(),
                 descriptors.size())) {
        error = handle(context, request, reply);
      }
    }
    if (context.later) {
      if (options_.log) options_.log(describe_call<M>(request, "waits"));
      run_later<M>(object, std::move(message), std::move(context.later));
      return;
    }
    if (options_.log) options_.log(describe_call<M>(request, describe_result(error)));
    answer<M>(std::move(message.reply_socket), error, reply);
    drop(std::move(message.descriptors));
  }

  // Sends a method's reply, or its error.
  template <class M>
  void answer(UniqueFd reply_socket, int error, const typename M::Reply &reply) {
    if (error != 0) {
      send(std::move(reply_socket), failure(static_cast<std::uint64_t>(-error)));
      return;
    }
    const Encoded<typename M::Reply> encoded(reply);
    Outgoing message;
    message.words = encoded.words;
    message.word_count = encoded.counts.words;
    message.parts = encoded.parts;
    message.part_count = encoded.counts.parts;
    message.descriptors.assign(encoded.single_descriptors,
                               encoded.single_descriptors + encoded.descriptor_count);
    message.descriptors.insert(message.descriptors.end(), encoded.many.data,
                               encoded.many.data + encoded.many.size);
    send(std::move(reply_socket), message);
  }

  void send(UniqueFd reply_socket, const Outgoing &message) {
    const int error = send_packet(reply_socket.get(), message);
    if (error == 0 || (error != -EMSGSIZE && error != -EAGAIN)) return;
    Sending sending(message);
    if (sending.send(reply_socket.get()) != Sending::Progress::blocked) return;
    const auto deadline =
        Clock::now() + std::chrono::seconds(options_.limits.assembly_timeout_seconds);
    if (conversations_.bytes() + sending.bytes() > options_.limits.max_assembly_bytes) return;
    conversations_.add(
        std::make_shared<LargeReply>(std::move(reply_socket), std::move(sending), deadline),
        options_.limits.max_assemblies);
  }

  template <class M>
  void run_later(const std::shared_ptr<Object> &object, Message message,
                 std::function<Outcome()> work) {
    Outgoing notice;
    notice.code = code_wait;
    const UniqueFd refusal(::fcntl(message.reply_socket.get(), F_DUPFD_CLOEXEC, 0));
    if (++blocked_ > options_.limits.max_blocked_calls) {
      --blocked_;
      if (refusal) send_packet(refusal.get(), failure(EAGAIN));
      return;
    }
    send_packet(message.reply_socket.get(), notice);
    auto call = std::make_shared<BlockingCall>(
        std::move(message.reply_socket), std::move(work),
        [this, object](int socket, Outcome outcome) {
          typename M::Reply reply{};
          fill(reply, outcome);
          // The conversation keeps the socket open until it hears of the end.
          answer<M>(UniqueFd(::fcntl(socket, F_DUPFD_CLOEXEC, 0)), outcome.error, reply);
          --blocked_;
        });
    if (conversations_.add(call, options_.limits.max_assemblies)) {
      try {
        call->start();
        return;
      } catch (const std::system_error &) {
        call->abandon();
      }
    }
    --blocked_;
    if (refusal) send_packet(refusal.get(), failure(EAGAIN));
  }

  Options options_;
  UniqueFd epoll_;
  UniqueFd stop_;
  ObjectTable objects_;
  SocketNames socket_names_;
  std::atomic<int> idle_{0};
  std::atomic<unsigned> workers_{1};
  std::atomic<unsigned> blocked_{0};
  std::mutex mutex_;  // guards stopping_ and threads_
  std::condition_variable changed_;
  bool stopping_ = false;
  unsigned threads_ = 0;
  ConversationTable conversations_;
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

}  // namespace plash::server
