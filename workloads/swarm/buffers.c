/* SPDX-License-Identifier: MIT
 * Buffers from a block pool, malloc or calloc, behind one pair of calls. */
#include "swarm/buffers.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>

const char *const swarm_variant_name[SWARM_VARIANT_COUNT] = {"in-place", "pool", "malloc", "calloc",
                                                             "malloc-kept"};

/* Where there is no mallopt, the variant is malloc once more. */
static void keep_memory(void) {
#ifdef M_TRIM_THRESHOLD
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
#endif
}

bool swarm_buffers_open(struct swarm_buffers *buffers, enum swarm_variant variant, uint64_t bytes,
                        uint64_t at_once) {
    *buffers = (struct swarm_buffers){.variant = variant, .bytes = bytes};
    if (variant == SWARM_KEPT)
        keep_memory();
    if (variant != SWARM_POOL)
        return true;
    return lido_block_pool_create(
               LIDO_BLOCK_POOL_OPTIONS(.name = "swarm", .owner = "lido run swarm",
                                       .block_size = bytes, .block_limit = at_once,
                                       .flags = LIDO_BLOCK_POOL_RESERVED),
               &buffers->pool) == LIDO_OK;
}

void swarm_buffers_close(struct swarm_buffers *buffers) {
    (void)lido_block_pool_destroy(buffers->pool);
    buffers->pool = NULL;
}

double *swarm_buffers_take(struct swarm_buffers *buffers) {
    buffers->calls++;
    switch (buffers->variant) {
    case SWARM_POOL:
        return lido_block_pool_acquire(buffers->pool);
    case SWARM_CALLOC:
        return calloc(1, buffers->bytes);
    default:
        return malloc(buffers->bytes);
    }
}

void swarm_buffers_give(struct swarm_buffers *buffers, double *buffer) {
    if (buffer == NULL)
        return;
    buffers->calls++;
    if (buffers->variant == SWARM_POOL)
        (void)lido_block_pool_release(buffers->pool, buffer);
    else
        free(buffer);
}
