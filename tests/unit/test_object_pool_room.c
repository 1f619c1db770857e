/* SPDX-License-Identifier: MIT
 * Making room for more slots lets a pool's lock go while memory is asked for. Whatever others do in
 * that moment is done here from within the request itself, in the thread that makes it. */
#include "object_factory.h"

enum { CHUNK = 16 };

/* What is to happen while memory is asked for, once, after so many refused requests. */
static struct moment {
    _Atomic int is_armed;
    int refusals;
    lido_object_pool *pool;
    lido_lease *to_release, *to_acquire;
    bool closes;
    lido_status closed_as;
} moment;

static void *alloc_in_that_moment(size_t bytes, size_t align) {
    if (!moment.is_armed)
        return check__alloc(bytes, align);
    if (moment.refusals-- > 0)
        return NULL;
    moment.is_armed = 0;
    if (moment.to_acquire)
        CHECK_OK(lido_object_pool_try_acquire(moment.pool, moment.to_acquire));
    if (moment.to_release)
        CHECK_OK(lido_object_pool_release(moment.pool, moment.to_release));
    if (moment.closes)
        moment.closed_as = lido_object_pool_close(moment.pool, 0);
    return check__alloc(bytes, align);
}

static void arm(const struct moment *like) {
    moment = *like;
    lido__sys.alloc = alloc_in_that_moment;
    moment.is_armed = 1;
}

/* A strict pool of which all objects are out, and a thread that waits for one. */
struct scene {
    struct factory factory;
    lido_object_pool *pool;
    lido_lease leases[CHUNK], waited;
    _Atomic int status;
    struct check_thread waiter;
};

static void begin(struct scene *s, bool is_sized) {
    *s = (struct scene){.factory = factory_start()};
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = is_sized ? 2 * CHUNK : CHUNK,
                                 .object_min = CHUNK, .sizing = is_sized, .create = create_object,
                                 .destroy = destroy_object, .context = &s->factory,
                                 .order = LIDO_OBJECT_POOL_STRICT),
        &s->pool));
    for (int i = 0; i < CHUNK; i++)
        CHECK_OK(lido_object_pool_acquire(s->pool, 0, &s->leases[i]));
}

static void wait_for_one(void *context) {
    struct scene *s = context;
    s->status = lido_object_pool_acquire(s->pool, LIDO_FOREVER, &s->waited);
}

static void begin_with_waiter(struct scene *s, bool is_sized) {
    begin(s, is_sized);
    check_start(&s->waiter, wait_for_one, s);
    check_await_sleepers(1);
}

static void join_served(struct scene *s) {
    check_join(&s->waiter);
    CHECK_EQ(s->status, LIDO_OK);
    CHECK_OK(lido_object_pool_release(s->pool, &s->waited));
}

static void end(struct scene *s) {
    for (int i = 0; i < CHUNK; i++)
        CHECK_OK(lido_object_pool_release(s->pool, &s->leases[i]));
    check_object_figures(s->pool);
    lido_object_pool_stats stats = object_stats(s->pool);
    CHECK_EQ(stats.existing, stats.created - stats.destroyed);
    CHECK_EQ(stats.existing, stats.idle);
    CHECK_OK(lido_object_pool_destroy(s->pool));
    factory_end(&s->factory);
}

static void a_slot_that_was_made_for_a_waiter_just_served_is_not_an_object(void **state) {
    (void)state;
    struct scene s;
    begin_with_waiter(&s, false);
    arm(&(struct moment){.pool = s.pool, .to_release = &s.leases[3]});
    CHECK_OK(lido_object_pool_set_object_limit(s.pool, CHUNK + 1));
    join_served(&s);
    end(&s);
}

static void a_waiter_is_served_while_it_makes_room_itself(void **state) {
    (void)state;
    struct scene s;
    begin_with_waiter(&s, false);
    arm(&(struct moment){.pool = s.pool, .refusals = 1, .to_release = &s.leases[3]});
    CHECK_OK(lido_object_pool_set_object_limit(s.pool, CHUNK + 1));
    join_served(&s);
    end(&s);
}

static void a_waiter_is_served_while_it_grows_the_pool(void **state) {
    (void)state;
    struct scene s;
    begin_with_waiter(&s, true);
    arm(&(struct moment){.pool = s.pool, .to_release = &s.leases[3]});
    check_advance(LIDO_MILLISECONDS(5));
    join_served(&s);
    end(&s);
}

static void a_waiter_is_sent_away_while_it_makes_room(void **state) {
    (void)state;
    struct scene s;
    begin_with_waiter(&s, true);
    arm(&(struct moment){.pool = s.pool, .closes = true});
    check_advance(LIDO_MILLISECONDS(5));
    check_join(&s.waiter);
    CHECK_EQ(moment.closed_as, LIDO_ERR_BUSY);
    CHECK_EQ(s.status, LIDO_ERR_CLOSED);
    end(&s);
}

static void nothing_is_handed_out_after_close_saw_all_at_home(void **state) {
    (void)state;
    struct scene s;
    lido_lease late;
    begin(&s, false);
    CHECK_OK(lido_object_pool_set_object_limit(s.pool, CHUNK + 1));
    arm(&(struct moment){.pool = s.pool, .closes = true});
    CHECK_FAILS(lido_object_pool_acquire(s.pool, LIDO_FOREVER, &late), LIDO_ERR_CLOSED, "parsers");
    CHECK_EQ(moment.closed_as, LIDO_ERR_BUSY);
    end(&s);
}

static void an_object_that_comes_back_while_room_is_made_is_found(void **state) {
    (void)state;
    struct scene s;
    lido_lease other, mine;
    begin(&s, false);
    CHECK_OK(lido_object_pool_set_object_limit(s.pool, CHUNK + 1));
    arm(&(struct moment){.pool = s.pool, .to_acquire = &other, .to_release = &s.leases[3]});
    CHECK_OK(lido_object_pool_try_acquire(s.pool, &mine));
    CHECK_OK(lido_object_pool_release(s.pool, &other));
    CHECK_OK(lido_object_pool_release(s.pool, &mine));
    end(&s);
}

CHECK_MAIN(TEST(a_slot_that_was_made_for_a_waiter_just_served_is_not_an_object),
           TEST(a_waiter_is_served_while_it_makes_room_itself),
           TEST(a_waiter_is_served_while_it_grows_the_pool),
           TEST(a_waiter_is_sent_away_while_it_makes_room),
           TEST(nothing_is_handed_out_after_close_saw_all_at_home),
           TEST(an_object_that_comes_back_while_room_is_made_is_found))
