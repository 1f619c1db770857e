/* SPDX-License-Identifier: MIT
 * validate_leases.c -- rows about leases: who leaks, everything back at once, a million objects, and
 * objects that several threads build together. */
#include "validate.h"

#include <inttypes.h>
#include <lido/object_figures.h>
#include <lido/object_leases.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Numbers are objects enough where nothing is written into them. */
static int make_number(void *context, void **object) {
    static char base;
    uintptr_t *next = context;
    *object = &base + ++*next;
    return 0;
}

static lido_object_pool_stats figures(const lido_object_pool *pool) {
    lido_object_pool_stats stats = {.struct_size = sizeof stats};
    (void)lido_object_pool_read_stats(pool, &stats);
    return stats;
}

static bool make_pool(struct row *row, const lido_object_pool_options *options,
                      lido_object_pool **pool) {
    if (lido_object_pool_create(options, pool) == LIDO_OK)
        return true;
    row_failed(row, "%s", lido_last_error());
    return false;
}

/* ---- B3: built once, side by side --------------------------------------------------------------- */

enum { DETECTORS = 8, BUILDERS = 2, WORK = 6000000, TRIES = 5 };

/* As dear as compiling some queries: about ten milliseconds of arithmetic. */
static int make_dear(void *context, void **object) {
    uint64_t *dear = malloc(sizeof *dear);
    (void)context;
    if (!dear)
        return 1;
    *dear = (uintptr_t)dear | 1;
    for (int i = 0; i < WORK; i++)
        *dear = *dear * UINT64_C(6364136223846793005) + 1;
    *object = dear;
    return 0;
}

static void end_dear(void *context, void *object) {
    (void)context;
    free(object);
}

static void *build(void *pool) {
    return lido_object_pool_prepare(pool, DETECTORS) == LIDO_OK ? pool : NULL;
}

/* Nanoseconds until all are ready; 0: something failed, or more were built than wanted. */
static uint64_t time_building(int threads) {
    pthread_t other[BUILDERS];
    lido_object_pool *pool = NULL;
    int started = 1;
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "detectors",
                                                         .object_limit = DETECTORS,
                                                         .create = make_dear, .destroy = end_dear),
                                &pool) != LIDO_OK)
        return 0;
    uint64_t start_ns = lido_now_ns();
    while (started < threads && pthread_create(&other[started], NULL, build, pool) == 0)
        started++;
    bool good = build(pool) && started == threads;
    for (int i = 1; i < started; i++) {
        void *built = NULL;
        pthread_join(other[i], &built);
        good = good && built;
    }
    uint64_t took_ns = lido_now_ns() - start_ns;
    good = good && figures(pool).created == DETECTORS;
    (void)lido_object_pool_destroy(pool);
    return good ? took_ns : 0;
}

void validate_parallel(struct row *row) {
    uint64_t serial_ns = UINT64_MAX, parallel_ns = UINT64_MAX; /* the best of each */
    if (sysconf(_SC_NPROCESSORS_ONLN) < BUILDERS) {
        row_not_measured(row, "there is one core only");
        return;
    }
    for (int i = 0; i < TRIES; i++) {
        uint64_t alone_ns = time_building(1);
        uint64_t together_ns = time_building(row->broken ? 1 : BUILDERS);
        if (alone_ns == 0 || together_ns == 0) {
            row_failed(row, "not all were built, or some twice");
            return;
        }
        serial_ns = alone_ns < serial_ns ? alone_ns : serial_ns;
        parallel_ns = together_ns < parallel_ns ? together_ns : parallel_ns;
    }
    double ratio = (double)parallel_ns / (double)serial_ns;
    row_result(row, ratio <= 0.57, "%.2f of %.0f ms, by %d threads (the best of %d tries of each)",
               ratio, (double)serial_ns / 1e6, BUILDERS, TRIES);
}

/* ---- C2: the first leak names its line ---------------------------------------------------------- */

enum { USED = 1000, TURNS = 20 };

struct leaker {
    lido_object_pool *pool;
    lido_lease lease;
    bool is_shy;
};

static void *leak_one(void *context) {
    struct leaker *leaker = context;
    lido_status status = lido_object_pool_acquire_at(leaker->pool, 0, &leaker->lease,
                                                     leaker->is_shy ? NULL : "leaker.c:7");
    return status == LIDO_OK ? leaker : NULL;
}

