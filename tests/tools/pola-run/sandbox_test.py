#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The walls of a sandbox, probed from inside and examined from outside; and what happens where they cannot be built.

usage: as in launcher.py
"""
import ctypes
import errno
import os
import signal
import socket
import subprocess

import launcher
from launcher import LauncherTest, find_descendant

MESSAGE = "no isolation: "
NO_SANDBOX = "pola-run: --isolate=none is no sandbox"


class Walls(LauncherTest):
    def probe_says(self, *arguments, **options):
        result = self.run_in_sandbox(self.probe, *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def python_says(self, script, output, **options):
        self.assert_output(self.run_in_sandbox("/usr/bin/python3", "-c", script, **options), output)

    def test_no_capability_and_no_new_privileges(self):
        self.assertEqual(self.probe_says("privileges"), "capabilities 0 bounding 0 ambient 0 no_new_privs 1 seccomp 2\n")

    def test_the_server_has_no_privileges(self):
        # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID
        for option, kept in (("--no-file-capabilities", 0), ("--limit=objects=99", 0 if launcher.settings.uid else 0b11111)):
            process = self.start(option, "-e", "sleep", "60")
            find_descendant(process.pid, "sleep")
            with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
                status = dict(line.split(":\t", 1) for line in file)
            for capabilities in ("CapPrm", "CapEff"):
                self.assertEqual(int(status[capabilities], 16), kept, capabilities)
            self.assertEqual((int(status["CapInh"], 16), int(status["CapAmb"], 16)), (0, 0))
            self.assertEqual((int(status["NoNewPrivs"]), int(status["Seccomp"])), (1, 2))

    def test_refused_system_calls(self):
        self.probe_says("refused")

    def test_calls_of_other_abis_kill_and_are_explained(self):
        for call in ("i386-call", "x32-call"):
            natively = subprocess.run([self.probe, call], check=False).returncode
            result = self.run_in_sandbox(self.probe, call)
            if natively == -signal.SIGSEGV:  # the kernel was built without that interface
                self.assertEqual(result.returncode, natively, result.stderr)
            else:
                self.assert_fails(result, -signal.SIGSYS, "32-bit or x32 interface")

    def test_metadata_through_a_read_only_descriptor(self):
        before = os.stat(self.file)
        says = self.probe_says("metadata", self.file)
        self.assertEqual(says, f"owner {before.st_uid} {before.st_gid} mode 644\n")
        after = os.stat(self.file)
        for field in ("st_mode", "st_uid", "st_gid", "st_nlink", "st_mtime_ns", "st_ctime_ns"):
            self.assertEqual(getattr(after, field), getattr(before, field), field)
        self.assertEqual(os.listxattr(self.file), [])

    def test_the_kernels_root_holds_what_is_documented(self):
        # Landlock would not let it be listed.
        lines = self.probe_says("root", before=[launcher.settings.refuse_call, "landlock_create_ruleset"]).split()
        names = ("/lib", "/lib32", "/lib64", "/libx32", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32")
        shown = [path for path in names if os.path.lexists(path)]
        cache = ["/etc"] if os.path.exists("/etc/ld.so.cache") else []
        self.assertEqual(sorted(lines), sorted(["/plash", "/plash/libplash-preload.so", "/usr", *cache, *shown]))

    def test_landlock_is_a_second_wall_around_the_root(self):
        self.assertEqual(self.probe_says("root"), "".join(f"{path}: Permission denied\n" for path in ("/", "/usr/", "/plash/")))

    def test_what_was_made_in_the_sandbox_can_be_executed(self):
        # Below a grant, in its place, in a temporary directory, and in memory alone.
        new = self.directory + "/new"
        for grants, program in (["-fw", self.directory], new), (["-fw", new], new), (["--tmp"], "/tmp/new"):
            self.assert_output(self.run_bare("-B", *grants, "-e", "sh", "-c", f"cp /usr/bin/true {program} && exec {program}"), "")
            if program == new:
                os.unlink(new)
        script = "import os; m = os.memfd_create('m'); os.write(m, open('/usr/bin/true', 'rb').read()); os.execve(m, ['true'], os.environ)"
        self.python_says(script, "")

    def test_namespaces_differ(self):
        for options, shared in (([], {"cgroup", "time", "time_for_children"}), (["--net"], {"cgroup", "time", "time_for_children", "net"})):
            process = self.start(*options, "-e", "sleep", "100")
            program = find_descendant(process.pid, "sleep")
            for name in os.listdir("/proc/self/ns"):
                same = os.readlink(f"/proc/{program}/ns/{name}") == os.readlink(f"/proc/self/ns/{name}")
                self.assertEqual(same, name in shared, name)
            self.end(process)

    def test_message_queues_are_its_own_and_can_be_used(self):
        # Landlock would refuse them like any file, if it were not told.
        script = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.mq_open(b"/plash-test", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, None)
print(queue >= 0, libc.mq_send(queue, b"text", 4, 0), libc.mq_open(b"/plash-test", os.O_RDONLY) >= 0, libc.mq_unlink(b"/plash-test"))
"""
        self.python_says(script, "True 0 True 0\n")
        libc = ctypes.CDLL(None, use_errno=True)
        self.assertEqual((libc.mq_open(b"/plash-test", os.O_RDONLY), ctypes.get_errno()), (-1, errno.ENOENT))

    def test_the_program_is_the_second_process_with_a_group_of_its_own(self):
        self.python_says("import os; print(os.getpid(), os.getppid(), os.getpgrp())", "2 1 2\n")

    def test_user_ids_are_the_callers(self):
        uid, gid = (launcher.settings.uid,) * 2 if os.getuid() == 0 else (os.getuid(), os.getgid())
        self.python_says("import os; print(os.getuid(), os.getgid())", f"{uid} {gid}\n")

    def test_signals_do_not_reach_out(self):
        script = f"""
import os, signal
for target in ({os.getpid()}, -{os.getpgrp()}):
    try: os.kill(target, 0); print("reached", target)
    except ProcessLookupError: pass
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(0, signal.SIGTERM)
try: os.kill(-1, signal.SIGTERM)
except ProcessLookupError: pass
print("done")
"""
        self.python_says(script, "done\n")

    def test_the_first_process_cannot_be_traced(self):
        self.python_says("import ctypes; print(ctypes.CDLL(None).ptrace(16, 1, 0, 0))", "-1\n")  # PTRACE_ATTACH

    def test_loopback_works_and_is_the_sandboxs_own(self):
        with socket.create_server(("127.0.0.1", 0)) as outside:
            script = f"""
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
try: socket.create_connection(("127.0.0.1", {outside.getsockname()[1]}), 5); print("reached")
except ConnectionRefusedError: print("refused")
"""
            self.python_says(script, "refused\n")
            self.python_says(script, "reached\n", grants=["--net"])

    def test_abstract_sockets_are_the_sandboxs_own(self):
        name = f"\0plash-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX) as outside:
            outside.bind(name)
            outside.listen()
            self.python_says(f"import socket; s = socket.socket(socket.AF_UNIX); print(s.connect_ex({name!r}))", "111\n")  # ECONNREFUSED

    def test_limits_of_open_files(self):
        def limits_under(soft, hard):
            before = ["bash", "-c", f'ulimit -S -n {soft}; ulimit -H -n {hard}; exec "$@"', "bash"]
            return self.run_in_sandbox("bash", "-c", "ulimit -Sn; ulimit -Hn", before=before)

        self.assert_output(limits_under(1500, 4000), "1500\n2000\n")
        self.assert_output(limits_under(256, 4000), "1024\n2000\n")
        self.assert_output(limits_under(1200, 1200), "1024\n1024\n")
        self.assert_fails(limits_under(1000, 1000), 125, "RLIMIT_NOFILE", "1024")


