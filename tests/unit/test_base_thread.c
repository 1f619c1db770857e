/* SPDX-License-Identifier: MIT
 * src/base/thread.h: a record for each thread that needs one, with a dense slot number, and exit
 * calls that run before it goes. */
#include "check.h"

/* ---- Slots ---------------------------------------------------------------------------------- */

struct visitor {
    uint32_t slot;
    uint64_t id;
    struct check_gate *arrive, *leave;
    struct check_thread thread;
};

static void attach_and_stay(void *context) {
    struct visitor *visitor = context;
    struct lido__thread *record = lido__thread();
    CHECK(record != NULL && record == lido__thread_self && lido__thread() == record);
    visitor->slot = record->slot;
    visitor->id = record->id;
    CHECK_EQ(record->id, lido__sys_real.thread_id());
    CHECK_EQ(lido__thread_id(), record->id);
    if (visitor->arrive) {
        check_gate_pass(visitor->arrive);
        check_gate_pass(visitor->leave);
    }
}

static void threads_get_the_smallest_slots_that_are_free(void **state) {
    (void)state;
    struct check_gate arrive = {.is_open = 1}, leave[6] = {{0}};
    struct visitor visitors[6];
    CHECK_EQ(lido__thread()->slot, 0);
    for (int i = 0; i < 6; i++) {
        visitors[i] = (struct visitor){.arrive = &arrive, .leave = &leave[i]};
        check_start(&visitors[i].thread, attach_and_stay, &visitors[i]);
        check_gate_await(&arrive, i + 1);
        CHECK_EQ(visitors[i].slot, i + 1);
    }
    check_gate_open(&leave[1]);
    check_gate_open(&leave[3]);
    check_join(&visitors[1].thread);
    check_join(&visitors[3].thread);
    static const int again[] = {1, 3};
    for (int i = 0; i < 2; i++) {
        leave[again[i]] = (struct check_gate){0};
        check_start(&visitors[again[i]].thread, attach_and_stay, &visitors[again[i]]);
        check_gate_await(&arrive, 7 + i);
        CHECK_EQ(visitors[again[i]].slot, again[i] + 1);
    }
    for (int i = 0; i < 6; i++) {
        check_gate_open(&leave[i]);
        check_join(&visitors[i].thread);
    }
}

static void threads_at_once_get_slots_of_their_own(void **state) {
    (void)state;
    enum { COUNT = 40 };
    struct check_gate arrive = {.is_open = 1}, leave = {0};
    struct visitor visitors[COUNT];
    bool taken[COUNT + 1] = {true};
    for (int i = 0; i < COUNT; i++) {
        visitors[i] = (struct visitor){.arrive = &arrive, .leave = &leave};
        check_start(&visitors[i].thread, attach_and_stay, &visitors[i]);
    }
    check_gate_await(&arrive, COUNT);
    for (int i = 0; i < COUNT; i++) {
        CHECK(visitors[i].slot <= COUNT && !taken[visitors[i].slot]);
        taken[visitors[i].slot] = true;
    }
    check_gate_open(&leave);
    for (int i = 0; i < COUNT; i++)
        check_join(&visitors[i].thread);
}

static void do_nothing_of_lido(void *context) {
    (void)context;
    CHECK(!lido__thread_is_known());
    CHECK_EQ(lido__thread_id(), lido__sys_real.thread_id());
    CHECK(!lido__thread_is_known());
}

static void a_thread_that_does_not_need_a_record_gets_none(void **state) {
    (void)state;
    uint64_t calls = check_memory_calls();
    check_in_thread(do_nothing_of_lido, NULL);
    CHECK_EQ(check_memory_calls(), calls);
}

static void ten_thousand_short_threads_leave_nothing(void **state) {
    (void)state;
    struct visitor visitor = {0};
    uint64_t held = check_bytes_held();
    for (int i = 0; i < 10000; i++) {
        check_in_thread(attach_and_stay, &visitor);
        CHECK_EQ(visitor.slot, 1);
        CHECK_EQ(check_bytes_held(), held);
    }
}

/* ---- Exit calls -------------------------------------------------------------------------------- */

static _Atomic int first_calls, second_calls, order;
static _Atomic int first_place, second_place;
static _Atomic uint64_t called_for, called_in;

static void first_call(struct lido__thread *thread) {
    first_calls++;
    first_place = ++order;
    called_for = thread->id;
    called_in = lido__sys_real.thread_id();
    CHECK(lido__thread_self == thread); /* it may still use lido */
}

