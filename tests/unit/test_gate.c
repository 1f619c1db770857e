/* SPDX-License-Identifier: MIT
 * The owner gate on real threads; its interleavings are the explorer's (tests/explore). */
#undef NDEBUG /* so that the gate in this file asserts what it asserts in a debug build */
#include "base/gate.h"
#include "base/sys.h"
#include "deny_membarrier.h"

#include <lido/base.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { VISITS = 300, NUMBERS = 64 };

struct magazine {
    uint64_t count;
    uint64_t numbers[NUMBERS];
};

static struct magazine empty, full;
static lido__gate gate;
static _Atomic(uint32_t) stop;
static sem_t inside, may_leave;

static void fill(struct magazine *magazine) {
    magazine->count = NUMBERS;
    for (uint64_t i = 0; i < NUMBERS; i++)
        magazine->numbers[i] = i;
}

static int setup(void **state) {
    (void)state;
    lido__sys = lido__sys_real;
    empty.count = 0;
    fill(&full);
    lido__gate_init(&gate, &full);
    lido__store(&stop, 0, relaxed);
    return sem_init(&inside, 0, 0) || sem_init(&may_leave, 0, 0);
}

static int teardown(void **state) {
    (void)state;
    lido__sys = lido__sys_real;
    return sem_destroy(&inside) || sem_destroy(&may_leave);
}

static bool visit(uint64_t patience_ns, struct magazine **taken) {
    *taken = lido__gate_take(&gate, &empty);
    if (!*taken)
        return false;
    bool reached = lido__gate_barrier();
    return lido__gate_settle(&gate, &empty, *taken, reached, patience_ns);
}

/* Enters, says so, and stays until it may leave. */
static void *stay_inside(void *unused) {
    (void)unused;
    struct magazine *magazine = lido__gate_enter(&gate);
    sem_post(&inside);
    while (sem_wait(&may_leave) != 0) {}
    magazine->count--;
    lido__gate_leave(&gate);
    return NULL;
}

/* ---- Patience, on a clock that only naps move -------------------------------------------- */

static uint64_t fake_now_ns;
static uint64_t naps;

static uint64_t tell_fake_time(void) {
    return fake_now_ns;
}

static bool nap(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
    assert_ptr_equal(word, &gate.busy);
    assert_int_equal(expected, 1);
    fake_now_ns = deadline_ns;
    naps++;
    return false;
}

static bool nap_and_let_leave(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
    if (naps == 3)
        sem_post(&may_leave);
    if (naps >= 3) /* waits for it in real time, so that the owner runs */
        return lido__sys_real.park(word, expected, lido__sys_real.now_ns() + LIDO_MILLISECONDS(1));
    return nap(word, expected, deadline_ns);
}

static void a_visitor_gives_up_on_an_owner_that_stays(void **state) {
    struct magazine *taken;
    pthread_t owner;
    (void)state;
    assert_int_equal(pthread_create(&owner, NULL, stay_inside, NULL), 0);
    sem_wait(&inside);
    lido__sys.now_ns = tell_fake_time;
    lido__sys.park = nap;
    fake_now_ns = LIDO_SECONDS(5);
    naps = 0;
    assert_false(visit(LIDO_MILLISECONDS(2), &taken));
    assert_int_equal(fake_now_ns, LIDO_SECONDS(5) + LIDO_MILLISECONDS(2));
    assert_in_range(naps, 1, 100);
    assert_ptr_equal(lido__load(&gate.store, relaxed), &full);
    sem_post(&may_leave);
    pthread_join(owner, NULL);
    assert_int_equal(full.count, NUMBERS - 1);
}

static void a_visitor_waits_for_an_owner_that_leaves(void **state) {
    struct magazine *taken;
    pthread_t owner;
    (void)state;
    assert_int_equal(pthread_create(&owner, NULL, stay_inside, NULL), 0);
    sem_wait(&inside);
    lido__sys.now_ns = tell_fake_time;
    lido__sys.park = nap_and_let_leave;
    naps = 0;
    assert_true(visit(UINT64_MAX, &taken));
    assert_ptr_equal(taken, &full);
    assert_int_equal(taken->count, NUMBERS - 1);
    assert_ptr_equal(lido__load(&gate.store, relaxed), &empty);
    pthread_join(owner, NULL);
}

static void an_empty_gate_gives_nothing(void **state) {
    struct magazine *taken;
    (void)state;
    assert_true(visit(0, &taken));
    assert_ptr_equal(taken, &full);
    assert_false(visit(0, &taken));
    assert_null(taken);
    assert_true(lido__gate_swap(&gate, &empty, &full));
    assert_false(lido__gate_swap(&gate, &empty, &full));
    assert_ptr_equal(lido__gate_close(&gate, &empty), &full);
    assert_false(visit(0, &taken));
}

/* ---- Owner and visitor at full speed ----------------------------------------------------- */

static uint64_t counted; /* by the owner: 1 was added to a number */

static void *work(void *unused) {
    (void)unused;
    for (uint64_t i = 0; lido__load(&stop, relaxed) == 0; i++) {
        struct magazine *magazine = lido__gate_enter(&gate);
        if (magazine->count > 0) {
            magazine->numbers[i % NUMBERS]++;
            counted++;
        }
        lido__gate_leave(&gate);
        if (i == 0)
            sem_post(&inside);
    }
    return NULL;
}

