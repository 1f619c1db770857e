/* SPDX-License-Identifier: MIT
 * Stores and the depot: what happens when a fast path has no block or no room.
 *
 * A store has two magazines, the loaded one and its spare, so that a thread at the edge of one does
 * not come here at every call. A slow call exchanges them, or one of them with the depot (P2), or
 * fills one from the slabs. All of it happens under the lock, as does a visit by another thread; so
 * the owner may handle its own magazines here without entering its gate.
 *
 * Near the limit (`tight`) stores are emptied and get nothing any more: every call takes the lock,
 * and the limit is exact. One visit per store brings this about, not one per refused call. */
#include "block_pool/canary.h"
#include "block_pool/fast.h"
#include "block_pool/magazine.h"
#include "block_pool/pool.h"

#include "base/fork.h"
#include "base/log.h"
#include "base/sys.h"

#include <string.h>

enum {
    DRAIN_PATIENCE_NS = 200 * 1000, /* for all stores of one visit */
    DRAIN_AGAIN_NS = 1000 * 1000,   /* before stores that were out of reach are tried again */
    LINE_BYTES = 64,     /* of the cache: what one thread writes shares none with another's */
    FULL_MIN = 2,        /* full magazines that the depot keeps at least */
    EXCHANGES_OFTEN = 8, /* so many, and the blocks are spread: for who crosses an edge for ever */
};

struct lido__magazine lido__magazine_none = {.hot = (void *)LIDO__HOT_NEVER};

/* ---- Magazines, with the lock held ------------------------------------------------------- */

