#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs run natively and through the loader door, each in a fresh directory: same output, same status."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PYTHON = r"""
import os, signal, subprocess, sys, tempfile, threading
print(subprocess.run(["sh", "-c", "echo $0; cat file; exit 3"], stdout=subprocess.PIPE))
threads = [threading.Thread(target=lambda: [os.stat("file") for _ in range(500)]) for _ in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
with tempfile.TemporaryDirectory(dir=".") as d:
    os.makedirs(d + "/a/b"); open(d + "/a/b/c", "w").write("x")
    print([(len(r), sorted(ds), sorted(fs)) for r, ds, fs in os.walk(d)])
print(sorted(os.listdir(os.open(".", os.O_RDONLY))))
signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()
try: os.read(os.open(".", os.O_RDONLY), 10)
except OSError as e: print(e)
"""
GO = r"""
package main
import ("fmt"; "os"; "os/exec"; "os/signal"; "syscall")
func main() {
  c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGUSR1); syscall.Kill(os.Getpid(), syscall.SIGUSR1); fmt.Println(<-c)
  out, err := exec.Command("sh", "-c", "cat file").Output(); fmt.Print(string(out), err, "\n")
  done := make(chan int)
  for i := 0; i < 30; i++ { go func() { for j := 0; j < 50; j++ { os.ReadFile("file") }; done <- 1 }() }
  for i := 0; i < 30; i++ { <-done }
  _, err = os.ReadFile("."); fmt.Println(err)
  entries, _ := os.ReadDir("."); fmt.Println(len(entries))
}
"""
C = r"""
#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
extern char **environ;
int main(int count, char **values) {
  printf("%d %s\n", count, values[0]); fflush(stdout);
  char line[100]; FILE *file = fopen("file", "r"); puts(file && fgets(line, sizeof line, file) ? line : "none");
  int entries = 0; DIR *d = opendir("."); while (d && readdir(d)) entries++;
  rewinddir(d); while (readdir(d)) entries++; printf("%d\n", entries); fflush(stdout);
  char *arguments[] = {"sh", "-c", "echo spawned", NULL}; pid_t child; int status;
  posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ); waitpid(child, &status, 0);
  FILE *pipe = popen("cat file", "r"); puts(pipe && fgets(line, sizeof line, pipe) ? line : "none"); pclose(pipe);
  return system("exit 5") >> 8;
}
"""
# Name, how to build it from a source file in C (or Go), and the command; a program that is not installed is said to be missing.
COMMANDS = [
    ("shell", ["bash", "-c", "x=$(ls | wc -l); echo $x; cd /usr && pwd; trap 'echo usr1' USR1; kill -USR1 $$; echo a | cat | tr a b"]),
    ("empty environment", ["env", "-i", "/usr/bin/env"]),
    ("low descriptor limit", ["bash", "-c", "ulimit -n 64; ls | head -1; ulimit -n"]),
    ("directory as a file", ["bash", "-c", "cat .; grep x .; head -c1 .; wc .; read x < . ; true"]),
    ("find", ["find", ".", "-exec", "stat", "-c", "%n %F", "{}", "+"]),
    ("tar", ["bash", "-c", "tar cf x.tar file directory && tar tf x.tar"]),
    ("git", ["bash", "-c", "HOME=. git -c init.defaultBranch=m init -q r && cd r && echo a > f && git add f && "
             "git -c user.name=a -c user.email=b commit -qm m && git log --format=%s && git status --short"]),
    ("gcc", ["bash", "-c", "echo 'int main(){return 4;}' > t.c && gcc t.c -o t && ./t; echo $?"]),
    ("make", ["bash", "-c", "printf 'all: a b\\na b:\\n\\techo $@ > $@; cat $@\\n' > Makefile && make -s -j1"]),
    ("perl", ["perl", "-e", "print `cat file`; opendir D, '.'; print scalar(readdir D) ? 1 : 0; fork || exit 3; wait; print $? >> 8"]),
    ("python", ["/usr/bin/python3", "-c", PYTHON]),
    ("busybox", ["busybox", "sh", "-c", "busybox ls; cat file; ls | busybox wc -l"]),
]
BUILDS = [
    ("glibc dynamic", ["gcc", "-w"]), ("glibc static", ["gcc", "-w", "-static"]), ("glibc static-pie", ["gcc", "-w", "-static-pie"]),
    ("glibc no-pie", ["gcc", "-w", "-no-pie"]), ("musl dynamic", ["musl-gcc", "-w"]), ("musl static", ["musl-gcc", "-w", "-static"]),
    ("Go", ["go", "build"]),
]


def outcome(command, directory):
    result = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, timeout=60, check=False)
    return result.returncode, result.stdout.decode(errors="replace")


def scratch(parent, name, program=None):
    directory = Path(parent) / name
    directory.mkdir()
    (directory / "file").write_text("contents\n")
    (directory / "directory").mkdir()
    (directory / "directory/inner").write_text("inner\n")
    if program:
        shutil.copy(program, directory / "program")
    return directory


def build(parent, number, compiler):
    go = compiler[0] == "go"
    source = Path(parent) / f"source{number}{'.go' if go else '.c'}"
    source.write_text(GO if go else C)
    program = Path(parent) / f"built{number}"
    subprocess.run([*compiler, "-o", program, source], check=True, cwd=parent)
    return program


def main() -> int:
    launcher = [str(Path(sys.argv[1]).resolve()), "--door=loader", "-B", "-fws=.", "-e"]
    failed = 0
    with tempfile.TemporaryDirectory() as parent:
        cases = [(name, command, None) for name, command in COMMANDS]
        for number, (name, compiler) in enumerate(BUILDS):
            if shutil.which(compiler[0]) is None:
                print(f"MISSING {name}: {compiler[0]} is not installed")
                continue
            cases.append((name, ["./program"], build(parent, number, compiler)))
        for number, (name, command, program) in enumerate(cases):
            native = outcome(command, scratch(parent, f"native{number}", program))
            boxed = outcome(launcher + command, scratch(parent, f"boxed{number}", program))
            print("ok     " if native == boxed else "DIFFERS", name)
            if native != boxed:
                failed += 1
                print(f"natively, status {native[0]}:\n{native[1]}in the sandbox, status {boxed[0]}:\n{boxed[1]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
