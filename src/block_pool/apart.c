/* SPDX-License-Identifier: MIT
 * See apart.h. */
#include "block_pool/apart.h"

#include "base/sys.h"

#include <string.h>

struct cell {
    struct cell *previous, *next; /* among the free, the longest free first */
    char *block;
    char *memory; /* what was mapped or allocated */
    uint64_t number;
    uint64_t free_since_ns;
    bool is_out;
};

struct lido__apart {
    bool is_guard;
    size_t block_bytes, stride_bytes, align, page_bytes;
    size_t memory_bytes; /* of one cell, the guard page included */

    struct cell **by_number, **by_address; /* one allocation; all guarded by the pool's lock */
    uint64_t capacity, cell_count, number_count;
    struct cell *first_free, *last_free;
    uint64_t free_count, live, made, cell_peak, acquired, keep;
};

static size_t round_up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

struct lido__apart *lido__apart_make(const lido_block_pool_options *options) {
    struct lido__apart *apart = lido__sys.alloc(sizeof *apart, _Alignof(struct lido__apart));
    if (!apart)
        return NULL;
    memset(apart, 0, sizeof *apart);
    apart->is_guard = options->mode == LIDO_BLOCK_POOL_GUARD;
    apart->block_bytes = (size_t)options->block_size;
    apart->align = (size_t)options->block_align;
    apart->page_bytes = lido__page_bytes();
    apart->stride_bytes = round_up(apart->block_bytes, apart->align);
    apart->memory_bytes = apart->stride_bytes;
    if (apart->is_guard)
        apart->memory_bytes = round_up(apart->stride_bytes, apart->page_bytes) + apart->page_bytes;
    return apart;
}

/* ---- Cells ------------------------------------------------------------------------------- */

static char *make_memory(const struct lido__apart *apart) {
    if (!apart->is_guard)
        return lido__sys.alloc(apart->block_bytes, apart->align);
    char *memory = lido__sys.map(apart->memory_bytes);
    size_t accessible = apart->memory_bytes - apart->page_bytes;
    if (memory && !lido__sys.protect(memory + accessible, apart->page_bytes, false)) {
        lido__sys.unmap(memory, apart->memory_bytes);
        return NULL;
    }
    return memory;
}

static struct cell *make_cell(const struct lido__apart *apart) {
    struct cell *cell = lido__sys.alloc(sizeof *cell, _Alignof(struct cell));
    char *memory = cell ? make_memory(apart) : NULL;
    if (!memory) {
        lido__sys.free(cell);
        return NULL;
    }
    memset(cell, 0, sizeof *cell);
    cell->memory = memory;
    cell->block = memory;
    if (apart->is_guard)
        cell->block += apart->memory_bytes - apart->page_bytes - apart->stride_bytes;
    return cell;
}

static void end_cell(const struct lido__apart *apart, struct cell *cell) {
    if (apart->is_guard)
        lido__sys.unmap(cell->memory, apart->memory_bytes);
    else
        lido__sys.free(cell->memory);
    lido__sys.free(cell);
}

void lido__apart_end(struct lido__apart *apart) {
    if (!apart)
        return;
    for (uint64_t i = 0; i < apart->cell_count; i++)
        end_cell(apart, apart->by_address[i]);
    lido__sys.free(apart->by_number);
    lido__sys.free(apart);
}

/* ---- Tables, with the lock held ---------------------------------------------------------- */

