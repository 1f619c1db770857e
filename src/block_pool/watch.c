/* SPDX-License-Identifier: MIT
 * Blocks by number, figures, and steering. */
#include "block_pool/apart.h"
#include "block_pool/pool.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"

/* The calls that only look still lock, and a walk moves cached blocks to their slabs. */
static lido_block_pool *variable(const lido_block_pool *constant) {
    return (lido_block_pool *)(uintptr_t)constant;
}

/* ---- Blocks by number -------------------------------------------------------------------- */

/* With the lock held. */
static bool is_out(const struct lido_block_pool *pool, const struct lido__slab *slab, uint32_t i) {
    return i < slab->carved && !lido__slab_is_free(slab, i) &&
           !lido__store_has(pool, lido__slab_block(slab, i));
}

lido_status lido_block_pool_read_index(const lido_block_pool *constant, const void *block,
                                       uint64_t *index) {
    lido_block_pool *pool = variable(constant);
    uint64_t found = 0;
    bool is_held = false;
    lido__lock(&pool->lock);
    if (pool->apart)
        found = lido__apart_index(pool->apart, block, &is_held);
    else {
        uint32_t i = 0;
        struct lido__slab *slab = lido__slab_find(pool, block, &i);
        is_held = slab && is_out(pool, slab, i);
        found = is_held ? slab->number * pool->slab_blocks + i : 0;
    }
    lido__unlock(&pool->lock);
    if (!is_held)
        return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                          "block_pool \"%s\": %p is not the start of a block that is out of this "
                          "pool",
                          .word = {pool->resource.info.name},
                          .number = {(uint64_t)(uintptr_t)block});
    *index = found;
    return LIDO_OK;
}

static void *find_at(lido_block_pool *pool, uint64_t index) {
    void *block = NULL;
    lido__lock(&pool->lock);
    if (pool->apart) {
        uint64_t found = index;
        block = lido__apart_next(pool->apart, &found);
        block = found == index ? block : NULL;
    } else if (index / pool->slab_blocks < pool->number_count) {
        struct lido__slab *slab = pool->slabs[index / pool->slab_blocks];
        uint32_t i = (uint32_t)(index % pool->slab_blocks);
        if (slab && is_out(pool, slab, i))
            block = lido__slab_block(slab, i);
    }
    lido__unlock(&pool->lock);
    return block;
}

static lido_status refuse_index(lido_block_pool *pool, uint64_t index) {
    return LIDO__FAIL(LIDO_ERR_NOT_HELD, "block_pool \"%s\": no block is out under index %u",
                      .word = {pool->resource.info.name}, .number = {index});
}

void *lido_block_pool_at(const lido_block_pool *constant, uint64_t index) {
    lido_block_pool *pool = variable(constant);
    void *block = find_at(pool, index);
    if (!block)
        (void)refuse_index(pool, index);
    return block;
}

lido_status lido_block_pool_release_index_at(lido_block_pool *pool, uint64_t index,
                                             const char *site) {
    void *block = find_at(pool, index);
    if (block)
        return lido_block_pool_release_at(pool, block, site);
    (void)lido__add(&pool->refused_release, 1, relaxed);
    LIDO__LOG(LIDO_LOG_WARNING, "block_pool.release_refused", {"pool", pool->resource.info.name, 0},
              {"why", "not out", 0}, {"index", NULL, (int64_t)index},
              {"site", site ? site : "?", 0});
    return refuse_index(pool, index);
}

/* With the lock held. Blocks that are at hand go to their slabs first, so that there is less to
 * look through for each block of a walk. */
static void *next_in_slabs(lido_block_pool *pool, uint64_t *index) {
    uint64_t number = *index / pool->slab_blocks;
    uint32_t i = (uint32_t)(*index % pool->slab_blocks);
    lido__store_flush_own(pool);
    while (lido__depot_digest(pool))
        continue;
    for (; number < pool->number_count; number++, i = 0) {
        struct lido__slab *slab = pool->slabs[number];
        for (; slab && i < slab->carved; i++)
            if (is_out(pool, slab, i)) {
                *index = number * pool->slab_blocks + i;
                return lido__slab_block(slab, i);
            }
    }
    return NULL;
}