/* The visitor adds too, so that a visit while the owner works would lose an addition. */
static uint64_t visit_often(void) {
    uint64_t added = 0;
    for (int v = 0; v < VISITS; v++) {
        struct magazine *taken;
        if (!visit(LIDO_SECONDS(10), &taken))
            continue;
        for (uint64_t i = 0; i < NUMBERS; i++, added++)
            taken->numbers[i]++;
        if (!lido__gate_swap(&gate, &empty, taken))
            return 0;
    }
    return added;
}

/* Returns whether every visit succeeded and every addition is there. */
static bool torture(void) {
    pthread_t owner;
    uint64_t sum = 0;
    counted = 0;
    fill(&full);
    if (pthread_create(&owner, NULL, work, NULL) != 0)
        return false;
    sem_wait(&inside);
    uint64_t added = visit_often();
    lido__store(&stop, 1, relaxed);
    pthread_join(owner, NULL);
    lido__store(&stop, 0, relaxed);
    for (uint64_t i = 0; i < NUMBERS; i++)
        sum += full.numbers[i] - i;
    return sum == added + counted && added == VISITS * (uint64_t)NUMBERS;
}

static void no_addition_is_lost(void **state) {
    (void)state;
    assert_true(torture());
}

/* ---- In a process of its own ------------------------------------------------------------- */

/* Runs check in a child; it ends with 0 when all is well, with a number of its own when not. */
static int in_child(int (*check)(void)) {
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(check());
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* A visit before the owner has swapped gives the store back; after that it succeeds by the fence. */
static int visit_after_denial(void) {
    struct magazine *taken;
    if (!deny_membarrier())
        return 1;
    if (visit(0, &taken) || lido__load(&gate.store, relaxed) != &full)
        return 2;
    if (!lido__gate_swap(&gate, &full, &full) || lido__load(&gate.fenced, relaxed) != 1)
        return 3;
    if (lido__gate_barrier())
        return 4;
    lido__gate_init(&gate, &full);
    if (lido__load(&gate.fenced, relaxed) != 1)
        return 5;
    return torture() ? 0 : 6;
}

static int work_without_membarrier(void) {
    if (!deny_membarrier() || setup(NULL) != 0)
        return 1;
    if (lido__load(&gate.fenced, relaxed) != 1 || lido__gate_barrier())
        return 2;
    return torture() ? 0 : 3;
}

/* Runs before any gate was made in the parent, so that the choice is still open. */
static void membarrier_denied_from_the_start_means_a_fence(void **state) {
    (void)state;
    assert_int_equal(in_child(work_without_membarrier), 0);
}

static void membarrier_denied_late_means_a_fence(void **state) {
    (void)state;
    if (lido__load(&gate.fenced, relaxed)) {
        print_message("skipped: there is no membarrier to lose in this build or on this machine\n");
        skip();
    }
    assert_int_equal(in_child(visit_after_denial), 0);
}

static bool parent_reaches;

static int adopt_in_child(void) {
    if (lido__load(&gate.busy, relaxed) != 1)
        return 1;
    if (lido__gate_adopt(&gate, &empty) != &full)
        return 2;
    if (lido__load(&gate.busy, relaxed) != 0 || lido__load(&gate.store, relaxed) != &empty)
        return 3;
    /* The child's own barrier works as the parent's: registration came along. */
    return lido__gate_barrier() == parent_reaches ? 0 : 4;
}

static void the_child_of_a_fork_trusts_no_busy_flag(void **state) {
    pthread_t owner;
    (void)state;
    assert_int_equal(pthread_create(&owner, NULL, stay_inside, NULL), 0);
    sem_wait(&inside);
    parent_reaches = lido__gate_barrier();
    assert_int_equal(in_child(adopt_in_child), 0);
    sem_post(&may_leave);
    pthread_join(owner, NULL);
}

static void enter_again(int signal_number) {
    (void)signal_number;
    (void)lido__gate_enter(&gate);
}

static int be_interrupted_inside(void) {
    struct rlimit none = {0, 0};
    struct sigaction action = {.sa_handler = enter_again}, end = {.sa_handler = SIG_DFL};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)close(STDERR_FILENO);
    (void)sigaction(SIGABRT, &end, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)lido__gate_enter(&gate);
    (void)raise(SIGUSR1);
    return 0;
}

static void a_signal_handler_in_the_gate_is_caught(void **state) {
    (void)state;
#ifdef __SANITIZE_THREAD__
    print_message("skipped: ThreadSanitizer ends the process for printing in a signal handler\n");
    skip();
#endif
    int status = in_child(be_interrupted_inside);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(membarrier_denied_from_the_start_means_a_fence),
        cmocka_unit_test_setup_teardown(a_signal_handler_in_the_gate_is_caught, setup, teardown),
        cmocka_unit_test_setup_teardown(membarrier_denied_late_means_a_fence, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_gate_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_visitor_gives_up_on_an_owner_that_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_visitor_waits_for_an_owner_that_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(no_addition_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(the_child_of_a_fork_trusts_no_busy_flag, setup, teardown),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
