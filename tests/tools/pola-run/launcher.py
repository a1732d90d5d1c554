# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the end-to-end tests of pola-run share: a scratch directory, and ways to run pola-run in it as the user under test.

A test's command line: TEST POLA_RUN PROBE REFUSE_CALL [--uid UID] [--door DOOR] [--isolate HOW] [--subordinate-ids] [--share-terminal] [unittest's own arguments]
"""
import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support")
SKIPPED = 77
settings = None


def as_user():
    """What runs a command as the user under test."""
    user = [SUPPORT + "/as_ordinary_user", str(settings.uid)] if settings.uid else []
    return [SUPPORT + "/with_subordinate_ids", str(settings.uid), *user] if settings.subordinate_ids else user


def options():
    return ["--door=" + settings.door, "--isolate=" + settings.isolate, *(["--share-terminal"] if settings.share_terminal else [])]


class LauncherTest(unittest.TestCase):
    """Each test in a directory of its own, which belongs to the user under test."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="pola-run-test-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.write("file", "content\n")
        self.probe = shutil.copy(settings.probe, self.directory + "/probe")
        self.own(self.directory)

    def own(self, path):
        if settings.uid:
            os.chown(path, settings.uid, settings.uid)

    def write(self, name, text, mode=0o644):
        path = f"{self.directory}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        self.own(path)
        return path

    def command(self, *arguments, before=()):
        """pola-run with arguments; before: what runs it."""
        return [*as_user(), *before, settings.pola_run, *options(), *arguments]

    def run_bare(self, *arguments, before=(), timeout=60, **options):
        return subprocess.run(self.command(*arguments, before=before), cwd=self.directory, capture_output=True, text=True, timeout=timeout,
                              check=False, **options)

    def run_in_sandbox(self, *command, grants=(), **options):
        """With the default endowment, and this test's directory read-only."""
        return self.run_bare("-B", "-f", self.directory, *grants, "-e", *command, **options)

    def start(self, *arguments, **options):
        process = subprocess.Popen(self.command("-B", "-f", self.directory, *arguments), cwd=self.directory, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        below = descendants(process.pid)
        if process.poll() is None:
            process.kill()
        for pid in below:  # the sandbox outlives pola-run
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def assert_output(self, result, output, status=0):
        self.assertEqual((result.stdout, result.returncode), (output, status), result.stderr)

    def assert_fails(self, result, status, *messages):
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.assertEqual(result.stdout, "")
        for message in messages:
            self.assertIn(message, result.stderr)


def fields_of(pid):
    """The fields of /proc/PID/stat from the state on, or none where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def state_of(pid):
    return "".join(fields_of(pid)[:1])


def name_of(pid):
    """The name of the program that pid runs; the empty string where there is no such process."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def descendants(pid):
    """All processes below pid, with their PIDs of the host."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        if fields := fields_of(entry):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, remaining = [], [pid]
    while remaining:
        below = children.get(remaining.pop(), [])
        found += below
        remaining += below
    return found


def find_descendant(pid, name):
    """The process below pid that runs the program name."""
    return wait_for(lambda: next((found for found in descendants(pid) if name_of(found) == name), None), name)


def wait_for(condition, what, seconds=20):
    """Polls until condition() is true; returns what it returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {seconds} seconds")


def main():
    global settings
    parser = argparse.ArgumentParser()
    for program in ("pola_run", "probe", "refuse_call"):
        parser.add_argument(program, type=os.path.abspath)
    parser.add_argument("--uid", type=int, default=0)
    parser.add_argument("--door", default="loader")
    parser.add_argument("--isolate", default="userns")
    parser.add_argument("--subordinate-ids", action="store_true")
    parser.add_argument("--share-terminal", action="store_true")
    settings, others = parser.parse_known_args()
    if (settings.uid or settings.subordinate_ids) and os.getuid() != 0:
        print("--uid and --subordinate-ids need root: skipped")
        sys.exit(SKIPPED)
    # A shell ignores them in what it starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    unittest.main(argv=[sys.argv[0], *others])
