/* SPDX-License-Identifier: MIT
 * What slow calls do for the pool when their own work is done, in bounded steps: idle slabs and spare
 * magazines go back, and what was found too late to refuse is told. */
#include "block_pool/pool.h"

#include "base/log.h"
#include "base/sys.h"

enum { TIDY_BYTES = 1 << 20 }; /* given back by one slow call, and one slab more */

/* With the lock held: something that a slow call should end, off the lock. */
static struct lido__slab *idle_slab(struct lido_block_pool *pool) {
    if (!pool->lists[LIDO__SLAB_LISTS].first || pool->idle_keep_ns == LIDO_FOREVER)
        return NULL;
    uint64_t now_ns = lido__sys.coarse_ns();
    return now_ns < pool->idle_keep_ns ? NULL
                                       : lido__slab_detach(pool, now_ns - pool->idle_keep_ns);
}

static void tell_doubles(struct lido_block_pool *pool, uint64_t doubles) {
    (void)lido__add(&pool->refused_release, doubles, relaxed);
    LIDO__LOG(LIDO_LOG_ERROR, "block_pool.released_twice", {"pool", pool->resource.info.name, 0},
              {"blocks", NULL, (int64_t)doubles});
}

void lido__store_tidy(struct lido_block_pool *pool) {
    for (uint64_t bytes = 0; bytes < TIDY_BYTES;) {
        struct lido__magazine *magazine = NULL;
        lido__lock(&pool->lock);
        struct lido__slab *slab = idle_slab(pool);
        if (lido__has_spare_empties(pool)) {
            magazine = pool->empty;
            pool->empty = lido__load(&magazine->spare, relaxed);
            pool->empty_count--;
            pool->magazine_count--;
        }
        uint64_t doubles = pool->doubles;
        pool->doubles = 0;
        lido__unlock(&pool->lock);
        if (slab)
            bytes += lido__slab_end(slab);
        lido__sys.free(magazine);
        if (doubles)
            tell_doubles(pool, doubles);
        if (!slab && !magazine)
            return;
    }
}
