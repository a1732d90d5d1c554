// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/glibc/program_check.h"

#include <asm/unistd_64.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"

namespace plash::glibc {
namespace {

// Where the ABI has it (System V psABI, AMD64 supplement, 5.2.1), and the sandbox's root the
// rebuilt one. Compared and not looked up: no path of a call reaches the kernel.
constexpr char dynamic_loader[] = "/lib64/ld-linux-x86-64.so.2";
// The note that dl-plash.c puts into ld.so and into static programs.
constexpr char note_name[] = "Plash";
constexpr unsigned note_type = 1;

template <class T>
bool read_at(int file, std::uint64_t offset, T &to) noexcept {
  return system_call(__NR_pread64, file, as_argument(&to), sizeof to, static_cast<long>(offset)) ==
         static_cast<long>(sizeof to);
}

bool has_note(int file, const Elf64_Phdr &segment) noexcept {
  constexpr int limit = 64;
  std::uint64_t at = segment.p_offset;
  const std::uint64_t end = segment.p_offset + segment.p_filesz;
  const std::uint64_t padding = segment.p_align == 8 ? 7 : 3;
  for (int i = 0; i < limit && at < end; ++i) {
    struct {
      Elf64_Nhdr header;
      char name[sizeof note_name];
    } note;
    if (!read_at(file, at, note)) return false;
    if (note.header.n_type == note_type && note.header.n_namesz == sizeof note_name &&
        memcmp(note.name, note_name, sizeof note_name) == 0)
      return true;
    at += (sizeof note.header + note.header.n_namesz + padding) & ~padding;
    at += (note.header.n_descsz + padding) & ~padding;
  }
  return false;
}

bool is_of_this_door(int file, const Elf64_Ehdr &header) noexcept {
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!read_at(file, header.e_phoff + i * sizeof segment, segment)) return false;
    if (segment.p_type == PT_NOTE && has_note(file, segment)) return true;
  }
  return false;
}

bool is_equal(const Bytes &left, const char *right) noexcept {
  return left.size == strlen(right) && memcmp(left.data, right, left.size) == 0;
}

iovec piece(const char *text, std::uint64_t size) noexcept {
  return {const_cast<char *>(text), size};
}
iovec piece(const char *text) noexcept { return piece(text, strlen(text)); }

long refuse(const Bytes &path, const char *why, const Bytes &what, const char *rest) noexcept {
  const iovec message[] = {piece("plash: "), piece(path.data, path.size), piece(why),
                           piece(what.data, what.size), piece(rest)};
  system_call(__NR_writev, STDERR_FILENO, as_argument(message), sizeof message / sizeof *message);
  return -ELIBACC;
}

}  // namespace

long check_program(int file, const Bytes &interpreter, const Bytes &path) noexcept {
  if (interpreter.size != 0) {
    if (is_equal(interpreter, dynamic_loader)) return 0;
    return refuse(path, ": its dynamic loader, ", interpreter,
                  ", is not this door's; --door=loader runs it\n");
  }
  Elf64_Ehdr header;
  // Not to be read, only executed: there is no way to tell.
  if (!read_at(file, 0, header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return 0;
  if (header.e_ident[EI_CLASS] != ELFCLASS64)
    return refuse(path, ": not a 64-bit program; --door=loader", {}, " does not run it either\n");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || is_of_this_door(file, header)) return 0;
  return refuse(path, ": statically linked, so that this door cannot serve it", {},
                "; --door=loader runs it\n");
}

}  // namespace plash::glibc
