// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ELF files in memory: what the kernel's own loader does for a program and for its interpreter
// (elf(5), binfmt_elf). Used when an image starts, with one thread. Errors are -errno, as execve(2)
// would have given them.
#pragma once

#include <elf.h>

namespace plash::loader {

constexpr unsigned max_program_headers = 128;  // far above what linkers make; ENOEXEC beyond

// The headers of a file that this machine can execute.
struct ElfFile {
  int descriptor;  // not owned; readable
  Elf64_Ehdr header;
  Elf64_Phdr segments[max_program_headers];
};

// Checks that header, the first bytes of a file, announces a 64-bit x86-64 program. Returns 0;
// -ENOEXEC where it is none; -ENOSYS for a program of another ABI of the same machine (i386, x32),
// which the filter would not let live. Async-signal-safe.
long check_elf_header(const Elf64_Ehdr &header) noexcept;

// Reads the headers of the file behind descriptor. 0, or -ENOEXEC and what check_elf_header()
// gives, or -errno of pread(2).
long read_elf_file(int descriptor, ElfFile &file) noexcept;

// The path in a file's PT_INTERP: its length without the NUL, copied into path with a NUL; 0 where
// it has none; -ENOEXEC where it does not fit into size bytes or has no NUL.
long read_interpreter_path(const ElfFile &file, char *path, unsigned long size) noexcept;

// Where a file came to lie.
struct ElfImage {
  unsigned long bias;     // what to add to the file's addresses
  unsigned long entry;    // absolute, as are the others
  unsigned long headers;  // program headers; 0 where no segment contains them
  unsigned long code_start, code_end;
  unsigned long data_start, data_end;
  unsigned long break_start;  // end of the last segment
};

enum class Placement {
  anywhere,  // among the mappings, as the kernel places an interpreter or a program without one
  program,   // where the kernel places position-independent programs, if there is room
};

// Maps the loadable segments. 0, or -errno of mmap(2) (EEXIST, ENOMEM: a fixed address is taken),
// -ENOEXEC where a segment makes no sense. Does not close the descriptor. On failure the address
// space is undefined: the caller has to exit.
long map_elf_file(const ElfFile &file, Placement placement, ElfImage &image) noexcept;

}  // namespace plash::loader
