/* SPDX-License-Identifier: MIT
 * Random calls of lido/block_pool.h against a model that is too simple to be wrong: an array of
 * the blocks that are out, searched from end to end. After each call both must agree. */
#include "check.h"

#include <lido/block_figures.h>

enum { OUT_MAX = 400, CALLS = 4000 };

struct model {
    struct check_random random;
    lido_block_pool *pool;
    uint64_t block_size, align, flags;
    uint64_t limit;
    struct {
        unsigned char *block;
        uint64_t index;
        unsigned char mark;
    } out[OUT_MAX];
    uint64_t live, acquired, released, live_peak, refused_limit, refused_release;
    void *past[64]; /* blocks released a while ago, some of them out again */
    uint64_t past_count;
};

static uint64_t below(struct model *m, uint64_t bound) {
    return check_random_below(&m->random, bound);
}

static void fill(struct model *m, uint64_t at) {
    memset(m->out[at].block, m->out[at].mark, m->block_size);
}

/* All bytes are the same if each is what the one before it is. */
static bool holds_only(const unsigned char *block, uint64_t size, unsigned char mark) {
    return block[0] == mark && memcmp(block, block + 1, size - 1) == 0;
}

static void check_bytes(const struct model *m, uint64_t at) {
    CHECK(holds_only(m->out[at].block, m->block_size, m->out[at].mark));
}

static bool is_out(const struct model *m, const void *block) {
    for (uint64_t i = 0; i < m->live; i++)
        if (m->out[i].block == block)
            return true;
    return false;
}

/* ---- Steps: the call, and the same in the model ----------------------------------------- */

static void note_acquired(struct model *m, void *block) {
    uint64_t index = UINT64_MAX;
    CHECK(!is_out(m, block));
    CHECK((uintptr_t)block % m->align == 0);
    if (m->flags & LIDO_BLOCK_POOL_ZERO)
        CHECK(holds_only(block, m->block_size, 0));
    CHECK_OK(lido_block_pool_read_index(m->pool, block, &index));
    for (uint64_t i = 0; i < m->live; i++)
        CHECK(m->out[i].index != index);
    m->out[m->live].block = block;
    m->out[m->live].index = index;
    m->out[m->live].mark = (unsigned char)check_random(&m->random);
    m->acquired++;
    if (++m->live > m->live_peak)
        m->live_peak = m->live;
    fill(m, m->live - 1);
}

static void acquire_some(struct model *m, uint64_t count) {
    void *blocks[OUT_MAX];
    if (count > OUT_MAX - m->live)
        count = OUT_MAX - m->live;
    uint64_t room = m->limit == 0 ? count : m->limit > m->live ? m->limit - m->live : 0;
    uint64_t expected = count < room ? count : room;
    if (count == 1) {
        blocks[0] = lido_block_pool_acquire(m->pool);
        CHECK_EQ(blocks[0] != NULL, expected);
    } else
        CHECK_EQ(lido_block_pool_acquire_many(m->pool, count, blocks), expected);
    if (expected < count) {
        CHECK_EQ(lido_last_status(), LIDO_ERR_LIMIT);
        m->refused_limit += count - expected;
    }
    for (uint64_t i = 0; i < expected; i++)
        note_acquired(m, blocks[i]);
}

static void note_released(struct model *m, uint64_t at) {
    m->past[m->past_count++ % 64] = m->out[at].block;
    m->out[at] = m->out[--m->live];
    m->released++;
}

static void release_one(struct model *m) {
    if (m->live == 0)
        return;
    uint64_t at = below(m, m->live);
    check_bytes(m, at);
    if (below(m, 3) == 0)
        CHECK_OK(lido_block_pool_release_index(m->pool, m->out[at].index));
    else
        CHECK_OK(lido_block_pool_release(m->pool, m->out[at].block));
    note_released(m, at);
}

static void release_some(struct model *m) {
    void *blocks[64];
    uint64_t count = 0;
    while (count < 60 && m->live > 0 && below(m, 30) != 0) {
        uint64_t at = below(m, m->live);
        check_bytes(m, at);
        blocks[count++] = m->out[at].block;
        note_released(m, at);
        if (below(m, 10) == 0)
            blocks[count++] = NULL;
    }
    CHECK_OK(lido_block_pool_release_many(m->pool, count, blocks));
}

static void release_wrongly(struct model *m) {
    uint64_t index = 0;
    char *block = m->past[below(m, 64)];
    if (below(m, 2) == 0 && m->live > 0)
        block = (char *)m->out[below(m, m->live)].block + 1 + below(m, m->block_size);
    if (!block || is_out(m, block))
        return;
    CHECK_FAILS(lido_block_pool_release(m->pool, block), LIDO_ERR_NOT_HELD, "model");
    CHECK_FAILS(lido_block_pool_read_index(m->pool, block, &index), LIDO_ERR_NOT_HELD, "model");
    m->refused_release++;
}

