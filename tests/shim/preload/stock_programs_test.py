#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock programs print the same, and end the same, natively and with the shim.

    stock_programs_test.py shim SHIM            under LD_PRELOAD, without a server: the shim passes calls on
    stock_programs_test.py sandbox POLA_RUN     in a sandbox that holds their directory and the default endowment
"""

import os
import shutil
import subprocess
import sys
import tempfile

# Each runs in a fresh copy of the same small tree.
COMMANDS = [
    ['ls', '-la', '--time-style=+'],
    ['ls', '-R', '.'],
    ['ls', 'missing'],
    ['cat', 'one', 'two', 'missing', 'folder'],
    ['sort', 'two', 'folder'],
    ['find', '.', '-name', '*o*', '-exec', 'wc', '-c', '{}', ';'],
    ['grep', '-rn', 'line', '.'],
    ['sh', '-c', 'cp -a folder copy && mv one moved && rm -r folder && ls -R . && cat copy/three'],
    ['sh', '-c', 'mkdir -p a/b/c && ln -s ../one a/link && ln two hard && readlink -f a/link | sed s,.*/,, && stat -c %h two'],
    ['sh', '-c', 'sed -i s/line/LINE/ two && cat two && touch -d @1000000000 two && stat -c %Y two && chmod 640 two && stat -c %a two'],
    ['sh', '-c', 'tar cf all.tar one two folder && mkdir x && tar xf all.tar -C x && ls -R x && tar tf all.tar'],
    ['bash', '-c', 'cd folder && pwd | sed s,.*/,, && x=$(cat three | tr a-z A-Z) && echo "$x" > out && cat < out; cd ../missing; echo $?'],
    ['bash', '-c', 'for f in *; do test -d $f && echo "$f is a directory"; done; exec 7>seven; echo text >&7; cat seven; exit 9'],
    ['bash', '-c', 'kill -TERM $$'],
    ['/usr/bin/python3', '-c', '''
import os, shutil, subprocess, tempfile, threading, pwd, grp, glob
print(sorted((a, sorted(b), sorted(c)) for a, b, c in os.walk('.')))
shutil.copytree('folder', 'copy'); print(sorted(os.listdir('copy')))
with tempfile.TemporaryDirectory(dir='.') as d: open(d + '/f', 'w').write('x'); print(os.listdir(d))
print(subprocess.run(['sh', '-c', 'echo out; echo err >&2; exit 4'], capture_output=True))
print(subprocess.run('pwd', cwd='folder', capture_output=True).stdout[-7:], os.popen('echo popen').read(), os.system('exit 3'))
found = []
threads = [threading.Thread(target=lambda: found.append(open('one').read())) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]; print(found)
print(pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name, glob.glob('*o*').__len__(), os.path.realpath('link')[-4:])
fd = os.open('folder', os.O_RDONLY); os.fchdir(fd); print(os.listdir('.'), os.stat(fd).st_mode)
'''],
    ['perl', '-e', 'opendir(D, ".") or die; print sort(readdir D), "\\n"; print `echo backtick`; open(F, "|cat") or die; print F "piped\\n"; close F; exit 5'],
]


def make_tree(path):
    os.makedirs(path + '/folder')
    for name, text in (('one', 'a line\n'), ('two', 'c\nb line\na\n'), ('folder/three', 'third line\n')):
        with open(f'{path}/{name}', 'w') as file:
            file.write(text)
        os.utime(f'{path}/{name}', (10**9, 10**9))
    os.symlink('one', path + '/link')
    os.utime(path + '/folder', (10**9, 10**9))


def run(command, environment, wrap=lambda path, command: command):
    above = tempfile.mkdtemp(prefix='plash-preload-')
    path = above + '/tree'
    try:
        make_tree(path)
        done = subprocess.run(wrap(path, command), cwd=path, env=environment, capture_output=True, stdin=subprocess.DEVNULL)
        # Directory listings are in the directory's own order: compare without it.
        lines = sorted((done.stdout + done.stderr).replace(path.encode(), b'TREE').splitlines())
        return done.returncode, lines
    finally:
        shutil.rmtree(above)


def with_shim(shim, plain):
    environment = dict(plain, LD_PRELOAD=os.path.abspath(shim))
    # The comparison is worth nothing where the shim is not loaded.
    maps = subprocess.run(['cat', '/proc/self/maps'], env=environment, capture_output=True, text=True).stdout
    if 'libplash-preload.so' not in maps:
        sys.exit('the shim is not loaded')
    return lambda command: run(command, environment)


def in_sandbox(pola_run, plain):
    def wrap(path, command):
        return [os.path.abspath(pola_run), '--door=preload', '-B', '-fws', os.path.dirname(path), '--cwd', path, '-f', '/etc/passwd', '-f', '/etc/group', '-e'] + command
    # Nor where the sandbox lets the program see what it was not granted.
    if run(['cat', '/etc/hostname'], plain, wrap)[0] == 0:
        sys.exit('a file that was not granted can be read')
    return lambda command: run(command, plain, wrap)


def main(kind, what):
    plain = {name: value for name, value in os.environ.items() if name not in ('LD_PRELOAD', 'PLASH_CAPS')}
    plain['LC_ALL'] = 'C'
    run_otherwise = {'shim': with_shim, 'sandbox': in_sandbox}[kind](what, plain)
    failures = 0
    for command in COMMANDS:
        expected, found = run(command, plain), run_otherwise(command)
        if expected != found:
            failures += 1
            print(f'{command}\n  natively: {expected}\n  with {kind}: {found}')
    print(f'{len(COMMANDS)} commands, {failures} with other results than natively')
    sys.exit(1 if failures else 0)


main(*sys.argv[1:])
