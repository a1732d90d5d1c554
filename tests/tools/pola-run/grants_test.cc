// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/grants.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

namespace fs = std::filesystem;

//   dir/file, dir/sub/, link -> dir, dir/to-file -> file, dir/up -> ../link/file, dangling -> none,
//   loop -> loop
class Tree {
 public:
  Tree() {
    std::string path = fs::canonical(fs::temp_directory_path()) / "grants-test-XXXXXX";
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    root_ = path;
    fs::create_directories(root_ / "dir/sub");
    std::ofstream(root_ / "dir/file") << "text";
    fs::create_symlink("dir", root_ / "link");
    fs::create_symlink("file", root_ / "dir/to-file");
    fs::create_symlink(root_ / "link/file", root_ / "dir/up");
    fs::create_symlink("none", root_ / "dangling");
    fs::create_symlink("loop", root_ / "loop");
  }
  ~Tree() { fs::remove_all(root_); }
  Tree(const Tree &) = delete;
  Tree &operator=(const Tree &) = delete;

  std::string operator/(const char *name) const { return root_ / name; }

 private:
  fs::path root_;
};

Options options_of(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"-e", "cmd"});
  return parse_options(arguments, "/");
}

std::vector<PlannedGrant> plan(const std::vector<std::string> &arguments) {
  return plan_grants(options_of(arguments));
}

std::vector<std::string> paths_of(const std::vector<PlannedGrant> &grants) {
  std::vector<std::string> paths;
  for (const PlannedGrant &grant : grants) paths.push_back(grant.path);
  return paths;
}

const PlannedGrant &grant_of(const std::vector<PlannedGrant> &grants, const std::string &path) {
  const auto found = std::find_if(grants.begin(), grants.end(),
                                  [&](const PlannedGrant &grant) { return grant.path == path; });
  INFO(path);
  REQUIRE(found != grants.end());
  return *found;
}

std::string refusal_of(const std::vector<std::string> &arguments) {
  try {
    plan(arguments);
  } catch (const Error &error) {
    CHECK(error.status() == ExitStatus::usage);
    return error.what();
  }
  FAIL("was accepted");
  return {};
}

using Paths = std::vector<std::string>;

TEST_CASE("Names in the sandbox are lexical") {
  CHECK(normal_name("/") == "/");
  CHECK(normal_name("//a/./b//") == "/a/b");
  CHECK(normal_name("/a/../b") == "/b");
  CHECK(normal_name("/../..") == "/");
  CHECK(normal_name("/a/..") == "/");
}

TEST_CASE("-f grants a file under its name, without . and empty components") {
  const Tree tree;
  const auto grants = plan({"-f", tree / "dir/.//file"});
  REQUIRE(paths_of(grants) == Paths{tree / "dir/file"});
  CHECK(grants[0].host_path == tree / "dir/file");
  CHECK_FALSE(grants[0].rights.write);
}

TEST_CASE("-f of / grants all") { CHECK(paths_of(plan({"-f", "/"})) == Paths{"/"}); }

TEST_CASE(".. is taken as the kernel would, at the target of a link") {
  const Tree tree;
  fs::create_directory_symlink(tree / "dir/sub", tree / "deep");
  CHECK(paths_of(plan({"-f", tree / "deep/../file"})) == Paths{tree / "dir/file"});
}

TEST_CASE("-f of a link grants the link alone; links on the way stay part of the name") {
  const Tree tree;
  CHECK(paths_of(plan({"-f", tree / "link"})) == Paths{tree / "link"});
  CHECK(paths_of(plan({"-f", tree / "link/file"})) == Paths{tree / "link/file"});
}

TEST_CASE("-fl grants each link on the way, and where they lead") {
  const Tree tree;
  CHECK(paths_of(plan({"-fl", tree / "link/to-file"})) ==
        Paths{tree / "link", tree / "dir/to-file", tree / "dir/file"});
  CHECK(paths_of(plan({"-fl", tree / "dir/up"})) ==
        Paths{tree / "dir/up", tree / "link", tree / "dir/file"});
}

