#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""From inside a sandbox that was granted one file, some hundreds of ways out; from outside, that nothing came of them.

usage: as in launcher.py, but TEST POLA_RUN ESCAPE
"""
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys

import launcher
from launcher import LauncherTest

LIBC = ctypes.CDLL(None, use_errno=True)
IPC_PRIVATE_FLAGS = 0o1666  # IPC_CREAT, for all users: namespaces alone are to keep the sandbox from them
SECRET = "what nobody was granted\n"


def create(function, *arguments):
    result = function(*arguments)
    assert result >= 0, os.strerror(ctypes.get_errno())
    return result


class Outside:
    """What is there to be reached."""

    def __init__(self, test):
        self.directory = test.directory + "/outside"
        os.mkdir(self.directory)
        self.secret = test.write("outside/secret", SECRET, 0o666)
        os.setxattr(self.secret, "user.x", b"x")
        os.chmod(self.directory, 0o777)
        self.streams = self.listen(socket.AF_UNIX, self.directory + "/socket")
        self.datagrams = self.receive(socket.AF_UNIX, self.directory + "/datagrams")
        for path in ("/socket", "/datagrams"):
            os.chmod(self.directory + path, 0o777)
        name = f"plash-test-{os.getpid()}"
        self.abstract = self.listen(socket.AF_UNIX, "\0" + name)
        self.abstract_datagrams = self.receive(socket.AF_UNIX, "\0" + name + "-d")
        self.tcp = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        self.tcp6 = self.listen(socket.AF_INET6, ("::1", self.tcp.getsockname()[1]))
        self.udp = self.receive(socket.AF_INET, ("127.0.0.1", 0))
        self.key = 0x506C0000 + os.getpid()
        self.segment = create(LIBC.shmget, self.key, 4096, IPC_PRIVATE_FLAGS)
        self.semaphores = create(LIBC.semget, self.key, 1, IPC_PRIVATE_FLAGS)
        self.messages = create(LIBC.msgget, self.key, IPC_PRIVATE_FLAGS)
        self.queue = "/" + name
        LIBC.mq_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
        os.close(create(LIBC.mq_open, self.queue.encode(), os.O_CREAT | os.O_RDWR, 0o666, None))
        self.signals = []
        signal.signal(signal.SIGCONT, lambda *_: self.signals.append("SIGCONT"))
        self.process = os.getpid()
        self.started = None
        if launcher.settings.uid:
            self.start_process_of(launcher.settings.uid)
        self.before = self.state()

    def start_process_of(self, uid):
        """One of the user under test, since this one is root's. It ends when a signal comes."""
        ready, tell = os.pipe()
        self.started = self.process = os.fork()
        if self.process == 0:
            os.setpgrp()
            os.setuid(uid)
            LIBC.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: as if it had been started by the user
            signal.signal(signal.SIGCONT, lambda *_: os._exit(77))
            os.write(tell, b"x")
            signal.pause()
            os._exit(0)
        os.read(ready, 1)
        os.close(ready)
        os.close(tell)

    @staticmethod
    def listen(family, address):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind(address)
        listener.listen()
        listener.setblocking(False)
        return listener

    @staticmethod
    def receive(family, address):
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        receiver.bind(address)
        receiver.setblocking(False)
        return receiver

    def state(self):
        """What must be the same afterwards."""
        with open(self.secret, encoding="ascii") as file:
            content = file.read()
        status = os.stat(self.secret)
        return {
            "content": content,
            "status": (status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_mtime_ns, status.st_ctime_ns),
            "attributes": os.listxattr(self.secret),
            "directory": sorted(os.listdir(self.directory)),
            "priority": (os.getpriority(os.PRIO_PROCESS, self.process), os.sched_getscheduler(self.process), os.sched_getaffinity(self.process)),
            "segment": LIBC.shmget(self.key, 0, 0) == self.segment,
            "semaphores": LIBC.semget(self.key, 0, 0) == self.semaphores and LIBC.semctl(self.semaphores, 0, 12, 0) == 0,
            "messages": LIBC.msgget(self.key, 0) == self.messages and LIBC.msgrcv(self.messages, None, 0, 0, 0o4000) == -1,
            "host name": os.uname().nodename,
            "devices": [os.stat("/dev/" + name).st_mode for name in ("null", "zero", "full", "random", "urandom", "tty")],
        }

    def arrivals(self):
        """What came to the listeners and receivers, and the signals."""
        arrived = list(self.signals)
        for name in ("streams", "abstract", "tcp", "tcp6"):
            try:
                connection, _ = getattr(self, name).accept()
                connection.close()
                arrived.append(name)
            except BlockingIOError:
                pass
        for name in ("datagrams", "abstract_datagrams", "udp"):
            try:
                arrived.append((name, getattr(self, name).recv(10)))
            except BlockingIOError:
                pass
        if self.started is not None:
            ended, status = os.waitpid(self.started, os.WNOHANG)
            if ended:
                self.started = None
                arrived.append(("the process ended", status))
        return arrived

    def arguments(self):
        values = {
            "directory": self.directory, "secret": self.secret, "missing": self.directory + "/missing", "socket": self.directory + "/socket",
            "datagrams": self.directory + "/datagrams", "abstract": self.abstract.getsockname()[1:].decode(), "queue": self.queue[1:],
            "process": self.process, "port": self.tcp.getsockname()[1], "udp-port": self.udp.getsockname()[1], "key": self.key,
            "shared-memory": self.segment, "semaphores": self.semaphores, "messages": self.messages,
        }
        return [f"{name}={value}" for name, value in values.items()]

    def remove(self):
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            with contextlib.suppress(PermissionError):
                os.chmod("/dev/" + name, 0o666)  # where it was changed nothing else would work any more
        if self.started is not None:
            os.kill(self.started, signal.SIGKILL)
            os.waitpid(self.started, 0)
        for listener in (self.streams, self.datagrams, self.abstract, self.abstract_datagrams, self.tcp, self.tcp6, self.udp):
            listener.close()
        LIBC.shmctl(self.segment, 0, None)
        LIBC.semctl(self.semaphores, 0, 0)
        LIBC.msgctl(self.messages, 0, None)
        LIBC.mq_unlink(self.queue.encode())


