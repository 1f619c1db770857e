/* SPDX-License-Identifier: MIT
 * What the system refuses must never break lido: each public call meets the failure of each of its
 * calls to the system, once and from then on. After it the call has answered with a documented
 * status, everything can be given back while the failures last, and nothing is left. */
#include "object_factory.h"

#include <lido/block_figures.h>
#include <lido/object_leases.h>

static bool is_one_of(lido_status status, lido_status a, lido_status b) {
    return status == LIDO_OK || status == a || status == b;
}

/* ---- The first use of lido in a process -------------------------------------------------------- */

static int first_use_failures;

/* In a child of a process that has not used lido: the key is made only once. */
static void use_for_the_first_time(void *context) {
    int k = *(int *)context;
    lido_block_pool *pool = NULL;
    check_install();
    check_arm(k, false);
    CHECK_EQ(lido_block_pool_create(NULL, &pool), LIDO_ERR_ARGUMENT);
    CHECK_EQ(lido_last_status(), LIDO_ERR_ARGUMENT);
    lido_status status = lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 64), &pool);
    bool fired = check_disarm();
    CHECK(status == LIDO_OK || status == LIDO_ERR_NO_MEMORY || status == LIDO_ERR_SYSTEM);
    CHECK((status == LIDO_OK) == (pool != NULL));
    CHECK_EQ(lido_registry_count(), pool != NULL);
    if (!pool) {
        CHECK_EQ(lido_last_status(), status);
        CHECK(lido_last_error()[0] != '\0');
        CHECK_OK(lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 64), &pool));
    }
    void *block = lido_block_pool_acquire(pool);
    CHECK(block != NULL);
    CHECK_OK(lido_block_pool_release(pool, block));
    CHECK_FAILS(lido_block_pool_release(pool, block), LIDO_ERR_NOT_HELD, "unnamed");
    CHECK_OK(lido_block_pool_destroy(pool));
    CHECK_EQ(lido_registry_count(), 0);
    _exit(fired ? 17 : 0);
}

/* Must come first, and has no set-up: that would use lido. */
static void the_first_use_of_lido_survives_every_single_failure(void **state) {
    (void)state;
    check__main_thread = pthread_self();
    for (int k = 1;; k++) {
        int status = check_child(use_for_the_first_time, &k);
        CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 17 || WEXITSTATUS(status) == 0));
        if (WEXITSTATUS(status) == 0)
            break;
        first_use_failures++;
    }
    print_message("    first use: %d failures injected\n", first_use_failures);
    CHECK(first_use_failures >= 4); /* the key, a record, the pool, its entry */
}

/* ---- Base and registry -------------------------------------------------------------------------- */

static void fail_and_read(void *context) {
    (void)context;
    CHECK_EQ(LIDO__FAIL(LIDO_ERR_BUSY, "%s", .word = {"told"}), LIDO_ERR_BUSY);
    CHECK_EQ(lido_last_status(), LIDO_ERR_BUSY);
    CHECK(lido_last_error()[0] != '\0');
    lido_log_set(LIDO_LOG_ERROR, NULL, NULL);
    CHECK_EQ(lido_registry_count(), 0);
}

static void use_base_in_a_new_thread(void *context) {
    check_in_thread(fail_and_read, context);
}

static void the_base_survives_every_failure(void **state) {
    (void)state;
    check_sweep(use_base_in_a_new_thread, NULL);
}

/* ---- Block pools --------------------------------------------------------------------------------- */

struct block_case {
    uint64_t mode, flags, ready_count, block_limit, block_size;
};

/* Acquires in both ways and checks what came against the status. */
static uint64_t acquire_what_there_is(lido_block_pool *pool, void *blocks[], uint64_t count) {
    uint64_t got = lido_block_pool_acquire_many(pool, count / 2, blocks);
    if (got < count / 2)
        CHECK_EQ(lido_last_status(), LIDO_ERR_NO_MEMORY);
    while (got < count && (blocks[got] = lido_block_pool_acquire(pool)) != NULL)
        got++;
    if (got < count)
        CHECK_EQ(lido_last_status(), LIDO_ERR_NO_MEMORY);
    for (uint64_t i = 0; i < got; i++)
        memset(blocks[i], 1, (size_t)lido_block_pool_block_size(pool));
    return got;
}

