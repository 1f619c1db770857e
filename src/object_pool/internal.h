/* SPDX-License-Identifier: MIT
 * What an object pool is: callbacks, and figures of theirs, around a lease engine. */
#ifndef LIDO_SRC_OBJECT_POOL_INTERNAL_H
#define LIDO_SRC_OBJECT_POOL_INTERNAL_H

#include "budget/budget.h"
#include "lease/fast.h"
#include "registry/registry.h"

#include <lido/object_figures.h>

enum {
    LIDO__OBJECT_LIMIT_MAX = 1 << 20,
    LIDO__OVERTAKE_LIMIT_MAX = 1000000,
    LIDO__OVERTAKE_LIMIT = 8,
    LIDO__SIZING_OBJECT_MAX = 32,
    LIDO__SIZING_OBJECT_MIN = 2,
    LIDO__SIZING_PERCENT = 75
};
#define LIDO__SIZING_CONTENTION_NS LIDO_MILLISECONDS(3)
#define LIDO__SIZING_INTERVAL_NS   LIDO_SECONDS(10)
#define LIDO__SIZING_WINDOW_NS     LIDO_SECONDS(60)
#define LIDO__SIZING_TIME_MIN_NS   LIDO_SECONDS(1)
#define LIDO__SIZING_TIME_MAX_NS   LIDO_SECONDS(86400)

/* What next_leak remembers from look to look: see leaks.c. */
struct lido__leak_book;

struct lido_object_pool {
    struct lido__leases leases; /* first: its first line is what fast paths read */
    struct lido__resource resource;
    lido_object_pool_options options;
    struct {
        uint64_t created, destroyed, create_failed, validate_failed, reset_failed;
    } count;               /* guarded by leases.lock */
    lido__mutex leak_lock; /* outside of leases.lock */
    struct lido__leak_book *leak_book;
    struct lido__budget_member member;
    _Atomic(uint32_t) was_sized; /* sizing has been on: slow calls look after it */
};

extern const lido_panel lido__object_pool_panel;

/* Builds objects while fewer than count exist, below the limit in force. CLOSED has no text. */
lido_status lido__object_pool_build_up(struct lido_object_pool *pool, uint64_t count,
                                       uint64_t *built);

/* Fills in what is zero and checks it. */
lido_status lido__object_pool_check_sizing(lido_object_pool_options *options);

/* Brings the options' sizing into force, edited under the lock, so that two who change different
 * settings at once both have their way. Errors   NO_MEMORY */
lido_status lido__object_pool_set_sizing(struct lido_object_pool *pool,
                                         void (*edit)(lido_object_pool_options *options,
                                                      const void *context),
                                         const void *context);
lido_status lido__object_pool_start_sizing(struct lido_object_pool *pool);

/* What the pool is to its budget; joined when it has an id. */
void lido__object_pool_share(struct lido_object_pool *pool);

/* Before a slow call: decides, if it is time, and destroys what is too much. After it: tells. */
void lido__object_pool_attend(struct lido_object_pool *pool);
void lido__object_pool_tell(struct lido_object_pool *pool);

/* What a slot says of its holder. */
struct lido__holder {
    void *object;
    const char *site;
    uint32_t thread_id, ticks, turn;
};

/* A claimed slot becomes a lease, or its place is free again; or it goes back as it is. */
lido_status lido__object_pool_hand_out(struct lido_object_pool *pool, uint32_t slot,
                                       lido_lease *lease, const char *site);
void lido__object_pool_put_back(struct lido_object_pool *pool, uint32_t slot);

enum { LIDO__TICK_NS = 1000000 };

/* False: nobody holds it, or it changed hands just now. */
bool lido__object_pool_read_holder(struct lido_object_pool *pool, uint32_t slot,
                                   struct lido__holder *holder);
uint32_t lido__object_pool_count_slots(struct lido_object_pool *pool);
uint64_t lido__leak_book_bytes(struct lido_object_pool *pool);

/* Where lines of a message about what is out go: see lido__object_pool_fail. */
#define LIDO__HOLDERS                                                                              \
    "objects out: %u of %u; acquired at %s: %u (longest by thread %u, for %t); at %s: %u"

/* Fails, and says where most of what is out was acquired. The format begins with the pool's name
 * and ends in LIDO__HOLDERS. */
lido_status lido__object_pool_fail(struct lido_object_pool *pool, lido_status status,
                                   const char *format);

#endif
