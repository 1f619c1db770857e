/* SPDX-License-Identifier: MIT
 * Asking an object pool without waiting: who is told, once, in the order of the queue; take, cancel
 * and being served; close, fork, and threads that all do it at once. */
#include "object_factory.h"

#include <lido/object_leases.h>

#include <setjmp.h>
#include <stddef.h>
#include <sys/eventfd.h>

struct asker {
    lido_object_pool *pool;
    lido_object_pool_request request;
    _Atomic int told;
    int *order; /* counts who was told */
    int told_as;
    bool takes_at_once;
    lido_lease lease;
};

static void tell(void *context) {
    struct asker *asker = context;
    bool takes_at_once = asker->takes_at_once;
    if (asker->order)
        asker->told_as = ++*asker->order;
    asker->told++; /* from here on its owner may have taken it, and gone */
    if (!takes_at_once)
        return;
    CHECK_OK(lido_object_pool_take(asker->pool, &asker->request, &asker->lease));
    CHECK_OK(lido_object_pool_release(asker->pool, &asker->lease));
}

static void ask(struct asker *asker, lido_object_pool *pool) {
    asker->pool = pool;
    CHECK_OK(lido_object_pool_acquire_async(pool, &asker->request, tell, asker));
}

static void end(lido_object_pool *pool, struct factory *factory) {
    check_object_figures(pool);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(factory);
}

static void what_is_free_is_kept_for_the_request_at_once(void **state) {
    (void)state;
    struct asker asker = {.told = 0};
    lido_lease extra;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    ask(&asker, pool);
    CHECK(asker.told == 1 && factory.creates == 0);
    CHECK_FAILS(lido_object_pool_try_acquire(pool, &extra), LIDO_ERR_EMPTY, "parsers");
    CHECK_FAILS(lido_object_pool_destroy(pool), LIDO_ERR_BUSY, "1 requests");
    CHECK_OK(lido_object_pool_take_at(pool, &asker.request, &asker.lease, "take.c:1"));
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    CHECK(lido_object_pool_next_holder(pool, 0, &holder));
    CHECK(strcmp(holder.site, "take.c:1") == 0 && factory.creates == 1);
    CHECK_FAILS(lido_object_pool_take(pool, &asker.request, &extra), LIDO_ERR_ARGUMENT, "ended");
    CHECK(extra.object == NULL);
    CHECK_OK(lido_object_pool_release(pool, &asker.lease));
    end(pool, &factory);
}

static void requests_are_served_in_order_and_told_once(void **state) {
    (void)state;
    enum { COUNT = 20 };
    struct asker askers[COUNT] = {{0}};
    int order = 0;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    for (int i = 0; i < COUNT; i++) {
        askers[i].order = &order;
        askers[i].takes_at_once = true;
        ask(&askers[i], pool);
        CHECK_EQ(askers[i].told, 0);
        CHECK_FAILS(lido_object_pool_take(pool, &askers[i].request, &askers[i].lease),
                    LIDO_ERR_EMPTY, "not served yet");
    }
    CHECK_EQ(object_stats(pool).waiting, COUNT);
    CHECK_OK(lido_object_pool_release(pool, &lease)); /* each serves the next, none in the other */
    for (int i = 0; i < COUNT; i++)
        CHECK(askers[i].told == 1 && askers[i].told_as == i + 1);
    CHECK_EQ(factory.creates, 1);
    end(pool, &factory);
}

static void a_cancelled_request_is_never_told(void **state) {
    (void)state;
    struct asker first = {.told = 0}, second = {.told = 0};
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    ask(&first, pool);
    ask(&second, pool);
    CHECK_OK(lido_object_pool_cancel(pool, &first.request));
    CHECK_FAILS(lido_object_pool_cancel(pool, &first.request), LIDO_ERR_BUSY, "parsers");
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK(first.told == 0 && second.told == 1);
    CHECK_FAILS(lido_object_pool_cancel(pool, &second.request), LIDO_ERR_BUSY, "served");
    CHECK_EQ(object_stats(pool).idle, 1); /* what was kept is free again */
    ask(&first, pool);
    CHECK_OK(lido_object_pool_trim(pool, 0) == 0 ? LIDO_OK : LIDO_ERR_BUSY);
    CHECK_FAILS(lido_object_pool_cancel(pool, &first.request), LIDO_ERR_BUSY, "served");
    end(pool, &factory);
}

