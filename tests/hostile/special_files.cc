// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cases 40 to 46: special files and flags. What the kernel itself refuses a sandbox (45, in part,
// and 47) is in sandbox.cc.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/hostile/case.h"

namespace plash::hostile {
namespace {

std::string mknod_of(const Attack &attack, std::string_view path, unsigned mode,
                     std::uint64_t device = 0) {
  return attack
      .call<methods::Mknod>(path,
                            [&](auto &request) {
                              request.mode = mode;
                              request.device = device;
                            })
      .what;
}

mode_t mode_of(const Attack &attack, const std::string &name) {
  struct stat status {};
  attack.expect(::lstat(attack.world.path(name).c_str(), &status) == 0, "lstat " + name);
  return status.st_mode & 07777;
}

}  // namespace

HOSTILE_CASE(40, "Device nodes: cannot be made; those granted are files") {
  const std::uint64_t memory = makedev(1, 1);
  attack.expect(mknod_of(attack, "/w/device", S_IFCHR | 0666, memory), "EPERM",
                "a character device");
  attack.expect(mknod_of(attack, "/w/device", S_IFBLK | 0666, makedev(8, 0)), "EPERM",
                "a block device");
  attack.expect(mknod_of(attack, "/w/device", S_IFDIR | 0777) != "Okay", "a directory by mknod");
  attack.expect(mknod_of(attack, "/w/device", S_IFLNK | 0777) != "Okay", "a symlink by mknod");
  attack.expect(mknod_of(attack, "/w/device", S_IFCHR, 0) != "Okay", "a whiteout");
  attack.expect(mknod_of(attack, "/r/fifo", S_IFIFO | 0666), "EROFS",
                "a FIFO where it is read-only");
  attack.expect(mknod_of(attack, "/w/another", S_IFIFO | 0666), "Okay", "a FIFO");
  Reply null = attack.open("/dev/null", O_RDONLY, -1, attack.whole_fs_op);
  attack.expect(null.what, "Okay", "a device that was granted");
  attack.expect(attack.open("/dev/null", O_RDWR, -1, attack.whole_fs_op).what, "EROFS",
                "and is read-only");
}

HOSTILE_CASE(41, "setuid, setgid bits: masked or refused") {
  attack.expect(attack
                    .call<methods::Open>("/w/set",
                                         [](auto &r) {
                                           r.flags = O_CREAT | O_RDWR;
                                           r.mode = 06755;
                                         })
                    .what,
                "Okay", "Open with O_CREAT");
  attack.expect((mode_of(attack, "w/set") & 06000) == 0, "Open with O_CREAT sets no such bit");
  attack.expect(attack.call<methods::Chmod>("/w/set", [](auto &r) { r.mode = 04755; }).what,
                "EPERM", "Chmod of set-user-ID");
  attack.expect(attack.call<methods::Chmod>("/w/set", [](auto &r) { r.mode = 02755; }).what,
                "EPERM", "Chmod of set-group-ID");
  attack.call<methods::Mkdir>("/w/directory", [](auto &r) { r.mode = 06777; });
  attack.expect((mode_of(attack, "w/directory") & 06000) == 0, "Mkdir sets no such bit");
  mknod_of(attack, "/w/node", S_IFREG | 06777);
  attack.expect((mode_of(attack, "w/node") & 06000) == 0, "Mknod sets no such bit");
  Reply held = attack.open("/w/set", O_RDWR);
  attack.expect(attack
                    .call<methods::Chmod>(
                        "",
                        [](auto &r) {
                          r.mode = 06755;
                          r.flags = AT_EMPTY_PATH;
                        },
                        held.descriptors.at(0).get())
                    .what,
                "EPERM", "Chmod by descriptor");
  for (const std::uint64_t high :
       {std::uint64_t{1} << 32, std::uint64_t{1} << 63, std::uint64_t{0170000}})
    attack.call<methods::Chmod>("/w/set", [&](auto &r) { r.mode = high | 06755; });
  attack.expect((mode_of(attack, "w/set") & 06000) == 0, "odd modes set no such bit");
}

HOSTILE_CASE(42, "O_RDONLY|O_TRUNC on a read-only grant: EROFS, untouched") {
  for (const std::uint64_t flags :
       {O_TRUNC | 0, O_TRUNC | O_CREAT, O_WRONLY | 0, O_RDWR | 0, O_WRONLY | O_APPEND,
        O_ACCMODE | 0, O_ACCMODE | O_TRUNC, O_RDWR | O_TRUNC | O_NOFOLLOW, O_TRUNC | O_NONBLOCK}) {
    attack.expect(attack.open("/r/file", flags).what, "EROFS", "flags " + std::to_string(flags));
  }
  attack.expect(attack.open("/r/new", O_CREAT | O_RDWR).what, "EROFS", "a new file");
  attack.expect(attack.call<methods::Truncate>("/r/file").what, "EROFS", "Truncate");
  // With O_PATH the others do not count.
  const Reply path_only = attack.open("/r/file", O_PATH | O_TRUNC | O_RDWR);
  attack.expect(path_only.what, "Okay", "O_PATH");
  char byte;
  attack.expect(::read(path_only.descriptors.at(0).get(), &byte, 1) < 0, "O_PATH cannot be read");
  attack.expect(contents(attack.world.path("r/file")), "text", "the file");
}

HOSTILE_CASE(43, "O_TMPFILE, O_PATH, unknown flags: an explicit result") {
  const std::string temporary = attack.open("/w", O_TMPFILE | O_RDWR).what;
  attack.expect(temporary == "Okay" || temporary == "EOPNOTSUPP", "O_TMPFILE: " + temporary);
  attack.expect(attack.open("/r", O_TMPFILE | O_RDWR).what, "EROFS",
                "O_TMPFILE where it is read-only");
  attack.expect(attack.open("/w", O_TMPFILE | O_RDONLY).what, "EINVAL", "O_TMPFILE for reading");
  attack.expect(attack.open("/r/file", O_PATH).what, "Okay", "O_PATH");
  for (unsigned bit = 23; bit < 64; ++bit) {
    const Reply reply = attack.open("/r/file", std::uint64_t{1} << bit);
    attack.expect(reply.what == "Okay" || reply.what == "EINVAL",
                  "flag 2^" + std::to_string(bit) + ": " + reply.what);
  }
  for (unsigned bit = 0; bit < 64; ++bit) {
    const Reply reply = attack.call<methods::Open>(
        "/r/file", [&](auto &request) { request.resolve = std::uint64_t{1} << bit; });
    const bool known = bit < 6;
    attack.expect(known ? reply.what == "Okay" || reply.what == "EXDEV" || reply.what == "EAGAIN"
                        : reply.what == "EINVAL",
                  "resolve flag 2^" + std::to_string(bit) + ": " + reply.what);
  }
  for (unsigned bit = 0; bit < 64; ++bit) {
    const Reply reply = attack.call<methods::Stat>(
        "/r/file", [&](auto &request) { request.flags = request.mask = std::uint64_t{1} << bit; });
    attack.expect(reply.what != "end", "Stat with flag 2^" + std::to_string(bit));
    attack.call<methods::Unlink>("/r/file", [&](auto &r) { r.flags = std::uint64_t{1} << bit; });
    attack.call<methods::Access>("/r/file", [&](auto &r) { r.flags = std::uint64_t{1} << bit; });
  }
  attack.expect(contents(attack.world.path("r/file")), "text", "the file");
}

HOSTILE_CASE(44, "A kernel directory FD is never handed out") {
  const int link_error = ::symlink("sub", attack.world.path("w/to-sub").c_str());
  attack.expect(link_error == 0, "symlink");
  unsigned received = 0;
  const auto scan = [&](const Reply &reply, const std::string &what) {
    for (const UniqueFd &fd : reply.descriptors) {
      struct stat status {};
      attack.expect(::fstat(fd.get(), &status) == 0 && !S_ISDIR(status.st_mode), what);
      attack.expect(::openat(fd.get(), ".", O_PATH | O_CLOEXEC) < 0, what + ": openat(2)");
      ++received;
    }
  };
  for (const char *path :
       {"/", "/r", "/r/sub", "/r/sub/", "/r/sub/.", "/r/sub/..", "/w", "/w/to-sub", "/w/to-sub/",
        "/r/file", "/.", "/..", "/dev", "/proc", "/proc/self", "/tmp"}) {
    for (unsigned bits = 0; bits < 256; ++bits) {
      std::uint64_t flags = bits & 3;
      if ((bits & 4) != 0) flags |= O_PATH;
      if ((bits & 8) != 0) flags |= O_NOFOLLOW;
      if ((bits & 16) != 0) flags |= O_DIRECTORY;
      if ((bits & 32) != 0) flags |= O_CREAT;
      if ((bits & 64) != 0) flags |= O_TMPFILE & ~std::uint64_t{O_DIRECTORY};
      if ((bits & 128) != 0) flags |= O_NONBLOCK;
      const std::string what = std::string(path) + " with flags " + std::to_string(flags);
      scan(attack.open(path, flags), what);
      if (bits % 4 == 0) scan(attack.open(path, flags, -1, attack.whole_fs_op), what + " of /");
    }
    scan(attack.call<methods::Chdir>(path), std::string("Chdir ") + path);
    const auto sizes = [](auto &request) { request.size = 10'000; };
    scan(attack.call<methods::Exec>(path, sizes), std::string("Exec ") + path);
  }
  attack.expect(received > 100, "descriptors were received: " + std::to_string(received));
}

namespace {

// A change of what base is, without a path.
template <class M>
void expect_read_only(const Attack &attack, int base, void (*fill_in)(typename M::Request &)) {
  const auto fields = [&](typename M::Request &request) {
    request.flags = AT_EMPTY_PATH;
    if (fill_in != nullptr) fill_in(request);
  };
  attack.expect(attack.call<M>("", fields, base).what, "EROFS", M::name);
}

}  // namespace

HOSTILE_CASE(45, "A read-only FD: no change through the server") {
  Reply opened = attack.open("/r/file");
  const UniqueFd file = std::move(opened.descriptors.at(0));
  Reply path_only = attack.open("/r/file", O_PATH);
  struct stat before {};
  attack.expect(::fstat(file.get(), &before) == 0, "fstat");
  for (const int base : {file.get(), path_only.descriptors.at(0).get()}) {
    expect_read_only<methods::Chmod>(attack, base, nullptr);
    expect_read_only<methods::Chown>(attack, base, [](auto &r) { r.uid = r.gid = -1; });
    expect_read_only<methods::Utimens>(attack, base, nullptr);
    expect_read_only<methods::SetXattr>(attack, base, [](auto &r) { r.name = bytes("user.x"); });
    expect_read_only<methods::RemoveXattr>(attack, base, [](auto &r) { r.name = bytes("user.x"); });
    // No method opens again what is held.
    const Reply again = attack.call<methods::Open>(
        "", [](auto &r) { r.flags = O_RDWR; }, base);
    attack.expect(again.descriptors.empty(), "Open again for writing");
  }
  struct stat after {};
  attack.expect(::fstat(file.get(), &after) == 0, "fstat");
  attack.expect(before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
                    before.st_ctim.tv_nsec == after.st_ctim.tv_nsec,
                "the file was not changed");
}

HOSTILE_CASE(46, "Newlines and escapes in logged paths: encoded", .log = true) {
  const std::string nasty("/w/a\nb = 0\r\x1b[2J\x07\x7f\x80\xff\"\\c");
  attack.open(nasty);
  attack.call<methods::Stat>(nasty);
  attack.call<methods::Mkdir>(nasty);
  attack.open("nasty\n", 0, attack.fs_op);
  methods::Symlink::Request link;
  link.target = bytes("target\nforged = 0");
  link.path = bytes("/w/link\n");
  attack.send(encode<methods::Symlink>(link));
  attack.call<methods::SetXattr>("/w/sub/file", [](auto &r) {
    r.name = bytes("user.\n");
    r.value = bytes("\n\x1b");
  });
  attack.send(packet(header_of(code_of("\n\n\n\n"), 0)));
  attack.send("nonsense\n");
  const std::string log = contents(attack.world.path("log"));
  std::size_t lines = 0;
  for (const char c : log) {
    if (c == '\n') {
      ++lines;
    } else {
      attack.expect(c >= ' ' && c < 0x7f, "a raw byte " + std::to_string(c & 0xff) + " in the log");
    }
  }
  attack.expect(lines >= 7, "lines in the log: " + std::to_string(lines));
  for (std::size_t at = 0; at < log.size(); at = log.find('\n', at) + 1) {
    const std::string line = log.substr(at, log.find('\n', at) - at);
    attack.expect(line.find(" = ") != std::string::npos && line.find("forged") != 0,
                  "a line that is none of the server's: " + line);
  }
}

}  // namespace plash::hostile
