// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/hostile/mutation.h"

#include <fcntl.h>

#include <array>
#include <cstddef>
#include <iterator>

#include "tests/hostile/message.h"

namespace plash::hostile {
namespace {

struct Shape {
  std::uint32_t code;
  bool of_directory;
  std::vector<FieldKind> fields;
};

const std::vector<Shape> &shapes() {
  static const std::vector<Shape> all = [] {
    std::vector<Shape> made;
    for_each_method([&]<class M>() {
      Shape shape{M::code, M::object == ObjectType::Directory, {}};
      typename M::Request fields;
      M::Request::visit(
          fields, [&](const char *, FieldKind kind, auto &) { shape.fields.push_back(kind); });
      made.push_back(std::move(shape));
    });
    return made;
  }();
  return all;
}

constexpr std::uint64_t interesting[] = {0,
                                         1,
                                         2,
                                         3,
                                         7,
                                         8,
                                         255,
                                         4'095,
                                         4'096,
                                         65'535,
                                         65'536,
                                         O_CREAT | O_RDWR,
                                         O_DIRECTORY,
                                         O_PATH,
                                         O_TMPFILE | O_RDWR,
                                         O_NOFOLLOW,
                                         AT_EMPTY_PATH,
                                         AT_SYMLINK_NOFOLLOW,
                                         std::uint64_t{1} << 31,
                                         std::uint64_t{1} << 32,
                                         std::uint64_t{1} << 40,
                                         std::uint64_t{1} << 63,
                                         ~std::uint64_t{0}};

constexpr const char *names[] = {"/w", "/w/sub", "/w/sub/file", "/r/file", "sub",    "file",
                                 ".",  "..",     "/",           "/w/fifo", "/w/new", "/w/link",
                                 "",   "//",     "/w/../r",     "/none/x"};

template <class Number>
void put(std::string &bytes, std::size_t at, Number value) {
  if (at + sizeof value <= bytes.size())
    bytes.replace(at, sizeof value, reinterpret_cast<const char *>(&value), sizeof value);
}

}  // namespace

std::uint64_t Mutator::number() {
  if (one_in(4)) return random_() | std::uint64_t{random_()} << 32;
  return interesting[below(std::size(interesting))];
}

std::string Mutator::path() {
  std::string text = names[below(std::size(names))];
  if (one_in(16)) text += "/" + std::string(below(300), 'n');
  if (one_in(64)) text.append(below(4'200), '/');
  return text;
}

Mutator::Message Mutator::well_formed() {
  const Shape &shape = shapes()[below(shapes().size())];
  Message message;
  std::vector<std::uint64_t> words;
  std::string tail;
  for (const FieldKind kind : shape.fields) {
    std::uint64_t word = 0;
    switch (kind) {
      case FieldKind::word:
      case FieldKind::number:
        // Open must not wait, and nothing large be made.
        word = one_in(2) ? 0 : number();
        break;
      case FieldKind::path: {
        const std::string text = path();
        word = text.size();
        tail += text;
        break;
      }
      case FieldKind::bytes:
        word = below(100);
        tail.append(word, static_cast<char>('a' + below(26)));
        break;
      case FieldKind::descriptor:
        word = below(2);
        message.descriptors += word;
        break;
      case FieldKind::descriptors:
        word = below(4);
        message.descriptors += word;
        break;
    }
    words.push_back(word);
  }
  std::string payload(reinterpret_cast<const char *>(words.data()), words.size() * sizeof words[0]);
  payload += tail;
  message.first = packet(header_of(shape.code, payload.size(), message.descriptors), payload);
  message.to_directory = shape.of_directory;
  return message;
}

void Mutator::mutate(Message &message) {
  std::string &bytes = message.first;
  switch (below(10)) {
    case 0:
      bytes[below(bytes.size())] ^= static_cast<char>(1u << below(8));
      break;
    case 1:
      bytes.resize(below(bytes.size()) + 1);
      break;
    case 2:
      bytes.append(below(300), static_cast<char>(below(256)));
      put(bytes, offsetof(PacketHeader, size),
          static_cast<std::uint32_t>(bytes.size() - sizeof(PacketHeader)));
      put(bytes, offsetof(PacketHeader, total_size), bytes.size() - sizeof(PacketHeader));
      break;
    case 3:  // a word of the payload
      if (bytes.size() > sizeof(PacketHeader))
        put(bytes, sizeof(PacketHeader) + 8 * below((bytes.size() - sizeof(PacketHeader)) / 8 + 1),
            number());
      break;
    case 4:
      message.descriptors = below(one_in(20) ? 252 : 5);
      if (one_in(2)) {
        put(bytes, offsetof(PacketHeader, descriptor_count),
            static_cast<std::uint16_t>(message.descriptors));
        put(bytes, offsetof(PacketHeader, descriptor_total),
            static_cast<std::uint16_t>(message.descriptors));
      }
      break;
    case 5:
      message.with_reply_socket = false;
      break;
    case 6:
      put(bytes, offsetof(PacketHeader, total_size), number());
      break;
    case 7:
      put(bytes, offsetof(PacketHeader, offset), number());
      break;
    case 8:  // another object's
      message.to_directory = !message.to_directory;
      break;
    case 9:  // in several packets, the later ones not always right
      if (bytes.size() > sizeof(PacketHeader) + 8 && bytes.size() < 10'000) {
        const std::size_t size = bytes.size() - sizeof(PacketHeader);
        const std::size_t cut = 1 + below(size - 1);
        PacketHeader header;
        std::memcpy(&header, bytes.data(), sizeof header);
        header.size = static_cast<std::uint32_t>(size - cut);
        header.offset = one_in(4) ? number() : cut;
        header.descriptor_offset = header.descriptor_total;
        header.descriptor_count = 0;
        message.later.push_back(packet(header, bytes.substr(sizeof header + cut)));
        if (one_in(4)) message.later.push_back(message.later.back());
        put(bytes, offsetof(PacketHeader, size), static_cast<std::uint32_t>(cut));
        bytes.resize(sizeof header + cut);
      }
      break;
  }
}

Mutator::Message Mutator::next() {
  Message message = well_formed();
  for (std::size_t i = below(4); i > 0; --i) mutate(message);
  return message;
}

}  // namespace plash::hostile
