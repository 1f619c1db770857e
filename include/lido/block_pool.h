/* SPDX-License-Identifier: MIT
 * lido/block_pool.h -- fixed-size memory blocks, handed out and taken back from any thread.
 *
 * A block pool asks the system for slabs of blocks and hands the blocks out one by one. It keeps
 * what comes back, within bounds, and knows at every moment which blocks are out:
 *
 *      acquire  -->  yours  -->  release             by pointer or by index
 *         ^                         |
 *         |                         v
 *      free blocks in slabs,  idle slabs  -->  back to the system (trim, or idle_keep_ns later)
 *
 * A block keeps its address while it is yours. Its bytes are unspecified when you get it, unless
 * LIDO_BLOCK_POOL_ZERO is set. The thread that releases need not be the one that acquired.
 *
 * What is promised in every build:
 *   - A block released twice, or one that is not of this pool, is refused, named in
 *     lido_last_error() with both pool and block, and harms nothing.
 *     (A program that uses a block after releasing it is found by LIDO_BLOCK_POOL_GUARD and by
 *     AddressSanitizer, not here.)
 *   - Figures are exact at rest: when no call runs, they add up to the last block.
 *   - Release never fails for lack of memory, and never calls malloc.
 *
 * All calls may run at the same time on one pool; destroy alone needs to be the only one.
 *
 * Not here: figures, knobs, blocks by number (lido/block_figures.h); blocks of several sizes (make
 * several pools); objects that are expensive to build, and waiting for one (lido/object_pool.h).
 */
#ifndef LIDO_BLOCK_POOL_H
#define LIDO_BLOCK_POOL_H

#include <lido/base.h>

LIDO_BEGIN

typedef struct lido_block_pool lido_block_pool;

/* ---- Making a pool --------------------------------------------------------------------- */

enum {
    LIDO_BLOCK_POOL_ZERO     = 1 << 0, /* every block is all zero bytes when acquired */
    LIDO_BLOCK_POOL_RESERVED = 1 << 1, /* block_limit blocks are mapped and touched at creation;
                                          none is made or given back afterwards */
    LIDO_BLOCK_POOL_EXACT    = 1 << 2, /* which blocks are out is kept apart from them, a byte each, so
                                          that also a block that was written to after its release is
                                          refused the second time; some nanoseconds a call. Always so
                                          where blocks are smaller than 8 bytes */
    LIDO_BLOCK_POOL_LIMIT_EXISTING = 1 << 3, /* block_limit bounds the blocks that exist, free ones
                                          included, and by that the memory */
};

/* How blocks are backed; for finding errors, without building anything anew. */
typedef enum lido_block_pool_mode {
    LIDO_BLOCK_POOL_DEFAULT = 0, /* slabs; under AddressSanitizer: pass-through. The environment
                                    variable LIDO_BLOCK_POOL_MODE=slabs|pass-through|guard changes
                                    this default for the whole process */
    LIDO_BLOCK_POOL_SLABS        = 1,
    LIDO_BLOCK_POOL_PASS_THROUGH = 2, /* each block is a malloc of its own, so that sanitizers and
                                         Valgrind see it; limits and figures as ever */
    LIDO_BLOCK_POOL_GUARD = 3, /* each block has pages of its own, ends at an unreadable page and
                                  is unreadable once released: an overrun or a late use faults
                                  on the spot. Dear: two mappings a block */
} lido_block_pool_mode;

/* Zero in a field is its default; only block_size has none.
 * Later versions add fields at the end; programs built today keep working. */
typedef struct lido_block_pool_options {
    uint64_t    struct_size;  /* set by LIDO_BLOCK_POOL_OPTIONS; in C++: = sizeof options */
    uint64_t    block_size;   /* bytes, 1 to 1 GiB; required */
    uint64_t    block_align;  /* bytes, a power of two up to 4096; default 16 */
    uint64_t    block_limit;  /* blocks out at once, or, with LIMIT_EXISTING, blocks there are;
                                 default: no limit but the system's */
    uint64_t    ready_count;  /* blocks mapped and touched at creation, and kept; default 0 */
    uint64_t    idle_keep_ns; /* what coalescing gives back has been idle for this long at least;
                                 default 1 second; 1: hardly at all; LIDO_FOREVER: until trim */
    uint64_t    flags;        /* LIDO_BLOCK_POOL_ZERO | ... */
    uint64_t    mode;         /* lido_block_pool_mode */
    const char *name;         /* copied, shorter than LIDO_NAME_BYTES; default "unnamed" */
    const char *owner;        /* the part of the program it belongs to; default "application" */
    uint64_t    coalesce_percent; /* the pool coalesces by itself when more of its memory than this is
                                 unused; 1 to 100, default 20; 100: never but by trim */
} lido_block_pool_options;

/* Options by name, in place (C only):
 *     lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = "frames", .block_size = 4096), &pool) */
#define LIDO_BLOCK_POOL_OPTIONS(...)                                                               \
    (&(const lido_block_pool_options){.struct_size = sizeof(lido_block_pool_options), __VA_ARGS__})

/* Makes a pool and stores it in *pool. Yours until lido_block_pool_destroy.
 *
 * Errors   ARGUMENT     a field is missing or out of range; the message names it
 *          UNSUPPORTED  a field or flag that this library version does not know is set
 *          NO_MEMORY    the pool or its ready blocks could not be had
 *          On any error *pool becomes NULL and nothing is kept. */
#define lido_block_pool_create(options, pool) lido_block_pool_create_at(options, pool, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_block_pool_create_at(
    const lido_block_pool_options *options, lido_block_pool **pool, const char *site);

/* Ends the pool and gives its memory back. NULL does nothing.
 *
 * Errors   BUSY  blocks are still out; the message says how many and names one. The pool lives on.
 * Threads  no other call on this pool may be running. */
LIDO_API lido_status lido_block_pool_destroy(lido_block_pool *pool);

/* ---- Blocks ---------------------------------------------------------------------------- */

/* Hands out one block, yours until released. Never waits for another thread's release.
 *
 * Returns  the block, or NULL; then lido_last_status() is
 *          LIMIT      block_limit blocks are out
 *          NO_MEMORY  the system has no memory to give */
LIDO_API LIDO_NODISCARD void *lido_block_pool_acquire(lido_block_pool *pool);

/* Gives a block back. NULL does nothing.
 *
 * Errors   NOT_HELD  released before, or not the start of a block of this pool; nothing changed */
#define lido_block_pool_release(pool, block) lido_block_pool_release_at(pool, block, LIDO_HERE)
LIDO_API lido_status lido_block_pool_release_at(lido_block_pool *pool, void *block,
                                                const char *site);

/* Hands out up to count blocks into blocks[], cheaper than one by one.
 *
 * Returns  how many, from the front of blocks[]; when fewer than count, lido_last_status() says
 *          why, as for acquire. */
LIDO_API LIDO_NODISCARD uint64_t lido_block_pool_acquire_many(lido_block_pool *pool,
                                                              uint64_t count, void *blocks[]);

/* Gives back count blocks; NULL entries are skipped.
 *
 * Errors   NOT_HELD  at least one was refused as by release; all others were given back */
#define lido_block_pool_release_many(pool, count, blocks)                                          \
    lido_block_pool_release_many_at(pool, count, blocks, LIDO_HERE)
LIDO_API lido_status lido_block_pool_release_many_at(lido_block_pool *pool, uint64_t count,
                                                     void *const blocks[], const char *site);

LIDO_END

#endif
