/* SPDX-License-Identifier: MIT
 * Slabs: memory for some blocks, and apart from it, out of reach of what the application writes, a
 * bit for each block that is free here.
 *
 *      [ block | block | block | ... carved | not yet blocks, not yet touched ... ]
 *
 * Blocks are carved as they are needed, so that a pool of ten blocks touches the pages of ten. The
 * fullest slab serves first: that is how blocks in use gather in few slabs, and others get empty.
 * After a peak they are helped to: drain.c.
 *
 *   I1  a slab is in the list of its fullness; with nothing to give in none; with all to give in the
 *       list of the empty, where the longest empty is first; while it drains in a list of its own
 *   I2  existing = sum of carved, slab_free = sum of free_count, idle = that of empty slabs
 *   I3  a page is purged only while all blocks on it are free here; a slab with such pages, or that
 *       drains, is hidden: fast paths find no block in it, for canaries are missing */
#include "block_pool/slab.h"
#include "block_pool/canary.h"

#include "base/sys.h"

#include <string.h>

enum { EMPTY = LIDO__EMPTY, DRAINING = LIDO__DRAINING, NO_LIST = LIDO__NO_LIST };

static size_t round_up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

/* ---- Shape ------------------------------------------------------------------------------- */

/* The smallest slab that has 8 blocks and wastes at most 1/256 behind the last one (only the rest of
 * its last page counts: what lies behind is never touched); large blocks have fewer, down to 1. */
static void choose_slab_bytes(struct lido_block_pool *pool) {
    const size_t largest = (size_t)LIDO__UNIT_BYTES << (LIDO__EXTENT_ORDERS - 1);
    size_t bytes = LIDO__UNIT_BYTES, stride = pool->stride_bytes;
    for (; bytes < largest; bytes *= 2) {
        size_t used = bytes / stride * stride;
        size_t waste = round_up(used, pool->page_bytes) - used;
        if (bytes / stride >= 8 && waste * 256 <= used)
            break;
    }
    if (stride > largest / 4)
        bytes = round_up(stride, LIDO__UNIT_BYTES);
    pool->slab_bytes = bytes;
    pool->slab_blocks = (uint32_t)(bytes / stride);
}

/* No canary may lie on two pages, of which one goes. */
static uint32_t count_pages(const struct lido_block_pool *pool) {
    bool is_whole = pool->slab_blocks == 1 || pool->is_reserved;
    return is_whole || pool->stride_bytes % sizeof(uint64_t) != 0
               ? 0
               : (uint32_t)(pool->slab_blocks * pool->stride_bytes / pool->page_bytes);
}

void lido__slab_shape(struct lido_block_pool *pool, const lido_block_pool_options *options) {
    pool->block_bytes = (size_t)options->block_size;
    pool->page_bytes = lido__page_bytes();
    pool->stride_bytes = round_up(pool->block_bytes, (size_t)options->block_align);
    pool->is_exact =
        (options->flags & LIDO_BLOCK_POOL_EXACT) || pool->stride_bytes < sizeof(uint64_t);
    pool->has_canary = !pool->is_exact;
    pool->marks_fresh =
        pool->is_zeroed && pool->has_canary && pool->block_bytes > LIDO__FRESH_BYTES;
    choose_slab_bytes(pool);
    lido__store(&pool->row_start, LIDO__ROW_NOWHERE, relaxed);
    pool->per_stride = UINT64_MAX / pool->stride_bytes + 1;
    pool->slab_pages = count_pages(pool);
    if (options->block_limit && options->block_limit < pool->slab_blocks)
        pool->slab_blocks = (uint32_t)options->block_limit;
    size_t many = LIDO__MAGAZINE_BYTES / pool->stride_bytes;
    pool->magazine_blocks = many > LIDO__MAGAZINE_BLOCKS       ? LIDO__MAGAZINE_BLOCKS
                            : many < LIDO__MAGAZINE_BLOCKS_MIN ? LIDO__MAGAZINE_BLOCKS_MIN
                                                               : (uint32_t)many;
    /* A thread's two hold a quarter of what there may be, at most. */
    if (options->block_limit && pool->magazine_blocks > options->block_limit / 8)
        pool->magazine_blocks = options->block_limit / 8 > LIDO__MAGAZINE_BLOCKS_MIN
                                    ? (uint32_t)(options->block_limit / 8)
                                    : LIDO__MAGAZINE_BLOCKS_MIN;
}

