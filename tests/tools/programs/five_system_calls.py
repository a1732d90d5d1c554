#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program makes 1000 calls of a kind under pola-run; strace sees exactly five system calls for each, and none that would be a lock or an
allocation.

usage: five_system_calls.py POLA_RUN
"""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

CALLS = 1000
EXPECTED = {"socketpair": 1, "sendmsg": 1, "close": 2, "recvmsg": 1}
# What the program itself adds.
OWN = {"open": {"close": 1}}
FORBIDDEN = ("futex", "mmap", "munmap", "brk", "openat", "open", "stat", "newfstatat", "access", "readlink", "getsockopt")
# Between two marks, which no library makes by itself.
PROGRAM = """
import os, sys
calls = {"access": lambda: os.access("file", os.F_OK), "stat": lambda: os.stat("file"), "readlink": lambda: os.readlink("link"),
         "open": lambda: os.close(os.open("file", os.O_RDONLY)), "missing": lambda: os.access("none", os.F_OK)}
call = calls[sys.argv[1]]
call()
os.getppid(); os.getppid()
for i in range(1000): call()
os.getppid(); os.getppid()
"""


def trace(pola_run, kind, directory):
    log = directory + "/trace"
    command = ["strace", "-f", "-o", log, pola_run, "--door=preload", "-B", "-f", directory, "--cwd", directory, "-e", "/usr/bin/python3", "-S", "-c", PROGRAM, kind]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    process, names, marks = None, collections.Counter(), 0
    lines = [re.match(r"(\d+)\s+(\w+)\(", line) for line in open(log, encoding="utf-8", errors="replace")]
    lines = [(match[1], match[2]) for match in lines if match]
    # The interpreter asks for its parent four times; others may do so once.
    process = collections.Counter(pid for pid, name in lines if name == "getppid").most_common(1)[0][0]
    previous = None
    for pid, name in lines:
        if pid != process:
            continue
        if name == "getppid" and previous == "getppid":
            marks += 1
        elif marks == 1 and name != "getppid":
            names[name] += 1
        previous = name
    return names


def main():
    pola_run, failures = sys.argv[1], 0
    if not shutil.which("strace"):
        print("strace is not installed: skipped")
        return 77
    with tempfile.TemporaryDirectory(prefix="plash-five-") as directory:
        open(directory + "/file", "w", encoding="utf-8").close()
        os.symlink("file", directory + "/link")
        for kind in ("access", "stat", "readlink", "open", "missing"):
            names = trace(pola_run, kind, directory)
            own = OWN.get(kind, {})
            wrong = {name: names[name] for name, count in EXPECTED.items() if names[name] != (count + own.get(name, 0)) * CALLS}
            wrong.update({name: count for name, count in names.items() if name in FORBIDDEN})
            # The interpreter's own memory management may show up now and then.
            others = {name: count for name, count in names.items() if name not in EXPECTED and name not in FORBIDDEN}
            print(f"{kind}: {dict(names)}")
            if wrong or others:
                print(f"FAIL {kind}: {wrong or others}")
                failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