static uint64_t use_many(lido_object_pool *pool) {
    static lido_lease leases[USED];
    uint64_t errors = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < USED; i++)
            errors += lido_object_pool_try_acquire(pool, &leases[i]) != LIDO_OK;
        for (int i = 0; i < USED; i++)
            errors += lido_object_pool_release(pool, &leases[i]) != LIDO_OK;
    }
    return errors;
}

void validate_leaks(struct row *row) {
    uintptr_t count = 0;
    struct leaker leaker = {.is_shy = row->broken};
    pthread_t thread;
    void *leaked = NULL;
    lido_object_pool_leak leak = LIDO_OBJECT_POOL_LEAK;
    uint64_t found = 0, named = 0;
    if (!make_pool(row,
                   LIDO_OBJECT_POOL_OPTIONS(.name = "validate", .object_limit = USED + 1,
                                            .create = make_number, .context = &count),
                   &leaker.pool))
        return;
    uint64_t errors = use_many(leaker.pool);
    if (pthread_create(&thread, NULL, leak_one, &leaker) == 0)
        pthread_join(thread, &leaked);
    errors += use_many(leaker.pool) + !leaked;
    for (uint64_t i = 0; lido_object_pool_next_leak(leaker.pool, i, &leak); i = leak.slot + 1) {
        found++;
        named += leak.site && strcmp(leak.site, "leaker.c:7") == 0 &&
                 leak.object == leaker.lease.object && leak.reason == LIDO_LEAK_THREAD_ENDED;
    }
    row_result(row, errors == 0 && found == 1 && named == 1,
               "%" PRIu64 " suspect of %d leases, %" PRIu64
               " by its line, object and reason; %" PRIu64 " errors",
               found, 2 * TURNS * USED + 1, named, errors);
    (void)lido_object_pool_release(leaker.pool, &leaker.lease);
    (void)lido_object_pool_destroy(leaker.pool);
}

/* ---- C3: everything back, while it is used ------------------------------------------------------ */

enum { USERS = 4, PLACES = 8, CYCLES = 20000, RETURNS = 200 };

struct page {
    uint64_t user;
};

struct returner {
    lido_object_pool *pool;
    uint64_t number, errors;
};

static int make_page(void *context, void **object) {
    (void)context;
    return (*object = calloc(1, sizeof(struct page))) == NULL;
}

static void free_page(void *context, void *object) {
    (void)context;
    free(object);
}

static void *use_pages(void *context) {
    struct returner *r = context;
    for (int i = 0; i < CYCLES; i++) {
        lido_lease lease;
        if (lido_object_pool_acquire(r->pool, LIDO_SECONDS(10), &lease) != LIDO_OK) {
            r->errors++;
            continue;
        }
        struct page *page = lease.object;
        page->user = r->number;
        if (i % 64 == 0)
            sched_yield();
        r->errors += page->user != r->number;
        r->errors += lido_object_pool_release(r->pool, &lease) != LIDO_OK;
    }
    return NULL;
}

static uint64_t return_beside_users(lido_object_pool *pool) {
    struct returner users[USERS];
    pthread_t threads[USERS];
    uint64_t errors = 0;
    for (int i = 0; i < USERS; i++) {
        users[i] = (struct returner){.pool = pool, .number = (uint64_t)i + 1};
        if (pthread_create(&threads[i], NULL, use_pages, &users[i]) != 0)
            return 1;
    }
    for (int i = 0; i < RETURNS; i++) {
        errors += lido_object_pool_return_all(pool, NULL) != LIDO_OK;
        sched_yield();
    }
    for (int i = 0; i < USERS; i++) {
        pthread_join(threads[i], NULL);
        errors += users[i].errors;
    }
    return errors;
}

