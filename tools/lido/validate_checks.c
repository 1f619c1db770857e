/* SPDX-License-Identifier: MIT
 * The five named checks: basics, efficiency, fragmentation and coalescing, the coalescing trigger,
 * intensive use. */
#include "validate.h"

#include "swarm/random.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int by_address(const void *a, const void *b) {
    uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
    return (x > y) - (x < y);
}

/* ---- Basics -------------------------------------------------------------------------------- */

enum { basics_count = 1000, basics_bytes = 200 };

/* Distinct blocks do not overlap, and what was written into each is still there. */
static uint64_t count_intact(void **blocks) {
    void **sorted = row_pointers(basics_count);
    uint64_t intact = 0;
    memcpy(sorted, blocks, basics_count * sizeof *sorted);
    qsort(sorted, basics_count, sizeof *sorted, by_address);
    for (uint64_t i = 0; i < basics_count; i++)
        memset(blocks[i], (int)(i % 251), basics_bytes);
    for (uint64_t i = 0; i < basics_count; i++) {
        const unsigned char *bytes = blocks[i];
        bool same = (uintptr_t)bytes % 32 == 0;
        for (int b = 0; b < basics_bytes; b++)
            same = same && bytes[b] == i % 251;
        if (i + 1 < basics_count)
            same = same && (uintptr_t)sorted[i + 1] - (uintptr_t)sorted[i] >= basics_bytes;
        intact += same;
    }
    free(sorted);
    return intact;
}

void validate_basics(struct row *row) {
    void **blocks = row_pointers(basics_count);
    lido_block_pool *pool =
        row_pool(row, .block_size = basics_bytes, .block_align = 32, .block_limit = basics_count);
    if (pool != NULL && row_fill(row, pool, basics_count, blocks)) {
        if (row->broken)
            blocks[1] = blocks[0];
        uint64_t intact = count_intact(blocks), back = 0;
        row_shuffle(blocks, basics_count, 1);
        for (uint64_t i = 0; i < basics_count; i++)
            back += lido_block_pool_release(pool, blocks[i]) == LIDO_OK;
        lido_block_pool_stats s = row_stats(pool);
        row_result(row,
                   intact == basics_count && back == basics_count && s.live == 0 &&
                       s.acquired == basics_count && s.released == basics_count,
                   "%" PRIu64 " intact, %" PRIu64 " taken back, %" PRIu64 " still out", intact,
                   back, s.live);
    }
    row_end_pool(pool);
    free(blocks);
}

/* ---- Efficiency ---------------------------------------------------------------------------- */

void validate_efficiency(struct row *row) {
    enum { count = 4000, cycles = 50 };
    void **blocks = row_pointers(count);
    lido_block_pool *pool =
        row_pool(row, .block_size = 800, .block_limit = count, .flags = LIDO_BLOCK_POOL_RESERVED);
    uint64_t used = row->broken ? count / 2 : count;
    bool filled = pool != NULL;
    for (int cycle = 0; filled && cycle < cycles; cycle++) {
        filled = row_fill(row, pool, used, blocks);
        if (cycle + 1 < cycles)
            (void)lido_block_pool_release_many(pool, used, blocks);
    }
    if (filled) {
        lido_block_pool_stats s = row_stats(pool);
        row_result(row, s.utilisation >= 0.9 && s.byte_efficiency >= 0.9 && s.reuse >= 0.9,
                   "utilisation %.3f, byte efficiency %.3f, re-use %.3f", s.utilisation,
                   s.byte_efficiency, s.reuse);
    }
    row_end_pool(pool);
    free(blocks);
}

/* ---- Fragmentation, coalescing, and its trigger -------------------------------------------- */

enum { many = 100000, kept = 10000 };

/* 100,000 blocks of 64 bytes; the first 10,000 stay out, the others come back in random order. */
static lido_block_pool *make_gaps(struct row *row, uint64_t idle_keep_ns, void **blocks) {
    lido_block_pool *pool = row_pool(row, .block_size = 64, .idle_keep_ns = idle_keep_ns);
    if (pool == NULL || !row_fill(row, pool, many, blocks)) {
        row_end_pool(pool);
        return NULL;
    }
    row_shuffle(blocks + kept, many - kept, 2);
    for (uint64_t i = kept; i < many; i++)
        (void)lido_block_pool_release(pool, blocks[i]);
    return pool;
}

void validate_fragmentation(struct row *row) {
    void **blocks = row_pointers(many);
    lido_block_pool *pool = make_gaps(row, LIDO_FOREVER, blocks);
    if (pool != NULL) {
        double before = row_stats(pool).fragmentation;
        if (!row->broken)
            (void)lido_block_pool_trim(pool, LIDO_FOREVER);
        lido_block_pool_stats s = row_stats(pool);
        double held = (double)s.committed_bytes / (double)s.committed_peak;
        row_result(row, s.fragmentation < 0.1 && held < 0.2 && s.live == kept,
                   "%.3f, was %.3f; %.0f %% of the peak's bytes held for %" PRIu64
                   " blocks, stranded %" PRIu64,
                   s.fragmentation, before, 100 * held, s.live, s.stranded);
    }
    row_end_pool(pool);
    free(blocks);
}