static uint64_t count_below(const struct lido__apart *apart, const void *address) {
    uint64_t low = 0, high = apart->cell_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if ((uintptr_t)apart->by_address[middle]->block <= (uintptr_t)address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct cell *find(const struct lido__apart *apart, const void *block) {
    uint64_t below = count_below(apart, block);
    struct cell *cell = below ? apart->by_address[below - 1] : NULL;
    return cell && cell->block == block ? cell : NULL;
}

static void insert(struct lido__apart *apart, struct cell *cell) {
    uint64_t at = count_below(apart, cell->block), number = 0;
    memmove(apart->by_address + at + 1, apart->by_address + at,
            (size_t)(apart->cell_count - at) * sizeof(struct cell *));
    apart->by_address[at] = cell;
    while (number < apart->number_count && apart->by_number[number])
        number++;
    if (number == apart->number_count)
        apart->number_count++;
    cell->number = number;
    apart->by_number[number] = cell;
    if (++apart->cell_count > apart->cell_peak)
        apart->cell_peak = apart->cell_count;
    apart->made++;
}

static void remove_cell(struct lido__apart *apart, struct cell *cell) {
    uint64_t at = count_below(apart, cell->block) - 1;
    apart->cell_count--;
    memmove(apart->by_address + at, apart->by_address + at + 1,
            (size_t)(apart->cell_count - at) * sizeof(struct cell *));
    apart->by_number[cell->number] = NULL;
}

/* Lets the lock go in between. False: no memory. */
static bool grow_tables(struct lido_block_pool *pool) {
    struct lido__apart *apart = pool->apart;
    while (apart->cell_count == apart->capacity || apart->number_count == apart->capacity) {
        uint64_t capacity = apart->capacity ? apart->capacity * 2 : 16;
        lido__unlock(&pool->lock);
        struct cell **tables =
            lido__sys.alloc((size_t)capacity * 2 * sizeof(struct cell *), sizeof(void *));
        struct cell **old = tables;
        lido__lock(&pool->lock);
        if (!tables)
            return false;
        if (capacity > apart->capacity) {
            old = apart->by_number;
            if (old) {
                memcpy(tables, old, (size_t)apart->number_count * sizeof(struct cell *));
                memcpy(tables + capacity, apart->by_address,
                       (size_t)apart->cell_count * sizeof(struct cell *));
            }
            apart->by_number = tables;
            apart->by_address = tables + capacity;
            apart->capacity = capacity;
        }
        lido__unlock(&pool->lock);
        lido__sys.free(old);
        lido__lock(&pool->lock);
    }
    return true;
}

static void push_free(struct lido__apart *apart, struct cell *cell) {
    cell->previous = apart->last_free;
    cell->next = NULL;
    cell->free_since_ns = lido__sys.coarse_ns();
    *(apart->last_free ? &apart->last_free->next : &apart->first_free) = cell;
    apart->last_free = cell;
    apart->free_count++;
}

static void remove_free(struct lido__apart *apart, struct cell *cell) {
    *(cell->previous ? &cell->previous->next : &apart->first_free) = cell->next;
    *(cell->next ? &cell->next->previous : &apart->last_free) = cell->previous;
    apart->free_count--;
}

/* The last one released: so that those which a quiet pool does not need grow old and go back. */
static struct cell *pop_free(struct lido__apart *apart) {
    struct cell *cell = apart->last_free;
    if (cell)
        remove_free(apart, cell);
    return cell;
}

/* Lets the lock go in between. NULL: no memory. */
static struct cell *add(struct lido_block_pool *pool) {
    lido__unlock(&pool->lock);
    struct cell *cell = make_cell(pool->apart);
    lido__lock(&pool->lock);
    if (cell && !grow_tables(pool)) {
        lido__unlock(&pool->lock);
        end_cell(pool->apart, cell);
        lido__lock(&pool->lock);
        return NULL;
    }
    if (cell)
        insert(pool->apart, cell);
    return cell;
}

/* ---- Calls ------------------------------------------------------------------------------- */

bool lido__apart_make_ready(struct lido_block_pool *pool, uint64_t count) {
    struct lido__apart *apart = pool->apart;
    bool is_enough = true;
    if (!apart->is_guard)
        return true; /* malloc keeps nothing for us */
    lido__lock(&pool->lock);
    while (is_enough && apart->cell_count < count) {
        struct cell *cell = add(pool);
        is_enough = cell != NULL;
        if (cell) {
            memset(cell->block, 0, apart->stride_bytes);
            (void)lido__sys.protect(cell->memory, apart->memory_bytes - apart->page_bytes, false);
            push_free(apart, cell);
        }
    }
    apart->keep = apart->cell_count;
    lido__unlock(&pool->lock);
    return is_enough;
}

/* With the lock held, which it may let go in between. */
static void *take(struct lido_block_pool *pool, lido_status *why) {
    struct lido__apart *apart = pool->apart;
    *why = LIDO_OK;
    for (;;) {
        struct cell *cell = NULL;
        if (pool->limit && apart->live >= pool->limit) {
            *why = LIDO_ERR_LIMIT;
            return NULL;
        }
        cell = pop_free(apart);
        if (cell &&
            !lido__sys.protect(cell->memory, apart->memory_bytes - apart->page_bytes, true)) {
            push_free(apart, cell);
            cell = NULL;
        } else if (!cell && (!pool->is_reserved || !apart->is_guard) &&
                   (cell = add(pool)) != NULL && pool->limit && apart->live >= pool->limit) {
            /* Others took the last ones in between. */
            push_free(apart, cell);
            continue;
        }
        if (!cell) {
            *why = LIDO_ERR_NO_MEMORY;
            return NULL;
        }
        cell->is_out = true;
        apart->acquired++;
        if (++apart->live > pool->live_peak)
            pool->live_peak = apart->live;
        return cell->block;
    }
}

uint64_t lido__apart_acquire(struct lido_block_pool *pool, uint64_t count, void **blocks,
                             lido_status *why) {
    uint64_t taken = 0;
    *why = LIDO_OK;
    lido__lock(&pool->lock);
    for (void *block; taken < count && (block = take(pool, why)) != NULL;)
        blocks[taken++] = block;
    if (*why == LIDO_ERR_LIMIT)
        pool->refused_limit += count - taken;
    else if (*why == LIDO_ERR_NO_MEMORY)
        pool->refused_memory += count - taken;
    lido__unlock(&pool->lock);
    return taken;
}

bool lido__apart_release(struct lido_block_pool *pool, void *block) {
    struct lido__apart *apart = pool->apart;
    lido__lock(&pool->lock);
    struct cell *cell = find(apart, block);
    if (!cell || !cell->is_out) {
        lido__unlock(&pool->lock);
        return false;
    }
    cell->is_out = false;
    apart->live--;
    if (apart->is_guard) {
        (void)lido__sys.protect(cell->memory, apart->memory_bytes - apart->page_bytes, false);
        push_free(apart, cell);
        cell = NULL;
    } else
        remove_cell(apart, cell);
    uint64_t now_ns = lido__sys.coarse_ns();
    lido__unlock(&pool->lock);
    if (cell)
        end_cell(apart, cell);
    else if (pool->idle_keep_ns != LIDO_FOREVER && now_ns >= pool->idle_keep_ns)
        (void)lido__apart_end_one(pool, now_ns - pool->idle_keep_ns);
    return true;
}

uint64_t lido__apart_index(const struct lido__apart *apart, const void *block, bool *is_out) {
    const struct cell *cell = find(apart, block);
    *is_out = cell && cell->is_out;
    return cell ? cell->number : UINT64_MAX;
}

void *lido__apart_next(const struct lido__apart *apart, uint64_t *index) {
    for (uint64_t i = *index; i < apart->number_count; i++)
        if (apart->by_number[i] && apart->by_number[i]->is_out) {
            *index = i;
            return apart->by_number[i]->block;
        }
    return NULL;
}

void lido__apart_read_stats(const struct lido_block_pool *pool, lido_block_pool_stats *stats) {
    const struct lido__apart *apart = pool->apart;
    stats->acquired = apart->acquired;
    stats->live = apart->live;
    stats->existing = apart->cell_count;
    stats->made = apart->made;
    stats->idle = apart->free_count;
    stats->committed_bytes = apart->cell_count * apart->memory_bytes;
    stats->committed_peak = apart->cell_peak * apart->memory_bytes;
    stats->overhead_bytes = sizeof *pool + sizeof *apart +
                            apart->capacity * 2 * sizeof(struct cell *) +
                            apart->cell_count * sizeof(struct cell);
}

uint64_t lido__apart_end_one(struct lido_block_pool *pool, uint64_t empty_before_ns) {
    struct lido__apart *apart = pool->apart;
    struct cell *cell = NULL;
    lido__lock(&pool->lock);
    if (apart->first_free && apart->first_free->free_since_ns <= empty_before_ns &&
        !pool->is_reserved && apart->cell_count > apart->keep) {
        cell = apart->first_free;
        remove_free(apart, cell);
        remove_cell(apart, cell);
    }
    lido__unlock(&pool->lock);
    if (cell)
        end_cell(apart, cell);
    return cell ? apart->memory_bytes : 0;
}