/* ---- The pool's home --------------------------------------------------------------------- */

/* A reserved pool's last page is there, though its blocks may need no more than the first part of it. The
 * pool itself lies at the end of that page if there is a gap of a block and of GAP_BYTES, so that
 * an overrun of the last block has to be a large one to reach it; and no block begins behind it. */
enum { GAP_BYTES = 1024 };

struct lido_block_pool *lido__slab_house(const lido_block_pool_options *options) {
    const size_t size =
        round_up(sizeof(struct lido_block_pool) + sizeof(struct lido__extent), LIDO__CACHE_LINE);
    struct lido_block_pool shape = {.is_reserved = true};
    struct lido__extent home;
    if (options->mode != LIDO_BLOCK_POOL_SLABS || !(options->flags & LIDO_BLOCK_POOL_RESERVED))
        return NULL;
    lido__slab_shape(&shape, options);
    size_t used = shape.slab_blocks * shape.stride_bytes, end = round_up(used, shape.page_bytes);
    size_t gap = shape.stride_bytes > GAP_BYTES ? shape.stride_bytes : GAP_BYTES;
    if (end - used < gap + size || end >= shape.slab_bytes ||
        !lido__extent_get(shape.slab_bytes, &home))
        return NULL;
    struct lido_block_pool *pool = (struct lido_block_pool *)(void *)(home.memory + end - size);
    pool->has_home = true;
    pool->home[0] = home;
    return pool;
}

void lido__slab_unhouse(struct lido_block_pool *pool) {
    struct lido__extent home = pool->home[0];
    lido__extent_put(&home);
}

/* Gets the memory of a slab to be, or gives it back. */
static bool get_extent(const struct lido_block_pool *pool, struct lido__slab *slab) {
    if (!pool->has_home || pool->slab_count > 0)
        return lido__extent_get(pool->slab_bytes, &slab->extent);
    slab->extent = pool->home[0];
    return true;
}

static void put_extent(const struct lido__slab *slab) {
    const struct lido_block_pool *pool = slab->pool;
    if (!pool->has_home || slab->extent.memory != pool->home[0].memory)
        lido__extent_put(&slab->extent);
}

/* ---- Lists ------------------------------------------------------------------------------- */

static uint8_t list_for(const struct lido_block_pool *pool, const struct lido__slab *slab) {
    uint32_t to_give = slab->free_count + slab->block_count - slab->carved;
    if (to_give == 0 || slab == pool->purging)
        return NO_LIST;
    if (to_give == slab->block_count)
        return EMPTY;
    if (slab->is_draining)
        return DRAINING;
    return (uint8_t)((uint64_t)to_give * LIDO__SLAB_LISTS / slab->block_count);
}

void lido__slab_unlist(struct lido_block_pool *pool, struct lido__slab *slab) {
    if (slab->list == NO_LIST)
        return;
    struct lido__slab_list *list = &pool->lists[slab->list];
    *(slab->previous ? &slab->previous->next : &list->first) = slab->next;
    *(slab->next ? &slab->next->previous : &list->last) = slab->previous;
    if (slab->list == EMPTY) {
        pool->empty_slabs--;
        (void)lido__sub(&lido__empty_slabs, 1, relaxed);
    }
    slab->list = NO_LIST;
}

static void list_append(struct lido_block_pool *pool, struct lido__slab *slab, uint8_t at) {
    slab->list = at;
    if (at == NO_LIST)
        return;
    struct lido__slab_list *list = &pool->lists[at];
    slab->previous = list->last;
    slab->next = NULL;
    *(list->last ? &list->last->next : &list->first) = slab;
    list->last = slab;
    if (at == EMPTY) {
        pool->empty_slabs++;
        (void)lido__add(&lido__empty_slabs, 1, relaxed);
    }
}

/* ---- The row ----------------------------------------------------------------------------- */

/* Who reads an old start must not find new bytes there: it is set before there are any, and until
 * then it is where no address is. */
enum { ROW_CHUNKS = 1024, ROW_LATE_SLABS = 4 };

