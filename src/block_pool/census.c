/* SPDX-License-Identifier: MIT
 * Which blocks lie in the magazines of stores and depot, for whoever asks under the lock: is this one
 * among them, and which slabs do they keep from being empty. Owners go on meanwhile. */
#include "block_pool/magazine.h"
#include "block_pool/pool.h"

static bool magazine_has(struct lido__magazine *magazine, const void *block) {
    for (uint32_t i = lido__magazine_count(magazine); i-- > 0;)
        if (lido__magazine_block(magazine, i) == block)
            return true;
    /* Once more: what its owner pushed since we counted took the place of what is hot. */
    return magazine && lido__magazine_hot(magazine) == block;
}

bool lido__store_has(const struct lido_block_pool *pool, const void *block) {
    for (struct lido__magazine *magazine = pool->full; magazine;
         magazine = lido__magazine_spare(magazine))
        if (magazine_has(magazine, block))
            return true;
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        struct lido__magazine *magazine = lido__store_loaded(store);
        if (magazine &&
            (magazine_has(magazine, block) || magazine_has(lido__magazine_spare(magazine), block)))
            return true;
    }
    return false;
}

/* Counts the blocks of a magazine with their slabs, or takes them off again. Returns how many blocks
 * are free in slabs that have nothing else but these: each slab is complete once. */
static uint64_t count_with_slabs(const struct lido_block_pool *pool,
                                 struct lido__magazine *magazine, bool off) {
    uint64_t pinned = 0;
    for (uint32_t k = lido__magazine_count(magazine), i = 0; k-- > 0;) {
        struct lido__slab *slab = lido__slab_find(pool, lido__magazine_block(magazine, k), &i);
        if (slab && off)
            slab->cached_count = 0;
        else if (slab && ++slab->cached_count + slab->free_count == slab->carved)
            pinned += slab->free_count;
    }
    return pinned;
}

static uint64_t count_all_with_slabs(const struct lido_block_pool *pool, bool off) {
    uint64_t pinned = 0;
    for (struct lido__magazine *magazine = pool->full; magazine;
         magazine = lido__magazine_spare(magazine))
        pinned += count_with_slabs(pool, magazine, off);
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        struct lido__magazine *magazine = lido__store_loaded(store);
        pinned += count_with_slabs(pool, magazine, off);
        pinned += magazine ? count_with_slabs(pool, lido__magazine_spare(magazine), off) : 0;
    }
    return pinned;
}

uint64_t lido__store_pinned(const struct lido_block_pool *pool) {
    (void)count_all_with_slabs(pool, true);
    return count_all_with_slabs(pool, false);
}
