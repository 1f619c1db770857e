/* SPDX-License-Identifier: MIT
 * After a peak: how the blocks that survive it come together, and how pages between them go back.
 *
 *      in use   ##.#####  #.##.###     serve: the fullest first
 *      drain    ..#.....  .....#..     serve nobody; what comes back goes home, past all caches
 *               ^^   ^^^  ^^^^    ^    free pages go back to the system; the last block takes the slab along
 *
 * Blocks cannot be moved, for their users have pointers to them. So a slab empties at the pace at
 * which its blocks are released; what can be done is to hand none of them out again. For random
 * survivors that is all it takes: with each block that is released and acquired, one moves over.
 *
 * It begins when twice the slabs are in use that its blocks need, and is worth nothing if the peak
 * comes again: each slab that has to serve again makes the next wait longer, from idle_keep / 64 on.
 *
 * A purge calls the system without the lock. Meanwhile the slab is in no list, so nobody takes a
 * block from it, and its pages count as purged already: a fork in between finds it that way. */
#include "block_pool/slab.h"

#include "block_pool/canary.h"

#include "base/sys.h"

#include <string.h>

enum {
    SLABS_MIN = 4,   /* so few more than needed are not worth it */
    REGRETS_MAX = 16 /* idle_keep << 10 */
};

/* ---- Which slabs drain ------------------------------------------------------------------- */

static uint64_t wait_ns(const struct lido_block_pool *pool) {
    uint64_t keep_ns = pool->idle_keep_ns / 64;
    return pool->regrets == 0           ? 0
           : keep_ns > UINT64_MAX >> 17 ? UINT64_MAX / 2
                                        : keep_ns << pool->regrets;
}

void lido__slab_regret(struct lido_block_pool *pool) {
    uint64_t now_ns = lido__sys.coarse_ns();
    if (now_ns < pool->drain_from_ns)
        return; /* one of the same pass */
    if (pool->regrets < REGRETS_MAX)
        pool->regrets++;
    pool->drain_from_ns = now_ns + wait_ns(pool);
}

/* How many slabs more than `factor` times what its blocks need are in use. */
static uint64_t surplus(const struct lido_block_pool *pool, uint64_t factor) {
    uint64_t in_use = pool->slab_count - pool->empty_slabs - pool->draining_slabs;
    uint64_t blocks = pool->existing - pool->slab_free;
    uint64_t needed = (blocks + blocks / 4) / pool->slab_blocks + 1;
    if (needed < pool->keep_slabs)
        needed = pool->keep_slabs;
    return in_use > needed * factor ? in_use - needed * factor : 0;
}

bool lido__slab_wants_draining(const struct lido_block_pool *pool, bool always) {
    if (pool->is_reserved || (!lido__coalesces_by_itself(pool) && !always))
        return false;
    if (always)
        return surplus(pool, 1) > 0;
    /* What has begun goes on to the end. */
    return surplus(pool, pool->draining_slabs > 0 ? 1 : 2) > SLABS_MIN &&
           (pool->regrets == 0 || lido__sys.coarse_ns() >= pool->drain_from_ns);
}

void lido__slab_drain(struct lido_block_pool *pool, uint32_t count, bool always) {
    uint64_t more = lido__slab_wants_draining(pool, always) ? surplus(pool, 1) : 0;
    uint64_t now_ns = lido__sys.coarse_ns();
    for (uint32_t list = LIDO__SLAB_LISTS; list-- > 0 && more > 0 && count > 0;)
        while (pool->lists[list].first && more > 0 && count > 0) {
            struct lido__slab *slab = pool->lists[list].first;
            lido__slab_change_begin(pool, slab);
            slab->is_draining = slab->was_draining = true;
            slab->since_ns = now_ns;
            pool->draining_slabs++;
            lido__slab_change_end(pool, slab);
            more--;
            count--;
        }
}

/* ---- Which pages go ---------------------------------------------------------------------- */

static bool is_page_free(const struct lido_block_pool *pool, const struct lido__slab *slab,
                         uint32_t page) {
    size_t from = page * pool->page_bytes, to = from + pool->page_bytes;
    if (to > slab->carved * pool->stride_bytes)
        return false;
    for (uint32_t i = (uint32_t)(from / pool->stride_bytes);
         i < slab->carved && i * pool->stride_bytes < to; i++)
        if (!lido__slab_is_free(slab, i))
            return false;
    return true;
}

