// SPDX-License-Identifier: LGPL-2.1-or-later
//
// setxattr(2), getxattr(2), listxattr(2), removexattr(2), by path, by link and by descriptor. The
// scratch directory must lie on a file system with user attributes.
#include <sys/xattr.h>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

void record_names(std::string_view what, Call call, const char *path) {
  char names[1000];
  const long size = call(SYS_listxattr, path, names, sizeof names);
  if (size < 0) {
    record_error(what, errno);
    return;
  }
  std::vector<std::string> all;
  for (const char *name = names; name < names + size; name += std::strlen(name) + 1) {
    if (std::string_view(name).starts_with("user.")) all.emplace_back(name);
  }
  std::sort(all.begin(), all.end());
  record(what, all);
}

CALL_CASE(xattr, set_get_list_remove) {
  make_file("file");
  attempt("set", call(SYS_setxattr, "file", "user.one", "first", 5, 0));
  attempt("set", call(SYS_setxattr, "file", "user.two", "", 0, 0));
  record_names("names", call, "file");
  char value[100];
  attempt("get", call(SYS_getxattr, "file", "user.one", value, sizeof value));
  record("value", std::string(value, 5));
  attempt("get empty", call(SYS_getxattr, "file", "user.two", value, sizeof value));
  attempt("get missing", call(SYS_getxattr, "file", "user.three", value, sizeof value));
  attempt("remove", call(SYS_removexattr, "file", "user.one"));
  attempt("remove again", call(SYS_removexattr, "file", "user.one"));
  record_names("names", call, "file");
}

CALL_CASE(xattr, sizes) {
  make_file("file");
  attempt("set", call(SYS_setxattr, "file", "user.name", "0123456789", 10, 0));
  char value[100];
  for (const std::size_t size : {0u, 1u, 9u, 10u, 11u}) {
    attempt("get " + std::to_string(size), call(SYS_getxattr, "file", "user.name", value, size));
  }
  attempt("list 1", call(SYS_listxattr, "file", value, 1));
  attempt("list 0", call(SYS_listxattr, "file", value, 0));
  attempt("list into null", call(SYS_listxattr, "file", nullptr, 0));
  attempt("get into null", call(SYS_getxattr, "file", "user.name", nullptr, 0));
}

CALL_CASE(xattr, create_and_replace) {
  make_file("file");
  attempt("replace missing", call(SYS_setxattr, "file", "user.name", "a", 1, XATTR_REPLACE));
  attempt("create", call(SYS_setxattr, "file", "user.name", "b", 1, XATTR_CREATE));
  attempt("create again", call(SYS_setxattr, "file", "user.name", "c", 1, XATTR_CREATE));
  attempt("replace", call(SYS_setxattr, "file", "user.name", "d", 1, XATTR_REPLACE));
  attempt("both", call(SYS_setxattr, "file", "user.name", "e", 1, XATTR_CREATE | XATTR_REPLACE));
  attempt("unknown flag", call(SYS_setxattr, "file", "user.name", "f", 1, 4));
}

CALL_CASE(xattr, names) {
  make_file("file");
  for (const std::string &name :
       {std::string(""), std::string("user."), std::string("name"), std::string("unknown.name"),
        std::string("user.a/b"), "user." + std::string(250, 'n'), "user." + std::string(251, 'n'),
        std::string(5000, 'n')}) {
    attempt(name.substr(0, 20), call(SYS_setxattr, "file", name.c_str(), "v", 1, 0));
    char value[10];
    attempt("get", call(SYS_getxattr, "file", name.c_str(), value, sizeof value));
  }
  attempt("null name", call(SYS_setxattr, "file", nullptr, "v", 1, 0));
  attempt("null value", call(SYS_setxattr, "file", "user.x", nullptr, 1, 0));
  attempt("null value of 0 bytes", call(SYS_setxattr, "file", "user.x", nullptr, 0, 0));
}

