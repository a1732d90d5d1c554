// SPDX-License-Identifier: LGPL-2.1-or-later
#include "protocol/marshal.h"

#include <set>
#include <string>
#include <vector>

#include "protocol/methods.h"
#include "tests/support/catch.h"

using namespace plash;

namespace {

// Gives every field a value of its own, in order.
struct Filler {
  std::uint64_t next = 1;
  std::vector<std::string> &strings;
  std::vector<int> &numbers;

  void operator()(const char *, FieldKind, std::uint64_t &value) { value = next++; }
  void operator()(const char *, FieldKind, std::int64_t &value) {
    value = -static_cast<std::int64_t>(next++);
  }
  void operator()(const char *, FieldKind, int &value) { value = static_cast<int>(100 + next++); }
  void operator()(const char *, FieldKind, Bytes &value) {
    strings.push_back("bytes " + std::to_string(next++));
    value = {strings.back().data(), strings.back().size()};
  }
  void operator()(const char *, FieldKind, Descriptors &value) {
    value = {numbers.data(), numbers.size()};
  }
};

std::string as_text(std::uint64_t value) { return std::to_string(value); }
std::string as_text(std::int64_t value) { return std::to_string(value); }
std::string as_text(int value) { return "fd " + std::to_string(value); }
std::string as_text(const Bytes &value) { return std::string(value.data, value.size); }
std::string as_text(const Descriptors &value) {
  std::string text;
  for (std::uint64_t i = 0; i < value.size; ++i) text += as_text(value.data[i]) + " ";
  return text;
}

template <class Fields>
std::string as_text(const Fields &fields) {
  std::string text;
  Fields::visit(fields, [&](const char *name, FieldKind, const auto &value) {
    text += std::string(name) + "=" + as_text(value) + "\n";
  });
  return text;
}

// What a receiver has of a structure.
struct Payload {
  std::vector<std::uint64_t> words;
  std::string tail;
  std::vector<int> descriptors;

  template <class Fields>
  explicit Payload(const Fields &fields) {
    const Encoded<Fields> encoded(fields);
    words.assign(encoded.words, encoded.words + encoded.counts.words);
    for (std::uint32_t i = 0; i < encoded.counts.parts; ++i)
      tail.append(encoded.parts[i].data, encoded.parts[i].size);
    descriptors.assign(encoded.single_descriptors,
                       encoded.single_descriptors + encoded.descriptor_count);
    descriptors.insert(descriptors.end(), encoded.many.data, encoded.many.data + encoded.many.size);
    words.push_back(0);  // never an empty vector
  }

  template <class Fields>
  bool decode_into(Fields &fields) const {
    return decode(fields, words.data(), tail.data(), tail.size(), descriptors.data(),
                  descriptors.size());
  }
};

template <class Fields>
void check_round_trip() {
  std::vector<std::string> strings;
  strings.reserve(16);
  std::vector<int> numbers{7, 8, 9};
  Fields fields{};
  Fields::visit(fields, Filler{1, strings, numbers});
  Payload payload(fields);
  Fields decoded{};
  REQUIRE(payload.decode_into(decoded));
  CHECK(as_text(decoded) == as_text(fields));

  payload.tail += "x";
  CHECK_FALSE(payload.decode_into(decoded));
  payload.tail.pop_back();
  payload.descriptors.push_back(3);
  CHECK_FALSE(payload.decode_into(decoded));
}

struct RoundTrip {
  template <class M>
  void operator()() const {
    INFO(M::name);
    check_round_trip<typename M::Request>();
    check_round_trip<typename M::Reply>();
  }
};

Payload open_request(const std::string &path, int base) {
  methods::Open::Request request;
  request.path = {path.data(), path.size()};
  request.base = base;
  return Payload(request);
}

}  // namespace

TEST_CASE("every method's request and reply come back as they were, and nothing more is accepted") {
  for_each_method(RoundTrip{});
}

TEST_CASE("no two methods share a code, and none has a reply's") {
  std::set<std::uint32_t> codes{code_okay, code_fail, code_wait, code_cancel};
  const auto before = codes.size();
  std::size_t methods = 0;
  const auto add = [&]<class M>() {
    codes.insert(M::code);
    ++methods;
  };
  for_each_method(add);
  CHECK(codes.size() == before + methods);
}

TEST_CASE("an absent descriptor stays absent") {
  methods::Open::Request request;
  request.base = 55;
  REQUIRE(open_request("a", -1).decode_into(request));
  CHECK(request.base == -1);
}

TEST_CASE("lengths and counts that do not fit are refused") {
  methods::Open::Request request;
  Payload good = open_request("name", 5);
  REQUIRE(good.decode_into(request));
  for (const std::uint64_t length : {std::uint64_t{3}, std::uint64_t{5}, std::uint64_t{1} << 31,
                                     std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    Payload bad = good;
    bad.words[1] = length;
    CHECK_FALSE(bad.decode_into(request));
  }
  for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{2}, ~std::uint64_t{0}}) {
    Payload bad = good;
    bad.words[0] = count;
    CHECK_FALSE(bad.decode_into(request));
  }
  Payload missing = good;
  missing.descriptors.clear();
  CHECK_FALSE(missing.decode_into(request));
}

TEST_CASE("a path holds no NUL byte and at most 4095 bytes") {
  methods::Open::Request request;
  CHECK_FALSE(open_request(std::string("a\0b", 3), -1).decode_into(request));
  CHECK(open_request(std::string(4095, 'a'), -1).decode_into(request));
  CHECK_FALSE(open_request(std::string(4096, 'a'), -1).decode_into(request));
}

TEST_CASE("bytes may hold anything") {
  const std::string value("a\0b", 3);
  methods::SetXattr::Request request;
  request.value = {value.data(), value.size()};
  const Payload payload(request);
  methods::SetXattr::Request decoded;
  REQUIRE(payload.decode_into(decoded));
  CHECK(as_text(decoded.value) == value);
}

TEST_CASE("the hidden memory functions do what the C standard says") {
  std::string text = "0123456789";
  memmove(text.data() + 2, text.data(), 5);
  CHECK(text == "0101234789");
  memmove(text.data(), text.data() + 2, 5);
  CHECK(text == "0123434789");
}
