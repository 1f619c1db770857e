/* SPDX-License-Identifier: MIT
 * The pool: which slabs there are, which have a free block, and how many blocks are out.
 *
 *      pool --> by_number[]   slab n has the blocks n * per_slab ...; the numbers of ended slabs
 *           |                 are used again, smallest first
 *           --> by_address[]  the same slabs sorted, to find a pointer's slab by bisection
 *           --> partial       slabs with blocks out and blocks free
 *           --> empty         slabs with no block out, longest empty first
 *
 *   I1  a slab is in one list if it has a free block, in none if not
 *   I2  live = sum of the slabs' live_count <= limit, unless the limit was lowered
 *
 * One lock guards all of it, for a few instructions a call. The system is called without it, so
 * two threads may both find no free block and make a slab each: the second is kept, empty. */
#include "block_pool/slab.h"

#include "base/log.h"
#include "base/mutex.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "base/thread.h"
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

struct list {
    struct slab *first, *last;
};

struct lido_block_pool {
    struct lido__resource resource;
    struct shape shape;
    uint64_t flags;
    uint64_t idle_keep_ns;
    uint64_t keep_slabs; /* never fewer: ready_count */

    lido__mutex lock; /* guards what follows */
    struct slab **by_number;
    struct slab **by_address;
    uint64_t number_count; /* numbers ever used: none above is in use */
    uint64_t slab_count;
    uint64_t capacity; /* of both arrays */
    struct list partial, empty;
    uint64_t limit;
    uint64_t live;
    uint64_t slab_peak;
    uint64_t slabs_made;
    struct {
        uint64_t acquired, released, live_peak, refused_limit, refused_memory, refused_release;
    } count;
};

/* ---- Lists and tables, with the lock held ---------------------------------------------- */

static void list_append(struct list *list, struct slab *slab) {
    slab->previous = list->last;
    slab->next = NULL;
    *(list->last ? &list->last->next : &list->first) = slab;
    list->last = slab;
}

static void list_remove(struct list *list, struct slab *slab) {
    *(slab->previous ? &slab->previous->next : &list->first) = slab->next;
    *(slab->next ? &slab->next->previous : &list->last) = slab->previous;
}

