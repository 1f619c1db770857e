/* SPDX-License-Identifier: MIT
 * The explorer explored: textbook shapes whose outcome C11 decides. Each holds as it is written,
 * and each mutant is an outcome that C11 allows, so the explorer must find it. */
#include "explore_sys.h"

#include "base/atomic.h"
#include "base/mutex.h"

#include <lido/base.h>

static _Atomic(uint32_t) x, y, z;
static uint32_t plain, seen_a, seen_b;
static lido__mutex mutex;

static void setup(void) {
    explore_sys_begin(EXPLORE_BARRIER_WORKS);
    lido__store(&x, 0, relaxed);
    lido__store(&y, 0, relaxed);
    lido__store(&z, 0, relaxed);
    lido__mutex_init(&mutex);
    plain = seen_a = seen_b = 0;
    explore_name(&plain, sizeof plain, "plain");
}

/* Message passing: plain data behind a flag. */
static void mp_write(void) {
    plain = 1;
    if (explore_broken("a relaxed store of the flag"))
        lido__store(&x, 1, relaxed);
    else
        lido__store(&x, 1, release);
}

static void mp_read(void) {
    uint32_t flag = explore_broken("a relaxed load of the flag") ? lido__load(&x, relaxed)
                                                                 : lido__load(&x, acquire);
    if (flag)
        explore_check(plain == 1, "the flag was seen before the data");
}

/* The same through a third hand: a read-modify-write carries the release on, a store does not. */
static void sequence_middle(void) {
    if (explore_broken("a store in place of the addition")) {
        if (lido__load(&x, relaxed) == 1)
            lido__store(&x, 2, relaxed);
    } else {
        (void)lido__add(&x, 1, relaxed);
    }
}

static void sequence_read(void) {
    if (lido__load(&x, acquire) == 2)
        explore_check(plain == 1, "the release did not reach the end of its sequence");
}

/* Store buffering, what the gate is made of: at least one side sees the other. */
static void sb_a(void) {
    lido__store(&x, 1, relaxed);
    if (!explore_broken("no fence in a"))
        lido__fence(seq_cst);
    seen_a = lido__load(&y, relaxed);
}

static void sb_b(void) {
    lido__store(&y, 1, relaxed);
    if (!explore_broken("no fence in b"))
        lido__fence(seq_cst);
    seen_b = lido__load(&x, relaxed);
}

static void sb_light(void) {
    lido__store(&x, 1, relaxed);
    lido__compiler_barrier();
    seen_a = lido__load(&y, relaxed);
}

static void sb_heavy(void) {
    lido__store(&y, 1, relaxed);
    if (!explore_broken("a fence of the heavy side alone"))
        (void)lido__sys.barrier();
    else
        lido__fence(seq_cst);
    seen_b = lido__load(&x, relaxed);
}

static void sb_order_a(void) {
    lido__store(&x, 1, seq_cst);
    seen_a = explore_broken("one acquire load") ? lido__load(&y, acquire) : lido__load(&y, seq_cst);
}

static void sb_order_b(void) {
    lido__store(&y, 1, seq_cst);
    seen_b = lido__load(&x, seq_cst);
}

static void sb_finish(void) {
    explore_check(seen_a || seen_b, "neither thread saw the other");
}

/* Fences instead of orders on the operations. */
static void fence_write(void) {
    plain = 1;
    if (!explore_broken("no release fence"))
        lido__fence(release);
    lido__store(&x, 1, relaxed);
}

static void fence_read(void) {
    if (lido__load(&x, relaxed) != 1)
        return;
    if (!explore_broken("no acquire fence"))
        lido__fence(acquire);
    explore_check(plain == 1, "the flag was seen before the data");
}

/* Coherence: two reads of one object never go back in time. Three threads, so that preemption and
 * stale reads meet. */
static void co_write(void) {
    lido__store(&x, 1, relaxed);
    lido__store(&x, 2, relaxed);
}

static void co_read(void) {
    uint32_t first = lido__load(&x, relaxed);
    uint32_t second = explore_broken("the second read is of another object")
                          ? lido__load(&y, relaxed)
                          : lido__load(&x, relaxed);
    explore_check(second >= first, "a read went back in time");
}

/* A lost update, a lock that prevents it, and one thread that waits for the other by futex. */
static void count(void) {
    if (!explore_broken("no lock"))
        lido__lock(&mutex);
    plain++;
    if (!explore_broken("no lock"))
        lido__unlock(&mutex);
}

static void count_finish(void) {
    explore_check(plain == 2, "an update was lost");
}

static void wake(void) {
    lido__store(&x, 1, release);
    if (!explore_broken("nobody is woken"))
        lido__sys.unpark(&x, 1);
}

static void sleep_until_woken(void) {
    while (lido__load(&x, acquire) == 0)
        (void)lido__sys.park(&x, 0, LIDO_FOREVER);
}

const struct explore_kernel explore_litmus_kernels[] = {
    {.name = "litmus_message",
     .claim = "who sees the flag sees what was written before it",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"writer", mp_write}, {"reader", mp_read}},
     .mutants = {"a relaxed store of the flag", "a relaxed load of the flag"}},
    {.name = "litmus_sequence",
     .claim = "an addition between release and acquire passes the release on",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"writer", mp_write}, {"middle", sequence_middle}, {"reader", sequence_read}},
     .mutants = {"a store in place of the addition"}},
    {.name = "litmus_fences",
     .claim = "of two threads that each write and then read, one sees the other",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"a", sb_a}, {"b", sb_b}},
     .finish = sb_finish,
     .mutants = {"no fence in a", "no fence in b"}},
    {.name = "litmus_membarrier",
     .claim = "the same, when one of them has membarrier for both",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"light", sb_light}, {"heavy", sb_heavy}},
     .finish = sb_finish,
     .mutants = {"a fence of the heavy side alone"}},
    {.name = "litmus_seq_cst",
     .claim = "the same, with sequentially consistent operations",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"a", sb_order_a}, {"b", sb_order_b}},
     .finish = sb_finish,
     .mutants = {"one acquire load"}},
    {.name = "litmus_fence_pair",
     .claim = "a release fence and an acquire fence order what is around them",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"writer", fence_write}, {"reader", fence_read}},
     .mutants = {"no release fence", "no acquire fence"}},
    {.name = "litmus_coherence",
     .claim = "reads of one object never go back in time",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"writer", co_write}, {"reader", co_read}, {"reader 2", co_read}},
     .mutants = {"the second read is of another object"}},
    {.name = "litmus_lock",
     .claim = "increments under a lock are all counted",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"a", count}, {"b", count}},
     .finish = count_finish,
     .mutants = {"no lock"}},
    {.name = "litmus_futex",
     .claim = "the sleeper ends",
     .preemptions = 4,
     .stale = 4,
     .setup = setup,
     .threads = {{"sleeper", sleep_until_woken}, {"waker", wake}},
     .mutants = {"nobody is woken"}},
    {.name = NULL},
};
