/* SPDX-License-Identifier: MIT
 * What a block pool consists of.
 *
 *      thread     store --> magazine --> spare magazine       no lock: its thread works on the first,
 *                   |                                         by P3; others take blocks from there
 *      pool       depot: full and empty magazines             pool->lock
 *                   |
 *                 slabs: a bit for each free block            pool->lock
 *                   |
 *      process    extents: memory without blocks              a lock of its own (extent.h)
 *
 *   I1  A block that exists is in exactly one place: out, in one magazine, or free in its slab.
 *   I2  blocks out = drawn - those in magazines of stores; drawn = existing - free in slabs - in the
 *       depot. `drawn` changes under the lock only, so it bounds what is out, and the limit bounds it.
 *   I3  A free block carries the canary in its first word until somebody writes over it, or its page
 *       goes back to the system: then its slab is hidden from the fast paths. Pools whose blocks are
 *       too small for a canary, or that are EXACT, have a byte per block in the slab instead.
 *
 * P2, the depot: magazines change hands whole, under the lock. Blocks go back to slabs (digest) when
 * the depot has more magazines than it needs, when a thread ends, on trim and near the limit.
 *
 * Lock order: lido__near_lock (life of stores) -> pool->lock. The extents' and the map's are taken
 * with no other held. The system is called with none of them held, but for membarrier(2). */
#ifndef LIDO_SRC_BLOCK_POOL_POOL_H
#define LIDO_SRC_BLOCK_POOL_POOL_H

#include <lido/block_figures.h>

#include "base/gate.h"
#include "base/mutex.h"
#include "base/near.h"
#include "block_pool/extent.h"
#include "block_pool/map.h"
#include "registry/registry.h"

enum {
    LIDO__MAGAZINE_BYTES = 64 * 1024, /* of blocks in one magazine, at most ... */
    /* ... this many: two magazines and their store stay below a page of 4 KiB. */
    LIDO__MAGAZINE_BLOCKS = 224,
    LIDO__MAGAZINE_BLOCKS_MIN = 4,
    LIDO__SLAB_LISTS = 8,
    LIDO__REFILL_MIN = 4,
    LIDO__GRANT = 1024,          /* acquisitions from one slow call to the next, at most */
    LIDO__GRANT_TIDYING = 32,    /* ... while idle memory waits to go back */
    LIDO__LIMIT_FOR_STORES = 16, /* pools with a lower limit work without stores */
    LIDO__CACHE_LINE = 64,       /* what one thread writes shares none with another's */
};

/* Where the row of a pool without blocks begins: no address is there. */
#define LIDO__ROW_NOWHERE (UINTPTR_MAX / 2 + 1)

typedef _Atomic(void *) lido__slot;

/* Free blocks. While it is loaded, the store says how many; its slots are then written by the owner of
 * the store without the lock. All else under the lock. */
struct lido__magazine {
    size_t count, capacity;
    struct lido__magazine *spare; /* in a store: the second one; in the depot: the next */
    lido__slot block[];
};

enum lido__visit_state { LIDO__VISIT_NONE, LIDO__VISIT_WANTED, LIDO__VISIT_NOW };

/* What one thread has of one pool: a stack of blocks, P3 (stack.h), in the loaded magazine. */
struct lido__store {
    struct lido__near
        near; /* open: the pool; its address + 1 where fast paths must not work; NULL: closed */
    /* Acquired: granted - left. At -1 a slow call is due, for the pool's sake: a thread whose magazine
     * always suffices would never look after it. */
    _Atomic(int64_t) left;
    _Atomic(lido__slot *) top; /* the slot for the next block to come; written by the owner alone */
    /* The least that top was since the owner's last slow call; of two places that keep it the lower one
     * counts, for where fast paths must not acquire `edge` is above all slots. */
    _Atomic(lido__slot *) edge, low;
    lido__slot *floor,
        *end; /* of the slots, for fast paths: floor as edge; the owner's, under the lock */

    /* Under the pool's lock. */
    struct lido__magazine *magazine; /* loaded; never NULL while the pool lives */
    bool is_taken;   /* by a visitor, up to `taken`, and closed until its owner comes */
    bool is_fenced;  /* the owner pays a fence, and reads this without the lock */
    bool is_resting; /* when the pool last looked */
    uint8_t visit;   /* lido__visit_state */
    uint32_t exchange_count;
    lido__slot *taken;
    int64_t granted;
    size_t least; /* in both magazines, of exchanges since the last slow call */
    struct lido__store *previous, *next; /* of the same pool */
    struct lido_block_pool *pool;
    const struct lido__thread *thread;
    uint64_t seen_acquired, seen; /* when the pool last looked whether its thread rests */
};