static size_t magazine_bytes(const struct lido_block_pool *pool) {
    size_t bytes = sizeof(struct lido__magazine) + (pool->magazine_blocks + 1) * sizeof(void *);
    return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

static struct lido__magazine *make_magazine(const struct lido_block_pool *pool) {
    struct lido__magazine *magazine = lido__sys.alloc(magazine_bytes(pool), LINE_BYTES);
    if (magazine) {
        memset(magazine, 0, magazine_bytes(pool));
        magazine->capacity = pool->magazine_blocks;
    }
    return magazine;
}

/* Moves what is in a magazine that nobody else works on into the slabs. A block that is free there
 * already was released twice, and written to between so that its canary did not tell. */
static void digest(struct lido_block_pool *pool, struct lido__magazine *magazine) {
    lido__magazine_cool(magazine);
    for (uint32_t i = lido__magazine_count(magazine); i-- > 0;)
        if (!lido__slab_put(pool, lido__load(&magazine->block[i], relaxed)))
            pool->doubles++;
    lido__magazine_set_count(magazine, 0);
}

/* Forwards, so that blocks may move down within a magazine. */
static void copy_blocks(struct lido__magazine *to, size_t at, struct lido__magazine *from,
                        size_t first, size_t count) {
    for (size_t i = 0; i < count; i++)
        lido__store(&to->block[at + i], lido__load(&from->block[first + i], relaxed), relaxed);
}

bool lido__depot_digest(struct lido_block_pool *pool) {
    struct lido__magazine *magazine = lido__depot_pop_full(pool);
    if (!magazine)
        return false;
    digest(pool, magazine);
    lido__depot_push_empty(pool, magazine);
    return true;
}

/* Full magazines worth keeping: their book-keeping stays below 1/512 of the blocks. */
static uint32_t full_max(const struct lido_block_pool *pool) {
    uint64_t affordable = pool->committed_bytes / 512 / magazine_bytes(pool);
    uint32_t moving = pool->store_count > 1 ? pool->store_count * 2 : 0;
    return FULL_MIN + moving + (affordable > 64 ? 64 : (uint32_t)affordable);
}

static void give_to_depot(struct lido_block_pool *pool, struct lido__magazine *magazine) {
    lido__magazine_cool(magazine);
    lido__magazine_set_spare(magazine, NULL);
    if (lido__magazine_count(magazine) > 0 &&
        (pool->is_tight || pool->full_count >= full_max(pool)))
        digest(pool, magazine);
    if (lido__magazine_count(magazine) > 0)
        lido__depot_push_full(pool, magazine);
    else
        lido__depot_push_empty(pool, magazine);
}

/* ---- A store's magazines, with the lock held --------------------------------------------- */

/* The owner field of a store that fast paths do not acquire from differs from its pool's address by 1. */
static const void *hidden(const struct lido_block_pool *pool) {
    return (const char *)pool + 1;
}

static void show_or_hide(struct lido__store *store) {
#ifdef LIDO_GATE_FENCED
    bool is_fenced = false; /* fast paths pay the fence */
#else
    bool is_fenced = lido__load(&store->gate.fenced, relaxed) != 0;
#endif
    const struct lido_block_pool *pool = store->pool;
    bool is_open = !is_fenced && pool->has_canary;
    lido__store(&store->near.owner, is_open && !pool->is_zeroed ? pool : hidden(pool), relaxed);
    lido__store(&store->near.back, is_open ? pool : NULL, relaxed);
}

/* Nobody visits while the lock is held: the exchange cannot fail. Fast paths pay no fence; should the
 * gate need one by now, they must not find the store. */
static void load(struct lido__store *store, struct lido__magazine *next) {
    void *seen = lido__load(&store->gate.store, relaxed);
    lido__magazine_cool(next);
    lido__store(&next->low, lido__magazine_count(next), relaxed);
    (void)lido__gate_swap(&store->gate, seen, next);
    show_or_hide(store);
}

/* Gives the two magazines of a store up: to the depot, and from it to the slabs. */
static void give_up(struct lido_block_pool *pool, struct lido__magazine *magazine) {
    /* No more than two: a thread that vanished in exchange() left a circle. */
    struct lido__magazine *spare = lido__magazine_spare(magazine);
    give_to_depot(pool, magazine);
    if (spare)
        give_to_depot(pool, spare);
}

static uint32_t cached_in(struct lido__store *store) {
    struct lido__magazine *magazine = lido__store_loaded(store);
    return magazine ? lido__magazine_count(magazine) +
                          lido__magazine_count(lido__magazine_spare(magazine))
                    : 0;
}

uint64_t lido__store_cached(const struct lido_block_pool *pool) {
    uint64_t cached = 0;
    for (struct lido__store *store = pool->stores; store; store = store->next)
        cached += cached_in(store);
    return cached;
}

static uint64_t acquired_by(struct lido__store *store) {
    int64_t left = lido__load(&store->left, relaxed);
    return (uint64_t)(store->granted - (left < 0 ? 0 : left));
}

uint64_t lido__store_acquired(const struct lido_block_pool *pool) {
    uint64_t acquired = pool->acquired_past;
    for (struct lido__store *store = pool->stores; store; store = store->next)
        acquired += acquired_by(store);
    return acquired;
}

/* What is out at most was out when the stores were lowest: exact for one thread, an upper bound for
 * several. Called before `drawn` or a store's magazines change. */
void lido__store_note_peak(struct lido_block_pool *pool) {
    uint64_t low = 0;
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        struct lido__magazine *magazine = lido__store_loaded(store);
        size_t now = magazine ? lido__load(&magazine->low, relaxed) +
                                    lido__magazine_count(lido__magazine_spare(magazine))
                              : 0;
        size_t before = lido__load(&store->low, relaxed);
        low += now < before ? now : before;
    }
    uint64_t drawn = lido__drawn(pool);
    if (drawn > low && drawn - low > pool->live_peak)
        pool->live_peak = drawn - low;
}

/* ---- Life of a store --------------------------------------------------------------------- */

struct lido__store *lido__store_find(struct lido_block_pool *pool) {
    uint64_t id = pool->resource.info.id;
    struct lido__near *near = lido__thread_self->near[id % LIDO__NEAR_CHAINS];
    if (lido__load(&near->owner, relaxed) != hidden(pool))
        near = lido__near_find(id, pool);
    if (!near)
        near = lido__near_find(id, hidden(pool));
    if (near)
        lido__near_last = near;
    return (struct lido__store *)(void *)near;
}