static void note_page(struct lido_block_pool *pool, struct lido__runs *runs, uint32_t page) {
    struct lido__slab *slab = runs->slab;
    lido__slab_page_bits(slab)[page / 64] |= UINT64_C(1) << page % 64;
    slab->purged_count++;
    pool->committed_bytes -= pool->page_bytes;
    uint32_t last = runs->count;
    if (last > 0 && runs->run[last - 1].first + runs->run[last - 1].count == page)
        runs->run[last - 1].count++;
    else {
        runs->run[last].first = page;
        runs->run[last].count = 1;
        runs->count++;
    }
}

static void note_pages(struct lido_block_pool *pool, struct lido__runs *runs) {
    for (uint32_t page = 0; page < pool->slab_pages && runs->count < LIDO__RUNS; page++)
        if (!lido__slab_page_is_purged(runs->slab, page) && is_page_free(pool, runs->slab, page))
            note_page(pool, runs, page);
}

/* The next slab to look at. Trim looks at all that drain; where blocks are about as large as pages,
 * so that free pages are many, at all others, too. */
static struct lido__slab *next_slab(const struct lido_block_pool *pool, uint64_t before_ns,
                                    uint32_t pass) {
    struct lido__slab *slab = pool->lists[LIDO__DRAINING].first;
    if (slab && (pass ? slab->pass != pass : slab->since_ns <= before_ns))
        return slab;
    for (uint32_t list = 0; pass && pool->stride_bytes * 2 >= pool->page_bytes &&
                            pool->slab_count > pool->keep_slabs && list < LIDO__SLAB_LISTS;
         list++) {
        slab = pool->lists[list].first;
        if (slab && slab->pass != pass)
            return slab;
    }
    return NULL;
}

bool lido__slab_purge_begin(struct lido_block_pool *pool, uint64_t before_ns, uint32_t pass,
                            struct lido__runs *runs) {
    struct lido__slab *slab = pool->slab_pages > 0 && !pool->is_reserved && !pool->purging
                                  ? next_slab(pool, before_ns, pass)
                                  : NULL;
    if (!slab)
        return false;
    runs->slab = slab;
    runs->count = 0;
    lido__slab_change_begin(pool, slab);
    pool->purging = slab;
    slab->pass = pass;
    slab->since_ns = lido__sys.coarse_ns();
    note_pages(pool, runs);
    lido__slab_change_end(pool, slab);
    return true;
}

uint64_t lido__slab_purge_give(struct lido__runs *runs) {
    const struct lido__slab *slab = runs->slab;
    size_t page_bytes = slab->pool->page_bytes;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < runs->count; i++) {
        char *from = slab->extent.memory + runs->run[i].first * page_bytes;
        if (!lido__sys.purge(from, runs->run[i].count * page_bytes))
            break;
        bytes += runs->run[i].count * page_bytes;
        runs->run[i].count = 0; /* done */
    }
    return bytes;
}

/* Back into its list, as the last. */
static void put_back(struct lido_block_pool *pool) {
    struct lido__slab *slab = pool->purging;
    pool->purging = NULL;
    lido__slab_change_begin(pool, slab);
    lido__slab_change_end(pool, slab);
}

void lido__slab_purge_end(struct lido_block_pool *pool, const struct lido__runs *runs) {
    /* What the system would not take stays what it was. */
    for (uint32_t i = 0; i < runs->count; i++)
        for (uint32_t k = 0; k < runs->run[i].count; k++)
            lido__slab_restore_page(pool, runs->slab, runs->run[i].first + k);
    put_back(pool);
}

void lido__slab_purge_forget(struct lido_block_pool *pool) {
    if (pool->purging)
        put_back(pool);
}

/* ---- What comes home --------------------------------------------------------------------- */

bool lido__slab_take_back(struct lido_block_pool *pool, void *block) {
    uint32_t i = 0;
    lido__lock(&pool->lock);
    struct lido__slab *slab = lido__slab_find(pool, block, &i);
    bool is_out = slab && !lido__slab_is_free(slab, i) &&
                  (!lido__canary_is_set(block) || !lido__store_has(pool, block));
    if (is_out) {
        lido__store_note_peak(pool);
        lido__canary_set(block);
        (void)lido__slab_put(pool, block);
        lido__store_loosen(pool);
    }
    bool is_untidy = lido__tidy_is_wanted(pool);
    lido__unlock(&pool->lock);
    if (is_untidy)
        lido__tidy(pool);
    return is_out;
}
