/* SPDX-License-Identifier: MIT
 * Random calls of lido/dense_pool.h against a model that is too simple to be wrong: an array of the
 * handles that are alive, in the order of acquiring. After each call both must agree. */
#include "check.h"

#include <lido/dense_pool.h>

enum { LIVE_MAX = 300, PAST_MAX = 256, CALLS = 6000 };

struct model {
    struct check_random random;
    lido_dense_pool *pool;
    uint64_t bytes, limit;
    bool drops;
    struct {
        lido_dense_handle handle;
        unsigned char mark;
    } live[LIVE_MAX]; /* the oldest first */
    lido_dense_handle past[PAST_MAX];
    uint64_t count, past_count;
    uint64_t acquired, released, dropped, peak, refused_limit, refused_release;
};

static uint64_t below(struct model *m, uint64_t bound) {
    return check_random_below(&m->random, bound);
}

static void forget(struct model *m, uint64_t at) {
    m->past[m->past_count++ % PAST_MAX] = m->live[at].handle;
    memmove(&m->live[at], &m->live[at + 1], (m->count - at - 1) * sizeof m->live[0]);
    m->count--;
}

static uint64_t find(const struct model *m, lido_dense_handle handle) {
    uint64_t at = 0;
    while (at < m->count && m->live[at].handle != handle)
        at++;
    return at;
}

/* ---- Steps: the call, and the same in the model --------------------------------------------- */

static void acquire(struct model *m) {
    lido_dense_handle handle = 0;
    bool is_full = m->limit && m->count >= m->limit;
    if (m->count == LIVE_MAX && !is_full)
        return;
    unsigned char *object = lido_dense_pool_acquire(m->pool, &handle);
    if (is_full && !m->drops) {
        CHECK_REFUSED(object, LIDO_ERR_LIMIT, "model");
        m->refused_limit++;
        return;
    }
    CHECK(object != NULL);
    if (is_full) {
        forget(m, 0);
        m->dropped++;
    }
    CHECK_EQ(find(m, handle), m->count); /* new */
    m->live[m->count].handle = handle;
    m->live[m->count].mark = (unsigned char)check_random(&m->random);
    memset(object, m->live[m->count].mark, m->bytes);
    CHECK_EQ(lido_dense_pool_handle(m->pool, m->count), handle); /* in the last place */
    m->acquired++;
    if (++m->count > m->peak)
        m->peak = m->count;
}

static void release(struct model *m) {
    if (m->count == 0)
        return;
    uint64_t place = below(m, m->count);
    lido_dense_handle handle = lido_dense_pool_handle(m->pool, place);
    uint64_t at = find(m, handle);
    CHECK(at < m->count);
    CHECK(lido_dense_pool_find(m->pool, handle) ==
          (char *)lido_dense_pool_objects(m->pool) + place * m->bytes);
    if (below(m, 2) == 0)
        CHECK_OK(lido_dense_pool_release(m->pool, handle));
    else
        CHECK_OK(lido_dense_pool_release_place(m->pool, place));
    forget(m, at);
    m->released++;
}

static void release_wrongly(struct model *m) {
    lido_dense_handle handle = m->past[below(m, PAST_MAX)];
    if (below(m, 4) == 0)
        handle ^= UINT64_C(1) << below(m, 64);
    if (handle == LIDO_DENSE_HANDLE_NONE || find(m, handle) < m->count)
        return;
    CHECK_FAILS(lido_dense_pool_release(m->pool, handle), LIDO_ERR_NOT_HELD, "model");
    CHECK_REFUSED(lido_dense_pool_find(m->pool, handle), LIDO_ERR_NOT_HELD, "model");
    CHECK(!lido_dense_pool_is_live(m->pool, handle));
    m->refused_release++;
}

static void change_limit(struct model *m) {
    m->limit = below(m, LIVE_MAX) + (m->drops ? 1 : 0);
    CHECK_OK(lido_dense_pool_set_object_limit(m->pool, m->limit));
    while (m->drops && m->count > m->limit) {
        forget(m, 0);
        m->dropped++;
    }
}

static void release_all(struct model *m) {
    lido_dense_pool_release_all(m->pool);
    m->released += m->count;
    while (m->count > 0)
        forget(m, m->count - 1);
}

static void look_at_all(const struct model *m) {
    const unsigned char *objects = lido_dense_pool_objects(m->pool);
    for (uint64_t place = 0; place < m->count; place++) {
        uint64_t at = find(m, lido_dense_pool_handle(m->pool, place));
        CHECK(at < m->count);
        for (uint64_t b = 0; b < m->bytes; b++)
            CHECK_EQ(objects[place * m->bytes + b], m->live[at].mark);
    }
}

static void check_figures(const struct model *m) {
    lido_dense_pool_stats s = {.struct_size = sizeof s};
    CHECK_OK(lido_dense_pool_read_stats(m->pool, &s));
    CHECK_EQ(s.acquired, m->acquired);
    CHECK_EQ(s.released, m->released);
    CHECK_EQ(s.dropped, m->dropped);
    CHECK_EQ(s.live, m->count);
    CHECK_EQ(lido_dense_pool_count(m->pool), m->count);
    CHECK_EQ(s.live_peak, m->peak);
    CHECK_EQ(s.refused_limit, m->refused_limit);
    CHECK_EQ(s.refused_release, m->refused_release);
    CHECK_EQ(s.refused_memory, 0);
    CHECK_EQ(s.object_limit, m->limit);
    CHECK(s.capacity >= m->peak);
    CHECK_EQ(lido_dense_pool_oldest(m->pool),
             m->drops && m->count ? m->live[0].handle : LIDO_DENSE_HANDLE_NONE);
}

static void step(struct model *m) {
    uint64_t what = below(m, 400);
    if (what == 0)
        change_limit(m);
    else if (what == 1)
        release_all(m);
    else if (what < 8)
        look_at_all(m);
    else if (what < 40)
        release_wrongly(m);
    else if (below(m, 100) < (m->acquired / 400 % 2 ? 40 : 65)) /* long slopes up and down */
        acquire(m);
    else
        release(m);
    check_figures(m);
}

/* ---- Walks ----------------------------------------------------------------------------------- */

static void walk(bool drops, uint64_t number) {
    static const uint64_t sizes[] = {1, 8, 24, 64, 80, 333};
    static struct model m;
    memset(&m, 0, sizeof m);
    m.random = check_random_start(number);
    m.bytes = sizes[below(&m, 6)];
    m.drops = drops;
    m.limit = drops ? 1 + below(&m, LIVE_MAX) : 0;
    CHECK_OK(lido_dense_pool_create(
        LIDO_DENSE_POOL_OPTIONS(.name = "model", .object_bytes = m.bytes, .object_limit = m.limit,
                                .at_limit = drops, .ready_count = m.limit / 2),
        &m.pool));
    for (int i = 0; i < CALLS; i++)
        step(&m);
    look_at_all(&m);
    release_all(&m);
    CHECK_OK(lido_dense_pool_destroy(m.pool));
}

static void random_calls_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        walk(false, i);
}

static void random_calls_that_drop_the_oldest_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        walk(true, 100 + i);
}

CHECK_MAIN(TEST(random_calls_agree_with_the_model),
           TEST(random_calls_that_drop_the_oldest_agree_with_the_model))
