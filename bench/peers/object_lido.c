/* SPDX-License-Identifier: MIT
 * object_lido.c -- lido's object pool as a contestant: tracking on, in the order it is compiled for. */
#include <lido/object_pool.h>

typedef lido_lease peer_object;
#include "../object_work.h"

#ifndef ORDER
#define ORDER LIDO_OBJECT_POOL_BOUNDED
#endif

static lido_object_pool *pool;

static int create(void *context, void **object) {
    (void)context;
    static char objects[OBJECTS_MAX];
    static unsigned made;
    *object = &objects[made++ % OBJECTS_MAX];
    return 0;
}

static void peer_open(unsigned object_count) {
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "bench",
                                                         .object_limit = object_count,
                                                         .order = ORDER, .create = create),
                                &pool) != LIDO_OK ||
        lido_object_pool_prepare(pool, object_count) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static inline void *peer_acquire(peer_object *held) {
    if (lido_object_pool_acquire(pool, LIDO_FOREVER, held) != LIDO_OK)
        worker_fail("%s", lido_last_error());
    return held->object;
}

static inline void peer_release(peer_object *held) {
    if (lido_object_pool_release(pool, held) != LIDO_OK)
        worker_fail("%s", lido_last_error());
}

static void peer_version(void) {
    printf("lido %s\n", lido_version());
}
