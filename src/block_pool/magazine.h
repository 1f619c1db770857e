/* SPDX-License-Identifier: MIT
 * Magazines and the depot under the lock: what slow calls, visitors and readers do with it. The owner's part,
 * without the lock, is in fast.h. */
#ifndef LIDO_SRC_BLOCK_POOL_MAGAZINE_H
#define LIDO_SRC_BLOCK_POOL_MAGAZINE_H

#include "block_pool/pool.h"

#include "base/sys.h"

/* Written by the owner of the store in its gate, too, while others look. */
static inline struct lido__magazine *lido__magazine_spare(struct lido__magazine *magazine) {
    return lido__load(&magazine->spare, acquire);
}

static inline void lido__magazine_set_spare(struct lido__magazine *magazine,
                                            struct lido__magazine *spare) {
    lido__store(&magazine->spare, spare, release);
}

static inline void *lido__magazine_hot(struct lido__magazine *magazine) {
    return lido__load(&magazine->hot, acquire);
}

static inline uint32_t lido__magazine_count(struct lido__magazine *magazine) {
    return magazine ? (uint32_t)lido__load(&magazine->count, acquire) +
                          (lido__magazine_hot(magazine) != NULL)
                    : 0;
}

/* The i-th of lido__magazine_count, for whoever only looks: NULL when the owner has taken it. */
static inline void *lido__magazine_block(struct lido__magazine *magazine, uint32_t i) {
    uint32_t count = (uint32_t)lido__load(&magazine->count, acquire);
    return i < count ? lido__load(&magazine->block[i], relaxed) : lido__magazine_hot(magazine);
}

/* For whoever alone works on a magazine: what is hot goes on the stack. */
static inline void lido__magazine_cool(struct lido__magazine *magazine) {
    void *hot = lido__magazine_hot(magazine);
    if (hot) {
        size_t count = lido__load(&magazine->count, relaxed);
        lido__store(&magazine->hot, NULL, relaxed);
        lido__store(&magazine->block[count], hot, relaxed);
        lido__store(&magazine->count, count + 1, release);
    }
}

static inline void lido__magazine_set_count(struct lido__magazine *magazine, uint32_t count) {
    lido__store(&magazine->count, count, release);
    lido__store(&magazine->low, count, relaxed);
}

/* NULL: none, it is with a visitor or the pool is tight. */
static inline struct lido__magazine *lido__store_loaded(struct lido__store *store) {
    struct lido__magazine *magazine = lido__load(&store->gate.store, acquire);
    return magazine == &lido__magazine_none ? NULL : magazine;
}

/* ---- The depot, P2 ----------------------------------------------------------------------- */

static inline void lido__depot_push_empty(struct lido_block_pool *pool,
                                          struct lido__magazine *magazine) {
    lido__magazine_set_spare(magazine, pool->empty);
    pool->empty = magazine;
    pool->empty_count++;
}

static inline struct lido__magazine *lido__depot_pop_empty(struct lido_block_pool *pool) {
    struct lido__magazine *magazine = pool->empty;
    if (magazine) {
        pool->empty = lido__magazine_spare(magazine);
        pool->empty_count--;
        lido__magazine_set_spare(magazine, NULL);
    }
    return magazine;
}

/* The full list may hold magazines that are not quite full; none is empty. */
static inline void lido__depot_push_full(struct lido_block_pool *pool,
                                         struct lido__magazine *magazine) {
    lido__magazine_set_spare(magazine, pool->full);
    pool->full = magazine;
    pool->full_count++;
    pool->depot_used_ns = lido__sys.coarse_ns();
    pool->depot_cached += lido__magazine_count(magazine);
}

static inline struct lido__magazine *lido__depot_pop_full(struct lido_block_pool *pool) {
    struct lido__magazine *magazine = pool->full;
    if (magazine) {
        pool->full = lido__magazine_spare(magazine);
        pool->full_count--;
        pool->depot_cached -= lido__magazine_count(magazine);
        lido__magazine_set_spare(magazine, NULL);
    }
    return magazine;
}

#endif
