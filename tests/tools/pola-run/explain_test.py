#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""--explain: what it says of walls is what a program finds, what it says of grants is what it was granted, and nothing is run.

usage: as in launcher.py
"""
import os
import re

import launcher
from launcher import LauncherTest, find_descendant


def parse(text):
    """{heading: {label: value}}"""
    parts, part = {}, None
    for line in text.splitlines():
        if line and not line.startswith(" "):
            part = parts.setdefault(line.split(" (")[0], {})
        elif line:
            label, value = re.fullmatch(r"  (.{21}\S* ?|\S+ +)(.*)", line).groups()
            part[label.strip()] = value
    return parts


class Explain(LauncherTest):
    def explain(self, *arguments, **options):
        result = self.run_bare("--explain", *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return parse(result.stdout)

    def test_nothing_is_run(self):
        scratch = self.directory + "/scratch"
        os.mkdir(scratch)
        self.own(scratch)
        self.explain("-B", "-fw", self.directory, "--tmp", "-e", "touch", self.directory + "/touched", env=dict(os.environ, TMPDIR=scratch))
        self.assertEqual(os.listdir(scratch), [])
        self.assertFalse(os.path.exists(self.directory + "/touched"))

    def test_the_program(self):
        said = self.explain("-B", "--cwd", self.directory, "-f", self.directory, "--env", "A=b", "-e", "grep", "-c", "a\nGranted (9)")["Program"]
        self.assertEqual(said["command"], "grep -c a\\x0aGranted (9)")
        self.assertEqual(said["door"], launcher.settings.door)
        self.assertEqual(said["working directory"], self.directory + ", if it is granted")
        self.assertEqual(said["environment"], "the caller's, A=b")
        self.assertEqual(said["open descriptors"], "0 1 2 and the file server's")

    def test_grants(self):
        os.mkdir(self.directory + "/sub")
        os.symlink("file", self.directory + "/link")
        said = self.explain("-f", "file", "-fw", "new", "-fws", "sub", "-f", "link", "-t,objrw,socket", "/x", "file", "--tmpdir", "/some/where", "-e", "true")
        expected = {
            self.file: "read-only",
            self.directory + "/new": "read, write, replace; is not there yet",
            self.directory + "/sub": "read, write, replace, make symlinks; with all below",
            self.directory + "/link": "a symlink, as it is",
            "/x": "read, write, connect to sockets; is " + self.file,
            "/some/where": "a fresh directory; read, write, make symlinks, connect to sockets; with all below",
        }
        self.assertEqual(said["Granted"], expected)

    def test_what_is_granted_by_default(self):
        said = self.explain("-B", "-e", "true")["Granted"]
        self.assertEqual(said["/usr"], "read-only; with all below")
        self.assertEqual(said["/dev/null"], "read, write")
        self.assertNotIn("/etc/passwd", said)

    def test_walls_are_those_of_a_program(self):
        said = self.explain("-B", "-e", "sleep", "100")["Walls"]
        process = self.start("-e", "sleep", "100")
        program = find_descendant(process.pid, "sleep")
        with open(f"/proc/{program}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t") for line in file if ":\t" in line)
        capabilities = "none, bounding set empty" if int(status["CapBnd"], 16) == 0 else f"none, bounding set {status['CapBnd']}"
        self.assertEqual(said["capabilities"], capabilities + ", no_new_privs")
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertIn("a filter refuses", said["system calls"])
        with open(f"/proc/{program}/limits", encoding="ascii") as file:
            limit = next(line.split()[4] for line in file if line.startswith("Max open files"))
        self.assertIn(f"{limit} at most", said["open files"])
        same = {name for name in os.listdir("/proc/self/ns") if os.readlink(f"/proc/{program}/ns/{name}") == os.readlink(f"/proc/{process.pid}/ns/{name}")}
        if launcher.settings.isolate == "landlock":
            self.assertIn("none:", said["namespaces"])
            self.assertEqual(same, set(os.listdir("/proc/self/ns")))
        else:
            names = {"mount": "mnt", "network": "net"}
            self.assertEqual({names.get(name, name.lower()) for name in said["namespaces"].split(", ")},
                             set(os.listdir("/proc/self/ns")) - same - {"pid_for_children"})

    def test_the_user_id(self):
        said = self.explain("-B", "-e", "true")["Walls"]["user ID"]
        uid = launcher.settings.uid if os.getuid() == 0 else os.getuid()
        if launcher.settings.isolate == "landlock":
            self.assertEqual(said, f"the caller's, {uid}")
        elif launcher.settings.subordinate_ids:
            self.assertRegex(said, rf"^shows as {uid}, is [23]00\d\d\d outside: owns none of the caller's files$")
        else:
            self.assertRegex(said, rf"^shows as {uid}, is {uid} outside: the owner|owns none")

    def test_the_network(self):
        if launcher.settings.isolate == "userns":
            self.assertEqual(self.explain("-e", "true")["Walls"]["network"], "a loopback interface alone")
            walls = self.explain("--net", "-e", "true")["Walls"]
            self.assertEqual(walls["network"], "the host's (--net)")
            self.assertNotIn("network", walls["namespaces"])

    def test_the_terminal(self):
        self.assertIn("of its own", self.explain("-e", "true")["Walls"]["terminal"])
        self.assertIn("--share-terminal", self.explain("--share-terminal", "-e", "true")["Walls"]["terminal"])

    def test_no_landlock(self):
        refuse = [launcher.settings.refuse_call, "landlock_create_ruleset"]
        if launcher.settings.isolate == "userns":
            self.assertIn("none:", self.explain("-e", "true", before=refuse)["Walls"]["Landlock"])
        else:
            self.assert_fails(self.run_bare("--explain", "-e", "true", before=refuse), 125, "no isolation: ")

    def test_what_fails_is_not_explained(self):
        for call in ("seccomp", "capset", "landlock_restrict_self"):
            result = self.run_bare("--explain", "-B", "-e", "true", before=[launcher.settings.refuse_call, call])
            self.assert_fails(result, 125, "no isolation: ")
        self.assert_fails(self.run_bare("--explain", "-f", "missing", "-e", "true"), 2, "cannot grant")

    def test_no_walls(self):
        result = self.run_bare("--isolate=none", "--explain", "-e", "true")
        self.assertEqual(parse(result.stdout)["Walls"], {"none": "--isolate=none is no sandbox"})


if __name__ == "__main__":
    launcher.main()
