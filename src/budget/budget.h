/* SPDX-License-Identifier: MIT
 * A budget as its pools see it. A pool counts an item before it makes it, under its own lock, so
 * that the sum is always that of what exists; room is made without any lock.
 *
 * P7, waiting for room. A pool that finds none says so and looks once more; who gives back looks
 * whether anybody said so. All four are sequentially consistent, so that one of them sees the other:
 *
 *      no room                          giving back
 *      starving = 1                     used -= bytes
 *      used + bytes <= limit? build     starving? wake the pools
 *
 * Lock order: the budget's lock, then a pool's. */
#ifndef LIDO_SRC_BUDGET_BUDGET_H
#define LIDO_SRC_BUDGET_BUDGET_H

#include "base/atomic.h"

#include <lido/budget.h>

/* What a pool is to its budget. */
struct lido__budget_member {
    struct lido_budget *budget; /* NULL: it has none */
    uint64_t item_bytes;
    uint64_t resource_id;
    void *pool;
    /* Acquires since creation, and items that reclaim could destroy now. */
    void (*look)(void *pool, uint64_t *acquired, uint64_t *idle);
    /* Destroys up to `count` idle items, without a lock. Returns how many. */
    uint64_t (*reclaim)(void *pool, uint64_t count);
    /* There may be room: wakes who waits for it. */
    void (*wake)(void *pool);
    uint64_t acquired_before; /* at the last clean-up; this and the links are the budget's lock's */
    struct lido__budget_member *next, **link;
};

void lido__budget_join(struct lido__budget_member *member);
void lido__budget_leave(struct lido__budget_member *member);

/* With the pool's lock held. A member without a budget always has room. */
bool lido__budget_has_room(const struct lido__budget_member *member);
bool lido__budget_charge(struct lido__budget_member *member);
void lido__budget_refund(struct lido__budget_member *member);

/* Without any lock, after a refund: wakes the pools that wait for room. */
void lido__budget_wake(struct lido__budget_member *member);

/* Without any lock, before the pool builds another item: destroys as much elsewhere if memory is
 * short, and cleans up if it is time to. Returns the bytes given back. */
uint64_t lido__budget_make_room(struct lido__budget_member *member, bool is_to_build);

#endif
