/* SPDX-License-Identifier: MIT
 * src/base/fork.h, and what base does in a child: it forgets threads that are not there, and the
 * child can use everything at once. */
#include "check.h"

#include "base/fork.h"
#include "base/log.h"

/* ---- Clients ------------------------------------------------------------------------------- */

static char steps[64];
static size_t step_count;

static void note(char step) {
    if (step_count < sizeof steps - 1)
        steps[step_count++] = step;
    steps[step_count] = '\0';
}

#define CLIENT(name, letter, capital, in_child)                                                    \
    static void name##_prepare(void) {                                                             \
        note(letter);                                                                              \
    }                                                                                              \
    static void name##_parent(void) {                                                              \
        note(capital);                                                                             \
    }                                                                                              \
    static void name##_child(void) {                                                               \
        note(in_child);                                                                            \
    }

CLIENT(early, 'a', 'A', '1')
CLIENT(late, 'b', 'B', '2')

static struct lido__fork_client late_client = {
    .prepare = late_prepare, .parent = late_parent, .child = late_child, .order = 1001};
static struct lido__fork_client early_client = {
    .prepare = early_prepare, .parent = early_parent, .child = early_child, .order = -1};

static void look_at_steps(void *parent_id) {
    CHECK(strcmp(steps, "ab12") == 0);
    CHECK_EQ(lido__fork_parent_id(), *(uint64_t *)parent_id);
}

static void clients_are_called_once_each_by_order(void **state) {
    (void)state;
    uint64_t id = lido__thread_id();
    CHECK_OK(lido__fork_register(&late_client));
    CHECK_OK(lido__fork_register(&early_client));
    CHECK_OK(lido__fork_register(&late_client));
    step_count = 0;
    CHECK_EQ(check_child(look_at_steps, &id), 0);
    CHECK(strcmp(steps, "abAB") == 0);
}

/* ---- Threads in the child -------------------------------------------------------------------- */

static _Atomic int ended_records;
static _Atomic bool exit_call_uses_lido;

static void count_ended(struct lido__thread *thread) {
    (void)thread;
    ended_records++;
    if (!exit_call_uses_lido)
        return;
    LIDO__LOG(LIDO_LOG_ERROR, "thread.lost", {"slot", NULL, thread->slot});
    (void)LIDO__FAIL(LIDO_ERR_BUSY, "%s", .word = {"told in an exit call"});
    (void)lido_registry_count();
}

struct guest {
    struct check_gate *arrive, *leave;
};

static void attach_and_stay(void *context) {
    struct guest *guest = context;
    (void)lido__thread();
    check_gate_pass(guest->arrive);
    check_gate_pass(guest->leave);
}

enum { GUESTS = 3 };

static struct check_gate arrive, leave;
static struct guest guest = {&arrive, &leave};
static struct check_thread guests[GUESTS];

static void let_guests_in(void) {
    arrive = (struct check_gate){.is_open = 1};
    leave = (struct check_gate){0};
    for (int i = 0; i < GUESTS; i++)
        check_start(&guests[i], attach_and_stay, &guest);
    check_gate_await(&arrive, GUESTS);
    ended_records = 0;
    lido__thread_on_exit(count_ended);
}

static void let_guests_out(void) {
    check_gate_open(&leave);
    for (int i = 0; i < GUESTS; i++)
        check_join(&guests[i]);
}

static void look_at_own_record(void *context) {
    const struct lido__thread *record = context;
    CHECK_EQ(ended_records, GUESTS);
    CHECK(lido__thread() == record);
    CHECK_EQ(record->id, lido__sys_real.thread_id());
    CHECK_EQ(lido__thread_id(), record->id);
    CHECK(record->next == NULL);
}