static void a_place_without_an_object_is_kept_and_given_back_too(void **state) {
    (void)state;
    struct asker asker = {.told = 0};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    ask(&asker, pool);
    CHECK_FAILS(lido_object_pool_cancel(pool, &asker.request), LIDO_ERR_BUSY, "served");
    CHECK_EQ(object_stats(pool).existing, 0);
    factory.create = (struct trouble){.count = 1, .code = 3};
    ask(&asker, pool);
    CHECK_FAILS(lido_object_pool_take(pool, &asker.request, &asker.lease), LIDO_ERR_CALLBACK,
                "code 3");
    end(pool, &factory);
}

/* The release that told it would go on with a pool that is no more. */
static void take_release_and_destroy(void *context) {
    struct asker *asker = context;
    asker->takes_at_once = true;
    tell(asker);
    CHECK_FAILS(lido_object_pool_destroy(asker->pool), LIDO_ERR_BUSY,
                "destroy inside its own notify callback");
}

static void a_notification_does_not_end_its_pool(void **state) {
    (void)state;
    struct asker asker = {.told = 0};
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = asker.pool = pool_of(&factory, 1);
    CHECK_OK(
        lido_object_pool_acquire_async(pool, &asker.request, take_release_and_destroy, &asker));
    CHECK_EQ(asker.told, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(
        lido_object_pool_acquire_async(pool, &asker.request, take_release_and_destroy, &asker));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_EQ(asker.told, 2);
    end(pool, &factory);
}

/* What an ending thread leaves behind goes to who asked: told in that thread, with nothing locked, so
 * the notification may use the pool, which makes the thread another store there. */
struct ender {
    struct asker asker;
    struct factory factory;
    struct check_gate asked;
    jmp_buf outside;
    _Atomic uint64_t told_in, runs_in;
};

static int jump_out(void *context, void *object) {
    struct ender *ender = (struct ender *)((char *)context - offsetof(struct ender, factory));
    if (ender->told_in != 0)
        return reset_object(context, object);
    ((struct object *)object)->state = ENDED;
    ender->factory.destroys++; /* as if: it is lost */
    longjmp(ender->outside, 1);
}

static void tell_in(void *context) {
    struct ender *ender = context;
    ender->told_in = lido__thread_id();
    tell(&ender->asker);
}

static void leave_a_callback_and_end(void *context) {
    struct ender *ender = context;
    lido_lease lease;
    ender->runs_in = lido__thread_id();
    CHECK_OK(lido_object_pool_acquire(ender->asker.pool, 0, &lease));
    if (setjmp(ender->outside) == 0)
        (void)lido_object_pool_release(ender->asker.pool, &lease);
    check_gate_pass(&ender->asked);
}

static void the_end_of_a_thread_tells_who_asked(void **state) {
    (void)state;
    static struct ender ender;
    struct check_thread thread;
    ender.factory = factory_start();
    ender.asker.takes_at_once = true;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.object_limit = 1, .create = create_object, .reset = jump_out,
                                 .destroy = destroy_object, .context = &ender.factory),
        &ender.asker.pool));
    check_start(&thread, leave_a_callback_and_end, &ender);
    check_gate_await(&ender.asked, 1);
    CHECK_OK(
        lido_object_pool_acquire_async(ender.asker.pool, &ender.asker.request, tell_in, &ender));
    CHECK_EQ(ender.asker.told, 0); /* the place is lost until the thread ends */
    check_gate_open(&ender.asked);
    check_join(&thread);
    CHECK(ender.asker.told == 1 && ender.told_in == ender.runs_in);
    CHECK_OK(lido_object_pool_destroy(ender.asker.pool));
    factory_end(&ender.factory);
}

static void a_descriptor_becomes_readable(void **state) {
    (void)state;
    lido_object_pool_request requests[2];
    lido_lease lease, leases[2];
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    struct pollfd loop = {.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .events = POLLIN};
    CHECK(loop.fd >= 0);
    CHECK_FAILS(lido_object_pool_acquire_fd(pool, &requests[0], -1), LIDO_ERR_ARGUMENT, "-1");
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    for (int i = 0; i < 2; i++)
        CHECK_OK(lido_object_pool_acquire_fd(pool, &requests[i], loop.fd));
    CHECK_EQ(poll(&loop, 1, 0), 0);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_EQ(poll(&loop, 1, 0), 1);
    uint64_t count = 0;
    CHECK(read(loop.fd, &count, sizeof count) == sizeof count && count == 1);
    CHECK_OK(lido_object_pool_take(pool, &requests[0], &leases[0]));
    CHECK_EQ(lido_object_pool_take(pool, &requests[1], &leases[1]), LIDO_ERR_EMPTY);
    CHECK_OK(lido_object_pool_release(pool, &leases[0]));
    CHECK_EQ(poll(&loop, 1, 0), 1);
    CHECK_OK(lido_object_pool_take(pool, &requests[1], &leases[1]));
    CHECK_OK(lido_object_pool_release(pool, &leases[1]));
    close(loop.fd);
    end(pool, &factory);
}

