// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Cases 30 to 39: paths.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "tests/hostile/case.h"

namespace plash::hostile {
namespace {

void make_link(const Attack &attack, const std::string &name, const std::string &target) {
  const std::string path = attack.world.path(name);
  attack.expect(::symlink(target.c_str(), path.c_str()) == 0, "symlink " + name);
}

// What openat(2) of a path relative to directory says natively.
std::string native_open(int directory, const std::string &path, int flags) {
  const UniqueFd fd(::openat(directory, path.c_str(), flags | O_CLOEXEC, 0666));
  return fd ? "Okay" : ::strerrorname_np(errno);
}

// A process that runs body over and over until the end of its scope.
class Meanwhile {
 public:
  template <class Body>
  explicit Meanwhile(Body body) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) body();
  }
  ~Meanwhile() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Meanwhile(const Meanwhile &) = delete;
  Meanwhile &operator=(const Meanwhile &) = delete;

 private:
  pid_t pid_;
};

// What the reply lets the attacker read; "" where it got nothing.
std::string loot(const Reply &reply) {
  return reply.descriptors.empty() ? std::string() : contents(reply.descriptors[0].get());
}

void never_secret(const Attack &attack, const Reply &reply, const std::string &what) {
  const std::string text = loot(reply);
  attack.expect(text.find("secret") == std::string::npos, what + " leads outside");
}

void swap_names(const std::string &one, const std::string &other) {
  ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
}

// A directory w/swap and a symlink w/link to target, which change places all the time.
void prepare_swap(const Attack &attack, const std::string &target) {
  ::mkdir(attack.world.path("w/swap").c_str(), 0755);
  std::FILE *const file = std::fopen(attack.world.path("w/swap/secret").c_str(), "w");
  std::fputs("harmless", file);
  std::fclose(file);
  make_link(attack, "w/link", target);
}

}  // namespace

