/* SPDX-License-Identifier: MIT
 * The pool's life, acquire and release. How it is made of stores, slabs and extents: pool.h. */
#include "block_pool/apart.h"
#include "block_pool/canary.h"
#include "block_pool/fast.h"
#include "block_pool/panel.h"
#include "block_pool/pool.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"

#include <stdlib.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

/* ---- Options ----------------------------------------------------------------------------- */

extern void __asan_init(void) __attribute__((weak));

static lido_status choose_mode(lido_block_pool_options *options) {
    static const char *const names[] = {"default", "slabs", "pass-through", "guard"};
    const char *wanted = getenv("LIDO_BLOCK_POOL_MODE");
    if (options->mode != LIDO_BLOCK_POOL_DEFAULT)
        return LIDO_OK;
    options->mode =
        __asan_init || RUNNING_ON_VALGRIND ? LIDO_BLOCK_POOL_PASS_THROUGH : LIDO_BLOCK_POOL_SLABS;
    if (!wanted || !*wanted)
        return LIDO_OK;
    for (uint64_t mode = LIDO_BLOCK_POOL_SLABS; mode <= LIDO_BLOCK_POOL_GUARD; mode++)
        if (strcmp(wanted, names[mode]) == 0) {
            options->mode = mode;
            return LIDO_OK;
        }
    return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                      "the environment variable LIDO_BLOCK_POOL_MODE is \"%s\", must be slabs, "
                      "pass-through or guard",
                      .word = {wanted});
}

static lido_status check(lido_block_pool_options *options) {
    const uint64_t flags = LIDO_BLOCK_POOL_ZERO | LIDO_BLOCK_POOL_RESERVED | LIDO_BLOCK_POOL_EXACT |
                           LIDO_BLOCK_POOL_LIMIT_EXISTING;
    const char *name = options->name ? options->name : "unnamed";
    if (options->block_align == 0)
        options->block_align = 16;
    if (options->idle_keep_ns == 0)
        options->idle_keep_ns = LIDO_SECONDS(1);
#define REFUSE(status, text, value)                                                                \
    return LIDO__FAIL(status, "block_pool \"%s\": " text, .word = {name}, .number = {value})
    if (options->block_size < 1 || options->block_size > UINT64_C(1) << 30)
        REFUSE(LIDO_ERR_ARGUMENT, "block_size is %u, must be 1 to 1073741824", options->block_size);
    if (options->block_align > 4096 || (options->block_align & (options->block_align - 1)))
        REFUSE(LIDO_ERR_ARGUMENT, "block_align is %u, must be a power of two up to 4096",
               options->block_align);
    if (options->flags & ~flags)
        REFUSE(LIDO_ERR_UNSUPPORTED, "flags is %u, has bits that this version does not know",
               options->flags);
    if (options->mode > LIDO_BLOCK_POOL_GUARD)
        REFUSE(LIDO_ERR_UNSUPPORTED, "mode is %u, which this version does not know", options->mode);
    if (options->coalesce_percent == 0)
        options->coalesce_percent = 20;
    if (options->coalesce_percent > 100)
        REFUSE(LIDO_ERR_ARGUMENT, "coalesce_percent is %u, must be 1 to 100",
               options->coalesce_percent);
    if ((options->flags & LIDO_BLOCK_POOL_LIMIT_EXISTING) && !options->block_limit)
        REFUSE(LIDO_ERR_ARGUMENT, "block_limit is %u, LIMIT_EXISTING needs one", UINT64_C(0));
    if (options->block_limit && options->ready_count > options->block_limit)
        REFUSE(LIDO_ERR_ARGUMENT, "ready_count is %u, must not be above block_limit",
               options->ready_count);
    if ((options->flags & LIDO_BLOCK_POOL_RESERVED) && !options->block_limit)
        REFUSE(LIDO_ERR_ARGUMENT, "block_limit is %u, a reserved pool needs one", UINT64_C(0));
    uint64_t ready =
        options->flags & LIDO_BLOCK_POOL_RESERVED ? options->block_limit : options->ready_count;
    if (ready > SIZE_MAX / 2 / (options->block_size + options->block_align))
        REFUSE(LIDO_ERR_ARGUMENT, "%u ready blocks of this size exceed the address space", ready);
#undef REFUSE
    return choose_mode(options);
}

/* ---- Life of a pool ---------------------------------------------------------------------- */

static void kind_lock(struct lido__resource *resource) {
    lido__lock(&((struct lido_block_pool *)(void *)resource)->lock);
}

static void kind_unlock(struct lido__resource *resource) {
    lido__unlock(&((struct lido_block_pool *)(void *)resource)->lock);
}

