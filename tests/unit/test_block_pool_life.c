/* SPDX-License-Identifier: MIT
 * lido/block_pool.h over time: figures, limits, giving memory back, modes, threads, fork. The
 * calls one by one: test_block_pool.c. */
#include "check.h"

#include <lido/block_figures.h>

#include <sys/mman.h>

static lido_block_pool *make_with(lido_block_pool_options options) {
    lido_block_pool *pool = NULL;
    options.struct_size = sizeof options;
    options.name = "frames";
    if (options.mode == LIDO_BLOCK_POOL_DEFAULT)
        options.mode = LIDO_BLOCK_POOL_SLABS;
    CHECK_OK(lido_block_pool_create(&options, &pool));
    return pool;
}

#define MAKE(...) make_with((lido_block_pool_options){__VA_ARGS__})

static lido_block_pool_stats stats_of(const lido_block_pool *pool) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_block_pool_read_stats(pool, &stats));
    return stats;
}

static void end(lido_block_pool *pool) {
    CHECK_OK(lido_block_pool_destroy(pool));
}

static bool is_near(double a, double b) {
    return a - b < 1e-9 && b - a < 1e-9;
}

/* ---- Figures ---------------------------------------------------------------------------- */

static void a_fresh_pool_has_figures_of_nothing(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 64, .block_limit = 50);
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.acquired + s.released + s.live + s.live_peak + s.existing + s.made == 0);
    CHECK(s.refused_limit + s.refused_memory + s.refused_release == 0);
    CHECK(s.committed_bytes == 0 && s.committed_peak == 0 && s.block_limit == 50);
    CHECK(is_near(s.utilisation, 1) && is_near(s.byte_efficiency, 1));
    CHECK(is_near(s.reuse, 1) && is_near(s.fragmentation, 0));
    CHECK(s.overhead_bytes > 0);
    end(pool);
}

static void figures_are_exact_to_the_last_block(void **state) {
    (void)state;
    void *blocks[1000];
    lido_block_pool *pool = MAKE(.block_size = 64);
    CHECK_EQ(lido_block_pool_acquire_many(pool, 1000, blocks), 1000);
    for (int i = 0; i < 250; i++)
        CHECK_OK(lido_block_pool_release(pool, blocks[i * 4]));
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.acquired == 1000 && s.released == 250 && s.live == 750 && s.live_peak == 1000);
    CHECK_EQ(s.existing, s.live + s.cached + s.stranded + s.idle);
    CHECK(s.existing >= 1000 && s.made == s.existing);
    CHECK(is_near(s.utilisation, 750.0 / (double)s.existing));
    CHECK(is_near(s.byte_efficiency, 64.0 * 750 / (double)(s.committed_bytes + s.overhead_bytes)));
    for (int i = 0; i < 1000; i++)
        if (i % 4)
            CHECK_OK(lido_block_pool_release(pool, blocks[i]));
    s = stats_of(pool);
    CHECK(s.live == 0 && s.stranded == 0 && s.live_peak == 1000 && s.released == 1000);
    CHECK_EQ(s.existing, s.cached + s.idle);
    CHECK(is_near(s.utilisation, 0) && is_near(s.byte_efficiency, 1));
    end(pool);
}

static void reuse_is_the_share_served_without_making(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 64);
    for (int i = 0; i < 100000; i++)
        CHECK_OK(lido_block_pool_release(pool, lido_block_pool_acquire(pool)));
    lido_block_pool_stats s = stats_of(pool);
    CHECK(is_near(s.reuse, 1 - (double)s.made / 100000));
    CHECK(s.reuse > 0.98 && s.acquired == 100000 && s.live_peak == 1);
    end(pool);
}

/* Pages that some byte of a block is on. */
static uint64_t bytes_of_pages(void *const blocks[], int count, uint64_t block_bytes) {
    const uintptr_t page = lido__page_bytes();
    uint64_t bytes = 0;
    uintptr_t last = 0; /* blocks come in the order of their addresses from a fresh pool's slabs */
    for (int i = 0; i < count; i++)
        for (uintptr_t at = (uintptr_t)blocks[i] / page;
             at <= ((uintptr_t)blocks[i] + block_bytes - 1) / page; at++)
            if (at != last) {
                bytes += page;
                last = at;
            }
    return bytes;
}

