#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs stock programs natively and under pola-run, on equal trees at the same path, and compares output, exit status and what the tree is
afterwards.

usage: compare_programs.py POLA_RUN [--door DOOR] [--uid UID] [--only NAME] [--list]
"""
import argparse
import difflib
import os
import shutil
import stat
import subprocess
import sys
import tempfile

TIMEOUT = 120
FIXED_TIME = 1_000_000_000
AS_ORDINARY_USER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support/as_ordinary_user")

BASH_SCRIPT = r"""
set -e
cd sub
pwd
echo one > new; echo two >> new
cat < new | tr a-z A-Z | sort -r
listing=$(ls)
echo "$listing"
(cd inner; pwd; echo deep > ../from-inner)
for i in 1 2 3; do echo $i; done > numbers
while read -r n; do echo "line $n"; done < numbers
diff <(printf 'a\nb\n') <(printf 'a\nc\n') || echo differs: $?
exec 3< numbers; read -r first <&3; echo "$first"; exec 3<&-
mkdir -p x/y; cd x/y; cd ../..; pwd -P
test -e numbers && echo exists; [ -d x ] && echo directory; [ -L ../link ] && echo link
cat << END
here $((6 * 7))
END
ls none 2>/dev/null || echo status $?
"""

PYTHON_SCRIPT = r"""
import os, shutil, subprocess, sys, tempfile, threading
for root, directories, files in os.walk("."):
    directories.sort()
    print(root, directories, sorted(files))
shutil.copytree("sub", "copied", symlinks=True)
shutil.move("copied", "moved")
print(sorted(os.listdir("moved")), os.path.realpath("link"), os.getcwd())
with tempfile.TemporaryDirectory(dir=".") as directory:
    path = os.path.join(directory, "file")
    with open(path, "w") as file: file.write("text")
    print(open(path).read(), os.stat(path).st_size, os.listdir(directory))
print(subprocess.run(["cat", "text"], capture_output=True, text=True).stdout)
print(subprocess.run("exit 7", shell=True).returncode, subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
try: subprocess.run(["./none"])
except OSError as error: print(error.errno)
results = []
def work(n):
    for i in range(50):
        name = f"thread-{n}-{i}"
        open(name, "w").write(name); assert open(name).read() == name; os.rename(name, name + "x"); os.unlink(name + "x")
    results.append(n)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(results))
pid = os.fork()
if pid == 0:
    os.chdir("sub"); print(os.getcwd(), flush=True); os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.getcwd())
for call in (lambda: os.mkdir("sub"), lambda: os.rmdir("sub"), lambda: open("none"), lambda: os.listdir("text"), lambda: os.readlink("text"),
             lambda: os.open("sub", os.O_WRONLY), lambda: os.chdir("text"), lambda: os.link("none", "x"), lambda: os.rename("none", "x")):
    try: call()
    except OSError as error: print(error)
