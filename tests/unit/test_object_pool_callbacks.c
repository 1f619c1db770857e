/* SPDX-License-Identifier: MIT
 * Callbacks of an object pool that misbehave, each kind in each of the four: they fail, acquire
 * from their own pool, end their thread, are cancelled, or are left by longjmp. Afterwards the pool is whole:
 * all its places can be taken, and its figures add up. Callbacks that hang: test_object_pool_wait.c.
 * Exceptions: tests/headers/exceptions.cpp. */
#include "check.h"

#include <lido/object_figures.h>

#include <ucontext.h>

enum which { CREATE, VALIDATE, RESET, DESTROY, KINDS };
enum { PLACES = 2, FAR = 8192 };

struct scene {
    lido_object_pool *pool;
    int (*act)(struct scene *scene);
    enum which which;
    bool is_armed, was_reached;
    jmp_buf out;
    ucontext_t scheduler, coroutine;
    int objects[64];
    int made;
};

static int meet(struct scene *scene, enum which which) {
    if (!scene->is_armed || scene->which != which)
        return 0;
    scene->is_armed = false;
    scene->was_reached = true;
    return scene->act(scene);
}

static int create(void *context, void **object) {
    struct scene *scene = context;
    int code = meet(scene, CREATE);
    *object = code ? NULL : &scene->objects[scene->made++];
    return code;
}

static int validate(void *context, void *object) {
    (void)object;
    return meet(context, VALIDATE);
}

static int reset(void *context, void *object) {
    (void)object;
    return meet(context, RESET);
}

static void destroy(void *context, void *object) {
    (void)object;
    (void)meet(context, DESTROY);
}

static struct scene set_scene(enum which which, int (*act)(struct scene *)) {
    return (struct scene){.which = which, .act = act};
}

static void open_pool(struct scene *scene) {
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = PLACES, .create = create,
                                 .validate = scene->which == VALIDATE ? validate : NULL,
                                 .reset = reset, .destroy = destroy, .context = scene),
        &scene->pool));
}

/* Runs into the callback. What the pool answers is told to the act that comes back. */
static lido_status run_into(struct scene *scene) {
    lido_lease lease = {0};
    if (scene->which == CREATE || scene->which == VALIDATE) {
        if (scene->which == VALIDATE)
            CHECK_OK(lido_object_pool_prepare(scene->pool, PLACES));
        scene->is_armed = true;
        lido_status status = lido_object_pool_acquire(scene->pool, 0, &lease);
        CHECK((status == LIDO_OK) == (lease.object != NULL));
        (void)lido_object_pool_release(scene->pool, &lease);
        return status;
    }
    CHECK_OK(lido_object_pool_acquire(scene->pool, 0, &lease));
    scene->is_armed = true;
    return scene->which == RESET ? lido_object_pool_release(scene->pool, &lease)
                                 : lido_object_pool_discard(scene->pool, &lease);
}

static lido_object_pool_stats stats_of(const lido_object_pool *pool) {
    lido_object_pool_stats stats = {.struct_size = sizeof stats};
    CHECK_OK(lido_object_pool_read_stats(pool, &stats));
    return stats;
}

/* Every place can be taken at once, by this thread and by another. */
static void take_all(void *context) {
    struct scene *scene = context;
    lido_lease leases[PLACES], extra;
    for (int i = 0; i < PLACES; i++)
        CHECK_OK(lido_object_pool_acquire(scene->pool, 0, &leases[i]));
    CHECK_FAILS(lido_object_pool_try_acquire(scene->pool, &extra), LIDO_ERR_EMPTY, "parsers");
    for (int i = 0; i < PLACES; i++)
        CHECK_OK(lido_object_pool_release(scene->pool, &leases[i]));
}

static void close_whole_pool(struct scene *scene) {
    CHECK(scene->was_reached);
    take_all(scene);
    check_in_thread(take_all, scene);
    lido_object_pool_stats s = stats_of(scene->pool);
    CHECK(s.live == 0 && s.existing == s.idle);
    CHECK_EQ(s.created, s.destroyed + s.existing + s.lost);
    CHECK_EQ(s.acquired, s.released + s.discarded);
    CHECK_OK(lido_object_pool_close(scene->pool, 0));
    CHECK_OK(lido_object_pool_destroy(scene->pool));
}

static void in_each_callback(void (*run)(struct scene *scene), int (*act)(struct scene *scene)) {
    for (int which = 0; which < KINDS; which++) {
        struct scene scene = set_scene((enum which)which, act);
        open_pool(&scene);
        run(&scene);
        close_whole_pool(&scene);
    }
}

/* ---- Failing, and calling back --------------------------------------------------------------- */

static int say_seven(struct scene *scene) {
    (void)scene;
    return 7;
}

