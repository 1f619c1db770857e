/* SPDX-License-Identifier: MIT
 * A slab: memory for some blocks, and apart from it, out of reach of what the application writes,
 * who of them is out.
 *
 *   I1  bit i of live is set exactly while block i is out; live_count counts them
 *   I2  in pass-through and guard mode a slab has one block, with memory of its own
 *
 * Nothing here locks; the pool does. Making and ending a slab calls the system: without the lock. */
#ifndef LIDO_SRC_BLOCK_POOL_SLAB_H
#define LIDO_SRC_BLOCK_POOL_SLAB_H

#include <lido/block_pool.h>

/* What all slabs of a pool have in common. */
struct shape {
    size_t block_bytes; /* as asked for */
    size_t align;
    size_t stride_bytes; /* from block to block */
    uint64_t per_slab;
    size_t memory_bytes; /* mapped for one slab, the guard page included */
    size_t page_bytes;
    uint64_t mode;
};

struct slab {
    struct slab *previous, *next; /* among slabs with a free block */
    char *blocks;                 /* the first one */
    char *memory;                 /* what was mapped or allocated */
    uint64_t number;              /* its blocks have the indices number * per_slab ... */
    uint64_t empty_since_ns;
    uint64_t live_count;
    uint64_t first_word; /* words of live before it are full */
    uint64_t live[];
};

/* Fixes the shape for these options, which have been checked. */
struct shape lido__slab_shape(const lido_block_pool_options *options);

/* Bytes of a slab's metadata. */
size_t lido__slab_overhead(const struct shape *shape);

/* A new slab, all free and, but for pass-through, all zero; NULL: no memory. */
struct slab *lido__slab_make(const struct shape *shape, bool touch);
void lido__slab_end(struct slab *slab, const struct shape *shape);

/* Hands out the first free block of a slab that has one. */
void *lido__slab_take(struct slab *slab, const struct shape *shape);

/* Which block of the slab this is; per_slab when it is the start of none. */
uint64_t lido__slab_find(const struct slab *slab, const struct shape *shape, const void *block);

static inline bool lido__slab_is_live(const struct slab *slab, uint64_t i) {
    return slab->live[i / 64] >> (i % 64) & 1;
}

/* Lets the application reach the block of a guarded slab, or not. Returns false: refused. */
bool lido__slab_open(const struct slab *slab, const struct shape *shape, bool accessible);

/* Takes a live block back. */
void lido__slab_put(struct slab *slab, uint64_t i);

static inline char *lido__slab_block(const struct slab *slab, const struct shape *shape,
                                     uint64_t i) {
    return slab->blocks + i * shape->stride_bytes;
}

#endif
