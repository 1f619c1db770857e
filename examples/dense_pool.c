/* SPDX-License-Identifier: MIT
 * Sparks that fall and go out. All that glow lie side by side, so a step is a walk over an array; one
 * spark is followed by its handle, which finds it wherever it moves, until it is gone. */
#include <lido/dense_pool.h>

#include <inttypes.h>
#include <stdio.h>

struct spark {
    float height, speed;
    uint32_t life, unused;
};

static void light(lido_dense_pool *pool, uint32_t life, lido_dense_handle *handle) {
    struct spark *spark = lido_dense_pool_acquire(pool, handle);
    if (spark != NULL) /* NULL cannot be: at its limit this pool drops the oldest */
        *spark = (struct spark){10, 0.5F, life, 0};
}

static void step(lido_dense_pool *pool) {
    struct spark *sparks = lido_dense_pool_objects(pool);
    for (uint64_t i = 0; i < lido_dense_pool_count(pool);) {
        sparks[i].speed -= 0.1F;
        sparks[i].height += sparks[i].speed;
        if (--sparks[i].life == 0)
            (void)lido_dense_pool_release_place(pool, i); /* another is at i now */
        else
            i++;
    }
}

int main(void) {
    lido_dense_pool *sparks;
    lido_dense_handle followed, other;
    lido_dense_pool_stats stats = {.struct_size = sizeof stats};
    if (lido_dense_pool_create(
            LIDO_DENSE_POOL_OPTIONS(.name = "sparks", .object_bytes = sizeof(struct spark),
                                    .object_limit = 100, .at_limit = LIDO_DENSE_POOL_DROP_OLDEST),
            &sparks) != LIDO_OK)
        return fprintf(stderr, "sparks: %s\n", lido_last_error()), 1;
    light(sparks, 12, &followed);
    for (uint32_t tick = 1; tick <= 1000; tick++) {
        for (uint32_t i = 0; i < 7; i++)
            light(sparks, 3 + (tick + i) % 20, &other);
        step(sparks);
        const struct spark *spark = lido_dense_pool_find(sparks, followed);
        if (spark != NULL)
            printf("tick %" PRIu32 ": at %.1f\n", tick, (double)spark->height);
        else if (followed != LIDO_DENSE_HANDLE_NONE)
            printf("tick %" PRIu32 ": %s\n", tick, lido_last_error());
        followed = spark != NULL ? followed : LIDO_DENSE_HANDLE_NONE;
    }
    (void)lido_dense_pool_read_stats(sparks, &stats);
    printf("%" PRIu64 " lit, %" PRIu64 " dropped, %" PRIu64 " at once\n", stats.acquired,
           stats.dropped, stats.live_peak);
    lido_dense_pool_release_all(sparks);
    return lido_dense_pool_destroy(sparks) == LIDO_OK ? 0 : 1;
}
