/* SPDX-License-Identifier: MIT
 * block_lido.c -- lido's block pool as a contestant, all checks on; linked once with the static
 * library and once with the shared one. The mode is said, because under Valgrind, which counts the
 * instructions, the default may be another one. */
#define PEER_HAS_SECOND
#include "../block_work.h"

#include <lido/block_figures.h>

static lido_block_pool *pool, *second;

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)count;
    const lido_block_pool_options *options =
        LIDO_BLOCK_POOL_OPTIONS(.name = "bench", .block_size = bytes, .mode = LIDO_BLOCK_POOL_SLABS,
                                .idle_keep_ns = hasten ? LIDO_MILLISECONDS(250) : 0);
    if (lido_block_pool_create(options, &pool) != LIDO_OK ||
        lido_block_pool_create(options, &second) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static void peer_join(void) {}

static inline void *peer_get(void) {
    return lido_block_pool_acquire(pool);
}

static inline void peer_put(void *block) {
    if (lido_block_pool_release(pool, block) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static inline void *peer_get_second(void) {
    return lido_block_pool_acquire(second);
}

static inline void peer_put_second(void *block) {
    if (lido_block_pool_release(second, block) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static bool peer_trim(void) {
    lido_block_pool_trim(pool, LIDO_FOREVER);
    return true;
}

static void peer_version(void) {
    printf("lido %s\n", lido_version());
}
