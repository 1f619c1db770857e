/* SPDX-License-Identifier: MIT
 * Rows about memory: what a pool holds, whether it says so truly, and what it gives back. Where the
 * system can be asked, it is asked: anonymous resident memory of this process. */
#include "validate.h"

#include "swarm/measure.h"
#include "swarm/random.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void touch(void **blocks, uint64_t count, size_t bytes) {
    for (uint64_t i = 0; i < count; i++)
        memset(blocks[i], 1, bytes);
}

void validate_fixed(struct row *row) {
    enum { count = 1000 };
    void **blocks = row_pointers(count + 1);
    lido_block_pool *pool =
        row_pool(row, .block_size = 800, .block_limit = row->broken ? count + 1 : count,
                 .flags = LIDO_BLOCK_POOL_RESERVED);
    if (pool != NULL) {
        lido_block_pool_stats before = row_stats(pool);
        uint64_t got = lido_block_pool_acquire_many(pool, count + 1, blocks);
        bool said = got <= count && lido_last_status() == LIDO_ERR_LIMIT;
        (void)lido_block_pool_release_many(pool, got, blocks);
        uint64_t trimmed = lido_block_pool_trim(pool, LIDO_FOREVER);
        lido_block_pool_stats after = row_stats(pool);
        row_result(row,
                   got == count && said && trimmed == 0 && after.made == before.made &&
                       after.committed_bytes == before.committed_bytes,
                   "%" PRIu64 " handed out%s; %" PRIu64 " made later, trim gave %" PRIu64 " bytes",
                   got, said ? ", then LIMIT" : "", after.made - before.made, trimmed);
    }
    row_end_pool(pool);
    free(blocks);
}

void validate_gives_back(struct row *row) {
    enum { count = 80000, bytes = 800 };
    void **blocks = row_pointers(count);
    lido_block_pool *pool = row_pool(row, .block_size = bytes);
    memset(blocks, 0, count * sizeof *blocks); /* resident before it is measured */
    uint64_t before = measure_anonymous_bytes();
    if (pool != NULL && row_fill(row, pool, count, blocks)) {
        touch(blocks, count, bytes);
        uint64_t peak = measure_anonymous_bytes() - before;
        (void)lido_block_pool_release_many(pool, row->broken ? count * 9 / 10 : count, blocks);
        (void)lido_block_pool_trim(pool, LIDO_FOREVER);
        uint64_t now = measure_anonymous_bytes();
        uint64_t left = now > before ? now - before : 0;
        double back = 1 - (double)left / (double)peak;
        row_result(row, peak > (uint64_t)count * bytes * 9 / 10 && back >= 0.95,
                   "%.1f %% of %.1f MiB", 100 * back, (double)peak / 1048576);
    }
    row_end_pool(pool);
    free(blocks);
}

enum { peak_count = 80000, peak_bytes = 800 };

/* What is back of the resident memory of a peak. */
static double share_back(uint64_t before, uint64_t peak) {
    uint64_t now = measure_anonymous_bytes();
    return 1 - (double)(now > before ? now - before : 0) / (double)peak;
}

void validate_by_itself(struct row *row) {
    void **blocks = row_pointers(peak_count), *few[16];
    lido_block_pool *pool =
        row_pool(row, .block_size = peak_bytes, .idle_keep_ns = LIDO_MILLISECONDS(250));
    memset(blocks, 0, peak_count * sizeof *blocks);
    uint64_t before = measure_anonymous_bytes();
    bool going = pool != NULL && row_fill(row, pool, peak_count, blocks);
    if (going) {
        touch(blocks, peak_count, peak_bytes);
        uint64_t peak = measure_anonymous_bytes() - before, start_ns = lido_now_ns();
        row_shuffle(blocks, peak_count, 4);
        (void)lido_block_pool_release_many(pool, row->broken ? peak_count * 9 / 10 : peak_count,
                                           blocks);
        while (going && lido_now_ns() - start_ns < LIDO_SECONDS(1)) {
            going = row_fill(row, pool, 16, few);
            (void)lido_block_pool_release_many(pool, going ? 16 : 0, few);
            row_doze(1000000);
        }
        double back = share_back(before, peak);
        if (going)
            row_result(row, back >= 0.95, "%.1f %% of %.1f MiB within a second", 100 * back,
                       (double)peak / 1048576);
    }
    row_end_pool(pool);
    free(blocks);
}

