/* SPDX-License-Identifier: MIT
 * block_jemalloc.c -- jemalloc linked statically; it is told the size when a block comes back, which
 * is its quickest form. */
#include "../block_work.h"

#include <jemalloc/jemalloc.h>

static void peer_open(uint64_t bytes, uint64_t count) {
    (void)bytes, (void)count;
}

static void peer_join(void) {
}

static inline void *peer_get(void) {
    void *block = malloc(block_bytes);
    if (!block)
        worker_fail("malloc failed");
    return block;
}

static inline void peer_put(void *block) {
    sdallocx(block, block_bytes, 0);
}

static bool peer_trim(void) {
    return mallctl("thread.tcache.flush", NULL, NULL, NULL, 0) == 0 &&
           mallctl("arena.4096.purge", NULL, NULL, NULL, 0) == 0;
}

static void peer_version(void) {
    printf("jemalloc %d.%d.%d\n", JEMALLOC_VERSION_MAJOR, JEMALLOC_VERSION_MINOR, JEMALLOC_VERSION_BUGFIX);
}
