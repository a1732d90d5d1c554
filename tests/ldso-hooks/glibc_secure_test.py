#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program with more rights than its caller, on a rebuilt glibc: nothing is read from the environment.

usage: glibc_secure_test.py [GLIBC]

An ordinary user runs copies of a program that are set-user-ID, set-group-ID, or have a capability, with PLASH_CAPS and PLASH_CALL in the environment. The program must open its file
itself, and send nothing to where PLASH_CAPS says that the server is. The same program without such rights must do the opposite: without that this test would prove nothing. GLIBC
is PLASH_GLIBC by default; status 77 where there is none, and where the test is not run by root, who alone can make such copies.
"""
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

USER = 12345
AS_ORDINARY_USER = Path(__file__).resolve().parent.parent / "support/as_ordinary_user"
SOURCE = r"""
#include <stdio.h>
#include <sys/auxv.h>
int main(int count, char **values) {
  char line[20] = "";
  FILE *file = fopen(values[1], "r");
  if (file) fgets(line, sizeof line, file);
  printf("secure %d, read '%s'\n", getauxval(AT_SECURE) != 0, line);
  return 0;
}
"""


def give_capability(path):
    """As setcap cap_net_raw+ep does."""
    revision_2, effective, net_raw = 0x02000000, 1, 1 << 13
    os.setxattr(path, "security.capability", struct.pack("<5I", revision_2 | effective, net_raw, 0, 0, 0))


def run(program, file, capabilities=None):
    """What the program prints, and whether it has sent a packet to its server, which hangs up at the first one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {"PATH": os.environ["PATH"], "PLASH_CALL": "kept", "PLASH_CAPS": capabilities or f"fs_op={theirs.fileno()};cwd={theirs.fileno()}"}
    # The script that becomes the user has to work: the environment is for the program alone.
    command = [AS_ORDINARY_USER, str(USER), "env", *(f"{name}={value}" for name, value in environment.items()), program, file]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        readable, _, _ = select.select([ours], [], [], 60)
        packet = ours.recv(65536) if readable else b"none, and it did not end"
        ours.close()
        if not readable:
            process.kill()
        output, _ = process.communicate(timeout=60)
    return output, packet != b""


def main():
    glibc = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PLASH_GLIBC")
    if not glibc:
        print("skipped: PLASH_GLIBC names no glibc that tools/build-plash-glibc made")
        return 77
    if os.getuid() != 0:
        print("skipped: root alone can make a program that is another user's")
        return 77
    libraries = Path(glibc).resolve() / "lib"
    failures = 0
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        source, plain, file = Path(parent) / "main.c", Path(parent) / "plain", Path(parent) / "file"
        source.write_text(SOURCE)
        file.write_text("contents")

        def check(name, good, seen):
            nonlocal failures
            failures += not good
            print("ok     " if good else "FAIL   ", name, "" if good else seen)

        for linked, options in (("dynamic", [f"-Wl,--dynamic-linker={libraries}/ld-linux-x86-64.so.2", f"-Wl,-rpath,{libraries}"]),
                                ("static", ["-static", "-B", libraries, "-L", libraries])):
            subprocess.run(["gcc", "-o", plain, source, *options], check=True)
            seen = run(plain, file)
            check(f"{linked}: an ordinary program calls the server that PLASH_CAPS names", "contents" not in seen[0] and seen[1], seen)
            seen = run(plain, file, "nonsense")
            check(f"{linked}: an ordinary program says that PLASH_CAPS is malformed", "PLASH_CAPS is malformed" in seen[0] and "contents" not in seen[0], seen)
            for name, owner, group, mode, prepare in (
                    ("set-user-ID", 1, USER, 0o4755, None), ("set-group-ID", USER, 1, 0o2755, None), ("capable", USER, USER, 0o755, give_capability)):
                program = Path(parent) / f"{name} {linked}"
                shutil.copy(plain, program)
                os.chown(program, owner, group)
                os.chmod(program, mode)
                if prepare:
                    prepare(program)
                for what, capabilities in (("a server", None), ("nonsense", "nonsense")):
                    seen = run(program, file, capabilities)
                    check(f"{linked}: a {name} program, PLASH_CAPS naming {what}", seen == ("secure 1, read 'contents'\n", False), seen)
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