/* All out, all back, all out again: the old holders still have theirs, and nobody else does. */
static uint64_t return_what_is_held(lido_object_pool *pool, bool forgets) {
    lido_lease old[PLACES], new[PLACES];
    uint64_t count = 0, errors = 0;
    for (int i = 0; i < PLACES; i++)
        errors += lido_object_pool_try_acquire(pool, &old[i]) != LIDO_OK;
    if (!forgets)
        errors += lido_object_pool_return_all(pool, &count) != LIDO_OK;
    for (int i = 0; i < PLACES; i++) {
        errors += lido_object_pool_try_acquire(pool, &new[i]) != LIDO_OK;
        for (int k = 0; k < PLACES; k++)
            errors += new[i].object == old[k].object;
    }
    errors += lido_object_pool_destroy(pool) != LIDO_ERR_BUSY;
    for (int i = 0; i < PLACES; i++) {
        errors += lido_object_pool_release(pool, &old[i]) != LIDO_OK;
        errors += lido_object_pool_release(pool, &new[i]) != LIDO_OK;
    }
    return errors + (count != PLACES);
}

void validate_return(struct row *row) {
    lido_object_pool *pool;
    if (!make_pool(row,
                   LIDO_OBJECT_POOL_OPTIONS(.name = "validate", .object_limit = PLACES,
                                            .create = make_page, .destroy = free_page),
                   &pool))
        return;
    uint64_t held = return_what_is_held(pool, row->broken);
    uint64_t beside = return_beside_users(pool);
    lido_object_pool_stats s = figures(pool);
    bool is_whole = s.live == 0 && s.retired == 0 && s.created == s.destroyed + s.existing;
    uint64_t left = lido_object_pool_destroy(pool) != LIDO_OK;
    row_result(row, held + beside + left == 0 && is_whole,
               "%" PRIu64 " errors in %d returns beside %d users of %d cycles; %" PRIu64
               " objects ended for it, none used twice",
               held + beside + left, RETURNS, USERS, CYCLES, s.destroyed);
}

/* ---- C14: 1,000 pools, 1,000,000 objects -------------------------------------------------------- */

enum { POOLS = 1000, EACH = 1000, POOL_BYTES = 1024, OBJECT_BYTES = 72 };

/* Takes every object there is, and finds that there is none beyond. Returns the errors. */
static uint64_t take_all(lido_object_pool *pools[], lido_lease *leases) {
    uint64_t errors = 0;
    lido_lease more;
    for (int p = 0; p < POOLS; p++) {
        for (int i = 0; i < EACH; i++)
            errors += lido_object_pool_try_acquire(pools[p], &leases[p * EACH + i]) != LIDO_OK;
        errors += lido_object_pool_try_acquire(pools[p], &more) != LIDO_ERR_EMPTY;
    }
    for (int p = 0; p < POOLS; p++)
        for (int i = 0; i < EACH; i++)
            errors += lido_object_pool_release(pools[p], &leases[p * EACH + i]) != LIDO_OK;
    return errors;
}

void validate_million(struct row *row) {
    static lido_object_pool *pools[POOLS];
    lido_lease *leases = calloc((size_t)POOLS * EACH, sizeof *leases);
    uintptr_t built = 0;
    uint64_t empty_bytes = 0, full_bytes = 0;
    bool good = leases != NULL;
    for (int p = 0; p < POOLS && good; p++) {
        good = lido_object_pool_create(
                   LIDO_OBJECT_POOL_OPTIONS(.name = "validate", .object_limit = EACH,
                                            .create = make_number, .context = &built),
                   &pools[p]) == LIDO_OK;
        empty_bytes += good ? figures(pools[p]).overhead_bytes : 0;
        good = good && lido_object_pool_prepare(pools[p], row->broken ? EACH - 1 : EACH) == LIDO_OK;
    }
    if (!good) {
        row_failed(row, "%s", leases ? lido_last_error() : "no memory for the leases");
        free(leases);
        return;
    }
    uintptr_t prepared = built;
    uint64_t errors = take_all(pools, leases);
    for (int p = 0; p < POOLS; p++)
        full_bytes += figures(pools[p]).overhead_bytes;
    double pool_bytes = (double)empty_bytes / POOLS;
    double object_bytes = (double)(full_bytes - empty_bytes) / (POOLS * EACH);
    for (int p = 0; p < POOLS; p++)
        errors += lido_object_pool_destroy(pools[p]) != LIDO_OK;
    free(leases);
    row_result(row,
               errors == 0 && prepared == (uintptr_t)POOLS * EACH && pool_bytes <= POOL_BYTES &&
                   object_bytes <= OBJECT_BYTES,
               "%" PRIuPTR " objects, %" PRIu64 " errors; %.0f bytes a pool, %.1f an object",
               prepared, errors, pool_bytes, object_bytes);
}