/* What vanished threads had comes back when their records end. */
static void kind_in_child(struct lido__resource *resource) {
    lido__slab_purge_forget((struct lido_block_pool *)(void *)resource);
    kind_unlock(resource);
}

static const struct lido__kind kind = {
    .name = "block_pool", .lock = kind_lock, .unlock = kind_unlock, .in_child = kind_in_child};

static void end_pool(struct lido_block_pool *pool) {
    lido__store_end_all(pool);
    for (uint64_t i = 0; i < pool->number_count; i++)
        if (pool->slabs[i])
            (void)lido__slab_end(pool->slabs[i]);
    (void)lido__sub(&lido__empty_slabs, pool->empty_slabs, relaxed);
    lido__sys.free(pool->slabs);
    lido__map_close(pool->window);
    lido__apart_end(pool->apart);
    if (pool->has_home)
        lido__slab_unhouse(pool);
    else
        lido__sys.free(pool);
}

/* Everything but memory for blocks and the name. */
static bool set_up(struct lido_block_pool *pool, const lido_block_pool_options *options) {
    lido__mutex_init(&pool->lock);
    pool->idle_keep_ns = options->idle_keep_ns;
    pool->limit = options->block_limit;
    pool->counts_existing = options->flags & LIDO_BLOCK_POOL_LIMIT_EXISTING;
    pool->coalesce_percent = options->coalesce_percent;
    pool->is_zeroed = options->flags & LIDO_BLOCK_POOL_ZERO;
    pool->is_reserved = options->flags & LIDO_BLOCK_POOL_RESERVED;
    lido__slab_shape(pool, options);
    pool->is_tight = pool->limit && pool->limit < LIDO__LIMIT_FOR_STORES;
    /* Pools without slabs have the map as well: fast paths look there before anything else. */
    pool->window = lido__map_open();
    if (!pool->window)
        return false;
    if (options->mode == LIDO_BLOCK_POOL_SLABS)
        return true;
    pool->apart = lido__apart_make(options);
    return pool->apart != NULL;
}

static lido_status fill(struct lido_block_pool *pool, uint64_t ready) {
    bool is_enough = false;
    if (pool->apart)
        is_enough = lido__apart_make_ready(pool, ready);
    else {
        lido__lock(&pool->lock);
        is_enough = lido__slab_carve_ready(pool, ready);
        lido__unlock(&pool->lock);
    }
    if (!is_enough)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "block_pool \"%s\": no memory for %u ready blocks",
                          .word = {pool->resource.info.name}, .number = {ready});
    return LIDO_OK;
}

static lido_status make(struct lido_block_pool *pool, const lido_block_pool_options *options,
                        const char *site) {
    pool->resource.panel = &lido__block_pool_panel;
    pool->resource.context = pool;
    lido_status status = lido__resource_name(&pool->resource, &kind, options->name, options->owner);
    if (status == LIDO_OK && !set_up(pool, options))
        status = LIDO__FAIL(LIDO_ERR_NO_MEMORY, "block_pool \"%s\": no memory for its tables",
                            .word = {pool->resource.info.name});
    if (status == LIDO_OK)
        status = lido__store_prepare();
    if (status == LIDO_OK)
        status = fill(pool, pool->is_reserved ? options->block_limit : options->ready_count);
    if (status == LIDO_OK)
        status = lido__resource_insert(&pool->resource, site);
    if (status != LIDO_OK)
        return status;
    /* Ready means that the first acquire needs nothing from the system. */
    if (pool->apart || !pool->existing || lido__store_prefill(pool))
        return LIDO_OK;
    lido__resource_remove(&pool->resource);
    return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "block_pool \"%s\": no memory for this thread's store",
                      .word = {pool->resource.info.name});
}

/* All zero, and what fast paths read in another line of the cache than the lock. NULL: no memory. */
static struct lido_block_pool *allocate(const lido_block_pool_options *options) {
    struct lido_block_pool *pool = lido__slab_house(options);
    if (pool)
        return pool;
    pool = lido__sys.alloc(sizeof *pool, LIDO__CACHE_LINE);
    if (pool)
        memset(pool, 0, sizeof *pool);
    return pool;
}

lido_status lido_block_pool_create_at(const lido_block_pool_options *given, lido_block_pool **made,
                                      const char *site) {
    lido_block_pool_options options;
    *made = NULL;
    lido_status status =
        lido__options_read(given, &options, sizeof options, "lido_block_pool_options");
    if (status == LIDO_OK)
        status = check(&options);
    if (status != LIDO_OK)
        return status;
    struct lido_block_pool *pool = allocate(&options);
    if (!pool)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "block_pool \"%s\": no memory for the pool itself",
                          .word = {options.name});
    status = make(pool, &options, site);
    if (status != LIDO_OK) {
        end_pool(pool);
        return status;
    }
    LIDO__LOG(LIDO_LOG_DEBUG, "block_pool.created", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    *made = pool;
    return LIDO_OK;
}