/* How many slabs begin at or below this address. */
static uint64_t count_below(const struct lido_block_pool *pool, const void *address) {
    uint64_t low = 0, high = pool->slab_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if ((uintptr_t)pool->by_address[middle]->blocks <= (uintptr_t)address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void table_insert(struct lido_block_pool *pool, struct slab *slab) {
    uint64_t at = count_below(pool, slab->blocks);
    memmove(pool->by_address + at + 1, pool->by_address + at,
            (size_t)(pool->slab_count - at) * sizeof(struct slab *));
    pool->by_address[at] = slab;
    uint64_t number = 0;
    while (number < pool->number_count && pool->by_number[number])
        number++;
    if (number == pool->number_count)
        pool->number_count++;
    slab->number = number;
    pool->by_number[number] = slab;
    if (++pool->slab_count > pool->slab_peak)
        pool->slab_peak = pool->slab_count;
    pool->slabs_made++;
}

static void table_remove(struct lido_block_pool *pool, struct slab *slab) {
    uint64_t at = count_below(pool, slab->blocks) - 1;
    pool->slab_count--;
    memmove(pool->by_address + at, pool->by_address + at + 1,
            (size_t)(pool->slab_count - at) * sizeof(struct slab *));
    pool->by_number[slab->number] = NULL;
}

/* The slab of a block that is out, and which block it is; NULL when it is not out. */
static struct slab *find_live(const struct lido_block_pool *pool, const void *block, uint64_t *i) {
    uint64_t below = count_below(pool, block);
    if (below == 0)
        return NULL;
    struct slab *slab = pool->by_address[below - 1];
    *i = lido__slab_find(slab, &pool->shape, block);
    return *i < pool->shape.per_slab && lido__slab_is_live(slab, *i) ? slab : NULL;
}

/* ---- Making and ending slabs ----------------------------------------------------------- */

/* Moves both tables into larger ones. Returns with the lock held, as called; false: no memory. */
static bool grow_tables(struct lido_block_pool *pool) {
    while (pool->slab_count == pool->capacity || pool->number_count == pool->capacity) {
        uint64_t capacity = pool->capacity ? pool->capacity * 2 : 16;
        lido__unlock(&pool->lock);
        struct slab **tables =
            lido__sys.alloc((size_t)capacity * 2 * sizeof(struct slab *), sizeof(void *));
        lido__lock(&pool->lock);
        if (!tables)
            return false;
        struct slab **old = tables;
        if (capacity > pool->capacity) {
            old = pool->by_number;
            if (pool->capacity) {
                memcpy(tables, pool->by_number, (size_t)pool->number_count * sizeof(struct slab *));
                memcpy(tables + capacity, pool->by_address,
                       (size_t)pool->slab_count * sizeof(struct slab *));
            }
            pool->by_number = tables;
            pool->by_address = tables + capacity;
            pool->capacity = capacity;
        }
        lido__unlock(&pool->lock);
        lido__sys.free(old);
        lido__lock(&pool->lock);
    }
    return true;
}

/* One more slab, empty. Called and returns with the lock held, but lets it go in between. */
static bool add_slab(struct lido_block_pool *pool, bool touch) {
    lido__unlock(&pool->lock);
    struct slab *slab = lido__slab_make(&pool->shape, touch);
    lido__lock(&pool->lock);
    if (!slab)
        return false;
    if (!grow_tables(pool)) {
        lido__unlock(&pool->lock);
        lido__slab_end(slab, &pool->shape);
        lido__lock(&pool->lock);
        return false;
    }
    table_insert(pool, slab);
    list_append(&pool->empty, slab);
    return true;
}

/* With the lock held: takes out the slab that has been empty for longest, if it may go now. */
static struct slab *detach_empty(struct lido_block_pool *pool, uint64_t empty_before_ns) {
    struct slab *slab = pool->empty.first;
    if (!slab || (pool->flags & LIDO_BLOCK_POOL_RESERVED) || pool->slab_count <= pool->keep_slabs ||
        slab->empty_since_ns > empty_before_ns)
        return NULL;
    list_remove(&pool->empty, slab);
    table_remove(pool, slab);
    return slab;
}

/* ---- Life of a pool -------------------------------------------------------------------- */

static void kind_lock(struct lido__resource *resource) {
    lido__lock(&((struct lido_block_pool *)(void *)resource)->lock);
}

static void kind_unlock(struct lido__resource *resource) {
    lido__unlock(&((struct lido_block_pool *)(void *)resource)->lock);
}

/* Every change happens under the lock, which the forking thread had: nothing to mend. */
static const struct lido__kind kind = {
    .name = "block_pool", .lock = kind_lock, .unlock = kind_unlock, .in_child = kind_unlock};

extern void __asan_init(void) __attribute__((weak));

static lido_status choose_mode(lido_block_pool_options *options) {
    static const char *const names[] = {"default", "slabs", "pass-through", "guard"};
    const char *wanted = getenv("LIDO_BLOCK_POOL_MODE");
    if (options->mode != LIDO_BLOCK_POOL_DEFAULT)
        return LIDO_OK;
    options->mode = __asan_init ? LIDO_BLOCK_POOL_PASS_THROUGH : LIDO_BLOCK_POOL_SLABS;
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
    const uint64_t flags = LIDO_BLOCK_POOL_ZERO | LIDO_BLOCK_POOL_RESERVED;
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

static void end_pool(struct lido_block_pool *pool) {
    for (uint64_t i = 0; i < pool->slab_count; i++)
        lido__slab_end(pool->by_address[i], &pool->shape);
    lido__sys.free(pool->by_number);
    lido__sys.free(pool);
}

static lido_status fill(struct lido_block_pool *pool, uint64_t ready) {
    bool enough = true;
    if (pool->shape.mode == LIDO_BLOCK_POOL_PASS_THROUGH)
        return LIDO_OK;
    lido__lock(&pool->lock);
    while (enough && pool->slab_count * pool->shape.per_slab < ready)
        enough = add_slab(pool, true);
    pool->keep_slabs = pool->slab_count;
    lido__unlock(&pool->lock);
    if (!enough)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "block_pool \"%s\": no memory for %u ready blocks",
                          .word = {pool->resource.info.name}, .number = {ready});
    return LIDO_OK;
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
    struct lido_block_pool *pool = lido__sys.alloc(sizeof *pool, _Alignof(struct lido_block_pool));
    if (!pool)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "block_pool \"%s\": no memory for the pool itself",
                          .word = {options.name});
    memset(pool, 0, sizeof *pool);
    lido__mutex_init(&pool->lock);
    pool->shape = lido__slab_shape(&options);
    pool->flags = options.flags;
    if (options.mode == LIDO_BLOCK_POOL_PASS_THROUGH)
        pool->flags &= ~(uint64_t)LIDO_BLOCK_POOL_RESERVED; /* malloc keeps nothing for us */
    pool->idle_keep_ns = options.idle_keep_ns;
    pool->limit = options.block_limit;
    status = lido__resource_name(&pool->resource, &kind, options.name, options.owner);
    if (status == LIDO_OK)
        status = fill(pool, options.flags & LIDO_BLOCK_POOL_RESERVED ? options.block_limit
                                                                     : options.ready_count);
    if (status == LIDO_OK)
        status = lido__resource_insert(&pool->resource, site);
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
    uint64_t index = 0;
    if (!pool)
        return LIDO_OK;
    if (pool->live) {
        void *block = lido_block_pool_next(pool, &index);
        return LIDO__FAIL(LIDO_ERR_BUSY,
                          "block_pool \"%s\": blocks out: %u, among them block %u at %p; release "
                          "them first",
                          .word = {pool->resource.info.name},
                          .number = {pool->live, index, (uint64_t)(uintptr_t)block});
    }
    lido__resource_remove(&pool->resource);
    LIDO__LOG(LIDO_LOG_DEBUG, "block_pool.destroyed", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    end_pool(pool);
    return LIDO_OK;
}

/* ---- Acquire --------------------------------------------------------------------------- */

/* With the lock held: a free block, or NULL when no slab has one. Of the empty slabs, the last
 * one used: so that those which a quiet pool does not need grow old and go back. */
static void *take(struct lido_block_pool *pool) {
    struct list *list = pool->partial.first ? &pool->partial : &pool->empty;
    struct slab *slab = list == &pool->partial ? list->first : list->last;
    if (!slab)
        return NULL;
    if (pool->shape.mode == LIDO_BLOCK_POOL_GUARD && !lido__slab_open(slab, &pool->shape, true))
        return NULL;
    void *block = lido__slab_take(slab, &pool->shape);
    if (slab->live_count == pool->shape.per_slab)
        list_remove(list, slab);
    else if (slab->live_count == 1) {
        list_remove(&pool->empty, slab);
        list_append(&pool->partial, slab);
    }
    pool->count.acquired++;
    if (++pool->live > pool->count.live_peak)
        pool->count.live_peak = pool->live;
    return block;
}

static uint64_t take_many(struct lido_block_pool *pool, uint64_t count, void *blocks[],
                          lido_status *why, uint64_t *limit) {
    uint64_t taken = 0;
    *why = LIDO_OK;
    lido__lock(&pool->lock);
    *limit = pool->limit;
    while (taken < count && *why == LIDO_OK) {
        void *block = NULL;
        if (pool->limit && pool->live >= pool->limit)
            *why = LIDO_ERR_LIMIT;
        else if ((block = take(pool)) != NULL)
            blocks[taken++] = block;
        else if (pool->partial.first || pool->empty.first) /* the system keeps a guarded one shut */
            *why = LIDO_ERR_NO_MEMORY;
        else if ((pool->flags & LIDO_BLOCK_POOL_RESERVED) || !add_slab(pool, false))
            *why = LIDO_ERR_NO_MEMORY;
    }
    if (*why == LIDO_ERR_LIMIT)
        pool->count.refused_limit += count - taken;
    if (*why == LIDO_ERR_NO_MEMORY)
        pool->count.refused_memory += count - taken;
    lido__unlock(&pool->lock);
    if (pool->flags & LIDO_BLOCK_POOL_ZERO)
        for (uint64_t i = 0; i < taken; i++)
            memset(blocks[i], 0, pool->shape.block_bytes);
    return taken;
}

uint64_t lido_block_pool_acquire_many(lido_block_pool *pool, uint64_t count, void *blocks[]) {
    lido_status why = LIDO_OK;
    uint64_t limit = 0;
    uint64_t taken = take_many(pool, count, blocks, &why, &limit);
    if (why == LIDO_ERR_LIMIT)
        (void)LIDO__FAIL(why,
                         "block_pool \"%s\": block_limit %u is reached; release some, or raise it "
                         "with lido_block_pool_set_block_limit",
                         .word = {pool->resource.info.name}, .number = {limit});
    else if (why != LIDO_OK)
        (void)LIDO__FAIL(why,
                         "block_pool \"%s\": the system has no memory for more blocks of %u "
                         "bytes",
                         .word = {pool->resource.info.name}, .number = {pool->shape.block_bytes});
    return taken;
}

void *lido_block_pool_acquire(lido_block_pool *pool) {
    void *block = NULL;
    return lido_block_pool_acquire_many(pool, 1, &block) ? block : NULL;
}

/* ---- Release --------------------------------------------------------------------------- */

/* With the lock held: takes block i of the slab back. Returns a slab to be ended without it. */
static struct slab *put(struct lido_block_pool *pool, struct slab *slab, uint64_t i) {
    bool was_full = slab->live_count == pool->shape.per_slab;
    lido__slab_put(slab, i);
    pool->live--;
    pool->count.released++;
    if (slab->live_count && was_full)
        list_append(&pool->partial, slab);
    if (slab->live_count)
        return NULL;
    if (!was_full)
        list_remove(&pool->partial, slab);
    if (pool->shape.mode == LIDO_BLOCK_POOL_PASS_THROUGH) {
        table_remove(pool, slab);
        return slab;
    }
    if (pool->shape.mode == LIDO_BLOCK_POOL_GUARD)
        (void)lido__slab_open(slab, &pool->shape, false);
    slab->empty_since_ns = lido__sys.coarse_ns();
    list_append(&pool->empty, slab);
    if (pool->idle_keep_ns == LIDO_FOREVER || slab->empty_since_ns < pool->idle_keep_ns)
        return NULL;
    return detach_empty(pool, slab->empty_since_ns - pool->idle_keep_ns);
}

static lido_status refuse(lido_block_pool *pool, const void *block, const char *site) {
    lido__lock(&pool->lock);
    uint64_t below = count_below(pool, block);
    struct slab *slab = below ? pool->by_address[below - 1] : NULL;
    uint64_t i = slab ? lido__slab_find(slab, &pool->shape, block) : pool->shape.per_slab;
    bool is_ours = i < pool->shape.per_slab;
    uint64_t index = is_ours ? slab->number * pool->shape.per_slab + i : 0;
    pool->count.refused_release++;
    lido__unlock(&pool->lock);
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

lido_status lido_block_pool_release_at(lido_block_pool *pool, void *block, const char *site) {
    uint64_t i = 0;
    struct slab *ended = NULL;
    if (!block)
        return LIDO_OK;
    lido__lock(&pool->lock);
    struct slab *slab = find_live(pool, block, &i);
    if (slab)
        ended = put(pool, slab, i);
    lido__unlock(&pool->lock);
    if (ended)
        lido__slab_end(ended, &pool->shape);
    return slab ? LIDO_OK : refuse(pool, block, site);
}

lido_status lido_block_pool_release_many_at(lido_block_pool *pool, uint64_t count,
                                            void *const blocks[], const char *site) {
    lido_status worst = LIDO_OK;
    for (uint64_t i = 0; i < count; i++) {
        lido_status status = lido_block_pool_release_at(pool, blocks[i], site);
        if (status != LIDO_OK)
            worst = status;
    }
    return worst;
}

/* ---- Blocks by number ------------------------------------------------------------------ */

lido_status lido_block_pool_read_index(const lido_block_pool *constant, const void *block,
                                       uint64_t *index) {
    lido_block_pool *pool = (lido_block_pool *)(uintptr_t)constant;
    uint64_t i = 0;
    lido__lock(&pool->lock);
    struct slab *slab = find_live(pool, block, &i);
    if (slab)
        *index = slab->number * pool->shape.per_slab + i;
    lido__unlock(&pool->lock);
    if (slab)
        return LIDO_OK;
    return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                      "block_pool \"%s\": %p is not the start of a block that is out of this pool",
                      .word = {pool->resource.info.name}, .number = {(uint64_t)(uintptr_t)block});
}

/* With the lock held: the slab of a number, or NULL. */
static struct slab *slab_at(const struct lido_block_pool *pool, uint64_t number) {
    return number < pool->number_count ? pool->by_number[number] : NULL;
}

static lido_status refuse_index(lido_block_pool *pool, uint64_t index) {
    return LIDO__FAIL(LIDO_ERR_NOT_HELD, "block_pool \"%s\": no block is out under index %u",
                      .word = {pool->resource.info.name}, .number = {index});
}

void *lido_block_pool_at(const lido_block_pool *constant, uint64_t index) {
    lido_block_pool *pool = (lido_block_pool *)(uintptr_t)constant;
    void *block = NULL;
    uint64_t i = index % pool->shape.per_slab;
    lido__lock(&pool->lock);
    struct slab *slab = slab_at(pool, index / pool->shape.per_slab);
    if (slab && lido__slab_is_live(slab, i))
        block = lido__slab_block(slab, &pool->shape, i);
    lido__unlock(&pool->lock);
    if (!block)
        (void)refuse_index(pool, index);
    return block;
}

lido_status lido_block_pool_release_index_at(lido_block_pool *pool, uint64_t index,
                                             const char *site) {
    void *block = lido_block_pool_at(pool, index);
    if (block)
        return lido_block_pool_release_at(pool, block, site);
    lido__lock(&pool->lock);
    pool->count.refused_release++;
    lido__unlock(&pool->lock);
    LIDO__LOG(LIDO_LOG_WARNING, "block_pool.release_refused", {"pool", pool->resource.info.name, 0},
              {"why", "not out", 0}, {"index", NULL, (int64_t)index},
              {"site", site ? site : "?", 0});
    return refuse_index(pool, index);
}

void *lido_block_pool_next(const lido_block_pool *constant, uint64_t *index) {
    lido_block_pool *pool = (lido_block_pool *)(uintptr_t)constant;
    uint64_t per_slab = pool->shape.per_slab;
    void *block = NULL;
    uint64_t number = *index / per_slab, i = *index % per_slab;
    lido__lock(&pool->lock);
    for (; !block && number < pool->number_count; number++, i = 0) {
        struct slab *slab = pool->by_number[number];
        if (!slab || slab->live_count == 0)
            continue;
        while (i < per_slab && !lido__slab_is_live(slab, i))
            i++;
        if (i == per_slab)
            continue;
        block = lido__slab_block(slab, &pool->shape, i);
        *index = number * per_slab + i;
    }
    lido__unlock(&pool->lock);
    return block;
}

/* ---- Watching and steering ------------------------------------------------------------- */

static void derive(lido_block_pool_stats *s, const struct lido_block_pool *pool) {
    double committed = (double)s->committed_bytes;
    double idle_bytes = (double)s->idle * (double)pool->shape.stride_bytes;
    double held = committed + (double)s->overhead_bytes;
    s->utilisation = s->existing ? (double)s->live / (double)s->existing : 1;
    s->byte_efficiency = s->live ? (double)pool->shape.block_bytes * (double)s->live / held : 1;
    s->reuse = s->acquired > s->made ? 1 - (double)s->made / (double)s->acquired
               : s->acquired         ? 0
                                     : 1;
    s->fragmentation = committed > 0 ? idle_bytes / committed : 0;
}

lido_status lido_block_pool_read_stats(const lido_block_pool *constant,
                                       lido_block_pool_stats *stats) {
    lido_block_pool *pool = (lido_block_pool *)(uintptr_t)constant;
    lido_block_pool_stats s = {.struct_size = sizeof s};
    lido__lock(&pool->lock);
    for (struct slab *slab = pool->empty.first; slab; slab = slab->next)
        s.idle += pool->shape.per_slab;
    s.acquired = pool->count.acquired;
    s.released = pool->count.released;
    s.live = pool->live;
    s.live_peak = pool->count.live_peak;
    s.existing = pool->slab_count * pool->shape.per_slab;
    s.made = pool->slabs_made * pool->shape.per_slab;
    s.stranded = s.existing - s.live - s.idle;
    s.refused_limit = pool->count.refused_limit;
    s.refused_memory = pool->count.refused_memory;
    s.refused_release = pool->count.refused_release;
    s.block_limit = pool->limit;
    s.committed_bytes = pool->slab_count * pool->shape.memory_bytes;
    s.committed_peak = pool->slab_peak * pool->shape.memory_bytes;
    s.overhead_bytes = sizeof *pool + pool->capacity * 2 * sizeof(struct slab *) +
                       pool->slab_count * lido__slab_overhead(&pool->shape);
    lido__unlock(&pool->lock);
    derive(&s, pool);
    return lido__figures_write(stats, &s, sizeof s, "lido_block_pool_stats");
}

lido_status lido_block_pool_set_block_limit(lido_block_pool *pool, uint64_t block_limit) {
    lido__lock(&pool->lock);
    uint64_t existing = pool->slab_count * pool->shape.per_slab;
    bool fits =
        !(pool->flags & LIDO_BLOCK_POOL_RESERVED) || (block_limit && block_limit <= existing);
    if (fits)
        pool->limit = block_limit;
    lido__unlock(&pool->lock);
    if (!fits)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "block_pool \"%s\": block_limit is %u, must be 1 to %u: the pool is "
                          "reserved",
                          .word = {pool->resource.info.name}, .number = {block_limit, existing});
    LIDO__LOG(LIDO_LOG_INFO, "block_pool.limit_set", {"pool", pool->resource.info.name, 0},
              {"block_limit", NULL, (int64_t)block_limit});
    return LIDO_OK;
}

uint64_t lido_block_pool_trim(lido_block_pool *pool, uint64_t budget_ns) {
    uint64_t start_ns = lido__sys.now_ns(), given_back_bytes = 0;
    for (;;) {
        lido__lock(&pool->lock);
        struct slab *slab = detach_empty(pool, LIDO_FOREVER);
        lido__unlock(&pool->lock);
        if (!slab)
            return given_back_bytes;
        lido__slab_end(slab, &pool->shape);
        given_back_bytes += pool->shape.memory_bytes;
        if (lido__sys.now_ns() - start_ns >= budget_ns)
            return given_back_bytes;
    }
}

uint64_t lido_block_pool_block_size(const lido_block_pool *pool) {
    return pool->shape.block_bytes;
}
