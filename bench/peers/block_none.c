/* SPDX-License-Identifier: MIT
 * block_none.c -- no allocator at all: the blocks of an array, in turn. What remains is the cost of
 * the hand-over itself, which the bench subtracts. */
#include "../block_work.h"

enum { ARRAY_BLOCKS = RING_SLOTS * 2 };

static char *array;
static uint64_t turn;

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)count, (void)hasten;
    array = aligned_alloc(4096, (ARRAY_BLOCKS * bytes + 4095) / 4096 * 4096);
    if (!array)
        worker_fail("no memory");
}

static void peer_join(void) {}

static inline void *peer_get(void) {
    return array + turn++ % ARRAY_BLOCKS * block_bytes;
}

static inline void peer_put(void *block) {
    (void)block;
}

static bool peer_trim(void) {
    return false;
}

static void peer_version(void) {
    puts("no allocator");
}
