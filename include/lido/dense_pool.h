/* SPDX-License-Identifier: MIT
 * lido/dense_pool.h -- many small objects of one size, side by side, named by handles.
 *
 * For what is made and dropped by the thousand and walked over and over: bullets, particles,
 * sessions, timers. The pool holds the objects in its own memory, and all that are alive lie
 * without a gap in its first places. Walking them is walking an array:
 *
 *      place     0     1     2     3  |  4     5
 *              +-----+-----+-----+-----+-----+-----+
 *      object  |  A  |  B  |  C  |  D  | free memory     count = 4
 *              +-----+-----+-----+-----+-----+-----+
 *      release B:  D moves to place 1; who holds D's handle finds it there
 *
 *     struct bullet *all = lido_dense_pool_objects(pool);
 *     for (uint64_t i = 0; i < lido_dense_pool_count(pool);)
 *         if (is_over(&all[i]))
 *             lido_dense_pool_release_place(pool, i); // another is at i now
 *         else
 *             i++;
 *
 * Objects move, so a pointer is good until the next acquire or release in this pool, a place until
 * the next release. What stays is the handle: it finds its object wherever it lies, and nothing
 * once that was released.
 *
 * What is promised in every build:
 *   - Live objects lie in places 0 to count - 1, at the lowest addresses of the pool.
 *   - A handle released before is refused, named in lido_last_error(), and harms nothing. So is
 *     one of another pool: pools count turns from starts that lie far apart. A turn returns after
 *     its slot was used 2,147,483,648 times.
 *   - Never more than object_limit objects; what happens then is yours to choose (`at_limit`).
 *   - Figures are exact. Release never needs memory. No callback, no lock, no clock.
 *
 * Threads  one thread at a time uses a pool, or the caller's lock sees to that: this holds for
 *          every call here. The registry and the panel (lido/panel.h) are for any thread at any time;
 *          a limit turned there holds from the next acquire on.
 *
 * Not here: objects that must keep their address (lido/block_pool.h), that are dear to build or
 * are waited for (lido/object_pool.h), or that must be taken down by code when they are dropped.
 */
#ifndef LIDO_DENSE_POOL_H
#define LIDO_DENSE_POOL_H

#include <lido/base.h>

LIDO_BEGIN

typedef struct lido_dense_pool lido_dense_pool;

/* Names one object for as long as it lives. */
typedef uint64_t lido_dense_handle;

/* The handle of no object. */
#define LIDO_DENSE_HANDLE_NONE UINT64_C(0)

/* ---- Making a pool --------------------------------------------------------------------- */

/* What acquire does when object_limit objects are alive. */
typedef enum lido_dense_pool_at_limit {
    LIDO_DENSE_POOL_REFUSE = 0,      /* LIMIT */
    LIDO_DENSE_POOL_DROP_OLDEST = 1, /* the object acquired first makes room; costs 8 bytes an
                                        object, and some nanoseconds in acquire and release */
} lido_dense_pool_at_limit;

/* Zero in a field is its default; only object_bytes has none.
 * Later versions add fields at the end; programs built today keep working. */
typedef struct lido_dense_pool_options {
    uint64_t struct_size;  /* set by LIDO_DENSE_POOL_OPTIONS; in C++: = sizeof options */
    uint64_t object_bytes; /* sizeof an object, 1 to 65,536; required. Places are so far apart, so
                              objects are aligned as in an array */
    uint64_t object_limit; /* objects alive at once, up to 1,073,741,824; default: no limit but
                              the system's, the pool grows */
    uint64_t at_limit;     /* lido_dense_pool_at_limit; DROP_OLDEST needs object_limit */
    uint64_t ready_count;  /* objects whose memory is mapped and touched at creation, at most
                              object_limit; up to it no acquire asks the system. Default 0 */
    const char *name;      /* copied, shorter than LIDO_NAME_BYTES; default "unnamed" */
    const char *owner;     /* the part of the program it belongs to; default "application" */
} lido_dense_pool_options;

/* Options by name, in place (C only). */
#define LIDO_DENSE_POOL_OPTIONS(...)                                                               \
    (&(const lido_dense_pool_options){.struct_size = sizeof(lido_dense_pool_options), __VA_ARGS__})

/* Makes a pool and stores it in *pool. Yours until lido_dense_pool_destroy.
 *
 * Errors   ARGUMENT     a field is missing or out of range; the message names it
 *          UNSUPPORTED  a field or value that this library version does not know is set
 *          NO_MEMORY    the pool or its ready objects could not be had
 *          On any error *pool becomes NULL and nothing is kept. */
#define lido_dense_pool_create(options, pool) lido_dense_pool_create_at(options, pool, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_dense_pool_create_at(
    const lido_dense_pool_options *options, lido_dense_pool **pool, const char *site);

