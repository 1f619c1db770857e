/* SPDX-License-Identifier: MIT
 * lido/object_pool.h -- objects built once, reset on release, handed out again.
 *
 * For what is dear to build and cheap to reuse: parsers, compiled queries, contexts, buffers with
 * a history. The pool never makes more than object_limit of them; who comes when all are out
 * waits, in order, up to a deadline.
 *
 *      create --> idle --> validate --> yours --> reset --> idle     (or to the oldest waiter)
 *                   |          |                    |
 *                   +----------+-- says no ---------+--> destroy
 *
 * Every object that is out has a lease, and the pool knows of every lease the line that acquired
 * it, the thread and the time: lido_object_pool_next_holder() lists them at any moment.
 *
 * What is promised in every build:
 *   - Never more than object_limit objects, and never one object with two holders.
 *   - A lease released twice, a stale copy of a lease, and a lease of another pool are refused,
 *     named in lido_last_error(), and harm nothing.
 *   - An acquire ends by its deadline unless a callback of yours runs longer.
 *   - Waiters are served in the order they came, but for a bounded overtaking (`order`).
 *   - No thread waits while an object is free, or for threads that all wait themselves.
 *   - Release needs no memory.
 *
 * Callbacks run with no lock held, several at once, in the thread that acquires, releases,
 * prepares, trims or destroys. They may call lido; an acquire from the same pool inside one is
 * refused (DEADLOCK). One that is left by a C++ exception, pthread_exit or cancellation costs its
 * object; another can be built in its place at once. Do not longjmp out of one: its place is then
 * empty until this thread ends, or calls acquire, prepare, trim or close from a frame further out,
 * or one that overwrote what the callback left on the stack.
 *
 * A child of fork() may go on: leases of the thread that forked stay its own; objects that other
 * threads held at that moment are lost there, neither handed out nor destroyed.
 *
 * All calls may run at the same time on one pool; destroy alone needs to be the only one.
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
#ifndef LIDO_OBJECT_POOL_H
#define LIDO_OBJECT_POOL_H

#include <lido/base.h>

LIDO_BEGIN

typedef struct lido_object_pool lido_object_pool;

/* ---- Making a pool --------------------------------------------------------------------- */

/* Who gets what is released while others wait. */
typedef enum lido_object_pool_order {
    LIDO_OBJECT_POOL_BOUNDED = 0,   /* who comes by may take it before a waiter, but no waiter is
                                     passed more than overtake_limit times: fast and fair */
    LIDO_OBJECT_POOL_STRICT = 1,    /* always the oldest waiter: a switch of threads each time */
    LIDO_OBJECT_POOL_UNORDERED = 2, /* who comes first */
} lido_object_pool_order;

/* Who releases: whether a wait can be known never to end. */
typedef enum lido_object_pool_released_by {
    LIDO_OBJECT_POOL_RELEASED_BY_LEARNT = 0,   /* who acquired, when 64 leases or more came back and
                             none from another thread, or there is no other; else anyone */
    LIDO_OBJECT_POOL_RELEASED_BY_ANYONE = 1,   /* leases are handed on: no wait is refused */
    LIDO_OBJECT_POOL_RELEASED_BY_ACQUIRER = 2, /* from the first lease on */
} lido_object_pool_released_by;

/* Zero in a field is its default; object_limit and create have none.
 * Later versions add fields at the end; programs built today keep working. */
typedef struct lido_object_pool_options {
    uint64_t struct_size;  /* set by LIDO_OBJECT_POOL_OPTIONS; in C++: = sizeof options */
    uint64_t object_limit; /* objects that may exist at once, 1 to 1,048,576; required */
    uint64_t waiter_limit; /* threads that may wait at once; default: no limit */

    const char *name;  /* copied, shorter than LIDO_NAME_BYTES; default "unnamed" */
    const char *owner; /* the part of the program it belongs to; default "application" */

    /* Builds an object, not NULL. Returns 0, or a code of yours for the message (CALLBACK). */
    int (*create)(void *context, void **object);
    /* Asked before an idle object is handed out: 0 is fine, else it is destroyed and the next one
     * taken. Default: always fine. */
    int (*validate)(void *context, void *object);
    /* Makes a released object ready for the next holder: 0 is fine, else it is destroyed. */
    int (*reset)(void *context, void *object);
    /* Ends an object; required if create keeps anything. */
    void (*destroy)(void *context, void *object);
    void *context; /* handed to each callback */

    uint64_t order;          /* lido_object_pool_order */
    uint64_t overtake_limit; /* for BOUNDED, 1 to 1,000,000; default 8 */

    /* Adaptive size, as told above. With sizing on, object_limit has a default, too: 32. */
    uint64_t sizing;                  /* 1: on; default 0: off */
    uint64_t object_min;              /* at most object_limit; default 2, or less if that is less */
    uint64_t target_utilisation;      /* percent, 1 to 100; default 75 */
    uint64_t contention_threshold_ns; /* default 3 ms; LIDO_FOREVER: waits do not count */
    uint64_t sizing_interval_ns;      /* 1 second to 1 day; default 10 seconds */
    uint64_t sizing_window_ns;        /* 1 second to 1 day; default 60 seconds */

    struct lido_budget *budget; /* shared with other pools (lido/budget.h); default: none */
    uint64_t object_bytes;      /* what an object counts in it; default 1: budget of objects */
    uint64_t released_by;       /* lido_object_pool_released_by */
    uint64_t leak_floor_ns;     /* held for less, nothing is a leak; default 30 s */
} lido_object_pool_options;