CALL_CASE(xattr, large_values) {
  make_file("file");
  for (const std::size_t size : {1000u, 3000u, 65536u, 65537u}) {
    const std::string value(size, 'v');
    attempt("set " + std::to_string(size),
            call(SYS_setxattr, "file", "user.large", value.data(), size, 0) == 0 ? 0 : -1);
  }
  static char value[70'000];
  record("get", call(SYS_getxattr, "file", "user.large", value, sizeof value));
}

CALL_CASE(xattr, of_links) {
  make_file("file");
  make_symlink("file", "link");
  attempt("through the link", call(SYS_setxattr, "link", "user.name", "v", 1, 0));
  attempt("of the link", call(SYS_lsetxattr, "link", "user.name", "v", 1, 0));
  char value[10];
  attempt("get of the link", call(SYS_lgetxattr, "link", "user.name", value, sizeof value));
  attempt("list of the link", call(SYS_llistxattr, "link", value, 0));
  attempt("remove of the link", call(SYS_lremovexattr, "link", "user.name"));
  attempt("lgetxattr of the file", call(SYS_lgetxattr, "file", "user.name", value, sizeof value));
}

CALL_CASE(xattr, of_descriptors) {
  make_file("file");
  make_directory("dir");
  const int file = must_open("file", O_RDWR), dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  char value[100];
  for (const int fd : {file, dir}) {
    attempt("set", call(SYS_fsetxattr, fd, "user.name", "value", 5, 0));
    attempt("get", call(SYS_fgetxattr, fd, "user.name", value, sizeof value));
    attempt("remove", call(SYS_fremovexattr, fd, "user.name"));
    attempt("remove again", call(SYS_fremovexattr, fd, "user.name"));
    attempt("set again", call(SYS_fsetxattr, fd, "user.again", "value", 5, 0));
  }
  attempt("bad descriptor", call(SYS_fsetxattr, 99, "user.name", "v", 1, 0));
  attempt("bad descriptor", call(SYS_fgetxattr, 99, "user.name", value, 1));
  attempt("bad descriptor", call(SYS_flistxattr, 99, value, 1));
  attempt("bad descriptor", call(SYS_fremovexattr, 99, "user.name"));
  attempt("O_PATH",
          call(SYS_fgetxattr, must_open("file", O_PATH), "user.again", value, sizeof value));
}

CALL_CASE(xattr, read_only_descriptor) {
  // The kernel asks for write access to the file, not for a descriptor that is open for writing.
  make_file("file");
  attempt("set", call(SYS_fsetxattr, must_open("file", O_RDONLY), "user.name", "v", 1, 0));
}

CALL_CASE(xattr, of_special_files) {
  make_fifo("fifo");
  attempt("set", call(SYS_setxattr, "fifo", "user.name", "v", 1, 0));
  char value[10];
  attempt("get", call(SYS_getxattr, "fifo", "user.name", value, sizeof value));
}

CALL_CASE(xattr, of_a_read_only_file) {
  make_file("file", "", 0444);
  attempt("set", call(SYS_setxattr, "file", "user.name", "v", 1, 0));
  make_file("closed", "", 0);
  char value[10];
  attempt("get", call(SYS_getxattr, "closed", "user.name", value, sizeof value));
}

CALL_CASE(xattr, trusted_and_security) {
  make_file("file");
  char value[100];
  attempt("get trusted", call(SYS_getxattr, "file", "trusted.name", value, sizeof value));
  attempt("get security", call(SYS_getxattr, "file", "security.name", value, sizeof value));
  attempt("get an ACL", call(SYS_getxattr, "file", "system.posix_acl_access", value, sizeof value));
}

// An ACL that names a user who is nobody in the sandbox's user namespace.
CALL_CASE(xattr, acl_of_another_user) {
  make_file("file");
  const int file = must_open("file", O_RDWR), other = must_open("other", O_RDWR | O_CREAT);
  const Acl<5> acl = {
      .entries = {
          {ACL_USER_OBJ, 6}, {ACL_USER, 4, 3}, {ACL_GROUP_OBJ, 4}, {ACL_MASK, 4}, {ACL_OTHER, 4}}};
  Acl<5> got = {};
  const char *const name = "system.posix_acl_access";
  attempt("set", call(SYS_setxattr, "file", name, &acl, sizeof acl, 0));
  attempt("get", call(SYS_getxattr, "file", name, &got, sizeof got));
  record("ID", got.entries[1].id);
  got = {};
  attempt("length by descriptor", call(SYS_fgetxattr, file, name, nullptr, 0));
  attempt("get by descriptor", call(SYS_fgetxattr, file, name, &got, sizeof got));
  record("ID", got.entries[1].id);
  attempt("set by descriptor", call(SYS_fsetxattr, other, name, &got, sizeof got, 0));
  attempt("by O_PATH", call(SYS_fgetxattr, must_open("file", O_PATH), name, &got, sizeof got));
}

CASE(xattr, by_every_name_of_libc) {
  make_file("file");
  make_symlink("file", "link");
  const int fd = must_open("file", O_RDWR);
  char value[200];
  attempt("setxattr", ::setxattr("link", "user.a", "1", 1, 0));
  attempt("lsetxattr", ::lsetxattr("file", "user.b", "22", 2, 0));
  attempt("fsetxattr", ::fsetxattr(fd, "user.c", "333", 3, 0));
  attempt("getxattr", ::getxattr("link", "user.c", value, sizeof value));
  attempt("lgetxattr", ::lgetxattr("file", "user.b", value, sizeof value));
  attempt("fgetxattr", ::fgetxattr(fd, "user.a", value, sizeof value));
  attempt("listxattr", ::listxattr("link", value, sizeof value));
  attempt("llistxattr", ::llistxattr("file", value, sizeof value));
  attempt("flistxattr", ::flistxattr(fd, value, sizeof value));
  attempt("removexattr", ::removexattr("link", "user.a"));
  attempt("lremovexattr", ::lremovexattr("file", "user.b"));
  attempt("fremovexattr", ::fremovexattr(fd, "user.c"));
}

}  // namespace
}  // namespace plash::conformance
