/* SPDX-License-Identifier: MIT
 * lido/budget.h -- memory that several pools share.
 *
 * Pools that are busy at different times need not each keep what they need at their own peak. A
 * pool that is made with a budget (`budget` and `object_bytes` of lido/object_pool.h) counts each
 * of its objects against it, and an idle object of one pool makes room for another:
 *
 *      parsers   [##########]--+
 *      contexts  [####]--------+-->  budget: limit_bytes, pressure_bytes
 *      buffers   [#######]-----+         |
 *                                        +--> short: idle objects of the pool used least go first
 *
 * What is promised:
 *   - The objects of all its pools together never count more than limit_bytes.
 *   - Above pressure_bytes, a pool that builds first destroys as much that is idle elsewhere.
 *   - Every cleanup_interval_ns, idle objects of pools that nobody used since are destroyed.
 *   - A pool that sizes itself keeps its object_min; the reason stands among its decisions.
 *
 * A pool without room behaves as at its object_limit: who asks waits for a release of that pool,
 * or until something in another pool was destroyed.
 *
 * No thread of lido does this: slow acquires of the pools do, and lido_budget_tend(), for a ticker
 * of yours. What another pool lays idle while a thread waits for room is found by the next of them.
 *
 * Not here: memory of block pools (their block_limit bounds it).
 */
#ifndef LIDO_BUDGET_H
#define LIDO_BUDGET_H

#include <lido/base.h>

LIDO_BEGIN

typedef struct lido_budget lido_budget;

enum {
    LIDO_BUDGET_KEEP = 1 << 0, /* idle objects are left alone, until the knob `reclaim` is on */
};

/* Zero in a field is its default. Later versions add fields at the end. */
typedef struct lido_budget_options {
    uint64_t    struct_size;         /* set by LIDO_BUDGET_OPTIONS; in C++: = sizeof options */
    uint64_t    limit_bytes;         /* default: no limit */
    uint64_t    pressure_bytes;      /* default 400,000,000 */
    uint64_t    cleanup_interval_ns; /* 1 second to 1 day; default 180 seconds */
    uint64_t    flags;               /* LIDO_BUDGET_KEEP */
    const char *name;                /* copied, shorter than LIDO_NAME_BYTES; default "unnamed" */
    const char *owner;               /* the part of the program it belongs to */
} lido_budget_options;

/* Options by name, in place (C only). */
#define LIDO_BUDGET_OPTIONS(...)                                                                   \
    (&(const lido_budget_options){.struct_size = sizeof(lido_budget_options), __VA_ARGS__})

/* Makes a budget and stores it in *budget; its settings are knobs of its panel (lido/panel.h).
 *
 * Errors   ARGUMENT     a field is out of range; the message names it
 *          UNSUPPORTED  a field or flag that this library version does not know is set
 *          NO_MEMORY    the budget could not be had
 *          On any error *budget becomes NULL and nothing is kept. */
#define lido_budget_create(options, budget) lido_budget_create_at(options, budget, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_budget_create_at(const lido_budget_options *options,
                                                          lido_budget **budget, const char *site);

/* Ends it. NULL does nothing.
 *
 * Errors   BUSY  pools of it are alive; the message names one
 * Threads  no other call on this budget may be running, and no pool may be made with it */
LIDO_API lido_status lido_budget_destroy(lido_budget *budget);

/* Cleans up if it is time to, and destroys idle objects while more than pressure_bytes are in use
 * or a pool waits for room. Once a second is often enough.
 *
 * Returns  bytes given back. */
LIDO_API uint64_t lido_budget_tend(lido_budget *budget);

/* Counts of this moment. Those "since creation" only grow. */
typedef struct lido_budget_stats {
    uint64_t struct_size;     /* set it to sizeof before the call */
    uint64_t used_bytes;      /* what the objects of all pools count */
    uint64_t used_peak_bytes; /* the most since creation */
    uint64_t pool_count;      /* pools that share it */
    uint64_t refused;         /* objects not built for lack of room, since creation */
    uint64_t reclaimed_bytes; /* idle objects destroyed by it, since creation */
    uint64_t cleanups;        /* since creation */
} lido_budget_stats;

/* Fills *stats, as far as its struct_size reaches.
 *
 * Errors   ARGUMENT  struct_size is not set */
LIDO_API lido_status lido_budget_read_stats(const lido_budget *budget, lido_budget_stats *stats);

LIDO_END

#endif
