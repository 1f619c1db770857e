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
    DRAIN_AGAIN_NS = 1000 * 1000, /* before stores that were out of reach are tried again */
    FULL_MIN = 2,                 /* full magazines that the depot keeps at least */
    EXCHANGES_OFTEN = 8, /* so many, and the blocks are spread: for who crosses an edge for ever */
};

/* ---- Magazines, with the lock held ------------------------------------------------------- */

static size_t magazine_bytes(const struct lido_block_pool *pool) {
    size_t bytes = sizeof(struct lido__magazine) + pool->magazine_blocks * sizeof(void *);
    return (bytes + LIDO__CACHE_LINE - 1) / LIDO__CACHE_LINE * LIDO__CACHE_LINE;
}

static struct lido__magazine *make_magazine(const struct lido_block_pool *pool) {
    struct lido__magazine *magazine = lido__sys.alloc(magazine_bytes(pool), LIDO__CACHE_LINE);
    if (magazine) {
        memset(magazine, 0, magazine_bytes(pool));
        magazine->capacity = pool->magazine_blocks;
    }
    return magazine;
}

/* Moves what is in a magazine that nobody else works on into the slabs. A block that is free there
 * already was released twice, and written to between so that its canary did not tell. */
static void digest_slots(struct lido_block_pool *pool, const lido__slot *slots, size_t count) {
    while (count-- > 0)
        if (!lido__slab_put(pool, lido__load(&slots[count], relaxed)))
            pool->doubles++;
}

static void digest(struct lido_block_pool *pool, struct lido__magazine *magazine) {
    digest_slots(pool, magazine->block, magazine->count);
    magazine->count = 0;
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
    magazine->spare = NULL;
    if (lido__magazine_count(magazine) > 0 &&
        (pool->is_tight || pool->full_count >= full_max(pool)))
        digest(pool, magazine);
    if (lido__magazine_count(magazine) > 0)
        lido__depot_push_full(pool, magazine);
    else
        lido__depot_push_empty(pool, magazine);
}

/* ---- A store's magazines, with the lock held --------------------------------------------- */

/* A store that fast paths do not find as the pool's differs from its address by 1. */
static const void *hidden(const struct lido_block_pool *pool) {
    return (const char *)pool + 1;
}

/* P3, owner. Fast paths pay no fence, so they must not find a store that needs one. */
static void open_store(struct lido__store *store) {
    const struct lido_block_pool *pool = store->pool;
#ifndef LIDO_GATE_FENCED /* there fast paths pay the fence */
    store->is_fenced = store->is_fenced || !lido__gate_can_reach();
#endif
    lido__store(&store->near.open,
                store->is_fenced || !pool->has_canary ? hidden(pool) : (const void *)pool, relaxed);
}

/* The owner, of an open store. */
static void load(struct lido__store *store, struct lido__magazine *next) {
    store->magazine = next;
    store->end = next->block + next->capacity;
    store->floor = store->pool->is_zeroed ? store->end : next->block;
    lido__stack_set_count(store, next->count);
    next->count = 0;
}

/* P3, visitor, of a closed stack and after his barrier. */
static void take(struct lido_block_pool *pool, struct lido__store *store) {
    struct lido__magazine *spare = store->magazine->spare;
    lido__slot *from = NULL;
    size_t count = lido__stack_take(store, &from);
    digest_slots(pool, from, count);
    store->magazine->spare = NULL;
    if (spare)
        give_to_depot(pool, spare);
}

/* Gives the two magazines of a store up: to the depot, and from it to the slabs. */
static void give_up(struct lido_block_pool *pool, struct lido__store *store) {
    struct lido__magazine *magazine = store->magazine, *spare = magazine->spare;
    lido__stack_gather(store);
    magazine->count = lido__stack_count(store);
    give_to_depot(pool, magazine);
    if (spare)
        give_to_depot(pool, spare);
}

/* The child of a fork: memory was copied page by page while the owner went on, so his top may be newer
 * than his slots. What is free carries the canary. */
