/* SPDX-License-Identifier: MIT
 * Objects for tests of lido/object_pool.h: callbacks that count, check that no object is used out
 * of turn, and fail or block when told to. */
#ifndef LIDO_TESTS_OBJECT_FACTORY_H
#define LIDO_TESTS_OBJECT_FACTORY_H

#include "check.h"

#include <lido/object_figures.h>

enum object_state { UNBORN, IDLE_OR_CLAIMED, IN_CALLBACK, ENDED };

struct object {
    _Atomic int state;
    _Atomic int holders; /* kept by the tests that check it */
    int number;
};

enum { OBJECTS_MAX = 100000 };

/* What is to go wrong: the callback fails with this code while its count is above 0. */
struct trouble {
    _Atomic int count;
    int code;
    struct check_gate *gate; /* where each call waits, if anywhere */
};

struct factory {
    struct object *objects;
    _Atomic int made;
    _Atomic int creates, validates, resets, destroys;
    struct trouble create, validate, reset, destroy;
    lido_object_pool *pool; /* if set, callbacks read its figures and holders */
};

static inline int meet_trouble(struct trouble *trouble) {
    if (trouble->gate)
        check_gate_pass(trouble->gate);
    int left = atomic_load(&trouble->count);
    while (left > 0 && !atomic_compare_exchange_weak(&trouble->count, &left, left - 1))
        ;
    return left > 0 ? trouble->code : 0;
}

/* Callbacks run without locks, so they may look at the very pool that calls them. */
static inline void look_at_own_pool(const struct factory *factory) {
    lido_object_pool_stats stats = {.struct_size = sizeof stats};
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    if (!factory->pool)
        return;
    CHECK_OK(lido_object_pool_read_stats(factory->pool, &stats));
    (void)lido_object_pool_next_holder(factory->pool, 0, &holder);
}

static inline void enter(struct object *object) {
    int expected = IDLE_OR_CLAIMED;
    CHECK(atomic_compare_exchange_strong(&object->state, &expected, IN_CALLBACK));
    CHECK_EQ(object->holders, 0);
}

static inline int create_object(void *context, void **object) {
    struct factory *factory = context;
    factory->creates++;
    look_at_own_pool(factory);
    int code = meet_trouble(&factory->create);
    if (code)
        return code;
    int at = factory->made++;
    if (at >= OBJECTS_MAX)
        abort();
    factory->objects[at].number = at;
    factory->objects[at].state = IDLE_OR_CLAIMED;
    *object = &factory->objects[at];
    return 0;
}

static inline int validate_object(void *context, void *object) {
    struct factory *factory = context;
    factory->validates++;
    enter(object);
    look_at_own_pool(factory);
    int code = meet_trouble(&factory->validate);
    ((struct object *)object)->state = IDLE_OR_CLAIMED;
    return code;
}

static inline int reset_object(void *context, void *object) {
    struct factory *factory = context;
    factory->resets++;
    enter(object);
    look_at_own_pool(factory);
    int code = meet_trouble(&factory->reset);
    ((struct object *)object)->state = IDLE_OR_CLAIMED;
    return code;
}

static inline void destroy_object(void *context, void *object) {
    struct factory *factory = context;
    factory->destroys++;
    enter(object);
    look_at_own_pool(factory);
    (void)meet_trouble(&factory->destroy);
    ((struct object *)object)->state = ENDED;
}

static inline struct factory factory_start(void) {
    struct factory factory = {.objects = calloc(OBJECTS_MAX, sizeof(struct object))};
    if (!factory.objects)
        abort();
    return factory;
}

/* Every object that was built must have been ended. */
static inline void factory_end(struct factory *factory) {
    CHECK_EQ(factory->made, factory->destroys);
    for (int i = 0; i < factory->made; i++)
        CHECK_EQ(factory->objects[i].state, ENDED);
    free(factory->objects);
    factory->objects = NULL;
}

static inline lido_object_pool *make_pool_of(struct factory *factory, uint64_t object_limit,
                                             uint64_t released_by) {
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = object_limit,
                                 .order = LIDO_OBJECT_POOL_STRICT, .create = create_object,
                                 .validate = validate_object, .reset = reset_object,
                                 .destroy = destroy_object, .context = factory,
                                 .released_by = released_by),
        &pool));
    return pool;
}

/* A pool of a factory's objects with all callbacks. */
static inline lido_object_pool *pool_of(struct factory *factory, uint64_t object_limit) {
    return make_pool_of(factory, object_limit, LIDO_OBJECT_POOL_RELEASED_BY_ACQUIRER);
}

/* In it a thread may wait for what it holds itself. */
static inline lido_object_pool *handed_on_pool_of(struct factory *factory, uint64_t object_limit) {
    return make_pool_of(factory, object_limit, LIDO_OBJECT_POOL_RELEASED_BY_ANYONE);
}

static inline lido_object_pool_stats object_stats(const lido_object_pool *pool) {
    lido_object_pool_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_object_pool_read_stats(pool, &stats));
    return stats;
}

/* What must hold at rest, whatever happened before. */
static inline void check_object_figures(const lido_object_pool *pool) {
    lido_object_pool_stats s = object_stats(pool);
    CHECK_EQ(s.existing, s.live + s.idle);
    CHECK_EQ(s.acquired, s.released + s.discarded + s.live + s.retired);
    CHECK_EQ(s.created, s.destroyed + s.existing + s.retired);
    CHECK(s.live_peak >= s.live && s.waiting == 0);
    CHECK(s.wait_total_ns >= s.wait_max_ns);
}

#endif
