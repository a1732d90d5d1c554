#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs plash-stress with a broken call path, which it must find within ten seconds.

    find_mutant.py PLASH_STRESS_WITH_MUTANT
    find_mutant.py PLASH_STRESS POLA_RUN PRELOAD_LIBRARY_WITH_MUTANT
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

ALLOWED_SECONDS = 10


def stage(directory, plash_stress, pola_run, library):
    """Lays the three out as in a build directory, where each finds the next. Returns the path of plash-stress."""
    os.mkdir(f'{directory}/tools')
    os.mkdir(f'{directory}/shim')
    shutil.copy(pola_run, f'{directory}/tools/pola-run')
    shutil.copy(library, f'{directory}/shim/libplash-preload.so')
    return shutil.copy(plash_stress, f'{directory}/tools/plash-stress')


def find(command):
    begin = time.monotonic()
    run = subprocess.run(command + ['--seconds=4', '--fail-fast'], stdout=subprocess.PIPE, text=True)
    taken = time.monotonic() - begin
    print(run.stdout)
    print(f'status {run.returncode} after {taken:.1f} s')
    if run.returncode != 1:
        sys.exit('the mutant was not found')
    if taken > ALLOWED_SECONDS:
        sys.exit(f'it took longer than {ALLOWED_SECONDS} s')


if len(sys.argv) == 2:
    find([sys.argv[1], '--door=call'])
else:
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        os.environ['PLASH_CALL'] = 'kept'
        find([stage(directory, *sys.argv[1:4]), '--door=preload'])
