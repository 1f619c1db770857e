/* SPDX-License-Identifier: MIT
 * The explorer's side of every atomic operation and lock; hooks.h calls it. */
#ifndef LIDO_TESTS_EXPLORE_SITE_H
#define LIDO_TESTS_EXPLORE_SITE_H

#include <stdbool.h>
#include <stdint.h>

enum explore_kind {
    EXPLORE_LOAD,
    EXPLORE_STORE,
    EXPLORE_EXCHANGE,
    EXPLORE_CAS,
    EXPLORE_ADD,
    EXPLORE_SUB,
    EXPLORE_FENCE,
    EXPLORE_MEMBARRIER,
    EXPLORE_LOCK,
    EXPLORE_WAKE,
};

enum { EXPLORE_KERNELS_MAX = 128 };

/* One operation in the source. It lists itself when it first runs, so that it can be broken. */
struct explore_site {
    const char *file, *function;
    int line;
    enum explore_kind kind;
    const char *object; /* the operand as it is spelt */
    int order;
    int failure_order;                          /* of a CAS */
    uint64_t kernels[EXPLORE_KERNELS_MAX / 64]; /* those that came by, as bits by their number */
    bool is_listed;
    bool can_move; /* a store, outside of locks, that a load of the same thread follows at once */
    struct explore_site *next;
};

uint64_t explore_load(struct explore_site *site, const void *object, unsigned bytes);
void explore_store(struct explore_site *site, void *object, unsigned bytes, uint64_t value);
uint64_t explore_update(struct explore_site *site, void *object, unsigned bytes, uint64_t operand);
bool explore_cas(struct explore_site *site, void *object, unsigned bytes, uint64_t *expected,
                 uint64_t value);
void explore_fence(struct explore_site *site);
void explore_pause(void);
void explore_wakes(struct explore_site *site); /* the call of unpark that comes next */

typedef struct lido__mutex {
    uint64_t taken_by;
} lido__mutex;

void explore_lock(struct explore_site *site, lido__mutex *mutex);
void explore_unlock(lido__mutex *mutex);

#endif
