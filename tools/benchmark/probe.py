# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drives a measuring process: an order on its standard input, an answer on its standard output."""
import os
import select
import signal
import subprocess
import time


class ProbeError(Exception):
    pass


class Probe:
    def __init__(self, command, environment, directory="/"):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                                         cwd=directory, start_new_session=True)
        self._buffer = b""

    def ask(self, *words, timeout=30):
        """Sends an order and returns the numbers of its answer. Raises ProbeError."""
        if self._process is None:
            raise ProbeError("ended before")
        try:
            self._process.stdin.write((" ".join(map(str, words)) + "\n").encode())
            self._process.stdin.flush()
            answer = self._read_line(time.monotonic() + timeout)
        except (BrokenPipeError, ProbeError) as error:
            message = self._end_and_explain() or str(error)
            raise ProbeError(message) from None
        kind, *values = answer.split(" ")
        if kind != "ok":
            raise ProbeError(answer)
        return [float(value) for value in values]

    def _read_line(self, deadline):
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([descriptor], [], [], max(0, deadline - time.monotonic()))[0]:
                raise ProbeError("no answer in time")
            data = os.read(descriptor, 1 << 20)
            if not data:
                raise ProbeError("ended without an answer")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode()

    def _end_and_explain(self):
        process = self._process
        self.close()
        with process.stderr:
            os.set_blocking(process.stderr.fileno(), False)
            return (process.stderr.read() or b"").decode(errors="replace").strip()

    @property
    def pid(self):
        return self._process.pid

    def close(self):
        """By end of file first: a sandbox whose launcher is killed goes on."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(timeout=2)
                    break
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
            process.wait()
        process.stdout.close()