TEST_CASE("-fwl makes the target writable, not the links") {
  const Tree tree;
  const auto grants = plan({"-fwl", tree / "link/file"});
  CHECK_FALSE(grant_of(grants, tree / "link").rights.write);
  CHECK(grant_of(grants, tree / "dir/file").rights.write);
  CHECK(grant_of(grants, tree / "dir/file").rights.create);
}

TEST_CASE("A name through a link that was granted goes where the link leads, in either order") {
  const Tree tree;
  const Paths expected = {tree / "link", tree / "dir", tree / "link", tree / "dir/file"};
  CHECK(paths_of(plan({"-fl", tree / "link", "-fw", tree / "link/file"})) == expected);
  CHECK(paths_of(plan({"-fw", tree / "link/file", "-fl", tree / "link"})) == expected);
}

TEST_CASE("-t grants under another name; with l what the links lead to") {
  const Tree tree;
  const auto plain = plan({"-t", "/x/./y", tree / "link"});
  REQUIRE(paths_of(plain) == Paths{"/x/y"});
  CHECK(plain[0].host_path == tree / "link");
  const auto followed = plan({"-tl", "/x", tree / "link/to-file"});
  REQUIRE(paths_of(followed) == Paths{"/x"});
  CHECK(followed[0].host_path == tree / "dir/file");
}

TEST_CASE("A file that is not there can only be granted for creation") {
  const Tree tree;
  const std::string missing = tree / "dir/none";
  CHECK(refusal_of({"-f", missing}) == "cannot grant '" + missing + "': No such file or directory");
  CHECK(refusal_of({"-f,objrw", missing}).find("No such file") != std::string::npos);
  CHECK(refusal_of({"-t", "/x", missing}).find(missing) != std::string::npos);
  CHECK(refusal_of({"-fl", tree / "dangling"}).find("No such file") != std::string::npos);
  CHECK(paths_of(plan({"-fw", missing})) == Paths{missing});
  CHECK(paths_of(plan({"-fwl", tree / "dangling"})) == Paths{tree / "dangling", tree / "none"});
  CHECK(plan({"-twl", "/x", tree / "link/none"})[0].host_path == missing);
}

TEST_CASE("A loop of links is refused by name") {
  const Tree tree;
  const std::string message = refusal_of({"-fl", tree / "loop"});
  CHECK(message.find(tree / "loop") != std::string::npos);
  CHECK(message.find("levels of symbolic links") != std::string::npos);
}

TEST_CASE("-B grants programs read-only and devices that reveal nothing") {
  const auto grants = plan({"-B"});
  CHECK_FALSE(grant_of(grants, "/usr").rights.write);
  CHECK(grant_of(grants, "/dev/null").rights.write);
  CHECK_FALSE(grant_of(grants, "/dev/null").rights.create);
  for (const char *directory : {"/bin", "/lib", "/lib64"}) {
    if (fs::exists(directory)) grant_of(grants, directory);
    if (fs::is_symlink(directory)) grant_of(grants, fs::canonical(directory));
  }
  for (const PlannedGrant &grant : grants) {
    INFO(grant.path);
    CHECK((!grant.rights.write || grant.path.starts_with("/dev/")));
    CHECK_FALSE(grant.path.starts_with("/home"));
  }
}

TEST_CASE("What the namespace refuses is an error that names the path") {
  const Tree tree;
  server::Namespace name_space;
  const std::vector<PlannedGrant> grants = {{"/x", tree / "gone/file", {}}};
  try {
    apply_grants(grants, name_space);
    FAIL("was accepted");
  } catch (const Error &error) {
    CHECK(error.status() == ExitStatus::usage);
    CHECK(std::string(error.what()).find("'/x'") != std::string::npos);
  }
}

}  // namespace
}  // namespace plash::pola_run
