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
 * it, the thread and the time: lido_object_pool_next_holder() lists them at any moment
 * (lido/object_figures.h, with the figures, the knobs and adaptive size).
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
 * prepares, trims or destroys. They may call lido; acquire, prepare, close and destroy of the same
 * pool inside one are refused (DEADLOCK; destroy: BUSY). One left by a C++ exception, pthread_exit
 * or cancellation costs its object; another can be built in its place at once. Do not longjmp out
 * of one: its place is then empty until this thread ends, or calls acquire, prepare, trim or close
 * from a frame further out, or one that overwrote what the callback left on the stack.
 *
 * A child of fork() may go on: leases of the thread that forked stay its own; objects that other
 * threads held at that moment are lost there, neither handed out nor destroyed.
 *
 * All calls may run at the same time on one pool; destroy alone needs to be the only one.
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
                                     passed more than overtake_limit times once it is in line: fast
                                     and fair. Before that it gives its CPU away twice at most */
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

    /* Adaptive size (lido/object_figures.h). With it, object_limit has a default, too: 32. */
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
 *          CLOSED     lido_object_pool_close was called; DEADLOCK inside a callback of this pool */
LIDO_API lido_status lido_object_pool_prepare(lido_object_pool *pool, uint64_t count);

/* Takes no new users from now on: acquires and waiters get CLOSED. Then waits until every lease
 * is back, at most timeout_ns.
 *
 * Errors   BUSY  leases are still out, the message names the holders; DEADLOCK as for prepare */
LIDO_API lido_status lido_object_pool_close(lido_object_pool *pool, uint64_t timeout_ns);

/* Destroys the objects, then the pool. NULL does nothing.
 *
 * Errors   BUSY  leases or requests are out, the message names the holders; or it is called in a
 *                callback or notification of this pool. The pool lives on, unchanged.
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

LIDO_END

#endif
