/* SPDX-License-Identifier: MIT
 * A dense pool of lido for each kind: caps and policies are the pool's. */
#include "arena/stores.h"

#include <stdlib.h>

struct pools {
    lido_dense_pool *of[ARENA_KIND_COUNT];
};

static struct arena_entity *spawn(void *self, enum arena_kind kind) {
    return lido_dense_pool_acquire(((struct pools *)self)->of[kind], NULL);
}

static inline void sweep_kind(enum arena_kind kind, lido_dense_pool *pool,
                              struct arena_world *world) {
    float gravity = arena_rule[kind].gravity, drag = arena_rule[kind].drag;
    uint64_t count = lido_dense_pool_count(pool);
    char *entities = lido_dense_pool_objects(pool);
    for (uint64_t place = 0; place < count;) {
        struct arena_entity *entity =
            (struct arena_entity *)(void *)(entities + place * arena_bytes(kind));
        if (arena_step(world, kind, entity, gravity, drag)) {
            place++;
        } else {
            (void)lido_dense_pool_release_place(pool, place); /* below the count */
            count--;
        }
    }
}

static void sweep(void *self, enum arena_kind kind, struct arena_world *world) {
    lido_dense_pool *pool = ((struct pools *)self)->of[kind];
    ARENA_FOR_EACH_KIND(sweep_kind, kind, pool, world);
}

static void visit(void *self, enum arena_kind kind,
                  void (*look)(const struct arena_entity *entity, void *context), void *context) {
    const lido_dense_pool *pool = ((struct pools *)self)->of[kind];
    const char *entities = lido_dense_pool_objects(pool);
    for (uint64_t place = 0; place < lido_dense_pool_count(pool); place++)
        look((const struct arena_entity *)(const void *)(entities + place * arena_bytes(kind)),
             context);
}

static uint64_t count(void *self, enum arena_kind kind) {
    return lido_dense_pool_count(((struct pools *)self)->of[kind]);
}

lido_dense_pool_stats arena_lido_stats(const struct arena_store *store, enum arena_kind kind) {
    lido_dense_pool_stats stats = {.struct_size = sizeof stats};
    (void)lido_dense_pool_read_stats(((struct pools *)store->self)->of[kind], &stats);
    return stats;
}

static uint64_t dropped(void *self, enum arena_kind kind) {
    return arena_lido_stats(&(struct arena_store){.self = self}, kind).dropped;
}

static uint64_t made(void *self, enum arena_kind kind) {
    return arena_lido_stats(&(struct arena_store){.self = self}, kind).capacity;
}

static void close_pools(void *self) {
    struct pools *pools = self;
    for (int k = 0; k < ARENA_KIND_COUNT; k++)
        if (pools->of[k] != NULL) {
            lido_dense_pool_release_all(pools->of[k]);
            (void)lido_dense_pool_destroy(pools->of[k]); /* nothing is alive */
        }
    free(pools);
}

bool arena_open_lido(struct arena_store *store) {
    struct pools *pools = calloc(1, sizeof *pools);
    if (pools == NULL)
        return false;
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        const struct arena_rule *rule = &arena_rule[k];
        bool drops = rule->policy == ARENA_DROP_OLDEST;
        if (lido_dense_pool_create(
                LIDO_DENSE_POOL_OPTIONS(.name = rule->name, .owner = "arena",
                                        .object_bytes = rule->bytes,
                                        .object_limit = rule->policy == ARENA_GROW ? 0 : rule->cap,
                                        .at_limit = drops ? LIDO_DENSE_POOL_DROP_OLDEST
                                                          : LIDO_DENSE_POOL_REFUSE,
                                        .ready_count = rule->cap),
                &pools->of[k]) != LIDO_OK) {
            close_pools(pools);
            return false;
        }
    }
    *store = (struct arena_store){spawn, sweep, visit, count, dropped, made, close_pools, pools};
    return true;
}