lido_status lido_block_pool_destroy(lido_block_pool *pool) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    uint64_t index = 0;
    if (!pool)
        return LIDO_OK;
    (void)lido_block_pool_read_stats(pool, &stats);
    if (stats.live) {
        void *block = lido_block_pool_next(pool, &index);
        return LIDO__FAIL(LIDO_ERR_BUSY,
                          "block_pool \"%s\": blocks out: %u, among them block %u at %p; release "
                          "them first",
                          .word = {pool->resource.info.name},
                          .number = {stats.live, index, (uint64_t)(uintptr_t)block});
    }
    lido__resource_remove(&pool->resource);
    LIDO__LOG(LIDO_LOG_DEBUG, "block_pool.destroyed", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    end_pool(pool);
    return LIDO_OK;
}

/* ---- Acquire ----------------------------------------------------------------------------- */

/* What a block needs before it is handed out. */
static void prepare(struct lido_block_pool *pool, void *block) {
    uint32_t i = 0;
    if (pool->is_exact && !pool->apart) {
        struct lido__slab *slab = lido__slab_find_unlocked(pool, block, &i);
        lido__store(&slab->out[i], 1, relaxed);
    }
    if (pool->is_zeroed)
        memset(block, 0,
               pool->marks_fresh && !pool->apart && lido__fresh_is_set(block) ? LIDO__FRESH_BYTES
                                                                              : pool->block_bytes);
    else if (pool->has_canary && !pool->apart)
        lido__canary_clear(block);
}

static void fail_acquire(struct lido_block_pool *pool, lido_status why) {
    lido__lock(&pool->lock);
    uint64_t limit = pool->limit, unreachable = pool->unreachable;
    lido__unlock(&pool->lock);
    if (why == LIDO_ERR_LIMIT && unreachable)
        (void)LIDO__FAIL(why,
                         "block_pool \"%s\": block_limit %u is reached; free, but out of reach in "
                         "busy threads: %u",
                         .word = {pool->resource.info.name}, .number = {limit, unreachable});
    else if (why == LIDO_ERR_LIMIT)
        (void)LIDO__FAIL(why,
                         "block_pool \"%s\": block_limit %u is reached; release some, or raise it "
                         "with lido_block_pool_set_block_limit",
                         .word = {pool->resource.info.name}, .number = {limit});
    else
        (void)LIDO__FAIL(why,
                         "block_pool \"%s\": the system has no memory for more blocks of %u "
                         "bytes",
                         .word = {pool->resource.info.name}, .number = {pool->block_bytes});
}

static __attribute__((noinline)) uint64_t slow_acquire(struct lido_block_pool *pool, uint64_t count,
                                                       void **blocks) {
    lido_status why = LIDO_OK;
    uint64_t taken = pool->apart ? lido__apart_acquire(pool, count, blocks, &why)
                                 : lido__store_acquire(pool, count, blocks, &why);
    for (uint64_t i = 0; i < taken; i++)
        prepare(pool, blocks[i]);
    if (why != LIDO_OK)
        fail_acquire(pool, why);
    return taken;
}

static __attribute__((noinline)) void *slow_acquire_one(struct lido_block_pool *pool) {
    void *block = NULL;
    if (lido__near_recall(pool->resource.info.id, pool) && lido__fast_acquire(pool, &block))
        return block;
    return slow_acquire(pool, 1, &block) ? block : NULL;
}

LIDO__MAY_INLINE void *lido_block_pool_acquire(lido_block_pool *pool) {
    void *block;
    return __builtin_expect(lido__fast_acquire(pool, &block), 1) ? block : slow_acquire_one(pool);
}

/* What this thread's magazine has, up to count, in one step down. */
static uint64_t acquire_run(lido_block_pool *pool, uint64_t count, void **blocks) {
    struct lido__store *store = lido__store_last();
    if (lido__differs(&store->near.open, pool))
        return 0;
    lido__slot *top = lido__load(&store->top, relaxed), *to = top;
    int64_t left = lido__load(&store->left, relaxed);
    while (count > 0 && to > store->floor && left > 0)
        to--, count--, left--;
    if (to == top || !lido__stack_lower(store, top, to, pool, false))
        return 0;
    lido__store(&store->left, left, relaxed);
    if (to < lido__load(&store->edge, relaxed))
        lido__store(&store->edge, to, relaxed);
    uint64_t taken = (uint64_t)(top - to);
    for (uint64_t i = 0; i < taken; i++) {
        blocks[i] = lido__load(top - 1 - i, relaxed);
        lido__canary_clear(blocks[i]);
    }
    return taken;
}

