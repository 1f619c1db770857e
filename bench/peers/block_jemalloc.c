/* SPDX-License-Identifier: MIT
 * block_jemalloc.c -- jemalloc linked statically; it is told the size when a block comes back, which
 * is its quickest form. */
#include "../block_work.h"
#include "jemalloc.h"

#include <jemalloc/jemalloc.h>

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)bytes, (void)count;
    if (hasten)
        jemalloc_set_decay(mallctl, 250);
}

static void peer_join(void) {}

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
    return jemalloc_trim(mallctl);
}

static void peer_version(void) {
    printf("jemalloc %d.%d.%d\n", JEMALLOC_VERSION_MAJOR, JEMALLOC_VERSION_MINOR,
           JEMALLOC_VERSION_BUGFIX);
}
