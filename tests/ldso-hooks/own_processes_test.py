#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What -B shows of /proc and /dev: the sandbox's own, and of the host's processes and files nothing.

usage: own_processes_test.py POLA_RUN
"""
import os
import subprocess
import sys
import tempfile
import unittest

POLA_RUN = os.path.abspath(sys.argv[1])


def in_sandbox(*command, directory, options=()):
    return subprocess.run([POLA_RUN, "-B", "-fws", directory, "--cwd", directory, *options, "-e", *command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


class OwnProcesses(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="plash-proc-", dir="/var/tmp")
        self.addCleanup(directory.cleanup)
        self.directory = os.path.realpath(directory.name)

    def says(self, output, *command, **options):
        result = in_sandbox(*command, directory=self.directory, **options)
        self.assertEqual((result.stdout, result.returncode), (output, 0), result.stderr)

    def python_says(self, output, script, **options):
        self.says(output, "/usr/bin/python3", "-c", script, **options)

    def test_processes_are_the_sandboxs_own(self):
        self.python_says("['1', '2']\n", "import os; print([n for n in sorted(os.listdir('/proc')) if n.isdigit()])")
        self.says("sh\n", "sh", "-c", "ps -o comm= -p $$")
        self.python_says("2 True\n", "import os; print(os.readlink('/proc/self'), 'Pid:\\t2\\n' in open('/proc/self/status').read())")

    def test_own_links(self):
        self.says(f"/usr/bin/readlink\n{self.directory}\n/\n", "readlink", "/proc/self/exe", "/proc/self/cwd", "/proc/self/root")
        with open(self.directory + "/file", "w", encoding="utf-8") as file:
            file.write("text")
        self.python_says(f"{self.directory}/file text\n", "import os; f = open('file'); n = f'/proc/self/fd/{f.fileno()}'; "
                         "print(os.readlink(n), open('/proc/self/cwd/file').read())")

    def test_maps_tell_where_the_stack_is(self):
        self.python_says("True\n", "print(any('[stack]' in line for line in open('/proc/self/maps')))")

    def test_a_descriptor_gains_nothing_by_its_name(self):
        with open(self.directory + "/file", "w", encoding="utf-8") as file:
            file.write("text")
        script = """
import os
fd = os.open("granted", os.O_RDONLY)
for name in (f"/proc/self/fd/{fd}", f"/proc/{os.getpid()}/fd/{fd}", f"/dev/fd/{fd}", f"/proc/{os.getpid()}/task/{os.getpid()}/fd/{fd}"):
    try: os.open(name, os.O_RDWR); print("opened", name)
    except OSError: pass
os.symlink(f"/proc/self/fd/{fd}", "link")
try: os.open("link", os.O_RDWR); print("opened by a link")
except OSError: pass
pid = os.fork()
if pid == 0:
    for name in (f"/proc/{os.getppid()}/fd/{fd}",):
        try: os.open(name, os.O_RDWR); print("opened the parent's", flush=True)
        except OSError: pass
    os._exit(0)
os.waitpid(pid, 0)
"""
        self.python_says("", script, options=["-t", self.directory + "/granted", "/etc/passwd"])

    def test_what_is_not_shown(self):
        script = """
import os
for path in ("/proc/1/environ", "/proc/1/maps", "/proc/1/mem", "/proc/1/exe", "/proc/1/root/etc", "/proc/1/cwd", "/proc/1/fd/0", "/proc/kcore",
             "/proc/kmsg", "/proc/kallsyms", "/proc/self/mem", "/proc/sysrq-trigger", "/proc/self/pagemap", "/proc/sys/kernel/core_pattern",
             "/proc/keys", "/proc/self/root/etc/passwd", "/proc/self/clear_refs"):
    try: os.open(path, os.O_RDONLY); print("opened", path)
    except OSError: pass
for path in ("/proc/self/comm", "/proc/self/oom_score_adj", "/proc/sys/kernel/hostname", "/proc/self/coredump_filter"):
    try: os.open(path, os.O_WRONLY); print("opened for writing", path)
    except OSError: pass
"""
        self.python_says("", script)

    def test_terminals(self):
        script = """
import os, pty
master, slave = os.openpty()
print(os.ttyname(slave), sorted(os.listdir("/dev/pts")))
os.write(master, b"line\\n"); print(os.read(slave, 10))
status = pty.spawn(["tty"], lambda fd: os.read(fd, 100).replace(b"\\r", b"")); print(status)
"""
        self.python_says("/dev/pts/0 ['0', 'ptmx']\nb'line\\n'\n/dev/pts/1\n0\n", "import sys; sys.stdout.reconfigure(line_buffering=True)\n" + script)

    def test_shared_memory_and_semaphores(self):
        self.python_says("[1, 2] 3\n", "import multiprocessing as m; l = m.Lock(); q = m.Queue(); q.put(3); p = m.Pool(2); print(p.map(abs, [-1, 2]), q.get())")

    def test_devices_stay_the_hosts(self):
        script = """
import os
fd = os.open("/dev/full", os.O_RDWR)
for call in (lambda: os.chmod("/dev/full", 0o666), lambda: os.fchmod(fd, 0o666), lambda: os.chown("/dev/full", 0, 0), lambda: os.utime("/dev/full"),
             lambda: os.utime(fd), lambda: os.link("/dev/full", "full"), lambda: os.rename("/dev/full", "full"), lambda: os.unlink("/dev/full")):
    try: call(); print("changed")
    except OSError: pass
"""
        self.python_says("", script)

    def test_names_of_descriptors(self):
        self.says("one\ntwo\n", "bash", "-c", "cat <(echo one) /dev/stdin <<< two")
        self.says("3\n", "bash", "-c", "exec 3< /dev/null; ls /dev/fd/ | grep -x 3")


if __name__ == "__main__":
    if in_sandbox("test", "-e", "/proc/1/status", directory="/var/tmp").returncode != 0:
        print("the kernel allows no procfs in a user namespace here, since parts of /proc are hidden: skipped")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
