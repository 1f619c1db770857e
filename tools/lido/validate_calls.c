/* SPDX-License-Identifier: MIT
 * Rows about calls: what they cost, whether figures are exact at rest, what is refused. Times are the
 * least disturbed of several rounds: a pause that the pool causes is there in each of them, one that
 * the machine causes is not. */
#include "validate.h"

#include "swarm/random.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { rounds = 5, many = 100000, kept = 10000 };

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* ---- Time ----------------------------------------------------------------------------------- */

static uint64_t time_pairs(lido_block_pool *pool, int pairs) {
    uint64_t start_ns = lido_now_ns();
    for (int i = 0; i < pairs; i++)
        (void)lido_block_pool_release(pool, lido_block_pool_acquire(pool));
    return lido_now_ns() - start_ns;
}

void validate_constant(struct row *row) {
    enum { pairs = 50000, few = 100 };
    void **blocks = row_pointers(many);
    lido_block_pool *small = row_pool(row, .block_size = 64);
    lido_block_pool *large = small != NULL ? row_pool(row, .block_size = 64) : NULL;
    if (large != NULL && row_fill(row, small, few, blocks) && row_fill(row, large, many, blocks)) {
        uint64_t with_few = UINT64_MAX, with_many = UINT64_MAX;
        for (int round = 0; round < rounds; round++) {
            with_few = least(with_few, time_pairs(small, pairs));
            with_many = least(with_many, time_pairs(large, row->broken ? 10 * pairs : pairs));
        }
        double ratio = (double)with_many / (double)with_few;
        row_result(row, ratio <= 2, "%.2f (%.1f ns a pair with 100 blocks out, %.1f with 100,000)",
                   ratio, (double)with_few / pairs, (double)with_many / pairs);
    }
    row_end_pool(small);
    row_end_pool(large);
    free(blocks);
}

static uint64_t time_many(lido_block_pool *pool, int rounds_of_32, bool in_bulk) {
    void *blocks[32];
    uint64_t start_ns = lido_now_ns();
    for (int i = 0; i < rounds_of_32; i++) {
        if (in_bulk) {
            (void)lido_block_pool_release_many(pool, lido_block_pool_acquire_many(pool, 32, blocks),
                                               blocks);
            continue;
        }
        for (int k = 0; k < 32; k++)
            blocks[k] = lido_block_pool_acquire(pool);
        for (int k = 0; k < 32; k++)
            (void)lido_block_pool_release(pool, blocks[k]);
    }
    return lido_now_ns() - start_ns;
}

static uint64_t time_bulk_of_one(lido_block_pool *pool, int blocks) {
    void *block = NULL;
    uint64_t start_ns = lido_now_ns();
    for (int i = 0; i < blocks; i++)
        (void)lido_block_pool_release_many(pool, lido_block_pool_acquire_many(pool, 1, &block),
                                           &block);
    return lido_now_ns() - start_ns;
}

void validate_bulk(struct row *row) {
    enum { times = 5000 };
    lido_block_pool *pool = row_pool(row, .block_size = 64);
    uint64_t single = UINT64_MAX, bulk = UINT64_MAX;
    for (int round = 0; pool != NULL && round < 2 * rounds; round++) {
        single = least(single, time_many(pool, times, false));
        bulk = least(bulk, row->broken ? time_bulk_of_one(pool, 32 * times)
                                       : time_many(pool, times, true));
    }
    if (pool != NULL)
        row_result(row, bulk <= single, "%.2f (%.1f ns a block, %.1f by single calls)",
                   (double)bulk / (double)single, (double)bulk / (32.0 * times),
                   (double)single / (32.0 * times));
    row_end_pool(pool);
}

struct trimmer {
    lido_block_pool *pool;
    pthread_mutex_t lock; /* guards done */
    bool done;
};

