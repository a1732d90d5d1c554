#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program gets from pola-run, and what pola-run's caller gets from the program.

usage: as in launcher.py
"""
import os
import re
import resource
import signal
import subprocess
import time

import launcher
from launcher import LauncherTest, descendants, find_descendant, state_of, wait_for

SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGKILL", "SIGSEGV", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGUSR1", "SIGSYS")
SIGNAL_REPORTER = """
import signal
signals = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGWINCH, signal.SIGRTMIN + 3]
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print("ready", flush=True)
while True:
    number = signal.sigwait(signals)
    print(int(number), flush=True)
    if number == signal.SIGTERM: break
"""


class Ending(LauncherTest):
    def test_exit_statuses(self):
        for status in (0, 1, 2, 77, 125, 126, 127, 255):
            self.assert_output(self.run_in_sandbox("bash", "-c", f"exit {status}"), "", status)

    def test_signals(self):
        def prepare(number):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)  # under nohup SIGHUP is ignored

        for name in SIGNALS:
            with self.subTest(name):
                number = getattr(signal, name)
                result = self.run_in_sandbox("sh", "-c", f"kill -{name[3:]} $$", preexec_fn=lambda number=number: prepare(number))
                self.assertEqual(result.returncode, -number, result.stderr)

    def test_program_not_found(self):
        for name in ("no-such-program", "/usr/bin/no-such-program", self.file + "/x", "./none"):
            self.assert_fails(self.run_in_sandbox(name), 127, f"cannot execute '{name}'")

    def test_program_not_executable(self):
        script = self.write("not-executable", "#!/bin/sh\n")
        garbage = self.write("garbage", "neither ELF nor script", 0o755)
        for name in (script, garbage, self.directory):
            self.assert_fails(self.run_in_sandbox(name), 126, f"cannot execute '{name}'")

    def test_what_the_program_leaves_behind_ends_with_it(self):
        process = self.start("-e", "bash", "-c", "sleep 100 & echo started; exit 5")
        self.assertEqual(process.wait(timeout=20), 5)
        self.assertEqual(process.stdout.read(), "started\n")  # sleep had it open

    def test_nothing_granted_nothing_found(self):
        self.assert_fails(self.run_bare("-e", "/bin/true"), 127, "cannot execute '/bin/true'")

    def test_errors_of_usage(self):
        self.assert_fails(self.run_bare("-B"), 2, "pola-run: no program")
        self.assert_fails(self.run_bare("--nonsense"), 2, "'--nonsense'")
        self.assert_fails(self.run_bare("-B", "-f", "missing", "-e", "echo"), 2, f"cannot grant '{self.directory}/missing'")
        self.assert_fails(self.run_bare("-B", "--fd", "77", "-e", "echo"), 2, "--fd 77", "Bad file descriptor")
        self.assert_fails(self.run_bare("-B", "--cwd", "/none", "-e", "echo"), 2, "--cwd", "'/none'")
        self.assert_fails(self.run_bare("-B", "--log-file", "none/log", "-e", "echo"), 2, f"'{self.directory}/none/log'")

    def test_help_and_version(self):
        for option in ("-h", "--help"):
            result = self.run_bare(option)
            self.assertEqual(result.returncode, 0)
            self.assertIn("Usage: pola-run", result.stdout)
            self.assertIn("no /proc and no /dev", " ".join(result.stdout.split()))
        self.assertRegex(self.run_bare("--version").stdout, r"^pola-run .*\d+\.\d+\.\d+\n$")
        with open("/dev/full", "wb") as full:
            result = subprocess.run(self.command("--help"), stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 125)


class Inheritance(LauncherTest):
    def test_arguments(self):
        result = self.run_bare("-B", "--prog", "bash", "-a", "-c", "-a", 'printf "%s|" "$0" "$@"', "-a=zero", "-fa", "file", "-e", "one", "two three", "")
        self.assert_output(result, "zero|file|one|two three||")

    def test_environment(self):
        script = 'printf "%s|" "$A" "$B" "${C-unset}"'
        environment = dict(os.environ, A="caller's", B="caller's")
        environment.pop("C", None)
        self.assert_output(self.run_in_sandbox("bash", "-c", script, grants=["--env", "B=1=2", "--env=B=last"], env=environment), "caller's|last|unset|")

    def test_path_is_looked_up_in_the_sandbox(self):
        self.write("tool", "#!/bin/sh\necho $0 $1\n", 0o755)
        grants = ["-t", "/tools", self.directory, "--env", "PATH=/none:/tools:/usr/bin"]
        self.assert_output(self.run_in_sandbox("tool", "x", grants=grants), "/tools/tool x\n")

    def test_working_directory(self):
        os.mkdir(self.directory + "/sub")
        self.assert_output(self.run_in_sandbox("pwd"), self.directory + "\n")
        self.assert_output(self.run_in_sandbox("pwd", grants=["--cwd", "sub"]), self.directory + "/sub\n")
        self.assert_output(self.run_in_sandbox("cat", "file", grants=["--cwd=sub", "--copy-cwd"]), "content\n")
        self.assert_output(self.run_in_sandbox("cat", "file", grants=["--no-cwd"]), "", 1)
        self.assert_output(self.run_bare("-B", "-e", "cat", "file"), "", 1)  # it is not visible

    def test_descriptors(self):
        listing = "import os\nfor n in range(1100):\n try: os.get_inheritable(n); print(n, end=' ')\n except OSError: pass"
        read, write = os.pipe()
        hidden = os.dup2(read, 50, inheritable=True)
        shown = os.dup2(read, 51, inheritable=True)
        try:
            passed = (hidden, shown)
            self.assert_output(self.run_in_sandbox("/usr/bin/python3", "-c", listing, pass_fds=passed), "0 1 2 ")
            self.assert_output(self.run_in_sandbox("/usr/bin/python3", "-c", listing, grants=["--fd", "51"], pass_fds=passed), "0 1 2 51 ")
            if launcher.settings.door == "preload":
                self.assert_output(self.run_in_sandbox(self.probe, "descriptors", grants=["--fd=51"], pass_fds=passed), "0 1 2 51 1020 1022 \n")
        finally:
            for descriptor in (read, write, hidden, shown):
                os.close(descriptor)

    def test_closed_standard_descriptors_stay_closed(self):
        listing = "import os, sys\nfor n in range(3):\n try: os.fstat(n); print(n, end=' ', file=sys.stdout or sys.stderr)\n except OSError: pass"
        for closing, left in (("<&-", "1 2 "), (">&-", "0 2 "), ("2>&-", "0 1 ")):
            result = self.run_in_sandbox("/usr/bin/python3", "-c", listing, before=["bash", "-c", f'exec {closing}; exec "$@"', "bash"])
            self.assertEqual((result.stdout + result.stderr, result.returncode), (left, 0), closing)

    def test_directories_are_not_passed(self):
        for redirection, options in (("0< /", []), ("9< /", ["--fd=9"])):
            result = self.run_in_sandbox("echo", grants=options, before=["bash", "-c", f'exec {redirection}; exec "$@"', "bash"])
            self.assert_fails(result, 2, "is a directory")

    def test_pola_run_holds_no_pipe_of_the_programs(self):
        process = self.start("-e", "bash", "-c", "exec >&- <&-; sleep 100", stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.read(), "")  # returns when nobody has it open
        with self.assertRaises(BrokenPipeError):
            for _ in range(100):
                process.stdin.write("x" * 4096)
                process.stdin.flush()
        self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(process.wait(timeout=20), -signal.SIGTERM)

    def test_ignored_and_blocked_signals(self):
        script = "import signal; print(signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGCHLD), signal.pthread_sigmask(signal.SIG_BLOCK, []))"

        def prepare():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR2])

        # As the user under test, whose way there is a shell with signals of its own.
        native = subprocess.run([*launcher.as_user(), "/usr/bin/python3", "-c", script], capture_output=True, text=True, check=True, preexec_fn=prepare)
        self.assert_output(self.run_in_sandbox("/usr/bin/python3", "-c", script, preexec_fn=prepare), native.stdout)

    def test_temporary_directory(self):
        scratch = self.directory + "/scratch"
        os.mkdir(scratch)
        self.own(scratch)
        script = 'echo x > "$1/file" && ln -s file "$1/link" && mkdir -p "$1/a/b" && cat "$1/link" && ls "$1" | wc -l'
        for options, name in (["--tmp"], "/tmp"), (["--tmpdir", "/some/where"], "/some/where"):
            result = self.run_in_sandbox("bash", "-c", script, "bash", name, grants=options, env=dict(os.environ, TMPDIR=scratch))
            self.assert_output(result, "x\n3\n")
            self.assertEqual(os.listdir(scratch), [])

    def test_log(self):
        result = self.run_in_sandbox("cat", self.file, grants=["--log"])
        self.assert_output(result, "content\n")
        self.assertRegex(result.stderr, rf"(?m)^pola-run: .*{re.escape(self.file)}")
        if launcher.settings.isolate == "userns":
            self.assertRegex(result.stderr, r"(?m)^pola-run: the kernel itself shows .* no /proc, no /dev$")
        self.assert_output(self.run_in_sandbox("cat", self.file, grants=["--log-file", "log"]), "content\n")
        with open(self.directory + "/log", encoding="utf-8") as log:
            self.assertIn(self.file, log.read())

    def test_standard_input(self):
        self.assert_output(self.run_in_sandbox("tr", "a-z", "A-Z", input="text"), "TEXT")


class Signals(LauncherTest):
    def start_and_await(self, *command, **options):
        process = self.start("-e", *command, **options)
        self.assertEqual(process.stdout.readline(), "ready\n", process.poll())
        return process

    def test_signals_are_passed_on(self):
        process = self.start_and_await("/usr/bin/python3", "-c", SIGNAL_REPORTER)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGWINCH, signal.SIGRTMIN + 3, signal.SIGTERM):
            process.send_signal(number)
            self.assertEqual(process.stdout.readline(), f"{int(number)}\n")
        self.assertEqual(process.wait(timeout=20), 0)

    def test_a_deadly_signal_kills_both(self):
        process = self.start_and_await("bash", "-c", "echo ready; exec sleep 100")
        init = find_descendant(process.pid, "pola-init")
        below = descendants(init)
        process.terminate()
        self.assertEqual(process.wait(timeout=20), -signal.SIGTERM)
        self.assertEqual([pid for pid in (init, *below) if os.path.exists(f"/proc/{pid}")], [])

    def test_stops_and_continues_with_the_program(self):
        process = self.start_and_await("bash", "-c", "echo ready; kill -STOP $$; echo continued")
        wait_for(lambda: state_of(process.pid) == "T", "pola-run stops")
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.stdout.readline(), "continued\n")
        self.assertEqual(process.wait(timeout=20), 0)

    def test_the_program_stops_with_pola_run(self):
        # In an orphaned process group the kernel ignores SIGTSTP; this one has us as its parent.
        process = self.start_and_await("bash", "-c", "echo ready; exec sleep 100", preexec_fn=os.setpgrp)
        program = find_descendant(process.pid, "sleep")
        process.send_signal(signal.SIGTSTP)
        wait_for(lambda: state_of(program) == "T", "the program stops")
        wait_for(lambda: state_of(process.pid) == "T", "pola-run stops")
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: state_of(program) == "S", "the program continues")
        process.terminate()
        self.assertEqual(process.wait(timeout=20), -signal.SIGTERM)

    def test_a_stopped_program_does_not_outlive_pola_run(self):
        process = self.start_and_await("bash", "-c", "echo ready; kill -STOP $$")
        wait_for(lambda: state_of(process.pid) == "T", "pola-run stops")
        process.kill()
        self.assertEqual(process.communicate(timeout=20)[0], "")  # nobody has it open any more

    def test_the_sandboxs_first_process_is_killed(self):
        process = self.start_and_await("bash", "-c", "echo ready; exec sleep 100")
        os.kill(find_descendant(process.pid, "pola-init"), signal.SIGKILL)
        self.assertEqual(process.wait(timeout=20), -signal.SIGKILL)

    def test_pola_run_is_killed(self):
        script = f"""
import os, time
print("ready", flush=True)
end = time.monotonic() + 20
while time.monotonic() < end:
    try: os.stat({self.file!r})
    except OSError as error: os.write(2, str(error.errno).encode()); break
    time.sleep(0.01)
"""
        process = self.start_and_await("/usr/bin/python3", "-c", script)
        start = time.monotonic()
        process.kill()
        process.wait(timeout=20)
        self.assertEqual(process.stderr.read(), "5")  # EIO; ends when the program has
        self.assertLess(time.monotonic() - start, 2)


if __name__ == "__main__":
    launcher.main()
