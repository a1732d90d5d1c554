// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/calls.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <limits>
#include <type_traits>
#include <vector>

#include "tools/server/call_log.h"
#include "tools/server/object.h"
#include "tools/server/process_files.h"

namespace plash::server {
namespace {

// An outcome as the reply of the method that was called.
template <class Reply>
void fill(Reply &reply, const Outcome &outcome) {
  if constexpr (requires { reply.file; }) reply.file = outcome.fd.get();
  if constexpr (requires { reply.sent; }) reply.sent = outcome.number;
}

// The descriptor that the caller must be the only one to hold when it has its answer.
template <class Result>
UniqueFd *handed_over(Result &result) {
  return result.is_handed_over ? &result.fd : nullptr;
}

template <class M>
bool decode_message(const Message &message, std::vector<int> &descriptors,
                    typename M::Request &request) {
  constexpr std::size_t words = count_fields<typename M::Request>().words;
  constexpr std::size_t fixed_size = words * sizeof(std::uint64_t);
  if (message.size < fixed_size) return false;
  std::uint64_t fixed[words + 1];
  std::memcpy(fixed, message.payload, fixed_size);
  descriptors.reserve(message.descriptors.size());
  for (const UniqueFd &fd : message.descriptors) descriptors.push_back(fd.get());
  return decode(request, fixed, message.payload + fixed_size, message.size - fixed_size,
                descriptors.data(), descriptors.size());
}

}  // namespace

void Calls::carry_out(const std::shared_ptr<Object> &object, Message &&message) {
  switch (message.code) {
#define PLASH_METHOD(Name, Code, Object_, Interruptible, RequestFields, ReplyFields, Text) \
  case methods::Name::code:                                                                \
    if (object->type != ObjectType::Object_) break;                                        \
    return run<methods::Name>(object, std::move(message));
#include "protocol/methods.def"
    default:
      break;
  }
  if (options_.log) options_.log("unknown method = ENOSYS");
  refuse(message.reply_to, ENOSYS);
  closer_.close(std::move(message.descriptors));
}

template <class M>
void Calls::run(const std::shared_ptr<Object> &object, Message &&message) {
  typename M::Request request{};
  typename M::Reply reply{};
  Context context{services_, *object, {}, {}, {}, {}, {}, {}, {}};
  std::vector<int> descriptors;
  int error = -EINVAL;
  std::string description;
  bool is_caller_missed = false;
  if (decode_message<M>(message, descriptors, request)) {
    if (options_.log) description = describe_request<M>(request);
    const CallerOfThread caller(message.reply_to.own.get());
    try {
      error = handle(context, request, reply);
    } catch (const std::bad_alloc &) {
      error = -ENOMEM;
    }
    is_caller_missed = error != 0 && caller.was_missed();
  } else if (options_.log) {
    description = std::string(M::name) + "(malformed)";
  }
  const bool takes_long = error == 0 && context.later.work;
  // Before the reply, unless it gives them back: the caller may have sent a file that is open for
  // writing, and execute it next.
  constexpr bool gives_back = std::is_same_v<M, methods::Echo>;
  if (!gives_back) closer_.close(std::move(message.descriptors));
  std::shared_ptr<const UniqueFd> reader = std::move(context.later.reader);
  if (message.reply_to.is_kept() && (takes_long || is_caller_missed)) {
    if (reader) object->sandbox->waiting_readers.keep(std::move(reader));
    return ask_for_pair(message.reply_to);
  }
  if (takes_long) {
    // Who has the answer must not find the server in the FIFO: the call alone holds it from here.
    if (reader) object->sandbox->waiting_readers.let_go(reader->get());
    reader.reset();
    run_later<M>(object, std::move(message), std::move(context.later), std::move(description));
    return;
  }
  log(description, error);
  answer<M>(*object, message.reply_to, message.call, error, reply, handed_over(context));
  if (gives_back) closer_.close(std::move(message.descriptors));
}

template <class M>
void Calls::run_later(const std::shared_ptr<Object> &object, Message &&message, Later later,
                      std::string description) {
  // Before it is announced: a caller that was told to wait is not refused then.
  struct Place {
    Share blocked;
    Share call;
  };
  auto place = std::make_shared<Place>(
      Place{Share(object->sandbox->budgets.blocked), std::move(message.call)});
  if (!place->blocked.grow(1)) {
    log(description, -EAGAIN);
    refuse(message.reply_to.own.get(), EAGAIN);
    return;
  }
  Outgoing notice;
  notice.code = code_wait;
  if (send_packet(message.reply_to.own.get(), notice) != 0) return;  // nobody is waiting any more
  const int reply_socket = message.reply_to.own.get();
  auto call = std::make_shared<BlockingCall>(
      object->sandbox, std::move(message.reply_to.own), std::move(later),
      [this, object, description, place](BlockingCall &ended, Outcome outcome) {
        log(description, outcome.error);
        typename M::Reply reply{};
        fill(reply, outcome);
        UniqueFd socket(::fcntl(ended.reply_socket(), F_DUPFD_CLOEXEC, 0));
        conversations_.remove(ended);
        if (!ended.is_wanted() || !socket) return;
        ReplyTo reply_to{std::move(socket), nullptr, 0};
        answer<M>(*object, reply_to, place->call, outcome.error, reply, handed_over(outcome));
      });
  if (conversations_.add(call, std::numeric_limits<std::size_t>::max())) {
    try {
      call->start(threads_);
      return;
    } catch (const std::exception &) {
      conversations_.remove(*call);
    }
  }
  log(description, -EAGAIN);
  refuse(reply_socket, EAGAIN);
}

template <class M>
void Calls::answer(const Object &object, ReplyTo &reply_to, Share &call, int error,
                   const typename M::Reply &reply, UniqueFd *handed_over) {
  if (error != 0) {
    refuse(reply_to, -error);
    return;
  }
  const Encoded<typename M::Reply> encoded(reply);
  Outgoing message;
  message.sequence = reply_to.sequence;
  message.words = encoded.words;
  message.word_count = encoded.counts.words;
  message.parts = encoded.parts;
  message.part_count = encoded.counts.parts;
  message.descriptors = encoded.single_descriptors;
  message.descriptor_count = encoded.descriptor_count;
  message.more_descriptors = encoded.many;
  if (handed_over != nullptr) {
    const int result = hand_over(reply_to.socket(), message, *handed_over);
    if (result != 0 && reply_to.is_kept()) return drop(reply_to.socket());
    if (result == -ETOOMANYREFS) refuse(reply_to.socket(), ENFILE);
    return;
  }
  send(object, reply_to, call, message);
}

void Calls::drop(int session) { ::shutdown(session, SHUT_RDWR); }

void Calls::ask_for_pair(const ReplyTo &reply_to) {
  Outgoing message;
  message.code = code_pair;
  message.sequence = reply_to.sequence;
  if (send_packet(reply_to.socket(), message) != 0) drop(reply_to.socket());
}

void Calls::refuse(int socket, std::uint32_t sequence, int error) {
  const auto word = static_cast<std::uint64_t>(error);
  Outgoing message;
  message.code = code_fail;
  message.sequence = sequence;
  message.words = &word;
  message.word_count = 1;
  if (send_packet(socket, message) != 0 && sequence != 0) drop(socket);
}

void Calls::send(const Object &object, ReplyTo &reply_to, Share &call, const Outgoing &message) {
  const int error = send_packet(reply_to.socket(), message);
  if (error == -ETOOMANYREFS && !reply_to.is_kept()) return refuse(reply_to.socket(), ENFILE);
  if (reply_to.is_kept()) {
    // Who uses sessions as they are meant reads each reply, and asks for none that is too large.
    if (error != 0) drop(reply_to.socket());
    return;
  }
  if (error != -EMSGSIZE && error != -EAGAIN) return;  // sent, or nobody is there
  UniqueFd reply_socket = std::move(reply_to.own);
  Budget &bytes = object.sandbox->budgets.bytes;
  Share share(bytes);
  while (!share.grow(message.size())) {
    const Sandbox *sandbox = bytes.has_room(message.size()) ? nullptr : object.sandbox.get();
    if (!conversations_.drop_oldest(nullptr, sandbox)) return refuse(reply_socket.get(), ENOBUFS);
  }
  Sending sending(message);
  if (sending.send(reply_socket.get()) != Sending::Progress::blocked) return;
  conversations_.add(
      std::make_shared<LargeReply>(object.sandbox, std::move(reply_socket), std::move(sending),
                                   std::move(call), std::move(share),
                                   std::chrono::seconds(options_.limits.assembly_timeout_seconds)),
      options_.limits.total.max_assemblies);
}

void Calls::log(const std::string &description, int error) const {
  if (options_.log) options_.log(description + " = " + describe_result(error));
}

}  // namespace plash::server
