/* SPDX-License-Identifier: MIT
 * See extent.h. One lock, held for a few steps in the lists; the system is called without it. */
#include "block_pool/extent.h"

#include "base/mutex.h"
#include "base/sys.h"
#include "block_pool/map.h"

#include <string.h>

enum { ORDERS = LIDO__EXTENT_ORDERS, UNITS = 1 << (ORDERS - 1) };

enum { CHUNK_MAPPING_BYTES = (UNITS + 1) * LIDO__UNIT_BYTES };

/* One for each unit; in use for the first unit of a free extent. */
struct node {
    struct node *previous, *next;
    struct lido__chunk *chunk;
};

struct lido__chunk {
    char *memory;
    void *mapping;
    struct node node[UNITS];
    unsigned char unit_order[UNITS]; /* of the free extent beginning here, plus 1; or 0 */
};

static lido__mutex lock = LIDO__MUTEX_INIT;
static struct node *free_lists[ORDERS]; /* all guarded by lock */
static size_t units_out, free_chunks;

static void push(struct lido__chunk *chunk, unsigned unit, unsigned order) {
    struct node *node = &chunk->node[unit];
    chunk->unit_order[unit] = (unsigned char)(order + 1);
    node->previous = NULL;
    node->next = free_lists[order];
    if (node->next)
        node->next->previous = node;
    free_lists[order] = node;
}

static void drop(struct lido__chunk *chunk, unsigned unit, unsigned order) {
    struct node *node = &chunk->node[unit];
    chunk->unit_order[unit] = 0;
    *(node->previous ? &node->previous->next : &free_lists[order]) = node->next;
    if (node->next)
        node->next->previous = node->previous;
}

/* With lock held: a free extent of this order, split off a larger one if need be. */
static struct node *take(unsigned order) {
    unsigned from = order;
    while (from < ORDERS && !free_lists[from])
        from++;
    if (from == ORDERS)
        return NULL;
    struct node *node = free_lists[from];
    unsigned unit = (unsigned)(node - node->chunk->node);
    drop(node->chunk, unit, from);
    free_chunks -= from == ORDERS - 1;
    while (from-- > order)
        push(node->chunk, unit + (1u << from), from);
    units_out += (size_t)1 << order;
    return node;
}

/* Mappings begin at pages: one unit more than needed has a multiple of a unit in it. */
static char *align_up(void *mapping) {
    uintptr_t at = (uintptr_t)mapping;
    return (char *)mapping + (-at & (LIDO__UNIT_BYTES - 1));
}

static bool add_chunk(void) {
    struct lido__chunk *chunk = lido__sys.alloc(sizeof *chunk, _Alignof(struct lido__chunk));
    void *mapping = chunk ? lido__sys.map(CHUNK_MAPPING_BYTES) : NULL;
    if (!mapping) {
        lido__sys.free(chunk);
        return false;
    }
    memset(chunk, 0, sizeof *chunk);
    chunk->mapping = mapping;
    chunk->memory = align_up(mapping);
    for (size_t i = 0; i < UNITS; i++)
        chunk->node[i].chunk = chunk;
    lido__lock(&lock);
    push(chunk, 0, ORDERS - 1);
    free_chunks++;
    lido__unlock(&lock);
    return true;
}

static bool get_own_mapping(size_t bytes, struct lido__extent *extent) {
    size_t page = lido__page_bytes();
    extent->chunk = NULL;
    extent->bytes = (bytes + page - 1) / page * page;
    extent->mapping_bytes = extent->bytes + LIDO__UNIT_BYTES;
    extent->mapping = lido__sys.map(extent->mapping_bytes);
    extent->memory = extent->mapping ? align_up(extent->mapping) : NULL;
    return extent->mapping != NULL;
}

bool lido__extent_get(size_t bytes, struct lido__extent *extent) {
    unsigned order = 0;
    while (order < ORDERS && ((size_t)LIDO__UNIT_BYTES << order) < bytes)
        order++;
    struct node *node = NULL;
    for (bool again = true; order < ORDERS && !node && again;) {
        lido__lock(&lock);
        node = take(order);
        lido__unlock(&lock);
        again = !node && add_chunk();
    }
    if (!node)
        return get_own_mapping(bytes, extent);
    size_t unit = (size_t)(node - node->chunk->node);
    extent->chunk = node->chunk;
    extent->memory = node->chunk->memory + unit * LIDO__UNIT_BYTES;
    extent->bytes = (size_t)LIDO__UNIT_BYTES << order;
    return true;
}

/* With lock held: merges an extent with its free buddies. Returns its order then. */
static unsigned merge(struct lido__chunk *chunk, unsigned *unit, unsigned order) {
    while (order < ORDERS - 1 && chunk->unit_order[*unit ^ (1u << order)] == order + 1) {
        drop(chunk, *unit ^ (1u << order), order);
        *unit &= ~(1u << order);
        order++;
    }
    return order;
}

/* With lock held: takes a chunk out that is free as a whole, if there is one too many. */
static struct lido__chunk *take_spare_chunk(void) {
    struct node *node = free_lists[ORDERS - 1];
    if (!node || (units_out > 0 && free_chunks <= 1))
        return NULL;
    drop(node->chunk, 0, ORDERS - 1);
    free_chunks--;
    return node->chunk;
}

static void free_spare_chunks(void) {
    struct lido__chunk *chunk = NULL;
    do {
        lido__lock(&lock);
        chunk = take_spare_chunk();
        lido__unlock(&lock);
        if (chunk)
            lido__sys.unmap(chunk->mapping, CHUNK_MAPPING_BYTES);
        lido__sys.free(chunk);
    } while (chunk);
}

void lido__extent_put(const struct lido__extent *extent) {
    unsigned order = 0;
    if (!extent->chunk) {
        lido__sys.unmap(extent->mapping, extent->mapping_bytes);
        return;
    }
    if (!lido__sys.purge(extent->memory, extent->bytes))
        memset(extent->memory, 0, extent->bytes);
    while (((size_t)LIDO__UNIT_BYTES << order) < extent->bytes)
        order++;
    unsigned unit = (unsigned)((size_t)(extent->memory - extent->chunk->memory) / LIDO__UNIT_BYTES);
    lido__lock(&lock);
    units_out -= (size_t)1 << order;
    order = merge(extent->chunk, &unit, order);
    push(extent->chunk, unit, order);
    free_chunks += order == ORDERS - 1;
    lido__unlock(&lock);
    free_spare_chunks();
}

void lido__extent_fork_lock(void) {
    lido__lock(&lock);
}

void lido__extent_fork_unlock(void) {
    lido__unlock(&lock);
}
