/* SPDX-License-Identifier: MIT
 * Blocks apart from each other, for finding errors: each is a malloc of its own (pass-through), or
 * has pages of its own, ends at an unreadable one and is unreadable while it is free (guard).
 *
 * One lock, the pool's, and two tables: by number, and by address for finding a pointer. */
#ifndef LIDO_SRC_BLOCK_POOL_APART_H
#define LIDO_SRC_BLOCK_POOL_APART_H

#include "block_pool/pool.h"

/* NULL: no memory. */
struct lido__apart *lido__apart_make(const lido_block_pool_options *options);
void lido__apart_end(struct lido__apart *apart);

bool lido__apart_make_ready(struct lido_block_pool *pool, uint64_t count);
uint64_t lido__apart_acquire(struct lido_block_pool *pool, uint64_t count, void **blocks,
                             lido_status *why);

/* False: not out. */
bool lido__apart_release(struct lido_block_pool *pool, void *block);

/* With the lock held: the index of the block that begins here; UINT64_MAX: none does. */
uint64_t lido__apart_index(const struct lido__apart *apart, const void *block, bool *is_out);

/* With the lock held: the block out with the smallest index not below *index, or NULL. */
void *lido__apart_next(const struct lido__apart *apart, uint64_t *index);

/* With the lock held: fills what the pool does not count itself. */
void lido__apart_read_stats(const struct lido_block_pool *pool, lido_block_pool_stats *stats);

/* Ends one free block; 0: there is none, or not for so long. Returns its bytes. */
uint64_t lido__apart_end_one(struct lido_block_pool *pool, uint64_t empty_before_ns);

#endif
