// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/memory_map.h"

#include <asm/unistd_64.h>
#include <linux/prctl.h>
#include <sys/random.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

constexpr unsigned long page_size = 4096;
constexpr unsigned long break_random_pages = 0x02000000 / page_size;  // as arch_randomize_brk()

unsigned long address_of(const void *pointer) noexcept {
  return reinterpret_cast<unsigned long>(pointer);
}

// Strings of argv or envp, which lie one behind the other.
void find_strings(char **list, unsigned long &start, unsigned long &end) noexcept {
  start = end = 0;
  if (*list == nullptr) return;
  start = address_of(*list);
  for (; *list != nullptr; ++list) end = address_of(*list) + strlen(*list) + 1;
}

ElfImage mapped_by_kernel(const ProcessStack &stack) noexcept {
  ElfImage image{};
  const auto *headers = reinterpret_cast<const Elf64_Phdr *>(stack.auxiliary(AT_PHDR));
  const unsigned long count = stack.auxiliary(AT_PHNUM);
  for (unsigned long i = 0; i < count; ++i) {
    if (headers[i].p_type == PT_PHDR) image.bias = address_of(headers) - headers[i].p_vaddr;
  }
  image.code_start = ~0ul;
  for (unsigned long i = 0; i < count; ++i) {
    if (headers[i].p_type != PT_LOAD) continue;
    const unsigned long start = headers[i].p_vaddr + image.bias;
    const unsigned long file_end = start + headers[i].p_filesz;
    if (start < image.code_start) image.code_start = start;
    if ((headers[i].p_flags & PF_X) != 0) image.code_end = file_end;
    image.data_start = start;
    image.data_end = file_end;
  }
  return image;
}

}  // namespace

void note_memory_map(const ProcessStack &stack, const ElfImage *image) noexcept {
  const auto current_break = static_cast<unsigned long>(system_call(__NR_brk, 0));
  unsigned long start_break = current_break;
  ElfImage found;
  if (image == nullptr) {
    found = mapped_by_kernel(stack);
    image = &found;
  } else {
    unsigned long random = 0;
    system_call(__NR_getrandom, as_argument(&random), sizeof random, GRND_NONBLOCK);
    start_break = ((image->break_start + page_size - 1) & ~(page_size - 1)) +
                  random % break_random_pages * page_size;
  }
  prctl_mm_map map{};
  map.start_code = image->code_start;
  map.end_code = image->code_end;
  map.start_data = image->data_start;
  map.end_data = image->data_end;
  map.start_brk = map.brk = start_break;
  map.start_stack = address_of(stack.start());
  unsigned long start;
  unsigned long end;
  find_strings(stack.arguments(), start, end);
  map.arg_start = start;
  map.arg_end = end;
  find_strings(stack.environment(), start, end);
  map.env_start = start != 0 ? start : map.arg_end;
  map.env_end = end != 0 ? end : map.arg_end;
  map.auxv = reinterpret_cast<__u64 *>(stack.auxiliary_vector());
  map.auxv_size = static_cast<unsigned>(stack.auxiliary_size());
  map.exe_fd = static_cast<unsigned>(-1);
  system_call(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, as_argument(&map), sizeof map, 0);
}

}  // namespace plash::loader
