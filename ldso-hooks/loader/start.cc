// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where a new image begins, before its program: the kernel comes here because the program names the
// loader as its interpreter, because the loader itself was executed for a program that it has to
// map, or because the launcher starts a sandbox.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>

#include <initializer_list>

#include "ldso-hooks/loader/descriptor_room.h"
#include "ldso-hooks/loader/elf_image.h"
#include "ldso-hooks/loader/engine_hooks.h"
#include "ldso-hooks/loader/exec.h"
#include "ldso-hooks/loader/exec_message.h"
#include "ldso-hooks/loader/filter.h"
#include "ldso-hooks/loader/memory_map.h"
#include "ldso-hooks/loader/message.h"
#include "ldso-hooks/loader/process_stack.h"
#include "ldso-hooks/loader/scratch_stack.h"
#include "ldso-hooks/loader/service_descriptors.h"
#include "ldso-hooks/loader/signal_calls.h"
#include "ldso-hooks/loader/sigsys_action.h"
#include "ldso-hooks/loader/trap.h"
#include "ldso-hooks/loader/verdict.h"
#include "protocol/memory.h"
#include "protocol/session.h"
#include "protocol/system_call.h"
#include "shim/engine/engine.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace plash::loader {

extern "C" {
// The image's first instruction.
void plash_start();
[[noreturn]] void plash_run(unsigned long *stack);
}
__asm__(
    ".text\n.hidden plash_start\n.globl plash_start\n.type plash_start, @function\nplash_start:\n"
    "  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call plash_run\n");