/* What a pool says that it holds is what it has: the pages of its blocks, and what it allocated. */
static void bytes_told_are_bytes_held(void **state) {
    (void)state;
    static const uint64_t sizes[] = {16, 800, 4096, 100000};
    for (int i = 0; i < 4; i++) {
        void *blocks[3000];
        int64_t before = atomic_load(&check__sys.alloc_bytes), allocs = check__sys.allocs;
        lido_block_pool *pool = MAKE(.block_size = sizes[i]);
        CHECK_EQ(lido_block_pool_acquire_many(pool, 3000, blocks), 3000);
        lido_block_pool_stats s = stats_of(pool);
        uint64_t held = (uint64_t)(atomic_load(&check__sys.alloc_bytes) - before);
        /* malloc rounds what it gives; the registry and the extents' table are shared. */
        uint64_t rounding = 16 * (uint64_t)(check__sys.allocs - allocs);
        CHECK(s.overhead_bytes <= held &&
              held - s.overhead_bytes < rounding + 1024 + 1700 * (1 + (s.committed_bytes >> 22)));
        uint64_t pages = bytes_of_pages(blocks, 3000, sizes[i]);
        CHECK(pages <= s.committed_bytes);
        CHECK(s.committed_bytes <= pages + (s.existing - 3000) * sizes[i] + pages / 100 + 4096);
        CHECK_OK(lido_block_pool_release_many(pool, 3000, blocks));
        end(pool);
    }
}

static void book_keeping_is_one_per_cent_at_most(void **state) {
    (void)state;
    static void *blocks[100000];
    lido_block_pool *pool = MAKE(.block_size = 64);
    CHECK_EQ(lido_block_pool_acquire_many(pool, 100000, blocks), 100000);
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.overhead_bytes * 100 <= s.committed_bytes);
    CHECK_OK(lido_block_pool_release_many(pool, 100000, blocks));
    end(pool);
}

static void book_keeping_of_a_small_pool_is_a_page_at_most(void **state) {
    (void)state;
    lido_block_pool *pool =
        MAKE(.block_size = 1000, .block_limit = 50, .flags = LIDO_BLOCK_POOL_RESERVED);
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.committed_bytes + s.overhead_bytes <= 50 * 1000 + 4096);
    end(pool);
}

/* A reserved pool may lie behind its own blocks, but well behind them. */
static void an_overrun_by_a_block_does_not_reach_the_pool(void **state) {
    (void)state;
    static const uint64_t sizes[] = {16, 200, 1000, 1536};
    int housed = 0;
    for (uint64_t count = 20; count < 300; count += 7) {
        uint64_t size = sizes[count % 4];
        void *blocks[300];
        lido_block_pool *pool =
            MAKE(.block_size = size, .block_limit = count, .flags = LIDO_BLOCK_POOL_RESERVED);
        lido_block_pool *other =
            MAKE(.block_size = size, .block_limit = count, .flags = LIDO_BLOCK_POOL_RESERVED);
        CHECK_EQ(lido_block_pool_acquire_many(pool, count, blocks), count);
        char *last = blocks[0];
        for (uint64_t i = 1; i < count; i++)
            last = (char *)blocks[i] > last ? (char *)blocks[i] : last;
        uint64_t slab = 65536 - (uintptr_t)last % 65536, more = size > 1024 ? size : 1024;
        memset(last, 0xa5, slab < size + more ? slab : size + more);
        lido_block_pool_stats s = stats_of(pool);
        housed += (uintptr_t)pool / 65536 == (uintptr_t)last / 65536;
        CHECK(s.live == count && s.block_limit == count && s.existing == count);
        CHECK_OK(lido_block_pool_release_many(pool, count, blocks));
        CHECK_EQ(stats_of(pool).live, 0);
        end(pool);
        end(other);
    }
    CHECK(housed > 5 && housed < 40);
}

static void figures_reach_as_far_as_the_reader_asks(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 64);
    lido_block_pool_stats s;
    memset(&s, 0xee, sizeof s);
    s.struct_size = offsetof(lido_block_pool_stats, released);
    CHECK_OK(lido_block_pool_read_stats(pool, &s));
    CHECK(s.acquired == 0 && s.released == UINT64_C(0xeeeeeeeeeeeeeeee));
    s.struct_size = 0;
    CHECK_FAILS(lido_block_pool_read_stats(pool, &s), LIDO_ERR_ARGUMENT, "struct_size is 0");
    CHECK_FAILS(lido_block_pool_read_stats(pool, NULL), LIDO_ERR_ARGUMENT, "NULL");
    end(pool);
}

