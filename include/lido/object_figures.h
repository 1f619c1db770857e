/* SPDX-License-Identifier: MIT
 * lido/object_figures.h -- who holds an object pool's objects, what it costs, and why it has the
 * size that it has.
 *
 * Adaptive size. With `sizing` on, not object_limit objects may exist but `size`, which moves
 * between object_min and object_limit by what was asked for:
 *   - A thread that finds all of them out waits for a release. After contention_threshold_ns (or
 *     at its deadline, if that is earlier; or at once, if it may not wait) it builds one more.
 *   - Every sizing_interval_ns, the most that were out or waited for in sizing_window_ns decide:
 *     the size becomes what keeps that peak at target_utilisation, if it is off by more than 10 %;
 *     at once upwards, a quarter of what is too much downwards.
 * No thread of lido does this: calls that wait, build or find nothing on their thread's own shelf
 * do, and lido_object_pool_tend(), for a ticker of yours. Demand is looked at in these calls only:
 * what comes and goes between them, on the fast path, is not seen. Building ahead of demand is
 * left to tend, so that no caller pays for others; without it, who needs one more builds it.
 */
#ifndef LIDO_OBJECT_FIGURES_H
#define LIDO_OBJECT_FIGURES_H

#include <lido/object_pool.h>

LIDO_BEGIN

/* ---- Watching and steering ------------------------------------------------------------- */

typedef struct lido_object_pool_holder {
    uint64_t struct_size; /* set by LIDO_OBJECT_POOL_HOLDER */
    uint64_t slot;        /* lido_lease.slot */
    uint64_t thread_id;   /* as the kernel counts: gettid() */
    uint64_t held_ns;     /* for how long; good to some milliseconds, modulo 49 days */
    void *object;
    const char *site; /* the line that acquired it; NULL if not told */
} lido_object_pool_holder;

#define LIDO_OBJECT_POOL_HOLDER {sizeof(lido_object_pool_holder), 0, 0, 0, 0, 0}

/* Finds who holds what, one by one:
 *
 *     lido_object_pool_holder h = LIDO_OBJECT_POOL_HOLDER;
 *     for (uint64_t i = 0; lido_object_pool_next_holder(pool, i, &h); i = h.slot + 1) ...
 *
 * Returns  false: no lease is out on a slot not below `slot`. */
LIDO_API bool lido_object_pool_next_holder(const lido_object_pool *pool, uint64_t slot,
                                           lido_object_pool_holder *holder);

/* Counts of this moment. Those "since creation" only grow; none is ever reset. At rest
 * existing = live + idle, and acquired = released + discarded + live + the leases lost by fork. */
typedef struct lido_object_pool_stats {
    uint64_t struct_size;     /* set it to sizeof before the call */
    uint64_t acquired;        /* leases handed out since creation */
    uint64_t released;        /* leases given back since creation */
    uint64_t discarded;       /* leases given back by discard */
    uint64_t live;            /* leases out */
    uint64_t live_peak;       /* the most that were out at once when one was built, waited for, or
                                 when figures were read */
    uint64_t idle;            /* objects ready to be handed out */
    uint64_t existing;        /* objects that exist or are being built or ended, but for retired */
    uint64_t created;         /* objects built since creation */
    uint64_t destroyed;       /* objects ended since creation */
    uint64_t lost;            /* objects that other threads held when this process was forked, or
                                 whose callback did not come back */
    uint64_t waiting;         /* threads that wait in line now */
    uint64_t waits;           /* acquires that had to wait, since creation */
    uint64_t wait_total_ns;   /* and for how long in all */
    uint64_t wait_max_ns;     /* the longest of them */
    uint64_t timeouts;        /* acquires refused: TIMEOUT or EMPTY */
    uint64_t create_failed;   /* create said no */
    uint64_t validate_failed; /* validate said no */
    uint64_t reset_failed;    /* reset said no */
    uint64_t refused_release; /* releases and discards refused: NOT_HELD */
    uint64_t object_limit;    /* the limit in force */
    uint64_t overhead_bytes;  /* memory held for book-keeping, all in */
    double reuse;             /* share of acquired served without building; 1 before the first */
    uint64_t size;            /* objects that may exist now: object_limit unless sizing is on */
    uint64_t resized;         /* how often sizing changed it */
    uint64_t retired;         /* leases out that return_all took back */
} lido_object_pool_stats;

/* Fills *stats, as far as its struct_size reaches.
 *
 * Errors   ARGUMENT  struct_size is not set */
LIDO_API lido_status lido_object_pool_read_stats(const lido_object_pool *pool,
                                                 lido_object_pool_stats *stats);

/* Changes the limit of the running pool. A lower one destroys idle objects above it now and
 * others when they come back.
 *
 * Errors   ARGUMENT   out of range */
LIDO_API lido_status lido_object_pool_set_object_limit(lido_object_pool *pool,
                                                       uint64_t object_limit);

/* Destroys idle objects until at most keep_count exist.
 *
 * Returns  how many were destroyed. */
LIDO_API uint64_t lido_object_pool_trim(lido_object_pool *pool, uint64_t keep_count);

/* With sizing on: looks at the demand, decides if it is time to, then builds up to the size, or
 * destroys idle objects above it. Once a second is often enough.
 *
 * Returns  how many objects were built or destroyed. */
LIDO_API uint64_t lido_object_pool_tend(lido_object_pool *pool);

/* Why the size is what it is. The last 16 changes are kept. */
typedef struct lido_object_pool_decision {
    uint64_t struct_size; /* set by LIDO_OBJECT_POOL_DECISION */
    uint64_t number;      /* 1, 2, ... since creation */
    uint64_t when_ns;     /* as lido_now_ns() */
    uint64_t from;        /* size before */
    uint64_t to;          /* and after */
    uint64_t peak;        /* the most out or waited for in the window */
    const char *reason;   /* static text */
} lido_object_pool_decision;

#define LIDO_OBJECT_POOL_DECISION {sizeof(lido_object_pool_decision), 0, 0, 0, 0, 0, 0}

/* Finds the oldest change kept whose number is above `after`; loop as with holders.
 *
 * Returns  false: there is none, or decision->struct_size is not set. */
LIDO_API bool lido_object_pool_next_decision(const lido_object_pool *pool, uint64_t after,
                                             lido_object_pool_decision *decision);

LIDO_END

#endif