static void look_at_all(struct model *m) {
    uint64_t seen = 0, index = 0;
    for (void *block; (block = lido_block_pool_next(m->pool, &index)) != NULL; index++, seen++) {
        CHECK(is_out(m, block));
        CHECK(lido_block_pool_at(m->pool, index) == block);
    }
    CHECK_EQ(seen, m->live);
    for (uint64_t i = 0; i < m->live; i++) {
        CHECK_OK(lido_block_pool_read_index(m->pool, m->out[i].block, &index));
        CHECK_EQ(index, m->out[i].index);
        check_bytes(m, i);
    }
}

static void change_limit(struct model *m) {
    uint64_t limit = below(m, OUT_MAX);
    lido_status status = lido_block_pool_set_block_limit(m->pool, limit);
    if ((m->flags & LIDO_BLOCK_POOL_RESERVED) && status != LIDO_OK)
        CHECK_EQ(status, LIDO_ERR_ARGUMENT);
    else {
        CHECK_OK(status);
        m->limit = limit;
    }
}

static void check_figures(const struct model *m) {
    lido_block_pool_stats s = {.struct_size = sizeof s};
    CHECK_OK(lido_block_pool_read_stats(m->pool, &s));
    CHECK_EQ(s.acquired, m->acquired);
    CHECK_EQ(s.released, m->released);
    CHECK_EQ(s.live, m->live);
    CHECK_EQ(s.live_peak, m->live_peak);
    CHECK_EQ(s.refused_limit, m->refused_limit);
    CHECK_EQ(s.refused_release, m->refused_release);
    CHECK_EQ(s.refused_memory, 0);
    CHECK_EQ(s.block_limit, m->limit);
    CHECK_EQ(s.existing, s.live + s.cached + s.stranded + s.idle);
    CHECK(s.made >= s.existing && s.committed_peak >= s.committed_bytes);
}

static void step(struct model *m) {
    switch (below(m, 16)) {
    case 0:
        acquire_some(m, 1 + below(m, 80));
        break;
    case 1:
        release_some(m);
        break;
    case 2:
        release_wrongly(m);
        break;
    case 3:
        check_advance(below(m, LIDO_SECONDS(1)));
        break;
    case 4:
        if (below(m, 10) == 0)
            look_at_all(m);
        break;
    case 5:
        if (below(m, 20) == 0)
            change_limit(m);
        break;
    case 6:
        if (below(m, 10) == 0)
            (void)lido_block_pool_trim(m->pool, below(m, 2) ? LIDO_FOREVER : 1);
        break;
    default:
        /* Long slopes up and down, so that slabs fill and empty. */
        if (below(m, 100) < (m->acquired / 500 % 2 ? 30 : 70))
            acquire_some(m, 1);
        else
            release_one(m);
    }
    check_figures(m);
}

/* ---- Walks -------------------------------------------------------------------------------- */

static void walk(uint64_t mode, uint64_t flags, uint64_t number) {
    static const uint64_t sizes[] = {1, 24, 64, 333, 800, 4096, 20000};
    static struct model m;
    memset(&m, 0, sizeof m);
    m.random = check_random_start(number);
    m.block_size = sizes[below(&m, 7)];
    m.align = UINT64_C(1) << below(&m, 13);
    m.flags = flags;
    m.limit = flags & LIDO_BLOCK_POOL_RESERVED ? 1 + below(&m, OUT_MAX) : 0;
    CHECK_OK(lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.name = "model", .block_size = m.block_size, .block_align = m.align,
                                .block_limit = m.limit, .flags = flags, .mode = mode,
                                .idle_keep_ns = 1 + below(&m, LIDO_SECONDS(2))),
        &m.pool));
    for (int i = 0; i < CALLS; i++)
        step(&m);
    while (m.live > 0)
        release_one(&m);
    check_figures(&m);
    CHECK_OK(lido_block_pool_destroy(m.pool));
}

static void random_calls_on_slabs_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        walk(LIDO_BLOCK_POOL_SLABS, 0, i);
}

static void random_calls_on_a_zero_pool_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        walk(LIDO_BLOCK_POOL_SLABS, LIDO_BLOCK_POOL_ZERO, 100 + i);
}

static void random_calls_on_a_reserved_pool_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        walk(LIDO_BLOCK_POOL_SLABS, LIDO_BLOCK_POOL_RESERVED, 200 + i);
}

static void random_calls_passed_through_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        walk(LIDO_BLOCK_POOL_PASS_THROUGH, i == 0 ? LIDO_BLOCK_POOL_ZERO : 0, 300 + i);
}

static void random_calls_on_guarded_blocks_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 2; i++)
        walk(LIDO_BLOCK_POOL_GUARD, 0, 400 + i);
}

CHECK_MAIN(TEST(random_calls_on_slabs_agree_with_the_model),
           TEST(random_calls_on_a_zero_pool_agree_with_the_model),
           TEST(random_calls_on_a_reserved_pool_agree_with_the_model),
           TEST(random_calls_passed_through_agree_with_the_model),
           TEST(random_calls_on_guarded_blocks_agree_with_the_model))