/* Ordinary use for a while: 500 blocks taken and given back, a thousand times a second. */
static bool use_for_a_moment(struct row *row, lido_block_pool *pool) {
    void *blocks[500];
    struct timespec pause = {0, 1000000};
    if (!row_fill(row, pool, 500, blocks))
        return false;
    (void)lido_block_pool_release_many(pool, 500, blocks);
    nanosleep(&pause, NULL);
    return true;
}

void validate_trigger(struct row *row) {
    void **blocks = row_pointers(many);
    lido_block_pool *pool =
        make_gaps(row, row->broken ? LIDO_FOREVER : LIDO_MILLISECONDS(100), blocks);
    if (pool != NULL) {
        lido_block_pool_stats first = row_stats(pool), now;
        uint64_t start_ns = lido_now_ns();
        bool used = true;
        do {
            used = use_for_a_moment(row, pool);
            now = row_stats(pool);
        } while (used && lido_now_ns() - start_ns < LIDO_SECONDS(2) &&
                 (now.fragmentation > 0.2 || now.committed_bytes * 2 > now.committed_peak));
        if (used)
            row_result(
                row, now.fragmentation <= 0.2 && now.committed_bytes * 2 <= now.committed_peak,
                "%.3f after %.2f s of use, was %.3f; %.0f %% of the peak's bytes held",
                now.fragmentation, (double)(lido_now_ns() - start_ns) * 1e-9, first.fragmentation,
                100 * (double)now.committed_bytes / (double)now.committed_peak);
    }
    row_end_pool(pool);
    free(blocks);
}

/* ---- Intensive use -------------------------------------------------------------------------- */

enum { users = 4, slots = 64, words = 16, turns = 100000 };

/* Users keep blocks in slots of their own and swap some through a common place, so that blocks are
 * released by others than those who took them. */
struct place {
    pthread_mutex_t lock; /* guards block[] */
    uint64_t *block[slots];
    lido_block_pool *pool;
    bool leaks;
};

struct user {
    struct place *place;
    uint64_t seed, acquired, damaged, refused;
};

static void stamp(uint64_t *block) {
    for (uint64_t w = 0; w < words; w++)
        block[w] = (uint64_t)(uintptr_t)block + w;
}

static bool is_stamped(const uint64_t *block) {
    for (uint64_t w = 0; w < words; w++)
        if (block[w] != (uint64_t)(uintptr_t)block + w)
            return false;
    return true;
}

static void give_up(struct user *user, uint64_t *block) {
    if (block == NULL)
        return;
    user->damaged += !is_stamped(block);
    memset(block, 0, words * sizeof *block);
    if (user->place->leaks && user->acquired % 1000 == 0)
        return;
    user->refused += lido_block_pool_release(user->place->pool, block) != LIDO_OK;
}

static uint64_t *swap(struct place *place, uint64_t slot, uint64_t *block) {
    pthread_mutex_lock(&place->lock);
    uint64_t *other = place->block[slot];
    place->block[slot] = block;
    pthread_mutex_unlock(&place->lock);
    return other;
}

static void *use(void *argument) {
    struct user *user = argument;
    struct random r = random_start(&user->seed);
    uint64_t *own[slots] = {NULL};
    for (int turn = 0; turn < turns; turn++) {
        uint64_t dice = random_next(&r), slot = dice % slots;
        if (dice >> 61 == 0) {
            own[slot] = swap(user->place, dice / slots % slots, own[slot]);
        } else if (own[slot] != NULL) {
            give_up(user, own[slot]);
            own[slot] = NULL;
        } else if ((own[slot] = lido_block_pool_acquire(user->place->pool)) != NULL) {
            user->acquired++;
            stamp(own[slot]);
        }
    }
    for (int slot = 0; slot < slots; slot++)
        give_up(user, own[slot]);
    return NULL;
}

void validate_intensive(struct row *row) {
    struct place place = {.pool = row_pool(row, .block_size = words * sizeof(uint64_t)),
                          .leaks = row->broken};
    struct user user[users], all = {.place = &place};
    pthread_t thread[users];
    int started = 0;
    if (place.pool == NULL)
        return;
    pthread_mutex_init(&place.lock, NULL);
    for (uint64_t u = 0; u < users; u++) {
        user[u] = (struct user){.place = &place, .seed = u + 1};
        started += pthread_create(&thread[u], NULL, use, &user[u]) == 0;
    }
    for (int u = 0; u < started; u++) {
        pthread_join(thread[u], NULL);
        all.acquired += user[u].acquired;
        all.damaged += user[u].damaged;
        all.refused += user[u].refused;
    }
    uint64_t acquired = all.acquired;
    for (int slot = 0; slot < slots; slot++)
        give_up(&all, place.block[slot]);
    lido_block_pool_stats s = row_stats(place.pool);
    row_result(row,
               started == users && s.live == 0 && s.acquired == acquired &&
                   s.released == acquired && all.damaged + all.refused == 0 && s.reuse >= 0.9,
               "%" PRIu64 " acquired by %d threads, %" PRIu64 " still out, %" PRIu64
               " damaged, %" PRIu64 " refused, re-use %.4f",
               acquired, started, s.live, all.damaged, all.refused, s.reuse);
    row_end_pool(place.pool);
    pthread_mutex_destroy(&place.lock);
}
