/* SPDX-License-Identifier: MIT
 * lido/block_figures.h -- what a block pool holds, its knobs while it runs, and its blocks by number.
 *
 *      existing = live + cached + stranded + idle
 *                  |       |         |        |
 *                yours   at hand   beside   in empty slabs: trim, or the pool itself, gives them
 *                                  yours    back to the system
 *
 * Figures are exact at rest, and off by what runs while they are read. They cost acquire and release
 * nothing: who reads them adds up what each thread counted. */
#ifndef LIDO_BLOCK_FIGURES_H
#define LIDO_BLOCK_FIGURES_H

#include <lido/block_pool.h>

LIDO_BEGIN

/* ---- Watching and steering ------------------------------------------------------------- */

/* Counts of this moment. Those "since creation" only grow; none is ever reset. */
typedef struct lido_block_pool_stats {
    uint64_t struct_size;      /* set it to sizeof before the call */
    uint64_t acquired;         /* blocks handed out since creation */
    uint64_t released;         /* blocks given back since creation */
    uint64_t live;             /* blocks out: acquired - released */
    uint64_t live_peak;        /* the most that were ever out at once; with several threads, which
                                  were not all at their most together, an upper bound */
    uint64_t existing;         /* blocks out or free in the pool's memory */
    uint64_t made;             /* blocks made since creation; acquired - made were re-used */
    uint64_t cached;           /* free blocks in caches, at hand without looking into a slab */
    uint64_t stranded;         /* free blocks in slabs that blocks in use keep from going back */
    uint64_t idle;             /* free blocks in empty slabs: these can go back */
    uint64_t refused_limit;    /* acquires refused: block_limit */
    uint64_t refused_memory;   /* acquires refused: no memory */
    uint64_t refused_release;  /* releases refused: twice, or foreign */
    uint64_t block_limit;      /* the limit in force; 0: none */
    uint64_t committed_bytes;  /* memory held for blocks now */
    uint64_t overhead_bytes;   /* memory held for book-keeping now, this pool's all in */
    uint64_t committed_peak;   /* the most bytes ever held for blocks */
    double   utilisation;      /* live / existing; 1 when nothing exists */
    double   byte_efficiency;  /* block_size * live / (committed + overhead); 1 when nothing live */
    double   reuse;            /* share of acquired served without making; 1 before the first */
    double   fragmentation;    /* share of committed bytes that trim could bring together and give
                                  back and has not yet: free in caches and in empty slabs, but
                                  for ready ones, which are kept; 0 of a RESERVED pool */
    uint64_t coalesce_percent; /* the threshold in force */
    uint64_t draining;         /* slabs that hand out nothing any more, so that survivors of a peak
                                  come together in others; what comes back to them goes home */
} lido_block_pool_stats;

/* Fills *stats, as far as its struct_size reaches.
 *
 * Errors   ARGUMENT  struct_size is not set
 * Cost     fit for every second, not for every request */
LIDO_API lido_status lido_block_pool_read_stats(const lido_block_pool *pool,
                                                lido_block_pool_stats *stats);

/* Changes the limit of the running pool; 0: none. A lower one takes no block away: acquire is
 * refused until fewer are out.
 *
 * Errors   ARGUMENT  the pool is RESERVED and the limit is 0 or above the blocks it has */
LIDO_API lido_status lido_block_pool_set_block_limit(lido_block_pool *pool, uint64_t block_limit);

/* Changes the share of unused memory above which the pool coalesces by itself, 1 to 100.
 *
 * Errors   ARGUMENT  out of range */
LIDO_API lido_status lido_block_pool_set_coalesce_percent(lido_block_pool *pool, uint64_t percent);

/* Coalesces now, for at most about budget_ns (LIDO_FOREVER: all there is): free blocks go home from
 * all caches, every empty slab and the free pages of slabs with few survivors back to the system.
 * Stops no other call for longer than one slab takes.
 *
 * Returns  bytes given back; 0 for a RESERVED pool. */
LIDO_API uint64_t lido_block_pool_trim(lido_block_pool *pool, uint64_t budget_ns);

/* Returns  the size of every block in bytes, as asked for at creation. */
LIDO_API uint64_t lido_block_pool_block_size(const lido_block_pool *pool);

/* ---- Blocks by number ------------------------------------------------------------------ */

/* Every block of a pool has an index, small and dense, the same for as long as it is out. */

/* Stores the index of a block that is out.
 *
 * Errors   NOT_HELD  as for release */
LIDO_API lido_status lido_block_pool_read_index(const lido_block_pool *pool, const void *block,
                                                uint64_t *index);

/* Returns  the block that is out under this index, or NULL (NOT_HELD). */
LIDO_API void *lido_block_pool_at(const lido_block_pool *pool, uint64_t index);

/* Gives back the block of this index.
 *
 * Errors   NOT_HELD  no block is out under this index */
#define lido_block_pool_release_index(pool, index)                                                 \
    lido_block_pool_release_index_at(pool, index, LIDO_HERE)
LIDO_API lido_status lido_block_pool_release_index_at(lido_block_pool *pool, uint64_t index,
                                                      const char *site);

/* Finds the blocks that are out, one by one, in the order of their indices:
 *
 *     for (uint64_t i = 0; (block = lido_block_pool_next(pool, &i)) != NULL; i++) ...
 *
 * Returns  the block out with the smallest index not below *index, and that index; NULL: no more.
 *          What is acquired or released during the loop may be seen or not. */
LIDO_API void *lido_block_pool_next(const lido_block_pool *pool, uint64_t *index);

LIDO_END

#endif
