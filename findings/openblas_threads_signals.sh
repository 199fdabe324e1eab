#!/bin/sh
# OpenBLAS: its threads start before main, so a signal that main blocks everywhere reaches them
# Versions: 0.3.21, 0.3.29, 0.3.34 (Debian 12, 13, testing: libopenblas0-pthread), x86-64.
# One would guess: a program that has called no BLAS has one thread, and a signal that it blocks
# at the top of main waits until it asks for it.
# Seen: with OPENBLAS_NUM_THREADS=2 there are two threads at the top of main, and the second took
# the empty mask that the process began with. A SIGHUP that comes while main is busy is delivered
# there: a handler runs in OpenBLAS's thread, and without a handler the process ends (status
# 129). Only a sigtimedwait that main was in already had it. With OPENBLAS_NUM_THREADS=1 it waits
# for main. Who cannot set that before the library is loaded has to start the process with the
# signal blocked.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package libopenblas0-pthread 0.3.21 0.3.29 0.3.34
[ "$(nproc)" -ge 2 ] || skip "OpenBLAS starts no thread on a single CPU"
cat >wait.c <<'C'
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int openblas_get_num_threads(void);

static pid_t main_thread;
static volatile sig_atomic_t handled_by_main;
static volatile sig_atomic_t handled_elsewhere;

static void handle(int number)
{
    (void)number;
    if (gettid() == main_thread) {
        handled_by_main = 1;
    } else {
        handled_elsewhere = 1;
    }
}

static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        count += task->d_name[0] != '.';
    }
    closedir(tasks);
    return count;
}

int main(int argc, char **argv)
{
    int at_start = threads();
    (void)argv;
    main_thread = gettid();
    signal(SIGHUP, handle);
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
    kill(getpid(), SIGHUP);
    for (int wait = 0; wait < 100 && !handled_by_main && !handled_elsewhere; wait++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    int left = sigtimedwait(&hangup, NULL, &(struct timespec){.tv_sec = 0}) == SIGHUP;
    printf("%d thread(s): %s\n", at_start,
           handled_elsewhere ? "another thread had it" : left ? "it waits for main" : "lost");
    return argc > 1 ? openblas_get_num_threads() : 0;
}
C
FLAVOUR=/usr/lib/$(gcc -print-multiarch)/openblas-pthread
compile wait -D_GNU_SOURCE "$FLAVOUR/libopenblas.so.0" "-Wl,-rpath,$FLAVOUR"
seen=$(for count in 1 2; do OPENBLAS_NUM_THREADS=$count ./wait; done)
verdict '1 thread(s): it waits for main
2 thread(s): another thread had it' "$seen" \
    "OpenBLAS $found: of two threads at the top of main the second takes SIGHUP, which main blocks"
