/* SPDX-License-Identifier: MIT
 * Magazines and the depot under the lock: what slow calls, visitors and readers do with it. The owner's part,
 * without the lock, is in fast.h. */
#ifndef LIDO_SRC_BLOCK_POOL_MAGAZINE_H
#define LIDO_SRC_BLOCK_POOL_MAGAZINE_H

#include "block_pool/pool.h"

#include "base/sys.h"

/* Of one that is not loaded. */
static inline uint32_t lido__magazine_count(const struct lido__magazine *magazine) {
    return magazine ? (uint32_t)magazine->count : 0;
}

/* ---- The depot, P2 ----------------------------------------------------------------------- */

static inline void lido__depot_push_empty(struct lido_block_pool *pool,
                                          struct lido__magazine *magazine) {
    magazine->spare = pool->empty;
    pool->empty = magazine;
    pool->empty_count++;
}

static inline struct lido__magazine *lido__depot_pop_empty(struct lido_block_pool *pool) {
    struct lido__magazine *magazine = pool->empty;
    if (magazine) {
        pool->empty = magazine->spare;
        pool->empty_count--;
        magazine->spare = NULL;
    }
    return magazine;
}

/* The full list may hold magazines that are not quite full; none is empty. */
static inline void lido__depot_push_full(struct lido_block_pool *pool,
                                         struct lido__magazine *magazine) {
    magazine->spare = pool->full;
    pool->full = magazine;
    pool->full_count++;
    pool->depot_used_ns = lido__sys.coarse_ns();
    pool->depot_cached += lido__magazine_count(magazine);
}

static inline struct lido__magazine *lido__depot_pop_full(struct lido_block_pool *pool) {
    struct lido__magazine *magazine = pool->full;
    if (magazine) {
        pool->full = magazine->spare;
        pool->full_count--;
        pool->depot_cached -= lido__magazine_count(magazine);
        magazine->spare = NULL;
    }
    return magazine;
}

#endif
