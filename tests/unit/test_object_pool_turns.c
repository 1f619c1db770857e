/* SPDX-License-Identifier: MIT
 * The count of turns in a lease wraps after 2^31 acquisitions of one slot, which no test can wait
 * for: so this one knows the inside of a pool, and sets the count. */
#include "object_factory.h"

#include "object_pool/internal.h"

static void leases_are_told_apart_across_the_wrap_of_turns(void **state) {
    (void)state;
    lido_lease lease, last = {.object = NULL};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    lido__store(&lido__slot_at(&pool->leases, lease.slot)->name,
                (uint64_t)(UINT32_MAX - 7) << 32 | lease.slot, relaxed);
    for (int i = 0; i < 8; i++) {
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
        lido_lease copy = lease;
        if (last.object)
            CHECK_FAILS(lido_object_pool_release(pool, &last), LIDO_ERR_NOT_HELD, "parsers");
        CHECK_OK(lido_object_pool_release(pool, &lease));
        last = copy;
        CHECK_FAILS(lido_object_pool_release(pool, &copy), LIDO_ERR_NOT_HELD, "parsers");
    }
    CHECK_EQ(object_stats(pool).refused_release, 15);
    CHECK(last.turn < 8);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

CHECK_MAIN(TEST(leases_are_told_apart_across_the_wrap_of_turns))
