#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches whole sandboxes with strace(1) from outside: no system call with a path reaches the kernel but what the loader itself does to execute
a program, which names nothing but the loader.

usage: no_path_calls_test.py POLA_RUN
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
LOADER_TEXT = range(0x40000, 0xc0000)  # ldso-hooks/loader/layout.h
LOADER_NAMES = ('"/lib64/ld-linux-x86-64.so.2"', '"/lib/ld-musl-x86_64.so.1"')
C_SOURCE = r'#include <stdio.h>\nint main(void) { FILE *f = fopen("file", "r"); char t[9] = ""; fgets(t, 9, f); puts(t); return 3; }\n'
GO_SOURCE = r'package main\nimport ("fmt"; "os")\nfunc main() { b, _ := os.ReadFile("file"); fmt.Print(string(b)); os.Mkdir("made", 0755) }\n'
GIT = "git init -q . && git add file && git -c user.name=a -c user.email=b commit -qm m && git log --format=%s"

# Name, a program that has to be there, the command, and what prepares it outside.
CASES = [
    ("bash", "bash", ["bash", "-c", "ls > x; cat x | wc -l; cd /usr; pwd; (cd lib; echo *.none); test -e x; echo $(cat file)"], None),
    ("python3", "/usr/bin/python3", ["/usr/bin/python3", "-c", "import os, json, subprocess; subprocess.run(['ls']); os.mkdir('d'); os.rename('d', 'e'); "
                                     "print(os.listdir('.'), os.stat('file').st_size); os.chdir('e'); open('../y', 'w').write('y')"], None),
    ("git", "git", ["sh", "-c", GIT], None),
    ("gcc", "gcc", ["sh", "-c", f"printf '{C_SOURCE}' > t.c && gcc -o t t.c && ./t"], None),
    ("static glibc", "gcc", ["./t"], f"printf '{C_SOURCE}' > t.c && gcc -static -o t t.c"),
    ("static musl", "musl-gcc", ["./t"], f"printf '{C_SOURCE}' > t.c && musl-gcc -static -o t t.c"),
    ("dynamic musl", "musl-gcc", ["./t"], f"printf '{C_SOURCE}' > t.c && musl-gcc -o t t.c"),
    ("Go", "go", ["./t"], f"printf '{GO_SOURCE}' > t.go && HOME=$PWD GO111MODULE=off GOFLAGS= go build -o t t.go"),
    ("script", "sh", ["./s"], "printf '#!/bin/sh\\ncat file\\n' > s && chmod +x s"),
]
LINE = re.compile(r"(\d+)<(.*?)> +\[([0-9a-f?]+)\] (?:([a-z_0-9]+)\((.*)|(--- SIGSYS .*si_errno=20563.*))")
OUTSIDE = ("strace", "pola-run", "pola-init")  # what a process is called until the loader is executed


def trace(pola_run, command, directory):
    """Lines that strace prints for the calls with a path."""
    log = directory + ".trace"
    subprocess.run(["strace", "-f", "-i", "-Y", "-qq", "-s", "200", "-e", "trace=%file", "-o", log, pola_run, "-B", "-fws", directory, "--cwd", directory,
                    "-e", *command], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=100)
    with open(log, encoding="utf-8", errors="replace") as file:
        return file.readlines()


def check(lines):
    """The calls that reached the kernel, and how many of the sandbox were served."""
    pending, leaks, served = {}, [], 0
    for line in lines:
        match = LINE.match(line)
        if not match or match[2] in OUTSIDE:
            continue
        process, _, address, name, arguments, trapped = match.groups()
        if trapped:
            served += 1
            pending.pop(process, None)
            continue
        if process in pending:
            leaks.append(pending.pop(process))
        if address.strip("?") and int(address, 16) in LOADER_TEXT:
            is_exec = name == "execveat" and '"", ' in arguments and "AT_EMPTY_PATH" in arguments
            is_loader = name == "stat" and arguments.startswith(LOADER_NAMES)
            is_descriptor = name in ("newfstatat", "statx") and '"", ' in arguments
            is_unreadable = arguments.startswith(("0x", "AT_FDCWD, 0x"))  # a question to the program's own filter
            if not (is_exec or is_loader or is_descriptor or is_unreadable):
                leaks.append(line)
        else:
            pending[process] = line
    return leaks + list(pending.values()), served


def main():
    pola_run = os.path.abspath(sys.argv[1])
    if not shutil.which("strace"):
        print("strace is not installed: skipped")
        return SKIPPED
    failures = 0
    with tempfile.TemporaryDirectory(prefix="plash-no-paths-", dir="/var/tmp") as parent:
        for number, (name, needed, command, preparation) in enumerate(CASES):
            if not shutil.which(needed):
                print(f"MISSING {name}: {needed} is not installed")
                continue
            directory = f"{parent}/{number}"
            os.mkdir(directory)
            with open(directory + "/file", "w", encoding="utf-8") as file:
                file.write("text\n")
            if preparation:
                subprocess.run(["sh", "-c", preparation], cwd=directory, check=True)
            leaks, served = check(trace(pola_run, command, directory))
            print("ok     " if not leaks and served else "FAIL   ", f"{name}: {served} calls served, {len(leaks)} reached the kernel")
            print("".join("        " + line for line in leaks[:5]), end="")
            failures += bool(leaks) or not served
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
