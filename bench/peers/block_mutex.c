/* SPDX-License-Identifier: MIT
 * block_mutex.c -- the pool that people write by hand: a free list under a mutex, filled by malloc. */
#include "../block_work.h"

typedef struct free_block {
    struct free_block *next;
} free_block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static free_block *first;

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)bytes, (void)count, (void)hasten;
}

static void peer_join(void) {}

static inline void *peer_get(void) {
    pthread_mutex_lock(&lock);
    free_block *block = first;
    if (block)
        first = block->next;
    pthread_mutex_unlock(&lock);
    if (!block && !(block = malloc(block_bytes)))
        worker_fail("malloc failed");
    return block;
}

static inline void peer_put(void *released) {
    free_block *block = released;
    pthread_mutex_lock(&lock);
    block->next = first;
    first = block;
    pthread_mutex_unlock(&lock);
}

static bool peer_trim(void) {
    return false;
}

static void peer_version(void) {
    puts("by hand");
}