static struct lido__store *make_store(struct lido_block_pool *pool) {
    struct lido__store *store = lido__sys.alloc(sizeof *store, LINE_BYTES);
    struct lido__magazine *magazine = store ? make_magazine(pool) : NULL;
    if (!magazine) {
        lido__sys.free(store);
        return NULL;
    }
    memset(store, 0, sizeof *store);
    lido__gate_init(&store->gate, magazine);
    lido__store(&store->low, SIZE_MAX, relaxed);
    return store;
}

static void free_store(struct lido__store *store) {
    if (!store)
        return;
    lido__sys.free(lido__store_loaded(store));
    lido__sys.free(store);
}

static void leave_at_exit(struct lido__near *near, enum lido__near_end end);

/* With lido__near_lock and the lock held: the store is this thread's from now on. */
static void adopt(struct lido_block_pool *pool, struct lido__store *store) {
    store->next = pool->stores;
    if (store->next)
        store->next->previous = store;
    pool->stores = store;
    pool->store_count++;
    pool->magazine_count++;
    store->pool = pool;
    store->thread = lido__thread_self;
    store->near.leave = leave_at_exit;
    lido__near_hang(pool->resource.info.id, &store->near, pool);
    show_or_hide(store);
    lido__near_last = &store->near;
}

/* With the lock held: takes all from a store and out of the pool's list. */
static void leave(struct lido_block_pool *pool, struct lido__store *store, bool vanished) {
    lido__store_note_peak(pool);
    struct lido__magazine *magazine = vanished
                                          ? lido__gate_adopt(&store->gate, &lido__magazine_none)
                                          : lido__gate_close(&store->gate, &lido__magazine_none);
    if (magazine != &lido__magazine_none)
        give_up(pool, magazine);
    pool->acquired_past += acquired_by(store);
    *(store->previous ? &store->previous->next : &pool->stores) = store->next;
    if (store->next)
        store->next->previous = store->previous;
    pool->store_count--;
}

static bool wants_stores(const struct lido_block_pool *pool) {
    return pool->stride_bytes < LIDO__MAGAZINE_BYTES;
}

static void leave_at_exit(struct lido__near *near, enum lido__near_end end) {
    struct lido__store *store = (struct lido__store *)(void *)near;
    struct lido_block_pool *pool = store->pool;
    if (end == LIDO__NEAR_LEFT)
        return;
    lido__lock(&pool->lock);
    leave(pool, store, end == LIDO__NEAR_VANISHED);
    lido__unlock(&pool->lock);
}

/* With the lock held, which it lets go in between: for an acquiring thread, which may allocate.
 * NULL: works without. */
static struct lido__store *new_store(struct lido_block_pool *pool) {
    if (!wants_stores(pool) || pool->is_tight)
        return NULL;
    lido__unlock(&pool->lock);
    struct lido__store *store = lido__thread() ? make_store(pool) : NULL;
    lido__lock(&lido__near_lock);
    lido__lock(&pool->lock);
    if (store)
        adopt(pool, store);
    lido__unlock(&lido__near_lock);
    return store;
}

/* For a thread that only releases, and may not allocate: takes the pool's stock. */
static struct lido__store *stocked_store(struct lido_block_pool *pool) {
    struct lido__store *store = NULL;
    if (!wants_stores(pool) || !lido__thread())
        return NULL;
    lido__lock(&lido__near_lock);
    lido__lock(&pool->lock);
    if (!pool->is_tight) {
        store = pool->stock;
        pool->stock = NULL;
        pool->wants_stock = true;
    }
    if (store)
        adopt(pool, store);
    lido__unlock(&pool->lock);
    lido__unlock(&lido__near_lock);
    return store;
}

static void fork_lock(void) {
    lido__map_fork_lock();
    lido__extent_fork_lock();
}

static void fork_unlock(void) {
    lido__extent_fork_unlock();
    lido__map_fork_unlock();
}