static void refusals_come_at_once_and_close_sends_all_away(void **state) {
    (void)state;
    struct asker askers[3] = {{0}};
    lido_object_pool *pool = NULL;
    lido_lease lease;
    struct factory factory = factory_start();
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = 1, .waiter_limit = 2,
                                 .create = create_object, .destroy = destroy_object,
                                 .context = &factory),
        &pool));
    CHECK_FAILS(lido_object_pool_acquire_async(pool, &askers[0].request, NULL, NULL),
                LIDO_ERR_ARGUMENT, "notify is NULL");
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    ask(&askers[0], pool);
    ask(&askers[1], pool);
    CHECK_FAILS(lido_object_pool_acquire_async(pool, &askers[2].request, tell, &askers[2]),
                LIDO_ERR_LIMIT, "waiter_limit");
    CHECK_FAILS(lido_object_pool_close(pool, 0), LIDO_ERR_BUSY, "parsers");
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(askers[i].told, 1);
        CHECK_FAILS(lido_object_pool_take(pool, &askers[i].request, &askers[i].lease),
                    LIDO_ERR_CLOSED, "closed");
    }
    CHECK_FAILS(lido_object_pool_acquire_async(pool, &askers[2].request, tell, &askers[2]),
                LIDO_ERR_CLOSED, "closed");
    CHECK_EQ(askers[2].told, 0);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    end(pool, &factory);
}

static void cancel_in_child(void *context) {
    struct asker *asker = context;
    CHECK_EQ(object_stats(asker->pool).waiting, 0);
    CHECK_OK(lido_object_pool_cancel(asker->pool, &asker->request));
}

static void in_a_forked_child_a_waiting_request_is_only_to_be_cancelled(void **state) {
    (void)state;
    struct asker asker = {.told = 0};
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    ask(&asker, pool);
    CHECK_EQ(check_child(cancel_in_child, &asker), 0);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_EQ(asker.told, 1);
    CHECK_OK(lido_object_pool_take(pool, &asker.request, &asker.lease));
    CHECK_OK(lido_object_pool_release(pool, &asker.lease));
    end(pool, &factory);
}

/* It is kept for the request, whichever thread asked, and not for whoever comes next. */
static void take_in_child(void *context) {
    struct asker *asker = context;
    lido_lease other;
    CHECK_FAILS(lido_object_pool_try_acquire(asker->pool, &other), LIDO_ERR_EMPTY, "parsers");
    CHECK_OK(lido_object_pool_take(asker->pool, &asker->request, &asker->lease));
    CHECK_FAILS(lido_object_pool_try_acquire(asker->pool, &other), LIDO_ERR_EMPTY, "parsers");
    CHECK_OK(lido_object_pool_release(asker->pool, &asker->lease));
    CHECK_OK(lido_object_pool_destroy(asker->pool));
}

static void ask_in_a_thread(void *context) {
    struct asker *asker = context;
    ask(asker, asker->pool);
}

static void in_a_forked_child_a_served_request_is_still_served(void **state) {
    (void)state;
    struct asker asker = {.told = 0};
    struct factory factory = factory_start();
    asker.pool = pool_of(&factory, 1);
    check_in_thread(ask_in_a_thread, &asker);
    CHECK_EQ(asker.told, 1);
    CHECK_EQ(check_child(take_in_child, &asker), 0);
    CHECK_OK(lido_object_pool_take(asker.pool, &asker.request, &asker.lease));
    CHECK_OK(lido_object_pool_release(asker.pool, &asker.lease));
    end(asker.pool, &factory);
}

/* Gives back, when told, what another pool is waited for. */
struct relay {
    struct asker asker;
    lido_object_pool *next_pool;
    lido_lease next;
};

static void pass_on(void *context) {
    struct relay *relay = context;
    relay->asker.told++;
    CHECK_OK(lido_object_pool_release(relay->next_pool, &relay->next));
}

