#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the shim does in a sandbox only: each case is a small program, run by pola-run with a directory of its own.

    sandbox_test.py POLA_RUN SHIM
"""

import os
import subprocess
import sys
import tempfile

PYTHON = ['/usr/bin/python3', '-c']
EBADF, ENOSYS = 9, 38

# name, options of pola-run, program, expected standard output, expected exit status
CASES = [
    ('service descriptors cannot be closed, replaced or controlled, and service goes on', [], PYTHON + ['''
import fcntl, os
def error(call):
    try: return call() and 0
    except OSError as error: return error.errno
service = [int(part.split("=")[1]) for part in os.environ["PLASH_CAPS"].split(";")]
for fd in service:
    print(error(lambda: os.close(fd)), error(lambda: os.dup2(0, fd)), error(lambda: fcntl.fcntl(fd, fcntl.F_SETFD, 1)))
os.closerange(3, 4096)
print(os.listdir("."))
'''], f'{EBADF} {EBADF} {EBADF}\n' * 2 + "['file']\n", 0),
    ('an environment without PLASH_CAPS and LD_PRELOAD is completed by exec', [], PYTHON + [
        'import os; os.execve("/bin/cat", ["cat", "file"], {})'], 'text\n', 0),
    ('and by posix_spawn', [], PYTHON + [
        'import os; os.waitpid(os.posix_spawn("/bin/cat", ["cat", "file"], {}), 0)'], 'text\n', 0),
    ('IDs are what PLASH_FAKE_* say, and are set without effect',
     ['--env', 'PLASH_FAKE_UID=11', '--env', 'PLASH_FAKE_EUID=12', '--env', 'PLASH_FAKE_GID=13', '--env', 'PLASH_FAKE_EGID=14'],
     PYTHON + ['import os; os.setuid(5); os.setresgid(1, 2, 3); print(os.getresuid(), os.getgid(), os.getegid(), os.getuid())'],
     '(11, 12, 12) 13 14 11\n', 0),
    ('accounts are those of the namespace', [], PYTHON + ['''
import grp, os, pwd
print(pwd.getpwnam("tester").pw_uid, pwd.getpwuid(4321).pw_dir, [entry.pw_name for entry in pwd.getpwall()])
print(grp.getgrnam("testers").gr_mem, grp.getgrgid(4322).gr_name, sorted(os.getgrouplist("tester", 7)))
try: pwd.getpwnam("root")
except KeyError: print("no root")
'''], "4321 /nowhere ['tester', 'other']\n['other', 'tester'] testers [7, 4322]\nno root\n", 0),
    ('directories are directories: by descriptor, as a stream, in another process', [], PYTHON + ['''
import os, stat, subprocess
fd = os.open(".", os.O_RDONLY)
print(stat.S_ISDIR(os.fstat(fd).st_mode), os.listdir(fd), os.stat("file", dir_fd=fd).st_size)
try: os.read(fd, 10)
except OSError as error: print(error.errno)
copy = os.dup(fd)
print(subprocess.run(["/usr/bin/python3", "-c", f"import os; os.fchdir({copy}); print(os.listdir())"],
                     pass_fds=[copy], cwd="/", capture_output=True, text=True).stdout.strip())
'''], "True ['file'] 5\n21\n['file']\n", 0),
    ('what was not granted is not there', [], ['sh', '-c', 'cat /etc/hostname 2>/dev/null || ls /root /home 2>/dev/null'], '', 2),
    ('a file that cannot be executed, and one that is not there', [], ['sh', '-c', './file; echo $?; ./missing; echo $?'],
     '126\n127\n', 0),
    ('temporary directories of the shell and of python', ['--tmp'], ['sh', '-c', 'f=$(mktemp) && echo x > $f && cat $f && '
     + 'python3 -c "import tempfile; print(tempfile.TemporaryFile().fileno() > 2)"'.replace('python3', '/usr/bin/python3')],
     'x\nTrue\n', 0),
]


def run(pola_run, options, command):
    with tempfile.TemporaryDirectory(prefix='plash-sandbox-') as path:
        for name, text in (('passwd', 'tester:x:4321:4322:A Tester:/nowhere:/bin/sh\n\nother:x:5000:5000::/:/bin/sh\n'),
                           ('group', 'testers:x:4322:other,tester\nothers:x:5000:\n')):
            with open(f'{path}/{name}', 'w') as file:
                file.write(text)
        os.mkdir(path + '/work')
        with open(path + '/work/file', 'w') as file:
            file.write('text\n')
        arguments = [pola_run, '--door=preload', '-B', '-fws', path + '/work', '--cwd', path + '/work', '-t', '/etc/passwd', path + '/passwd',
                     '-t', '/etc/group', path + '/group', *options, '-e', *command]
        return subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def check_malformed(shim):
    """Every call fails with ENOSYS, and standard error says why once."""
    environment = {'LD_PRELOAD': os.path.abspath(shim), 'PLASH_CAPS': 'nonsense'}
    done = subprocess.run(['/bin/cat', '/etc/passwd'], env=environment, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    explained = [line for line in lines if 'PLASH_CAPS' in line]
    return done.returncode == 1 and done.stdout == '' and len(explained) == 1 and 'Function not implemented' in done.stderr, done


def main(pola_run, shim):
    failures = 0
    for name, options, command, output, status in CASES:
        done = run(os.path.abspath(pola_run), options, command)
        if (done.stdout, done.returncode) != (output, status):
            failures += 1
            print(f'{name}:\n  expected {status}: {output!r}\n  found {done.returncode}: {done.stdout!r}\n{done.stderr}')
    good, done = check_malformed(shim)
    if not good:
        failures += 1
        print('malformed PLASH_CAPS:', done)
    print(f'{len(CASES) + 1} cases, {failures} failed')
    sys.exit(1 if failures else 0)


main(*sys.argv[1:])