lido_status lido__store_prepare(void) {
    static struct lido__fork_client client = {.prepare = fork_lock,
                                              .parent = fork_unlock,
                                              .child = fork_unlock,
                                              .order = LIDO__FORK_EXTENTS};
    lido_status status = lido__near_prepare();
    return status == LIDO_OK ? lido__fork_register(&client) : status;
}

static void free_list(struct lido__magazine *magazine) {
    for (struct lido__magazine *next; magazine; magazine = next) {
        next = lido__magazine_spare(magazine);
        lido__sys.free(magazine);
    }
}

void lido__store_end_all(struct lido_block_pool *pool) {
    lido__lock(&lido__near_lock);
    while (pool->stores) {
        struct lido__store *store = pool->stores;
        leave(pool, store, false);
        lido__near_forget(&store->near);
    }
    lido__unlock(&lido__near_lock);
    (void)lido__store_find(pool); /* frees this thread's */
    free_store(pool->stock);
    free_list(pool->full);
    free_list(pool->empty);
}

size_t lido__store_overhead(const struct lido_block_pool *pool) {
    return pool->magazine_count * magazine_bytes(pool) +
           pool->store_count * sizeof(struct lido__store) +
           (pool->stock ? sizeof(struct lido__store) + magazine_bytes(pool) : 0);
}

/* ---- Draining, with the lock held -------------------------------------------------------- */

/* Not by the chain: its lock is outside of the pool's. */
static struct lido__store *own_store(const struct lido_block_pool *pool) {
    struct lido__store *store = pool->stores;
    while (store && store->thread != lido__thread_self)
        store = store->next;
    return store;
}

void lido__store_flush_own(struct lido_block_pool *pool) {
    struct lido__store *store = own_store(pool);
    struct lido__magazine *magazine = store ? lido__store_loaded(store) : NULL;
    if (!magazine)
        return;
    lido__store_note_peak(pool);
    digest(pool, magazine);
    if (lido__magazine_spare(magazine))
        digest(pool, lido__magazine_spare(magazine));
}

uint64_t lido__store_note_resting(struct lido_block_pool *pool) {
    struct lido__store *own = own_store(pool);
    uint64_t cached = 0;
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        uint64_t acquired = acquired_by(store), here = cached_in(store);
        store->is_resting =
            store != own && here > 0 && store->seen_acquired == acquired && store->seen == here;
        store->seen_acquired = acquired;
        store->seen = here;
        cached += store->is_resting ? here : 0;
    }
    return cached;
}

/* From those that rest, or from all. */
static uint64_t drain(struct lido_block_pool *pool, bool resting) {
    struct lido__store *own = own_store(pool);
    bool any = false;
    lido__store_note_peak(pool);
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        store->taken = NULL;
        if (store != own && (store->is_resting || !resting) &&
            (pool->is_tight || cached_in(store) > 0))
            store->taken = lido__gate_take(&store->gate, &lido__magazine_none);
        any |= store->taken != NULL;
    }
    pool->unreachable = 0;
    if (!any)
        return 0;
    bool reached = lido__gate_barrier();
    uint64_t end_ns = lido__sys.now_ns() + DRAIN_PATIENCE_NS;
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        if (!store->taken)
            continue;
        uint64_t now_ns = lido__sys.now_ns();
        uint64_t patience_ns = now_ns < end_ns ? end_ns - now_ns : 0;
        if (lido__gate_settle(&store->gate, &lido__magazine_none, store->taken, reached,
                              patience_ns))
            give_up(pool, store->taken);
        else
            pool->unreachable += cached_in(store);
        store->taken = NULL;
    }
    return pool->unreachable;
}

uint64_t lido__store_drain_others(struct lido_block_pool *pool) {
    return drain(pool, false);
}

uint64_t lido__store_drain_resting(struct lido_block_pool *pool) {
    return drain(pool, true);
}

void lido__store_tighten(struct lido_block_pool *pool) {
    if (!pool->is_tight && pool->tight_count < 16)
        pool->tight_count++;
    pool->is_tight = true;
    pool->drained_ns = lido__sys.coarse_ns();
    lido__store_note_peak(pool);
    struct lido__store *own = own_store(pool);
    if (own && lido__store_loaded(own))
        give_up(pool, lido__gate_close(&own->gate, &lido__magazine_none));
    (void)lido__store_drain_others(pool);
    while (lido__depot_digest(pool))
        continue;
}

