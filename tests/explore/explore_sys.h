/* SPDX-License-Identifier: MIT
 * The system under a kernel: base/sys.h's table, with what must be the same in every execution
 * (memory, time, threads) and what is a choice (membarrier, futex) replaced. */
#ifndef LIDO_TESTS_EXPLORE_SYS_H
#define LIDO_TESTS_EXPLORE_SYS_H

#include "base/sys.h"
#include "explore.h"

enum explore_barrier {
    EXPLORE_BARRIER_WORKS,
    EXPLORE_BARRIER_EMPTY,     /* broken: says that it worked, and is no fence to anybody */
    EXPLORE_BARRIER_NEVER,     /* denied from the start */
    EXPLORE_BARRIER_GONE,      /* promised at the start, denied ever after */
    EXPLORE_BARRIER_GOES_AWAY, /* denied once the process is under way: each call may be the first */
};

/* In setup: fills lido__sys. */
void explore_sys_begin(enum explore_barrier barrier);

/* What the product has registered for a thread's end runs, in this thread. */
void explore_sys_end_thread(void);

#endif
