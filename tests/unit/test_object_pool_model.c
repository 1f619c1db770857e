/* SPDX-License-Identifier: MIT
 * Random calls of lido/object_pool.h and object_leases.h against a model: the leases that are out,
 * those that were retired, the idle objects as a mere count, and which callback will say no next. After
 * each call both must agree. */
#include "object_factory.h"

#include <lido/object_leases.h>

enum { OUT_MAX = 40, LATE_MAX = 100, CALLS = 20000 };

struct model {
    struct check_random random;
    struct factory factory;
    lido_object_pool *pool;
    lido_lease out[OUT_MAX], stale[32], late[LATE_MAX]; /* late: retired */
    uint64_t stale_count, limit;
    lido_object_pool_stats want; /* the fields that are compared */
};

static uint64_t below(struct model *m, uint64_t bound) {
    return check_random_below(&m->random, bound);
}

static bool takes(uint64_t *left) {
    if (*left == 0)
        return false;
    --*left;
    return true;
}

/* What an acquire must come to, step by step as the header tells it. */
static lido_status foretell_acquire(struct model *m, bool may_wait) {
    uint64_t no_validate = (uint64_t)m->factory.validate.count;
    uint64_t no_create = (uint64_t)m->factory.create.count;
    while (m->want.idle > 0) {
        m->want.idle--;
        if (!takes(&no_validate)) {
            m->want.acquired++;
            m->want.live++;
            return LIDO_OK;
        }
        m->want.validate_failed++;
        m->want.destroyed++;
        m->want.existing--;
    }
    if (m->want.existing >= m->limit) {
        m->want.timeouts++;
        return may_wait ? LIDO_ERR_TIMEOUT : LIDO_ERR_EMPTY;
    }
    if (takes(&no_create)) {
        m->want.create_failed++;
        return LIDO_ERR_CALLBACK;
    }
    m->want.created++;
    m->want.existing++;
    m->want.acquired++;
    m->want.live++;
    return LIDO_OK;
}

static void check_lease(const lido_lease *lease, lido_status got) {
    if (got != LIDO_OK) {
        CHECK(lease->object == NULL);
        return;
    }
    CHECK_EQ(((struct object *)lease->object)->state, IDLE_OR_CLAIMED);
    CHECK_EQ(((struct object *)lease->object)->holders++, 0);
}

static void acquire(struct model *m) {
    bool may_wait = below(m, 2);
    if (m->want.live == OUT_MAX)
        return;
    lido_lease *lease = &m->out[m->want.live];
    uint64_t wait_ns = below(m, 3) * 50;
    bool waits = may_wait && wait_ns > 0 && m->want.idle == 0 && m->want.existing >= m->limit;
    lido_status expected = foretell_acquire(m, may_wait);
    if (waits) {
        m->want.waits++;
        m->want.wait_total_ns += wait_ns;
        m->want.wait_max_ns = wait_ns > m->want.wait_max_ns ? wait_ns : m->want.wait_max_ns;
    }
    lido_status got = may_wait ? lido_object_pool_acquire(m->pool, wait_ns, lease)
                               : lido_object_pool_try_acquire(m->pool, lease);
    CHECK_EQ(got, expected);
    if (m->want.live > m->want.live_peak)
        m->want.live_peak = m->want.live;
    check_lease(lease, got);
}

static void note(void *context) {
    ++*(int *)context;
}

/* Asked without waiting: served at once, or cancelled. */
static void ask(struct model *m) {
    lido_object_pool_request request;
    int notes = 0;
    if (m->want.live == OUT_MAX)
        return;
    bool is_free = m->want.idle > 0 || m->want.existing < m->limit;
    CHECK_OK(lido_object_pool_acquire_async(m->pool, &request, note, &notes));
    CHECK_EQ(notes, is_free);
    lido_lease *lease = &m->out[m->want.live];
    if (!is_free) {
        m->want.waits++;
        CHECK_FAILS(lido_object_pool_take(m->pool, &request, lease), LIDO_ERR_EMPTY, "served yet");
        CHECK_OK(lido_object_pool_cancel(m->pool, &request));
        return;
    }
    lido_status expected = foretell_acquire(m, true);
    lido_status got = lido_object_pool_take(m->pool, &request, lease);
    CHECK_EQ(got, expected);
    if (m->want.live > m->want.live_peak)
        m->want.live_peak = m->want.live;
    check_lease(lease, got);
}

static void return_all(struct model *m) {
    uint64_t count = 0, live = m->want.live;
    if (m->want.retired + live > LATE_MAX)
        return;
    CHECK_OK(lido_object_pool_return_all(m->pool, &count));
    CHECK_EQ(count, live);
    memcpy(&m->late[m->want.retired], m->out, live * sizeof m->out[0]);
    m->want.retired += live;
    m->want.existing -= live;
    m->want.live = 0;
}

