// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/elf_image.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

constexpr unsigned long page_size = 4096;
constexpr unsigned long address_limit = 0x7ffffffff000;  // TASK_SIZE
// Two thirds of the address space, as ELF_ET_DYN_BASE; 28 random bits of pages are the kernel's
// default.
constexpr unsigned long program_base = 0x555555554000;
constexpr unsigned long program_random_pages = 1ul << 28;

constexpr unsigned long page_start(unsigned long address) { return address & ~(page_size - 1); }
constexpr unsigned long page_end(unsigned long address) {
  return page_start(address + page_size - 1);
}

long map(unsigned long address, unsigned long size, int protection, int flags, int descriptor,
         unsigned long offset) noexcept {
  return system_call(__NR_mmap, static_cast<long>(address), static_cast<long>(size), protection,
                     flags, descriptor, static_cast<long>(offset));
}

bool failed(long result) noexcept { return result < 0 && result > -4096; }

void unmap(unsigned long start, unsigned long end) noexcept {
  if (start < end)
    system_call(__NR_munmap, static_cast<long>(start), static_cast<long>(end - start));
}

int protection_of(const Elf64_Phdr &segment) noexcept {
  return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) |
         ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

struct Span {
  unsigned long start;
  unsigned long end;
  unsigned long alignment;
};

// The addresses that the loadable segments take up, checked to be in order and in bounds.
long measure(const ElfFile &file, Span &span) noexcept {
  bool any = false;
  span = {0, 0, page_size};
  for (unsigned i = 0; i < file.header.e_phnum; ++i) {
    const Elf64_Phdr &segment = file.segments[i];
    if (segment.p_type != PT_LOAD) continue;
    if (segment.p_filesz > segment.p_memsz || segment.p_memsz > address_limit ||
        segment.p_vaddr > address_limit || (segment.p_vaddr - segment.p_offset) % page_size != 0 ||
        (any && segment.p_vaddr < span.end)) {
      return -ENOEXEC;
    }
    if (!any) span.start = page_start(segment.p_vaddr);
    any = true;
    span.end = segment.p_vaddr + segment.p_memsz;
    if (segment.p_align > span.alignment && (segment.p_align & (segment.p_align - 1)) == 0)
      span.alignment = segment.p_align;
  }
  span.end = page_end(span.end);
  return any ? 0 : -ENOEXEC;
}

// Address space for the whole span, so that the segments can then be put there with MAP_FIXED.
// Returns its start.
long reserve(const ElfFile &file, const Span &span, Placement placement) noexcept {
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const unsigned long size = span.end - span.start;
  if (file.header.e_type == ET_EXEC)
    return map(span.start, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
  if (placement == Placement::program) {
    unsigned long random = 0;
    system_call(__NR_getrandom, as_argument(&random), sizeof random, GRND_NONBLOCK);
    const unsigned long wanted =
        (program_base + random % program_random_pages * page_size + span.alignment - 1) &
        ~(span.alignment - 1);
    const long result = map(wanted, size, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
    if (!failed(result)) return result;
  }
  const unsigned long slack = span.alignment - page_size;
  const long result = map(0, size + slack, PROT_NONE, flags, -1, 0);
  if (failed(result)) return result;
  const auto taken = static_cast<unsigned long>(result);
  const unsigned long start = (taken + slack) & ~(span.alignment - 1);
  unmap(taken, start);
  unmap(start + size, taken + size + slack);
  return static_cast<long>(start);
}

// Puts one segment at its place; what follows its file's part is zero.
long map_segment(int descriptor, const Elf64_Phdr &segment, unsigned long bias) noexcept {
  const unsigned long start = segment.p_vaddr + bias;
  const unsigned long file_end = start + segment.p_filesz;
  const unsigned long memory_end = page_end(start + segment.p_memsz);
  unsigned long mapped_end = page_start(start);
  if (segment.p_filesz != 0) {
    const long result = map(page_start(start), file_end - page_start(start), protection_of(segment),
                            MAP_PRIVATE | MAP_FIXED, descriptor, page_start(segment.p_offset));
    if (failed(result)) return result;
    mapped_end = page_end(file_end);
    // Only what can be written may hold data after the file's part: the rest is padding.
    if (segment.p_memsz > segment.p_filesz && (segment.p_flags & PF_W) != 0) {
      memset(reinterpret_cast<void *>(file_end), 0, mapped_end - file_end);
    }
  }
  if (mapped_end >= memory_end) return 0;
  const long result = map(mapped_end, memory_end - mapped_end, protection_of(segment),
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return failed(result) ? result : 0;
}

}  // namespace

long check_elf_header(const Elf64_Ehdr &header) noexcept {
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return -ENOEXEC;
  const bool x86_64 = header.e_machine == EM_X86_64;
  if (header.e_ident[EI_CLASS] == ELFCLASS32 && (x86_64 || header.e_machine == EM_386))
    return -ENOSYS;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || !x86_64) return -ENOEXEC;
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return -ENOEXEC;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum > max_program_headers)
    return -ENOEXEC;
  return 0;
}