static void a_child_keeps_its_record_and_ends_those_of_the_others(void **state) {
    (void)state;
    uint64_t id = lido__thread()->id;
    let_guests_in();
    CHECK_EQ(check_child(look_at_own_record, lido__thread()), 0);
    CHECK_EQ(ended_records, 0);
    CHECK_EQ(lido__thread()->id, id);
    let_guests_out();
    CHECK_EQ(ended_records, GUESTS);
}

static void hear(const lido_log_record *record, void *count) {
    if (strcmp(record->event, "thread.lost") == 0)
        ++*(int *)count;
}

static int heard;

static void look_after_busy_exit_calls(void *context) {
    (void)context;
    CHECK_EQ(ended_records, GUESTS);
    CHECK_EQ(heard, GUESTS);
    CHECK_EQ(lido_registry_count(), 0);
}

/* An exit call gives back what a capability keeps for a thread; it may log and fail as any code. */
static void exit_calls_in_a_child_may_use_lido(void **state) {
    (void)state;
    heard = 0;
    exit_call_uses_lido = true;
    lido_log_set(LIDO_LOG_ERROR, hear, &heard);
    let_guests_in();
    CHECK_EQ(check_child(look_after_busy_exit_calls, NULL), 0);
    lido_log_set(LIDO_LOG_ERROR, NULL, NULL);
    let_guests_out();
    exit_call_uses_lido = false;
}

static void fork_without_a_record(void *context) {
    (void)context;
    CHECK(!lido__thread_is_known());
    exit_call_uses_lido = true;
    CHECK_EQ(check_child(look_after_busy_exit_calls, NULL), 0);
    exit_call_uses_lido = false;
    CHECK(!lido__thread_is_known());
}

/* The forking thread has never used lido: its first use may be within the exit calls. */
static void a_thread_without_a_record_may_fork(void **state) {
    (void)state;
    heard = 0;
    lido_log_set(LIDO_LOG_ERROR, hear, &heard);
    let_guests_in();
    ended_records = -1; /* the main thread vanishes in that child too */
    heard = -1;
    check_in_thread(fork_without_a_record, NULL);
    lido_log_set(LIDO_LOG_ERROR, NULL, NULL);
    let_guests_out();
}

/* ---- Storm ------------------------------------------------------------------------------------- */

static _Atomic bool is_over;

static void short_visit(void *context) {
    (void)context;
    LIDO__LOG(LIDO_LOG_ERROR, "visit", {"n", NULL, 1});
    (void)LIDO__FAIL(LIDO_ERR_BUSY, "%s", .word = {"x"});
}

static void keep_busy(void *context) {
    (void)context;
    while (!is_over) {
        check_in_thread(short_visit, NULL);
        (void)lido_registry_count();
    }
}

static void be_a_good_child(void *context) {
    (void)context;
    LIDO__LOG(LIDO_LOG_ERROR, "child", {"n", NULL, 1});
    CHECK_FAILS(LIDO__FAIL(LIDO_ERR_BUSY, "%s", .word = {"in a child"}), LIDO_ERR_BUSY, "child");
    CHECK_EQ(lido_registry_count(), 0);
    CHECK_EQ(lido__thread()->slot, 0);
}

static void children_of_busy_parents_work_at_once(void **state) {
    (void)state;
    struct check_thread threads[2];
    int heard_here = 0;
    lido_log_set(LIDO_LOG_ERROR, hear, &heard_here);
    is_over = false;
    for (int i = 0; i < 2; i++)
        check_start(&threads[i], keep_busy, NULL);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(check_child(be_a_good_child, NULL), 0);
    is_over = true;
    for (int i = 0; i < 2; i++)
        check_join(&threads[i]);
    lido_log_set(LIDO_LOG_ERROR, NULL, NULL);
}

CHECK_MAIN(TEST(clients_are_called_once_each_by_order),
           TEST(a_child_keeps_its_record_and_ends_those_of_the_others),
           TEST(exit_calls_in_a_child_may_use_lido), TEST(a_thread_without_a_record_may_fork),
           TEST(children_of_busy_parents_work_at_once))