void lido__store_loosen(struct lido_block_pool *pool) {
    if (pool->is_tight && pool->limit >= LIDO__LIMIT_FOR_STORES &&
        lido__drawn(pool) <= pool->limit >> (1 + pool->tight_count))
        pool->is_tight = false;
}

/* ---- Acquire ----------------------------------------------------------------------------- */

static uint64_t allowed(const struct lido_block_pool *pool) {
    uint64_t drawn = lido__drawn(pool);
    if (!pool->limit)
        return UINT64_MAX;
    return pool->limit > drawn ? pool->limit - drawn : 0;
}

/* How many blocks a magazine gets from the slabs: few for a small pool, so that blocks are not made
 * for the sake of caching, and few near the limit. Yet a page full: it is touched anyway, and what
 * lies in a row should be one thread's, for the processor fetches lines beyond those that it was
 * asked for, and takes them from the thread that writes them. */
static uint32_t refill_count(const struct lido_block_pool *pool) {
    uint64_t count = lido__drawn(pool) / 8, room = allowed(pool);
    if (count < LIDO__REFILL_MIN)
        count = LIDO__REFILL_MIN;
    if (count < pool->page_bytes / pool->stride_bytes)
        count = pool->page_bytes / pool->stride_bytes;
    if (count > pool->magazine_blocks)
        count = pool->magazine_blocks;
    if (count > room / 4)
        count = room / 4 ? room / 4 : 1;
    return room ? (uint32_t)count : 0;
}

/* Fills an empty magazine so that the first block of the slab is handed out first. */
static void refill(struct lido_block_pool *pool, struct lido__magazine *magazine) {
    void *blocks[LIDO__MAGAZINE_BLOCKS];
    uint32_t count = lido__slab_take(pool, refill_count(pool), blocks);
    for (uint32_t i = 0; i < count; i++)
        lido__store(&magazine->block[i], blocks[count - 1 - i], relaxed);
    lido__magazine_set_count(magazine, count);
}

/* The loaded magazine of the store, with blocks in it if they can be had without another slab;
 * NULL: the store has none. */
static struct lido__magazine *supply(struct lido_block_pool *pool, struct lido__store *store) {
    struct lido__magazine *magazine = lido__store_loaded(store);
    if (magazine)
        lido__magazine_cool(magazine);
    lido__store(&store->low, SIZE_MAX, relaxed);
    if (!magazine) {
        magazine = lido__depot_pop_empty(pool);
        if (magazine)
            load(store, magazine);
    }
    if (!magazine || lido__magazine_count(magazine) > 0)
        return magazine;
    struct lido__magazine *spare = lido__magazine_spare(magazine);
    if (lido__magazine_count(spare) == 0 && pool->full &&
        lido__magazine_count(pool->full) <= allowed(pool)) {
        if (spare)
            lido__depot_push_empty(pool, spare);
        spare = lido__depot_pop_full(pool);
        pool->depot_used_ns = lido__sys.coarse_ns();
    }
    if (lido__magazine_count(spare) == 0) {
        refill(pool, magazine);
        return magazine;
    }
    lido__magazine_set_spare(magazine, NULL);
    lido__magazine_set_spare(spare, magazine);
    load(store, spare);
    return spare;
}

/* Blocks without a store: from the depot, then from the slabs. */
static uint64_t take_directly(struct lido_block_pool *pool, uint64_t count, void **blocks) {
    uint64_t taken = 0, room = allowed(pool);
    if (count > room)
        count = room;
    while (taken < count && pool->full) {
        struct lido__magazine *magazine = lido__depot_pop_full(pool);
        uint32_t left = lido__magazine_count(magazine);
        while (taken < count && left > 0)
            blocks[taken++] = lido__load(&magazine->block[--left], relaxed);
        lido__magazine_set_count(magazine, left);
        give_to_depot(pool, magazine);
    }
    if (taken < count) {
        uint64_t many = count - taken < UINT32_MAX ? count - taken : UINT32_MAX;
        taken += lido__slab_take(pool, (uint32_t)many, blocks + taken);
    }
    pool->acquired_past += taken;
    return taken;
}