class Escape(LauncherTest):
    def setUp(self):
        super().setUp()
        self.outside = Outside(self)
        self.addCleanup(self.outside.remove)

    def test_no_way_leads_out(self):
        granted = self.write("granted", "granted\n", 0o666)
        before = os.stat(granted)
        # self.probe is the program that tries.
        result = self.run_bare("--no-cwd", "-f", granted, "-f", self.probe, "-e", self.probe, "granted=" + granted, *self.outside.arguments(), timeout=280)
        print(result.stdout, file=sys.stderr)
        self.assertEqual(result.returncode, 0, "".join(line + "\n" for line in result.stdout.splitlines() if "GAINED" in line) + result.stderr)
        told = [line.split()[1] for line in result.stdout.splitlines() if "TOLD" in line]
        self.assertEqual(told, ["execveat"] if launcher.settings.isolate == "landlock" else [])  # said in SECURITY.md
        tried = int(result.stdout.splitlines()[-1].split()[0])
        self.assertGreater(tried, 300)
        self.assertEqual("by the loader's instruction" in result.stdout, launcher.settings.door == "loader")
        self.assertEqual(self.outside.arrivals(), [])
        self.assertEqual(self.outside.state(), self.outside.before)
        after = os.stat(granted)
        for field in ("st_mode", "st_uid", "st_gid", "st_nlink", "st_size", "st_mtime_ns", "st_ctime_ns"):
            self.assertEqual(getattr(after, field), getattr(before, field), field)
        self.assertEqual(os.listxattr(granted), [])

    def test_with_what_is_granted_by_default(self):
        result = self.run_bare("-B", "--no-cwd", "-f", self.file, "-f", self.probe, "-e", self.probe, "granted=" + self.file, *self.outside.arguments(), timeout=280)
        gained = {line.split()[1] for line in result.stdout.splitlines() if "GAINED" in line}
        # /usr/bin, a terminal of its own, and of /proc its own processes and what the machine is like.
        own = {"execve", "execveat", "/dev/ptmx", "/proc/self/uid_map", "/proc/self/setgroups", "/proc/self/oom_score_adj", "/proc/net/tcp"}
        self.assertLessEqual(gained, own, result.stdout)
        self.assertIn("ways out tried", result.stdout)
        self.assertEqual(self.outside.arrivals(), [])
        self.assertEqual(self.outside.state(), self.outside.before)

    def test_without_a_sandbox_the_ways_lead_out(self):
        """Or the attempts would prove nothing. Not as root, who could do harm."""
        if not launcher.settings.uid:
            return
        command = [*launcher.as_user(), self.probe, "reach", "granted=" + self.file, *self.outside.arguments()]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        gained = [line for line in result.stdout.splitlines() if "GAINED" in line]
        self.assertGreater(len(gained), 50, result.stdout + result.stderr)
        self.assertNotEqual(self.outside.arrivals(), [])


if __name__ == "__main__":
    launcher.main()
