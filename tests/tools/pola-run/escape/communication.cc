// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Interprocess communication by key, number or name.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

struct Call {
  const char *name;
  long (*make)();
};

alignas(16) char buffer[1024];
const long room = to_argument(buffer);

const Call calls[] = {
    {"shmget by key", [] { return call(SYS_shmget, outside.key, 0, 0600); }},
    {"shmat by number", [] { return call(SYS_shmat, outside.shared_memory, 0, SHM_RDONLY); }},
    {"shmctl IPC_STAT", [] { return call(SYS_shmctl, outside.shared_memory, IPC_STAT, room); }},
    {"shmctl IPC_RMID", [] { return call(SYS_shmctl, outside.shared_memory, IPC_RMID, 0); }},
    {"shmctl SHM_STAT_ANY", [] { return call(SYS_shmctl, 0, 15, room); }},
    {"semget by key", [] { return call(SYS_semget, outside.key, 0, 0600); }},
    {"semctl GETVAL", [] { return call(SYS_semctl, outside.semaphores, 0, 12, 0); }},
    {"semctl IPC_RMID", [] { return call(SYS_semctl, outside.semaphores, 0, IPC_RMID, 0); }},
    {"semop",
     [] {
       sembuf operation = {0, 1, IPC_NOWAIT};
       return call(SYS_semop, outside.semaphores, to_argument(&operation), 1);
     }},
    {"msgget by key", [] { return call(SYS_msgget, outside.key, 0600); }},
    {"msgrcv",
     [] { return call(SYS_msgrcv, outside.messages, room, 64, 0, IPC_NOWAIT | MSG_NOERROR); }},
    {"msgsnd",
     [] {
       *reinterpret_cast<long *>(buffer) = 1;
       return call(SYS_msgsnd, outside.messages, room, 8, IPC_NOWAIT);
     }},
    {"msgctl IPC_RMID", [] { return call(SYS_msgctl, outside.messages, IPC_RMID, 0); }},
    {"msgctl MSG_STAT_ANY", [] { return call(SYS_msgctl, 0, 13, room); }},
    {"mq_open", [] { return call(SYS_mq_open, to_argument(outside.queue), O_RDWR, 0, 0); }},
    {"mq_unlink", [] { return call(SYS_mq_unlink, to_argument(outside.queue)); }},
};

}  // namespace

void try_communication() {
  for (const Call &entry : calls) attempt("IPC", entry.name, entry.make);
}

}  // namespace plash::escape
