/* SPDX-License-Identifier: MIT
 * lido/ring.h -- a bounded queue of pointers, from any number of threads to any number of threads.
 *
 * The ring has `capacity` slots. Each slot has a number that says whose turn it is, so threads meet
 * in one slot only, never in a common end that each would have to wait for:
 *
 *      insert -->  tail                     head  --> remove
 *                   v                        v
 *          | free | being filled | item | item | being read | free |
 *
 * Items come out in the order in which their inserts claimed slots. An item is a pointer, any value,
 * NULL too; on success of insert it is the ring's, on success of remove it is yours.
 *
 * What is promised in every build:
 *   - A thread that is preempted in the middle of a call delays nobody who is not after its slot:
 *     neighbours before it go on, and nobody spins for it.
 *   - A call that need not wait makes no system call, takes no lock and allocates nothing: one CAS,
 *     also for many items at once.
 *   - Nobody sleeps while there is something for him; a wait ends by its deadline.
 *   - Figures are exact at rest.
 *   - No call is a cancellation point.
 *
 * A child of fork() may go on: it has the items that were whole at that moment. What another thread
 * was inserting or removing just then is not in it. The descriptor is closed there; open it anew.
 *
 * All calls may run at the same time on one ring; destroy alone needs to be the only one. Not from
 * signal handlers.
 *
 * Not here: a queue without a bound (it only hides that a consumer is too slow), items by value,
 * priorities, one queue a thread with stealing. One producer and one consumer alone are served
 * faster by a queue made for just that: docs/ring.md.
 */
#ifndef LIDO_RING_H
#define LIDO_RING_H

#include <lido/base.h>

LIDO_BEGIN

typedef struct lido_ring lido_ring;

/* ---- Making a ring --------------------------------------------------------------------- */

/* Zero in a field is its default; capacity has none.
 * Later versions add fields at the end; programs built today keep working. */
typedef struct lido_ring_options {
    uint64_t struct_size; /* set by LIDO_RING_OPTIONS; in C++: = sizeof options */
    uint64_t capacity;    /* items, a power of two from 2 to 16,777,216; required */
    const char *name;     /* copied, shorter than LIDO_NAME_BYTES; default "unnamed" */
    const char *owner;    /* the part of the program it belongs to; default "application" */
} lido_ring_options;

/* Options by name, in place (C only). */
#define LIDO_RING_OPTIONS(...)                                                                     \
    (&(const lido_ring_options){.struct_size = sizeof(lido_ring_options), __VA_ARGS__})

/* Makes a ring and stores it in *ring. Yours until lido_ring_destroy.
 *
 * Errors   ARGUMENT     a field is missing or out of range; the message names the next good value
 *          UNSUPPORTED  a field that this library version does not know is set
 *          NO_MEMORY    the ring could not be had
 *          On any error *ring becomes NULL and nothing is kept. */
#define lido_ring_create(options, ring) lido_ring_create_at(options, ring, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_ring_create_at(const lido_ring_options *options,
                                                        lido_ring **ring, const char *site);

/* Takes no more items from now on, and tells all who wait. What is in it can still be removed;
 * removers get CLOSED when it is empty. Closing twice is closing once. */
LIDO_API void lido_ring_close(lido_ring *ring);

/* Ends the ring. NULL does nothing.
 *
 * Errors   BUSY  items are in it, which would be lost; the message says how many. The ring lives on.
 * Threads  no other call on this ring may be running. */
LIDO_API lido_status lido_ring_destroy(lido_ring *ring);

/* ---- One item -------------------------------------------------------------------------- */

/* Puts an item in, when there is room.
 *
 * Errors   TIMEOUT  it was full for timeout_ns
 *          CLOSED   lido_ring_close was called
 *          On any error the item is still yours.
 * Waits    for a remove, at most timeout_ns; 0: not at all; LIDO_FOREVER: for ever. */
LIDO_API LIDO_DIRECT LIDO_NODISCARD lido_status lido_ring_insert(lido_ring *ring, void *item,
                                                                 uint64_t timeout_ns);

/* The same up to a point in time, as lido_now_ns() counts. */
LIDO_API LIDO_DIRECT LIDO_NODISCARD lido_status lido_ring_insert_until(lido_ring *ring, void *item,
                                                                       uint64_t deadline_ns);

/* The same without waiting.
 *
 * Errors   LIMIT  it is full, or the item that left the next slot is still being read
 *          CLOSED */
LIDO_API LIDO_DIRECT LIDO_NODISCARD lido_status lido_ring_try_insert(lido_ring *ring, void *item);

/* Takes the oldest item out.
 *
 * Errors   TIMEOUT  it was empty for timeout_ns
 *          CLOSED   lido_ring_close was called, and nothing is left
 *          On any error *item becomes NULL.
 * Waits    for an insert, at most timeout_ns; 0: not at all; LIDO_FOREVER: for ever. */
