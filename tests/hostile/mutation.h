// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Messages that are almost right: made from the method table, then changed a little or a lot.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace plash::hostile {

class Mutator {
 public:
  explicit Mutator(std::uint_fast32_t seed) : random_(seed) {}

  struct Message {
    std::string first;               // the packet for the object
    std::vector<std::string> later;  // for the reply socket
    std::size_t descriptors = 0;     // that travel with the first, the reply socket not counted
    bool with_reply_socket = true;
    bool to_directory = false;
  };
  Message next();

  // A request of any method, well-formed but for what its fields ask.
  Message well_formed();
  // Changes it: header fields, words, bytes, sizes.
  void mutate(Message &message);

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool one_in(std::size_t number) { return below(number) == 0; }
  std::uint64_t number();
  std::string path();

  std::minstd_rand random_;
};

}  // namespace plash::hostile
