#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""User IDs where /etc/subuid sets some aside: the sandbox owns no file of the host, and sees that nowhere.

usage: as in launcher.py, with --subordinate-ids
"""
import os
import stat

import launcher
from launcher import LauncherTest, find_descendant

# As tests/support/with_subordinate_ids sets them aside.
RANGES = {0: range(200000, 201000), 12345: range(300000, 301000)}


class Ids(LauncherTest):
    def python_says(self, script, output, **options):
        self.assert_output(self.run_in_sandbox("/usr/bin/python3", "-c", script, **options), output)

    def test_outside_it_is_a_user_who_was_set_aside(self):
        process = self.start("-e", "sleep", "100")
        for name in ("sleep", "pola-init"):
            with open(f"/proc/{find_descendant(process.pid, name)}/status", encoding="ascii") as file:
                ids = next(line.split()[1:] for line in file if line.startswith("Uid:"))
            self.assertEqual(len(set(ids)), 1)
            self.assertIn(int(ids[0]), RANGES[launcher.settings.uid])

    def test_inside_it_is_the_caller(self):
        uid = launcher.settings.uid
        self.python_says("import os; print(os.getresuid(), os.getgid())", f"({uid}, {uid}, {uid}) {uid}\n")

    def test_files_show_their_owners(self):
        script = f"import os; print(os.stat({self.file!r}).st_uid, os.fstat(os.open({self.file!r}, os.O_RDONLY)).st_uid, os.fstat(os.pipe()[0]).st_uid)"
        self.python_says(script, " ".join([str(launcher.settings.uid)] * 3) + "\n")

    def test_files_are_made_as_the_caller(self):
        self.assert_output(self.run_bare("-B", "-fw", self.directory, "-e", "sh", "-c", "umask 077; echo x > new; chmod 640 new; cat new"), "x\n")
        status = os.stat(self.directory + "/new")
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (launcher.settings.uid, 0o640))

    def test_the_kernel_does_not_take_it_for_the_owner(self):
        # Of a read-only descriptor: what the system call filter lets through, and only an owner may do.
        script = f"""
import fcntl, os
file = os.open({self.file!r}, os.O_RDONLY)
for call in (lambda: fcntl.fcntl(file, fcntl.F_SETFL, os.O_NOATIME), lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)):
    try: call(); print("done")
    except PermissionError: print("refused")
"""
        self.python_says(script, "refused\nrefused\n")

    def test_programs_of_the_caller_alone_can_be_executed(self):
        if launcher.settings.door == "loader":
            script = "cp /usr/bin/echo own && chmod 700 own && ./own ran"
            self.assert_output(self.run_bare("-B", "-fw", self.directory, "-e", "sh", "-c", script), "ran\n")

    def test_it_ends_with_its_caller(self):
        process = self.start("-e", "bash", "-c", "echo ready; exec sleep 100")
        self.assertEqual(process.stdout.readline(), "ready\n")
        init = find_descendant(process.pid, "pola-init")
        process.terminate()
        process.wait(timeout=20)
        self.assertFalse(os.path.exists(f"/proc/{init}"))


if __name__ == "__main__":
    launcher.main()
