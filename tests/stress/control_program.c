// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A program that knows nothing of this project: a timer's handler opens and asks for access every
// 200 microseconds while main() opens, asks for access and allocates. Status 0: all went as it
// should.
//
//     control_program FILE MILLISECONDS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *file;
static volatile sig_atomic_t handled;
static volatile sig_atomic_t failed;

static void open_and_close(int error)
{
    int descriptor = open(file, O_RDONLY);
    if (descriptor < 0 || close(descriptor) != 0)
        failed = error;
}

static void ask(int error)
{
    if (access(file, R_OK) != 0)
        failed = error;
    if (access("/no/such/file", F_OK) != -1 || errno != ENOENT)
        failed = error + 1;
}

static void on_timer(int signal)
{
    int error = errno;
    (void)signal;
    open_and_close(10);
    ask(11);
    ++handled;
    errno = error;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    file = argv[1];
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_timer;
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval interval = {{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &interval, NULL);
    const double end = now() + atof(argv[2]);
    long rounds = 0;
    while (failed == 0 && now() < end) {
        open_and_close(20);
        ask(21);
        char *memory = malloc(1 + (size_t)(rounds * 37 % 5000));
        if (memory == NULL)
            failed = 23;
        else
            memory[0] = 'x';
        free(memory);
        ++rounds;
    }
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%ld rounds, %d signals\n", rounds, (int)handled);
    if (failed == 0 && handled == 0)
        failed = 30;
    return failed;
}