void *lido_block_pool_next(const lido_block_pool *constant, uint64_t *index) {
    lido_block_pool *pool = variable(constant);
    lido__lock(&pool->lock);
    void *block = pool->apart ? lido__apart_next(pool->apart, index) : next_in_slabs(pool, index);
    lido__unlock(&pool->lock);
    return block;
}

/* ---- Figures ----------------------------------------------------------------------------- */

/* Of the bytes that are free and at hand, those that are not kept for ever: trim gives no more. */
static uint64_t not_kept(const struct lido_block_pool *pool, uint64_t bytes) {
    uint64_t more = pool->slab_count > pool->keep_slabs ? pool->slab_count - pool->keep_slabs : 0;
    if (pool->is_reserved)
        return 0;
    return bytes / pool->slab_bytes < more ? bytes : more * pool->slab_bytes;
}

/* With the lock held. While stores are at work their counts are of slightly different moments. */
static void read_slabs(struct lido_block_pool *pool, lido_block_pool_stats *s,
                       uint64_t *loose_bytes) {
    lido__store_note_peak(pool);
    uint64_t in_stores = lido__store_cached(pool), drawn = lido__drawn(pool);
    s->acquired = lido__store_acquired(pool);
    s->live = drawn > in_stores ? drawn - in_stores : 0;
    if (s->live > pool->live_peak)
        pool->live_peak = s->live;
    s->existing = pool->existing;
    s->made = pool->made;
    s->cached = in_stores + pool->depot_cached;
    s->draining = pool->draining_slabs;
    s->idle = pool->idle + lido__store_pinned(pool);
    s->stranded = pool->slab_free - s->idle;
    s->committed_bytes = pool->committed_bytes;
    s->committed_peak = pool->committed_peak;
    *loose_bytes =
        not_kept(pool, pool->idle_bytes + (s->cached + s->idle - pool->idle) * pool->stride_bytes);
    /* With a home, the pool itself is in committed_bytes. */
    s->overhead_bytes = (pool->has_home ? 0 : sizeof *pool) +
                        pool->slab_capacity * sizeof(struct lido__slab *) +
                        pool->slab_overhead_bytes + lido__store_overhead(pool);
}

static void derive(lido_block_pool_stats *s, const struct lido_block_pool *pool,
                   uint64_t loose_bytes) {
    double committed = (double)s->committed_bytes, loose = (double)loose_bytes;
    double held = committed + (double)s->overhead_bytes;
    s->released = s->acquired > s->live ? s->acquired - s->live : 0;
    s->utilisation = s->existing ? (double)s->live / (double)s->existing : 1;
    s->byte_efficiency = s->live ? (double)pool->block_bytes * (double)s->live / held : 1;
    s->reuse = s->acquired > s->made ? 1 - (double)s->made / (double)s->acquired
               : s->acquired         ? 0
                                     : 1;
    s->fragmentation = loose < committed ? loose / committed : committed > 0 ? 1 : 0;
}

lido_status lido_block_pool_read_stats(const lido_block_pool *constant,
                                       lido_block_pool_stats *stats) {
    lido_block_pool *pool = variable(constant);
    lido_block_pool_stats s = {.struct_size = sizeof s};
    uint64_t loose_bytes = 0;
    lido__lock(&pool->lock);
    if (pool->apart) {
        lido__apart_read_stats(pool, &s);
        loose_bytes = pool->is_reserved ? 0 : (s.cached + s.idle) * pool->stride_bytes;
    } else
        read_slabs(pool, &s, &loose_bytes);
    s.live_peak = pool->live_peak;
    s.refused_limit = pool->refused_limit;
    s.refused_memory = pool->refused_memory;
    s.refused_release = lido__load(&pool->refused_release, relaxed) + pool->doubles;
    s.block_limit = pool->limit;
    s.coalesce_percent = pool->coalesce_percent;
    lido__unlock(&pool->lock);
    derive(&s, pool, loose_bytes);
    return lido__figures_write(stats, &s, sizeof s, "lido_block_pool_stats");
}

/* ---- Steering ---------------------------------------------------------------------------- */