/* The owner, under the lock: `taken` more were acquired, and some may be without coming here. */
static void grant(struct lido_block_pool *pool, struct lido__store *store, uint64_t taken) {
    int64_t more = lido__tidy_is_due(pool) ? LIDO__GRANT_TIDYING : LIDO__GRANT;
    store->granted = (int64_t)(acquired_by(store) + taken) + more;
    lido__store(&store->left, more, relaxed);
}

/* With the lock held: a slow call that came for the pool's sake, and the pool wants nothing. Then
 * nothing that others read is touched: their lines stay theirs. */
static bool renew(struct lido_block_pool *pool, struct lido__store *store) {
    if (lido__load(&store->left, relaxed) >= 0 ||
        lido__magazine_count(lido__store_loaded(store)) == 0 || pool->is_tight ||
        (pool->wants_stock && !pool->stock) || lido__tidy_is_wanted(pool))
        return false;
    grant(pool, store, 0);
    return true;
}

/* The owner: blocks of the loaded magazine, as the fast path takes them. */
static uint64_t take_own(struct lido__store *store, uint64_t count, void **blocks) {
    uint64_t taken = 0;
    for (void *block; taken < count && (block = lido__store_pop(store)) != NULL;)
        blocks[taken++] = block;
    return taken;
}

/* Up to count blocks that can be had without another slab; 0: none. */
static uint64_t serve(struct lido_block_pool *pool, struct lido__store *store, uint64_t count,
                      void **blocks) {
    struct lido__magazine *magazine = NULL;
    uint64_t taken = 0;
    lido__store_note_peak(pool);
    lido__tidy_gather(pool);
    if (store && !pool->is_tight)
        magazine = supply(pool, store);
    uint32_t left = lido__magazine_count(magazine);
    while (taken < count && left > 0)
        blocks[taken++] = lido__load(&magazine->block[--left], relaxed);
    if (taken == 0)
        return take_directly(pool, count, blocks);
    lido__magazine_set_count(magazine, left);
    grant(pool, store, taken);
    return taken;
}

/* Nothing was to be had. Returns OK when it is worth another try. */
static lido_status find_more(struct lido_block_pool *pool, bool *has_drained) {
    bool at_limit = allowed(pool) == 0;
    bool again = pool->unreachable && lido__sys.coarse_ns() - pool->drained_ns >= DRAIN_AGAIN_NS;
    if (!at_limit && !pool->is_reserved && lido__slab_add(pool, pool->slab_blocks))
        return LIDO_OK;
    /* The blocks that are left are out, or in the stores of others. */
    if (!*has_drained && (!pool->is_tight || again)) {
        *has_drained = true;
        if (pool->limit)
            lido__store_tighten(pool);
        else
            (void)lido__store_drain_others(pool);
        return LIDO_OK;
    }
    return allowed(pool) == 0 ? LIDO_ERR_LIMIT : LIDO_ERR_NO_MEMORY;
}

static void stock_up(struct lido_block_pool *pool) {
    struct lido__store *store = make_store(pool);
    lido__lock(&pool->lock);
    if (store && !pool->stock) {
        pool->stock = store;
        pool->wants_stock = false;
        store = NULL;
    }
    lido__unlock(&pool->lock);
    free_store(store);
}

static bool has_spare(struct lido__store *store) {
    struct lido__magazine *magazine = lido__store_loaded(store);
    return magazine && lido__magazine_spare(magazine);
}

/* An acquiring thread brings a second magazine, for itself or for whoever releases. */
static bool bring_magazine(struct lido_block_pool *pool) {
    struct lido__magazine *magazine = make_magazine(pool);
    if (!magazine)
        return false;
    lido__lock(&pool->lock);
    pool->magazine_count++;
    lido__depot_push_empty(pool, magazine);
    lido__unlock(&pool->lock);
    return true;
}

