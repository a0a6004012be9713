// What every test program, service and module here shares: lines of output that
// both implementations must print alike, checks that name their place, leaks.
#ifndef CTEST_H
#define CTEST_H

#include "skynet.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// As in malloc_hook.h: blocks of the malloc family that are alive, and their bytes. A core that leaves
// the system's allocator in place counts none; then a memory checker does it.
size_t malloc_memory_block(void);
size_t malloc_used_memory(void);

// One line of the test's output, whole even when several threads print.
__attribute__((format(printf, 1, 2), unused))
static void say(const char *format, ...) {
    char line[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    strcat(line, "\n");
    fputs(line, stdout);
    fflush(stdout);
}

__attribute__((noreturn, unused))
static void fail(const char *file, int line, const char *what) {
    say("FAILED at %s:%d: %s", file, line, what);
    _exit(70);
}

#define CHECK(what) ((what) ? (void)0 : fail(__FILE__, __LINE__, #what))

// Seconds on a clock that nobody sets.
__attribute__((unused))
static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// After `rounds` repetitions of something: a leak or a double free in each of them
// shows as a block or more a round; a buffer that the core keeps for later does not.
__attribute__((unused))
static void say_leaks(const char *what, size_t before, int rounds) {
    long left = (long)malloc_memory_block() - (long)before;
    if (labs(left) <= rounds / 50)
        say("%s: every block freed once", what);
    else
        say("%s: %ld blocks left after %d rounds", what, left, rounds);
}

#endif