static void look_at_blocks(lido_block_pool *pool, void *blocks[], uint64_t got) {
    uint64_t index = 0, seen = 0;
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    lido_resource resource = LIDO_RESOURCE;
    for (void *block; (block = lido_block_pool_next(pool, &index)) != NULL; index++, seen++)
        CHECK(lido_block_pool_at(pool, index) == block);
    CHECK_EQ(seen, got);
    CHECK_OK(lido_block_pool_read_stats(pool, &stats));
    CHECK(stats.live == got && stats.existing >= got);
    CHECK_EQ(stats.existing, stats.live + stats.cached + stats.stranded + stats.idle);
    CHECK(lido_registry_next(0, &resource));
    for (uint64_t i = 0; i < got; i++)
        CHECK_OK(lido_block_pool_read_index(pool, blocks[i], &index));
    if (got > 0)
        CHECK_EQ(lido_block_pool_destroy(pool), LIDO_ERR_BUSY);
}

static void use_blocks(void *context) {
    enum { COUNT = 60 };
    const struct block_case *c = context;
    lido_block_pool *pool = NULL;
    void *blocks[COUNT];
    lido_status status = lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.block_size = c->block_size, .mode = c->mode, .flags = c->flags,
                                .ready_count = c->ready_count, .block_limit = c->block_limit),
        &pool);
    CHECK(is_one_of(status, LIDO_ERR_NO_MEMORY, LIDO_ERR_SYSTEM));
    CHECK((status == LIDO_OK) == (pool != NULL));
    if (!pool)
        return;
    uint64_t got = acquire_what_there_is(pool, blocks, COUNT);
    look_at_blocks(pool, blocks, got);
    for (uint64_t i = 0; i < got / 2; i++)
        CHECK_OK(lido_block_pool_release(pool, blocks[i]));
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK_OK(lido_block_pool_release_many(pool, got - got / 2, blocks + got / 2));
    CHECK_OK(lido_block_pool_set_block_limit(pool, COUNT));
    got = acquire_what_there_is(pool, blocks, 3);
    while (got > 0) {
        uint64_t index = 0;
        CHECK_OK(lido_block_pool_read_index(pool, blocks[--got], &index));
        CHECK_OK(lido_block_pool_release_index(pool, index));
    }
    CHECK_EQ(lido_block_pool_release(pool, blocks), LIDO_ERR_NOT_HELD);
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void use_blocks_in_a_new_thread(void *context) {
    check_in_thread(use_blocks, context);
}