static void salvage(struct lido_block_pool *pool, struct lido__store *store) {
    size_t count = lido__stack_count(store);
    const lido__slot *bottom = lido__stack_bottom(store);
    while (count-- > 0) {
        uint32_t i = 0;
        void *block = lido__load(&bottom[count], relaxed);
        const struct lido__slab *slab = lido__slab_find(pool, block, &i);
        if (slab && !lido__slab_is_free(slab, i) &&
            (!pool->has_canary || lido__canary_is_set(block)))
            (void)lido__slab_put(pool, block);
    }
    lido__store(&store->top, lido__stack_bottom(store), relaxed);
}

static uint32_t cached_in(struct lido__store *store) {
    return (uint32_t)lido__stack_count(store) + lido__magazine_count(store->magazine->spare);
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
        size_t now = lido__stack_low(store) + lido__magazine_count(store->magazine->spare);
        low += now < store->least ? now : store->least;
    }
    uint64_t drawn = lido__drawn(pool);
    if (drawn > low && drawn - low > pool->live_peak)
        pool->live_peak = drawn - low;
}

/* ---- Life of a store --------------------------------------------------------------------- */

struct lido__store *lido__store_find(struct lido_block_pool *pool) {
    struct lido__near *near = lido__near_find(pool->resource.info.id, pool);
    if (near)
        lido__near_last = near;
    return (struct lido__store *)(void *)near;
}

static struct lido__store *make_store(struct lido_block_pool *pool) {
    struct lido__store *store = lido__sys.alloc(sizeof *store, LIDO__CACHE_LINE);
    struct lido__magazine *magazine = store ? make_magazine(pool) : NULL;
    if (!magazine) {
        lido__sys.free(store);
        return NULL;
    }
    memset(store, 0, sizeof *store);
    store->magazine = magazine;
    store->least = SIZE_MAX;
    return store;
}

static void free_store(struct lido__store *store) {
    if (!store)
        return;
    lido__sys.free(store->magazine);
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
    load(store, store->magazine);
    open_store(store);
    lido__near_last = &store->near;
}