/* ---- Limit ------------------------------------------------------------------------------ */

static void a_lowered_limit_takes_nothing_away_and_refuses_until_fewer_are_out(void **state) {
    (void)state;
    void *blocks[10];
    lido_block_pool *pool = MAKE(.block_size = 64);
    CHECK_EQ(lido_block_pool_acquire_many(pool, 10, blocks), 10);
    CHECK_OK(lido_block_pool_set_block_limit(pool, 4));
    CHECK_EQ(stats_of(pool).block_limit, 4);
    CHECK_EQ(stats_of(pool).live, 10);
    for (int i = 0; i < 7; i++) {
        CHECK_REFUSED(lido_block_pool_acquire(pool), LIDO_ERR_LIMIT, "block_limit 4");
        CHECK_OK(lido_block_pool_release(pool, blocks[i]));
    }
    CHECK((blocks[0] = lido_block_pool_acquire(pool)) != NULL);
    CHECK_REFUSED(lido_block_pool_acquire(pool), LIDO_ERR_LIMIT, "frames");
    CHECK_OK(lido_block_pool_set_block_limit(pool, 5));
    CHECK((blocks[1] = lido_block_pool_acquire(pool)) != NULL);
    CHECK_OK(lido_block_pool_set_block_limit(pool, 0));
    CHECK_EQ(lido_block_pool_acquire_many(pool, 5, blocks + 2), 5);
    CHECK_OK(lido_block_pool_set_block_limit(pool, 1));
    uint64_t index = 0;
    for (void *block; (block = lido_block_pool_next(pool, &index)) != NULL; index++)
        CHECK_OK(lido_block_pool_release(pool, block));
    CHECK_EQ(stats_of(pool).live, 0);
    end(pool);
}

/* ---- Memory that is there before, and stays --------------------------------------------- */

static void a_reserved_pool_makes_and_gives_back_nothing_after_creation(void **state) {
    (void)state;
    void *blocks[1000];
    lido_block_pool *pool =
        MAKE(.block_size = 100, .block_limit = 1000, .flags = LIDO_BLOCK_POOL_RESERVED);
    CHECK(stats_of(pool).existing >= 1000);
    uint64_t calls = check_memory_calls(), held = check_bytes_held();
    check_arm(1, true);
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(lido_block_pool_acquire_many(pool, 1000, blocks), 1000);
        CHECK_REFUSED(lido_block_pool_acquire(pool), LIDO_ERR_LIMIT, "block_limit 1000");
        CHECK_OK(lido_block_pool_release_many(pool, 1000, blocks));
        check_advance(LIDO_SECONDS(100));
        CHECK_EQ(lido_block_pool_trim(pool, LIDO_FOREVER), 0);
    }
    check_disarm();
    CHECK_EQ(check_memory_calls(), calls);
    CHECK_EQ(check_bytes_held(), held);
    end(pool);
}

static void the_limit_of_a_reserved_pool_stays_within_what_it_has(void **state) {
    (void)state;
    lido_block_pool *pool =
        MAKE(.block_size = 4096, .block_limit = 64, .flags = LIDO_BLOCK_POOL_RESERVED);
    CHECK_FAILS(lido_block_pool_set_block_limit(pool, 0), LIDO_ERR_ARGUMENT, "block_limit is 0");
    CHECK_FAILS(lido_block_pool_set_block_limit(pool, UINT64_MAX), LIDO_ERR_ARGUMENT, "reserved");
    CHECK_FAILS(lido_block_pool_set_block_limit(pool, stats_of(pool).existing + 1),
                LIDO_ERR_ARGUMENT, "frames");
    CHECK_EQ(stats_of(pool).block_limit, 64);
    CHECK_OK(lido_block_pool_set_block_limit(pool, 1));
    void *block = lido_block_pool_acquire(pool);
    CHECK_REFUSED(lido_block_pool_acquire(pool), LIDO_ERR_LIMIT, "frames");
    CHECK_OK(lido_block_pool_release(pool, block));
    CHECK_OK(lido_block_pool_set_block_limit(pool, 64));
    end(pool);
}

