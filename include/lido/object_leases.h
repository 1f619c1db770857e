/* SPDX-License-Identifier: MIT
 * lido/object_leases.h -- who holds too long, line by line, and asking without waiting.
 *
 * An object pool knows of every lease the line, the thread and the time. From that come, without
 * any cost on the way in and out:
 *
 *      who holds what            lido_object_pool_next_holder   one lease after the other
 *      which lines hold most     lido_object_pool_next_line     count, oldest, thread
 *      what looks like a leak    lido_object_pool_next_leak     held too long for its line, or by a
 *                                                               thread that has ended
 *
 * How long is too long differs from line to line, and is learnt: max(leak_floor_ns, 4 x the
 * longest that this line was seen to hold something and gave it back). A suspect that comes back
 * widens the limit of its line, so a long job is reported once.
 */
#ifndef LIDO_OBJECT_LEASES_H
#define LIDO_OBJECT_LEASES_H

#include <lido/object_pool.h>

LIDO_BEGIN

/* ---- Leaks ------------------------------------------------------------------------------ */

typedef enum lido_leak_reason {
    LIDO_LEAK_TOO_LONG = 1,     /* held longer than limit_ns */
    LIDO_LEAK_THREAD_ENDED = 2, /* the thread that acquired it is gone; never in a pool whose leases
                                   others release (`released_by`) */
} lido_leak_reason;

typedef struct lido_object_pool_leak {
    uint64_t struct_size; /* set by LIDO_OBJECT_POOL_LEAK */
    uint64_t slot;        /* lido_lease.slot */
    uint64_t thread_id;   /* as the kernel counts: gettid() */
    uint64_t held_ns;     /* for how long; good to some milliseconds, modulo 49 days */
    uint64_t limit_ns;    /* what its line may hold something for */
    uint64_t reason;      /* lido_leak_reason */
    void *object;
    const char *site; /* the line that acquired it; NULL if not told */
} lido_object_pool_leak;

#define LIDO_OBJECT_POOL_LEAK                                                                      \
    { sizeof(lido_object_pool_leak), 0, 0, 0, 0, 0, 0, 0 }

/* Finds leases that look leaked, one by one, as next_holder does. Asked from slot 0 it looks at
 * the whole pool: each new suspect is one record of the log ("object_pool.leak_suspected": pool,
 * site, slot, thread, held_ms), and each that came back is one ("object_pool.leak_came_back").
 * Call it now and then, say every 10 seconds: what it has not seen it cannot learn from.
 *
 * Returns  false: no suspect on a slot not below `slot`. At most 128 are known at a time.
 * Cost     from slot 0, some nanoseconds per object of the pool. The first call asks for some
 *          kilobytes of memory, kept with the pool; without them it finds nothing. */
LIDO_API bool lido_object_pool_next_leak(lido_object_pool *pool, uint64_t slot,
                                         lido_object_pool_leak *leak);

/* ---- Holders by line --------------------------------------------------------------------- */

typedef struct lido_object_pool_line {
    uint64_t struct_size; /* set by LIDO_OBJECT_POOL_LINE */
    uint64_t key;         /* for the next call */
    uint64_t count;       /* leases of this line that are out */
    uint64_t oldest_ns;   /* for how long the oldest of them is out */
    uint64_t oldest_slot; /* its slot */
    uint64_t thread_id;   /* its thread */
    const char *site;
} lido_object_pool_line;

#define LIDO_OBJECT_POOL_LINE                                                                      \
    { sizeof(lido_object_pool_line), 0, 0, 0, 0, 0, 0 }

/* Finds the lines that hold something, one by one, in no particular order:
 *
 *     lido_object_pool_line l = LIDO_OBJECT_POOL_LINE;
 *     for (uint64_t key = 0; lido_object_pool_next_line(pool, key, &l); key = l.key) ...
 *
 * Returns  false: there are no more.
 * Cost     each call looks at the whole pool. */
LIDO_API bool lido_object_pool_next_line(const lido_object_pool *pool, uint64_t key,
                                         lido_object_pool_line *line);

/* ---- Everything back ------------------------------------------------------------------------ */

/* Takes back every lease that is out, at once: their places are free for others from now on, and
 * *count (may be NULL) says how many they were. Who still uses a retired object may do so until he
 * releases it, which is LIDO_OK as ever; it is then reset and destroyed, and never handed out again.
 * A lease that is acquired while this runs may be among them or not.
 *
 * Retired leases still count as out for lido_object_pool_destroy and in a budget, and next_holder
 * lists them.
 *
 * Errors   SYSTEM  the system took away membarrier(2) after the pool was made; nothing was done
 * Cost     one interruption of each running thread of the process, and a look at each object. Until
 *          the last retired lease is back, every acquire and release takes the pool's lock. */
LIDO_API lido_status lido_object_pool_return_all(lido_object_pool *pool, uint64_t *count);

/* ---- Asking without waiting ------------------------------------------------------------------- */

/* A place in the queue, in memory of yours that stays where it is until the request ends: by take
 * (unless that answers EMPTY) or cancel. Nothing in it is yours to read. */
typedef struct lido_object_pool_request {
    uint64_t opaque[16];
} lido_object_pool_request;

/* Asks for an object and returns at once. When one is kept for the request, or the pool is closed,
 * notify runs: in the thread that released, with no lock held, or in this one before the call
 * returns; or, when a thread ends that had it on its shelf, in that one. It may call lido, take
 * included, but not destroy this pool, which is refused (BUSY); it must not longjmp. The request stands in the queue
 * among the threads that wait; it has no deadline of its own: cancel it when time is up.
 *
 * Errors   ARGUMENT   notify is NULL
 *          LIMIT      waiter_limit wait already
 *          CLOSED     lido_object_pool_close was called
 *          NO_MEMORY  no memory for more slots
 *          On any error no notification comes. */
LIDO_API LIDO_NODISCARD lido_status
lido_object_pool_acquire_async(lido_object_pool *pool, lido_object_pool_request *request,
                               void (*notify)(void *context), void *context);

/* The same for loops over epoll, libuv and the like: one is added to an eventfd of yours, which
 * makes it readable. Several requests may share it: try each with take.
 *
 * Errors   ARGUMENT   the descriptor is negative; others as for acquire_async */
LIDO_API LIDO_NODISCARD lido_status lido_object_pool_acquire_fd(lido_object_pool *pool,
                                                                lido_object_pool_request *request,
                                                                int descriptor);

/* Makes the object kept for a request a lease, in any thread: there validate and create run.
 *
 * Errors   EMPTY      it is not served yet; it goes on waiting
 *          CLOSED     the pool was closed before it was served
 *          CALLBACK   create failed
 *          NO_MEMORY  no memory for more slots
 *          ARGUMENT   the request has ended */
#define lido_object_pool_take(pool, request, lease)                                                \
    lido_object_pool_take_at(pool, request, lease, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_object_pool_take_at(lido_object_pool *pool,
                                                             lido_object_pool_request *request,
                                                             lido_lease *lease, const char *site);

/* Ends a request that waits: no notification comes.
 *
 * Errors   BUSY  too late: it was served or sent away, and the notification has come or is under
 *                way. The request has ended all the same; what was kept for it is free again. */
LIDO_API lido_status lido_object_pool_cancel(lido_object_pool *pool,
                                             lido_object_pool_request *request);

LIDO_END

#endif