lido_status lido_block_pool_set_block_limit(lido_block_pool *pool, uint64_t block_limit) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    (void)lido_block_pool_read_stats(pool, &stats);
    uint64_t existing = stats.existing;
    if (pool->is_reserved && (block_limit == 0 || block_limit > existing))
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "block_pool \"%s\": block_limit is %u, must be 1 to %u: the pool is "
                          "reserved",
                          .word = {pool->resource.info.name}, .number = {block_limit, existing});
    lido__lock(&pool->lock);
    pool->limit = block_limit;
    if (!pool->apart) {
        pool->tight_count = 0;
        pool->is_tight = false;
        if (block_limit &&
            (block_limit < LIDO__LIMIT_FOR_STORES || lido__drawn(pool) > block_limit))
            lido__store_tighten(pool);
    }
    lido__unlock(&pool->lock);
    LIDO__LOG(LIDO_LOG_INFO, "block_pool.limit_set", {"pool", pool->resource.info.name, 0},
              {"block_limit", NULL, (int64_t)block_limit});
    return LIDO_OK;
}

lido_status lido_block_pool_set_coalesce_percent(lido_block_pool *pool, uint64_t percent) {
    if (percent < 1 || percent > 100)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "block_pool \"%s\": coalesce_percent is %u, must be 1 to 100",
                          .word = {pool->resource.info.name}, .number = {percent});
    lido__lock(&pool->lock);
    pool->coalesce_percent = percent;
    pool->is_coalescing = false;
    lido__unlock(&pool->lock);
    return LIDO_OK;
}

enum { TRIM_SLABS = 16 }; /* begin to drain in one step */

/* One step of coalescing, with the lock held for one magazine or some slabs. Returns the bytes that
 * it gave back, and whether there is more to do. */
static uint64_t trim_step(lido_block_pool *pool, uint32_t pass, bool *is_done) {
    uint64_t cost_bytes = 0;
    lido__lock(&pool->lock);
    bool goes_on = lido__depot_digest(pool);
    if (!goes_on && lido__slab_wants_draining(pool, true)) {
        uint64_t before = pool->draining_slabs;
        lido__slab_drain(pool, TRIM_SLABS, true);
        goes_on = pool->draining_slabs > before;
    }
    struct lido__slab *slab = goes_on ? NULL : lido__slab_detach(pool, LIDO_FOREVER);
    lido__unlock(&pool->lock);
    if (goes_on || slab)
        return slab ? lido__slab_end(slab) : 0;
    uint64_t bytes = lido__tidy_pages(pool, LIDO_FOREVER, pass, &cost_bytes);
    *is_done = cost_bytes == 0;
    return bytes;
}

static void visit_all(lido_block_pool *pool) {
    for (bool has_more = true; has_more;) {
        lido__lock(&pool->lock);
        has_more = lido__store_visit(pool, LIDO__VISITS);
        lido__unlock(&pool->lock);
    }
}

uint64_t lido_block_pool_trim(lido_block_pool *pool, uint64_t budget_ns) {
    uint64_t start_ns = lido__sys.now_ns(), given_back_bytes = 0;
    uint32_t pass = 0;
    bool is_done = false;
    if (pool->is_reserved)
        return 0;
    if (!pool->apart) {
        lido__lock(&pool->lock);
        lido__store_flush_own(pool);
        lido__store_mark(pool, false);
        pool->pass += pool->pass == UINT32_MAX ? 2 : 1; /* 0 is no pass */
        pass = pool->pass;
        lido__unlock(&pool->lock);
        visit_all(pool);
    }
    while (!is_done) {
        if (pool->apart) {
            uint64_t bytes = lido__apart_end_one(pool, LIDO_FOREVER);
            given_back_bytes += bytes;
            is_done = bytes == 0;
        } else
            given_back_bytes += trim_step(pool, pass, &is_done);
        if (budget_ns != LIDO_FOREVER && lido__sys.now_ns() - start_ns >= budget_ns)
            break;
    }
    return given_back_bytes;
}

uint64_t lido_block_pool_block_size(const lido_block_pool *pool) {
    return pool->block_bytes;
}