static void ready_blocks_need_no_memory_and_are_kept(void **state) {
    (void)state;
    void *blocks[500];
    lido_block_pool *pool = MAKE(.block_size = 256, .ready_count = 500, .idle_keep_ns = 1);
    CHECK(stats_of(pool).existing >= 500 && stats_of(pool).live == 0);
    check_arm(1, true);
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(lido_block_pool_acquire_many(pool, 500, blocks), 500);
        CHECK_OK(lido_block_pool_release_many(pool, 500, blocks));
        check_advance(LIDO_SECONDS(100));
        (void)lido_block_pool_trim(pool, LIDO_FOREVER);
        CHECK(stats_of(pool).existing >= 500);
    }
    check_disarm();
    end(pool);
}

/* ---- Giving memory back ------------------------------------------------------------------ */

enum { MANY = 4000 };

static void *all[MANY];

static void fill_and_empty(lido_block_pool *pool) {
    CHECK_EQ(lido_block_pool_acquire_many(pool, MANY, all), MANY);
    CHECK_OK(lido_block_pool_release_many(pool, MANY, all));
}

static void trim_gives_back_all_that_is_idle_and_says_how_much(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 512, .idle_keep_ns = LIDO_FOREVER);
    fill_and_empty(pool);
    uint64_t committed = stats_of(pool).committed_bytes, mapped = check_bytes_held();
    CHECK(committed >= MANY * 512);
    CHECK_EQ(lido_block_pool_trim(pool, LIDO_FOREVER), committed);
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.committed_bytes == 0 && s.existing == 0 && s.idle == 0 && s.cached == 0);
    CHECK(s.committed_peak == committed && is_near(s.fragmentation, 0));
    CHECK(check_bytes_held() + committed <= mapped);
    CHECK_EQ(lido_block_pool_trim(pool, LIDO_FOREVER), 0);
    fill_and_empty(pool);
    CHECK_EQ(stats_of(pool).made, s.made + stats_of(pool).existing);
    end(pool);
}

/* The pages must be unmapped, or the test would show nothing. */
static bool is_mapped(const void *block) {
    unsigned char resident;
    void *page = (void *)((uintptr_t)block & ~(uintptr_t)4095);
    return mincore(page, 1, &resident) == 0;
}

static void a_pointer_into_memory_that_is_no_more_mapped_is_refused_and_named(void **state) {
    (void)state;
    enum { COUNT = 3, LARGE = 6 << 20 }; /* larger than what pools share: each its own mapping */
    static const uint64_t flags[] = {0, LIDO_BLOCK_POOL_EXACT, LIDO_BLOCK_POOL_ZERO};
    static const uint64_t sizes[] = {LARGE, 64};
    void *blocks[COUNT],
        *foreign = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char address[32];
    CHECK(foreign != MAP_FAILED && munmap(foreign, 65536) == 0);
    for (int k = 0; k < 6; k++) {
        lido_block_pool *pool =
            MAKE(.block_size = sizes[k % 2], .flags = flags[k / 2], .idle_keep_ns = LIDO_FOREVER);
        CHECK_EQ(lido_block_pool_acquire_many(pool, COUNT, blocks), COUNT);
        CHECK_OK(lido_block_pool_release_many(pool, COUNT, blocks));
        CHECK(lido_block_pool_trim(pool, LIDO_FOREVER) > 0);
        for (int i = 0; i < COUNT; i++) {
            CHECK(!is_mapped(blocks[i]));
            for (int twice = 0; twice < 2; twice++)
                CHECK_FAILS(lido_block_pool_release_at(pool, blocks[i], "bad.c:1"),
                            LIDO_ERR_NOT_HELD, "\"frames\"");
            snprintf(address, sizeof address, "%p", blocks[i]);
            CHECK_ERROR_HAS(address);
            CHECK_ERROR_HAS("bad.c:1");
        }
        CHECK_FAILS(lido_block_pool_release_many(pool, COUNT, blocks), LIDO_ERR_NOT_HELD, "frames");
        CHECK_FAILS(lido_block_pool_release(pool, foreign), LIDO_ERR_NOT_HELD, "frames");
        CHECK_EQ(stats_of(pool).refused_release, 3 * COUNT + 1);
        /* And the pool goes on. */
        void *block = lido_block_pool_acquire(pool);
        CHECK(block != NULL);
        CHECK_OK(lido_block_pool_release(pool, block));
        end(pool);
    }
}

