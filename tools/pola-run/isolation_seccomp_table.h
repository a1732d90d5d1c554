// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The system calls that a sandbox is refused. No path can be reached by them that the empty root
// does not hold; this table is about what remains: what a descriptor allows beyond reading and
// writing, what is not divided up by namespaces, and parts of the kernel that no program needs
// here.
//
// EPERM: the call exists and is refused. ENOSYS: the kernel looks as if it were without it, where
// programs know how to do without.
//
// Allowed on purpose: ptrace, process_vm_readv and pidfd_getfd (debuggers use them; they reach no
// further than the sandbox's own PID namespace, whose first process cannot be traced), seccomp and
// landlock (they only take away).
#pragma once

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/msdos_fs.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>

namespace plash::pola_run {

struct RefusedCall {
  int number;
  int error;
};

// Refused whatever their arguments.
constexpr RefusedCall refused_calls[] = {
    // Metadata. Any descriptor will do for these, a read-only one too, if the caller owns the file.
    // The doors send those that are in order to the file server, which knows what was granted.
    {__NR_chmod, EPERM},
    {__NR_fchmod, EPERM},
    {__NR_fchmodat, EPERM},
    {452 /* fchmodat2 */, EPERM},
    {__NR_chown, EPERM},
    {__NR_fchown, EPERM},
    {__NR_lchown, EPERM},
    {__NR_fchownat, EPERM},
    {__NR_utime, EPERM},
    {__NR_utimes, EPERM},
    {__NR_futimesat, EPERM},
    {__NR_utimensat, EPERM},
    {__NR_setxattr, EPERM},
    {__NR_lsetxattr, EPERM},
    {__NR_fsetxattr, EPERM},
    {463 /* setxattrat */, EPERM},
    {__NR_removexattr, EPERM},
    {__NR_lremovexattr, EPERM},
    {__NR_fremovexattr, EPERM},
    {466 /* removexattrat */, EPERM},
    {469 /* file_setattr */, EPERM},

    // File systems, mounts, roots and namespaces.
    {__NR_mount, EPERM},
    {__NR_umount2, EPERM},
    {__NR_pivot_root, EPERM},
    {__NR_chroot, EPERM},
    {__NR_setns, EPERM},
    {__NR_open_by_handle_at, EPERM},
    {__NR_name_to_handle_at, EPERM},
    {__NR_swapon, EPERM},
    {__NR_swapoff, EPERM},
    {__NR_quotactl, EPERM},
    {__NR_quotactl_fd, EPERM},
    {__NR_acct, EPERM},
    {__NR_open_tree, ENOSYS},
    {467 /* open_tree_attr */, ENOSYS},
    {__NR_move_mount, ENOSYS},
    {__NR_fsopen, ENOSYS},
    {__NR_fsconfig, ENOSYS},
    {__NR_fsmount, ENOSYS},
    {__NR_fspick, ENOSYS},
    {__NR_mount_setattr, ENOSYS},
    {457 /* statmount */, ENOSYS},
    {458 /* listmount */, ENOSYS},
    {__NR_fanotify_init, ENOSYS},
    {__NR_fanotify_mark, ENOSYS},
    {__NR_clone3,
     ENOSYS},  // its flags cannot be seen by a filter; the C library falls back to clone

    // Ways of making system calls that no filter sees.
    {__NR_io_uring_setup, ENOSYS},
    {__NR_io_uring_enter, ENOSYS},
    {__NR_io_uring_register, ENOSYS},

    // Keyrings: the caller's session keyring is inherited.
    {__NR_add_key, EPERM},
    {__NR_request_key, EPERM},
    {__NR_keyctl, EPERM},

    // The kernel itself.
    {__NR_bpf, ENOSYS},
    {__NR_perf_event_open, ENOSYS},
    {__NR_userfaultfd, ENOSYS},
    {__NR_kexec_load, EPERM},
    {__NR_kexec_file_load, EPERM},
    {__NR_init_module, EPERM},
    {__NR_finit_module, EPERM},
    {__NR_delete_module, EPERM},
    {__NR_reboot, EPERM},
    {__NR_syslog, EPERM},
    {__NR_iopl, EPERM},
    {__NR_ioperm, EPERM},
    {__NR_vhangup, EPERM},
    {__NR_lookup_dcookie, ENOSYS},
    {__NR_modify_ldt, ENOSYS},  // 16-bit and 32-bit segments
    {__NR_settimeofday, EPERM},
    {__NR_clock_settime, EPERM},
    {__NR_sethostname, EPERM},
    {__NR_setdomainname, EPERM},
};

// The last system call that this table was made in knowledge of (Linux 6.18). Later ones: ENOSYS.
constexpr int last_known_call = 469;

// ioctl(2) requests refused with EPERM. Those on files act through read-only descriptors.
constexpr std::uint32_t refused_requests[] = {
    static_cast<std::uint32_t>(FS_IOC_SETFLAGS),
    static_cast<std::uint32_t>(FS_IOC32_SETFLAGS),
    static_cast<std::uint32_t>(FS_IOC_SETVERSION),
    static_cast<std::uint32_t>(FS_IOC32_SETVERSION),
    static_cast<std::uint32_t>(FS_IOC_FSSETXATTR),
    static_cast<std::uint32_t>(FS_IOC_ENABLE_VERITY),
    static_cast<std::uint32_t>(FS_IOC_SET_ENCRYPTION_POLICY),
    static_cast<std::uint32_t>(FS_IOC_ADD_ENCRYPTION_KEY),
    static_cast<std::uint32_t>(FS_IOC_REMOVE_ENCRYPTION_KEY),
    static_cast<std::uint32_t>(FAT_IOCTL_SET_ATTRIBUTES),
    static_cast<std::uint32_t>(_IOW('f', 4, long)),  // EXT4_IOC_SETVERSION_OLD
    TIOCSTI,                                         // types into the terminal
    TIOCLINUX,                                       // pastes into it
    TIOCCONS,                                        // takes the console's output
    TIOCSETD,                                        // loads line disciplines into the kernel
};

// Namespaces, as flags of clone(2) and unshare(2): EPERM.
constexpr std::uint32_t refused_namespaces[] = {CLONE_NEWNS,    CLONE_NEWUTS, CLONE_NEWIPC,
                                                CLONE_NEWUSER,  CLONE_NEWPID, CLONE_NEWNET,
                                                CLONE_NEWCGROUP};

// The only address families that there are; of the others network namespaces do not divide up some
// (AF_VSOCK, AF_QIPCRTR), and hardly a program needs any: EAFNOSUPPORT.
constexpr std::uint32_t allowed_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

// Of AF_NETLINK, NETLINK_ROUTE alone, by which the C library lists network interfaces:
// EPROTONOSUPPORT.
constexpr std::uint32_t allowed_netlink_protocol = NETLINK_ROUTE;

// The only values of personality(2): the query, the ordinary one, and with addresses that are not
// random, which debuggers set. EPERM.
constexpr std::uint32_t allowed_personalities[] = {0xffffffff, PER_LINUX, ADDR_NO_RANDOMIZE};

// Where there are no namespaces, and Landlock is the first wall: calls that it does not stop, or
// that reach what namespaces would have divided up.
//
// EFAULT for paths: the loader asks about its program's own filters by a path that cannot be read,
// and this is the answer of a kernel that would make the call (ldso-hooks/loader/verdict.cc).
constexpr RefusedCall refused_without_namespaces[] = {
    // Paths. The loader is executed by its descriptor, by execveat(2).
    {__NR_open, EFAULT},
    {__NR_openat, EFAULT},
    {__NR_openat2, EFAULT},
    {__NR_creat, EFAULT},
    {__NR_stat, EFAULT},
    {__NR_lstat, EFAULT},
    {__NR_newfstatat, EFAULT},
    {__NR_statx, EFAULT},
    {__NR_access, EFAULT},
    {__NR_faccessat, EFAULT},
    {__NR_faccessat2, EFAULT},
    {__NR_readlink, EFAULT},
    {__NR_readlinkat, EFAULT},
    {__NR_chdir, EFAULT},
    {__NR_execve, EFAULT},
    {__NR_truncate, EFAULT},
    {__NR_statfs, EFAULT},
    {__NR_mkdir, EFAULT},
    {__NR_mkdirat, EFAULT},
    {__NR_rmdir, EFAULT},
    {__NR_mknod, EFAULT},
    {__NR_mknodat, EFAULT},
    {__NR_link, EFAULT},
    {__NR_linkat, EFAULT},
    {__NR_symlink, EFAULT},
    {__NR_symlinkat, EFAULT},
    {__NR_unlink, EFAULT},
    {__NR_unlinkat, EFAULT},
    {__NR_rename, EFAULT},
    {__NR_renameat, EFAULT},
    {__NR_renameat2, EFAULT},
    {__NR_getxattr, EFAULT},
    {__NR_lgetxattr, EFAULT},
    {464 /* getxattrat */, EFAULT},
    {__NR_listxattr, EFAULT},
    {__NR_llistxattr, EFAULT},
    {465 /* listxattrat */, EFAULT},
    {468 /* file_getattr */, EFAULT},
    {__NR_inotify_add_watch, EFAULT},
    {__NR_uselib, ENOSYS},

    // Unix-domain sockets by path or name: the server binds and connects them by paths that were
    // granted.
    {__NR_connect, EACCES},
    {__NR_bind, EACCES},

    // Interprocess communication by name.
    {__NR_shmget, ENOSYS},
    {__NR_shmat, ENOSYS},
    {__NR_shmctl, ENOSYS},
    {__NR_semget, ENOSYS},
    {__NR_semop, ENOSYS},
    {__NR_semtimedop, ENOSYS},
    {__NR_semctl, ENOSYS},
    {__NR_msgget, ENOSYS},
    {__NR_msgsnd, ENOSYS},
    {__NR_msgrcv, ENOSYS},
    {__NR_msgctl, ENOSYS},
    {__NR_mq_open, ENOSYS},
    {__NR_mq_unlink, ENOSYS},

    // Other processes of the user's.
    {__NR_ioprio_set, EPERM},
    {__NR_migrate_pages, EPERM},
    {__NR_move_pages, EPERM},
};

// Of these, only on the caller itself, which is 0 in this argument: EPERM.
struct CallOnProcess {
  int number;
  unsigned argument;
};
constexpr CallOnProcess refused_on_others[] = {
    {__NR_prlimit64, 0},      {__NR_sched_setaffinity, 0}, {__NR_sched_setscheduler, 0},
    {__NR_sched_setparam, 0}, {__NR_sched_setattr, 0},     {__NR_setpriority, 0},
    {__NR_setpriority, 1},
};

// Sockets that can send to any path or name without connect(2) are not made (AF_UNIX turns the
// second type into the first), nor any of the network: EACCES.
constexpr std::uint32_t refused_types[] = {SOCK_DGRAM, SOCK_RAW};
constexpr std::uint32_t refused_families[] = {AF_INET, AF_INET6, AF_NETLINK};

}  // namespace plash::pola_run
