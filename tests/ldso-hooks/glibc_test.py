#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs on a rebuilt glibc: natively and in the sandbox the same; no path in a system call of theirs; what the door refuses.

usage: glibc_test.py POLA_RUN GLIBC
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from programs_test import COMMANDS, build, outcome, scratch

WAITS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
static int pipe_ends[2], listener;
static struct sockaddr_un name = {AF_UNIX, "socket"};
static void *read_pipe(void *unused) { char c; read(pipe_ends[0], &c, 1); return unused; }
static void *accept_with_name(void *unused) {
  struct sockaddr_un peer; socklen_t size = sizeof peer;
  accept(listener, (struct sockaddr *) &peer, &size); return unused;
}
static void *lock(void *unused) {
  struct flock region = {.l_type = F_WRLCK}; fcntl(open("locked", O_RDWR), F_SETLKW, &region); return unused;
}
static void *pending(void *unused) {
  int type; pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &type);
  pthread_cancel(pthread_self());
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &type);
  open("file", O_RDONLY); return unused;
}
static void cancel(const char *what, void *(*function)(void *)) {
  pthread_t thread; void *result;
  pthread_create(&thread, NULL, function, "not cancelled");
  usleep(50000);
  if (function != pending) pthread_cancel(thread);
  pthread_join(thread, &result);
  printf("%s: %s\n", what, result == PTHREAD_CANCELED ? "cancelled" : (char *) result);
}
static void *in_thread(void *unused) {
  char buffer[10]; int directory = open(".", O_RDONLY);
  printf("read: %zd %s\n", read(directory, buffer, 1), strerror(errno));
  printf("pread: %zd %s\n", pread(directory, buffer, 1, 0), strerror(errno));
  pid_t child = fork();
  if (child == 0) {
    struct sockaddr_un mine = {AF_UNIX, "client"};
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(client, (struct sockaddr *) &mine, sizeof mine);
    printf("connect: %d\n", connect(client, (struct sockaddr *) &name, sizeof name)); fflush(stdout);
    _exit(0);
  }
  struct sockaddr_un peer; socklen_t size = sizeof peer;
  int connection = accept(listener, (struct sockaddr *) &peer, &size);
  waitpid(child, NULL, 0);
  printf("accept: %d from %s, %u\n", connection >= 0, peer.sun_path, size);
  return unused;
}
int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  pipe(pipe_ends);
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  printf("bind: %d\n", bind(listener, (struct sockaddr *) &name, sizeof name));
  listen(listener, 1);
  cancel("read", read_pipe);
  cancel("accept", accept_with_name);
  cancel("pending", pending);
  struct flock region = {.l_type = F_WRLCK};
  int locked = open("locked", O_RDWR | O_CREAT, 0600);
  pid_t locker = fork();
  if (locker == 0) { fcntl(locked, F_SETLK, &region); write(pipe_ends[1], "", 1); sleep(10); _exit(0); }
  char locked_by_now; read(pipe_ends[0], &locked_by_now, 1);
  cancel("lock", lock);
  pthread_t thread; pthread_create(&thread, NULL, in_thread, NULL); pthread_join(thread, NULL);
  kill(locker, SIGKILL);
  return 0;
}
"""
SCRIPT = "ls -la /usr >/dev/null; python3 -c 'import json, os; os.listdir(\".\")'; git init -q r; echo 'int main(){}' > t.c; gcc t.c -o t; ./t"


class Checks:
    def __init__(self, pola_run, glibc):
        self.launcher = [pola_run, "--door=glibc", f"--glibc={glibc}", "-B"]
        self.glibc = glibc
        self.failures = 0

    def check(self, name, good, detail=""):
        print("ok     " if good else "FAIL   ", name)
        if not good:
            self.failures += 1
            print(detail)

    def run(self, *command, grants=("-fws,socket=.",), **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "timeout": 120, "text": True, **options}
        return subprocess.run([*self.launcher, *grants, "-e", *command], check=False, **options)

    def compare(self, name, command, parent, program=None):
        native = outcome(command, scratch(parent, f"native {name}", program))
        boxed = outcome([*self.launcher, "-fws,socket=.", "-e", *command], scratch(parent, f"boxed {name}", program))
        self.check(name, native == boxed, f"natively: {native}\nin the sandbox: {boxed}")

    def no_path_reaches_the_kernel(self, parent):
        directory = scratch(parent, "traced")
        trace = Path(parent) / "trace"
        # In the sandbox, so that nothing but the program is seen; --seccomp-bpf would keep the rest fast, but needs a filter more.
        result = self.run("strace", "-f", "-e", "trace=%file", "-o", str(trace), "bash", "-c", f"HOME=.; {SCRIPT}", cwd=directory,
                          grants=("-fws=.", f"-fw={trace}"))
        lines = [line for line in trace.read_text().splitlines() if "(" in line and " --- " not in line] if trace.exists() else []
        foreign = [line for line in lines if "execveat(" not in line or ', "", ' not in line]
        execs = sum("execveat(" in line and "= 0" in line for line in lines)
        self.check(f"no path reaches the kernel ({execs} programs executed)", result.returncode == 0 and execs > 5 and not foreign,
                   f"status {result.returncode}\n{result.stdout}\n" + "\n".join(foreign[:20]))

    def refused(self, parent):
        source = Path(parent) / "main.c"
        source.write_text("#include <stdio.h>\nint main(void) { return fopen(\"file\", \"r\") ? puts(\"opened\") < 0 : 1; }\n")
        directory = scratch(parent, "refused")
        for name, compiler in (("static", ["gcc", "-static"]), ("musl", ["musl-gcc"])):
            subprocess.run([*compiler, "-o", directory / name, source], check=True)
            first = self.run(f"./{name}", cwd=directory)
            self.check(f"refuses a {name} program", first.returncode == 126 and "--door=loader" in first.stdout, str(first))
            child = self.run("bash", "-c", f"./{name}; echo $?", cwd=directory)
            self.check(f"refuses a {name} program in a child", "--door=loader" in child.stdout and "126" in child.stdout, str(child))
        subprocess.run(["gcc", "-static", "-B", f"{self.glibc}/lib", "-L", f"{self.glibc}/lib", "-o", directory / "own", source], check=True)
        own = self.run("./own", cwd=directory)
        self.check("runs a static program that was linked with its libc.a", own.returncode == 0 and own.stdout == "opened\n", str(own))
        loader = self.run("/lib64/ld-linux-x86-64.so.2", "/bin/cat", "file", cwd=directory)
        self.check("runs ld.so as a program", loader.stdout == "contents\n", str(loader))

    def passes_through(self, parent):
        directory = scratch(parent, "passed through")
        command = [f"{self.glibc}/lib/ld-linux-x86-64.so.2", "--library-path", f"{self.glibc}/lib", "/bin/ls"]
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, env={})
        self.check("is an ordinary glibc without PLASH_CAPS", result.stdout == "directory\nfile\n", str(result))
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, env={"PLASH_CAPS": "nonsense"})
        self.check("says so where PLASH_CAPS is malformed", result.returncode != 0 and "PLASH_CAPS is malformed" in result.stderr, str(result))


def main():
    pola_run, glibc = (os.path.abspath(argument) for argument in sys.argv[1:3])
    checks = Checks(pola_run, glibc)
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        for name, command in COMMANDS:
            # The one is static, and PLASH_CAPS is in the environment.
            if name not in ("busybox", "empty environment"):
                checks.compare(name, command, parent)
        for name, compiler in (("dynamic", ["gcc", "-w"]), ("no-pie", ["gcc", "-w", "-no-pie"])):
            checks.compare(name, ["./program"], parent, build(parent, name, compiler))
        waits = Path(parent) / "waits.c"
        waits.write_text(WAITS)
        subprocess.run(["gcc", "-w", "-o", Path(parent) / "waits", waits], check=True)
        checks.compare("cancellation, and what is mended after a wait", ["./program"], parent, Path(parent) / "waits")
        checks.no_path_reaches_the_kernel(parent)
        checks.refused(parent)
        checks.passes_through(parent)
    print(f"{checks.failures} failures")
    return 1 if checks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
