/* SPDX-License-Identifier: MIT
 * Rows of requirement C4: dense pools, mostly by the arena that plays on them. */
#include "validate.h"

#include "arena/play.h"
#include "swarm/measure.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3 };

/* Plays one run, with its series thrown away but for the sums; false: the row has failed. */
static bool play(struct row *row, struct arena_options options, enum arena_variant variant,
                 struct arena_run *run, uint64_t *sums) {
    double *tick_us = calloc(options.ticks, sizeof *tick_us);
    if (tick_us == NULL) {
        row_failed(row, "no memory");
        return false;
    }
    (void)arena_play(&options, variant, NULL, run, tick_us, sums);
    free(tick_us);
    if (!run->done)
        row_failed(row, "%s", run->error);
    return run->done;
}

void validate_arena_world(struct row *row) {
    enum { TICKS = 700 };
    static uint64_t sums[ARENA_VARIANT_COUNT][TICKS];
    struct arena_run run;
    uint64_t equal = 0, add_up = 0;
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++) {
        bool is_spoilt = row->broken && v == ARENA_LIDO;
        struct arena_options options = {.ticks = TICKS, .seed = is_spoilt ? 2 : 1};
        if (!play(row, options, (enum arena_variant)v, &run, sums[v]))
            return;
        equal += memcmp(sums[0], sums[v], sizeof sums[v]) == 0;
        add_up += run.adds_up && run.peaks_agree;
    }
    row_result(row, equal == ARENA_VARIANT_COUNT && add_up == ARENA_VARIANT_COUNT,
               "%" PRIu64 " of %d equal in all %d ticks, %" PRIu64 " of %d add up", equal,
               ARENA_VARIANT_COUNT, TICKS, add_up, ARENA_VARIANT_COUNT);
}

void validate_arena_reuse(struct row *row) {
    enum { TICKS = 2600 };
    static uint64_t sums[TICKS];
    struct arena_run run;
    double made = 0, spawned = 0, fresh = 0;
    struct arena_options options = {.ticks = row->broken ? 12 : TICKS, .seed = 1};
    if (!play(row, options, ARENA_LIDO, &run, sums))
        return;
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        made += (double)run.of[k].made;
        spawned += (double)run.of[k].spawned;
        fresh += (1 - run.pool[k].reuse) * (double)run.pool[k].acquired;
    }
    bool no_faults = run.faults_late == 0 || measure_sanitizer() != NULL;
    double avoided = made < spawned ? 1 - made / spawned : 0;
    double mb = (double)run.peak_bytes / 1e6;
    row_result(row, avoided >= 0.7 && fresh < 0.1 * spawned && mb < 500 && no_faults,
               "avoided %.3f, re-use %.3f, %.0f MB, %" PRIu64 " faults once warm", avoided,
               1 - fresh / spawned, mb, run.faults_late);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void validate_arena_ticks(struct row *row) {
    enum { TICKS = 2000 };
    static uint64_t sums[TICKS];
    struct arena_run lido, array, heap;
    double to_array[ROUNDS], to_malloc[ROUNDS];
    struct arena_options options = {.ticks = TICKS, .seed = 1};
    if (measure_sanitizer() != NULL) {
        row_not_measured(row, "a sanitizer (%s) slows down what is compared", measure_sanitizer());
        return;
    }
    for (int round = 0; round < ROUNDS; round++) {
        if (!play(row, options, row->broken ? ARENA_MALLOC : ARENA_LIDO, &lido, sums) ||
            !play(row, options, ARENA_ARRAY, &array, sums) ||
            !play(row, options, ARENA_MALLOC, &heap, sums))
            return;
        to_array[round] = lido.p50_us / array.p50_us;
        to_malloc[round] = lido.p999_us / heap.p999_us;
    }
    qsort(to_array, ROUNDS, sizeof *to_array, by_size);
    qsort(to_malloc, ROUNDS, sizeof *to_malloc, by_size);
    row_result(row, to_array[ROUNDS / 2] <= 1.15 && to_malloc[ROUNDS / 2] <= 1,
               "p50 %.2f of the array's (%.2f to %.2f), p99.9 %.2f of malloc's (%.2f to %.2f)",
               to_array[ROUNDS / 2], to_array[0], to_array[ROUNDS - 1], to_malloc[ROUNDS / 2],
               to_malloc[0], to_malloc[ROUNDS - 1]);
}

/* Whether a release of the handle is refused, and the message names the pool. */
static bool is_refused(lido_dense_pool *pool, lido_dense_handle handle) {
    return lido_dense_pool_release(pool, handle) == LIDO_ERR_NOT_HELD &&
           strstr(lido_last_error(), "validate") != NULL;
}

void validate_dense_handles(struct row *row) {
    enum { COUNT = 100 };
    lido_dense_pool *pool, *other;
    lido_dense_handle handle[COUNT], foreign;
    uint64_t refused = 0, found = 0;
    if (lido_dense_pool_create(
            LIDO_DENSE_POOL_OPTIONS(.name = "validate", .object_bytes = sizeof(uint64_t)), &pool) ||
        lido_dense_pool_create(LIDO_DENSE_POOL_OPTIONS(.name = "other", .object_bytes = 8),
                               &other)) {
        row_failed(row, "%s", lido_last_error());
        return;
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t *object = lido_dense_pool_acquire(pool, &handle[i]);
        if (object != NULL)
            *object = i;
    }
    for (int i = 0; i < COUNT && !row->broken; i += 2)
        (void)lido_dense_pool_release(pool, handle[i]);
    for (int i = 0; i < COUNT; i += 2)
        refused += is_refused(pool, handle[i]);
    if (lido_dense_pool_acquire(other, &foreign) != NULL)
        refused += is_refused(pool, foreign);
    for (uint64_t i = 1; i < COUNT; i += 2) {
        const uint64_t *object = lido_dense_pool_find(pool, handle[i]);
        found += object != NULL && *object == i;
    }
    row_result(row, refused == COUNT / 2 + 1 && found == COUNT / 2,
               "%" PRIu64 " of %d refused by name, %" PRIu64 " of %d moved objects found", refused,
               COUNT / 2 + 1, found, COUNT / 2);
    lido_dense_pool_release_all(pool);
    lido_dense_pool_release_all(other);
    (void)lido_dense_pool_destroy(pool);
    (void)lido_dense_pool_destroy(other);
}
