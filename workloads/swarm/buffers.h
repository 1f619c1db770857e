/* SPDX-License-Identifier: MIT
 * Where the swarm's buffers come from: the one thing in which the variants differ.
 *
 * The optimiser asks for buffers of one size and gives them back; what serves it is chosen by the
 * variant. Calls are counted here, in the same way for all, because resident memory alone does not
 * tell the variants apart: malloc, too, reuses what was freed. */
#ifndef SWARM_BUFFERS_H
#define SWARM_BUFFERS_H

#include <lido/block_pool.h>

#include <stdbool.h>
#include <stdint.h>

enum swarm_variant {
    SWARM_IN_PLACE, /* everything is allocated once, before the first iteration */
    SWARM_POOL,     /* lido_block_pool, reserved: as many blocks as are ever needed at once */
    SWARM_MALLOC,
    SWARM_CALLOC,
    SWARM_KEPT, /* malloc, told by mallopt never to give memory back: what an expert would try first */
    SWARM_VARIANT_COUNT
};

extern const char *const swarm_variant_name[SWARM_VARIANT_COUNT];

struct swarm_buffers {
    enum swarm_variant variant;
    uint64_t bytes;
    uint64_t calls;        /* takes and gives */
    lido_block_pool *pool; /* of SWARM_POOL */
};

/* Returns  false: the pool could not be made; lido_last_error() says why. */
bool swarm_buffers_open(struct swarm_buffers *buffers, enum swarm_variant variant, uint64_t bytes,
                        uint64_t at_once);
void swarm_buffers_close(struct swarm_buffers *buffers);

/* Returns  a buffer, or NULL: no memory. */
double *swarm_buffers_take(struct swarm_buffers *buffers);
void swarm_buffers_give(struct swarm_buffers *buffers, double *buffer);

#endif