struct lido__slab {
    struct lido__extent extent;
    struct lido_block_pool *pool;
    struct lido__slab *previous, *next; /* in its list, if it is in one */
    uint64_t number;                    /* its blocks have the indices number * slab_blocks ... */
    uint64_t since_ns;                  /* it is empty; or drains, or was looked at while it does */
    uint32_t block_count;               /* it has room for */
    uint32_t carved;                    /* of them exist */
    uint32_t free_count;                /* of those are free: bits */
    uint32_t cached_count;              /* used while figures are read; 0 else */
    uint32_t first_word;                /* no bit before it */
    uint32_t purged_count; /* pages that went back; what is free on them has lost its canary */
    uint32_t pass;         /* of trim, which looked at it last */
    uint8_t list;          /* 0 fullest ... 7, empty, draining; or none */
    bool is_draining;      /* serves nobody; what comes back goes straight home */
    bool was_draining;     /* until it serves again */
    bool is_hidden;        /* from the fast paths, in the map */
    _Atomic(uint8_t) *out; /* EXACT: 1 for a block that is out */
    uint64_t bit[];        /* set: free here; then one for each page: it has gone back */
};

struct lido__slab_list {
    struct lido__slab *first, *last;
};

struct lido__apart;

struct lido_block_pool {
    struct lido__resource resource;

    /* Fixed at the making, read by fast paths. */
    struct lido__window *window; /* of the map */
    uint64_t per_stride;         /* 2^64 divided by the stride, rounded up */
    /* The row: from its start, which is set once, so many bytes are blocks of the pool that are not
     * hidden, one after the other. Most pools' slabs lie like that, and then nobody has to ask the map. */
    _Atomic(uintptr_t) row_start, row_bytes;
    uint32_t magazine_blocks;
    bool is_scattered; /* slabs lie elsewhere, so the row stays empty */

    /* Fixed at the making. */
    struct lido__apart *apart; /* guard and pass-through: all there is, instead of what follows */
    size_t block_bytes, stride_bytes, page_bytes;
    size_t slab_bytes;
    uint32_t slab_blocks;
    uint32_t slab_pages; /* that can go back one by one; 0: none */
    bool has_canary, is_exact, is_zeroed, is_reserved;
    bool marks_fresh; /* that a block was never out, and is zero but for two words */
    uint64_t idle_keep_ns;
    uint64_t keep_slabs;  /* never fewer */
    bool counts_existing; /* the limit bounds the blocks that exist, too */
    bool has_home;

    lido__mutex lock; /* guards what follows */
    struct lido__store *stores;
    struct lido__magazine *full, *empty; /* the depot */
    uint32_t store_count, full_count, empty_count;
    bool is_tight;             /* near the limit: no store is given blocks or room */
    uint32_t tight_count;      /* how often that came; each time it ends later */
    uint64_t depot_used_ns;    /* when a magazine last came or went */
    uint64_t drained_ns;       /* when the stores were last visited for want of blocks */
    uint64_t unreachable;      /* and how many blocks were not reached */
    struct lido__store *stock; /* for a thread that only releases, and may not allocate */
    bool wants_stock;
    struct lido__slab_list lists[LIDO__SLAB_LISTS + 2];
    struct lido__slab *purging; /* in no list, while pages of it go back without the lock */
    uint64_t empty_slabs, draining_slabs;
    uint64_t drain_from_ns; /* no slab begins to drain before */
    uint32_t regrets;       /* slabs that drained for nothing; each makes the next wait longer */
    uint32_t pass;          /* of trim, the last one */
    uint32_t look_back_off; /* looks through the caches that emptied no slab */
    uint64_t look_from_ns;  /* the next one */
    uint64_t gathers_left;  /* slow calls that empty the stores of threads at work */
    bool is_visiting;       /* the stores of threads that rest */
    bool is_coalescing;
    uint64_t given_ns, give_from_ns; /* a slab to another pool: the last one, the next one */
    uint32_t give_back_off;
    bool has_given;
    uint64_t coalesce_percent; /* of the committed bytes may lie about free */
    struct lido__slab **slabs; /* by number */
    uint64_t slab_capacity, number_count, slab_count, smallest_free_number;
    uint64_t limit;
    uint64_t existing, slab_free, depot_cached;
    uint64_t idle;       /* of slab_free, those in empty slabs */
    uint64_t idle_bytes; /* that empty slabs hold */
    uint64_t committed_bytes, committed_peak, slab_overhead_bytes, magazine_count;
    uint64_t made, acquired_past; /* by direct calls and stores that are no more */
    uint64_t live_peak;
    uint64_t refused_limit, refused_memory;
    uint64_t doubles; /* found in the stores, too late for the caller to be told */
    _Atomic(uint64_t) refused_release;
    struct lido__extent home[]; /* one if has_home: the pool lies in it, and its first slab does */
};

