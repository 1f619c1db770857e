/* SPDX-License-Identifier: MIT
 * From an address to the slab that it lies in, for every address there is, without a lock: a table
 * by units of 64 KiB. That is how a pointer that is no block of a pool is told from one that is.
 *
 *      address --> window (64 GiB, one or two a process) --> unit --> owner, start, carved_bytes; slab
 *
 * A unit belongs to one slab, so where the owner is the pool that is asked, address - start is the offset in the
 * slab; and far above carved_bytes if the address is of another window, or none that there can be.
 *
 * A window is mapped as a whole and touched where units are in use: 32 bytes a unit, 0.05 %. With
 * 32-bit addresses one window has them all.
 *
 * Written under a lock of the map. Read at any time: what is written behind an address is there
 * before a block at it is handed out, and for other addresses it does not matter when. */
#ifndef LIDO_SRC_BLOCK_POOL_MAP_H
#define LIDO_SRC_BLOCK_POOL_MAP_H

#include "base/atomic.h"

#include <stddef.h>

struct lido__slab;
struct lido_block_pool;

enum { LIDO__UNIT_SHIFT = 16, LIDO__UNIT_BYTES = 1 << LIDO__UNIT_SHIFT };

#if UINTPTR_MAX > UINT32_MAX
enum { LIDO__WINDOW_SHIFT = 36, LIDO__WINDOWS = 4096 };
#else
enum { LIDO__WINDOW_SHIFT = 32, LIDO__WINDOWS = 1 };
#endif

enum { LIDO__WINDOW_UNITS = 1 << (LIDO__WINDOW_SHIFT - LIDO__UNIT_SHIFT) };

struct lido__unit {
    _Atomic(const void *) owner; /* the pool; or NULL */
    _Atomic(uintptr_t) start;    /* of the slab */
    _Atomic(uintptr_t)
        carved_bytes; /* from there on: those blocks of it that exist; 0 if it is hidden */
    _Atomic(struct lido__slab *) slab;
};

struct lido__window {
    struct lido__unit unit[LIDO__WINDOW_UNITS];
};

/* A pool begins: returns the window that nearly all memory is in, for it to keep. NULL: no memory. The
 * last pool's end gives the windows back. */
struct lido__window *lido__map_open(void);
void lido__map_close(const struct lido__window *window);

/* Enters a slab's memory, whole units, as still without blocks. False: no memory. */
bool lido__map_insert(struct lido__slab *slab, const void *memory, size_t bytes,
                      const struct lido_block_pool *owner);
void lido__map_remove(const void *memory, size_t bytes);

/* Of that slab the blocks in the first carved_bytes are there now. */
void lido__map_set_carved(const void *memory, size_t bytes, size_t carved_bytes);

/* Where an address is: in a slab of that pool, or not (slab is NULL). Nothing of the
 * slab itself is read: it may be ending, if the address is none of a block that is out. */
struct lido__place {
    struct lido__slab *slab;
    uintptr_t start;
    size_t carved_bytes;
};
struct lido__place lido__map_find(const void *address, const struct lido_block_pool *owner);

void lido__map_fork_lock(void);
void lido__map_fork_unlock(void);

#endif