LIDO_API LIDO_DIRECT LIDO_NODISCARD lido_status lido_ring_remove(lido_ring *ring,
                                                                 uint64_t timeout_ns, void **item);

/* The same up to a point in time, as lido_now_ns() counts. */
LIDO_API LIDO_DIRECT LIDO_NODISCARD lido_status lido_ring_remove_until(lido_ring *ring,
                                                                       uint64_t deadline_ns,
                                                                       void **item);

/* The same without waiting.
 *
 * Errors   EMPTY  nothing is in it, or the oldest item is still being written
 *          CLOSED */
LIDO_API LIDO_DIRECT LIDO_NODISCARD lido_status lido_ring_try_remove(lido_ring *ring, void **item);

/* ---- Many items ------------------------------------------------------------------------ */

/* Puts items[0], items[1], ... in, side by side as far as room goes, without waiting.
 *
 * Returns  how many; when fewer than count, lido_last_status() is LIMIT or CLOSED. */
LIDO_API LIDO_NODISCARD uint64_t lido_ring_try_insert_many(lido_ring *ring, uint64_t count,
                                                           void *const items[]);

/* Puts all of them in, in parts if need be, between which other items may come to lie.
 *
 * Returns  how many; when fewer than count, lido_last_status() is TIMEOUT or CLOSED.
 * Waits    for removes, at most timeout_ns in all. */
LIDO_API LIDO_NODISCARD uint64_t lido_ring_insert_many(lido_ring *ring, uint64_t count,
                                                       void *const items[], uint64_t timeout_ns);

/* Takes up to count of the oldest items out, without waiting.
 *
 * Returns  how many; when fewer than count, lido_last_status() is EMPTY or CLOSED. */
LIDO_API LIDO_NODISCARD uint64_t lido_ring_try_remove_many(lido_ring *ring, uint64_t count,
                                                           void *items[]);

/* Takes up to count of the oldest items out as soon as there is one.
 *
 * Returns  how many; when 0, lido_last_status() is TIMEOUT or CLOSED.
 * Waits    for the first one, at most timeout_ns. */
LIDO_API LIDO_NODISCARD uint64_t lido_ring_remove_many(lido_ring *ring, uint64_t timeout_ns,
                                                       uint64_t count, void *items[]);

/* ---- A descriptor for poll ------------------------------------------------------------- */

/* Stores a descriptor of the ring's that poll(), epoll and the like can wait on for items:
 *
 *     for (;;) {
 *         while (lido_ring_try_remove(ring, &item) == LIDO_OK) ...
 *         if (lido_ring_arm(ring)) poll(...);        readable: look into the ring again
 *     }
 *
 * Always the same one; do not close, read or write it. It costs nothing while it is not armed.
 *
 * Errors   SYSTEM  the system has none to give */
LIDO_API LIDO_NODISCARD lido_status lido_ring_open_descriptor(lido_ring *ring, int *descriptor);

/* Asks for one signal: the descriptor is made unreadable, and readable by the next insert, or close.
 * For one thread at a time.
 *
 * Returns  false: an item is there already, or the ring is closed, or lido_ring_open_descriptor was
 *          not called; look into the ring instead of waiting. */
LIDO_API LIDO_NODISCARD bool lido_ring_arm(lido_ring *ring);

/* ---- Watching -------------------------------------------------------------------------- */

/* Counts of this moment. Those "since creation" only grow; none is ever reset. */
typedef struct lido_ring_stats {
    uint64_t struct_size;       /* set it to sizeof before the call */
    uint64_t inserted;          /* items put in since creation */
    uint64_t removed;           /* items taken out since creation */
    uint64_t length;            /* items in it: inserted - removed */
    uint64_t capacity;          /* items that it can hold */
    uint64_t refused_full;      /* calls of try_insert and try_insert_many that found no room */
    uint64_t insert_waits;      /* inserts that slept, since creation */
    uint64_t remove_waits;      /* removes that slept, since creation */
    uint64_t insert_timeouts;   /* inserts that ended by TIMEOUT after sleeping */
    uint64_t remove_timeouts;   /* removes that did */
    uint64_t inserters_waiting; /* threads that sleep now because it is full */
    uint64_t removers_waiting;  /* threads that sleep now because it is empty */
    uint64_t overhead_bytes;    /* memory held, all in */
} lido_ring_stats;

/* Fills *stats, as far as its struct_size reaches.
 *
 * Errors   ARGUMENT  struct_size is not set */
LIDO_API lido_status lido_ring_read_stats(const lido_ring *ring, lido_ring_stats *stats);

LIDO_END

#endif
