/* SPDX-License-Identifier: MIT
 * What an object pool is: callbacks, and figures of theirs, around a lease engine. */
#ifndef LIDO_SRC_OBJECT_POOL_INTERNAL_H
#define LIDO_SRC_OBJECT_POOL_INTERNAL_H

#include "lease/fast.h"
#include "registry/registry.h"

#include <lido/object_pool.h>

enum {
    LIDO__OBJECT_LIMIT_MAX = 1 << 20,
    LIDO__OVERTAKE_LIMIT_MAX = 1000000,
    LIDO__OVERTAKE_LIMIT = 8
};

struct lido_object_pool {
    struct lido__leases leases; /* first: its first line is what fast paths read */
    struct lido__resource resource;
    lido_object_pool_options options;
    struct {
        uint64_t created, destroyed, create_failed, validate_failed, reset_failed;
    } count; /* guarded by leases.lock */
};

extern const lido_panel lido__object_pool_panel;

/* Where lines of a message about what is out go: see lido__object_pool_fail. */
#define LIDO__HOLDERS                                                                              \
    "objects out: %u of %u; acquired at %s: %u (longest by thread %u, for %t); at %s: %u"

/* Fails, and says where most of what is out was acquired. The format begins with the pool's name
 * and ends in LIDO__HOLDERS. */
lido_status lido__object_pool_fail(struct lido_object_pool *pool, lido_status status,
                                   const char *format);

#endif