/* The owner: what was in both magazines at the least is kept before the loaded one changes. */
static void keep_low(struct lido__store *store, struct lido__magazine *magazine, size_t other) {
    size_t low = lido__load(&magazine->low, relaxed) + other;
    if (low < lido__load(&store->low, relaxed))
        lido__store(&store->low, low, relaxed);
}

/* P1, owner: exchanges the loaded magazine, which has no block or no room, with its spare if that
 * has, without the lock; so a thread at the edge of a magazine comes here and no further. True: it
 * comes so often that spread() is better. */
static bool exchange(struct lido__store *store, bool for_block) {
    struct lido__magazine *magazine = lido__gate_enter(&store->gate);
    struct lido__magazine *spare = lido__magazine_spare(magazine);
    size_t count = lido__magazine_count(magazine), other = lido__magazine_count(spare);
    bool is_better = for_block ? count == 0 && other > 0
                               : count > magazine->capacity && other < magazine->capacity;
    bool is_often = is_better && ++store->exchange_count % EXCHANGES_OFTEN == 0;
    if (spare && is_better && !is_often) {
        keep_low(store, magazine, other);
        lido__store(&spare->low, lido__load(&spare->count, relaxed), relaxed);
        /* Who looks meanwhile finds both, whichever is loaded. */
        lido__magazine_set_spare(spare, magazine);
        bool is_exchanged = lido__gate_swap(&store->gate, magazine, spare);
        lido__magazine_set_spare(is_exchanged ? magazine : spare, NULL);
        if (is_exchanged)
            show_or_hide(store);
    }
    lido__gate_leave(&store->gate);
    return is_often;
}

/* The owner, under the lock: leaves the loaded magazine half full, as far as the spare has what is
 * missing, or room. Else bursts across its edge would come to exchange() for ever. */
static void spread(struct lido__store *store) {
    struct lido__magazine *magazine = lido__store_loaded(store);
    struct lido__magazine *spare = magazine ? lido__magazine_spare(magazine) : NULL;
    if (!spare)
        return;
    keep_low(store, magazine, lido__magazine_count(spare));
    lido__magazine_cool(magazine);
    lido__magazine_cool(spare);
    size_t count = lido__magazine_count(magazine), other = lido__magazine_count(spare);
    size_t all = count + other, want = magazine->capacity / 2;
    if (all > want + spare->capacity)
        want = all - spare->capacity;
    if (want > all)
        want = all;
    if (count == 0)
        copy_blocks(magazine, 0, spare, other - want, want);
    else if (count > want) {
        copy_blocks(spare, other, magazine, 0, count - want);
        copy_blocks(magazine, 0, magazine, count - want, want);
    } else
        want = count;
    lido__magazine_set_count(magazine, (uint32_t)want);
    lido__magazine_set_count(spare, (uint32_t)(all - want));
}

/* The owner: a block, or room, in the loaded magazine if the spare has it. */
static void cross_edge(struct lido_block_pool *pool, struct lido__store *store, bool for_block) {
    if (exchange(store, for_block)) {
        lido__lock(&pool->lock);
        spread(store);
        lido__unlock(&pool->lock);
    }
}