static void a_release_inside_a_notification_tells_requests_of_other_pools(void **state) {
    (void)state;
    struct relay relay = {.next_pool = NULL};
    struct asker second = {.told = 0};
    lido_lease lease;
    struct factory factory = factory_start(), next_factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    relay.next_pool = pool_of(&next_factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_acquire(relay.next_pool, 0, &relay.next));
    CHECK_OK(lido_object_pool_acquire_async(pool, &relay.asker.request, pass_on, &relay));
    ask(&second, relay.next_pool);
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK(relay.asker.told == 1 && second.told == 1);
    CHECK_OK(lido_object_pool_take(pool, &relay.asker.request, &lease));
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_take(relay.next_pool, &second.request, &second.lease));
    CHECK_OK(lido_object_pool_release(relay.next_pool, &second.lease));
    end(pool, &factory);
    end(relay.next_pool, &next_factory);
}

/* A second request joins the queue in the notification of a first that was served at once. */
struct pair {
    struct asker first, second;
};

static void ask_again_and_give_back(void *context) {
    struct pair *pair = context;
    ask(&pair->second, pair->first.pool);
    CHECK_EQ(pair->second.told, 0);
    CHECK_OK(lido_object_pool_take(pair->first.pool, &pair->first.request, &pair->first.lease));
    CHECK_OK(lido_object_pool_release(pair->first.pool, &pair->first.lease));
}

static void a_release_inside_a_notification_tells_who_asked_inside_it(void **state) {
    (void)state;
    struct pair pair = {.first = {.told = 0}};
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    pair.first.pool = pool;
    CHECK_OK(
        lido_object_pool_acquire_async(pool, &pair.first.request, ask_again_and_give_back, &pair));
    CHECK_EQ(pair.second.told, 1);
    CHECK_OK(lido_object_pool_take(pool, &pair.second.request, &pair.second.lease));
    CHECK_OK(lido_object_pool_release(pool, &pair.second.lease));
    end(pool, &factory);
}

/* While memory is asked for a slot, somebody else comes and takes the place. */
static struct asker *robber;
static void *(*alloc_before)(size_t bytes, size_t align);

static void *alloc_and_rob(size_t bytes, size_t align) {
    struct asker *asker = robber;
    robber = NULL;
    if (asker)
        CHECK_OK(lido_object_pool_try_acquire(asker->pool, &asker->lease));
    return alloc_before(bytes, align);
}

static void who_is_robbed_of_its_place_goes_on_waiting(void **state) {
    (void)state;
    enum { FIRST = 16 }; /* all slots that there is memory for */
    lido_lease lease[FIRST];
    struct asker asker = {.told = 0}, other = {.told = 0};
    struct factory factory = factory_start();
    lido_object_pool *pool = NULL;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.object_limit = FIRST, .create = create_object,
                                 .destroy = destroy_object, .context = &factory),
        &pool));
    for (int i = 0; i < FIRST; i++)
        CHECK_OK(lido_object_pool_acquire(pool, 0, &lease[i]));
    ask(&asker, pool);
    other.pool = pool;
    robber = &other;
    alloc_before = lido__sys.alloc;
    lido__sys.alloc = alloc_and_rob;
    CHECK_OK(lido_object_pool_set_object_limit(pool, FIRST + 1));
    lido__sys.alloc = alloc_before;
    CHECK(other.lease.object != NULL && asker.told == 0);
    CHECK_FAILS(lido_object_pool_take(pool, &asker.request, &asker.lease), LIDO_ERR_EMPTY,
                "not served yet");
    CHECK_OK(lido_object_pool_release(pool, &other.lease));
    CHECK_EQ(asker.told, 1);
    CHECK_OK(lido_object_pool_take(pool, &asker.request, &asker.lease));
    CHECK_OK(lido_object_pool_release(pool, &asker.lease));
    for (int i = 0; i < FIRST; i++)
        CHECK_OK(lido_object_pool_release(pool, &lease[i]));
    end(pool, &factory);
}

static void wait_like_a_thread(void *context) {
    struct asker *asker = context;
    CHECK_OK(lido_object_pool_acquire(asker->pool, LIDO_FOREVER, &asker->lease));
    asker->told_as = ++*asker->order;
    CHECK_OK(lido_object_pool_release(asker->pool, &asker->lease));
}