/* Ends the pool and gives its memory back. NULL does nothing.
 *
 * Errors   BUSY  objects are alive (lido_dense_pool_release_all ends them); the pool lives on. */
LIDO_API lido_status lido_dense_pool_destroy(lido_dense_pool *pool);

/* ---- Objects --------------------------------------------------------------------------- */

/* Makes an object in place lido_dense_pool_count(), its bytes unspecified, and stores its handle
 * in *handle unless that is NULL. Dropping the oldest first, it takes the last place.
 *
 * Returns  the object, or NULL (and no handle); then lido_last_status() is
 *          LIMIT      object_limit objects are alive, and at_limit says REFUSE
 *          NO_MEMORY  the pool is full and the system has no memory to give
 * Cost     when the pool is full: all objects are copied into twice the memory. */
LIDO_API LIDO_NODISCARD void *lido_dense_pool_acquire(lido_dense_pool *pool,
                                                      lido_dense_handle *handle);

/* Ends an object; the one in the last place moves to its place. LIDO_DENSE_HANDLE_NONE does
 * nothing.
 *
 * Errors   NOT_HELD  released or dropped before, or never handed out here; nothing changed */
LIDO_API lido_status lido_dense_pool_release(lido_dense_pool *pool, lido_dense_handle handle);

/* The same for the object in a place.
 *
 * Errors   NOT_HELD  place is not below lido_dense_pool_count() */
LIDO_API lido_status lido_dense_pool_release_place(lido_dense_pool *pool, uint64_t place);

/* Ends all objects; their handles are stale. */
LIDO_API void lido_dense_pool_release_all(lido_dense_pool *pool);

/* Finds the object of a handle.
 *
 * Returns  NULL when there is none; then lido_last_status() is
 *          NOT_HELD  as for release */
LIDO_API void *lido_dense_pool_find(const lido_dense_pool *pool, lido_dense_handle handle);

/* Returns  whether find would find it; for handles that may well be stale. */
LIDO_API bool lido_dense_pool_is_live(const lido_dense_pool *pool, lido_dense_handle handle);

/* Returns  the array of objects, lido_dense_pool_count() of them; NULL before the first memory. */
LIDO_API void *lido_dense_pool_objects(const lido_dense_pool *pool);

/* Returns  how many objects are alive. */
LIDO_API uint64_t lido_dense_pool_count(const lido_dense_pool *pool);

/* Returns  the handle of the object in a place; NONE when place is not below the count. */
LIDO_API lido_dense_handle lido_dense_pool_handle(const lido_dense_pool *pool, uint64_t place);

/* Returns  the handle of the object acquired first; NONE when the pool is empty or does not keep
 *          the order (at_limit is not DROP_OLDEST). */
LIDO_API lido_dense_handle lido_dense_pool_oldest(const lido_dense_pool *pool);

/* ---- Watching and steering ------------------------------------------------------------- */

/* Those "since creation" only grow; none is ever reset. acquired = released + dropped + live. */
typedef struct lido_dense_pool_stats {
    uint64_t struct_size;     /* set it to sizeof before the call */
    uint64_t acquired;        /* objects made since creation */
    uint64_t released;        /* objects ended by a release since creation */
    uint64_t dropped;         /* objects ended to make room, since creation */
    uint64_t live;            /* objects alive */
    uint64_t live_peak;       /* the most that were alive at once */
    uint64_t capacity;        /* objects that there is memory for */
    uint64_t grown;           /* times the pool asked the system for more, creation not counted */
    uint64_t refused_limit;   /* acquires refused: LIMIT */
    uint64_t refused_memory;  /* acquires refused: NO_MEMORY */
    uint64_t refused_release; /* releases refused: NOT_HELD */
    uint64_t object_limit;    /* the limit in force; 0: none */
    uint64_t committed_bytes; /* memory held from the system, all in */
    uint64_t overhead_bytes;  /* the part of it that is not room for objects */
    double reuse;             /* share of acquired whose memory had been used before; 1 before the
                                 first */
} lido_dense_pool_stats;

/* Fills *stats, as far as its struct_size reaches.
 *
 * Errors   ARGUMENT  struct_size is not set */
LIDO_API lido_status lido_dense_pool_read_stats(const lido_dense_pool *pool,
                                                lido_dense_pool_stats *stats);

/* Changes the limit of the running pool; 0: none. What is above a lower one is dropped at once,
 * oldest first, where at_limit is DROP_OLDEST; otherwise it stays until it is released.
 *
 * Errors   ARGUMENT  out of range, or 0 where at_limit is DROP_OLDEST */
LIDO_API lido_status lido_dense_pool_set_object_limit(lido_dense_pool *pool, uint64_t object_limit);

LIDO_END

#endif
