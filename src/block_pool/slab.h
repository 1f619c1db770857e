/* SPDX-License-Identifier: MIT
 * What slab.c and drain.c share: lists of slabs, and pages of a slab. All with the pool's lock held. */
#ifndef LIDO_SRC_BLOCK_POOL_SLAB_H
#define LIDO_SRC_BLOCK_POOL_SLAB_H

#include "block_pool/pool.h"

enum { LIDO__EMPTY = LIDO__SLAB_LISTS, LIDO__DRAINING, LIDO__NO_LIST };

/* Around each change of a slab's counts or of how it is used: keeps its list, what the map says of
 * it, and the pool's sums right. */
void lido__slab_change_begin(struct lido_block_pool *pool, const struct lido__slab *slab);
void lido__slab_change_end(struct lido_block_pool *pool, struct lido__slab *slab);

/* Between begin and end: out of its list, to come into one as the last. */
void lido__slab_unlist(struct lido_block_pool *pool, struct lido__slab *slab);

/* Bytes of the pages that the slab's blocks are on and that have not gone back. */
size_t lido__slab_held_bytes(const struct lido_block_pool *pool, const struct lido__slab *slab);

/* A page of the slab is used again: its free blocks get their canaries. */
void lido__slab_restore_page(struct lido_block_pool *pool, struct lido__slab *slab, uint32_t page);

static inline uint64_t *lido__slab_page_bits(struct lido__slab *slab) {
    return slab->bit + (slab->block_count + 63) / 64;
}

static inline bool lido__slab_page_is_purged(struct lido__slab *slab, uint32_t page) {
    return slab->purged_count > 0 && (lido__slab_page_bits(slab)[page / 64] >> (page % 64) & 1);
}

#endif