uint64_t lido__store_acquire(struct lido_block_pool *pool, uint64_t count, void **blocks,
                             lido_status *why) {
    struct lido__store *store = lido__store_find(pool);
    uint64_t taken = 0;
    bool has_drained = false;
    *why = LIDO_OK;
    /* Who exchanges takes one, too: a loaded magazine with nothing hot has room on its stack. */
    if (store && count > 0)
        cross_edge(pool, store, true);
    if (store)
        taken = take_own(store, count, blocks);
    if (taken == count)
        return taken;
    lido__lock(&pool->lock);
    if (store && renew(pool, store))
        taken += take_own(store, count - taken, blocks + taken);
    if (!store)
        store = new_store(pool);
    while (taken < count && *why == LIDO_OK) {
        uint64_t more = serve(pool, store, count - taken, blocks + taken);
        taken += more;
        if (more == 0)
            *why = find_more(pool, &has_drained);
    }
    if (*why == LIDO_ERR_LIMIT)
        pool->refused_limit += count - taken;
    else if (*why == LIDO_ERR_NO_MEMORY)
        pool->refused_memory += count - taken;
    bool needs_magazine = store && !pool->is_tight && !has_spare(store) && !pool->empty;
    bool needs_stock = pool->wants_stock && !pool->stock, is_untidy = lido__tidy_is_wanted(pool);
    lido__unlock(&pool->lock);
    if (needs_magazine)
        (void)bring_magazine(pool);
    if (needs_stock)
        stock_up(pool);
    if (is_untidy)
        lido__tidy(pool);
    return taken;
}

bool lido__store_prefill(struct lido_block_pool *pool) {
    lido__lock(&pool->lock);
    bool is_wanted = wants_stores(pool) && !pool->is_tight;
    struct lido__store *store = new_store(pool);
    lido__unlock(&pool->lock);
    return !is_wanted || (store && bring_magazine(pool));
}

/* ---- Release ----------------------------------------------------------------------------- */

/* The loaded magazine of the store with room in it, or NULL. */
static struct lido__magazine *make_room(struct lido_block_pool *pool, struct lido__store *store) {
    struct lido__magazine *magazine = lido__store_loaded(store);
    if (magazine)
        lido__magazine_cool(magazine);
    lido__store(&store->low, SIZE_MAX, relaxed);
    if (!magazine) {
        magazine = lido__depot_pop_empty(pool);
        if (magazine)
            load(store, magazine);
    }
    if (!magazine || lido__magazine_count(magazine) < magazine->capacity)
        return magazine;
    struct lido__magazine *spare = lido__magazine_spare(magazine);
    if (spare)
        lido__magazine_cool(spare);
    if (!spare)
        spare = lido__depot_pop_empty(pool);
    else if (lido__magazine_count(spare) >= spare->capacity && pool->full_count < full_max(pool) &&
             pool->empty) {
        lido__depot_push_full(pool, spare);
        spare = lido__depot_pop_empty(pool);
    } else if (lido__magazine_count(spare) >= spare->capacity)
        digest(pool, spare);
    if (!spare) {
        digest(pool, magazine);
        return magazine;
    }
    lido__magazine_set_spare(magazine, NULL);
    lido__magazine_set_spare(spare, magazine);
    load(store, spare);
    return spare;
}

/* A free block's page may have gone back since the caller saw no canary: its slab tells. */
static bool put_locked(struct lido_block_pool *pool, struct lido__store *store, void *block) {
    uint32_t i = 0;
    const struct lido__slab *slab = lido__slab_find(pool, block, &i);
    if (!slab || lido__slab_is_free(slab, i))
        return false;
    lido__store_note_peak(pool);
    struct lido__magazine *magazine = store && !pool->is_tight ? make_room(pool, store) : NULL;
    if (pool->has_canary)
        lido__canary_set(block);
    if (!magazine) {
        (void)lido__slab_put(pool, block);
        lido__store_loosen(pool);
        return true;
    }
    uint32_t count = lido__magazine_count(magazine);
    lido__store(&magazine->block[count], block, relaxed);
    lido__store(&magazine->low, count, relaxed);
    lido__store(&magazine->count, count + UINT32_C(1), release);
    return true;
}

bool lido__store_release(struct lido_block_pool *pool, void *block) {
    struct lido__store *store = lido__store_find(pool);
    if (store)
        cross_edge(pool, store, false);
    if (store && lido__store_push(store, block, pool->has_canary))
        return true;
    if (!store)
        store = stocked_store(pool);
    lido__lock(&pool->lock);
    bool is_put = put_locked(pool, store, block);
    bool is_untidy = lido__tidy_is_wanted(pool);
    lido__unlock(&pool->lock);
    if (is_untidy)
        lido__tidy(pool);
    return is_put;
}
