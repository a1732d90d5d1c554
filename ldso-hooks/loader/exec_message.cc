// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/exec_message.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/uio.h>

#include "ldso-hooks/loader/service_descriptors.h"
#include "ldso-hooks/loader/sigsys_action.h"
#include "protocol/memory.h"
#include "protocol/system_call.h"

namespace plash::loader {

long leave_exec_message(const char *path_prefix, const char *path) noexcept {
  const unsigned long prefix_size = strlen(path_prefix);
  const unsigned long path_size = strlen(path) + 1;
  if (prefix_size + path_size > max_exec_path) return -ENAMETOOLONG;
  const std::uint32_t flags =
      (sigsys_ignored() ? exec_ignores_sigsys : 0) | (path[0] == '\0' ? exec_by_descriptor : 0);
  struct {
    std::uint32_t magic;
    std::uint32_t flags;
    std::uint64_t path_size;
  } const header{exec_message_magic, flags, prefix_size + path_size};
  static_assert(sizeof header == offsetof(ExecMessage, path));
  int ends[2];
  long result = system_call(__NR_pipe2, as_argument(ends), O_CLOEXEC);
  if (result != 0) return result;
  const iovec parts[] = {{const_cast<void *>(static_cast<const void *>(&header)), sizeof header},
                         {const_cast<char *>(path_prefix), prefix_size},
                         {const_cast<char *>(path), path_size}};
  result = system_call(__NR_writev, ends[1], as_argument(parts), 3);
  if (result > 0) result = system_call(__NR_dup2, ends[0], message_descriptor);
  system_call(__NR_close, ends[0]);
  system_call(__NR_close, ends[1]);
  return result < 0 ? result : 0;
}

bool take_exec_message(ExecMessage &message) noexcept {
  const long size =
      system_call(__NR_read, message_descriptor, as_argument(&message), sizeof message);
  reserve_descriptor(message_descriptor);
  return size > static_cast<long>(offsetof(ExecMessage, path)) &&
         message.magic == exec_message_magic &&
         message.path_size == static_cast<unsigned long>(size) - offsetof(ExecMessage, path) &&
         message.path[message.path_size - 1] == '\0';
}

}  // namespace plash::loader
