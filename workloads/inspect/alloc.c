/* SPDX-License-Identifier: MIT
 * alloc.c -- see alloc.h.
 *
 * 99.6 % of what tree-sitter asks for while it parses is 80 to 128 bytes. Three pools serve that;
 * the rest goes to malloc. Each thread keeps up to 128 blocks of each pool at hand, so that a pool
 * is called once in 64 blocks. The counters are the thread's own and are added up when it ends.
 *
 * Whose is a pointer? The system's are multiples of 16. A block is handed out 8 bytes in, behind a
 * word that says of which pool it is, so its address leaves 8 when divided by 16; one look at the
 * pointer tells. Eight bytes are all the alignment that tree-sitter's types need. */
#include "alloc.h"

#include <lido/block_pool.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <tree_sitter/api.h>

enum { POOL_COUNT = 3, AT_HAND = 128, BATCH = 64, HEADER_BYTES = 8 };

static const size_t block_bytes[POOL_COUNT] = {96, 112, 144}; /* header included */
static const char *const names[POOL_COUNT] = {"syntax 88", "syntax 104", "syntax 136"};
static lido_block_pool *pools[POOL_COUNT];

static pthread_mutex_t total_lock = PTHREAD_MUTEX_INITIALIZER;
static struct alloc_counts total; /* under total_lock */

static _Thread_local struct {
    void *blocks[POOL_COUNT][AT_HAND];
    uint32_t counts[POOL_COUNT];
    struct alloc_counts served;
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

static void *take(size_t bytes) {
    uint64_t pool = 0;
    while (pool < POOL_COUNT && bytes > block_bytes[pool] - HEADER_BYTES)
        pool++;
    if (pool == POOL_COUNT)
        return take_from_system(bytes);
    if (mine.counts[pool] == 0)
        mine.counts[pool] =
            (uint32_t)lido_block_pool_acquire_many(pools[pool], BATCH, mine.blocks[pool]);
    if (mine.counts[pool] == 0)
        return NULL; /* tree-sitter is told; the pool has no limit but the system's memory */
    char *block = mine.blocks[pool][--mine.counts[pool]];
    mine.served.served++;
    memcpy(block, &pool, sizeof pool);
    return block + HEADER_BYTES;
}

static void *take_cleared(size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    void *memory = take(count * bytes);
    return memory != NULL ? memset(memory, 0, count * bytes) : NULL;
}

static void give_back(void *pointer) {
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

static void *resize(void *pointer, size_t bytes) {
    if (pointer == NULL)
        return take(bytes);
    if (!is_block(pointer)) {
        mine.served.system++;
        return realloc(pointer, bytes);
    }
    size_t room = block_bytes[pool_of(pointer)] - HEADER_BYTES;
    if (bytes <= room)
        return pointer;
    void *larger = take(bytes);
    if (larger != NULL) {
        memcpy(larger, pointer, room);
        give_back(pointer);
    }
    return larger;
}

bool alloc_start(void) {
    for (int i = 0; i < POOL_COUNT; i++) {
        if (lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = names[i], .owner = "inspect",
                                                           .block_size = block_bytes[i]),
                                   &pools[i]) != LIDO_OK)
            return false;
    }
    ts_set_allocator(take, take_cleared, resize, give_back);
    return true;
}

void alloc_thread_end(void) {
    for (int i = 0; i < POOL_COUNT; i++) {
        if (mine.counts[i] > 0)
            lido_block_pool_release_many(pools[i], mine.counts[i], mine.blocks[i]);
        mine.counts[i] = 0;
    }
    pthread_mutex_lock(&total_lock);
    total.served += mine.served.served;
    total.system += mine.served.system;
    pthread_mutex_unlock(&total_lock);
    memset(&mine.served, 0, sizeof mine.served);
}

struct alloc_counts alloc_read_counts(void) {
    pthread_mutex_lock(&total_lock);
    struct alloc_counts counts = total;
    pthread_mutex_unlock(&total_lock);
    return counts;
}

bool alloc_end(void) {
    bool good = true;
    ts_set_allocator(NULL, NULL, NULL, NULL);
    for (int i = 0; i < POOL_COUNT; i++) {
        good = lido_block_pool_destroy(pools[i]) == LIDO_OK && good;
        pools[i] = NULL;
    }
    return good;
}
