/* SPDX-License-Identifier: MIT
 * pooled_malloc.c -- see pooled_malloc.h.
 *
 * Three pools serve up to 136 bytes (99.6 % of what tree-sitter asks for while it parses is 80 to
 * 128); the rest goes to malloc. Each thread keeps up to 128 blocks of each pool at hand, so that a pool
 * is called once in 64 blocks. The counters are the thread's own and are added up when it ends.
 *
 * Whose is a pointer? The system's are multiples of 16. A block is handed out 8 bytes in, behind a
 * word that says of which pool it is, so its address leaves 8 when divided by 16; one look at the
 * pointer tells. What is served is thus aligned to 8 bytes, not to 16: enough for all
 * types but long double and vectors. */
#include "pooled_malloc.h"

#include "hold.h"

#include <lido/block_pool.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_COUNT = 3, AT_HAND = 128, BATCH = 64, HEADER_BYTES = 8 };

static const size_t block_bytes[POOL_COUNT] = {96, 112, 144}; /* header included */
static const char *const names[POOL_COUNT] = {"small 88", "small 104", "small 136"};
static lido_block_pool *pools[POOL_COUNT];

static lido_mutex total_lock = LIDO_MUTEX_INIT("allocation counts");
static struct pooled_malloc_counts total; /* under total_lock */

static _Thread_local struct {
    void *blocks[POOL_COUNT][AT_HAND];
    uint32_t counts[POOL_COUNT];
    struct pooled_malloc_counts served;
} mine;

static bool is_block(const void *pointer) {
    return ((uintptr_t)pointer & 15) == HEADER_BYTES;
}

static uint64_t pool_of(const void *pointer) {
    uint64_t pool;
    memcpy(&pool, (const char *)pointer - HEADER_BYTES, sizeof pool);
    return pool;
}

static void *take_from_system(size_t bytes) {
    mine.served.system++;
    return malloc(bytes);
}

void *pooled_malloc(size_t bytes) {
    uint64_t pool = 0;
    while (pool < POOL_COUNT && bytes > block_bytes[pool] - HEADER_BYTES)
        pool++;
    if (pool == POOL_COUNT)
        return take_from_system(bytes);
    if (mine.counts[pool] == 0)
        mine.counts[pool] =
            (uint32_t)lido_block_pool_acquire_many(pools[pool], BATCH, mine.blocks[pool]);
    if (mine.counts[pool] == 0)
        return NULL; /* the pools have no limit but the system's memory */
    char *block = mine.blocks[pool][--mine.counts[pool]];
    mine.served.served++;
    memcpy(block, &pool, sizeof pool);
    return block + HEADER_BYTES;
}

void *pooled_calloc(size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    void *memory = pooled_malloc(count * bytes);
    return memory != NULL ? memset(memory, 0, count * bytes) : NULL;
}

void pooled_free(void *pointer) {
    if (!is_block(pointer)) {
        free(pointer);
        return;
    }
    uint64_t pool = pool_of(pointer);
    if (mine.counts[pool] == AT_HAND) {
        mine.counts[pool] -= BATCH;
        lido_block_pool_release_many(pools[pool], BATCH, &mine.blocks[pool][mine.counts[pool]]);
    }
    mine.blocks[pool][mine.counts[pool]++] = (char *)pointer - HEADER_BYTES;
}

void *pooled_realloc(void *pointer, size_t bytes) {
    if (pointer == NULL)
        return pooled_malloc(bytes);
    if (!is_block(pointer)) {
        mine.served.system++;
        return realloc(pointer, bytes);
    }
    size_t room = block_bytes[pool_of(pointer)] - HEADER_BYTES;
    if (bytes <= room)
        return pointer;
    void *larger = pooled_malloc(bytes);
    if (larger != NULL) {
        memcpy(larger, pointer, room);
        pooled_free(pointer);
    }
    return larger;
}

bool pooled_malloc_start(const char *owner) {
    for (int i = 0; i < POOL_COUNT; i++) {
        if (lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = names[i], .owner = owner,
                                                           .block_size = block_bytes[i]),
                                   &pools[i]) != LIDO_OK)
            return false;
    }
    return true;
}

void pooled_malloc_thread_end(void) {
    for (int i = 0; i < POOL_COUNT; i++) {
        if (mine.counts[i] > 0)
            lido_block_pool_release_many(pools[i], mine.counts[i], mine.blocks[i]);
        mine.counts[i] = 0;
    }
    hold(&total_lock);
    total.served += mine.served.served;
    total.system += mine.served.system;
    let_go(&total_lock);
    memset(&mine.served, 0, sizeof mine.served);
}

struct pooled_malloc_counts pooled_malloc_read_counts(void) {
    hold(&total_lock);
    struct pooled_malloc_counts counts = total;
    let_go(&total_lock);
    return counts;
}

bool pooled_malloc_end(void) {
    bool good = true;
    for (int i = 0; i < POOL_COUNT; i++) {
        good = lido_block_pool_destroy(pools[i]) == LIDO_OK && good;
        pools[i] = NULL;
    }
    return good;
}