static void second_call(struct lido__thread *thread) {
    (void)thread;
    second_calls++;
    second_place = ++order;
}

static void exit_calls_run_once_in_the_ending_thread_the_last_registered_first(void **state) {
    (void)state;
    struct visitor visitor = {0};
    lido__thread_on_exit(first_call);
    lido__thread_on_exit(second_call);
    lido__thread_on_exit(first_call);
    first_calls = second_calls = order = 0;
    check_in_thread(attach_and_stay, &visitor);
    CHECK(first_calls == 1 && second_calls == 1);
    CHECK(second_place == 1 && first_place == 2);
    CHECK(called_for == visitor.id && called_in == visitor.id);
    check_in_thread(do_nothing_of_lido, NULL);
    CHECK_EQ(first_calls, 1);
}

/* ---- Destructors of the application ---------------------------------------------------------- */

static pthread_key_t late_key;
static _Atomic int late_uses;

/* Runs again and again, so that at least once it runs after lido's own destructor. */
static void use_lido_late(void *rounds) {
    intptr_t left = (intptr_t)rounds;
    late_uses++;
    CHECK_FAILS(LIDO__FAIL(LIDO_ERR_BUSY, "%s", .word = {"late"}), LIDO_ERR_BUSY, "late");
    if (left > 1)
        (void)pthread_setspecific(late_key, (void *)(left - 1));
}

static void leave_work_for_the_destructor(void *rounds) {
    if (rounds == (void *)1)
        (void)lido__thread();
    (void)pthread_setspecific(late_key, rounds);
}

static void a_destructor_may_use_lido_after_lido_has_gone(void **state) {
    (void)state;
    /* ThreadSanitizer itself leaves a thread in the fourth round, and code behind that crashes. */
    const intptr_t most = CHECK_TSAN ? 2 : 3;
    CHECK_EQ(pthread_key_create(&late_key, use_lido_late), 0);
    for (intptr_t rounds = 1; rounds <= most; rounds++) {
        late_uses = 0;
        check_in_thread(leave_work_for_the_destructor, (void *)rounds);
        CHECK_EQ(late_uses, rounds);
        CHECK(check__is_balanced(&check__before, "a thread with late work"));
    }
    pthread_key_delete(late_key);
}

/* ---- Cancel -------------------------------------------------------------------------------------- */

static _Atomic bool went_on;

/* A cancel unwinds the frame without telling AddressSanitizer: red zones in it would stay, and stop the
 * functions that the thread calls next. */
__attribute__((no_sanitize_address)) static void attach_and_reach_a_cancellation_point(void *gate) {
    (void)lido__thread();
    check_gate_pass(gate);
    pthread_testcancel();
    went_on = true;
}

static void a_cancelled_thread_gives_its_record_back(void **state) {
    (void)state;
    struct check_gate gate = {0};
    struct check_thread thread;
    check_start(&thread, attach_and_reach_a_cancellation_point, &gate);
    check_gate_await(&gate, 1);
    pthread_cancel(thread.id);
    check_gate_open(&gate);
    check_join(&thread);
    CHECK(!went_on);
    CHECK(check__is_balanced(&check__before, "a cancelled thread"));
}

/* ---- Trouble -------------------------------------------------------------------------------------- */

static void attach_when_refused(void *context) {
    (void)context;
    for (int k = 1; k <= 2; k++) { /* the memory, the key */
        check_arm(k, false);
        CHECK(lido__thread() == NULL);
        CHECK(!lido__thread_is_known());
        check_disarm();
    }
    CHECK(lido__thread() != NULL);
}

static void without_memory_or_key_there_is_no_record_until_there_is(void **state) {
    (void)state;
    check_in_thread(attach_when_refused, NULL);
}

CHECK_MAIN(TEST(threads_get_the_smallest_slots_that_are_free),
           TEST(threads_at_once_get_slots_of_their_own),
           TEST(a_thread_that_does_not_need_a_record_gets_none),
           TEST(ten_thousand_short_threads_leave_nothing),
           TEST(exit_calls_run_once_in_the_ending_thread_the_last_registered_first),
           TEST(a_destructor_may_use_lido_after_lido_has_gone),
           TEST(a_cancelled_thread_gives_its_record_back),
           TEST(without_memory_or_key_there_is_no_record_until_there_is))
