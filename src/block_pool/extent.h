/* SPDX-License-Identifier: MIT
 * Memory for slabs, shared by all pools of the process: what one gives back, any other can have.
 *
 * Buddies: a chunk of 4 MiB is halved down to 64 KiB as asked, and halves that are both free are
 * merged again at once, at most 6 steps. What is here has been given back to the system (its
 * pages, that is; the addresses stay), and reads as zero. A chunk that is free as a whole is
 * unmapped, but for one, and that one too when no pool uses any.
 *
 * Larger slabs, and all of them when the system has no 4 MiB in one piece, are mappings of their
 * own. */
#ifndef LIDO_SRC_BLOCK_POOL_EXTENT_H
#define LIDO_SRC_BLOCK_POOL_EXTENT_H

#include <stdbool.h>
#include <stddef.h>

enum { LIDO__EXTENT_ORDERS = 7 }; /* 64 KiB << 0 ... 6 */

struct lido__chunk;

struct lido__extent {
    char *memory; /* at a multiple of 64 KiB, all zero */
    size_t bytes;
    struct lido__chunk *chunk; /* NULL: a mapping of its own, of which this is the inner part */
    void *mapping;
    size_t mapping_bytes;
};

/* At least this many bytes. False: no memory. */
bool lido__extent_get(size_t bytes, struct lido__extent *extent);

/* Gives pages and addresses back. */
void lido__extent_put(const struct lido__extent *extent);

void lido__extent_fork_lock(void);
void lido__extent_fork_unlock(void);

#endif
