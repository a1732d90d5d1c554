#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs plash-stress with a broken call path, which it must find within ten seconds.

    find_mutant.py PLASH_STRESS_WITH_MUTANT [SCENARIO]
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


def find(command, *runs):
    """Each run is a list of scenarios; the mutant must be found by one of them."""
    # Seconds of a machine that does nothing else; one that does takes the longer.
    allowed = ALLOWED_SECONDS * max(1, os.getloadavg()[0] / os.cpu_count())
    begin = time.monotonic()
    for scenarios in runs:
        run = subprocess.run(command + ['--seconds=4', '--fail-fast'] + scenarios, stdout=subprocess.PIPE, text=True)
        taken = time.monotonic() - begin
        print(run.stdout)
        print(f'status {run.returncode} after {taken:.1f} s of {allowed:.0f}')
        if run.returncode != 0:
            break
    if run.returncode != 1:
        sys.exit('the mutant was not found')
    if taken > allowed:
        sys.exit('it took too long')


if len(sys.argv) < 4:
    find([sys.argv[1], '--door=call'], sys.argv[2:])
else:
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        os.environ['PLASH_CALL'] = 'kept'
        # Fault injection is slower here than what it is for with most of the mutants.
        find([stage(directory, *sys.argv[1:4]), '--door=preload'], ['limits', 'timers'], ['faults'])
