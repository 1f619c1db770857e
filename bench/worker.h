/* SPDX-License-Identifier: MIT
 * worker.h -- what every contestant of a bench shares: its command line, threads, windows, clocks.
 *
 * A contestant is a small program of its own, so that two allocators never meet in one process:
 *
 *      PROGRAM --version                      one line: what was found, and its version
 *      PROGRAM PATTERN [VALUE...] [OPTION...] one number a line, a line a window
 *
 * It measures several short windows and prints the cost of each; the bench takes their median. Short
 * windows, because on a machine that others use a long one is nearly sure to be interrupted.
 * Exit status 77 says "this peer has nothing of the kind".
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORKER_CANNOT = 77, WORKER_THREADS_MAX = 64, WORKER_VALUES_MAX = 4 };

typedef struct worker_arguments {
    const char *pattern;
    uint64_t values[WORKER_VALUES_MAX]; /* what the pattern means by them is its own */
    unsigned window_count;
    uint64_t window_ns;   /* about how long one window takes */
    uint64_t fixed_count; /* not 0: one window of exactly so many operations, for counting */
    unsigned cpu_shift;   /* thread 0 runs on the CPU with this number among the allowed ones */
} worker_arguments;

/* A load: begin and end run in each thread outside the windows and may be NULL. */
typedef struct worker_load {
    void (*begin)(void *context, unsigned thread);
    void (*run)(void *context, unsigned thread, uint64_t count);
    void (*end)(void *context, unsigned thread);
    void *context;
    unsigned thread_count;
    bool
        wall_of_all; /* first start to last end, over all operations; else each thread's own mean */
} worker_load;

worker_arguments worker_read_arguments(int argc, char **argv);

/* Measures a load and prints a line a window. Returns the exit status. */
int worker_measure(const worker_arguments *arguments, const worker_load *load);

/* Ends the process with a message. */
_Noreturn void worker_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

void worker_pin(unsigned shifted_cpu);
unsigned worker_cpu_count(void);
uint64_t worker_now_ns(void);
uint64_t worker_resident_bytes(void);
uint64_t worker_faults(void);
void worker_sleep_ns(uint64_t duration_ns);

/* The system calls between the two marks are counted when the bench asks for it. */
void worker_mark(void);

/* Tells the compiler that somebody looks at the memory behind the pointer. */
static inline void worker_keep(void *pointer) {
    __asm__ volatile("" : : "r"(pointer) : "memory");
}

static inline void worker_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __asm__ volatile("pause" : : : "memory");
#else
    __asm__ volatile("" : : : "memory");
#endif
}

/* xorshift64*: a seed that is not 0 gives the same numbers everywhere. */
static inline uint64_t worker_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

#endif
