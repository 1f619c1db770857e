/* SPDX-License-Identifier: MIT
 * Which blocks lie in the magazines of stores and depot, for whoever asks under the lock: is this one
 * among them, and which slabs do they keep from being empty. Owners go on meanwhile. */
#include "block_pool/magazine.h"
#include "block_pool/stack.h"

static bool magazine_has(const struct lido__magazine *magazine, const void *block) {
    for (uint32_t i = lido__magazine_count(magazine); i-- > 0;)
        if (lido__load(&magazine->block[i], relaxed) == block)
            return true;
    return false;
}

static bool stack_has(struct lido__store *store, const void *block) {
    const lido__slot *bottom = lido__stack_bottom(store);
    for (size_t i = lido__stack_count(store); i-- > 0;)
        if (lido__load(&bottom[i], relaxed) == block)
            return true;
    return false;
}

bool lido__store_has(const struct lido_block_pool *pool, const void *block) {
    for (const struct lido__magazine *magazine = pool->full; magazine; magazine = magazine->spare)
        if (magazine_has(magazine, block))
            return true;
    for (struct lido__store *store = pool->stores; store; store = store->next)
        if (stack_has(store, block) || magazine_has(store->magazine->spare, block))
            return true;
    return false;
}

/* Counts blocks with their slabs, or takes them off again. Returns how many blocks are free in slabs
 * that have nothing else but these: each slab is complete once. */
static uint64_t count_with_slabs(const struct lido_block_pool *pool, const lido__slot *slots,
                                 size_t count, bool off) {
    uint64_t pinned = 0;
    for (uint32_t i = 0; count-- > 0;) {
        struct lido__slab *slab = lido__slab_find(pool, lido__load(&slots[count], relaxed), &i);
        if (slab && off)
            slab->cached_count = 0;
        else if (slab && ++slab->cached_count + slab->free_count == slab->carved)
            pinned += slab->free_count;
    }
    return pinned;
}

static uint64_t count_magazine(const struct lido_block_pool *pool,
                               const struct lido__magazine *magazine, bool off) {
    return magazine ? count_with_slabs(pool, magazine->block, magazine->count, off) : 0;
}

static uint64_t count_all_with_slabs(const struct lido_block_pool *pool, bool off) {
    uint64_t pinned = 0;
    for (const struct lido__magazine *magazine = pool->full; magazine; magazine = magazine->spare)
        pinned += count_magazine(pool, magazine, off);
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        pinned += count_with_slabs(pool, lido__stack_bottom(store), lido__stack_count(store), off);
        pinned += count_magazine(pool, store->magazine->spare, off);
    }
    return pinned;
}

uint64_t lido__store_pinned(const struct lido_block_pool *pool) {
    (void)count_all_with_slabs(pool, true);
    return count_all_with_slabs(pool, false);
}
