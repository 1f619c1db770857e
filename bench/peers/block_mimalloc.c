/* SPDX-License-Identifier: MIT
 * block_mimalloc.c -- mimalloc called by its own names: the small form from the thread's own heap.
 * Debian has it as a shared library only. */
#include "../block_work.h"

#include <mimalloc.h>

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)count, (void)hasten;
    if (bytes > MI_SMALL_SIZE_MAX)
        worker_fail("mi_malloc_small serves up to %zu bytes", (size_t)MI_SMALL_SIZE_MAX);
}

static void peer_join(void) {}

static inline void *peer_get(void) {
    void *block = mi_malloc_small(block_bytes);
    if (!block)
        worker_fail("mi_malloc_small failed");
    return block;
}

static inline void peer_put(void *block) {
    mi_free(block);
}

static bool peer_trim(void) {
    mi_collect(true);
    return true;
}

static void peer_version(void) {
    int version = mi_version();
    printf("mimalloc %d.%d.%d\n", version / 100, version / 10 % 10, version % 10);
}
