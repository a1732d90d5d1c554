#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs on a rebuilt glibc: natively and in the sandbox the same; no path in a system call of theirs; what the door refuses.

usage: glibc_test.py POLA_RUN [GLIBC]

GLIBC is PLASH_GLIBC by default; status 77 where there is none.
"""
import os
import re
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
# What is traced, and programs that have to be executed in it, each by name: it must have been them that named no path.
TRACED = [
    ("bash", "bash -c 'cd directory && read x < inner && echo $x > new && . ./new; [[ -e new ]] && ls -la /usr . > /dev/null; echo *; cd /; (pwd)'", ["bash", "ls"]),
    ("python3", """python3 -c 'import json, os, shutil, sqlite3, subprocess, tempfile
list(os.walk(".")); os.stat("file"); os.listdir("/usr"); shutil.copy("file", "copy"); os.rename("copy", "moved"); os.unlink("moved")
with tempfile.TemporaryDirectory(dir=".") as d: os.symlink("file", d + "/link"); os.chmod(d, 0o700); sqlite3.connect(d + "/base").execute("create table t (a)")
subprocess.run(["cat", "file"], cwd="/", check=False); subprocess.run("cat file", shell=True, check=True)'""", ["python3", "cat", "/bin/sh"]),
    ("git", "git -c init.defaultBranch=m init -q r && cd r && echo a > f && git add f && git -c user.name=a -c user.email=b commit -qm m && "
            "git status --short && git log --format=%s && cd .. && git clone -q r s", ["git"]),
    ("gcc", "echo '#include <stdio.h>\nint main(){return puts(\"x\") < 0;}' > t.c; gcc t.c -o t && ./t", ["gcc", "as", "/usr/bin/ld", "./t"]),
]


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

    def no_path_reaches_the_kernel(self, parent, name, script, programs):
        directory = scratch(parent, f"traced {name}")
        traces = Path(parent) / f"traces of {name}"
        traces.mkdir()
        # In the sandbox, so that nothing but the program is seen; --seccomp-bpf would keep the rest fast, but needs a filter more. A file for each process: no call in two pieces.
        result = self.run("strace", "-f", "-ff", "-e", "trace=%file", "-o", str(traces / "of"), "sh", "-c", f"export HOME=$PWD; {script}", cwd=directory,
                          grants=("-fws=.", f"-fw={traces}"))
        lines = [line for trace in traces.iterdir() for line in trace.read_text().splitlines() if "(" in line and not line.startswith(("---", "+++"))]
        foreign = [line for line in lines if "execveat(" not in line or ', "", ' not in line]
        executed = [re.search(r', "", \["([^"]*)"', line) for line in lines if line.endswith("= 0")]
        executed = [match[1] for match in executed if match]
        missing = set(programs) - set(executed)
        self.check(f"no path of {name} reaches the kernel ({len(executed)} programs executed)", result.returncode == 0 and not missing and not foreign,
                   f"status {result.returncode}\n{result.stdout}\nnot executed: {missing} of {executed}\n" + "\n".join(foreign[:20]))

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
    given = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("PLASH_GLIBC")
    if not given:
        print("skipped: PLASH_GLIBC names no glibc that tools/build-plash-glibc made")
        return 77
    pola_run, glibc = os.path.abspath(sys.argv[1]), os.path.abspath(given)
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
        for name, script, programs in TRACED:
            checks.no_path_reaches_the_kernel(parent, name, script, programs)
        checks.refused(parent)
        checks.passes_through(parent)
    print(f"{checks.failures} failures")
    return 1 if checks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
