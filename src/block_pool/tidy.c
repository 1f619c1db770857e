/* SPDX-License-Identifier: MIT
 * Coalescing by itself: what slow calls do for the pool when their own work is done, in bounded steps.
 *
 *      stores of threads that rest, depot  -->  slabs  -->  empty ones, free pages  -->  system
 *
 * It is due when more than coalesce_percent of the pool's bytes are in nobody's hands and some that could
 * go have been of no use for idle_keep, or when a slab has drained for as long. A step gives back
 * TIDY_BYTES or so; there are as many as slow calls, and those come often while there is something to do.
 *
 * Blocks in caches keep slabs from being empty. So, once in idle_keep or so, the stores of threads that rest are
 * emptied, and for GATHERS slow calls those of threads at work: not by one, for what a burst has out at
 * that moment comes back to the cache. Each time that this empties no slab doubles the time to the next. */
#include "block_pool/slab.h"

#include "base/log.h"
#include "base/sys.h"

enum {
    TIDY_BYTES = 1 << 20,  /* given back by one slow call, and one slab more */
    TIDY_SLABS = 16,       /* that begin to drain in one */
    RUN_BYTES = 16 * 1024, /* a call of the system costs as much as giving that back */
    GATHER_MAGAZINES = 4,  /* of the depot, by one slow call */
    GATHERS = 64,          /* of each store, LIDO__GRANT_TIDYING acquisitions apart: some bursts */
    LOOK_NS_MIN = 10 * 1000 * 1000, /* gathers cost, however short idle_keep is */
    BACK_OFF_MAX = 10
};

/* ---- Is there anything to do? All with the lock held ------------------------------------- */

static bool is_since(const struct lido_block_pool *pool, uint64_t since_ns, uint64_t now_ns) {
    return now_ns >= since_ns && now_ns - since_ns >= pool->idle_keep_ns;
}

/* The threshold is passed; what began above it goes on to half of it. */
static bool is_loose(const struct lido_block_pool *pool) {
    uint64_t drawn_bytes = lido__drawn(pool) * pool->stride_bytes,
             committed = pool->committed_bytes;
    uint64_t loose_bytes = committed > drawn_bytes ? committed - drawn_bytes : 0;
    uint64_t percent =
        pool->is_coalescing ? (pool->coalesce_percent + 1) / 2 : pool->coalesce_percent;
    return !pool->is_reserved && lido__coalesces_by_itself(pool) && loose_bytes > 0 &&
           pool->slab_count > pool->keep_slabs && loose_bytes * 100 > committed * percent;
}

/* And some of that memory has been of no use for idle_keep. */
static bool is_fragmented(const struct lido_block_pool *pool) {
    const struct lido__slab *empty = pool->lists[LIDO__EMPTY].first;
    if (!is_loose(pool))
        return false;
    uint64_t now_ns = lido__sys.coarse_ns();
    return pool->gathers_left > 0 || (empty && is_since(pool, empty->since_ns, now_ns)) ||
           (pool->full && is_since(pool, pool->depot_used_ns, now_ns));
}

static bool has_pages_to_give(const struct lido_block_pool *pool) {
    const struct lido__slab *draining = pool->lists[LIDO__DRAINING].first;
    return draining && pool->slab_pages > 0 && lido__coalesces_by_itself(pool) &&
           is_since(pool, draining->since_ns, lido__sys.coarse_ns());
}

/* Once in idle_keep or LOOK_NS_MIN: is it caches that keep slabs from being empty? */
static bool may_look(const struct lido_block_pool *pool) {
    return pool->slab_count > pool->keep_slabs + 1 && !pool->is_reserved &&
           lido__coalesces_by_itself(pool) && lido__sys.coarse_ns() >= pool->look_from_ns;
}

bool lido__tidy_is_due(const struct lido_block_pool *pool) {
    return is_fragmented(pool) || has_pages_to_give(pool);
}

bool lido__tidy_is_wanted(const struct lido_block_pool *pool) {
    return pool->doubles || pool->is_visiting || lido__has_spare_empties(pool) ||
           lido__slab_wants_draining(pool, false) || lido__tidy_is_due(pool) || may_look(pool);
}

/* ---- Steps with the lock held ------------------------------------------------------------ */

void lido__tidy_gather(struct lido_block_pool *pool) {
    bool has_more = true, is_due = is_fragmented(pool);
    uint64_t slabs = pool->empty_slabs;
    /* A slab that this has just emptied is young: it goes on when that has been of no use for as long. */
    pool->is_coalescing = is_due || (pool->is_coalescing && is_loose(pool));
    if (!pool->is_coalescing)
        pool->gathers_left = 0;
    if (!is_due)
        return;
    lido__store_flush_own(pool);
    for (int i = 0; i < GATHER_MAGAZINES && has_more; i++)
        has_more = lido__depot_digest(pool);
    pool->gathers_left -= pool->gathers_left > 0;
    if (pool->empty_slabs > slabs)
        pool->look_back_off = 0;
}

/* Blocks that wait in the depot would be handed out again, wherever they are from. */
static void begin_to_drain(struct lido_block_pool *pool) {
    if (!lido__slab_wants_draining(pool, false))
        return;
    lido__slab_drain(pool, TIDY_SLABS, false);
    for (int i = 0; i < GATHER_MAGAZINES && lido__depot_digest(pool); i++)
        continue;
}

