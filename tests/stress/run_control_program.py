#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the control program again and again; each run must end with status 0.

    run_control_program.py PROGRAM TIMES MILLISECONDS [POLA_RUN DOOR]

Without POLA_RUN and DOOR it runs natively. Status 77 where the door is not installed.
"""
import os
import subprocess
import sys
import tempfile

# A run that takes so much longer than it should hangs.
PATIENCE_SECONDS = 30


def main():
    if sys.argv[5:] == ['glibc'] and 'PLASH_GLIBC' not in os.environ:
        print('PLASH_GLIBC does not say where tools/build-plash-glibc has put a glibc')
        sys.exit(77)
    program, times, milliseconds = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with tempfile.NamedTemporaryFile() as file:
        command = [program, file.name, milliseconds]
        if len(sys.argv) > 4:
            command = [sys.argv[4], '--door=' + sys.argv[5], '-B', '-f', program, '-f', file.name, '-e'] + command
        rounds = signals = 0
        for index in range(times):
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 timeout=PATIENCE_SECONDS, check=False)
            if run.returncode != 0:
                sys.exit(f'run {index + 1} of {times} ended with status {run.returncode}: {run.stdout}{run.stderr}')
            words = run.stdout.split()
            rounds += int(words[0])
            signals += int(words[2])
        print(f'{times} of {times} runs ended with status 0: {rounds} rounds, {signals} signals')


main()
