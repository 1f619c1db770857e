/* SPDX-License-Identifier: MIT
 * What stress tests share: real time and threads, and a hook before each atomic operation of lido
 * that now and then gives the CPU away, so that unlikely interleavings happen within a second.
 * LIDO_STRESS_SECONDS says how long a program runs, 1 if not told; its cases share that. */
#ifndef LIDO_TESTS_STRESS_H
#define LIDO_TESTS_STRESS_H

#include "check.h"

#include <sched.h>

static _Thread_local uint64_t stress__state;

static inline void stress__yield(void) {
    if (stress__state == 0)
        stress__state = check_seed ^ (uint64_t)(uintptr_t)&stress__state;
    stress__state = stress__state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    if (stress__state >> 33 & 7)
        return;
    if (stress__state >> 40 & 1)
        sched_yield();
    else
        for (volatile int spin = (int)(stress__state >> 48 & 255); spin > 0; spin--)
            ;
}

static uint64_t stress__end_ns;
static _Atomic uint64_t stress__rounds;

/* Starts the time of one case out of `cases` in the program. */
static inline void stress_start(int cases) {
    const char *given = getenv("LIDO_STRESS_SECONDS");
    double seconds = given ? strtod(given, NULL) : 1;
    check_real_time();
    lido__yield_hook = stress__yield;
    stress__rounds = 0;
    stress__end_ns = lido_now_ns() + (uint64_t)(seconds * 1e9 / cases);
    alarm(CHECK_TEST_SECONDS + (unsigned)seconds);
}

enum { STRESS_ROUNDS_MIN = 5 };

/* Asked once a round by each thread. However slow the machine is, some rounds are made: a case that
 * did nothing has shown nothing. */
static inline bool stress_goes_on(void) {
    return ++stress__rounds <= STRESS_ROUNDS_MIN || lido__sys_real.now_ns() < stress__end_ns;
}

static inline void stress_end(const char *what) {
    lido__yield_hook = NULL;
    print_message("    %s: %llu rounds\n", what, (unsigned long long)stress__rounds);
    CHECK(stress__rounds >= STRESS_ROUNDS_MIN);
}

#endif
