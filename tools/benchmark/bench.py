# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all measurements share: where things are, who takes part, how long to measure."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time

from benchmark.cores import placed
from benchmark.probe import Probe, ProbeError
from benchmark.runners import all_runners, has_kept_sessions

DEEPEST = 16
QUICK_SECONDS = 85
QUICK_SECONDS_AT_MOST = 105


class Bench:
    """Context manager: its scratch directory is gone afterwards."""

    def __init__(self, build, quick, glibc):
        self.build = os.path.abspath(build)
        self.quick = quick
        self._begin = time.monotonic()
        self.results = {}
        self.work = os.path.realpath(tempfile.mkdtemp(prefix="plash-bench-"))
        os.chmod(self.work, 0o755)
        for name in ("home", "tmp", "pseudo", "tree"):
            os.mkdir(self.path(name))
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": self.path("home"), "TMPDIR": self.path("tmp"), "LC_ALL": "C",
                            "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"}
        self.runners = all_runners(self.build, self.work, os.path.abspath(glibc))
        self.call_kinds = ["plain", "kept"] if has_kept_sessions(self.build) else ["plain"]
        self._make_tree()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.work, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.work, *names)

    def program(self, name):
        return os.path.join(self.build, "tools/benchmark", name)

    @property
    def present(self):
        return [runner for runner in self.runners if not runner.missing]

    def time_left(self):
        """Seconds that --quick still has."""
        return max(0, QUICK_SECONDS - (time.monotonic() - self._begin))

    def is_out_of_time(self):
        """Whether --quick has taken so long, on a machine that is busy with other things, that it must leave out the rest."""
        return self.quick and time.monotonic() - self._begin > QUICK_SECONDS_AT_MOST

    def rounds(self, quick, full):
        return quick if self.quick else full

    def file_at(self, depth, name="file"):
        """A file (or "link", "none") so many names below the granted directory."""
        return self.path("tree", *["directory"] * (depth - 1), name)

    def directory_of(self, entries):
        """A directory of so many files, made when first wanted."""
        directory = self.path(f"entries-{entries}")
        if not os.path.exists(directory):
            os.mkdir(directory)
            for number in range(entries):
                os.close(os.open(f"{directory}/entry-{number:06}", os.O_CREAT | os.O_WRONLY, 0o644))
        return directory

    def _make_tree(self):
        os.makedirs(self.path("tree", *["directory"] * (DEEPEST - 1)))
        for depth in range(1, DEEPEST + 1):
            with open(self.file_at(depth), "w", encoding="ascii") as file:
                file.write("text\n")
            os.symlink("file", self.file_at(depth, "link"))

    @contextlib.contextmanager
    def probes(self, place, runners=None):
        """A probe under each of the runners, all that are present if none are named, {name: Probe}."""
        runners = self.present if runners is None else runners
        probes = {}
        with placed(place):
            try:
                for runner in runners:
                    self.prepare(runner)
                    command = runner.command([self.program("bench-probe")], self.work)
                    probes[runner.name] = Probe(command, self.environment | runner.environment, self.work)
                yield probes
            finally:
                for probe in probes.values():
                    probe.close()
                for runner in runners:
                    self.clean_up(runner)

    @contextlib.contextmanager
    def call_probes(self, place, count=1):
        """Probes of the call alone, {"plain": Probe, ...}, or {"plain": [Probe, Probe], ...} for a count of 2."""
        probes = {}
        with placed(place):
            try:
                for kind in self.call_kinds:
                    probes[kind] = [Probe([self.program("bench-calls"), self.work, kind], self.environment) for _ in range(count)]
                yield {kind: some[0] if count == 1 else some for kind, some in probes.items()}
            finally:
                for some in probes.values():
                    for probe in some:
                        probe.close()

    def prepare(self, runner):
        self._run_quietly(runner.before, runner)

    def clean_up(self, runner):
        self._run_quietly(runner.after, runner)

    def _run_quietly(self, command, runner):
        if command:
            subprocess.run(command, env=self.environment | runner.environment, cwd=self.work, capture_output=True, timeout=20, check=False)


def asked(probe, *order, timeout=60):
    """The numbers, or {"error": text}."""
    try:
        return probe.ask(*order, timeout=timeout)
    except ProbeError as error:
        return {"error": str(error)}