static void trim_leaves_what_is_out_where_it_is(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 512, .idle_keep_ns = LIDO_FOREVER);
    CHECK_EQ(lido_block_pool_acquire_many(pool, MANY, all), MANY);
    for (int i = 0; i < MANY; i++) {
        memset(all[i], i, 512);
        if (i % 1000)
            CHECK_OK(lido_block_pool_release(pool, all[i]));
    }
    CHECK(lido_block_pool_trim(pool, LIDO_FOREVER) > 0);
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.live == 4 && s.idle == 0 && s.existing == 4 + s.stranded + s.cached);
    CHECK(s.fragmentation < 0.1);
    for (int i = 0; i < MANY; i += 1000) {
        uint64_t index = 0;
        CHECK(((unsigned char *)all[i])[511] == (unsigned char)i);
        CHECK_OK(lido_block_pool_read_index(pool, all[i], &index));
        CHECK_OK(lido_block_pool_release_index(pool, index));
    }
    end(pool);
}

/* A clock that moves a little each time it is read: a budget must end the work. */
static uint64_t clock_in_steps(void) {
    return atomic_fetch_add(&check__time.now_ns, 1000) + 1000;
}

static void trim_ends_with_its_budget(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 8192, .idle_keep_ns = LIDO_FOREVER);
    fill_and_empty(pool);
    uint64_t committed = stats_of(pool).committed_bytes;
    lido__sys.now_ns = clock_in_steps;
    uint64_t first = lido_block_pool_trim(pool, 5000);
    CHECK(first > 0 && first < committed);
    CHECK_EQ(stats_of(pool).committed_bytes, committed - first);
    CHECK_EQ(lido_block_pool_trim(pool, LIDO_FOREVER), committed - first);
    end(pool);
}

/* What "that much later" waits for is the next use of the pool, not a thread of lido's own. */
static void an_empty_slab_goes_back_after_its_time_and_not_before(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 512, .idle_keep_ns = LIDO_SECONDS(10));
    fill_and_empty(pool);
    uint64_t committed = stats_of(pool).committed_bytes;
    check_advance(LIDO_SECONDS(9));
    for (int i = 0; i < 2 * MANY; i++)
        CHECK_OK(lido_block_pool_release(pool, lido_block_pool_acquire(pool)));
    CHECK_EQ(stats_of(pool).committed_bytes, committed);
    check_advance(LIDO_SECONDS(2));
    for (int i = 0; i < 2 * MANY; i++)
        CHECK_OK(lido_block_pool_release(pool, lido_block_pool_acquire(pool)));
    CHECK(stats_of(pool).committed_bytes <= committed / 8);
    end(pool);
}

/* The last blocks to come back are of many slabs, and a little use stays within a thread's store:
 * neither keeps the memory of a peak. */
static void the_memory_of_a_peak_goes_back_under_light_use(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 512, .idle_keep_ns = LIDO_MILLISECONDS(250));
    CHECK_EQ(lido_block_pool_acquire_many(pool, MANY, all), MANY);
    uint64_t committed = stats_of(pool).committed_bytes;
    for (int i = 0; i < MANY; i++) /* 1009 is prime to MANY: each once, far from the one before */
        CHECK_OK(lido_block_pool_release(pool, all[i * 1009 % MANY]));
    for (int turn = 0; turn < 1000; turn++) {
        void *few[16];
        CHECK_EQ(lido_block_pool_acquire_many(pool, 16, few), 16);
        CHECK_OK(lido_block_pool_release_many(pool, 16, few));
        check_advance(LIDO_MILLISECONDS(1));
    }
    CHECK(stats_of(pool).committed_bytes <= committed / 20);
    end(pool);
}

static void an_empty_slab_is_kept_for_ever_if_asked(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 512, .idle_keep_ns = LIDO_FOREVER);
    fill_and_empty(pool);
    uint64_t committed = stats_of(pool).committed_bytes;
    check_advance(LIDO_SECONDS(1000000));
    for (int i = 0; i < 2 * MANY; i++)
        CHECK_OK(lido_block_pool_release(pool, lido_block_pool_acquire(pool)));
    CHECK_EQ(stats_of(pool).committed_bytes, committed);
    end(pool);
}

