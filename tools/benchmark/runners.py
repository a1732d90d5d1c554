# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ways to run a program that are compared: natively, in a sandbox by each door, and under each peer."""
import dataclasses
import os
import re
import shutil
import subprocess

# For the names of users, where programs print them.
ACCOUNT_FILES = [name for name in ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf") if os.path.exists(name)]
DEBIAN_PEERS = ["proot", "pseudo", "fakeroot", "fakechroot", "bubblewrap"]


@dataclasses.dataclass
class Runner:
    name: str
    kind: str  # native, door, peer or reference
    about: str
    prefix: object  # of (the directory that the program may write to) -> the words before the program's
    environment: dict = dataclasses.field(default_factory=dict)
    missing: str = ""  # why it cannot be used; empty where it can
    before: list = dataclasses.field(default_factory=list)  # run once at each place, not timed
    after: list = dataclasses.field(default_factory=list)

    def command(self, program, directory):
        return self.prefix(directory) + program


def doors_of(pola_run):
    """The names that --door takes."""
    usage = subprocess.run([pola_run, "--help"], capture_output=True, text=True, check=True).stdout
    return re.search(r"--door=([a-z|]+)", usage).group(1).split("|")


def has_kept_sessions(build):
    with open(os.path.join(build, "shim/libplash-preload.so"), "rb") as library:
        return b"PLASH_CALL" in library.read()


def door_runners(build, glibc):
    pola_run = os.path.join(build, "tools/pola-run")
    account_files = [word for name in ACCOUNT_FILES for word in ("-f", name)]
    runners = []
    for door in doors_of(pola_run):
        words = [pola_run, f"--door={door}"] + ([f"--glibc={glibc}"] if door == "glibc" else [])
        prefix = lambda directory, words=words: words + ["-B", "-fws", directory, "-f", build, *account_files, "-e"]
        missing = "no rebuilt glibc: tools/build-plash-glibc makes one" if door == "glibc" and not os.path.exists(glibc) else ""
        if not has_kept_sessions(build):
            runners.append(Runner(door, "door", f"pola-run --door={door}", prefix, missing=missing))
            continue
        for call in ("plain", "kept"):
            about = f"pola-run --door={door}, PLASH_CALL={call}"
            runners.append(Runner(f"{door}, {call}", "door", about, prefix, {"PLASH_CALL": call}, missing))
    return runners


def bwrap_prefix(directory):
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--dev", "/dev", "--proc", "/proc", "--ro-bind", "/usr", "/usr"]
    for name in ("/bin", "/lib", "/lib64", "/etc/alternatives"):
        if os.path.islink(name):
            words += ["--symlink", os.readlink(name), name]
        elif os.path.exists(name):
            words += ["--ro-bind", name, name]
    for name in ACCOUNT_FILES:
        words += ["--ro-bind", name, name]
    return words + (["--bind", directory, directory] if directory else [])


def peer_runners(build, work):
    notify = os.path.join(build, "tools/benchmark/bench-notify")
    state = os.path.join(work, "pseudo")
    plain = lambda *words: lambda directory: list(words)
    bubblewrap = lambda directory: bwrap_prefix(directory) + ["--ro-bind", build, build, "--"]
    runners = [
        Runner("user-notify", "peer", "a supervisor by seccomp user notification, bench-notify", plain(notify)),
        Runner("proot", "peer", "ptrace with a seccomp filter", plain("proot")),
        Runner("pseudo", "peer", "LD_PRELOAD and a daemon with a database", plain("pseudo"), {"PSEUDO_PREFIX": "/usr", "PSEUDO_LOCALSTATEDIR": state},
               before=["pseudo", "true"], after=["pseudo", "-S"]),
        Runner("fakeroot", "reference", "LD_PRELOAD and a daemon, for stat and chown only", plain("fakeroot", "--")),
        Runner("fakechroot", "reference", "LD_PRELOAD, paths rewritten, no server", plain("fakechroot", "--")),
        Runner("bwrap", "reference", "namespaces and mounts, no mediation", bubblewrap),
    ]
    for runner in runners:
        program = runner.command([], None)[0]
        if shutil.which(program) is None:
            runner.missing = f"{program} is not installed"
    return runners


def all_runners(build, work, glibc):
    native = Runner("native", "native", "no sandbox", lambda directory: [])
    return [native] + door_runners(build, glibc) + peer_runners(build, work)


def find_faults(runners, directory, environment):
    """Says of each runner that cannot run /bin/true why it is missing."""
    for runner in runners:
        if runner.missing:
            continue
        try:
            result = subprocess.run(runner.command(["/bin/true"], directory), env=environment | runner.environment, cwd=directory,
                                    capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired) as error:
            runner.missing = str(error)
            continue
        # What cannot be preloaded is ignored, with a warning.
        if result.returncode != 0 or result.stderr:
            runner.missing = f"exit status {result.returncode}: {result.stderr.strip()[:200]}"
