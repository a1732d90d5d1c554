// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Between a method's structures (methods.h) and a payload: one 64-bit word a field, then the bytes
// of the variable fields in order; descriptors travel beside it in order. Both sides use this file.
// Async-signal-safe.
#pragma once

#include <cstdint>

#include "protocol/memory.h"
#include "protocol/packet.h"

namespace plash {

// Bytes that belong to somebody else.
struct Bytes {
  const char *data = nullptr;
  std::uint64_t size = 0;
};

// Descriptors that belong to somebody else.
struct Descriptors {
  const int *data = nullptr;
  std::uint64_t size = 0;
};

enum class FieldKind : std::uint8_t { word, number, path, bytes, descriptor, descriptors };

// How many fields of each kind a structure has, from its visit().
struct FieldCounts {
  std::uint32_t words = 0;        // fields in all, each a word
  std::uint32_t parts = 0;        // fields with bytes in the tail
  std::uint32_t descriptors = 0;  // single descriptors at most
  bool many_descriptors = false;
  constexpr void operator()(const char *, FieldKind kind, auto &&) {
    ++words;
    if (kind == FieldKind::path || kind == FieldKind::bytes) ++parts;
    if (kind == FieldKind::descriptor) ++descriptors;
    if (kind == FieldKind::descriptors) many_descriptors = true;
  }
};

template <class Fields>
constexpr FieldCounts count_fields() {
  FieldCounts counts;
  Fields fields{};
  Fields::visit(fields, counts);
  return counts;
}

// A structure's words, and views of the bytes and descriptors that go with them. Valid while the
// structure's own are.
template <class Fields>
struct Encoded {
  static constexpr FieldCounts counts = count_fields<Fields>();
  std::uint64_t words[counts.words + 1];
  Bytes parts[counts.parts + 1];
  int single_descriptors[counts.descriptors + 1];
  Descriptors many;                    // stand behind the single ones
  std::uint32_t descriptor_count = 0;  // single ones in use

  explicit Encoded(const Fields &fields) noexcept {
    std::uint32_t word = 0;
    std::uint32_t part = 0;
    Fields::visit(fields, [&](const char *, FieldKind, const auto &value) {
      put(value, words[word++], part);
    });
  }

 private:
  void put(const std::uint64_t &value, std::uint64_t &word, std::uint32_t &) noexcept {
    word = value;
  }
  void put(const std::int64_t &value, std::uint64_t &word, std::uint32_t &) noexcept {
    word = static_cast<std::uint64_t>(value);
  }
  void put(const Bytes &value, std::uint64_t &word, std::uint32_t &part) noexcept {
    word = value.size;
    parts[part++] = value;
  }
  void put(const int &value, std::uint64_t &word, std::uint32_t &) noexcept {
    word = value >= 0 ? 1 : 0;
    if (value >= 0) single_descriptors[descriptor_count++] = value;
  }
  void put(const Descriptors &value, std::uint64_t &word, std::uint32_t &) noexcept {
    word = value.size;
    many = value;
  }
};

// Reads a structure out of what arrived. words: the fixed part, Encoded<Fields>::counts.words of
// them; tail: the rest of the payload, tail_size bytes; descriptors: all that came, in order. Views
// in fields point into tail and descriptors. Returns false, fields being unspecified, where
// anything does not fit exactly: lengths against the tail, counts against the descriptors, a NUL
// byte or more than 4095 bytes in a path, a descriptor word other than 0 and 1.
template <class Fields>
[[nodiscard]] bool decode(Fields &fields, const std::uint64_t *words, const char *tail,
                          std::uint64_t tail_size, const int *descriptors,
                          std::uint64_t descriptor_count) noexcept {
  std::uint64_t used = 0;
  std::uint64_t descriptors_used = 0;
  std::uint32_t index = 0;
  bool good = true;
  const auto take_bytes = [&](Bytes &bytes, std::uint64_t size) {
    if (size > tail_size - used) {
      good = false;
      return;
    }
    bytes = Bytes{tail + used, size};
    used += size;
  };
  const auto take = [&]<class T>(FieldKind kind, T &value, std::uint64_t word) {
    if constexpr (__is_same(T, std::uint64_t)) {
      value = word;
    } else if constexpr (__is_same(T, std::int64_t)) {
      value = static_cast<std::int64_t>(word);
    } else if constexpr (__is_same(T, Bytes)) {
      take_bytes(value, word);
      if (!good || kind != FieldKind::path) return;
      if (value.size > max_path_size) good = false;
      for (std::uint64_t i = 0; good && i < value.size; ++i) {
        if (value.data[i] == '\0') good = false;
      }
    } else if constexpr (__is_same(T, int)) {
      value = -1;
      if (word > 1 || word > descriptor_count - descriptors_used) {
        good = false;
      } else if (word == 1) {
        value = descriptors[descriptors_used++];
      }
    } else {
      if (word > descriptor_count - descriptors_used) {
        good = false;
      } else {
        value = Descriptors{descriptors + descriptors_used, word};
        descriptors_used += word;
      }
    }
  };
  Fields::visit(fields, [&](const char *, FieldKind kind, auto &value) {
    if (good) take(kind, value, words[index]);
    ++index;
  });
  return good && used == tail_size && descriptors_used == descriptor_count;
}

}  // namespace plash
