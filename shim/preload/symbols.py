#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is made of the tables of libc's symbols, libc_symbols.def and libc_symbols_without_path.def.

    symbols.py version-script       the linker's list of what the shim exports
    symbols.py documentation        SYMBOLS.md
    symbols.py check-libc LIBC      every symbol of the installed libc is in the tables
    symbols.py check-shim SHIM      the shim exports what the tables say is wrapped, and nothing else
"""

import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
SECTION = re.compile(r'^PLASH_SYMBOLS\("(.*)"\)$')
SYMBOL = re.compile(r'^PLASH_SYMBOL\((\w+), (WRAPPED|LEFT|KERNEL), (EMULATED|NATIVE|DENIED), (EMULATED|NATIVE|DENIED), "(.*)"\)$')


def read_table():
    """[(section, [(name, preload, loader, glibc, note)])]"""
    sections = []
    path = FOLDER / 'libc_symbols.def'
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if section := SECTION.match(line):
            sections.append((section[1], []))
        elif symbol := SYMBOL.match(line):
            sections[-1][1].append(symbol.groups())
        elif line.startswith('PLASH_'):
            sys.exit(f'{path}:{number}: not understood: {line}')
    return sections


def read_symbols_without_path():
    text = (FOLDER / 'libc_symbols_without_path.def').read_text()
    names = []
    for group in re.findall(r'^PLASH_SYMBOLS_WITHOUT_PATH\(([^)]*)\)', text, re.M):
        names += re.findall(r'\w+', group)
    return names


def rows():
    return [row for _, section in read_table() for row in section]


def wrapped():
    return sorted(name for name, preload, *_ in rows() if preload == 'WRAPPED')


def dynamic_symbols(library):
    """Names, without versions, that a library defines for others."""
    listing = subprocess.run(['nm', '-D', '--defined-only', library], check=True, capture_output=True, text=True).stdout
    fields = (line.split() for line in listing.splitlines())
    return {name.split('@')[0] for *_, kind, name in fields if kind != 'A'}  # A: the versions themselves


def version_script():
    print('{\n  global:')
    for name in wrapped():
        print(f'    {name};')
    print('  local:\n    *;\n};')


def documentation():
    counts = {kind: sum(row[1] == kind for row in rows()) for kind in ('WRAPPED', 'LEFT', 'KERNEL')}
    print(f'''# libc's symbols and the doors

Made from `libc_symbols.def` by `symbols.py documentation`. Of glibc's libc.so.6 (2.36), {len(rows())} symbols take a path, act on a
directory or could close a service descriptor; {len(read_symbols_without_path())} others do not (`libc_symbols_without_path.def`).

| preload | | symbols |
| --- | --- | --- |
| WRAPPED | exported by the shim | {counts['WRAPPED']} |
| LEFT | what libc does inside itself meets the kernel, which in a sandbox has the loader and the system libraries only | {counts['LEFT']} |
| KERNEL | the kernel's call, refused in a sandbox | {counts['KERNEL']} |

loader and glibc: EMULATED, its system calls come to the engine; NATIVE, it makes none that does; DENIED, answered with an error.
''')
    for title, section in read_table():
        print(f'## {title}\n\n| symbols | preload | loader | glibc | |\n| --- | --- | --- | --- | --- |')
        # One line for neighbours that are treated alike.
        index = 0
        while index < len(section):
            treatment = section[index][1:]
            names = []
            while index < len(section) and section[index][1:] == treatment:
                names.append(f'`{section[index][0]}`')
                index += 1
            print(f"| {' '.join(names)} | {' | '.join(treatment)} |")
        print()


def report(problems):
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


def check_libc(libc):
    with_path = [row[0] for row in rows()]
    without_path = read_symbols_without_path()
    known = with_path + without_path
    installed = dynamic_symbols(libc)
    if len(installed) < 1000:
        sys.exit(f'{libc} lists only {len(installed)} symbols')
    problems = [f'{name}: in libc, but not in the tables' for name in sorted(installed - set(known))]
    problems += [f'{name}: in the tables more than once' for name in sorted(set(known)) if known.count(name) > 1]
    report(problems)


def check_shim(shim):
    expected, exported = set(wrapped()), dynamic_symbols(shim)
    problems = [f'{name}: WRAPPED in the table, but not exported' for name in sorted(expected - exported)]
    problems += [f'{name}: exported, but not WRAPPED in the table' for name in sorted(exported - expected)]
    report(problems)


def main(arguments):
    commands = {'version-script': version_script, 'documentation': documentation, 'check-libc': check_libc, 'check-shim': check_shim}
    if not arguments or arguments[0] not in commands:
        sys.exit(__doc__)
    commands[arguments[0]](*arguments[1:])


main(sys.argv[1:])
