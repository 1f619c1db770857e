/* SPDX-License-Identifier: MIT
 * The fast paths: a block from this thread's magazine, and back into it.
 *
 * They write to this thread's store and magazine and to the block's first word (how: P3, stack.h), and
 * read from the pool what is fixed and from the map what changes when blocks are made. No locked instruction, no
 * line that two threads write, no call. What they cannot serve, they leave as it was. */
#ifndef LIDO_SRC_BLOCK_POOL_FAST_H
#define LIDO_SRC_BLOCK_POOL_FAST_H

#include "block_pool/stack.h"

/* Of an exported function: may be copied into its callers when they are linked with LTO. clang has
 * no word for that. */
#ifdef __clang__
#define LIDO__MAY_INLINE
#else
#define LIDO__MAY_INLINE extern inline
#endif

/* The slow paths' forms, for any store of this thread: they need no canary, and pay the fence. */
static inline void *lido__store_pop(struct lido__store *store) {
    const void *open = lido__load(&store->near.open, relaxed);
    lido__slot *top = lido__load(&store->top, relaxed);
    if (!open || top == store->magazine->block || lido__load(&store->left, relaxed) <= 0)
        return NULL;
    void *block = lido__load(top - 1, relaxed);
    if (!lido__stack_lower(store, top, top - 1, open, store->is_fenced))
        return NULL;
    (void)lido__count_down(&store->left);
    if (top - 1 < lido__load(&store->low, relaxed))
        lido__store(&store->low, top - 1, relaxed);
    return block;
}

static inline bool lido__store_push(struct lido__store *store, void *block, bool has_canary) {
    lido__slot *top = lido__load(&store->top, relaxed);
    if (!lido__load(&store->near.open, relaxed) || top == store->end)
        return false;
    if (has_canary)
        lido__canary_set(block);
    lido__stack_raise(store, top, block);
    return true;
}

/* The store that this thread used last; it is the pool's if that is its owner. */
static inline struct lido__store *lido__store_last(void) {
    return (struct lido__store *)(void *)lido__near_last;
}

/* Where in its slab the address is, by the map; all ones if no block of the pool that exists is there. */
LIDO__ALWAYS_INLINE uintptr_t lido__map_offset(const struct lido_block_pool *pool,
                                               uintptr_t address) {
    const size_t unit_size = sizeof(struct lido__unit);
    uintptr_t at = address / (LIDO__UNIT_BYTES / unit_size) & (LIDO__WINDOW_UNITS - 1) * unit_size;
    struct lido__unit *unit = (struct lido__unit *)(void *)((char *)pool->window + at);
    uintptr_t offset = address - lido__peek(&unit->start);
    bool is_there = lido__peek(&unit->owner) == pool && offset < lido__peek(&unit->carved_bytes);
    return __builtin_expect(is_there, 1) ? offset : UINTPTR_MAX;
}

/* Whether a block of the pool that exists begins here. Where the stride divides the offset into q
 * parts, the product is q times what the rounding up added, so less than per_stride; where r bytes are
 * left over, r times per_stride more, and it does not come round to 0: slabs, rows and strides are small
 * enough for that, (slab or row + stride) * stride <= 2^64. */
LIDO__ALWAYS_INLINE bool lido__is_block(const struct lido_block_pool *pool, const void *block) {
    uintptr_t offset = (uintptr_t)block - lido__peek(&pool->row_start);
    if (__builtin_expect(offset >= lido__peek(&pool->row_bytes), 0)) {
        offset = lido__map_offset(pool, (uintptr_t)block);
        if (__builtin_expect(offset == UINTPTR_MAX, 0))
            return false;
    }
    return offset * pool->per_stride < pool->per_stride;
}

/* P3, owner. */
LIDO__ALWAYS_INLINE bool lido__fast_acquire(struct lido_block_pool *pool, void **block) {
    struct lido__store *store = lido__store_last();
    if (__builtin_expect(lido__differs(&store->near.open, pool), 0))
        return false;
    lido__slot *top = lido__peek(&store->top);
    if (__builtin_expect(top <= lido__peek(&store->edge), 0)) {
        if (top <= store->floor)
            return false;
        lido__store(&store->edge, top - 1, relaxed);
    }
    void *found = lido__load(top - 1, relaxed);
    if (__builtin_expect(lido__count_down(&store->left), 0))
        return false;
    if (__builtin_expect(!lido__stack_lower(store, top, top - 1, pool, false), 0)) {
        lido__store(&store->left, lido__load(&store->left, relaxed) + 1, relaxed);
        return false;
    }
    lido__canary_clear(found);
    *block = found;
    return true;
}

/* P3, owner. The look comes after the checks: a block whose canary went back to the system with its page was
 * taken from the stack by a visit before, so who saw no canary for that reason finds the stack closed. */
LIDO__ALWAYS_INLINE bool lido__fast_release(struct lido_block_pool *pool, void *block) {
    struct lido__store *store = lido__store_last();
    if (__builtin_expect(!lido__is_block(pool, block), 0) ||
        __builtin_expect(lido__canary_is_set(block), 0) ||
        __builtin_expect(lido__differs(&store->near.open, pool), 0))
        return false;
    lido__slot *top = lido__peek(&store->top);
    if (__builtin_expect(top == store->end, 0))
        return false;
    lido__canary_set(block);
    lido__stack_raise(store, top, block);
    return true;
}

#endif
