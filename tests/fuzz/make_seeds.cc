// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: make-seeds DIRECTORY
//
// Writes a corpus to start from, made from the method table: DIRECTORY/requests, a request of each
// method with paths that exist; DIRECTORY/sequences, several of them; DIRECTORY/replies, a reply of
// each method, an error, a Wait.
#include <fcntl.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/program.h"
#include "tests/hostile/message.h"

namespace plash::fuzz {
namespace {

constexpr const char *paths[] = {"/w/sub/file", "/r/link", "/w/new", "/f/link/..", "sub"};

template <class M>
Operation request_of(std::string_view path) {
  typename M::Request fields;
  Operation operation;
  M::Request::visit(fields, [&]<class T>(const char *name, FieldKind kind, T &value) {
    if constexpr (__is_same(T, Bytes)) {
      value = hostile::bytes(kind == FieldKind::path ? path : "user.name");
    } else if constexpr (__is_same(T, int)) {
      // base with a relative path; sockets always.
      const bool is_base = std::string_view(name).ends_with("base");
      if (is_base && path.front() == '/') return;
      value = 0;
      operation.descriptors.push_back(is_base ? 0 : 7);
    } else if constexpr (__is_same(T, std::uint64_t)) {
      const std::string_view field = name;
      value = field == "size" ? 4'096 : field == "mode" ? 0644 : 0;
    }
  });
  operation.object = M::object == ObjectType::Directory ? 1 : 0;
  operation.packet = hostile::encode<M>(fields).bytes;
  return operation;
}

template <class M>
Operation reply_of(unsigned which) {
  typename M::Reply fields;
  Operation operation;
  M::Reply::visit(fields, [&]<class T>(const char *, FieldKind, T &value) {
    if constexpr (__is_same(T, Bytes)) {
      value = hostile::bytes("a few bytes");
    } else if constexpr (__is_same(T, int)) {
      value = 0;
      operation.descriptors.push_back(0);
    }
  });
  const Encoded<typename M::Reply> encoded(fields);
  std::string payload(reinterpret_cast<const char *>(encoded.words),
                      encoded.counts.words * sizeof(std::uint64_t));
  for (std::uint32_t i = 0; i < encoded.counts.parts; ++i)
    payload.append(encoded.parts[i].data, encoded.parts[i].size);
  operation.object = static_cast<std::uint8_t>(which);
  operation.packet = hostile::packet(
      hostile::header_of(code_okay, payload.size(), operation.descriptors.size()), payload);
  return operation;
}

void write(const std::string &directory, const std::string &name,
           const std::vector<Operation> &operations) {
  std::filesystem::create_directories(directory);
  const std::string bytes = serialize(operations);
  std::ofstream(directory + "/" + name, std::ios::binary) << bytes;
}

void make(const std::string &directory) {
  unsigned which = 0;
  for_each_method([&]<class M>() {
    std::vector<Operation> sequence;
    for (std::size_t i = 0; i < std::size(paths); ++i) {
      const Operation operation = request_of<M>(paths[i]);
      write(directory + "/requests", std::string(M::name) + std::to_string(i), {operation});
      sequence.push_back(operation);
    }
    Operation opened = request_of<methods::Open>("/w");
    sequence.insert(sequence.begin(), opened);
    sequence[2].what = Operation::What::call_unread;
    sequence[3].what = Operation::What::call_abandoned;
    write(directory + "/sequences", M::name, sequence);
    if constexpr (!count_fields<typename M::Reply>().many_descriptors) {
      const Operation reply = reply_of<M>(which);
      Operation wait = reply;
      wait.descriptors.clear();
      wait.packet = hostile::packet(hostile::header_of(code_wait, 0));
      Operation fail = wait;
      fail.packet =
          hostile::packet(hostile::header_of(code_fail, 8), std::string("\2\0\0\0\0\0\0\0", 8));
      write(directory + "/replies", M::name, {reply});
      write(directory + "/replies", std::string(M::name) + "Wait", {wait, reply});
      write(directory + "/replies", std::string(M::name) + "Fail", {fail});
      ++which;
    }
  });
}

}  // namespace
}  // namespace plash::fuzz

int main(int count, char **values) {
  if (count != 2) {
    std::fputs("usage: make-seeds DIRECTORY\n", stderr);
    return 2;
  }
  try {
    plash::fuzz::make(values[1]);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "make-seeds: %s\n", error.what());
    return 1;
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t *, std::size_t size, std::size_t) {
  return size;
}