/* Stores of threads that rest, some in each slow call. */
static void visit_resting(struct lido_block_pool *pool) {
    uint64_t slabs = pool->empty_slabs;
    if (!pool->is_visiting)
        return;
    pool->is_visiting = lido__store_visit(pool, LIDO__VISITS);
    for (int i = 0; i < LIDO__VISITS && lido__depot_digest(pool); i++)
        continue;
    pool->is_visiting = pool->is_visiting || pool->full;
    if (pool->empty_slabs > slabs)
        pool->look_back_off = 0;
}

/* Do they hold more than the threshold? */
static void look_who_rests(struct lido_block_pool *pool) {
    uint64_t cached = lido__store_note_resting(pool);
    pool->is_visiting =
        cached * pool->stride_bytes * 100 > pool->committed_bytes * pool->coalesce_percent;
    if (pool->is_visiting)
        lido__store_mark(pool, true);
}

static void look_around(struct lido_block_pool *pool) {
    if (!may_look(pool))
        return;
    uint64_t least_ns = pool->idle_keep_ns > LOOK_NS_MIN ? pool->idle_keep_ns : LOOK_NS_MIN;
    uint64_t wait_ns =
        least_ns > UINT64_MAX >> 12 ? UINT64_MAX >> 1 : least_ns << pool->look_back_off;
    pool->look_from_ns = lido__sys.coarse_ns() + wait_ns;
    if (pool->look_back_off < BACK_OFF_MAX)
        pool->look_back_off++;
    if (pool->store_count > 1)
        look_who_rests(pool);
    pool->gathers_left = is_loose(pool) ? GATHERS * (uint64_t)pool->store_count : 0;
}

static struct lido__slab *idle_slab(struct lido_block_pool *pool) {
    uint64_t now_ns = lido__sys.coarse_ns();
    return is_fragmented(pool) && now_ns >= pool->idle_keep_ns
               ? lido__slab_detach(pool, now_ns - pool->idle_keep_ns)
               : NULL;
}

static struct lido__magazine *spare_empty(struct lido_block_pool *pool) {
    struct lido__magazine *magazine = pool->empty;
    if (!lido__has_spare_empties(pool))
        return NULL;
    pool->empty = magazine->spare;
    pool->empty_count--;
    pool->magazine_count--;
    return magazine;
}

/* ---- One slow call ----------------------------------------------------------------------- */

static void tell_doubles(struct lido_block_pool *pool, uint64_t doubles) {
    (void)lido__add(&pool->refused_release, doubles, relaxed);
    LIDO__LOG(LIDO_LOG_ERROR, "block_pool.released_twice", {"pool", pool->resource.info.name, 0},
              {"blocks", NULL, (int64_t)doubles});
}

/* What is found with the lock, to be ended without it. */
struct find {
    struct lido__slab *slab;
    struct lido__magazine *magazine;
    uint64_t doubles;
};

static struct find look(struct lido_block_pool *pool) {
    lido__lock(&pool->lock);
    struct find found = {idle_slab(pool), spare_empty(pool), pool->doubles};
    pool->doubles = 0;
    lido__unlock(&pool->lock);
    return found;
}

uint64_t lido__tidy_pages(struct lido_block_pool *pool, uint64_t before_ns, uint32_t pass,
                          uint64_t *cost_bytes) {
    struct lido__runs runs;
    lido__lock(&pool->lock);
    bool has_one = lido__slab_purge_begin(pool, before_ns, pass, &runs);
    lido__unlock(&pool->lock);
    if (!has_one)
        return 0;
    *cost_bytes = pool->slab_bytes / 16 + runs.count * (uint64_t)RUN_BYTES;
    uint64_t bytes = lido__slab_purge_give(&runs);
    *cost_bytes += bytes;
    lido__lock(&pool->lock);
    lido__slab_purge_end(pool, &runs);
    lido__unlock(&pool->lock);
    return bytes;
}

static void give_pages(struct lido_block_pool *pool) {
    uint64_t now_ns = lido__sys.coarse_ns(), cost_bytes = 1;
    if (now_ns < pool->idle_keep_ns)
        return;
    for (uint64_t bytes = 0; bytes < TIDY_BYTES && cost_bytes > 0; bytes += cost_bytes) {
        cost_bytes = 0;
        (void)lido__tidy_pages(pool, now_ns - pool->idle_keep_ns, 0, &cost_bytes);
    }
}

void lido__tidy(struct lido_block_pool *pool) {
    lido__lock(&pool->lock);
    begin_to_drain(pool);
    look_around(pool);
    visit_resting(pool);
    bool gives_pages = lido__coalesces_by_itself(pool);
    lido__unlock(&pool->lock);
    for (uint64_t bytes = 0; bytes < TIDY_BYTES;) {
        struct find found = look(pool);
        if (found.slab)
            bytes += lido__slab_end(found.slab);
        lido__sys.free(found.magazine);
        if (found.doubles)
            tell_doubles(pool, found.doubles);
        if (!found.slab && !found.magazine)
            break;
    }
    if (gives_pages)
        give_pages(pool);
}
