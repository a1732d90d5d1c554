#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs plash-stress with a broken call path, which it must find within ten seconds.

    find_mutant.py PLASH_STRESS_WITH_MUTANT
"""
import subprocess
import sys
import time

ALLOWED_SECONDS = 10

begin = time.monotonic()
run = subprocess.run([sys.argv[1], '--door=call', '--seconds=4', '--fail-fast'], stdout=subprocess.PIPE, text=True)
taken = time.monotonic() - begin
print(run.stdout)
print(f'status {run.returncode} after {taken:.1f} s')
if run.returncode != 1:
    sys.exit('the mutant was not found')
if taken > ALLOWED_SECONDS:
    sys.exit(f'it took longer than {ALLOWED_SECONDS} s')
