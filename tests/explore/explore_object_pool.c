/* SPDX-License-Identifier: MIT
 * The object pool through its public calls, with fewer objects than threads: who waits is served,
 * who gives up leaves nothing behind, and an object has one holder at a time. */
#include "explore_sys.h"

#include <lido/object_pool.h>

static lido_object_pool *pool;
static uint64_t objects[2]; /* who holds each: written by its holder without any order of his own */
static uint64_t object_count;
static uint32_t timeouts;

static int create(void *context, void **object) {
    (void)context;
    explore_check(object_count < 2, "more objects than the limit allows");
    *object = &objects[object_count++];
    return 0;
}

static void setup_of(uint64_t limit) {
    explore_sys_begin(EXPLORE_BARRIER_WORKS);
    object_count = 0;
    timeouts = 0;
    explore_name(objects, sizeof objects, "objects");
    lido_status status = lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "explored", .object_limit = limit, .create = create),
        &pool);
    explore_check(status == LIDO_OK, lido_last_error());
    explore_check(lido_object_pool_prepare(pool, limit) == LIDO_OK, "nothing prepared");
}

static void setup_one(void) {
    setup_of(1);
}

static void setup_two(void) {
    setup_of(2);
}

static void use(lido_lease *lease) {
    uint64_t *holder = lease->object;
    *holder = (uint64_t)explore_thread();
    explore_check(*holder == (uint64_t)explore_thread(), "an object has two holders");
    explore_check(lido_object_pool_release(pool, lease) == LIDO_OK, "a good release was refused");
}

static void use_patiently(void) {
    lido_lease lease;
    explore_check(lido_object_pool_acquire(pool, LIDO_FOREVER, &lease) == LIDO_OK,
                  "refused, though somebody will release");
    use(&lease);
}

static void use_impatiently(void) {
    lido_lease lease;
    lido_status status = lido_object_pool_acquire(pool, LIDO_MILLISECONDS(1), &lease);
    explore_check(status == LIDO_OK || status == LIDO_ERR_TIMEOUT, "an unexpected refusal");
    if (status == LIDO_OK)
        use(&lease);
}

static void use_twice(void) {
    use_patiently();
    use_patiently();
}

static void use_and_end(void) {
    use_patiently();
    explore_sys_end_thread();
}

/* All are back: both objects can be had at once, without waiting. */
static void finish(void) {
    lido_lease lease[2];
    for (uint64_t i = 0; i < object_count; i++)
        explore_check(lido_object_pool_try_acquire(pool, &lease[i]) == LIDO_OK,
                      "an object is lost though all were released");
    for (uint64_t i = 0; i < object_count; i++)
        explore_check(lido_object_pool_release(pool, &lease[i]) == LIDO_OK, "release refused");
}

const struct explore_kernel explore_object_pool_kernels[] = {
    {.name = "objects_wait",
     .claim = "who waits for the only object gets it when it comes back",
     .preemptions = 1,
     .stale = 1,
     .setup = setup_one,
     .threads = {{"user", use_twice}, {"user 2", use_patiently}},
     .finish = finish},
    {.name = "objects_give_up",
     .claim = "a waiter that gives up loses no hand-over",
     .preemptions = 1,
     .stale = 1,
     .impatience = 1,
     .setup = setup_one,
     .threads = {{"user", use_patiently}, {"hasty", use_impatiently}, {"user 2", use_patiently}},
     .finish = finish},
    {.name = "objects_end",
     .claim = "a thread that ends leaves what it kept at hand to those who wait",
     .preemptions = 1,
     .stale = 1,
     .setup = setup_two,
     .threads = {{"user", use_and_end}, {"user 2", use_and_end}, {"user 3", use_patiently}},
     .finish = finish},
    {.name = NULL},
};
