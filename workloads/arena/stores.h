/* SPDX-License-Identifier: MIT
 * The variants: five ways to keep the same entities.
 *
 *   malloc     an allocation each, in a doubly linked list
 *   free-list  the same list; nodes come from chunks and go to a stack
 *   array      a dense array for each kind; the last entity moves into a gap
 *   bitmap     entities stay where they are: lowest free place first, a bitmap of what lives
 *   lido       a lido_dense_pool for each kind
 *
 * Lists have their oldest entity in front. Where the oldest is to be dropped, array and bitmap keep
 * the order of spawning in links beside the entities. */
#ifndef ARENA_STORES_H
#define ARENA_STORES_H

#include "arena/world.h"

#include <lido/dense_pool.h>

enum arena_variant {
    ARENA_MALLOC,
    ARENA_FREE_LIST,
    ARENA_ARRAY,
    ARENA_BITMAP,
    ARENA_LIDO,
    ARENA_VARIANT_COUNT
};

extern const char *const arena_variant_name[ARENA_VARIANT_COUNT];

/* Opens a store in *store; false: no memory, and nothing is kept. */
bool arena_open_list(struct arena_store *store, bool free_list);
bool arena_open_array(struct arena_store *store);
bool arena_open_bitmap(struct arena_store *store);
bool arena_open_lido(struct arena_store *store);

/* The figures of a store of arena_open_lido. */
lido_dense_pool_stats arena_lido_stats(const struct arena_store *store, enum arena_kind kind);

/* A walk over one kind, compiled for each kind: what is constant of a kind is constant there. */
#define ARENA_FOR_EACH_KIND(call, kind, ...)                                                       \
    do {                                                                                           \
        switch (kind) {                                                                            \
        case ARENA_BULLET:                                                                         \
            call(ARENA_BULLET, __VA_ARGS__);                                                       \
            break;                                                                                 \
        case ARENA_EFFECT:                                                                         \
            call(ARENA_EFFECT, __VA_ARGS__);                                                       \
            break;                                                                                 \
        case ARENA_NUMBER:                                                                         \
            call(ARENA_NUMBER, __VA_ARGS__);                                                       \
            break;                                                                                 \
        default:                                                                                   \
            call(ARENA_CASING, __VA_ARGS__);                                                       \
        }                                                                                          \
    } while (0)

#endif
