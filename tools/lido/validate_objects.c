/* SPDX-License-Identifier: MIT
 * validate_objects.c -- rows about object pools that size themselves and share a budget. */
#include "validate.h"

#include <inttypes.h>
#include <lido/budget.h>
#include <lido/object_figures.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 8, ROUNDS = 3000, POOLS = 8, LEAST = 2, MOST = 32, OBJECT_BYTES = 4096 };
enum { LONG_HOLDS = 20, LONG_NS = 10000000 };

static int make(void *context, void **object) {
    (void)context;
    *object = calloc(1, OBJECT_BYTES);
    return *object == NULL;
}

static void end(void *context, void *object) {
    (void)context;
    free(object);
}

static lido_object_pool_stats figures(const lido_object_pool *pool) {
    lido_object_pool_stats stats = {.struct_size = sizeof stats};
    (void)lido_object_pool_read_stats(pool, &stats);
    return stats;
}

/* ---- B2: eight threads, a pool that sizes itself --------------------------------------------- */

struct user {
    lido_object_pool *pool;
    bool wasteful;
    uint64_t errors;
};

static void *use(void *context) {
    struct user *user = context;
    for (int i = 0; i < ROUNDS; i++) {
        lido_lease lease;
        if (lido_object_pool_acquire(user->pool, LIDO_SECONDS(10), &lease) != LIDO_OK) {
            user->errors++;
            continue;
        }
        memset(lease.object, i, OBJECT_BYTES);
        if (i % (ROUNDS / LONG_HOLDS) == 0) /* beyond the contention threshold: it has to grow */
            nanosleep(&(struct timespec){.tv_nsec = LONG_NS}, NULL);
        user->errors += (user->wasteful && i % 4 == 0
                             ? lido_object_pool_discard(user->pool, &lease)
                             : lido_object_pool_release(user->pool, &lease)) != LIDO_OK;
    }
    return NULL;
}

void validate_sizing(struct row *row) {
    struct user users[THREADS];
    pthread_t threads[THREADS];
    lido_object_pool *pool;
    uint64_t errors = 0;
    int started = 0;
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "validate", .sizing = 1,
                                                         .create = make, .destroy = end),
                                &pool) != LIDO_OK) {
        row_failed(row, "%s", lido_last_error());
        return;
    }
    for (; started < THREADS; started++) {
        users[started] = (struct user){pool, row->broken, 0};
        if (pthread_create(&threads[started], NULL, use, &users[started]) != 0)
            break;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        errors += users[i].errors;
    }
    lido_object_pool_stats s = figures(pool);
    row_result(row,
               started == THREADS && errors == 0 && s.reuse >= 0.893 && s.size > LEAST &&
                   s.size <= MOST && s.existing <= s.size && s.resized > 0,
               "%" PRIu64 " errors, re-use %.4f, %" PRIu64 " built, size %" PRIu64 " after %" PRIu64
               " changes",
               errors, s.reuse, s.created, s.size, s.resized);
    (void)lido_object_pool_destroy(pool);
}

/* ---- B5: eight pools, one budget --------------------------------------------------------------- */

enum { ROOM = 64 };

/* Takes all there is room for, and gives it back. Returns the share of the budget's bytes in use. */
static double peak_of(lido_object_pool *pool, lido_budget *budget, bool *is_within) {
    lido_lease leases[ROOM + 1];
    lido_budget_stats s = {.struct_size = sizeof s};
    int count = 0;
    while (count <= ROOM && lido_object_pool_try_acquire(pool, &leases[count]) == LIDO_OK)
        count++;
    (void)lido_budget_read_stats(budget, &s);
    *is_within = *is_within && s.used_peak_bytes <= (uint64_t)ROOM * OBJECT_BYTES;
    for (int i = 0; i < count; i++)
        (void)lido_object_pool_release(pool, &leases[i]);
    return s.used_bytes ? (double)count * OBJECT_BYTES / (double)s.used_bytes : 0;
}

void validate_budget(struct row *row) {
    lido_budget *budget = NULL;
    lido_object_pool *pools[POOLS] = {NULL};
    double least = 1;
    bool is_within = true;
    bool good = lido_budget_create(LIDO_BUDGET_OPTIONS(.name = "validate",
                                                       .limit_bytes = (uint64_t)ROOM * OBJECT_BYTES,
                                                       .flags = row->broken ? LIDO_BUDGET_KEEP : 0),
                                   &budget) == LIDO_OK;
    for (int i = 0; i < POOLS && good; i++)
        good = lido_object_pool_create(
                   LIDO_OBJECT_POOL_OPTIONS(.name = "validate", .object_limit = ROOM + 1,
                                            .create = make, .destroy = end, .budget = budget,
                                            .object_bytes = OBJECT_BYTES),
                   &pools[i]) == LIDO_OK;
    for (int i = 0; i < 3 * POOLS && good; i++) {
        double share = peak_of(pools[i % POOLS], budget, &is_within);
        least = share < least ? share : least;
    }
    if (good)
        row_result(row, is_within && least >= 0.952,
                   "%.4f of the bytes in use at the worst of %d peaks; the limit %s", least,
                   3 * POOLS, is_within ? "held" : "was PASSED");
    else
        row_failed(row, "%s", lido_last_error());
    for (int i = 0; i < POOLS; i++)
        (void)lido_object_pool_destroy(pools[i]);
    (void)lido_budget_destroy(budget);
}

/* ---- C1: up with the peak, down behind it ---------------------------------------------------------- */

static void tend_for(lido_object_pool *pool, uint64_t ns, bool broken) {
    const struct timespec tenth = {.tv_nsec = 100000000};
    for (uint64_t until = lido_now_ns() + ns; lido_now_ns() < until;) {
        nanosleep(&tenth, NULL);
        if (!broken)
            (void)lido_object_pool_tend(pool);
    }
}

void validate_window(struct row *row) {
    lido_object_pool *pool;
    lido_lease leases[24];
    int count = 0, reasons = 0;
    uint64_t changes = 0;
    lido_object_pool_decision d = LIDO_OBJECT_POOL_DECISION;
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "validate", .sizing = 1,
                                                         .object_limit = MOST,
                                                         .sizing_interval_ns = LIDO_SECONDS(1),
                                                         .sizing_window_ns = LIDO_SECONDS(1),
                                                         .create = make, .destroy = end),
                                &pool) != LIDO_OK) {
        row_failed(row, "%s", lido_last_error());
        return;
    }
    while (count < 24 && lido_object_pool_try_acquire(pool, &leases[count]) == LIDO_OK)
        count++;
    tend_for(pool, LIDO_MILLISECONDS(1500), row->broken);
    uint64_t top = figures(pool).size;
    for (int i = 0; i < count; i++)
        (void)lido_object_pool_release(pool, &leases[i]);
    tend_for(pool, LIDO_MILLISECONDS(3500), row->broken);
    while (lido_object_pool_next_decision(pool, d.number, &d)) {
        changes++;
        reasons += d.reason != NULL && d.reason[0] != '\0';
    }
    uint64_t low = figures(pool).size;
    row_result(row, count == 24 && top == MOST && low <= 25 && changes == (uint64_t)reasons,
               "2 to %" PRIu64 " with 24 in use, then down to %" PRIu64
               "; reasons for %d of %" PRIu64 " changes kept",
               top, low, reasons, changes);
    (void)lido_object_pool_destroy(pool);
}
