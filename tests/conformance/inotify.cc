// SPDX-License-Identifier: LGPL-2.1-or-later
//
// inotify(7): which watches are given, and which events they see.
#include <sys/inotify.h>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

// Events of create and of modification, and what else a case asks for. Opening is left out: how
// often the file server opens a directory is its own affair.
void record_events(int fd) {
  alignas(inotify_event) char buffer[8192];
  const ssize_t size = ::read(fd, buffer, sizeof buffer);
  if (size < 0) {
    record_error("no event", errno);
    return;
  }
  for (const char *at = buffer; at < buffer + size;) {
    const auto *event = reinterpret_cast<const inotify_event *>(at);
    print("event: watch " + std::to_string(event->wd) + ", " + text_of(Octal{event->mask}) + ", " +
          text_of(event->len ? event->name : "") + "\n");
    at += sizeof(inotify_event) + event->len;
  }
}

int new_instance() {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) set_up_failed("inotify_init1");
  return fd;
}

CALL_CASE(inotify, creation_and_removal_in_a_directory) {
  make_directory("dir");
  const int fd = new_instance();
  attempt("watch", call(SYS_inotify_add_watch, fd, "dir", IN_CREATE | IN_DELETE | IN_MOVE));
  make_file("dir/file");
  make_directory("dir/inner");
  attempt("rename", ::rename("dir/file", "dir/moved"));
  attempt("unlink", ::unlink("dir/moved"));
  attempt("rmdir", ::rmdir("dir/inner"));
  record_events(fd);
}

CALL_CASE(inotify, writing_to_a_file) {
  make_file("file");
  const int fd = new_instance();
  attempt("watch", call(SYS_inotify_add_watch, fd, "file", IN_MODIFY | IN_CLOSE_WRITE));
  const int file = must_open("file", O_WRONLY);
  attempt("write", ::write(file, "text", 4));
  ::close(file);
  record_events(fd);
}

CALL_CASE(inotify, removal_of_what_is_watched) {
  make_file("file");
  const int fd = new_instance();
  attempt("watch", call(SYS_inotify_add_watch, fd, "file", IN_DELETE_SELF));
  attempt("unlink", ::unlink("file"));
  record_events(fd);
}

CALL_CASE(inotify, watch_numbers) {
  make_directory("a");
  make_directory("b");
  const int fd = new_instance();
  attempt("first", call(SYS_inotify_add_watch, fd, "a", IN_CREATE));
  attempt("second", call(SYS_inotify_add_watch, fd, "b", IN_CREATE));
  attempt("first again", call(SYS_inotify_add_watch, fd, "a", IN_DELETE));
  attempt("first, once only", call(SYS_inotify_add_watch, fd, "a", IN_CREATE | IN_MASK_CREATE));
  attempt("remove", call(SYS_inotify_rm_watch, fd, 1));
  attempt("remove again", call(SYS_inotify_rm_watch, fd, 1));
  attempt("anew", call(SYS_inotify_add_watch, fd, "a", IN_CREATE));
}

CALL_CASE(inotify, adding_to_a_mask) {
  make_directory("dir");
  const int fd = new_instance();
  attempt("watch", call(SYS_inotify_add_watch, fd, "dir", IN_CREATE));
  attempt("more", call(SYS_inotify_add_watch, fd, "dir", IN_DELETE | IN_MASK_ADD));
  make_file("dir/file");
  ::unlink("dir/file");
  record_events(fd);
}

CALL_CASE(inotify, one_shot) {
  make_directory("dir");
  const int fd = new_instance();
  attempt("watch", call(SYS_inotify_add_watch, fd, "dir", IN_CREATE | IN_ONESHOT));
  make_file("dir/first");
  make_file("dir/second");
  record_events(fd);
}

CALL_CASE(inotify, values_that_are_refused) {
  make_file("file");
  const int fd = new_instance();
  attempt("mask 0", call(SYS_inotify_add_watch, fd, "file", 0));
  attempt("not an instance", call(SYS_inotify_add_watch, must_open("file"), "file", IN_CREATE));
  attempt("bad descriptor", call(SYS_inotify_add_watch, 99, "file", IN_CREATE));
  attempt("bad descriptor, missing path", call(SYS_inotify_add_watch, 99, "missing", IN_CREATE));
  attempt("add and create",
          call(SYS_inotify_add_watch, fd, "file", IN_CREATE | IN_MASK_ADD | IN_MASK_CREATE));
  attempt("unknown instance flag", ::inotify_init1(0x4));
}

CALL_CASE(inotify, unreadable_file) {
  make_file("file", "", 0200);
  attempt("watch", call(SYS_inotify_add_watch, new_instance(), "file", IN_MODIFY));
}

CASE(inotify, by_libc) {
  make_directory("dir");
  const int fd = new_instance();
  attempt("watch", ::inotify_add_watch(fd, "dir", IN_CREATE));
  attempt("missing", ::inotify_add_watch(fd, "missing", IN_CREATE));
  make_file("dir/file");
  record_events(fd);
}

}  // namespace
}  // namespace plash::conformance
