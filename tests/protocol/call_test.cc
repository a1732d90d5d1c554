// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The caller's side against an object that answers as the test says. What a real server does is
// tested in tests/tools/server.
#include "protocol/call.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/raw_packet.h"
#include "tools/support/unique_fd.h"

using namespace plash;
using namespace plash::testing;

namespace {

int open_descriptors() {
  int count = 0;
  DIR *directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

// The object's thread closes its copies of a call's descriptors when it gets to it.
int descriptors_after_a_while(int expected) {
  for (int i = 0; i < 200 && open_descriptors() != expected; ++i) ::usleep(10'000);
  return open_descriptors();
}

struct Request {
  PacketHeader header{};
  std::string payload;
  UniqueFd reply_socket;
  std::vector<UniqueFd> descriptors;
};

bool receive(int socket, Request &request) {
  std::vector<char> buffer(max_packet_size);
  alignas(cmsghdr) char control[CMSG_SPACE(max_packet_descriptors * sizeof(int))];
  iovec vector{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (size < static_cast<ssize_t>(sizeof(PacketHeader))) return false;
  std::memcpy(&request.header, buffer.data(), sizeof request.header);
  request.payload.assign(buffer.data() + sizeof(PacketHeader),
                         static_cast<std::size_t>(size) - sizeof(PacketHeader));
  if (const cmsghdr *rights = CMSG_FIRSTHDR(&message)) {
    const std::size_t count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor;
      std::memcpy(&descriptor, CMSG_DATA(rights) + i * sizeof(int), sizeof descriptor);
      if (i == 0 && request.header.offset == 0 && request.header.descriptor_offset == 0) {
        request.reply_socket.reset(descriptor);
      } else {
        request.descriptors.emplace_back(descriptor);
      }
    }
  }
  return true;
}

void send(int socket, const PacketHeader &header, const std::string &payload = "",
          const std::vector<int> &descriptors = {}) {
  send_packet_to(socket, packet(header, payload), descriptors);
}

std::string words(std::initializer_list<std::uint64_t> values) {
  std::string text;
  for (const std::uint64_t value : values)
    text.append(reinterpret_cast<const char *>(&value), sizeof value);
  return text;
}

// An object whose server calls answer for each request until its client's end is closed.
class Object {
 public:
  explicit Object(std::function<void(Request &)> answer) {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    client_.reset(pair[0]);
    server_.reset(pair[1]);
    thread_ = std::thread([this, answer = std::move(answer)] {
      Request request;
      while (receive(server_.get(), request)) {
        answer(request);
        request = Request{};
      }
    });
  }
  ~Object() {
    client_.reset();
    thread_.join();
  }
  Object(const Object &) = delete;
  Object &operator=(const Object &) = delete;
  int client() const { return client_.get(); }

 private:
  UniqueFd client_;
  UniqueFd server_;
  std::thread thread_;
};

long open_file(int object, int &file, int base = -1) {
  methods::Open::Request request;
  request.path = {"name", 4};
  request.base = base;
  methods::Open::Reply reply;
  const long result = invoke<methods::Open>(object, request, reply);
  file = reply.file;
  return result;
}

long read_link(int object, Buffer buffer, Bytes &target) {
  methods::Readlink::Request request;
  request.path = {"name", 4};
  request.size = buffer.size;
  methods::Readlink::Reply reply;
  const long result = invoke<methods::Readlink>(object, request, reply, buffer);
  target = reply.target;
  return result;
}

}  // namespace

TEST_CASE("a reply's descriptor takes the lowest free number, as open(2) would") {
  // Another process answers: in this one, nobody else may take numbers.
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
  const pid_t server = ::fork();
  REQUIRE(server >= 0);
  if (server == 0) {
    ::close(pair[0]);
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    PacketHeader header = header_of(code_okay, 8);
    header.descriptor_count = header.descriptor_total = 1;
    Request request;
    if (receive(pair[1], request)) {
      send(request.reply_socket.get(), header, words({1}), {null.get()});
    }
    ::_exit(0);
  }
  ::close(pair[1]);
  const UniqueFd object(pair[0]);
  const int lowest = ::dup(0);
  ::close(lowest);
  int file = -1;
  REQUIRE(open_file(object.get(), file) == 0);
  CHECK(file == lowest);
  CHECK(::fcntl(file, F_GETFD) == FD_CLOEXEC);
  ::close(file);
  ::waitpid(server, nullptr, 0);
}

TEST_CASE("an object's error is the call's result") {
  for (const int error : {ENOENT, ENOTSOCK, EPIPE, EMSGSIZE, 4095}) {
    const Object object([&](Request &request) {
      send(request.reply_socket.get(), header_of(code_fail, 8),
           words({static_cast<std::uint64_t>(error)}));
    });
    int file;
    CHECK(open_file(object.client(), file) == -error);
  }
}

TEST_CASE("bytes of a reply go to the caller's buffer") {
  const Object object([](Request &request) {
    send(request.reply_socket.get(), header_of(code_okay, 14), words({6}) + "target");
  });
  char buffer[16];
  Bytes target;
  REQUIRE(read_link(object.client(), {buffer, sizeof buffer}, target) == 0);
  CHECK(target.data == buffer);
  CHECK(std::string(target.data, target.size) == "target");
}

TEST_CASE("a dropped reply socket gives EIO at once") {
  const Object object([](Request &) {});
  int file;
  CHECK(open_file(object.client(), file) == -EIO);
}

TEST_CASE("an object whose server is gone gives EIO, without SIGPIPE") {
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
  const UniqueFd client(pair[0]);
  ::close(pair[1]);
  const int before = open_descriptors();
  int file;
  CHECK(open_file(client.get(), file) == -EIO);
  CHECK(descriptors_after_a_while(before) == before);
}

TEST_CASE("what is no object gives an error and leaks nothing") {
  const UniqueFd null(::open("/dev/null", O_RDWR));
  const int before = open_descriptors();
  int file;
  CHECK(open_file(null.get(), file) == -EIO);
  CHECK(open_file(-1, file) == -EBADF);
  CHECK(descriptors_after_a_while(before) == before);
}

TEST_CASE("a closed descriptor is not mistaken for the call's own sockets") {
  const Object object([](Request &request) {
    send(request.reply_socket.get(), header_of(code_fail, 8), words({ENOENT}));
  });
  const int lowest = ::dup(0);
  ::close(lowest);
  int file;
  CHECK(open_file(object.client(), file, lowest) == -EBADF);
  CHECK(open_file(object.client(), file, lowest + 1) == -EBADF);
  CHECK(open_file(lowest, file) == -EBADF);
}

TEST_CASE("a reply that makes no sense gives EIO and its descriptors are closed") {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  struct Case {
    const char *name;
    PacketHeader header;
    std::string payload;
    std::size_t descriptors;
  };
  const auto with = [](std::uint32_t code, std::uint64_t size,
                       const std::function<void(PacketHeader &)> &change) {
    PacketHeader header = header_of(code, size);
    change(header);
    return header;
  };
  const auto one = [](PacketHeader &h) { h.descriptor_count = h.descriptor_total = 1; };
  const std::vector<Case> cases{
      {"wrong magic", with(code_okay, 8, [](PacketHeader &h) { h.magic = 0; }), words({0}), 0},
      {"wrong version", with(code_okay, 8, [](PacketHeader &h) { h.version = 2; }), words({0}), 0},
      {"unknown code", header_of(code_of("What"), 8), words({0}), 0},
      {"size too large", with(code_okay, 8, [](PacketHeader &h) { h.size = 16; }), words({0}), 0},
      {"total too small", with(code_okay, 8, [](PacketHeader &h) { h.total_size = 0; }), words({0}),
       0},
      {"starts in the middle",
       with(code_okay, 8,
            [](PacketHeader &h) {
              h.offset = 8;
              h.total_size = 16;
            }),
       words({0}), 0},
      {"too few words", header_of(code_okay, 0), "", 0},
      {"a descriptor and no words", with(code_okay, 0, one), "", 1},
      {"trailing bytes", header_of(code_okay, 16), words({0, 0}), 0},
      {"descriptor announced, none there", with(code_okay, 8, one), words({1}), 0},
      {"descriptor not announced", header_of(code_okay, 8), words({0}), 1},
      {"descriptor in the message, not in the payload", with(code_okay, 8, one), words({0}), 1},
      {"descriptor in the payload, not in the message", header_of(code_okay, 8), words({1}), 0},
      {"three descriptors",
       with(code_okay, 8, [](PacketHeader &h) { h.descriptor_count = h.descriptor_total = 3; }),
       words({1}), 3},
      {"error 0", header_of(code_fail, 8), words({0}), 0},
      {"error too large", header_of(code_fail, 8), words({4096}), 0},
      {"error of two words", header_of(code_fail, 16), words({1, 1}), 0},
      {"error with a descriptor", with(code_fail, 8, one), words({2}), 1},
      {"wait with a payload", header_of(code_wait, 8), words({0}), 0},
  };
  for (const Case &bad : cases) {
    INFO(bad.name);
    const Object object([&](Request &request) {
      send(request.reply_socket.get(), bad.header, bad.payload,
           std::vector<int>(bad.descriptors, null.get()));
    });
    const int before = open_descriptors();
    int file;
    CHECK(open_file(object.client(), file) == -EIO);
    CHECK(descriptors_after_a_while(before) == before);
  }
}

TEST_CASE("more bytes than the caller has room for give EIO") {
  const Object object([](Request &request) {
    send(request.reply_socket.get(), header_of(code_okay, 8 + 100),
         words({100}) + std::string(100, 'x'));
  });
  char buffer[16];
  Bytes target;
  CHECK(read_link(object.client(), {buffer, sizeof buffer}, target) == -EIO);
}

TEST_CASE("continuations that do not continue give EIO") {
  for (const std::uint64_t offset : {0, 7, 9, 100}) {
    const Object object([&](Request &request) {
      PacketHeader header = header_of(code_okay, 8 + 8);
      header.size = 8;
      send(request.reply_socket.get(), header, words({8}));
      header.offset = offset;
      header.size = 8;
      send(request.reply_socket.get(), header, std::string(8, 'x'));
    });
    char buffer[16];
    Bytes target;
    CHECK(read_link(object.client(), {buffer, sizeof buffer}, target) == -EIO);
  }
}

TEST_CASE("a reply's descriptor may come ahead of its fields, but not of a part of them") {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (const std::uint32_t first : {0U, 4U}) {
    const Object object([&](Request &request) {
      PacketHeader header = header_of(code_okay, 8);
      header.descriptor_count = header.descriptor_total = 1;
      header.size = first;
      send(request.reply_socket.get(), header, words({1}).substr(0, first), {null.get()});
      header.descriptor_count = 0;
      header.descriptor_offset = 1;
      header.offset = first;
      header.size = 8 - first;
      send(request.reply_socket.get(), header, words({1}).substr(first));
    });
    int file = -1;
    CHECK(open_file(object.client(), file) == (first == 0 ? 0 : -EIO));
    const UniqueFd opened(file);
    CHECK(::fcntl(file, F_GETFD) == (first == 0 ? FD_CLOEXEC : -1));
  }
}

TEST_CASE("no room for a reply's descriptor gives EMFILE") {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Object object([&](Request &request) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    rlimit none = limit;
    none.rlim_cur = 0;
    PacketHeader header = header_of(code_okay, 8);
    header.descriptor_count = header.descriptor_total = 1;
    ::setrlimit(RLIMIT_NOFILE, &none);
    send(request.reply_socket.get(), header, words({1}), {null.get()});
    ::usleep(50'000);  // until the caller has received it
    ::setrlimit(RLIMIT_NOFILE, &limit);
  });
  const int before = open_descriptors();
  int file;
  CHECK(open_file(object.client(), file) == -EMFILE);
  rlimit limit{};  // until it is what it was
  while (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 0) ::usleep(10'000);
  CHECK(descriptors_after_a_while(before) == before);
}

namespace {
void ignore_signal(int) {}
}  // namespace

TEST_CASE("a signal during a call that may take long cancels it; before Wait it does not") {
  struct sigaction action {};
  action.sa_handler = ignore_signal;  // without SA_RESTART
  ::sigaction(SIGUSR1, &action, nullptr);
  const pthread_t caller = ::pthread_self();
  for (const bool may_take_long : {true, false}) {
    bool cancelled = false;
    {
      const Object object([&](Request &request) {
        if (may_take_long) send(request.reply_socket.get(), header_of(code_wait, 0));
        ::usleep(20'000);
        ::pthread_kill(caller, SIGUSR1);
        pollfd incoming{request.reply_socket.get(), POLLIN, 0};
        Request answer;
        cancelled = ::poll(&incoming, 1, 200) == 1 && receive(request.reply_socket.get(), answer) &&
                    answer.header.code == code_cancel;
        send(request.reply_socket.get(), header_of(code_fail, 8),
             words({static_cast<std::uint64_t>(cancelled ? EINTR : ENOENT)}));
      });
      int file;
      CHECK(open_file(object.client(), file) == (may_take_long ? -EINTR : -ENOENT));
    }
    CHECK(cancelled == may_take_long);
  }
  ::signal(SIGUSR1, SIG_DFL);
}

TEST_CASE("a request that is too large is refused before anything is sent") {
  const Object object([](Request &request) {
    send(request.reply_socket.get(), header_of(code_fail, 8), words({ENOENT}));
  });
  methods::SetXattr::Request request;
  request.value = {"x", max_message_size};
  methods::SetXattr::Reply reply;
  CHECK(invoke<methods::SetXattr>(object.client(), request, reply) == -E2BIG);
  request.value = {"x", ~std::uint64_t{0}};
  CHECK(invoke<methods::SetXattr>(object.client(), request, reply) == -E2BIG);
}

TEST_CASE("the rest of a large request comes over the reply socket, in order") {
  std::string received;
  std::size_t packets = 0;
  {
    const Object object([&](Request &request) {
      received = request.payload;
      packets = 1;
      while (received.size() < request.header.total_size) {
        Request next;
        if (!receive(request.reply_socket.get(), next) || next.header.offset != received.size())
          break;
        received += next.payload;
        ++packets;
      }
      send(request.reply_socket.get(), header_of(code_okay, 0));
    });
    std::string value(1 << 20, '\0');
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 7);
    methods::SetXattr::Request request;
    request.path = {"name", 4};
    request.name = {"user.x", 6};
    request.value = {value.data(), value.size()};
    methods::SetXattr::Reply reply;
    REQUIRE(invoke<methods::SetXattr>(object.client(), request, reply) == 0);
    const std::size_t tail_at = received.size() - value.size() - 10;
    CHECK(received.substr(tail_at) == "nameuser.x" + value);
  }
  CHECK(packets == 1 + (1u << 20) / max_fragment_size);
}
