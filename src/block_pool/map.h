/* SPDX-License-Identifier: MIT
 * From an address to the slab that it lies in, for every address there is, without a lock: a table
 * by units of 64 KiB. That is how a pointer that is no block of a pool is told from one that is.
 *
 *      address --> window (64 GiB, one or two a process) --> unit --> tagged, carved_bytes; slab
 *
 * `tagged` is the slab's first address with the tag of its pool in the 16 bits that addresses leave
 * free; so one subtraction tests all: address + (tag of the pool asked) - tagged is the offset in the
 * slab if the slab is of that pool, and astronomically large if not, if there is none, or if the
 * address is of another window. With 32-bit addresses the tag is in the 16 bits that are zero in a
 * slab's address, and compared.
 *
 * A window is mapped as a whole and touched where units are in use: 24 bytes a unit, 0.04 %. With
 * 32-bit addresses one window has them all.
 *
 * Written under a lock of the map. Read at any time: what is written behind an address is there
 * before a block at it is handed out, and for other addresses it does not matter when. */
#ifndef LIDO_SRC_BLOCK_POOL_MAP_H
#define LIDO_SRC_BLOCK_POOL_MAP_H

#include "base/atomic.h"

#include <stddef.h>

struct lido__slab;

enum { LIDO__UNIT_SHIFT = 16, LIDO__UNIT_BYTES = 1 << LIDO__UNIT_SHIFT };

#if UINTPTR_MAX > UINT32_MAX
enum { LIDO__WINDOW_SHIFT = 36, LIDO__WINDOWS = 4096, LIDO__TAG_SHIFT = 48 };
#else
enum { LIDO__WINDOW_SHIFT = 32, LIDO__WINDOWS = 1, LIDO__TAG_SHIFT = 0 };
#endif

enum { LIDO__WINDOW_UNITS = 1 << (LIDO__WINDOW_SHIFT - LIDO__UNIT_SHIFT) };

struct lido__unit {
    _Atomic(uintptr_t) tagged;
    _Atomic(uintptr_t)
        carved_bytes; /* those blocks of the slab that exist, from its start; 0 if it is
                                      * hidden */
};

struct lido__window {
    struct lido__unit unit[LIDO__WINDOW_UNITS];
    _Atomic(struct lido__slab *) slab[LIDO__WINDOW_UNITS];
};

/* What a pool knows of the map from its making to its end: its tag (1 ... 65535), and the window
 * that nearly all memory is in. */
struct lido__map_view {
    struct lido__window *window;
    uintptr_t tag; /* as it is in `tagged` */
};

/* False: no memory, or 65,535 pools. The last close gives the windows back. */
bool lido__map_open(struct lido__map_view *view);
void lido__map_close(struct lido__map_view *view);

/* Enters a slab's memory, whole units, as still without blocks. False: no memory. */
bool lido__map_insert(struct lido__slab *slab, const void *memory, size_t bytes, uintptr_t tag);
void lido__map_remove(const void *memory, size_t bytes);

/* Of that slab the blocks in the first carved_bytes are there now. */
void lido__map_set_carved(const void *memory, size_t bytes, size_t carved_bytes);

/* Where an address is: in a slab of the pool with that tag, or not (slab is NULL). Nothing of the
 * slab itself is read: it may be ending, if the address is none of a block that is out. */
struct lido__place {
    struct lido__slab *slab;
    uintptr_t start;
    size_t carved_bytes;
};
struct lido__place lido__map_find(const void *address, uintptr_t tag);

void lido__map_fork_lock(void);
void lido__map_fork_unlock(void);

#endif