static void block_pools_survive_every_failure(void **state) {
    (void)state;
    struct block_case cases[] = {
        {.mode = LIDO_BLOCK_POOL_SLABS, .block_size = 4096},
        {.mode = LIDO_BLOCK_POOL_SLABS, .block_size = 30000, .flags = LIDO_BLOCK_POOL_ZERO},
        {.mode = LIDO_BLOCK_POOL_SLABS, .block_size = 4096, .ready_count = 100},
        {.mode = LIDO_BLOCK_POOL_SLABS,
         .block_size = 4096,
         .flags = LIDO_BLOCK_POOL_RESERVED,
         .block_limit = 60},
        {.mode = LIDO_BLOCK_POOL_SLABS,
         .block_size = 900, /* the pool lies behind its blocks */
         .flags = LIDO_BLOCK_POOL_RESERVED,
         .block_limit = 60},
        {.mode = LIDO_BLOCK_POOL_PASS_THROUGH, .block_size = 64},
        {.mode = LIDO_BLOCK_POOL_GUARD, .block_size = 64},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_sweep(use_blocks, &cases[i]);
    check_sweep(use_blocks_in_a_new_thread, &cases[0]);
}

/* ---- Object pools ---------------------------------------------------------------------------------- */

/* Building an object may fail for want of memory too, and leaks are seen. */
static int create_in_memory(void *context, void **object) {
    (void)context;
    *object = lido__sys.alloc(100, 16);
    return *object ? 0 : 12;
}

static void destroy_in_memory(void *context, void *object) {
    (void)context;
    lido__sys.free(object);
}

static void acquire_and_release(lido_object_pool *pool) {
    enum { COUNT = 8 };
    lido_lease leases[COUNT];
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    for (int i = 0; i < COUNT; i++) {
        lido_status status =
            i % 2 ? lido_object_pool_try_acquire(pool, &leases[i])
                  : lido_object_pool_acquire_until(pool, lido_now_ns() + 5, &leases[i]);
        CHECK(is_one_of(status, LIDO_ERR_CALLBACK, LIDO_ERR_NO_MEMORY));
        CHECK((status == LIDO_OK) == (leases[i].object != NULL));
    }
    (void)lido_object_pool_next_holder(pool, 0, &holder);
    lido_status status = lido_object_pool_set_object_limit(pool, 100);
    CHECK(is_one_of(status, LIDO_ERR_NO_MEMORY, LIDO_OK));
    CHECK_OK(lido_object_pool_set_object_limit(pool, 6));
    for (int i = 0; i < COUNT; i++)
        CHECK_OK(i % 3 ? lido_object_pool_release(pool, &leases[i])
                       : lido_object_pool_discard(pool, &leases[i]));
}

static void note(void *context) {
    ++*(int *)context;
}

/* The calls of lido/object_leases.h, with one object held before and after. */
static void look_ask_and_return_all(lido_object_pool *pool) {
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    lido_object_pool_line line = LIDO_OBJECT_POOL_LINE;
    lido_object_pool_request request;
    lido_lease held = {.object = NULL}, taken = {.object = NULL};
    int notes = 0;
    uint64_t count = 0;
    if (lido_object_pool_try_acquire(pool, &held) == LIDO_OK)
        CHECK(lido_object_pool_next_line(pool, 0, &line) && line.count == 1);
    CHECK(!lido_object_pool_next_leak(pool, 0, &leak));
    lido_status status = lido_object_pool_acquire_async(pool, &request, note, &notes);
    CHECK(is_one_of(status, LIDO_ERR_NO_MEMORY, LIDO_OK));
    CHECK_EQ(notes, status == LIDO_OK);
    if (status == LIDO_OK)
        CHECK(is_one_of(lido_object_pool_take(pool, &request, &taken), LIDO_ERR_CALLBACK,
                        LIDO_ERR_NO_MEMORY));
    status = lido_object_pool_return_all(pool, &count);
    CHECK(is_one_of(status, LIDO_ERR_SYSTEM, LIDO_OK));
    CHECK_EQ(count, status == LIDO_OK ? (held.object != NULL) + (taken.object != NULL) : 0);
    CHECK_OK(lido_object_pool_release(pool, &held));
    CHECK_OK(lido_object_pool_release(pool, &taken));
}

static void use_objects(void *context) {
    lido_object_pool *pool = NULL;
    lido_lease lease;
    (void)context;
    lido_status status = lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "objects", .object_limit = 9, .create = create_in_memory,
                                 .destroy = destroy_in_memory),
        &pool);
    CHECK(is_one_of(status, LIDO_ERR_NO_MEMORY, LIDO_ERR_SYSTEM));
    CHECK((status == LIDO_OK) == (pool != NULL));
    if (!pool)
        return;
    CHECK(is_one_of(lido_object_pool_prepare(pool, 3), LIDO_ERR_CALLBACK, LIDO_ERR_NO_MEMORY));
    acquire_and_release(pool);
    look_ask_and_return_all(pool);
    lido_object_pool_stats stats = object_stats(pool);
    CHECK_EQ(stats.existing, stats.live + stats.idle);
    CHECK(stats.live == 0 && stats.existing <= 6);
    (void)lido_object_pool_trim(pool, 1);
    CHECK_OK(lido_object_pool_close(pool, 0));
    CHECK_EQ(lido_object_pool_acquire(pool, LIDO_SECONDS(1), &lease), LIDO_ERR_CLOSED);
    CHECK_OK(lido_object_pool_destroy(pool));
}

static void use_objects_in_a_new_thread(void *context) {
    check_in_thread(use_objects, context);
}

static void object_pools_survive_every_failure(void **state) {
    (void)state;
    check_sweep(use_objects, NULL);
    check_sweep(use_objects_in_a_new_thread, NULL);
}

CHECK_MAIN({"the_first_use_of_lido_survives_every_single_failure",
            the_first_use_of_lido_survives_every_single_failure, NULL, NULL, NULL},
           TEST(the_base_survives_every_failure), TEST(block_pools_survive_every_failure),
           TEST(object_pools_survive_every_failure))
