#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Installs into an empty directory and uses what is there: every file in its place, a program built by way of the .pc file, and that
program in a sandbox.

usage: install_test.py BUILD_DIRECTORY POLA_RUN CLIENT_SOURCE COMPILER...
"""
import os
import re
import subprocess
import sys
import tempfile

# Below the prefix; {libdir} is what the build was configured with.
EXPECTED = [
    "bin/pola-run", "bin/plash-stress", "{libdir}/libplash-call.a", "{libdir}/libplash-engine.a", "{libdir}/libplash-preload.so",
    "{libdir}/plash-seqpacket/ld-plash.so", "{libdir}/plash-seqpacket/glibc/sysdeps/unix/sysv/plash/linux/x86_64/plash-engine.o",
    "{libdir}/plash-seqpacket/glibc/sysdeps/unix/sysv/plash/linux/x86_64/sysdep.h",
    "{libdir}/pkgconfig/plash-seqpacket.pc", "include/plash-seqpacket/protocol/call.h",
    "include/plash-seqpacket/protocol/methods.def", "include/plash-seqpacket/shim/engine/engine.h", "share/man/man1/pola-run.1",
    "share/man/man1/plash-stress.1", "share/man/man7/plash.7",
]


def output(command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout.strip()


def find_one(root, name):
    found = [os.path.join(directory, name) for directory, _, files in os.walk(root) if name in files]
    if len(found) != 1:
        sys.exit(f"FAIL: {name} is installed {len(found)} times")
    return found[0]


def main():
    build, pola_run, source, compiler = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    failures = []
    with tempfile.TemporaryDirectory(prefix="plash-install-") as top:
        destination = top + "/destination"
        output(["meson", "install", "-C", build, "--no-rebuild", "--destdir", destination])
        pc_file = find_one(destination, "plash-seqpacket.pc")
        libdir = os.path.dirname(os.path.dirname(pc_file))
        environment = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(pc_file), PKG_CONFIG_SYSROOT_DIR=destination)

        def pkg_config(*arguments):
            return output(["pkg-config", *arguments, "plash-seqpacket"], env=environment)

        prefix = destination + pkg_config("--variable=prefix").removeprefix(destination)
        for name in EXPECTED:
            path = os.path.join(prefix, name.format(libdir=os.path.relpath(libdir, prefix)))
            if not os.path.exists(path):
                failures.append(f"not installed: {path.removeprefix(destination)}")
        for variable in ("preload_library", "loader", "pola_run", "glibc_addon_dir"):
            path = pkg_config(f"--variable={variable}").removeprefix(destination)
            if not os.path.exists(destination + path):
                failures.append(f"the .pc file's {variable} is not there: {path}")
        for page in (name for name in EXPECTED if "/man/" in name):
            path = os.path.join(prefix, page)
            if os.path.exists(path):
                warnings = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", path], check=True, stderr=subprocess.PIPE, text=True).stderr
                failures += [f"man page: {line}" for line in warnings.splitlines()]

        page = os.path.join(prefix, "share/man/man1/pola-run.1")
        with open(page, encoding="utf-8") as file:
            text = file.read().replace("\\-", "-")
        options = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", output([pola_run, "--help"])))
        failures += [f"pola-run.1 does not mention {option}" for option in sorted(options) if option not in text]

        client = top + "/client"
        flags = pkg_config("--cflags").split(), pkg_config("--libs").split()
        subprocess.run([*compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", source, *flags[0], *flags[1], "-o", client], check=True)
        for name in ("granted", "not granted"):
            with open(f"{top}/{name}", "w", encoding="utf-8") as file:
                file.write(f"text of what was {name}\n")
        for name, expected in (("granted", "text of what was granted"), ("not granted", "client: No such file or directory")):
            command = [pola_run, "-B", "-f", client, "-f", top + "/granted", "--cwd", "/usr", "-e", client, f"{top}/{name}"]
            actual = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip()
            if actual != expected:
                failures.append(f"reading what was {name} gave: {actual}")
    for failure in failures:
        print("FAIL:", failure)
    print("installed, compiled, linked and run" if not failures else f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