static uintptr_t row_offset(const struct lido_block_pool *pool, const struct lido__slab *slab) {
    return (uintptr_t)slab->extent.memory - lido__load(&pool->row_start, relaxed);
}

/* Ends the row before a slab which is in it. */
static void cut_row(struct lido_block_pool *pool, const struct lido__slab *slab) {
    uintptr_t offset = row_offset(pool, slab);
    if (offset < lido__load(&pool->row_bytes, relaxed))
        lido__store(&pool->row_bytes, offset, relaxed);
}

/* Brings the row to the end of this slab's blocks, if it reaches it, and goes on while it comes to a next one. */
static void extend_row(struct lido_block_pool *pool, const struct lido__slab *slab) {
    const uintptr_t most = (uintptr_t)ROW_CHUNKS * LIDO__UNIT_BYTES << (LIDO__EXTENT_ORDERS - 1);
    bool is_full = !pool->is_scattered;
    while (is_full && slab && !slab->is_hidden) {
        uintptr_t bytes = lido__load(&pool->row_bytes, relaxed), offset = row_offset(pool, slab);
        uintptr_t end = offset + slab->carved * pool->stride_bytes;
        if (offset > bytes || end <= bytes || end > most)
            return;
        lido__store(&pool->row_bytes, end, release); /* after the start */
        is_full = end - offset == slab->extent.bytes;
        slab = is_full ? lido__map_find((const void *)(lido__load(&pool->row_start, relaxed) + end),
                                        pool)
                             .slab
                       : NULL;
    }
}

/* A pool has a new slab. One that is not all in a row has none: else releases here and there would be told
 * apart by a branch that nobody can predict. Slabs that two threads add at a time may come in any order. */
static void note_row(struct lido_block_pool *pool, const struct lido__slab *slab) {
    uintptr_t bytes = lido__load(&pool->row_bytes, relaxed);
    if (lido__load(&pool->row_start, relaxed) == LIDO__ROW_NOWHERE && sizeof(void *) > 4)
        lido__store(&pool->row_start, (uintptr_t)slab->extent.memory, relaxed);
    pool->is_scattered =
        pool->is_scattered || pool->slab_count > bytes / slab->extent.bytes + ROW_LATE_SLABS;
    if (pool->is_scattered)
        lido__store(&pool->row_bytes, 0, relaxed);
}

/* What the map and the row say of it. */
static void show_or_hide(struct lido_block_pool *pool, struct lido__slab *slab) {
    slab->is_hidden = pool->has_canary && (slab->is_draining || slab->purged_count > 0);
    lido__map_set_carved(slab->extent.memory, slab->extent.bytes,
                         slab->is_hidden ? 0 : slab->carved * pool->stride_bytes);
    if (slab->is_hidden)
        cut_row(pool, slab);
    else
        extend_row(pool, slab);
}

void lido__slab_change_begin(struct lido_block_pool *pool, const struct lido__slab *slab) {
    if (slab->list == EMPTY) {
        pool->idle -= slab->free_count;
        pool->idle_bytes -= lido__slab_held_bytes(pool, slab);
    }
}

void lido__slab_change_end(struct lido_block_pool *pool, struct lido__slab *slab) {
    uint8_t list = list_for(pool, slab);
    if (list == EMPTY) {
        pool->idle += slab->free_count;
        pool->idle_bytes += lido__slab_held_bytes(pool, slab);
        pool->draining_slabs -= slab->is_draining;
        slab->is_draining = false;
    }
    if (slab->is_hidden != (pool->has_canary && (slab->is_draining || slab->purged_count > 0)))
        show_or_hide(pool, slab);
    if (list == slab->list)
        return;
    lido__slab_unlist(pool, slab);
    list_append(pool, slab, list);
    if (list == EMPTY)
        slab->since_ns = lido__sys.coarse_ns();
}

/* ---- Blocks ------------------------------------------------------------------------------ */

static void commit(struct lido_block_pool *pool, size_t bytes) {
    pool->committed_bytes += bytes;
    if (pool->committed_bytes > pool->committed_peak)
        pool->committed_peak = pool->committed_bytes;
}