namespace {

ExecMessage message;  // the path in it stays: AT_EXECFN points to it
char interpreter_path[max_exec_path];

// The program begins.
[[noreturn]] void jump(unsigned long entry, unsigned long *stack, DescriptorRoom &room) noexcept {
  room.restore();
  check_pointers();
  // The psABI: rdx holds a function for atexit(3), or 0; everything else is unspecified.
  __asm__ volatile("mov %0, %%rsp\n\txor %%edx, %%edx\n\txor %%ebp, %%ebp\n\tjmp *%1"
                   :
                   : "D"(stack), "S"(entry)
                   : "memory");
  __builtin_unreachable();
}

void name_thread(const char *path) noexcept {
  const char *name = path;
  for (; *path != '\0'; ++path) {
    if (*path == '/') name = path + 1;
  }
  system_call(__NR_prctl, PR_SET_NAME, as_argument(name), 0, 0, 0);
}

bool mapped_by_loader(const ProcessStack &stack) noexcept {
  return stack.auxiliary(AT_ENTRY) == reinterpret_cast<unsigned long>(plash_start);
}

// As the kernel does, after the path. Without one the kernel has named it after the file, but that
// was the loader where a static program was executed: argv[0] is the best guess then.
void name_thread_for(const ProcessStack &stack) noexcept {
  if ((message.flags & exec_by_descriptor) == 0) {
    name_thread(message.path);
  } else if (mapped_by_loader(stack) && stack.argument_count() != 0) {
    name_thread(stack.arguments()[0]);
  }
}

// Maps the file behind descriptor.
ElfImage load(int descriptor, const char *path, Placement placement, ElfFile &file) noexcept {
  ElfImage image;
  long result = read_elf_file(descriptor, file);
  if (result == 0) result = map_elf_file(file, placement, image);
  if (result != 0) die("cannot load", path, result);
  return image;
}

ElfImage load_interpreter(const char *path) noexcept {
  const long descriptor =
      plash_syscall(__NR_openat, AT_FDCWD, as_argument(path), O_RDONLY | O_CLOEXEC, 0, 0, 0);
  if (descriptor < 0) die("cannot open the ELF interpreter", path, descriptor);
  ElfFile file;
  const ElfImage image = load(static_cast<int>(descriptor), path, Placement::anywhere, file);
  system_call(__NR_close, descriptor);
  return image;
}

// PT_INTERP of a program that the kernel has mapped.
const char *interpreter_in_memory(const ProcessStack &stack) noexcept {
  const auto *headers = reinterpret_cast<const Elf64_Phdr *>(stack.auxiliary(AT_PHDR));
  const unsigned long count = stack.auxiliary(AT_PHNUM);
  unsigned long bias = 0;
  for (unsigned long i = 0; i < count; ++i) {
    if (headers[i].p_type == PT_PHDR)
      bias = reinterpret_cast<unsigned long>(headers) - headers[i].p_vaddr;
  }
  for (unsigned long i = 0; i < count; ++i) {
    if (headers[i].p_type == PT_INTERP)
      return reinterpret_cast<const char *>(headers[i].p_vaddr + bias);
  }
  die("the program names no interpreter");
}

[[noreturn]] void run_mapped_by_kernel(ProcessStack &stack, DescriptorRoom &room) noexcept {
  const ElfImage image = load_interpreter(interpreter_in_memory(stack));
  stack.set_auxiliary(AT_BASE, image.bias);
  note_memory_map(stack, nullptr);
  jump(image.entry, stack.start(), room);
}

[[noreturn]] void run_mapped_here(ProcessStack &stack, DescriptorRoom &room) noexcept {
  ElfFile file;
  long result = read_elf_file(exe_descriptor, file);
  if (result == -EBADF) die("executed without a program to run");
  const long size =
      result == 0 ? read_interpreter_path(file, interpreter_path, sizeof interpreter_path) : result;
  if (size < 0) die("cannot load the program", message.path, size);
  const ElfImage image = load(exe_descriptor, message.path,
                              size != 0 ? Placement::program : Placement::anywhere, file);
  stack.set_auxiliary(AT_PHDR, image.headers);
  stack.set_auxiliary(AT_PHNUM, file.header.e_phnum);
  stack.set_auxiliary(AT_ENTRY, image.entry);
  unsigned long entry = image.entry;
  if (size != 0) {
    const ElfImage interpreter = load_interpreter(interpreter_path);
    stack.set_auxiliary(AT_BASE, interpreter.bias);
    entry = interpreter.entry;
  }
  note_memory_map(stack, &image);
  jump(entry, stack.start(), room);
}

// Those of the image before were closed by exec.
void reserve_sessions() noexcept {
  for (int number = first_session_descriptor; number <= last_session_descriptor; ++number)
    reserve_descriptor(number);
}

void keep_program_open() noexcept {
  system_call(__NR_dup2, program_descriptor, exe_descriptor);
  reserve_descriptor(program_descriptor);
}

// The launcher's call: becomes the sandbox's first program.
[[noreturn]] void start_sandbox(ProcessStack &stack) noexcept {
  const char *path = stack.take_variable("PLASH_LOADER=");
  if (path == nullptr) die("not a program: pola-run starts it");
  const long result = install_filter();
  if (result != 0)
    die("this kernel has no seccomp filters, which the loader door needs", nullptr, result);
  for (const int number : {unused_descriptor, exe_descriptor, message_descriptor,
                           program_descriptor, last_service_descriptor}) {
    reserve_descriptor(number);
  }
  SignalSet mask = 0;
  system_call(__NR_rt_sigprocmask, 0, 0, as_argument(&mask), signal_set_size);
  set_signal_mask(all_signals);
  const long error = execute(AT_FDCWD, path, stack.arguments(), stack.environment(), 0, mask);
  die("cannot execute", path, error);
}

}  // namespace

extern "C" [[noreturn]] void plash_run(unsigned long *start) {
  ProcessStack stack(start);
  set_signal_frame_size(stack.auxiliary(AT_MINSIGSTKSZ));
  note_owner();
  set_up_engine(stack.environment());
  reserve_sessions();
  const long result = install_trap_handler();
  if (result != 0) die("cannot handle SIGSYS", nullptr, result);
  if (!filter_installed()) start_sandbox(stack);
  find_programs_filters();
  if (take_exec_message(message)) {
    stack.set_auxiliary(AT_EXECFN, reinterpret_cast<unsigned long>(message.path));
    name_thread_for(stack);
    if ((message.flags & exec_ignores_sigsys) != 0) ignore_sigsys();
  }
  // The program's limit of descriptors may not even allow what it takes to load it.
  DescriptorRoom room;
  keep_program_open();
  if (mapped_by_loader(stack)) run_mapped_here(stack, room);
  run_mapped_by_kernel(stack, room);
}

}  // namespace plash::loader