static void *trim(void *argument) {
    struct trimmer *t = argument;
    (void)lido_block_pool_trim(t->pool, LIDO_FOREVER);
    pthread_mutex_lock(&t->lock);
    t->done = true;
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static bool is_done(struct trimmer *t) {
    pthread_mutex_lock(&t->lock);
    bool done = t->done;
    pthread_mutex_unlock(&t->lock);
    return done;
}

/* Slabs that were never written cost nothing to give back: that would be too easy. */
static void touch(void **blocks, uint64_t count, size_t bytes) {
    for (uint64_t i = 0; i < count; i++)
        memset(blocks[i], 1, bytes);
}

/* How often the system took the processor away from this thread. */
static long preemptions(void) {
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

struct watch {
    uint64_t then_ns, longest_ns;
    long preempted;
};

static void watch_start(struct watch *watch) {
    watch->preempted = preemptions();
    watch->then_ns = lido_now_ns();
}

/* A call during which the system preferred another thread says nothing about the pool. */
static void watch_end(struct watch *watch) {
    uint64_t took_ns = lido_now_ns() - watch->then_ns;
    if (took_ns > watch->longest_ns && preemptions() == watch->preempted)
        watch->longest_ns = took_ns;
}

/* The longest call of this thread while 90,000 blocks come back and another thread coalesces them;
 * 0: the row has failed. */
static uint64_t longest_call(struct row *row, lido_block_pool *pool, void **blocks) {
    struct trimmer trimmer = {.pool = pool};
    struct watch watch = {.longest_ns = 0};
    pthread_t thread;
    pthread_mutex_init(&trimmer.lock, NULL);
    touch(blocks, many, 64);
    for (uint64_t i = kept; i < many; i++) {
        watch_start(&watch);
        (void)lido_block_pool_release(pool, blocks[i]);
        watch_end(&watch);
    }
    if (pthread_create(&thread, NULL, trim, &trimmer) != 0) {
        row_not_measured(row, "no second thread to be had");
        return 0;
    }
    for (int calls = 0; calls < 20 || !is_done(&trimmer); calls++) {
        watch_start(&watch);
        if (row->broken)
            row_doze(2000000);
        void *block = lido_block_pool_acquire(pool);
        watch_end(&watch);
        watch_start(&watch);
        (void)lido_block_pool_release(pool, block);
        watch_end(&watch);
    }
    pthread_join(thread, NULL);
    pthread_mutex_destroy(&trimmer.lock);
    return watch.longest_ns;
}

void validate_pause(struct row *row) {
    void **blocks = row_pointers(many);
    lido_block_pool *pool = row_pool(row, .block_size = 64, .idle_keep_ns = LIDO_MILLISECONDS(1));
    uint64_t longest = UINT64_MAX;
    bool going = pool != NULL && row_fill(row, pool, kept, blocks);
    for (int round = 0; going && round < 2 * rounds; round++) {
        going = row_fill(row, pool, many - kept, blocks + kept);
        uint64_t this_round = going ? longest_call(row, pool, blocks) : 0;
        going = going && this_round > 0;
        longest = going ? least(longest, this_round) : longest;
    }
    if (going)
        row_result(row, longest <= 1000000, "%.3f ms", (double)longest * 1e-6);
    row_end_pool(pool);
    free(blocks);
}

void validate_thousand(struct row *row) {
    void **blocks = row_pointers(1000);
    lido_block_pool *pool = row_pool(row, .block_size = 800, .idle_keep_ns = LIDO_FOREVER);
    uint64_t shortest = UINT64_MAX, given = 0;
    bool going = pool != NULL;
    for (int round = 0; going && round < 2 * rounds; round++) {
        going = row_fill(row, pool, 1000, blocks);
        touch(blocks, going ? 1000 : 0, 800);
        (void)lido_block_pool_release_many(pool, going ? 1000 : 0, blocks);
        uint64_t start_ns = lido_now_ns();
        if (row->broken)
            row_doze(2000000);
        given = lido_block_pool_trim(pool, LIDO_FOREVER);
        shortest = least(shortest, lido_now_ns() - start_ns);
    }
    if (going)
        row_result(row, shortest < 1000000 && given >= 1000 * 800,
                   "%.3f ms, %" PRIu64 " bytes given back", (double)shortest * 1e-6, given);
    row_end_pool(pool);
    free(blocks);
}

/* ---- Figures -------------------------------------------------------------------------------- */

/* Compares the pool's figures with plain counters at 100 quiet points among random calls. */
void validate_exact(struct row *row) {
    enum { points = 100, calls = 500, places = 2000 };
    void **blocks = row_pointers(places);
    lido_block_pool *pool = row_pool(row, .block_size = 100, .block_limit = places / 2);
    uint64_t acquired = 0, released = 0, refused = 0, peak = 0, equal = 0, seed = 3;
    struct random r = random_start(&seed);
    for (int i = 0; pool != NULL && i < points * calls; i++) {
        void **place = &blocks[random_next(&r) % places];
        if (*place != NULL) {
            released += lido_block_pool_release(pool, *place) == LIDO_OK;
            *place = NULL;
        } else if ((*place = lido_block_pool_acquire(pool)) != NULL) {
            acquired++;
        } else {
            refused++;
        }
        peak = acquired - released > peak ? acquired - released : peak;
        if (row->broken && i == calls)
            released++;
        if (i % calls != 0)
            continue;
        lido_block_pool_stats s = row_stats(pool);
        equal += s.acquired == acquired && s.released == released && s.refused_limit == refused &&
                 s.live == acquired - released && s.live_peak == peak &&
                 s.existing == s.live + s.cached + s.stranded + s.idle;
    }
    if (pool != NULL)
        row_result(row, equal == points, "%" PRIu64 " of %d", equal, points);
    row_end_pool(pool);
    free(blocks);
}

/* ---- Refusals ------------------------------------------------------------------------------- */

/* The pool as it was: the same figures but for the refusals, and every block can still be had. */
static bool is_unharmed(struct row *row, lido_block_pool *pool, const lido_block_pool_stats *before,
                        uint64_t refusals) {
    enum { rest = 90 };
    void *blocks[rest];
    lido_block_pool_stats now = row_stats(pool);
    return now.live == before->live && now.acquired == before->acquired &&
           now.released == before->released &&
           now.refused_release == before->refused_release + refusals &&
           row_fill(row, pool, rest, blocks) && lido_block_pool_acquire(pool) == NULL &&
           lido_block_pool_release_many(pool, rest, blocks) == LIDO_OK;
}

/* Refused as it should be, with the pool's name in the message. */
static bool is_refused(lido_status status) {
    return status == LIDO_ERR_NOT_HELD && lido_last_status() == LIDO_ERR_NOT_HELD &&
           strstr(lido_last_error(), "\"validate\"") != NULL;
}

/* A pool of 100 blocks with 10 out. */
static lido_block_pool *make_hundred(struct row *row, void **blocks) {
    lido_block_pool *pool = row_pool(row, .block_size = 64, .block_limit = 100);
    if (pool != NULL && row_fill(row, pool, 10, blocks))
        return pool;
    row_end_pool(pool);
    return NULL;
}

static void tell_refusals(struct row *row, uint64_t refused, uint64_t of, bool unharmed) {
    row_result(row, refused == of && unharmed,
               "%" PRIu64 " of %" PRIu64 " refused by name, pool %s", refused, of,
               unharmed ? "unharmed" : "HARMED");
}

void validate_twice(struct row *row) {
    void *blocks[11];
    lido_block_pool *pool = make_hundred(row, blocks);
    uint64_t refused = 0;
    if (pool == NULL)
        return;
    blocks[10] = lido_block_pool_acquire(pool);
    (void)lido_block_pool_release(pool, blocks[10]);
    lido_block_pool_stats before = row_stats(pool);
    for (int i = 0; i < 20; i++)
        refused += row->broken ? 0 : is_refused(lido_block_pool_release(pool, blocks[10]));
    tell_refusals(row, refused, 20, is_unharmed(row, pool, &before, refused));
    row_end_pool(pool);
}

void validate_foreign(struct row *row) {
    void *blocks[10];
    uint64_t refused = 0, local[16] = {0};
    lido_block_pool *pool = make_hundred(row, blocks);
    lido_block_pool *other = pool != NULL ? row_pool(row, .block_size = 64) : NULL;
    if (other == NULL) {
        row_end_pool(pool);
        return;
    }
    lido_block_pool_stats before = row_stats(pool);
    char *heap = malloc(64);
    void *foreign[] = {heap,
                       local,
                       lido_block_pool_acquire(other),
                       (char *)blocks[0] + 1,
                       (char *)blocks[0] + 32,
                       pool,
                       (void *)(uintptr_t)64};
    uint64_t count = sizeof foreign / sizeof foreign[0];
    if (row->broken)
        foreign[3] = blocks[0];
    for (uint64_t i = 0; i < count; i++)
        refused += is_refused(lido_block_pool_release(pool, foreign[i]));
    free(heap);
    tell_refusals(row, refused, count, is_unharmed(row, pool, &before, refused));
    row_end_pool(other);
    row_end_pool(pool);
}

/* Every block by its number, there and back; then numbers that nothing is out under. */
void validate_index(struct row *row) {
    void *blocks[10];
    uint64_t index[10], right = 0, refused = 0, wrong[4];
    lido_block_pool *pool = make_hundred(row, blocks);
    if (pool == NULL)
        return;
    for (int i = 0; i < 10; i++)
        right += lido_block_pool_read_index(pool, blocks[i], &index[i]) == LIDO_OK &&
                 lido_block_pool_at(pool, index[i]) == blocks[i];
    right += lido_block_pool_release_index(pool, index[9]) == LIDO_OK;
    lido_block_pool_stats before = row_stats(pool);
    wrong[0] = index[9];
    wrong[1] = before.existing;
    wrong[2] = UINT64_MAX;
    wrong[3] = row->broken ? index[0] : UINT64_MAX / 2;
    for (int i = 0; i < 4; i++)
        refused += is_refused(lido_block_pool_release_index(pool, wrong[i]));
    bool unharmed = row_stats(pool).live == before.live;
    row_result(row, right == 11 && refused == 4 && unharmed,
               "%" PRIu64 " of 11 right, %" PRIu64 " of 4 refused by name, pool %s", right, refused,
               unharmed ? "unharmed" : "HARMED");
    row_end_pool(pool);
}