size_t lido__slab_held_bytes(const struct lido_block_pool *pool, const struct lido__slab *slab) {
    return round_up(slab->carved * pool->stride_bytes, pool->page_bytes) -
           slab->purged_count * pool->page_bytes;
}

void lido__slab_restore_page(struct lido_block_pool *pool, struct lido__slab *slab, uint32_t page) {
    size_t from = page * pool->page_bytes, to = from + pool->page_bytes;
    lido__slab_page_bits(slab)[page / 64] &= ~(UINT64_C(1) << page % 64);
    slab->purged_count--;
    commit(pool, pool->page_bytes);
    uint32_t i = (uint32_t)((from + pool->stride_bytes - 1) / pool->stride_bytes);
    for (; pool->has_canary && i < slab->carved && i * pool->stride_bytes < to; i++)
        if (lido__slab_is_free(slab, i))
            lido__canary_set(lido__slab_block(slab, i));
}

/* Before a block is handed out: the pages that it is on are there. */
static void restore_pages_of(struct lido_block_pool *pool, struct lido__slab *slab, uint64_t i) {
    uint32_t page = (uint32_t)(i * pool->stride_bytes / pool->page_bytes);
    uint32_t last = (uint32_t)(((i + 1) * pool->stride_bytes - 1) / pool->page_bytes);
    for (; page <= last && page < pool->slab_pages; page++)
        if (lido__slab_page_is_purged(slab, page))
            lido__slab_restore_page(pool, slab, page);
}

/* Makes blocks in fresh memory. Each gets its canary, which touches its first page; with `touch`,
 * every page. They count as neither free nor handed out yet. */
static void carve(struct lido_block_pool *pool, struct lido__slab *slab, uint32_t count,
                  bool touch) {
    char *from = lido__slab_block(slab, slab->carved);
    char *to = lido__slab_block(slab, slab->carved + count);
    for (char *page = from; touch && page < to; page += pool->page_bytes)
        lido__store((_Atomic(char) *)page, 0, relaxed);
    for (char *block = from; pool->has_canary && block < to; block += pool->stride_bytes)
        lido__canary_set(block);
    for (char *block = from; pool->marks_fresh && block < to; block += pool->stride_bytes)
        lido__fresh_set(block);
    pool->committed_bytes -= lido__slab_held_bytes(pool, slab);
    slab->carved += count;
    commit(pool, lido__slab_held_bytes(pool, slab));
    pool->existing += count;
    pool->made += count;
    show_or_hide(pool, slab);
}

static uint32_t take_free(struct lido_block_pool *pool, struct lido__slab *slab, uint32_t count,
                          void **blocks) {
    uint32_t taken = 0;
    while (taken < count && slab->free_count > 0) {
        uint64_t *word = &slab->bit[slab->first_word];
        if (*word == 0) {
            slab->first_word++;
            continue;
        }
        uint64_t i = slab->first_word * UINT64_C(64) + (uint64_t)__builtin_ctzll(*word);
        if (slab->purged_count > 0)
            restore_pages_of(pool, slab, i);
        *word &= *word - 1;
        slab->free_count--;
        blocks[taken++] = lido__slab_block(slab, i);
    }
    pool->slab_free -= taken;
    return taken;
}

/* Slabs that drain come last: those that were empty in time, or nearly so, stay what they are. */
static struct lido__slab *fullest(const struct lido_block_pool *pool) {
    for (uint32_t i = 0; i < LIDO__SLAB_LISTS; i++)
        if (pool->lists[i].first)
            return pool->lists[i].first;
    return pool->lists[EMPTY].last ? pool->lists[EMPTY].last : pool->lists[DRAINING].last;
}

/* How many blocks may be made. */
static uint64_t room_to_make(const struct lido_block_pool *pool) {
    if (!pool->counts_existing || pool->limit == 0)
        return UINT64_MAX;
    return pool->limit > pool->existing ? pool->limit - pool->existing : 0;
}

/* The one to serve next; NULL: none has a block that may be had. */
static struct lido__slab *next_to_serve(const struct lido_block_pool *pool) {
    struct lido__slab *slab = room_to_make(pool) > 0 ? fullest(pool) : NULL;
    for (uint32_t i = 0; room_to_make(pool) == 0 && !slab && i <= DRAINING; i++)
        for (slab = pool->lists[i].first; slab && slab->free_count == 0;)
            slab = slab->next;
    return slab;
}