fd = os.open("sub", os.O_RDONLY)
print(sorted(os.listdir(fd)), os.fstat(fd).st_mode, sorted(e.name for e in os.scandir(fd)))
os.fchdir(fd); print(os.getcwd())
"""

GIT = "git init -q -b main r && cd r && cp ../text . && git add text && git commit -q -m first && echo more >> text && git diff --stat && " \
      "git commit -qam second && git log --format=%s && cd .. && git clone -q r clone && git -C clone status -s && ls clone"
C_SOURCE = r'#include <stdio.h>\nint main(int n, char **v) { printf("hello %%d %%s\\n", n, v[0]); return 3; }\n'

# What differs and is meant to: a case under a door, and why.
KNOWN_DIFFERENCES = {
    ("preload", "env -i"): "exec puts LD_PRELOAD and PLASH_CAPS back: without them the new program would have no way to its files",
}

# name, command; "sh:" a shell script.
CASES = [
    ("ls -la", ["ls", "-la"]),
    ("ls -laR", ["ls", "-laR"]),
    ("ls of what is missing", ["ls", "none", "text"]),
    ("cat", ["cat", "text", "sub/words"]),
    ("cat of a directory", ["cat", "sub"]),
    ("cp -a", ["cp", "-a", "sub", "copy"]),
    ("cp -r to a file", ["cp", "-r", "sub", "text"]),
    ("cp -p", ["cp", "-p", "text", "sub/copy"]),
    ("mv", ["mv", "text", "sub/moved"]),
    ("mv of a directory", ["mv", "sub", "bus"]),
    ("rm -r", ["rm", "-r", "sub"]),
    ("rm of a directory", ["rm", "sub"]),
    ("rmdir of a full directory", ["rmdir", "sub"]),
    ("mkdir -p", ["mkdir", "-p", "a/b/c/d"]),
    ("mkdir of what exists", ["mkdir", "sub"]),
    ("ln -s", ["ln", "-s", "sub/words", "symlink"]),
    ("ln", ["ln", "text", "hard"]),
    ("chmod", ["chmod", "-v", "600", "text"]),
    ("touch -d", ["touch", "-d", "2001-02-03 04:05:06 UTC", "text", "new"]),
    ("stat", ["stat", "-c", "%n %F %s %a %U %h", "text", "sub", "link"]),
    ("readlink -f", ["readlink", "-f", "link"]),
    ("realpath", ["realpath", "sub/../link"]),
    ("pwd", ["pwd", "-P"]),
    ("find -exec", ["find", ".", "-type", "f", "-exec", "wc", "-c", "{}", "+"]),
    ("find -delete", ["find", "sub", "-name", "w*", "-delete"]),
    ("find | xargs", "sh:find . -type f -print0 | sort -z | xargs -0 md5sum"),
    ("grep -r", "sh:grep -rn e . | sort"),
    ("grep of what is missing", ["grep", "x", "none"]),
    ("sort", ["sort", "-r", "sub/words"]),
    ("sort -o", ["sort", "-o", "sub/words", "sub/words"]),
    ("wc", ["wc", "text", "sub/words"]),
    ("head and tail", "sh:head -n 2 sub/words; tail -n 1 sub/words"),
    ("tar", "sh:tar cf t.tar sub text link && tar tf t.tar && mkdir out && tar xf t.tar -C out && ls -R out"),
    ("sed -i", ["sed", "-i", "s/e/E/g", "sub/words"]),
    ("awk", ["awk", "{ n += length($0) } END { print NR, n }", "sub/words"]),
    ("dd", ["dd", "if=text", "of=dd.out", "bs=1", "count=3", "status=none"]),
    ("tee", "sh:echo x | tee a b sub/c; cat a b sub/c"),
    ("du", "sh:du -a --apparent-size sub | sort"),
    ("install", ["install", "-m", "751", "-D", "text", "deep/er/text"]),
    ("mktemp", "sh:f=$(mktemp ./tmp.XXXXXX) && test -f $f && stat -c %a $f && rm $f; d=$(mktemp -d ./t.XXXX) && rmdir $d && echo fine"),
    ("mkfifo", "sh:mkfifo p; (echo through > p) & cat p; rm p"),
    ("env -i", ["env", "-i", "A=b", "/usr/bin/env"]),
    ("bash script", ["bash", "-c", BASH_SCRIPT]),
    ("dash script", "sh:cd sub && pwd && echo x > y && cat y && ls *o* && for f in *; do echo $f; done"),
    ("script by #!", "sh:printf '#!/bin/sh -e\\necho $0 $1\\n' > s && chmod +x s && ./s arg"),
    ("exit status", ["sh", "-c", "exit 123"]),
    ("killed by a signal", ["sh", "-c", "kill -TERM $$"]),
    ("program that is missing in a shell", "sh:none-such; echo $?; ./text; echo $?"),
    ("python3", ["/usr/bin/python3", "-c", PYTHON_SCRIPT]),
    ("python3 imports", ["/usr/bin/python3", "-c", "import json, http.server, sqlite3, ssl, ctypes; print(json.dumps([1]))"]),
    ("perl", ["perl", "-e", 'opendir D, "."; print join " ", sort readdir D; print -s "text", (stat "sub")[3]; mkdir "p" or die; rename "p", "q" or die']),
    ("git", "sh:" + GIT),
    ("gcc", f"sh:printf '{C_SOURCE}' > h.c && gcc -o h h.c && ./h a b; echo $?"),
    ("make", "sh:printf 'all: b\\nb: text\\n\\tcp text b\\n' > Makefile && make && make"),
    ("node", ["node", "-e", 'const fs=require("fs"); console.log(fs.readdirSync(".").sort(), fs.statSync("text").size); fs.writeFileSync("n", "x"); '
                            'fs.mkdirSync("m/n",{recursive:true}); fs.rmSync("m",{recursive:true}); console.log(fs.realpathSync("link"))']),
]


def make_tree(top):
    os.makedirs(top + "/sub/inner")
    for name, text in (("text", "some text\n"), ("sub/words", "one\nthree\ntwo\nfour\n"), ("sub/inner/deep", "deep\n"), ("sub/empty", "")):
        with open(f"{top}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    os.symlink("sub/words", top + "/link")
    os.chmod(top + "/sub/inner/deep", 0o640)
    paths = [top + "/" + name for name in ("text", "sub/words", "sub/inner/deep", "sub/empty", "link", "sub/inner", "sub", "")]
    for path in paths + [os.path.dirname(top)]:
        os.utime(path, (FIXED_TIME, FIXED_TIME), follow_symlinks=False)


def snapshot(top):
    lines = []
    for root, directories, files in os.walk(top):
        directories.sort()
        if "/.git" in root:
            continue  # object names contain times
        for name in sorted(directories + files):
            path = os.path.join(root, name)
            status = os.lstat(path)
            line = f"{os.path.relpath(path, top)} {stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
            if stat.S_ISLNK(status.st_mode):
                line += " -> " + os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                line += f" {status.st_nlink} {status.st_size}"
                if not name.endswith(".tar") and os.access(path, os.R_OK) and status.st_size < 10_000:
                    line += " " + repr(open(path, "rb").read())
                if status.st_mtime == FIXED_TIME:
                    line += " old"
            lines.append(line)
    return lines


def run(command, prefix, top, uid):
    """Outcome of command in a fresh tree, as lines."""
    parent = os.path.dirname(top)
    shutil.rmtree(parent, ignore_errors=True)
    make_tree(top)
    if uid:
        for root, directories, files in os.walk(parent):
            for name in [""] + directories + files:
                os.chown(os.path.join(root, name), uid, uid, follow_symlinks=False)
    environment = {"PATH": "/usr/bin:/bin", "HOME": top, "LANG": "C.UTF-8", "TZ": "UTC", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
                   "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_NOSYSTEM": "1"}
    arguments = ["sh", "-c", command[3:]] if isinstance(command, str) else command
    drop = [AS_ORDINARY_USER, str(uid)] if uid else []
    try:
        result = subprocess.run(drop + prefix + arguments, cwd=top, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
        status, out, err = result.returncode, result.stdout, result.stderr
    except subprocess.TimeoutExpired as expired:
        status, out, err = "timeout", expired.stdout or b"", expired.stderr or b""
    lines = [f"status {status}"]
    for name, text in (("out", out), ("err", err)):
        lines += [f"{name}: {line}" for line in text.decode(errors="backslashreplace").splitlines()]
    return lines + ["tree: " + line for line in snapshot(top)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pola_run")
    parser.add_argument("--door", default="loader")
    parser.add_argument("--uid", type=int, default=0)
    parser.add_argument("--only")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    base = tempfile.mkdtemp(prefix="plash-programs-")
    os.chmod(base, 0o755)
    top = base + "/tree/work"
    prefix = [os.path.abspath(options.pola_run), f"--door={options.door}", "-B", "-fws=" + os.path.dirname(top), "-f", "/etc/passwd", "-f", "/etc/group", "-e"]
    passed, failed, skipped = 0, 0, 0
    if options.uid and os.getuid() != 0:
        print("--uid needs root: skipped")
        return 77
    try:
        # Two failures alike would look like success.
        if run(["cat", "text"], [], top, options.uid)[:2] != ["status 0", "out: some text"]:
            print("cannot run a program natively as that user")
            return 1
        for name, command in CASES:
            if options.list:
                print(name)
                continue
            if options.only and options.only != name:
                continue
            program = command[0] if isinstance(command, list) else "sh"
            if not shutil.which(program, path="/usr/bin:/bin"):
                print(f"skip  {name}: {program} is not installed")
                skipped += 1
                continue
            native, sandboxed = run(command, [], top, options.uid), run(command, prefix, top, options.uid)
            reason = KNOWN_DIFFERENCES.get((options.door, name))
            if reason and native != sandboxed:
                print(f"known {name}: {reason}")
            if (native == sandboxed) != bool(reason):
                passed += 1
                continue
            failed += 1
            print(f"FAIL  {name}")
            for line in list(difflib.unified_diff(native, sandboxed, "natively", "under pola-run", lineterm="", n=0))[:20]:
                print("      " + line)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