static void threads_and_requests_stand_in_one_queue(void **state) {
    (void)state;
    struct asker askers[4] = {{0}};
    struct check_thread threads[2];
    int order = 0;
    lido_lease lease;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 1);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    for (int i = 0; i < 4; i++) {
        askers[i].pool = pool;
        askers[i].order = &order;
        askers[i].takes_at_once = true;
        if (i % 2)
            ask(&askers[i], pool);
        else
            check_start(&threads[i / 2], wait_like_a_thread, &askers[i]);
        check_await_sleepers(i / 2 + 1);
    }
    CHECK_OK(lido_object_pool_release(pool, &lease));
    check_join(&threads[0]);
    check_join(&threads[1]);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(askers[i].told_as, i + 1);
    end(pool, &factory);
}

/* Whatever call fails: who asked is told, or was refused; and all is given back. */
static void ask_without_memory(void *context) {
    enum { COUNT = 40 };
    static struct asker askers[COUNT];
    lido_object_pool *pool = NULL;
    lido_lease lease = {0};
    struct factory factory = factory_start();
    (void)context;
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.object_limit = 1, .create = create_object,
                                                         .destroy = destroy_object,
                                                         .context = &factory),
                                &pool) == LIDO_OK) {
        (void)!lido_object_pool_acquire(pool, 0, &lease);
        for (int i = 0; i < COUNT; i++) {
            askers[i] = (struct asker){.pool = pool};
            if (lido_object_pool_acquire_async(pool, &askers[i].request, tell, &askers[i]) !=
                LIDO_OK)
                askers[i].pool = NULL;
        }
        CHECK_OK(lido_object_pool_set_object_limit(pool, COUNT + 1));
        for (int i = 0; i < COUNT; i++) {
            CHECK_EQ(askers[i].told, askers[i].pool != NULL);
            if (askers[i].pool &&
                lido_object_pool_take(pool, &askers[i].request, &askers[i].lease) == LIDO_OK)
                CHECK_OK(lido_object_pool_release(pool, &askers[i].lease));
        }
        CHECK_OK(lido_object_pool_release(pool, &lease));
        CHECK_OK(lido_object_pool_destroy(pool));
    }
    factory_end(&factory);
}

static void requests_survive_every_failure(void **state) {
    (void)state;
    check_sweep(ask_without_memory, NULL);
}

/* ---- All at once --------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 1500 };

/* Each request is told or cancelled, never both, never neither. */
static void ask_and_maybe_cancel(void *context) {
    lido_object_pool *pool = context;
    for (int i = 0; i < ROUNDS; i++) {
        struct asker asker = {.told = 0};
        ask(&asker, pool);
        if (i % 3 == 0) {
            lido_status status = lido_object_pool_cancel(pool, &asker.request);
            while (status == LIDO_ERR_BUSY && asker.told == 0)
                sched_yield(); /* under way */
            CHECK_EQ(asker.told, status == LIDO_ERR_BUSY);
            continue;
        }
        while (asker.told == 0)
            sched_yield();
        CHECK_OK(lido_object_pool_take(pool, &asker.request, &asker.lease));
        struct object *object = asker.lease.object;
        CHECK_EQ(++object->holders, 1);
        CHECK_EQ(--object->holders, 0);
        CHECK_OK(lido_object_pool_release(pool, &asker.lease));
        CHECK_EQ(asker.told, 1);
    }
}

static void cancel_and_being_served_have_one_winner(void **state) {
    (void)state;
    struct check_thread threads[THREADS];
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    for (int i = 0; i < THREADS; i++)
        check_start(&threads[i], ask_and_maybe_cancel, pool);
    for (int i = 0; i < THREADS; i++)
        check_join(&threads[i]);
    end(pool, &factory);
}

CHECK_MAIN(TEST(what_is_free_is_kept_for_the_request_at_once),
           TEST(requests_are_served_in_order_and_told_once),
           TEST(a_cancelled_request_is_never_told),
           TEST(a_place_without_an_object_is_kept_and_given_back_too),
           TEST(the_end_of_a_thread_tells_who_asked), TEST(a_notification_does_not_end_its_pool),
           TEST(a_descriptor_becomes_readable),
           TEST(refusals_come_at_once_and_close_sends_all_away),
           TEST(in_a_forked_child_a_waiting_request_is_only_to_be_cancelled),
           TEST(in_a_forked_child_a_served_request_is_still_served),
           TEST(a_release_inside_a_notification_tells_requests_of_other_pools),
           TEST(a_release_inside_a_notification_tells_who_asked_inside_it),
           TEST(who_is_robbed_of_its_place_goes_on_waiting),
           TEST(threads_and_requests_stand_in_one_queue), TEST(requests_survive_every_failure),
           TEST(cancel_and_being_served_have_one_winner))
