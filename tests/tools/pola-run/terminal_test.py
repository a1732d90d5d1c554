#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Job control: pola-run under an interactive shell on a terminal of its own.

usage: as in launcher.py
"""
import contextlib
import os
import pty
import select
import signal
import time

import launcher
from launcher import LauncherTest, descendants, name_of, state_of, wait_for

CONTROL_C, CONTROL_D, CONTROL_Z = "\x03", "\x04", "\x1a"
PROMPT = "> "


class Terminal(LauncherTest):
    def setUp(self):
        super().setUp()
        self.pola_run = f"{launcher.settings.pola_run} {' '.join(launcher.options())} -B -f {self.directory}"
        start_file = self.write("start", f"export PS1='{PROMPT}'\n")
        shell = [*launcher.as_user(), "bash", "--rcfile", start_file, "--noediting", "-i"]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(self.directory)
            os.execvp(shell[0], shell)
        self.addCleanup(self.hang_up)
        self.seen = ""
        self.expect(PROMPT)

    def hang_up(self):
        for pid in (*descendants(self.pid), self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.close(self.terminal)
        os.waitpid(self.pid, 0)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def expect(self, text, seconds=20):
        """Waits for text in what the terminal shows, forgets all up to there, and returns what stood before it."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            self.assertTrue(ready, f"waiting for {text!r}, the terminal shows {self.seen!r}")
            self.seen += os.read(self.terminal, 4096).decode(errors="replace")
        before, _, self.seen = self.seen.partition(text)
        return before

    def expect_status(self, status):
        self.type("echo status=$?.\n")
        self.expect(f"status={status}.")

    def await_program(self, name):
        """Until it runs, and has the terminal."""

        def has_terminal(pid):
            with contextlib.suppress(ProcessLookupError):
                return name_of(pid) == name and os.getpgid(pid) == os.tcgetpgrp(self.terminal)
            return False

        wait_for(lambda: any(has_terminal(pid) for pid in descendants(self.pid)), name + " in the foreground")

    def job_is_stopped(self):
        self.type("jobs; echo listed=$?.\n")
        return "Stopped" in self.expect("listed=0.")

    def test_interrupt(self):
        self.type(f"{self.pola_run} -e sleep 100\n")
        self.await_program("sleep")
        self.type(CONTROL_C)
        self.expect(PROMPT)
        self.expect_status(130)

    def test_interrupt_that_is_handled(self):
        script = self.write("script", "trap 'echo caught; exit 9' INT\necho trapped\nread x\n")
        self.type(f"{self.pola_run} -e bash {script}\n")
        self.expect("\ntrapped")
        self.type(CONTROL_C)
        self.expect("^Ccaught\r\n")
        self.expect_status(9)

    def test_stop_and_foreground(self):
        self.type(f"{self.pola_run} -e cat\n")
        self.await_program("cat")
        self.type("before\n")
        self.expect("before\r\nbefore\r\n")
        self.type(CONTROL_Z)
        self.expect("Stopped")
        self.type("fg\n")
        self.await_program("cat")
        self.type("after\n")
        self.expect("after\r\nafter\r\n")
        self.type(CONTROL_D)
        self.expect_status(0)

    def test_background_program_stops_when_it_reads(self):
        self.type(f"{self.pola_run} -e cat &\n")
        wait_for(lambda: any(name_of(pid) == "pola-run" and state_of(pid) == "T" for pid in descendants(self.pid)), "pola-run stops")
        wait_for(self.job_is_stopped, "the shell sees its job stop")
        self.type("fg\n")
        self.await_program("cat")
        self.type("text\n")
        self.expect("text\r\ntext\r\n")
        self.type(CONTROL_D)
        self.expect_status(0)

    def test_the_rest_of_a_pipeline_keeps_the_terminal(self):
        reader = self.write("reader", "read x; echo \"at $x\"; read y < /dev/tty; echo \"got $y\"\n")
        self.type(f"{self.pola_run} -e bash -c 'echo first; sleep 100' | bash {reader}\n")
        self.expect("\nat first")
        self.type("typed\n")
        self.expect("\ngot typed")
        self.type(CONTROL_C)
        self.expect(PROMPT)

    def test_a_program_in_a_pipeline_gets_the_terminal_when_it_reads(self):
        reader = self.write("reader", "read x; echo \"got $x\"\n")
        self.type(f"{self.pola_run} -e bash {reader} | cat\n")
        self.await_program("bash")
        self.type("typed\n")
        self.expect("\ngot typed")
        self.expect_status(0)

    def test_a_shell_with_job_control_inside(self):
        self.type(f"{self.pola_run} -e bash --norc --noediting -i\n")
        self.expect("\n" + PROMPT)
        if launcher.settings.isolate == "userns":
            self.type("echo pid=$$.\n")
            self.expect("pid=2.")
        self.type("sleep 100\n")
        self.await_program("sleep")
        self.type(CONTROL_Z)
        self.expect("Stopped")
        self.type("fg\n")
        self.await_program("sleep")
        self.type(CONTROL_C)
        self.expect(PROMPT)
        self.type("exit 3\n")
        self.expect_status(3)

    def test_the_terminal_comes_back_from_a_program_that_is_killed(self):
        self.type(f"{self.pola_run} -e bash -c 'kill -KILL $$'\n")
        self.expect("Killed")
        self.expect_status(137)

    def test_nothing_can_be_typed_into_the_terminal(self):
        script = self.write("script", """
import fcntl, termios
try: fcntl.ioctl(0, termios.TIOCSTI, b"x"); print("typed")
except OSError as error: print("error", error.errno)
""")
        self.type(f"{self.pola_run} -e /usr/bin/python3 {script}\n")
        self.expect("\nerror 1")


if __name__ == "__main__":
    launcher.main()