class NoIsolation(LauncherTest):
    """Where a wall cannot be built nothing is run, and the message names what is missing."""

    def test_each_step(self):
        steps = {
            "unshare": "mount namespace",
            "ioctl": "loopback",
            "mount": "private",
            "open_tree": "in the sandbox",
            "mount_setattr": "read-only",
            "fsopen": "tmpfs",
            "fsmount": "tmpfs",
            "move_mount": "new root",
            "pivot_root": "root directory",
            "umount2": "old root",
            "capset": "capabilities",
            "landlock_restrict_self": "Landlock",
            "seccomp": "system call filter",
        }
        for call, message in steps.items():
            with self.subTest(call):
                result = self.run_in_sandbox("echo", "ran", before=[launcher.settings.refuse_call, call])
                self.assert_fails(result, 125, MESSAGE, message, "Operation not permitted")

    def test_each_step_of_landlock(self):
        grants = ["--isolate=landlock", "--door=loader"]
        for call, message in (("landlock_restrict_self", "Landlock"), ("capset", "capabilities"), ("seccomp", "system call filter")):
            with self.subTest(call):
                result = self.run_in_sandbox("echo", "ran", grants=grants, before=[launcher.settings.refuse_call, call])
                self.assert_fails(result, 125, MESSAGE, message, "Operation not permitted")
        result = self.run_in_sandbox("echo", "ran", grants=grants, before=[launcher.settings.refuse_call, "landlock_create_ruleset"])
        self.assert_fails(result, 125, MESSAGE, "needs Landlock with ABI 6", "this kernel has none")

    def test_landlock_does_without_namespaces(self):
        for call in ("unshare", "mount"):
            result = self.run_in_sandbox("cat", self.file, grants=["--isolate=landlock", "--door=loader"], before=[launcher.settings.refuse_call, call])
            self.assert_output(result, "content\n")

    def test_no_user_namespaces(self):
        script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
        result = self.run_in_sandbox("echo", "ran", before=["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"])
        self.assert_fails(result, 125, MESSAGE, "user and PID namespace", "/proc/sys/user")

    def test_no_forking(self):
        result = self.run_in_sandbox("echo", "ran", before=[launcher.settings.refuse_call, "clone"])
        self.assert_fails(result, 125, MESSAGE, "user and PID namespace")

    def test_in_a_namespace_with_few_ids(self):
        self.assert_output(self.run_in_sandbox("id", "-u", before=["unshare", "--user", "--map-root-user"]), "0\n")

    def test_isolation_can_be_renounced(self):
        result = self.run_in_sandbox("cat", self.file, grants=["--isolate=none"])
        self.assert_output(result, "content\n")
        self.assertIn(NO_SANDBOX, result.stderr)
        result = self.run_in_sandbox("cat", "/etc/passwd", grants=["--isolate=none"])
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)

    def test_isolation_is_not_renounced_silently(self):
        self.assertNotIn(NO_SANDBOX, self.run_in_sandbox("true").stderr)


if __name__ == "__main__":
    launcher.main()