/* A retired lease comes back, and its object ends. */
static void give_back_late(struct model *m) {
    if (m->want.retired == 0)
        return;
    lido_lease *lease = &m->late[below(m, m->want.retired)];
    m->stale[m->stale_count++ % 32] = *lease;
    ((struct object *)lease->object)->holders--;
    bool is_discard = below(m, 8) == 0;
    m->want.reset_failed += !is_discard && m->factory.reset.count > 0;
    *(is_discard ? &m->want.discarded : &m->want.released) += 1;
    CHECK_OK(is_discard ? lido_object_pool_discard(m->pool, lease)
                        : lido_object_pool_release(m->pool, lease));
    m->want.destroyed++;
    *lease = m->late[--m->want.retired];
}

static void give_back(struct model *m) {
    if (m->want.live == 0)
        return;
    uint64_t at = below(m, m->want.live);
    lido_lease *lease = &m->out[at];
    m->stale[m->stale_count++ % 32] = *lease;
    ((struct object *)lease->object)->holders--;
    bool is_discard = below(m, 8) == 0;
    bool is_spoilt = is_discard || m->factory.reset.count > 0;
    m->want.reset_failed += !is_discard && m->factory.reset.count > 0;
    *(is_discard ? &m->want.discarded : &m->want.released) += 1;
    CHECK_OK(is_discard ? lido_object_pool_discard(m->pool, lease)
                        : lido_object_pool_release(m->pool, lease));
    CHECK(lease->object == NULL);
    if (is_spoilt || m->want.existing > m->limit) {
        m->want.existing--;
        m->want.destroyed++;
    } else
        m->want.idle++;
    *lease = m->out[--m->want.live];
}

static void give_back_wrongly(struct model *m) {
    lido_lease lease = m->stale[below(m, 32)];
    if (!lease.object)
        return;
    CHECK_FAILS(below(m, 2) ? lido_object_pool_release(m->pool, &lease)
                            : lido_object_pool_discard(m->pool, &lease),
                LIDO_ERR_NOT_HELD, "parsers");
    m->want.refused_release++;
}

static void end_idle_down_to(struct model *m, uint64_t count) {
    while (m->want.idle > 0 && m->want.existing > count) {
        m->want.idle--;
        m->want.existing--;
        m->want.destroyed++;
    }
}

static void steer(struct model *m) {
    uint64_t count = 1 + below(m, OUT_MAX), before = m->want.destroyed;
    switch (below(m, 3)) {
    case 0:
        CHECK_OK(lido_object_pool_set_object_limit(m->pool, count));
        m->limit = count;
        end_idle_down_to(m, count);
        break;
    case 1:
        end_idle_down_to(m, count);
        CHECK_EQ(lido_object_pool_trim(m->pool, count), m->want.destroyed - before);
        break;
    default:
        if (count > m->limit) {
            CHECK_FAILS(lido_object_pool_prepare(m->pool, count), LIDO_ERR_ARGUMENT, "parsers");
            break;
        }
        m->factory.create.count = 0;
        CHECK_OK(lido_object_pool_prepare(m->pool, count));
        for (; m->want.existing < count; m->want.existing++, m->want.idle++)
            m->want.created++;
    }
}

static void make_trouble(struct model *m) {
    struct trouble *const troubles[] = {&m->factory.create, &m->factory.validate,
                                        &m->factory.reset};
    troubles[below(m, 3)]->count = (int)below(m, 4);
}

static void compare(const struct model *m) {
    lido_object_pool_stats s = object_stats(m->pool), want = m->want;
    uint64_t holders = 0;
    want.struct_size = s.struct_size;
    want.object_limit = want.size = m->limit;
    want.overhead_bytes = s.overhead_bytes;
    want.reuse = s.reuse;
    CHECK(memcmp(&s, &want, sizeof s) == 0);
    lido_object_pool_holder h = LIDO_OBJECT_POOL_HOLDER;
    for (uint64_t i = 0; lido_object_pool_next_holder(m->pool, i, &h); i = h.slot + 1)
        holders += ((struct object *)h.object)->holders == 1;
    CHECK_EQ(holders, m->want.live + m->want.retired);
}

static void walk(uint64_t number) {
    static struct model m;
    memset(&m, 0, sizeof m);
    m.random = check_random_start(number);
    m.factory = factory_start();
    m.factory.create.code = m.factory.validate.code = m.factory.reset.code = 1;
    m.limit = 1 + below(&m, OUT_MAX);
    m.pool = handed_on_pool_of(&m.factory, m.limit);
    for (int i = 0; i < CALLS; i++) {
        uint64_t choice = below(&m, 100);
        if (choice < 38)
            acquire(&m);
        else if (choice < 45)
            ask(&m);
        else if (choice < 82)
            give_back(&m);
        else if (choice < 89)
            give_back_late(&m);
        else if (choice < 90)
            return_all(&m);
        else if (choice < 94)
            give_back_wrongly(&m);
        else if (choice < 97)
            make_trouble(&m);
        else if (choice < 99)
            steer(&m);
        else
            check_advance(below(&m, LIDO_SECONDS(1)));
        compare(&m);
    }
    m.factory.reset.count = 0;
    while (m.want.live > 0)
        give_back(&m);
    while (m.want.retired > 0)
        give_back_late(&m);
    CHECK_OK(lido_object_pool_destroy(m.pool));
    factory_end(&m.factory);
}

static void random_calls_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 5; i++)
        walk(i);
}

CHECK_MAIN(TEST(random_calls_agree_with_the_model))