long read_elf_file(int descriptor, ElfFile &file) noexcept {
  file.descriptor = descriptor;
  long size =
      system_call(__NR_pread64, descriptor, as_argument(&file.header), sizeof file.header, 0);
  if (size < 0) return size;
  if (size != sizeof file.header) return -ENOEXEC;
  const long result = check_elf_header(file.header);
  if (result != 0) return result;
  const auto wanted = static_cast<long>(file.header.e_phnum * sizeof(Elf64_Phdr));
  size = system_call(__NR_pread64, descriptor, as_argument(file.segments), wanted,
                     static_cast<long>(file.header.e_phoff));
  if (size < 0) return size;
  return size == wanted ? 0 : -ENOEXEC;
}

long read_interpreter_path(const ElfFile &file, char *path, unsigned long size) noexcept {
  for (unsigned i = 0; i < file.header.e_phnum; ++i) {
    const Elf64_Phdr &segment = file.segments[i];
    if (segment.p_type != PT_INTERP) continue;
    if (segment.p_filesz < 2 || segment.p_filesz > size) return -ENOEXEC;
    const auto wanted = static_cast<long>(segment.p_filesz);
    const long result = system_call(__NR_pread64, file.descriptor, as_argument(path), wanted,
                                    static_cast<long>(segment.p_offset));
    if (result < 0) return result;
    if (result != wanted || path[wanted - 1] != '\0') return -ENOEXEC;
    return static_cast<long>(strlen(path));
  }
  return 0;
}

long map_elf_file(const ElfFile &file, Placement placement, ElfImage &image) noexcept {
  Span span;
  long result = measure(file, span);
  if (result != 0) return result;
  result = reserve(file, span, placement);
  if (failed(result)) return result;
  image = {};
  image.bias = static_cast<unsigned long>(result) - span.start;
  image.entry = file.header.e_entry + image.bias;
  image.code_start = image.data_start = ~0ul;
  unsigned long previous_end = span.start + image.bias;
  for (unsigned i = 0; i < file.header.e_phnum; ++i) {
    const Elf64_Phdr &segment = file.segments[i];
    if (segment.p_type != PT_LOAD) continue;
    result = map_segment(file.descriptor, segment, image.bias);
    if (result != 0) return result;
    const unsigned long start = segment.p_vaddr + image.bias;
    const unsigned long file_end = start + segment.p_filesz;
    unmap(previous_end, page_start(start));
    previous_end = page_end(start + segment.p_memsz);
    image.break_start = start + segment.p_memsz;
    if (file.header.e_phoff >= segment.p_offset &&
        file.header.e_phoff < segment.p_offset + segment.p_filesz) {
      image.headers = start + (file.header.e_phoff - segment.p_offset);
    }
    // As the kernel fills in /proc/PID/stat.
    if (start < image.code_start) image.code_start = start;
    if ((segment.p_flags & PF_X) != 0 && file_end > image.code_end) image.code_end = file_end;
    image.data_start = start;
    if (file_end > image.data_end) image.data_end = file_end;
  }
  return 0;
}

}  // namespace plash::loader