HOSTILE_CASE(30, "\"\", \"//\", trailing \"/\", \"/.\", long names and paths: as the kernel") {
  const UniqueFd native(::open(attack.world.path("w").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Reply opened = attack.open("/w", O_DIRECTORY);
  if (opened.descriptors.empty()) return attack.expect(false, "open of a directory");
  const int base = opened.descriptors[0].get();
  make_link(attack, "w/to-file", "sub/file");
  make_link(attack, "w/to-sub", "sub");
  const auto repeated = [](const std::string &text, std::size_t size) {
    std::string result;
    while (result.size() + text.size() <= size) result += text;
    return result;
  };
  std::vector<std::string> paths{"",
                                 "sub",
                                 "sub/",
                                 "sub//",
                                 "sub/.",
                                 "sub/./",
                                 "sub/..",
                                 "sub/../",
                                 "sub/file",
                                 "sub/file/",
                                 "sub/file/.",
                                 "sub/file/..",
                                 "sub/file//",
                                 ".",
                                 "./",
                                 "..none",
                                 "...",
                                 "none",
                                 "none/",
                                 "none/.",
                                 "none/..",
                                 "to-file",
                                 "to-file/",
                                 "to-file/.",
                                 "to-sub",
                                 "to-sub/",
                                 "to-sub/file",
                                 "to-sub/..",
                                 "./sub/../sub/./file",
                                 std::string(255, 'n'),
                                 std::string(256, 'n'),
                                 "sub/" + std::string(255, 'n'),
                                 "sub/" + std::string(256, 'n'),
                                 std::string(256, 'n') + "/..",
                                 "sub/file/none",
                                 "none/none"};
  for (const std::size_t size : {4'094u, 4'095u}) {
    paths.push_back(repeated("./", size - 3) + "sub");
    paths.push_back(std::string(size, 'n'));
    paths.push_back("sub" + std::string(size - 3, '/'));
    paths.push_back(repeated("sub/../", size - 8) + "sub/file");
  }
  for (const std::string &path : paths) {
    for (const int flags : {O_RDONLY, O_RDONLY | O_NOFOLLOW, O_PATH | O_NOFOLLOW,
                            O_RDONLY | O_DIRECTORY, O_RDWR, O_RDWR | O_CREAT | O_EXCL}) {
      // Last, what creates the file that the others are to miss.
      const std::string got = attack.open(path, static_cast<std::uint64_t>(flags), base).what;
      if ((flags & O_CREAT) != 0 && got == "Okay") {
        ::unlinkat(native.get(), path.c_str(), 0);
      }
      const std::string wanted = native_open(native.get(), path, flags);
      if ((flags & O_CREAT) != 0 && wanted == "Okay") ::unlinkat(native.get(), path.c_str(), 0);
      attack.expect(got, wanted,
                    "'" + path.substr(0, 40) + "' (" + std::to_string(path.size()) +
                        " bytes) with flags " + std::to_string(flags));
    }
  }
  attack.expect(attack.open(std::string(4'096, 'n'), 0, base).what == "ENAMETOOLONG" ||
                    attack.open(std::string(4'096, 'n'), 0, base).what == "EINVAL",
                "4096 bytes");
  for (const char *root : {"/", "//", "///", "/.", "/./", "/..", "//.//..//"})
    attack.expect(attack.open(root, O_DIRECTORY).what, "Okay", root);
}

HOSTILE_CASE(31, "\"..\" above the root: the root") {
  for (const char *path :
       {"/../../../../r/file", "/r/../../../../../r/file", "/w/sub/../../../r/file",
        "/../r/sub/../../../../r/file", "/./../.././r/file"}) {
    attack.expect(loot(attack.open(path)), "text", path);
  }
  std::string many = "/r/sub";
  while (many.size() < 4'000) many += "/..";
  attack.expect(loot(attack.open(many + "/r/file")), "text", "a thousand of them");
  for (const char *path : {"/../outside/secret", "/r/../outside/secret",
                           "/r/sub/../../../outside/secret", "/w/../outside/secret"}) {
    attack.expect(attack.open(path).what, "ENOENT", path);
  }
  // Directory after directory, as with fchdir.
  Reply at = attack.open("/r/sub/deep", O_DIRECTORY);
  for (int i = 0; i < 10 && !at.descriptors.empty(); ++i) {
    const UniqueFd here = std::move(at.descriptors[0]);
    never_secret(attack, attack.open("outside/secret", 0, here.get()), "a step up");
    never_secret(attack, attack.open("../outside/secret", 0, here.get()), "a step up and aside");
    at = attack.open("..", O_DIRECTORY, here.get());
  }
  const Reply name = attack.send(directory_path(), at.descriptors.at(0).get());
  attack.expect(name.tail.substr(8), "/", "where it ends");
}

HOSTILE_CASE(32, "Symlink loop: ELOOP") {
  make_link(attack, "w/self", "self");
  make_link(attack, "w/one", "two");
  make_link(attack, "w/two", "one");
  make_link(attack, "w/down", "down/down");
  make_link(attack, "w/here", ".");
  for (const char *path : {"/w/self", "/w/self/x", "/w/one", "/w/two/x", "/w/down"})
    attack.expect(attack.open(path).what, "ELOOP", path);
  attack.expect(attack.call<methods::Chdir>("/w/self").what, "ELOOP", "Chdir");
  attack.expect(attack.open("/w/new/../self", O_CREAT | O_RDWR).what != "Okay",
                "a new file through a loop");
  std::string forty = "/w";
  for (int i = 0; i < 40; ++i) forty += "/here";
  attack.expect(loot(attack.open(forty + "/sub/file")), "text", "40 links");
  attack.expect(attack.open(forty + "/here/sub/file").what, "ELOOP", "41 links");
  // Each link a long one: the work is bounded too.
  std::string name(200, 'l');
  for (int i = 0; i < 40; ++i) {
    std::string target;
    while (target.size() < 3'800) target += "./";
    make_link(attack, "w/" + name + std::to_string(i), target + name + std::to_string(i + 1));
  }
  for (int i = 0; i < 50; ++i)
    attack.expect(attack.open("/w/" + name + "0").what != "Okay", "40 long links to nothing");
}

HOSTILE_CASE(33, "Absolute symlink: the sandbox's root") {
  make_link(attack, "w/absolute", "/r/file");
  make_link(attack, "w/host", attack.world.path("outside/secret"));
  make_link(attack, "w/host-directory", attack.world.path("outside"));
  make_link(attack, "w/passwd", "/etc/passwd");
  make_link(attack, "w/root", "/");
  make_link(attack, "w/up", "../../../../../../../../etc");
  attack.expect(loot(attack.open("/w/absolute")), "text", "to a file of the sandbox");
  attack.expect(loot(attack.open("/w/root/r/file")), "text", "to the root");
  for (const char *path :
       {"/w/host", "/w/host-directory/secret", "/w/passwd", "/w/root/etc/passwd", "/w/up/passwd"}) {
    attack.expect(attack.open(path).what, "ENOENT", path);
    attack.expect(attack.call<methods::Stat>(path).what, "ENOENT", path);
    attack.expect(attack.call<methods::Truncate>(path).what, "ENOENT", path);
  }
}

HOSTILE_CASE(34, "Symlink swapped under the walk, 10^6 times: never escapes") {
  prepare_swap(attack, attack.world.path("outside"));
  make_link(attack, "w/up", "../../outside");
  const Meanwhile swapping([&] {
    swap_names(attack.world.path("w/swap"), attack.world.path("w/link"));
    swap_names(attack.world.path("w/swap"), attack.world.path("w/up"));
  });
  const unsigned rounds = 10'000 * attack.world.scale;
  unsigned reached = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    const char *const path = i % 3 == 0   ? "/w/swap/secret"
                             : i % 3 == 1 ? "/w/swap/../swap/secret"
                                          : "/w/link/secret";
    const Reply reply = attack.open(path);
    never_secret(attack, reply, path);
    if (reply.what == "Okay") ++reached;
    if (i % 16 != 0) continue;
    attack.call<methods::Unlink>("/w/swap/secret2");
    attack.call<methods::Chmod>("/w/swap/secret", [](auto &r) { r.mode = 0777; });
    Reply directory = attack.open("/w/swap", O_DIRECTORY);
    if (!directory.descriptors.empty())
      never_secret(attack, attack.open("secret", 0, directory.descriptors[0].get()),
                   "by directory");
  }
  attack.expect(reached != 0, "the swap is met in both states");
  attack.expect(contents(attack.world.path("outside/secret")), "secret", "outside");
}

HOSTILE_CASE(35, "Directory renamed out during the walk: never escapes") {
  const std::string inside = attack.world.path("w/a/b");
  const std::string outside = attack.world.path("outside/b");
  ::mkdir(attack.world.path("w/a").c_str(), 0755);
  ::mkdir(inside.c_str(), 0755);
  ::mkdir((inside + "/c").c_str(), 0755);
  const Meanwhile moving([&] {
    ::rename(inside.c_str(), outside.c_str());
    ::rename(outside.c_str(), inside.c_str());
  });
  const unsigned rounds = 10'000 * attack.world.scale;
  UniqueFd held;
  for (unsigned i = 0; i < rounds; ++i) {
    // Once b is outside, ".." of it is outside too: secret is there.
    never_secret(attack, attack.open("/w/a/b/c/../../secret"), "by path");
    if (held) {
      never_secret(attack, attack.open("../secret", 0, held.get()), "by a directory");
      never_secret(attack, attack.open("c/../../secret", 0, held.get()),
                   "by a directory, down and up");
      Reply up = attack.open("..", O_DIRECTORY, held.get());
      if (!up.descriptors.empty())
        never_secret(attack, attack.open("secret", 0, up.descriptors[0].get()), "by its parent");
    }
    if (i % 64 == 0) {
      Reply opened = attack.open("/w/a/b", O_DIRECTORY);
      if (!opened.descriptors.empty()) held = std::move(opened.descriptors[0]);
    }
  }
}

HOSTILE_CASE(36, "Dangling symlink with O_CREAT, O_EXCL: inside only, EEXIST") {
  make_link(attack, "w/out", attack.world.path("outside/created"));
  make_link(attack, "w/up", "../../outside/created");
  make_link(attack, "w/in", "created");
  make_link(attack, "w/read-only", "/r/created");
  for (const char *path : {"/w/out", "/w/up", "/w/in", "/w/read-only"})
    attack.expect(attack.open(path, O_CREAT | O_EXCL | O_RDWR).what, "EEXIST", path);
  attack.expect(attack.open("/w/out", O_CREAT | O_RDWR).what != "Okay",
                "through a link to outside");
  attack.expect(attack.open("/w/up", O_CREAT | O_RDWR).what != "Okay", "through a link upwards");
  attack.expect(attack.open("/w/read-only", O_CREAT | O_RDWR).what, "EROFS",
                "into what is read-only");
  attack.expect(attack.open("/w/in", O_CREAT | O_RDWR).what, "Okay", "inside");
  attack.expect(contents(attack.world.path("w/created")), "", "what was created inside");
  attack.expect(contents(attack.world.path("outside/created")), "(none)", "nothing outside");
  attack.expect(contents(attack.world.path("r/created")), "(none)", "nothing in the read-only");
}

HOSTILE_CASE(37, "/proc/self/fd/N, /proc/self/root, /proc/1/cwd, .../exe: never the server's") {
  const std::string server = "/proc/" + std::to_string(attack.server);
  std::vector<std::string> paths{"/proc/self/exe",
                                 "/proc/self/root/etc/passwd",
                                 "/proc/1/cwd",
                                 "/proc/self/environ",
                                 "/proc/self/maps",
                                 "/proc/self/mem",
                                 "/proc/thread-self/root/etc/passwd",
                                 server + "/root/etc/passwd",
                                 server + "/exe",
                                 server + "/mem",
                                 "/dev/fd/0",
                                 "/proc/self/cwd/..",
                                 server + "/cwd"};
  for (int fd = 0; fd < 40; ++fd) {
    paths.push_back("/proc/self/fd/" + std::to_string(fd));
    paths.push_back(server + "/fd/" + std::to_string(fd));
    paths.push_back("/dev/fd/" + std::to_string(fd));
  }
  for (const std::string &path : paths) {
    // Where nothing of /proc was granted, and where all of the host was.
    attack.expect(attack.open(path).what, "ENOENT", path + " in a namespace without it");
    for (const std::uint64_t flags : {O_RDONLY, O_PATH, O_PATH | O_NOFOLLOW, O_DIRECTORY}) {
      const Reply reply = attack.open(path, flags, -1, attack.whole_fs_op);
      attack.expect(reply.what != "Okay", path + " where / was granted, flags " +
                                              std::to_string(flags) + ": " + reply.what);
    }
    const Reply link = attack.call<methods::Readlink>(
        path, [](auto &r) { r.size = 1'000; }, -1, attack.whole_fs_op);
    attack.expect(link.what != "Okay", path + ": readlink");
  }
}

HOSTILE_CASE(38, "Hard links to what is outside: as granted") {
  const auto make = [&](std::string_view from, std::string_view to, std::uint64_t flags = 0) {
    methods::Link::Request request;
    request.path = bytes(from);
    request.new_path = bytes(to);
    request.flags = flags;
    return attack.send(encode<methods::Link>(request)).what;
  };
  // A name in a writable grant would make what is read-only writable.
  attack.expect(make("/r/file", "/w/stolen") != "Okay", "a link to a read-only file");
  attack.expect(make("/w/sub/file", "/w/copy"), "Okay", "a link within the grant");
  make_link(attack, "w/out", attack.world.path("outside/secret"));
  attack.expect(make("/w/out", "/w/stolen", AT_SYMLINK_FOLLOW) != "Okay",
                "through a symlink outside");
  Reply held = attack.open("/r/file");
  methods::Link::Request by_descriptor;
  by_descriptor.base = held.descriptors.at(0).get();
  by_descriptor.flags = AT_EMPTY_PATH;
  by_descriptor.new_path = bytes("/w/stolen");
  attack.expect(attack.send(encode<methods::Link>(by_descriptor)).what != "Okay", "by descriptor");
  attack.expect(contents(attack.world.path("w/stolen")), "(none)", "nothing was linked");
  methods::Rename::Request rename;
  rename.path = bytes("/r/file");
  rename.new_path = bytes("/w/stolen");
  attack.expect(attack.send(encode<methods::Rename>(rename)).what != "Okay",
                "rename out of the read-only");
  // One that the host made beforehand is in the grant, and is what the grant says.
  attack.expect(::link(attack.world.path("outside/secret").c_str(),
                       attack.world.path("w/granted").c_str()) == 0,
                "link by the host");
  attack.expect(loot(attack.open("/w/granted")), "secret", "a name in the grant");
}

HOSTILE_CASE(39, "chmod, utimes, chown, truncate through a swapped symlink: outside untouched") {
  prepare_swap(attack, attack.world.path("outside"));
  const std::string secret = attack.world.path("outside/secret");
  struct stat before {};
  attack.expect(::stat(secret.c_str(), &before) == 0, "stat");
  {
    const Meanwhile swapping(
        [&] { swap_names(attack.world.path("w/swap"), attack.world.path("w/link")); });
    const unsigned rounds = 3'000 * attack.world.scale;
    for (unsigned i = 0; i < rounds; ++i) {
      attack.call<methods::Chmod>("/w/swap/secret", [](auto &r) { r.mode = 0777; });
      attack.call<methods::Utimens>("/w/swap/secret",
                                    [](auto &r) { r.mtime_sec = r.atime_sec = 1; });
      attack.call<methods::Truncate>("/w/swap/secret");
      attack.call<methods::Chown>("/w/swap/secret", [](auto &r) { r.uid = r.gid = -1; });
      attack.call<methods::SetXattr>("/w/swap/secret", [](auto &r) {
        r.name = bytes("user.x");
        r.value = bytes("x");
      });
      attack.call<methods::Unlink>("/w/swap/secret2");
      attack.call<methods::Mkdir>("/w/swap/new", [](auto &r) { r.mode = 0755; });
      attack.open("/w/swap/secret", O_WRONLY | O_TRUNC);
    }
  }
  struct stat after {};
  attack.expect(::stat(secret.c_str(), &after) == 0, "stat");
  attack.expect(after.st_mode == before.st_mode, "its mode");
  attack.expect(after.st_mtime == before.st_mtime, "its time");
  attack.expect(
      after.st_ctim.tv_nsec == before.st_ctim.tv_nsec && after.st_ctime == before.st_ctime,
      "anything of it");
  attack.expect(contents(secret), "secret", "its contents");
  attack.expect(::access(attack.world.path("outside/new").c_str(), F_OK) != 0,
                "nothing new outside");
}

}  // namespace plash::hostile