void validate_survivors(struct row *row) {
    enum { survivors = peak_count / 20 };
    void **blocks = row_pointers(peak_count);
    lido_block_pool *pool = row_pool(row, .block_size = peak_bytes);
    memset(blocks, 0, peak_count * sizeof *blocks);
    uint64_t before = measure_anonymous_bytes(), seed = 5;
    if (pool != NULL && row_fill(row, pool, peak_count, blocks)) {
        struct random r = random_start(&seed);
        touch(blocks, peak_count, peak_bytes);
        uint64_t peak = measure_anonymous_bytes() - before, turns = row->broken ? 0 : 3 * survivors;
        row_shuffle(blocks, peak_count, 6);
        (void)lido_block_pool_release_many(pool, peak_count - survivors, blocks + survivors);
        for (uint64_t i = 0; i < turns; i++) {
            void **place = &blocks[random_next(&r) % survivors];
            (void)lido_block_pool_release(pool, *place);
            *place = lido_block_pool_acquire(pool);
            memset(*place, 2, peak_bytes);
        }
        if (!row->broken)
            (void)lido_block_pool_trim(pool, LIDO_FOREVER);
        double back = share_back(before, peak);
        row_result(row, back >= 0.8, "%.1f %% of %.1f MiB, %d blocks of %d still out", 100 * back,
                   (double)peak / 1048576, survivors, peak_count);
    }
    row_end_pool(pool);
    free(blocks);
}

/* ---- Book-keeping --------------------------------------------------------------------------- */

/* All that a reserved pool holds beyond the bytes that were asked for: rounding, slabs' ends, the
 * pool itself. Negative: the row has failed. */
static double beyond(struct row *row, uint64_t count, uint64_t size, uint64_t align) {
    lido_block_pool *pool = row_pool(row, .block_size = size, .block_align = align,
                                     .block_limit = count, .flags = LIDO_BLOCK_POOL_RESERVED);
    if (pool == NULL)
        return -1;
    lido_block_pool_stats s = row_stats(pool);
    row_end_pool(pool);
    return (double)(s.committed_bytes + s.overhead_bytes) - (double)(count * size);
}

void validate_overhead_large(struct row *row) {
    static const uint64_t sizes[] = {64, 240, 800, 4096};
    double worst = 0;
    char each[120] = "";
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t count = 4 * 1048576 / sizes[i];
        double extra = beyond(row, count, sizes[i], row->broken ? 512 : 0);
        if (extra < 0)
            return;
        double share = extra / (double)(count * sizes[i]);
        worst = share > worst ? share : worst;
        size_t at = strlen(each);
        snprintf(each + at, sizeof each - at, "%s%.2f %% at %" PRIu64, i > 0 ? ", " : "",
                 100 * share, sizes[i]);
    }
    row_result(row, worst <= 0.01, "%s bytes", each);
}

void validate_overhead_small(struct row *row) {
    double extra = beyond(row, 50, 1000, row->broken ? 4096 : 0);
    if (extra >= 0)
        row_result(row, extra <= 4096, "%.0f bytes", extra);
}

void validate_stated(struct row *row) {
    enum { count = 100, bytes = 256 * 1024 };
    lido_block_pool *pools[count] = {NULL};
    uint64_t stated = 0, before = measure_anonymous_bytes();
    bool made = true;
    for (int i = 0; made && i < count; i++) {
        pools[i] = row_pool(row, .block_size = 1024, .block_limit = bytes / 1024,
                            .flags = LIDO_BLOCK_POOL_RESERVED);
        made = pools[i] != NULL;
        if (made && !(row->broken && i % 5 == 0)) {
            lido_block_pool_stats s = row_stats(pools[i]);
            stated += s.committed_bytes + s.overhead_bytes;
        }
    }
    double seen = (double)(measure_anonymous_bytes() - before);
    double ratio = seen / (double)(stated > 0 ? stated : 1);
    if (made)
        row_result(row, ratio > 0.95 && ratio < 1.05, "%.3f: %.2f MiB seen, %.2f MiB stated", ratio,
                   seen / 1048576, (double)stated / 1048576);
    for (int i = 0; i < count; i++)
        row_end_pool(pools[i]);
}

/* ---- Extents -------------------------------------------------------------------------------- */

void validate_shared(struct row *row) {
    enum { count = 40000, bytes = 800 };
    void **blocks = row_pointers(count), **others = row_pointers(count);
    lido_block_pool *first = row_pool(row, .block_size = bytes);
    lido_block_pool *second = first != NULL ? row_pool(row, .block_size = bytes / 2) : NULL;
    memset(blocks, 0, count * sizeof *blocks);
    memset(others, 0, count * sizeof *others);
    uint64_t before = measure_anonymous_bytes();
    if (second != NULL && row_fill(row, first, count, blocks)) {
        touch(blocks, count, bytes);
        uint64_t one = measure_anonymous_bytes() - before;
        if (!row->broken)
            (void)lido_block_pool_release_many(first, count, blocks);
        if (row_fill(row, second, count, others)) {
            touch(others, count, bytes / 2);
            double both = (double)(measure_anonymous_bytes() - before) / (double)one;
            row_result(row, both <= 1.1,
                       "%.2f of the first pool's %.1f MiB, with the second half as large full",
                       both, (double)one / 1048576);
        }
    }
    row_end_pool(first);
    row_end_pool(second);
    free(blocks);
    free(others);
}