/* A slab that drained is needed again: the next one begins later. */
static void stop_draining(struct lido_block_pool *pool, struct lido__slab *slab) {
    pool->draining_slabs -= slab->is_draining;
    slab->is_draining = slab->was_draining = false;
    lido__slab_regret(pool);
}

uint32_t lido__slab_take(struct lido_block_pool *pool, uint32_t count, void **blocks) {
    uint32_t taken = 0;
    struct lido__slab *slab = NULL;
    while (taken < count && (slab = next_to_serve(pool)) != NULL) {
        lido__slab_change_begin(pool, slab);
        if (slab->was_draining)
            stop_draining(pool, slab);
        taken += take_free(pool, slab, count - taken, blocks + taken);
        uint32_t fresh = slab->block_count - slab->carved;
        if (fresh > count - taken)
            fresh = count - taken;
        if (fresh > room_to_make(pool))
            fresh = (uint32_t)room_to_make(pool);
        for (uint32_t i = 0; i < fresh; i++)
            blocks[taken + i] = lido__slab_block(slab, slab->carved + i);
        if (fresh)
            carve(pool, slab, fresh, false);
        taken += fresh;
        lido__slab_change_end(pool, slab);
    }
    return taken;
}

struct lido__slab *lido__slab_find(const struct lido_block_pool *pool, const void *block,
                                   uint32_t *i) {
    struct lido__place place = lido__map_find(block, pool);
    uintptr_t offset = (uintptr_t)block - place.start;
    uintptr_t number = offset / pool->stride_bytes;
    if (!place.slab || number >= place.slab->carved || offset % pool->stride_bytes != 0)
        return NULL;
    *i = (uint32_t)number;
    return place.slab;
}

struct lido__slab *lido__slab_find_unlocked(const struct lido_block_pool *pool, const void *block,
                                            uint32_t *i) {
    struct lido__place place = lido__map_find(block, pool);
    uintptr_t offset = (uintptr_t)block - place.start;
    if (!place.slab || offset >= place.carved_bytes || offset % pool->stride_bytes != 0)
        return NULL;
    *i = (uint32_t)(offset / pool->stride_bytes);
    return place.slab;
}

bool lido__slab_put(struct lido_block_pool *pool, void *block) {
    uint32_t i = 0;
    struct lido__slab *slab = lido__slab_find(pool, block, &i);
    if (!slab || lido__slab_is_free(slab, i))
        return false;
    lido__slab_change_begin(pool, slab);
    slab->bit[i / 64] |= UINT64_C(1) << i % 64;
    slab->free_count++;
    pool->slab_free++;
    if (i / 64 < slab->first_word)
        slab->first_word = i / 64;
    lido__slab_change_end(pool, slab);
    return true;
}

/* ---- Life of a slab ---------------------------------------------------------------------- */

static size_t overhead_bytes(const struct lido_block_pool *pool, uint32_t block_count) {
    return sizeof(struct lido__slab) +
           ((block_count + 63) / 64 + (pool->slab_pages + 63) / 64) * sizeof(uint64_t) +
           (pool->is_exact ? block_count : 0);
}

static struct lido__slab *make(struct lido_block_pool *pool, uint32_t block_count) {
    size_t bytes = overhead_bytes(pool, block_count);
    struct lido__slab *slab = lido__sys.alloc(bytes, _Alignof(struct lido__slab));
    if (!slab)
        return NULL;
    memset(slab, 0, bytes);
    slab->pool = pool;
    slab->block_count = block_count;
    slab->list = NO_LIST;
    // cppcheck-suppress AssignmentAddressToInteger
    slab->out =
        (_Atomic(uint8_t) *)(void *)(lido__slab_page_bits(slab) + (pool->slab_pages + 63) / 64);
    if (!get_extent(pool, slab)) {
        lido__sys.free(slab);
        return NULL;
    }
    if (!lido__map_insert(slab, slab->extent.memory, slab->extent.bytes, pool)) {
        put_extent(slab);
        lido__sys.free(slab);
        return NULL;
    }
    return slab;
}