/* With the lock held: blocks out and in magazines of stores. */
static inline uint64_t lido__drawn(const struct lido_block_pool *pool) {
    return pool->existing - pool->slab_free - pool->depot_cached;
}

/* With the lock held: the depot has more empty magazines than stores could want. */
static inline bool lido__has_spare_empties(const struct lido_block_pool *pool) {
    return pool->empty_count > pool->store_count * UINT64_C(2) + 1;
}

/* With the lock held: not by trim alone. */
static inline bool lido__coalesces_by_itself(const struct lido_block_pool *pool) {
    return pool->idle_keep_ns != LIDO_FOREVER && pool->coalesce_percent < 100;
}

/* ---- slab.c, all with the lock held unless said ------------------------------------------ */

/* Fixes strides and slab sizes. Without the lock. */
void lido__slab_shape(struct lido_block_pool *pool, const lido_block_pool_options *options);

/* A pool that lies behind the blocks of its first slab, all zero but for its home; NULL: there is no room, or no
 * memory. The end comes when its slabs have ended. Without the lock. */
struct lido_block_pool *lido__slab_house(const lido_block_pool_options *options);
void lido__slab_unhouse(struct lido_block_pool *pool);

/* Takes up to count free blocks, from the fullest slabs first; makes them there if need be.
 * Returns how many. */
uint32_t lido__slab_take(struct lido_block_pool *pool, uint32_t count, void **blocks);

/* Puts a block back into its slab. False: it is free there already. */
bool lido__slab_put(struct lido_block_pool *pool, void *block);

/* One more slab. Lets the lock go in between. False: no memory. */
bool lido__slab_add(struct lido_block_pool *pool, uint32_t block_count);

/* At the making: this many blocks, every page touched. False: no memory. */
bool lido__slab_carve_ready(struct lido_block_pool *pool, uint64_t count);

/* Takes out an empty slab, if one may go: the one longest empty, before that time. */
struct lido__slab *lido__slab_detach(struct lido_block_pool *pool, uint64_t empty_before_ns);

/* Survivors of a peak, spread over its slabs: when twice the slabs are in use that its blocks need,
 * the emptiest are drained. They serve nobody any more, what comes back of them goes home at once,
 * and their free pages go back to the system until they are empty or needed again.
 *   wants_draining   there is something to begin with; `always`: for less than twice, too
 *   drain            begins with up to that many slabs
 *   regret           one of them serves again, so that all was for nothing: the next waits longer */
bool lido__slab_wants_draining(const struct lido_block_pool *pool, bool always);
void lido__slab_regret(struct lido_block_pool *pool);
void lido__slab_drain(struct lido_block_pool *pool, uint32_t count, bool always);

/* Pages without a block in use: begin takes a slab aside and says which of its pages go; give gives
 * them back, without the lock, and returns their bytes; end puts the slab back. NULL: nothing to do.
 * A slab drains since before that time, or (`pass`, not 0) that pass of trim has not seen it. */
enum { LIDO__RUNS = 512 };
struct lido__runs {
    struct lido__slab *slab;
    uint32_t count;
    struct {
        uint32_t first, count; /* pages */
    } run[LIDO__RUNS];
};
bool lido__slab_purge_begin(struct lido_block_pool *pool, uint64_t before_ns, uint32_t pass,
                            struct lido__runs *runs);
uint64_t lido__slab_purge_give(struct lido__runs *runs);
void lido__slab_purge_end(struct lido_block_pool *pool, const struct lido__runs *runs);

/* In the child of a fork: whoever was at it is not there. */
void lido__slab_purge_forget(struct lido_block_pool *pool);

/* Gives the memory of a detached slab back. Without the lock. Returns its bytes. */
uint64_t lido__slab_end(struct lido__slab *slab);

/* Without the lock. Takes any address back, straight to its slab, if it is a block that is out; not in exact pools. */
bool lido__slab_take_back(struct lido_block_pool *pool, void *block);

/* Which block of which slab this is; NULL: the start of none. With the lock held; `unlocked` needs
 * none, and finds no block of a hidden slab. */
