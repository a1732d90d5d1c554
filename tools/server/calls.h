// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Carries out requests that have arrived whole, and answers them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "tools/server/blocking_call.h"
#include "tools/server/budget.h"
#include "tools/server/closer.h"
#include "tools/server/conversation.h"
#include "tools/server/handlers.h"
#include "tools/server/large_messages.h"
#include "tools/server/server.h"

namespace plash::server {

class Calls {
 public:
  // The arguments outlive it.
  Calls(const Options &options, Services &services, ConversationTable &conversations,
        Closer &closer)
      : options_(options), services_(services), conversations_(conversations), closer_(closer) {}

  // Never waits for the client, nor for what the call may have to wait for.
  void carry_out(const std::shared_ptr<Object> &object, Message &&message);

  // Answers with an error, where the socket takes it at once.
  static void refuse(int reply_socket, int error) { refuse(reply_socket, 0, error); }
  static void refuse(const ReplyTo &reply_to, int error) {
    refuse(reply_to.socket(), reply_to.sequence, error);
  }

  // Returns when no call is left on a thread of its own.
  void wait() { threads_.wait(); }

  // Over a session: nothing was done, the call is to be made with a pair.
  static void ask_for_pair(const ReplyTo &reply_to);
  // Ends a session over which a reply cannot be sent: its caller sees end of file, as one with a
  // pair does when the server lets go of the reply socket.
  static void drop(int session);

 private:
  template <class M>
  void run(const std::shared_ptr<Object> &object, Message &&message);
  template <class M>
  void run_later(const std::shared_ptr<Object> &object, Message &&message, Later later,
                 std::string description);
  // Both take what they need of reply_to and call where the reply has to wait.
  template <class M>
  void answer(const Object &object, ReplyTo &reply_to, Share &call, int error,
              const typename M::Reply &reply, UniqueFd *handed_over);
  void send(const Object &object, ReplyTo &reply_to, Share &call, const Outgoing &message);
  static void refuse(int socket, std::uint32_t sequence, int error);
  void log(const std::string &description, int error) const;

  const Options &options_;
  Services &services_;
  ConversationTable &conversations_;
  Closer &closer_;
  Threads threads_;  // of calls that may take long
};

}  // namespace plash::server