/* With the lock held: takes all from a store and out of the pool's list. */
static void leave(struct lido_block_pool *pool, struct lido__store *store, bool vanished) {
    lido__store_note_peak(pool);
    lido__stack_close(store);
    if (vanished)
        salvage(pool, store);
    give_up(pool, store);
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
        next = magazine->spare;
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

static void flush(struct lido_block_pool *pool, struct lido__store *own) {
    digest_slots(pool, lido__stack_bottom(own), lido__stack_count(own));
    own->is_taken = own->is_taken || pool->is_tight;
    lido__stack_set_count(own, 0);
    own->taken = own->magazine->block;
    if (own->magazine->spare)
        digest(pool, own->magazine->spare);
}

void lido__store_flush_own(struct lido_block_pool *pool) {
    struct lido__store *own = own_store(pool);
    lido__store_note_peak(pool);
    if (own)
        flush(pool, own);
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

void lido__store_mark(struct lido_block_pool *pool, bool resting) {
    struct lido__store *own = own_store(pool);
    for (struct lido__store *store = pool->stores; store; store = store->next)
        if (store != own && (store->is_resting || !resting))
            store->visit = LIDO__VISIT_WANTED;
}

/* Closes the stacks of up to `most` stores that are marked, and says whether there are more. */
static bool begin_visits(struct lido_block_pool *pool, uint32_t most, bool *is_one_closed) {
    struct lido__store *own = own_store(pool);
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        if (store->visit == LIDO__VISIT_NONE)
            continue;
        if (most == 0)
            return true;
        bool is_worth_it = (pool->is_tight && !store->is_taken) || cached_in(store) > 0;
        store->visit = LIDO__VISIT_NONE;
        if (store == own) /* another thread's mark */
            flush(pool, own);
        else if (is_worth_it) {
            lido__stack_close(store);
            store->visit = LIDO__VISIT_NOW;
            *is_one_closed = true;
            most--;
        }
    }
    return false;
}

bool lido__store_visit(struct lido_block_pool *pool, uint32_t most) {
    bool is_one_closed = false;
    lido__store_note_peak(pool);
    bool has_more = begin_visits(pool, most, &is_one_closed);
    if (!is_one_closed)
        return has_more;
    bool reached = lido__gate_barrier();
    for (struct lido__store *store = pool->stores; store; store = store->next) {
        if (store->visit != LIDO__VISIT_NOW)
            continue;
        store->visit = LIDO__VISIT_NONE;
        /* Out of reach it stays closed, with all it has, until its owner comes. */
        if (reached || store->is_fenced)
            take(pool, store);
        else
            pool->unreachable += cached_in(store);
    }
    return has_more;
}

/* All at once, for who has to know what is left. */
static void drain_others(struct lido_block_pool *pool) {
    pool->unreachable = 0;
    lido__store_mark(pool, false);
    (void)lido__store_visit(pool, UINT32_MAX);
}

void lido__store_tighten(struct lido_block_pool *pool) {
    if (!pool->is_tight && pool->tight_count < 16)
        pool->tight_count++;
    pool->is_tight = true;
    pool->drained_ns = lido__sys.coarse_ns();
    lido__store_note_peak(pool);
    struct lido__store *own = own_store(pool);
    if (own) {
        lido__stack_close(own);
        flush(pool, own);
    }
    drain_others(pool);
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

/* Fills an empty magazine so that the first block of the slab is handed out first. Returns how many. */
static uint32_t refill(struct lido_block_pool *pool, struct lido__magazine *magazine) {
    void *blocks[LIDO__MAGAZINE_BLOCKS];
    uint32_t count = lido__slab_take(pool, refill_count(pool), blocks);
    for (uint32_t i = 0; i < count; i++)
        lido__store(&magazine->block[i], blocks[count - 1 - i], relaxed);
    return count;
}

/* P3, owner: before his slow call changes the store, and after peaks were noted. */
static void begin_slow(struct lido__store *store) {
    if (store->is_taken)
        lido__stack_gather(store);
    open_store(store); /* it may need a fence by now */
    store->least = SIZE_MAX;
    lido__stack_set_count(store, lido__stack_count(store));
}

/* Exchanges the loaded magazine with another one, which it becomes the spare of. */
static void change_to(struct lido__store *store, struct lido__magazine *next) {
    struct lido__magazine *last = store->magazine;
    last->count = lido__stack_count(store);
    last->spare = NULL;
    next->spare = last;
    load(store, next);
}

/* Blocks into the stack if they can be had without another slab. */
static void supply(struct lido_block_pool *pool, struct lido__store *store) {
    begin_slow(store);
    if (lido__stack_count(store) > 0)
        return;
    struct lido__magazine *spare = store->magazine->spare;
    if (lido__magazine_count(spare) == 0 && pool->full &&
        lido__magazine_count(pool->full) <= allowed(pool)) {
        if (spare)
            lido__depot_push_empty(pool, spare);
        spare = lido__depot_pop_full(pool);
        pool->depot_used_ns = lido__sys.coarse_ns();
    }
    if (lido__magazine_count(spare) == 0)
        lido__stack_set_count(store, refill(pool, store->magazine));
    else
        change_to(store, spare);
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
        magazine->count = left;
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
    if (lido__load(&store->left, relaxed) > 0 || store->is_taken || lido__stack_count(store) == 0 ||
        pool->is_tight || (pool->wants_stock && !pool->stock) || lido__tidy_is_wanted(pool))
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
    uint64_t taken = 0;
    size_t left = 0;
    lido__store_note_peak(pool);
    lido__tidy_gather(pool);
    if (store && !pool->is_tight) {
        supply(pool, store);
        left = lido__stack_count(store);
    }
    while (taken < count && left > 0)
        blocks[taken++] = lido__load(&store->magazine->block[--left], relaxed);
    if (taken == 0)
        return take_directly(pool, count, blocks);
    lido__stack_set_count(store, left);
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
            drain_others(pool);
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

/* What was in both magazines at the least is kept before the loaded one changes. */
static void keep_low(struct lido__store *store) {
    size_t low = lido__stack_low(store) + lido__magazine_count(store->magazine->spare);
    if (low < store->least)
        store->least = low;
}

/* Leaves the loaded magazine half full, as far as the spare has what is missing, or room. Else bursts
 * across its edge would come to cross_edge() for ever. */
static void spread(struct lido__store *store) {
    struct lido__magazine *magazine = store->magazine, *spare = magazine->spare;
    size_t count = lido__stack_count(store), other = spare->count;
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
    spare->count = all - want;
    lido__stack_set_count(store, want);
}

/* The owner, with the lock held: exchanges the loaded magazine, which has no block or no room, with its
 * spare if that has; or spreads their blocks, when it comes to that often. */
static void cross_edge(struct lido__store *store, bool for_block) {
    struct lido__magazine *magazine = store->magazine, *spare = magazine->spare;
    size_t count = lido__stack_count(store);
    if (store->is_taken || !spare ||
        (for_block ? count > 0 || spare->count == 0
                   : count < magazine->capacity || spare->count >= spare->capacity))
        return;
    keep_low(store);
    if (++store->exchange_count % EXCHANGES_OFTEN == 0)
        spread(store);
    else
        change_to(store, spare);
}

uint64_t lido__store_acquire(struct lido_block_pool *pool, uint64_t count, void **blocks,
                             lido_status *why) {
    struct lido__store *store = lido__store_find(pool);
    uint64_t taken = 0;
    bool has_drained = false;
    *why = LIDO_OK;
    if (store)
        taken = take_own(store, count, blocks);
    if (taken == count)
        return taken;
    lido__lock(&pool->lock);
    if (store) {
        cross_edge(store, true);
        (void)renew(pool, store);
        taken += take_own(store, count - taken, blocks + taken);
    }
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
    bool needs_magazine = store && !pool->is_tight && !store->magazine->spare && !pool->empty;
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

/* Room in the stack. */
static void make_room(struct lido_block_pool *pool, struct lido__store *store) {
    begin_slow(store);
    struct lido__magazine *magazine = store->magazine, *spare = magazine->spare;
    if (lido__stack_count(store) < magazine->capacity)
        return;
    if (!spare)
        spare = lido__depot_pop_empty(pool);
    else if (lido__magazine_count(spare) >= spare->capacity && pool->full_count < full_max(pool) &&
             pool->empty) {
        magazine->spare = NULL;
        lido__depot_push_full(pool, spare);
        spare = lido__depot_pop_empty(pool);
    } else if (lido__magazine_count(spare) >= spare->capacity)
        digest(pool, spare);
    if (spare) {
        change_to(store, spare);
        return;
    }
    digest_slots(pool, magazine->block, lido__stack_count(store));
    lido__stack_set_count(store, 0);
}

/* A free block's page may have gone back since the caller saw no canary: its slab tells. */
static bool put_locked(struct lido_block_pool *pool, struct lido__store *store, void *block) {
    uint32_t i = 0;
    const struct lido__slab *slab = lido__slab_find(pool, block, &i);
    if (!slab || lido__slab_is_free(slab, i))
        return false;
    lido__store_note_peak(pool);
    if (pool->has_canary)
        lido__canary_set(block);
    if (!store || pool->is_tight) {
        (void)lido__slab_put(pool, block);
        lido__store_loosen(pool);
        return true;
    }
    make_room(pool, store);
    lido__stack_raise(store, lido__load(&store->top, relaxed), block);
    return true;
}

bool lido__store_release(struct lido_block_pool *pool, void *block) {
    struct lido__store *store = lido__store_find(pool);
    if (store && lido__store_push(store, block, pool->has_canary))
        return true;
    if (!store)
        store = stocked_store(pool);
    lido__lock(&pool->lock);
    if (store)
        cross_edge(store, false);
    bool is_put = put_locked(pool, store, block);
    bool is_untidy = lido__tidy_is_wanted(pool);
    lido__unlock(&pool->lock);
    if (is_untidy)
        lido__tidy(pool);
    return is_put;
}