static void a_clock_that_stands_or_jumps_harms_nothing(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 512);
    atomic_store(&check__time.now_ns, 0);
    fill_and_empty(pool);
    atomic_store(&check__time.now_ns, LIDO_FOREVER - 1);
    fill_and_empty(pool);
    atomic_store(&check__time.now_ns, 1);
    fill_and_empty(pool);
    lido_block_pool_stats s = stats_of(pool);
    CHECK_EQ(s.existing, s.live + s.cached + s.stranded + s.idle);
    end(pool);
}

/* ---- Modes ------------------------------------------------------------------------------ */

struct fault {
    uint64_t size, align;
    int at; /* the byte that is touched */
    bool after_release, is_read;
};

static void touch(void *context) {
    const struct fault *fault = context;
    lido_block_pool *pool =
        MAKE(.block_size = fault->size, .block_align = fault->align, .mode = LIDO_BLOCK_POOL_GUARD);
    volatile unsigned char *block = lido_block_pool_acquire(pool);
    CHECK(block != NULL);
    for (uint64_t i = 0; i < fault->size; i++)
        block[i] = 1;
    if (fault->after_release)
        CHECK_OK(lido_block_pool_release(pool, (void *)(uintptr_t)block));
    check_expect_fault();
    if (fault->is_read)
        (void)block[fault->at];
    else
        block[fault->at] = 1;
    _exit(0);
}

static void a_guarded_block_faults_on_overrun_and_on_late_use(void **state) {
    (void)state;
    struct fault faults[] = {{64, 16, 64, false, false},       {64, 16, 64, false, true},
                             {4096, 4096, 4096, false, false}, {5000, 8, 5000, false, false},
                             {1, 1, 1, false, true},           {64, 16, 0, true, true},
                             {64, 16, 63, true, false},        {9000, 4096, 0, true, false}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        CHECK(check_faulted(check_child(touch, &faults[i])));
    struct fault fine = {64, 16, 63, false, false};
    CHECK_EQ(check_child(touch, &fine), 0);
}

static void a_passed_through_block_is_an_allocation_of_its_own(void **state) {
    (void)state;
    lido_block_pool *pool = MAKE(.block_size = 1000, .mode = LIDO_BLOCK_POOL_PASS_THROUGH);
    void *first = lido_block_pool_acquire(pool);
    int64_t allocs = check__sys.allocs, maps = check__sys.maps;
    void *second = lido_block_pool_acquire(pool);
    CHECK(check__sys.allocs > allocs && check__sys.maps == maps);
    CHECK(malloc_usable_size(second) >= 1000);
    CHECK_OK(lido_block_pool_release(pool, second));
    CHECK_EQ(check__sys.allocs, allocs);
    CHECK_OK(lido_block_pool_release(pool, first));
    end(pool);
}

/* ---- Threads ----------------------------------------------------------------------------- */

struct worker {
    lido_block_pool *pool;
    int number;
    void *left[50];
};

static void work_and_leave_some(void *context) {
    struct worker *worker = context;
    struct check_random random = check_random_start((uint64_t)worker->number);
    void *held[100] = {NULL};
    for (int i = 0; i < 20000; i++) {
        void **slot = &held[check_random_below(&random, 100)];
        if (*slot) {
            CHECK_EQ(*(int *)*slot, worker->number);
            CHECK_OK(lido_block_pool_release(worker->pool, *slot));
            *slot = NULL;
        } else if ((*slot = lido_block_pool_acquire(worker->pool)) != NULL)
            *(int *)*slot = worker->number;
    }
    for (int i = 0; i < 100; i++)
        CHECK_OK(lido_block_pool_release(worker->pool, held[i]));
    for (int i = 0; i < 50; i++)
        worker->left[i] = lido_block_pool_acquire(worker->pool);
}

static void what_ended_threads_left_is_exact_and_released_by_others(void **state) {
    (void)state;
    struct worker workers[4];
    lido_block_pool *pool = MAKE(.block_size = 64);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            workers[i] = (struct worker){.pool = pool, .number = i + 1};
        check_in_threads(4, work_and_leave_some, workers, sizeof workers[0]);
        lido_block_pool_stats s = stats_of(pool);
        CHECK_EQ(s.live, 4 * 50);
        CHECK_EQ(s.acquired - s.released, 4 * 50);
        CHECK_EQ(s.existing, s.live + s.cached + s.stranded + s.idle);
        for (int i = 0; i < 4; i++)
            CHECK_OK(lido_block_pool_release_many(pool, 50, workers[i].left));
        CHECK_EQ(stats_of(pool).live, 0);
    }
    (void)lido_block_pool_trim(pool, LIDO_FOREVER);
    CHECK_EQ(stats_of(pool).existing, 0);
    end(pool);
}

