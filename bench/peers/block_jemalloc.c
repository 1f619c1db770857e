/* SPDX-License-Identifier: MIT
 * block_jemalloc.c -- jemalloc linked statically; it is told the size when a block comes back, which
 * is its quickest form. */
#include "../block_work.h"

#include <jemalloc/jemalloc.h>

/* Sets after which time idle pages go back, in every arena there is, and lets a thread see to it. */
static void set_decay(ssize_t milliseconds) {
    bool on = true;
    mallctl("background_thread", NULL, NULL, &on, sizeof on);
    mallctl("arenas.dirty_decay_ms", NULL, NULL, &milliseconds, sizeof milliseconds);
    for (unsigned arena = 0; arena < 64; arena++) {
        char name[64];
        snprintf(name, sizeof name, "arena.%u.dirty_decay_ms", arena);
        mallctl(name, NULL, NULL, &milliseconds, sizeof milliseconds);
    }
}

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)bytes, (void)count;
    if (hasten)
        set_decay(250);
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
    return mallctl("thread.tcache.flush", NULL, NULL, NULL, 0) == 0 &&
           mallctl("arena.4096.purge", NULL, NULL, NULL, 0) == 0;
}

static void peer_version(void) {
    printf("jemalloc %d.%d.%d\n", JEMALLOC_VERSION_MAJOR, JEMALLOC_VERSION_MINOR,
           JEMALLOC_VERSION_BUGFIX);
}
