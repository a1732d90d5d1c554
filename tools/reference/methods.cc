// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Prints protocol/METHODS.md: the table of methods for people to read.
#include "protocol/methods.h"

#include <cstdio>
#include <string>

namespace {

// What the table says about a method besides its fields.
struct Entry {
  const char *name;
  const char *code;
  const char *object;
  bool interruptible;
  const char *text;
};

#define NOTHING
#define PLASH_METHOD(Name, Code, Object, Interruptible, RequestFields, ReplyFields, Text) \
  {#Name, Code, #Object, Interruptible != 0, Text},
constexpr Entry entries[] = {
#include "protocol/methods.def"
};
#undef NOTHING

const char *kind_name(plash::FieldKind kind) {
  switch (kind) {
    case plash::FieldKind::word:
      return "WORD";
    case plash::FieldKind::number:
      return "NUMBER";
    case plash::FieldKind::path:
      return "PATH";
    case plash::FieldKind::bytes:
      return "BYTES";
    case plash::FieldKind::descriptor:
      return "DESCRIPTOR";
    case plash::FieldKind::descriptors:
      return "DESCRIPTORS";
  }
  return "";
}

template <class Fields>
std::string describe() {
  std::string text;
  Fields fields{};
  Fields::visit(fields, [&](const char *name, plash::FieldKind kind, const auto &) {
    if (!text.empty()) text += ", ";
    text += std::string(kind_name(kind)) + " " + name;
  });
  return text.empty() ? "nothing" : text;
}

struct Printer {
  const Entry *entry = entries;

  template <class M>
  void operator()() {
    std::printf("\n## %s (`%s`)\n\n%s\n\n", entry->name, entry->code, entry->text);
    std::printf("- object: %s\n", entry->object);
    std::printf("- request: %s\n", describe<typename M::Request>().c_str());
    std::printf("- reply: %s\n", describe<typename M::Reply>().c_str());
    if (entry->interruptible)
      std::printf("- may take long: `Wait` and `Cncl` can come before the reply\n");
    ++entry;
  }
};

}  // namespace

int main() {
  std::printf(
      "# The methods\n\n"
      "Made from methods.def by `ninja protocol-reference`; do not edit. "
      "[PROTOCOL.md](PROTOCOL.md) says how fields\n"
      "stand in a packet and which errors every method has; beyond those a method has the errors "
      "of the system call that\n"
      "its description names.\n\n"
      "An absolute `path` starts at the namespace's root and carries no `base`; a relative one "
      "starts at the directory object\n"
      "`base`. With an empty path and AT_EMPTY_PATH in `flags`, `base` itself is meant: a "
      "directory object, or a descriptor of a\n"
      "file; a method that changes something takes the latter only if the file is granted for "
      "writing. Flags, modes and masks\n"
      "have the kernel's values.\n");
  plash::for_each_method(Printer{});
  return std::fflush(stdout) == 0 ? 0 : 1;
}
