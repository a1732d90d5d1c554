// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cases 1 to 9: messages.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "tests/hostile/case.h"
#include "tests/hostile/mutation.h"
#include "tests/hostile/server_process.h"

namespace plash::hostile {
namespace {

std::string ping() { return encode<methods::Ping>({}).bytes; }

std::string open_payload(std::uint64_t path_size, std::string_view tail) {
  const std::uint64_t words[6] = {0, path_size, 0, 0, 0, 0};
  return std::string(reinterpret_cast<const char *>(words), sizeof words).append(tail);
}

// A process that begins messages and does not finish them. Returns how many calls ended.
unsigned begin_and_wait(const Attack &attack, unsigned messages, unsigned milliseconds) {
  PacketHeader header = header_of(methods::Stat::code, max_fragment_size);
  header.total_size = max_message_size;
  const std::string first = packet(header, std::string(max_fragment_size, 'x'));
  std::vector<UniqueFd> replies;
  for (unsigned i = 0; i < messages; ++i) replies.push_back(begin(attack.fs_op, first));
  unsigned ended = 0;
  for (const UniqueFd &reply : replies) {
    const std::string what = receive(reply.get(), static_cast<int>(milliseconds)).what;
    if (what == "end" || what == "ENOBUFS" || what == "EAGAIN") ++ended;
  }
  return ended;
}

}  // namespace

HOSTILE_CASE(1, "1 byte, truncated header, wrong magic or version: dropped") {
  attack.expect(attack.send("x").what, "end", "1 byte");
  const std::string good = ping();
  attack.expect(attack.send(good).what, "Okay", "a good one");
  for (std::size_t size = 1; size < sizeof(PacketHeader); ++size)
    attack.expect(attack.send(good.substr(0, size)).what, "end", "a truncated header");
  const auto changed = [&](std::size_t at) {
    std::string bad = good;
    bad[at] ^= 1;
    return attack.send(bad).what;
  };
  for (std::size_t at = 0; at < 4; ++at) attack.expect(changed(at), "end", "magic");
  attack.expect(changed(4), "end", "version");
  attack.expect(changed(5), "end", "version");
  attack.expect(changed(36), "end", "reserved");
  attack.expect(changed(32), "end", "size");
  attack.expect(attack.send(good + "x").what, "end", "more bytes than size says");
}

HOSTILE_CASE(2, "Over the limit (MSG_TRUNC): refused, FDs closed") {
  for (const std::size_t size : {65'536u + 1u, 70'000u, 150'000u, 200'000u}) {
    int pipe[2];
    attack.expect(::pipe2(pipe, O_CLOEXEC) == 0, "pipe");
    UniqueFd reading(pipe[0]);
    UniqueFd writing(pipe[1]);
    PacketHeader header = header_of(methods::Echo::code, size - sizeof header, 3);
    const std::vector<int> descriptors(3, writing.get());
    const std::string bytes = packet(header, std::string(size - sizeof header, 'x'));
    const UniqueFd reply = begin(attack.fs_op, bytes, descriptors);
    writing.reset();
    attack.expect(receive(reply.get()).what, "end", "a packet that is too large");
    char byte;
    attack.expect(::read(reading.get(), &byte, 1) == 0, "its descriptors are closed");
  }
}

HOSTILE_CASE(3, "Unknown method: ENOSYS") {
  std::uint32_t code = 1;
  for (unsigned i = 0; i < 2'000; ++i) {
    code = code * 1'664'525 + 1'013'904'223;
    bool known = false;
    for_each_method([&]<class M>() { known |= M::code == code; });
    if (known) continue;
    attack.expect(attack.send(packet(header_of(code, 0))).what, "ENOSYS", "a random code");
  }
  for (const std::uint32_t reply : {code_okay, code_fail, code_wait, code_cancel, 0u, ~0u})
    attack.expect(attack.send(packet(header_of(reply, 0))).what, "ENOSYS", "a reply's code");
}

HOSTILE_CASE(4, "String of length 0: ENOENT") {
  attack.expect(attack.call<methods::Open>("").what, "ENOENT", "Open");
  attack.expect(attack.call<methods::Stat>("").what, "ENOENT", "Stat");
  attack.expect(attack.call<methods::Access>("").what, "ENOENT", "Access");
  attack.expect(attack.call<methods::Readlink>("", [](auto &r) { r.size = 10; }).what, "ENOENT",
                "Readlink");
  attack.expect(attack.call<methods::Chdir>("").what, "ENOENT", "Chdir");
  attack.expect(attack.call<methods::Mkdir>("").what, "ENOENT", "Mkdir");
  attack.expect(attack.call<methods::Unlink>("").what, "ENOENT", "Unlink");
  attack.expect(attack.call<methods::Rename>("").what, "ENOENT", "Rename");
  attack.expect(attack.call<methods::Link>("").what, "ENOENT", "Link");
  attack.expect(attack.call<methods::Symlink>("").what, "ENOENT", "Symlink");
  attack.expect(attack.call<methods::Chmod>("").what, "ENOENT", "Chmod");
  attack.expect(attack.call<methods::Truncate>("").what, "ENOENT", "Truncate");
  attack.expect(attack.call<methods::Statfs>("").what, "ENOENT", "Statfs");
  attack.expect(attack.call<methods::Exec>("").what, "ENOENT", "Exec");
  attack.expect(attack.send(encode<methods::SocketName>({})).what, "ENOENT", "SocketName");
}

HOSTILE_CASE(5, "Lengths 2^31, 2^63, offsets past the total, 2^40: refused") {
  const auto send_open = [&](std::uint64_t size) {
    const std::string payload = open_payload(size, "/r/file");
    return attack.send(packet(header_of(methods::Open::code, payload.size()), payload)).what;
  };
  attack.expect(send_open(7), "Okay", "the true length");
  for (const unsigned bit : {16u, 31u, 32u, 40u, 62u, 63u}) {
    attack.expect(send_open(std::uint64_t{1} << bit), "EINVAL",
                  "a length of 2^" + std::to_string(bit));
    attack.expect(send_open((std::uint64_t{1} << bit) + 7), "EINVAL", "a length that wraps");
  }
  attack.expect(send_open(~std::uint64_t{0}), "EINVAL", "a length of 2^64 - 1");
  const auto first = [&](std::uint64_t total, std::uint64_t offset, std::uint32_t size,
                         std::uint16_t descriptor_total = 0, std::uint16_t descriptor_offset = 0) {
    PacketHeader header = header_of(methods::Open::code, size);
    header.total_size = total;
    header.offset = offset;
    header.descriptor_total = descriptor_total;
    header.descriptor_offset = descriptor_offset;
    const UniqueFd reply = begin(attack.fs_op, packet(header, std::string(size, '\0')));
    return receive(reply.get(), 300).what;
  };
  attack.expect(first(std::uint64_t{1} << 40, 0, 100), "E2BIG", "2^40 bytes");
  attack.expect(first(~std::uint64_t{0}, 0, 100), "E2BIG", "2^64 - 1 bytes");
  attack.expect(first(max_message_size + 1, 0, 100), "E2BIG", "one more than may be");
  attack.expect(first(10, 0, 100), "end", "more than the total");
  attack.expect(first(1'000, 100, 100), "end", "an offset in a first packet");
  attack.expect(first(1'000, 5'000, 100), "end", "an offset past the total");
  attack.expect(first(100, 0, 100, 2'000), "E2BIG", "2000 descriptors");
  attack.expect(first(100, 0, 100, 10, 20), "end", "a descriptor offset past the total");
  attack.expect(first(100, 0, 0), "end", "a first packet that brings nothing");
  const auto second = [&](std::uint64_t offset, std::uint32_t size, std::uint64_t total = 1'000) {
    PacketHeader header = header_of(methods::Open::code, 500);
    header.total_size = 1'000;
    const UniqueFd reply = begin(attack.fs_op, packet(header, std::string(500, '\0')));
    header.total_size = total;
    header.offset = offset;
    header.size = size;
    send(reply.get(), packet(header, std::string(size, '\0')));
    return receive(reply.get()).what;
  };
  attack.expect(second(499, 500), "end", "overlapping fragments");
  attack.expect(second(501, 499), "end", "a gap");
  attack.expect(second(500, 501), "end", "a fragment past the total");
  attack.expect(second(500, 0), "end", "an empty fragment");
  attack.expect(second(500, 500, 2'000), "end", "another total");
  attack.expect(second(~std::uint64_t{0} - 100, 500), "end", "an offset that wraps");
  attack.expect(second(500, 500), "EINVAL", "all there, and no Open");
}

HOSTILE_CASE(6, "Embedded NUL, trailing bytes: refused") {
  const auto send_open = [&](std::string_view path, std::string_view more = "") {
    const std::string payload = open_payload(path.size(), std::string(path).append(more));
    return attack.send(packet(header_of(methods::Open::code, payload.size()), payload)).what;
  };
  using namespace std::string_view_literals;
  attack.expect(send_open("/r/file\0"sv), "EINVAL", "a NUL behind the path");
  attack.expect(send_open("/r\0/file"sv), "EINVAL", "a NUL in the path");
  attack.expect(send_open("\0"sv), "EINVAL", "a NUL alone");
  attack.expect(send_open("/r/file", "x"), "EINVAL", "a trailing byte");
  attack.expect(send_open("/r/file", "\0"sv), "EINVAL", "a trailing NUL");
  attack.expect(send_open("/r/file", std::string(60'000, 'x')), "EINVAL", "60,000 of them");
  const auto xattr = attack.call<methods::GetXattr>("/r/file", [](auto &request) {
    request.name = bytes(std::string_view("user.a\0b", 8));
    request.size = 100;
  });
  attack.expect(xattr.what == "EINVAL" || xattr.what == "ERANGE" || xattr.what == "ENODATA" ||
                    xattr.what == "EOPNOTSUPP",
                "a NUL in an attribute's name: " + xattr.what);
}

HOSTILE_CASE(7, "A method of another object type: ENOSYS, never another method") {
  Reply opened = attack.open("/r", O_DIRECTORY);
  attack.expect(opened.what, "Okay", "open of a directory");
  if (opened.descriptors.empty()) return;
  const int directory = opened.descriptors[0].get();
  for_each_method([&]<class M>() {
    const Request request = encode<M>({});
    if (M::object != ObjectType::FsOp)
      attack.expect(attack.send(request).what, "ENOSYS", std::string(M::name) + " to fs_op");
    if (M::object != ObjectType::Directory)
      attack.expect(attack.send(request, directory).what, "ENOSYS",
                    std::string(M::name) + " to a directory");
  });
  attack.expect(attack.send(directory_path(), directory).tail.substr(8), "/r", "its own method");
}

HOSTILE_CASE(8, "10^7 random or mutated messages: no crash, nothing kept") {
  const std::size_t messages = 10'000'000 / 500 * attack.world.scale;
  Mutator mutator(42);
  Reply opened = attack.open("/w", O_DIRECTORY);
  if (opened.descriptors.empty()) return attack.expect(false, "open of a directory");
  std::vector<UniqueFd> arguments;
  arguments.push_back(std::move(opened.descriptors[0]));
  arguments.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Pair spare;
  for (std::size_t i = 0; i < messages; ++i) {
    const Mutator::Message message = mutator.next();
    const Pair reply;
    std::vector<int> descriptors;
    if (message.with_reply_socket) descriptors.push_back(reply.send_end.get());
    for (std::size_t k = 0; k < message.descriptors; ++k)
      descriptors.push_back(k % 3 == 2 ? spare.send_end.get() : arguments[k % 2].get());
    const int object = message.to_directory ? arguments[0].get() : attack.fs_op;
    const int error = send(object, message.first, descriptors);
    attack.expect(error == 0, "sending: " + std::to_string(error));
    for (const std::string &later : message.later) send(reply.receive_end.get(), later, {}, false);
    // Most replies are never read; now and then the server is waited for.
    if (i % 64 == 0) attack.expect(attack.send(ping()).what, "Okay", "Ping");
  }
}

HOSTILE_CASE(9, "Large messages begun, never finished, from 1000 senders",
             .limits = {.sandbox = {.max_objects = 1'000,
                                    .max_calls = 2'000,
                                    .max_threads = 32,
                                    .max_blocked_calls = 100,
                                    .max_assemblies = 500,
                                    .max_bytes = std::size_t{16} << 20,
                                    .max_descriptors = 2'000,
                                    .max_sessions = 100},
                        .assembly_timeout_seconds = 2}) {
  constexpr unsigned processes = 20;
  constexpr unsigned each = 50;
  std::vector<pid_t> senders;
  for (unsigned i = 0; i < processes; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      const unsigned ended = begin_and_wait(attack, each, 20'000);
      std::_Exit(ended == each ? 0 : 1);
    }
    senders.push_back(pid);
  }
  for (const pid_t pid : senders) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    attack.expect(status == 0, "every call ends");
  }
  attack.expect(attack.open("/r/file").what, "Okay", "open afterwards");
}

}  // namespace plash::hostile