static void run_to_failure(struct scene *scene) {
    if (scene->which == CREATE)
        CHECK_FAILS(run_into(scene), LIDO_ERR_CALLBACK, "code 7");
    else
        CHECK_OK(run_into(scene));
}

static void a_callback_that_fails_costs_its_object_only(void **state) {
    (void)state;
    in_each_callback(run_to_failure, say_seven);
}

/* Whatever a callback may ask of lido but for what would wait for its own pool. */
static void ask_other_things(struct scene *scene) {
    lido_object_pool *other = NULL;
    lido_lease lease, invented = {scene, 0, 9};
    struct scene elsewhere = {.which = KINDS};
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.object_limit = 1, .create = create, .context = &elsewhere),
        &other));
    CHECK_OK(lido_object_pool_acquire(other, 0, &lease));
    CHECK_OK(lido_object_pool_release(other, &lease));
    CHECK_OK(lido_object_pool_destroy(other));
    (void)stats_of(scene->pool);
    (void)lido_object_pool_next_holder(scene->pool, 0, &holder);
    CHECK_FAILS(lido_object_pool_release(scene->pool, &invented), LIDO_ERR_NOT_HELD, "parsers");
    (void)lido_object_pool_trim(scene->pool, 0);
}

static int acquire_again(struct scene *scene) {
    static const char *const names[] = {"create", "validate", "reset", "destroy"};
    lido_lease inner = {.object = scene};
    ask_other_things(scene);
    CHECK_FAILS(lido_object_pool_acquire(scene->pool, LIDO_FOREVER, &inner), LIDO_ERR_DEADLOCK,
                names[scene->which]);
    CHECK_ERROR_HAS("test_object_pool_callbacks.c:");
    CHECK(inner.object == NULL);
    CHECK_FAILS(lido_object_pool_acquire_until(scene->pool, LIDO_FOREVER, &inner),
                LIDO_ERR_DEADLOCK, "parsers");
    CHECK_FAILS(lido_object_pool_try_acquire(scene->pool, &inner), LIDO_ERR_DEADLOCK, "parsers");
    CHECK_FAILS(lido_object_pool_prepare(scene->pool, PLACES), LIDO_ERR_DEADLOCK,
                "prepare inside its own");
    CHECK_FAILS(lido_object_pool_close(scene->pool, LIDO_FOREVER), LIDO_ERR_DEADLOCK,
                "close inside its own");
    CHECK_FAILS(lido_object_pool_destroy(scene->pool), LIDO_ERR_BUSY, "destroy inside its own");
    return 0;
}

static void run_to_success(struct scene *scene) {
    CHECK_OK(run_into(scene));
}

static void a_callback_may_call_lido_but_not_acquire_from_its_own_pool(void **state) {
    (void)state;
    in_each_callback(run_to_success, acquire_again);
}

/* Releasing another lease of the pool inside of its callback is nobody's harm: one more callback. */
static lido_lease other_lease;

static int release_other(struct scene *scene) {
    CHECK_OK(lido_object_pool_release(scene->pool, &other_lease));
    return 0;
}

static void hold_one_and_run(struct scene *scene) {
    CHECK_OK(lido_object_pool_acquire(scene->pool, 0, &other_lease));
    CHECK_OK(run_into(scene));
}

static void a_callback_may_release_another_object_of_its_pool(void **state) {
    (void)state;
    in_each_callback(hold_one_and_run, release_other);
}

/* ---- Ends of the thread ---------------------------------------------------------------------- */

static int end_thread(struct scene *scene) {
    (void)scene;
    pthread_exit(NULL);
}

static int be_cancelled(struct scene *scene) {
    (void)scene;
    CHECK_EQ(pthread_cancel(pthread_self()), 0);
    pthread_testcancel();
    return 0;
}

static void run_and_not_return(void *context) {
    (void)run_into(context);
    CHECK(false); /* it came back */
}

static void run_in_thread(struct scene *scene) {
    check_in_thread(run_and_not_return, scene);
}

static void skip_if_addresses_are_checked(void) {
    if (!CHECK_ASAN)
        return;
    print_message("AddressSanitizer takes what pthread_exit unwinds for an overflow\n");
    skip();
}

static void a_callback_that_ends_its_thread_leaves_its_place_to_others(void **state) {
    (void)state;
    skip_if_addresses_are_checked();
    in_each_callback(run_in_thread, end_thread);
}

static void a_callback_that_is_cancelled_leaves_its_place_to_others(void **state) {
    (void)state;
    skip_if_addresses_are_checked();
    in_each_callback(run_in_thread, be_cancelled);
}

/* ---- longjmp ------------------------------------------------------------------------------------ */