/* Makes room for one more number; lets the lock go in between. False: no memory. */
static bool grow_table(struct lido_block_pool *pool) {
    while (pool->slab_count >= pool->slab_capacity) {
        uint64_t capacity = pool->slab_capacity ? pool->slab_capacity * 2 : 1;
        lido__unlock(&pool->lock);
        size_t bytes = (size_t)capacity * sizeof(struct lido__slab *);
        struct lido__slab **table = lido__sys.alloc(bytes, sizeof(void *)), **old = table;
        lido__lock(&pool->lock);
        if (!table)
            return false;
        if (capacity > pool->slab_capacity) {
            old = pool->slabs;
            memset(table, 0, bytes);
            if (old)
                memcpy(table, old, (size_t)pool->slab_capacity * sizeof(struct lido__slab *));
            pool->slabs = table;
            pool->slab_capacity = capacity;
        }
        lido__unlock(&pool->lock);
        lido__sys.free(old);
        lido__lock(&pool->lock);
    }
    return true;
}

bool lido__slab_add(struct lido_block_pool *pool, uint32_t block_count) {
    lido__unlock(&pool->lock);
    lido__share_take(pool);
    struct lido__slab *slab = make(pool, block_count);
    lido__lock(&pool->lock);
    if (!slab)
        return false;
    lido__share_note_growth(pool);
    if (!grow_table(pool)) {
        lido__map_remove(slab->extent.memory, slab->extent.bytes);
        lido__unlock(&pool->lock);
        (void)lido__slab_end(slab);
        lido__lock(&pool->lock);
        return false;
    }
    uint64_t number = pool->smallest_free_number;
    while (pool->slabs[number])
        number++;
    pool->smallest_free_number = number + 1;
    if (number >= pool->number_count)
        pool->number_count = number + 1;
    slab->number = number;
    pool->slabs[number] = slab;
    pool->slab_count++;
    pool->slab_overhead_bytes += overhead_bytes(pool, block_count);
    note_row(pool, slab);
    lido__slab_change_end(pool, slab);
    return true;
}

struct lido__slab *lido__slab_detach(struct lido_block_pool *pool, uint64_t empty_before_ns) {
    struct lido__slab *slab = pool->lists[EMPTY].first;
    if (!slab || pool->is_reserved || pool->slab_count <= pool->keep_slabs ||
        slab->since_ns > empty_before_ns)
        return NULL;
    if (slab->was_draining && pool->regrets > 0)
        pool->regrets--;
    lido__slab_change_begin(pool, slab);
    lido__slab_unlist(pool, slab);
    pool->slabs[slab->number] = NULL;
    if (slab->number < pool->smallest_free_number)
        pool->smallest_free_number = slab->number;
    pool->slab_count--;
    pool->existing -= slab->carved;
    pool->slab_free -= slab->free_count;
    pool->committed_bytes -= lido__slab_held_bytes(pool, slab);
    pool->slab_overhead_bytes -= overhead_bytes(pool, slab->block_count);
    cut_row(pool, slab);
    lido__map_remove(slab->extent.memory, slab->extent.bytes);
    return slab;
}

uint64_t lido__slab_end(struct lido__slab *slab) {
    uint64_t bytes = lido__slab_held_bytes(slab->pool, slab);
    lido__map_remove(slab->extent.memory, slab->extent.bytes);
    put_extent(slab);
    lido__sys.free(slab);
    return bytes;
}

bool lido__slab_carve_ready(struct lido_block_pool *pool, uint64_t count) {
    while (count > 0) {
        uint32_t blocks = pool->slab_blocks;
        if (pool->is_reserved && count < blocks)
            blocks = (uint32_t)count;
        if (!lido__slab_add(pool, blocks))
            return false;
        struct lido__slab *slab = pool->lists[EMPTY].last;
        uint32_t carved = count < blocks ? (uint32_t)count : blocks;
        lido__slab_change_begin(pool, slab);
        carve(pool, slab, carved, true);
        lido__slab_change_end(pool, slab);
        for (uint32_t i = 0; i < carved; i++)
            (void)lido__slab_put(pool, lido__slab_block(slab, i));
        count -= carved;
    }
    pool->keep_slabs = pool->slab_count;
    return true;
}