uint64_t lido_block_pool_acquire_many(lido_block_pool *pool, uint64_t count, void *blocks[]) {
    uint64_t taken = acquire_run(pool, count, blocks);
    return taken < count ? taken + slow_acquire(pool, count - taken, blocks + taken) : taken;
}

/* ---- Release ----------------------------------------------------------------------------- */

static lido_status refuse(lido_block_pool *pool, const void *block, const char *site) {
    bool is_ours = false;
    uint64_t index = 0;
    lido__lock(&pool->lock);
    if (pool->apart) {
        index = lido__apart_index(pool->apart, block, &is_ours);
        is_ours = index != UINT64_MAX;
    } else {
        uint32_t i = 0;
        struct lido__slab *slab = lido__slab_find(pool, block, &i);
        is_ours = slab != NULL;
        index = slab ? slab->number * pool->slab_blocks + i : 0;
    }
    lido__unlock(&pool->lock);
    (void)lido__add(&pool->refused_release, 1, relaxed);
    LIDO__LOG(LIDO_LOG_WARNING, "block_pool.release_refused", {"pool", pool->resource.info.name, 0},
              {"why", is_ours ? "twice" : "foreign", 0}, {"index", NULL, (int64_t)index},
              {"site", site ? site : "?", 0});
    if (is_ours)
        return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                          "block_pool \"%s\": block %u at %p is not out: released twice? (%s)",
                          .word = {pool->resource.info.name, site},
                          .number = {index, (uint64_t)(uintptr_t)block});
    return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                      "block_pool \"%s\": %p is not the start of a block that is out of this pool "
                      "(%s)",
                      .word = {pool->resource.info.name, site},
                      .number = {(uint64_t)(uintptr_t)block});
}

/* A block with its canary has been released, unless its user wrote just that: then it is in no
 * magazine and not free in its slab. Looked up with the lock, for a slab that has ended since had
 * nothing but free blocks. */
static bool is_free(struct lido_block_pool *pool, const void *block) {
    uint32_t i = 0;
    lido__lock(&pool->lock);
    const struct lido__slab *slab = lido__slab_find(pool, block, &i);
    bool found = !slab || lido__slab_is_free(slab, i) || lido__store_has(pool, block);
    lido__unlock(&pool->lock);
    return found;
}

/* Where no block is found without the lock, its slab may be hidden, and may have been so for an instant
 * only: that is settled with the lock. In an exact pool, whose slabs never are, the block is not out
 * from here on; of two that release it at the same time, one is told so. */
static bool take_back(struct lido_block_pool *pool, void *block) {
    uint32_t i = 0;
    struct lido__slab *slab = lido__slab_find_unlocked(pool, block, &i);
    if (pool->is_exact)
        return slab && lido__exchange(&slab->out[i], 0, relaxed) &&
               lido__store_release(pool, block);
    if (!slab)
        return lido__slab_take_back(pool, block);
    return (!lido__canary_is_set(block) || !is_free(pool, block)) &&
           lido__store_release(pool, block);
}

static __attribute__((noinline)) lido_status slow_release(lido_block_pool *pool, void *block,
                                                          const char *site) {
    bool is_taken = false;
    if (!block ||
        (lido__near_recall(pool->resource.info.id, pool) && lido__fast_release(pool, block)))
        return LIDO_OK;
    if (pool->apart)
        is_taken = lido__apart_release(pool, block);
    else
        is_taken = take_back(pool, block);
    return is_taken ? LIDO_OK : refuse(pool, block, site);
}

LIDO__MAY_INLINE lido_status lido_block_pool_release_at(lido_block_pool *pool, void *block,
                                                        const char *site) {
    return __builtin_expect(lido__fast_release(pool, block), 1) ? LIDO_OK
                                                                : slow_release(pool, block, site);
}

/* As many from the front as this thread's magazine takes. */
static uint64_t release_run(lido_block_pool *pool, uint64_t count, void *const *blocks) {
    uint64_t i = 0;
    while (i < count && lido__fast_release(pool, blocks[i]))
        i++;
    return i;
}

lido_status lido_block_pool_release_many_at(lido_block_pool *pool, uint64_t count,
                                            void *const blocks[], const char *site) {
    lido_status worst = LIDO_OK;
    for (uint64_t i = 0; i < count; i++) {
        i += release_run(pool, count - i, blocks + i);
        lido_status status = i < count ? slow_release(pool, blocks[i], site) : LIDO_OK;
        if (status != LIDO_OK)
            worst = status;
    }
    return worst;
}
