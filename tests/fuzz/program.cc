// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/fuzz/program.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "tests/hostile/mutation.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t *data, std::size_t size, std::size_t max_size);

namespace plash::fuzz {
namespace {

constexpr std::size_t max_descriptors = 7;
constexpr std::size_t max_operations = 40;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool ended() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::string text(std::size_t size) {
    const std::string result(bytes_.substr(0, size));
    bytes_.remove_prefix(result.size());
    return result;
  }

 private:
  std::string_view bytes_;
};

}  // namespace

std::vector<Operation> parse(std::string_view bytes) {
  std::vector<Operation> operations;
  Reader reader(bytes);
  while (!reader.ended() && operations.size() < max_operations) {
    Operation operation;
    operation.what =
        static_cast<Operation::What>(reader.byte() % static_cast<unsigned>(Operation::What::count));
    operation.object = reader.byte();
    operation.descriptors.resize(reader.byte() % (max_descriptors + 1));
    for (std::uint8_t &kind : operation.descriptors) kind = reader.byte();
    std::size_t size = reader.byte();
    size |= static_cast<std::size_t>(reader.byte()) << 8;
    operation.packet = reader.text(size);
    operations.push_back(std::move(operation));
  }
  return operations;
}

std::string serialize(const std::vector<Operation> &operations) {
  std::string bytes;
  for (const Operation &operation : operations) {
    bytes += static_cast<char>(operation.what);
    bytes += static_cast<char>(operation.object);
    bytes += static_cast<char>(operation.descriptors.size());
    for (const std::uint8_t kind : operation.descriptors) bytes += static_cast<char>(kind);
    bytes += static_cast<char>(operation.packet.size() & 0xff);
    bytes += static_cast<char>(operation.packet.size() >> 8 & 0xff);
    bytes += operation.packet.substr(0, 0xffff);
  }
  return bytes;
}

std::size_t mutate(std::uint8_t *data, std::size_t size, std::size_t max_size, unsigned seed,
                   std::size_t most_operations) {
  std::minstd_rand random(seed + 1);
  if (random() % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::vector<Operation> operations = parse({reinterpret_cast<const char *>(data), size});
  hostile::Mutator mutator(seed + 1);
  const auto fresh = [&] {
    const hostile::Mutator::Message message = mutator.well_formed();
    Operation operation;
    operation.what = static_cast<Operation::What>(random() % (random() % 3 == 0 ? 11 : 1));
    operation.object = static_cast<std::uint8_t>(message.to_directory ? 1 + random() % 3 : 0);
    for (std::size_t i = 0; i < std::min(message.descriptors, max_descriptors); ++i)
      operation.descriptors.push_back(static_cast<std::uint8_t>(random()));
    operation.packet = message.first;
    return operation;
  };
  if (operations.empty()) operations.push_back(fresh());
  const std::size_t at = random() % operations.size();
  Operation &chosen = operations[at];
  switch (random() % 8) {
    case 0:
      if (operations.size() < most_operations)
        operations.insert(operations.begin() + static_cast<std::ptrdiff_t>(at), fresh());
      break;
    case 1:
      chosen = fresh();
      break;
    case 2:
      if (operations.size() > 1)
        operations.erase(operations.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 3:
      if (operations.size() < most_operations) operations.push_back(chosen);
      break;
    case 4:
      std::swap(chosen, operations[random() % operations.size()]);
      break;
    case 5:
      chosen.what =
          static_cast<Operation::What>(random() % static_cast<unsigned>(Operation::What::count));
      chosen.object = static_cast<std::uint8_t>(random() % 8);
      break;
    default: {
      hostile::Mutator::Message message;
      message.first = chosen.packet.empty() ? std::string(1, '\0') : chosen.packet;
      message.descriptors = chosen.descriptors.size();
      mutator.mutate(message);
      chosen.packet = message.first;
      chosen.descriptors.resize(std::min(message.descriptors, max_descriptors));
      for (const std::string &later : message.later) {
        if (operations.size() >= most_operations) break;
        Operation more;
        more.what = Operation::What::more;
        more.packet = later;
        operations.insert(operations.begin() + static_cast<std::ptrdiff_t>(at) + 1, more);
      }
    }
  }
  const std::string bytes = serialize(operations);
  if (bytes.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

}  // namespace plash::fuzz
