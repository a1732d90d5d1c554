#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Job control: pola-run under an interactive shell on a terminal of its own.

usage: as in launcher.py
"""
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import launcher
from launcher import LauncherTest, descendants, fields_of, name_of, state_of, wait_for

CONTROL_C, CONTROL_D, CONTROL_Z = "\x03", "\x04", "\x1a"
PROMPT, INNER_PROMPT = "outer> ", "inner> "


class TerminalTest(LauncherTest):
    """With a shell on a terminal."""

    def setUp(self):
        super().setUp()
        self.pola_run = f"{launcher.settings.pola_run} {' '.join(launcher.options())} -B -f {self.directory}"
        start_file = self.write("start", f"PS1='{PROMPT}'\n")
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

    def resize(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

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
        # What is typed before is read for the program.
        self.expect(PROMPT)
        self.type("echo status=$?.\n")
        self.expect(f"status={status}.")

    def await_program(self, name):
        """Until it runs, and has the terminal."""

        def has_terminal(pid):
            fields = fields_of(pid)
            return name_of(pid) == name and len(fields) > 5 and fields[2] == fields[5]  # pgrp, tpgid

        wait_for(lambda: any(has_terminal(pid) for pid in descendants(self.pid)), name + " in the foreground")

    def job_is_stopped(self):
        self.type("jobs; echo listed=$?.\n")
        return "Stopped" in self.expect("listed=0.")


class Terminal(TerminalTest):
    def test_interrupt(self):
        self.type(f"{self.pola_run} -e sleep 100\n")
        self.await_program("sleep")
        self.type(CONTROL_C)
        self.expect_status(130)

    def test_interrupt_that_is_handled(self):
        script = self.write("script", "trap 'echo caught; exit 9' INT\necho trapped\nwhile true; do sleep 0.05; done\n")
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
        self.type(f"{self.pola_run} --env 'PS1={INNER_PROMPT}' -e bash --norc --noediting -i\n")
        self.expect("\n" + INNER_PROMPT)
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
        self.expect(INNER_PROMPT)
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

    def test_the_size_is_followed(self):
        self.resize(31, 101)
        self.type(f"{self.pola_run} --env 'PS1={INNER_PROMPT}' -e bash --norc --noediting -i\n")
        self.expect("\n" + INNER_PROMPT)
        self.type("stty size\n")
        self.expect("\n31 101\r\n" + INNER_PROMPT)
        self.type("trap 'echo resized' WINCH\n")
        self.expect(INNER_PROMPT)
        self.resize(47, 113)
        shown = ""
        for _ in range(200):  # a signal and what is typed take different ways
            self.type("stty size\n")
            shown += self.expect(INNER_PROMPT)
            if "resized" in shown and "47 113" in shown:
                break
        self.assertIn("\r\n47 113\r\n", shown)
        self.assertIn("resized", shown)
        self.type("exit\n")
        self.expect_status(0)

    def test_modes_are_the_programs_and_come_back(self):
        before = termios.tcgetattr(self.terminal)
        script = self.write("script", """
import os, sys, termios, time, tty
modes = tty.setcbreak(0)
print("ready", flush=True)
print("got", os.read(0, 1), flush=True)
os.kill(os.getpid(), 19)
""")
        self.type(f"{self.pola_run} -e /usr/bin/python3 {script}\n")
        self.expect("\nready\r\n")
        self.type("x")  # without a newline, and not echoed
        self.assertEqual(self.expect("\r\n"), "got b'x'")
        self.expect("Stopped")
        self.expect(PROMPT)
        self.type("stty -a | tr ' ;' '\\n' | grep -x -e icanon -e echo -e opost\n")
        self.expect("\nopost\r\nicanon\r\necho\r\n")
        self.expect(PROMPT)
        self.type("fg\n")
        self.expect_status(0)
        self.assertEqual(termios.tcgetattr(self.terminal), before)


class OwnTerminal(TerminalTest):
    def setUp(self):
        if launcher.settings.share_terminal:
            self.skipTest("--share-terminal")
        super().setUp()

    def run_script(self, script, options="", after=""):
        self.type(f"{self.pola_run} {options} -e /usr/bin/python3 {self.write('script', script)} {after}\n")

    def test_it_is_a_session_of_its_own(self):
        self.run_script("""
import os
tty = os.open("/dev/tty", os.O_RDWR)
print("\\nsession", os.getsid(0) == os.getppid(), os.tcgetpgrp(0) == os.getpgrp(), os.fstat(0).st_rdev == os.fstat(tty).st_rdev, hex(os.fstat(0).st_rdev))
""")
        device = hex(os.stat(f"/proc/{self.pid}/fd/0").st_rdev)
        shown = self.expect_line("session ")
        self.assertTrue(shown.startswith("True True True"), shown)
        self.assertNotEqual(shown.split()[-1], device)

    def expect_line(self, start):
        self.expect("\n" + start)
        return self.expect("\r\n")

    def test_in_the_background_it_cannot_read_what_is_typed(self):
        self.run_script("""
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU, signal.SIGTTIN])
signal.alarm(60)
for path in ("/dev/tty", None):
    terminal = os.open(path, os.O_RDWR) if path else 0
    try: os.tcsetpgrp(terminal, os.getpgrp())
    except OSError as error: print("error", error.errno, flush=True)
print("reading", flush=True)
while True:
    try: print("stolen", os.read(0, 100), flush=True)
    except OSError: pass
""", after="&")
        self.expect("reading\r\n")
        self.type("echo typed-$((1+1))\n")
        self.expect("\ntyped-2")
        self.assertNotIn("stolen", self.seen)
        self.type("kill %1; wait\n")
        before = self.expect("Terminated")
        self.assertNotIn("stolen", before)

    def test_output_in_the_background(self):
        self.type(f"{self.pola_run} -e echo shown &\n")
        self.expect("shown\r\n")

    def test_much_output(self):
        self.type(f"{self.pola_run} -e seq 1 20000\n")
        shown = self.expect("\r\n20000\r\n")
        self.assertEqual(shown.split("\r\n")[1:], [str(number) for number in range(1, 20000)])

    def test_without_a_terminal_there_is_none(self):
        script = "import os; print(os.getsid(0) == os.getppid(), os.path.exists('/dev/tty')); os.open('/dev/tty', os.O_RDWR)"
        result = self.run_in_sandbox("/usr/bin/python3", "-c", script, start_new_session=True)
        self.assertEqual(result.stdout, "True True\n")
        self.assertIn("No such device or address", result.stderr)


if __name__ == "__main__":
    launcher.main()