static int jump(struct scene *scene) {
    longjmp(scene->out, 1);
}

/* AddressSanitizer would put large arrays elsewhere. */
#define ON_THE_STACK __attribute__((noinline, no_sanitize_address))

/* Goes far down the stack first. */
static ON_THE_STACK void run_into_below(struct scene *scene) {
    char far[FAR];
    __asm__ volatile("" : : "r"(far) : "memory"); /* it is there, though nobody uses it */
    (void)run_into(scene);
    CHECK(false); /* it came back */
}

static __attribute__((noinline)) void jump_out(struct scene *scene) {
    if (setjmp(scene->out) == 0)
        run_into_below(scene);
}

static void a_callback_left_by_longjmp_gives_its_place_back_at_the_next_call(void **state) {
    (void)state;
    in_each_callback(jump_out, jump);
}

static ON_THE_STACK void take_all_below(struct scene *scene) {
    volatile char far[2 * FAR];
    for (int i = 0; i < 2 * FAR; i++)
        far[i] = 0x5a;
    take_all(scene);
    CHECK_EQ(far[0], far[2 * FAR - 1]);
}

static void jump_out_and_go_on_below(struct scene *scene) {
    jump_out(scene);
    take_all_below(scene);
}

static void it_does_so_too_when_that_call_comes_from_deeper_down(void **state) {
    (void)state;
    in_each_callback(jump_out_and_go_on_below, jump);
}

static void jump_out_and_end(void *context) {
    jump_out(context);
}

static void jump_out_in_thread(struct scene *scene) {
    check_in_thread(jump_out_and_end, scene);
}

static void it_does_so_too_when_the_thread_just_ends(void **state) {
    (void)state;
    in_each_callback(jump_out_in_thread, jump);
}

/* More than are noted: no crash, and the first four places come back. */
static void jumps_without_end_cost_places_and_nothing_else(void **state) {
    (void)state;
    struct scene scene = set_scene(RESET, jump);
    open_pool(&scene);
    for (int i = 0; i < 50; i++)
        jump_out(&scene);
    close_whole_pool(&scene);
}

/* ---- Coroutines --------------------------------------------------------------------------------- */

/* The callback waits in its coroutine while the thread goes on with the same pool: that is no call
 * from inside it, and its place stays its own. */
static int wait_in_coroutine(struct scene *scene) {
    CHECK_EQ(swapcontext(&scene->coroutine, &scene->scheduler), 0);
    return 0;
}

static struct scene *of_coroutine;

static void run_coroutine(void) {
    CHECK_OK(run_into(of_coroutine));
}

static void run_beside_coroutine(struct scene *scene) {
    static char stack[1 << 16];
    lido_lease lease, extra;
    of_coroutine = scene;
    CHECK_EQ(getcontext(&scene->coroutine), 0);
    scene->coroutine.uc_stack.ss_sp = stack;
    scene->coroutine.uc_stack.ss_size = sizeof stack;
    scene->coroutine.uc_link = &scene->scheduler;
    makecontext(&scene->coroutine, run_coroutine, 0);
    CHECK_EQ(swapcontext(&scene->scheduler, &scene->coroutine), 0);
    CHECK(scene->was_reached);
    CHECK_OK(lido_object_pool_acquire(scene->pool, 0, &lease));
    CHECK_FAILS(lido_object_pool_try_acquire(scene->pool, &extra), LIDO_ERR_EMPTY, "parsers");
    CHECK_OK(lido_object_pool_release(scene->pool, &lease));
    CHECK_EQ(swapcontext(&scene->scheduler, &scene->coroutine), 0);
    CHECK_EQ(stats_of(scene->pool).lost, 0);
}

static void a_callback_that_waits_in_a_coroutine_keeps_its_place(void **state) {
    (void)state;
    if (CHECK_TSAN) {
        print_message("ThreadSanitizer does not know swapcontext\n");
        skip();
    }
    in_each_callback(run_beside_coroutine, wait_in_coroutine);
}

CHECK_MAIN(TEST(a_callback_that_fails_costs_its_object_only),
           TEST(a_callback_may_call_lido_but_not_acquire_from_its_own_pool),
           TEST(a_callback_may_release_another_object_of_its_pool),
           TEST(a_callback_that_ends_its_thread_leaves_its_place_to_others),
           TEST(a_callback_that_is_cancelled_leaves_its_place_to_others),
           TEST(a_callback_left_by_longjmp_gives_its_place_back_at_the_next_call),
           TEST(it_does_so_too_when_that_call_comes_from_deeper_down),
           TEST(it_does_so_too_when_the_thread_just_ends),
           TEST(jumps_without_end_cost_places_and_nothing_else),
           TEST(a_callback_that_waits_in_a_coroutine_keeps_its_place))