struct lido__slab *lido__slab_find(const struct lido_block_pool *pool, const void *block,
                                   uint32_t *i);
struct lido__slab *lido__slab_find_unlocked(const struct lido_block_pool *pool, const void *block,
                                            uint32_t *i);

static inline char *lido__slab_block(const struct lido__slab *slab, uint64_t i) {
    return slab->extent.memory + i * slab->pool->stride_bytes;
}

static inline bool lido__slab_is_free(const struct lido__slab *slab, uint32_t i) {
    return slab->bit[i / 64] >> (i % 64) & 1;
}

/* ---- store.c ----------------------------------------------------------------------------- */

/* This thread's store of the pool, now at the head of its chain, or NULL. */
struct lido__store *lido__store_find(struct lido_block_pool *pool);

/* Acquires when the fast path cannot. Returns how many; when fewer, *why. */
uint64_t lido__store_acquire(struct lido_block_pool *pool, uint64_t count, void **blocks,
                             lido_status *why);

/* Takes back a block that is not known to be free. False: it is free in its slab. */
bool lido__store_release(struct lido_block_pool *pool, void *block);

/* Moves free blocks out of this thread's store, or one magazine of the depot, into the slabs. With the
 * lock held. False: the depot is empty. */
void lido__store_flush_own(struct lido_block_pool *pool);
bool lido__depot_digest(struct lido_block_pool *pool);

/* Out of other threads' stores, in steps: who has few hundred threads must not hold the lock for all of
 * them. With the lock held.
 *   note_resting  which threads did nothing with the pool since it was called last; returns how many
 *                 blocks their stores hold
 *   mark          theirs, or all, are to be visited
 *   visit         up to `most` of them now; returns whether there are more */
enum { LIDO__VISITS = 16 };
uint64_t lido__store_note_resting(struct lido_block_pool *pool);
void lido__store_mark(struct lido_block_pool *pool, bool resting);
bool lido__store_visit(struct lido_block_pool *pool, uint32_t most);

/* From now on nothing is handed out or taken back but under the lock; the stores are emptied. */
void lido__store_tighten(struct lido_block_pool *pool);

/* Room enough again? Each time that the limit was reached asks for more. */
void lido__store_loosen(struct lido_block_pool *pool);

/* With the lock held: whether the block lies in a magazine; how many blocks lie in stores; how many
 * are free in slabs that only blocks in magazines keep from being empty; how many were acquired; and
 * brings live_peak up to date. */
bool lido__store_has(const struct lido_block_pool *pool, const void *block);
uint64_t lido__store_cached(const struct lido_block_pool *pool);
uint64_t lido__store_pinned(const struct lido_block_pool *pool);
uint64_t lido__store_acquired(const struct lido_block_pool *pool);
void lido__store_note_peak(struct lido_block_pool *pool);

/* Once a process, before the first pool. */
lido_status lido__store_prepare(void);

/* This thread's store and its magazines, before they are needed. False: no memory. */
bool lido__store_prefill(struct lido_block_pool *pool);

/* The pool ends: stores forget it, magazines are freed. */
void lido__store_end_all(struct lido_block_pool *pool);

size_t lido__store_overhead(const struct lido_block_pool *pool);

/* ---- share.c, without the lock unless said ----------------------------------------------- */

/* Empty slabs of all pools. */
extern _Atomic(uint64_t) lido__empty_slabs;

/* Before a pool takes a slab from the system: other pools give as much back, if they have it to
 * spare. Afterwards, with the lock held: it has grown. */
void lido__share_take(const struct lido_block_pool *pool);
void lido__share_note_growth(struct lido_block_pool *pool);

/* ---- tidy.c ------------------------------------------------------------------------------ */

/* With the lock held: memory is idle for too long; a slow call has something to do, without the lock;
 * what lies at hand goes to the slabs, if it is due. What this thread needs comes back from the
 * fullest. */
bool lido__tidy_is_due(const struct lido_block_pool *pool);
bool lido__tidy_is_wanted(const struct lido_block_pool *pool);
void lido__tidy_gather(struct lido_block_pool *pool);

/* Without the lock: does it, or a part of it that takes well below a millisecond. */
void lido__tidy(struct lido_block_pool *pool);

/* Gives free pages of one slab back, as lido__slab_purge_begin says. Returns the bytes, and what the
 * step cost, as if all of it were bytes; 0: no slab. */
uint64_t lido__tidy_pages(struct lido_block_pool *pool, uint64_t before_ns, uint32_t pass,
                          uint64_t *cost_bytes);

#endif
