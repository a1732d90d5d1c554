// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/options.h"

namespace plash::pola_run {

std::string_view usage_text() {
  return R"(Usage: pola-run [OPTION]... (--prog F | -e CMD [ARG]...)
Runs a program that can reach only the files that are granted here.

The program
  --prog F               the executable: a path in the sandbox, or a name to be looked up in PATH
  -a S                   append S to the program's arguments
  -e CMD [ARG]...        takes the rest of the line: the program (unless --prog gave it) and arguments
  --cwd D                working directory, of the program and for the relative paths that follow
  --copy-cwd             the caller's working directory (default)
  --no-cwd               no working directory for the program
  --env N=V              set an environment variable
  --fd N                 pass file descriptor N, besides 0 to 2

Grants: read-only unless flags say otherwise
  -f[FLAGS] P            grant file or directory P at its own path
  -t[FLAGS] DEST SRC     grant SRC, under the name DEST
      a                  append P (or DEST) to the program's arguments
      w                  read, write, and create, replace and remove at that name
      l                  follow symlinks: grant the links and what they lead to
      s                  symlinks may be created (with w)
      ,objrw             read and write what is there, without replacing it
      ,socket            Unix-domain sockets may be connected to
  -B                     /usr, /bin, /lib, /lib64, /etc/alternatives, ld.so.cache and localtime, links followed;
                         /sys/devices/system/cpu; /dev/random and urandom; /dev/null, zero, full and tty, writable; and the sandbox's
                         own /proc, /dev/pts, /dev/ptmx and /dev/shm
  --tmp, --tmpdir D      a fresh, writable directory at /tmp, or at D; removed afterwards
  --net                  the host's network, and the files of /etc that name resolution reads

The sandbox
  --door=loader|preload|glibc
                         how calls reach the file server: by a loader that serves any 64-bit program (default), by
                         libplash-preload.so, for dynamically linked ones alone, or by a glibc that was rebuilt to
                         make them itself, for dynamically linked ones as well
  --glibc=DIR            where that glibc is (default: $PLASH_GLIBC); tools/build-plash-glibc makes one
  --isolate=userns|landlock|none
                         how the kernel is told to withhold everything else: by namespaces, an empty root and more
                         (default); where namespaces are not allowed, by Landlock and a system call filter, which
                         is weaker; or not at all, which is no sandbox
  --no-file-capabilities run by root, the file server gives up what lets root act on everybody's files too
  --limit NAME=N         what the sandbox may use of the server: objects, calls, threads, waiting, messages,
                         bytes (N may end in K, M, G), descriptors or sessions
  --share-terminal       use the caller's terminal itself, not one of the sandbox's own that is relayed to it
  --explain              run nothing: print what walls are put up for this command, and what is granted
  --log, --log-file F    log each call, on standard error or to F

  -h, --help             this text
  --version              the version

A value is written --option V or --option=V, -f P or -f=P.

What the kernel itself shows the program is a root that holds the loader and nothing else; with
--door=preload the dynamic loader, system libraries (/usr/lib*, /lib*) and their cache
(/etc/ld.so.cache), and the preload library (/plash), read-only. There is no /proc and no /dev in it.
Everything else is served by name, as granted.

Exit status: the program's own, and its signal; 2 the command line is wrong, 125 the sandbox could not
be set up (in both cases nothing was run), 126 the program could not be executed, 127 it was not found.
)";
}

}  // namespace plash::pola_run