/* Options by name (C only). */
#define LIDO_OBJECT_POOL_OPTIONS(...)                                                              \
    (&(const lido_object_pool_options){.struct_size = sizeof(lido_object_pool_options), __VA_ARGS__})

/* Makes a pool, still without objects, and stores it in *pool.
 *
 * Errors   ARGUMENT     a field is missing or out of range; the message names it
 *          UNSUPPORTED  a field that this library version does not know is set
 *          NO_MEMORY    the pool could not be had
 *          On any error *pool becomes NULL and nothing is kept. */
#define lido_object_pool_create(options, pool) lido_object_pool_create_at(options, pool, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_object_pool_create_at(
    const lido_object_pool_options *options, lido_object_pool **pool, const char *site);

/* Builds objects in this thread until `count` exist; several threads may share the work.
 *
 * Errors   ARGUMENT   count is above object_limit
 *          CALLBACK   create failed; what was built before stays
 *          NO_MEMORY  no memory for more slots
 *          LIMIT      the budget has no room for them
 *          CLOSED     lido_object_pool_close was called */
LIDO_API lido_status lido_object_pool_prepare(lido_object_pool *pool, uint64_t count);

/* Takes no new users from now on: acquires and waiters get CLOSED. Then waits until every lease
 * is back, at most timeout_ns.
 *
 * Errors   BUSY  leases are still out; the message names the holders */
LIDO_API lido_status lido_object_pool_close(lido_object_pool *pool, uint64_t timeout_ns);

/* Destroys the objects, then the pool. NULL does nothing.
 *
 * Errors   BUSY  leases are out; the message names the holders: line, thread, age. The pool lives
 *                on, unchanged.
 * Threads  no other call on this pool may be running. */
LIDO_API lido_status lido_object_pool_destroy(lido_object_pool *pool);

/* ---- Objects --------------------------------------------------------------------------- */

/* Hands out an object: an idle one, or a new one below the limit, or the next one released.
 *
 * Errors   TIMEOUT    all were out for timeout_ns; the message says where most of them are
 *          LIMIT      waiter_limit threads wait already
 *          CALLBACK   create failed
 *          CLOSED     lido_object_pool_close was called
 *          NO_MEMORY  no memory for more slots
 *          DEADLOCK   called inside a callback of this pool; or all objects are with threads that
 *                     wait themselves, in lido, and who acquires releases (`released_by`). The
 *                     message names both lines
 *          On any error lease->object is NULL.
 * Waits    for a release, at most timeout_ns; 0: not at all; LIDO_FOREVER: for ever. */
#define lido_object_pool_acquire(pool, timeout_ns, lease)                                          \
    lido_object_pool_acquire_at(pool, timeout_ns, lease, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_object_pool_acquire_at(lido_object_pool *pool,
                                                                uint64_t timeout_ns,
                                                                lido_lease *lease,
                                                                const char *site);

/* The same up to a point in time, as lido_now_ns() counts. */
#define lido_object_pool_acquire_until(pool, deadline_ns, lease)                                   \
    lido_object_pool_acquire_until_at(pool, deadline_ns, lease, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_object_pool_acquire_until_at(lido_object_pool *pool,
                                                                      uint64_t deadline_ns,
                                                                      lido_lease *lease,
                                                                      const char *site);

/* The same without waiting.
 *
 * Errors   EMPTY  all are out; others as for acquire */
#define lido_object_pool_try_acquire(pool, lease)                                                  \
    lido_object_pool_try_acquire_at(pool, lease, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_object_pool_try_acquire_at(lido_object_pool *pool,
                                                                    lido_lease *lease,
                                                                    const char *site);

/* Resets the object and gives it back, from any thread; sets lease->object to NULL. A lease whose
 * object is NULL does nothing.
 *
 * Errors   NOT_HELD  released before, stale, or of another pool; nothing changed */
#define lido_object_pool_release(pool, lease) lido_object_pool_release_at(pool, lease, LIDO_HERE)
LIDO_API lido_status lido_object_pool_release_at(lido_object_pool *pool, lido_lease *lease,
                                                 const char *site);

/* Gives back an object that nobody should get again: it is destroyed. Otherwise as release. */
#define lido_object_pool_discard(pool, lease) lido_object_pool_discard_at(pool, lease, LIDO_HERE)
LIDO_API lido_status lido_object_pool_discard_at(lido_object_pool *pool, lido_lease *lease,
                                                 const char *site);

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
    uint64_t waiting;         /* threads that wait now */
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