static void take_to_the_limit(void *context) {
    struct worker *worker = context;
    for (int i = 0; i < 2000; i++) {
        void *block = lido_block_pool_acquire(worker->pool);
        if (block) {
            CHECK(stats_of(worker->pool).live <= 5);
            CHECK_OK(lido_block_pool_release(worker->pool, block));
        } else
            CHECK_EQ(lido_last_status(), LIDO_ERR_LIMIT);
    }
}

static void the_limit_holds_for_all_threads_together(void **state) {
    (void)state;
    struct worker workers[8];
    lido_block_pool *pool = MAKE(.block_size = 64, .block_limit = 5);
    for (int i = 0; i < 8; i++)
        workers[i] = (struct worker){.pool = pool};
    check_in_threads(8, take_to_the_limit, workers, sizeof workers[0]);
    lido_block_pool_stats s = stats_of(pool);
    CHECK(s.live == 0 && s.live_peak <= 5);
    CHECK_EQ(s.acquired + s.refused_limit, 8 * 2000);
    end(pool);
}

/* ---- Fork -------------------------------------------------------------------------------- */

static void use_in_child(void *context) {
    lido_block_pool *pool = context;
    void *blocks[200], *block = NULL;
    uint64_t index = 0;
    CHECK_EQ(stats_of(pool).live, 3);
    CHECK_EQ(lido_block_pool_acquire_many(pool, 200, blocks), 200);
    while ((block = lido_block_pool_next(pool, &index)) != NULL) {
        CHECK_OK(lido_block_pool_release(pool, block));
        index++;
    }
    CHECK_EQ(stats_of(pool).released, stats_of(pool).acquired);
    end(pool);
}

static void a_forked_child_goes_on_with_what_was_out(void **state) {
    (void)state;
    void *blocks[3];
    lido_block_pool *pool = MAKE(.block_size = 64);
    CHECK_EQ(lido_block_pool_acquire_many(pool, 3, blocks), 3);
    CHECK_EQ(check_child(use_in_child, pool), 0);
    CHECK_EQ(stats_of(pool).live, 3);
    CHECK_OK(lido_block_pool_release_many(pool, 3, blocks));
    end(pool);
}

CHECK_MAIN(TEST(a_fresh_pool_has_figures_of_nothing), TEST(figures_are_exact_to_the_last_block),
           TEST(reuse_is_the_share_served_without_making), TEST(bytes_told_are_bytes_held),
           TEST(book_keeping_is_one_per_cent_at_most),
           TEST(book_keeping_of_a_small_pool_is_a_page_at_most),
           TEST(an_overrun_by_a_block_does_not_reach_the_pool),
           TEST(figures_reach_as_far_as_the_reader_asks),
           TEST(a_lowered_limit_takes_nothing_away_and_refuses_until_fewer_are_out),
           TEST(a_reserved_pool_makes_and_gives_back_nothing_after_creation),
           TEST(the_limit_of_a_reserved_pool_stays_within_what_it_has),
           TEST(ready_blocks_need_no_memory_and_are_kept),
           TEST(trim_gives_back_all_that_is_idle_and_says_how_much),
           TEST(a_pointer_into_memory_that_is_no_more_mapped_is_refused_and_named),
           TEST(trim_leaves_what_is_out_where_it_is), TEST(trim_ends_with_its_budget),
           TEST(an_empty_slab_goes_back_after_its_time_and_not_before),
           TEST(the_memory_of_a_peak_goes_back_under_light_use),
           TEST(an_empty_slab_is_kept_for_ever_if_asked),
           TEST(a_clock_that_stands_or_jumps_harms_nothing),
           TEST(a_guarded_block_faults_on_overrun_and_on_late_use),
           TEST(a_passed_through_block_is_an_allocation_of_its_own),
           TEST(what_ended_threads_left_is_exact_and_released_by_others),
           TEST(the_limit_holds_for_all_threads_together),
           TEST(a_forked_child_goes_on_with_what_was_out))
