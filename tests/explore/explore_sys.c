/* SPDX-License-Identifier: MIT
 * The system under a kernel: see explore_sys.h. */
#include "explore_sys.h"

#include <errno.h>

struct lido__sys lido__sys;

static enum explore_barrier barrier_is;

static int register_barrier(void) {
    return barrier_is == EXPLORE_BARRIER_NEVER ? EPERM : 0;
}

static int pass_barrier(void) {
    if (barrier_is == EXPLORE_BARRIER_GOES_AWAY && explore_choose(2, "membarrier goes away:"))
        barrier_is = EXPLORE_BARRIER_GONE;
    if (barrier_is == EXPLORE_BARRIER_NEVER || barrier_is == EXPLORE_BARRIER_GONE)
        return EPERM;
    explore_membarrier();
    return 0;
}

void explore_sys_begin(enum explore_barrier barrier) {
    barrier_is = barrier;
    lido__sys = (struct lido__sys){
        .now_ns = explore_now_ns,
        .park = explore_park,
        .unpark = explore_unpark,
        .barrier_register = register_barrier,
        .barrier = pass_barrier,
    };
}
