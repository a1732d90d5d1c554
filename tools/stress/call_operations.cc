// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Operations of Door::call: each method of the protocol, called through protocol/call.h and
// answered by the small server. What comes back must follow from what was sent.
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "protocol/call.h"
#include "tools/stress/call_operations.h"
#include "tools/stress/call_server.h"

namespace plash::stress {
namespace {

constexpr std::size_t max_tail = 256;

// Fills in a request with values drawn at random. text: memory for its bytes.
template <class Request>
void fill(Context &c, Request &request, char (&text)[16]) noexcept {
  const std::uint64_t drawn = c.random.next();
  for (std::size_t i = 0; i < sizeof text; ++i)
    text[i] = static_cast<char>('a' + (drawn >> (4 * i)) % 16);
  Request::visit(request, [&]<class T>(const char *, FieldKind, T &value) {
    if constexpr (std::is_same_v<T, Bytes>) {
      value = Bytes{text, 1 + c.random.below(sizeof text)};
    } else if constexpr (std::is_same_v<T, int>) {
      value = c.board.settings.object;  // any descriptor does
    } else if constexpr (!std::is_same_v<T, Descriptors>) {
      value = static_cast<T>(c.random.next());
    }
  });
}

template <class Request>
std::uint64_t hash_of(std::uint32_t code, const Request &request) noexcept {
  const Encoded<Request> encoded(request);
  RequestHash hash;
  hash.add(&code, sizeof code);
  hash.add(encoded.words, encoded.counts.words * sizeof(std::uint64_t));
  for (std::uint32_t i = 0; i < encoded.counts.parts; ++i)
    hash.add(encoded.parts[i].data, encoded.parts[i].size);
  return hash.value();
}

void check_descriptor(Context &c, const char *name, int descriptor, std::uint64_t hash) noexcept {
  std::uint64_t content = 0;
  c.holds(name, fcntl(descriptor, F_GETFD) == FD_CLOEXEC, "the descriptor is not close-on-exec");
  c.holds(name,
          read(descriptor, &content, sizeof content) == sizeof content &&
              content == descriptor_content(hash),
          "another call's descriptor");
  c.holds(name, close(descriptor) == 0, "the descriptor was not open");
}

template <class Reply>
void check(Context &c, const char *name, const Reply &reply, std::uint64_t hash) noexcept {
  std::uint32_t index = 0;
  bool good = true;
  int descriptor = -1;
  Reply::visit(reply, [&]<class T>(const char *, FieldKind, const T &value) {
    if constexpr (std::is_same_v<T, Bytes>) {
      good = good && value.size == reply_length(hash, index);
      for (std::uint64_t i = 0; good && i < value.size; ++i)
        good = value.data[i] == reply_byte(hash, index, i);
    } else if constexpr (std::is_same_v<T, int>) {
      descriptor = value;
    } else {
      good = good && static_cast<std::uint64_t>(value) == reply_word(hash, index);
    }
    ++index;
  });
  c.holds(name, good, "another call's reply");
  if (descriptor >= 0) check_descriptor(c, name, descriptor, hash);
}

template <class M>
void call_method(Context &c) noexcept {
  char text[16];
  typename M::Request request;
  fill(c, request, text);
  const std::uint64_t hash = hash_of(M::code, request);
  typename M::Reply reply;
  char tail[max_tail];
  const long result = invoke<M>(c.board.settings.object, request, reply, {tail, sizeof tail});
  errno = static_cast<int>(-result);
  if (is_refused(hash)) {
    c.refused(M::name, result == 0 ? 0 : -1, refusal(hash));
  } else if (c.done(M::name, result == 0 ? 0 : -1)) {
    check(c, M::name, reply, hash);
  }
}

void fork_and_call(Context &c) noexcept {
  const pid_t child = _Fork();
  if (child == 0) {
    c.enter_child();
    for (int i = 0; i < 3; ++i) run_simple(c);
    _exit(0);
  }
  if (!c.done("_Fork", child)) return;
  int status = 0;
  long result;
  do {
    result = waitpid(child, &status, 0);
  } while (result == -1 && errno == EINTR);
  c.holds("_Fork", result == child && status == 0, "the child failed");
}

// The methods whose replies fit invoke(): all but Echo.
template <class M>
constexpr bool is_called = !count_fields<typename M::Reply>().many_descriptors;

constexpr std::size_t method_count = [] {
  std::size_t count = 0;
  for_each_method([&]<class M> {
    if (is_called<M>) ++count;
  });
  return count;
}();

constexpr auto list = [] {
  std::array<Operation, method_count + 1> operations{};
  std::size_t index = 0;
  for_each_method([&]<class M> {
    if constexpr (is_called<M>) operations[index++] = {M::name, call_method<M>, Operation::safe};
  });
  operations[index] = {"_Fork", fork_and_call, Operation::process};
  return operations;
}();

}  // namespace

std::span<const Operation> call_operations() noexcept { return list; }

}  // namespace plash::stress
