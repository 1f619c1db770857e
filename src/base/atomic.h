/* SPDX-License-Identifier: MIT
 * All atomics of lido. The order of every operation is written where it is used, and code names
 * its partner: lido__load(&pool->head, acquire). There are no other spellings; scripts/check.py
 * refuses stdatomic.h elsewhere.
 *
 * One source, three expansions:
 *   plain               C11 operations, and nothing else
 *   LIDO_ATOMIC_YIELD   before each operation the test's hook runs; it may give the CPU away, so
 *                       that races that need bad luck happen within milliseconds
 *   LIDO_ATOMIC_EXPLORE names the header (tests/explore/hooks.h) that hands every operation to the
 *                       explorer, which decides what it reads and who goes next
 */
#ifndef LIDO_SRC_BASE_ATOMIC_H
#define LIDO_SRC_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef LIDO_ATOMIC_EXPLORE
#include LIDO_ATOMIC_EXPLORE
#else

#ifdef LIDO_ATOMIC_YIELD
extern void (*lido__yield_hook)(void);
#define LIDO__POINT() (lido__yield_hook ? lido__yield_hook() : (void)0)
#else
#define LIDO__POINT() ((void)0)
#endif

#define lido__load(object, order)                                                                  \
    (LIDO__POINT(), atomic_load_explicit(object, memory_order_##order))
#define lido__store(object, value, order)                                                          \
    (LIDO__POINT(), atomic_store_explicit(object, value, memory_order_##order))
#define lido__exchange(object, value, order)                                                       \
    (LIDO__POINT(), atomic_exchange_explicit(object, value, memory_order_##order))
#define lido__cas(object, expected, value, success, failure)                                       \
    (LIDO__POINT(), atomic_compare_exchange_strong_explicit(                                       \
                        object, expected, value, memory_order_##success, memory_order_##failure))
#define lido__add(object, value, order)                                                            \
    (LIDO__POINT(), atomic_fetch_add_explicit(object, value, memory_order_##order))
#define lido__sub(object, value, order)                                                            \
    (LIDO__POINT(), atomic_fetch_sub_explicit(object, value, memory_order_##order))

/* A full fence. ThreadSanitizer knows none, so there a locked operation on a word of our own stands
 * for it: that orders the machine as well, and adds no edge between threads. */
#ifdef __SANITIZE_THREAD__
#define LIDO__TSAN 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define LIDO__TSAN 1
#endif
#endif
static inline void lido__fence_seq_cst(void) {
#ifdef LIDO__TSAN
    _Atomic(uint32_t) own = 0;
    (void)atomic_fetch_add_explicit(&own, 1, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}
#define lido__fence(order)       (LIDO__POINT(), lido__fence_##order())

/* Keeps the compiler, not the machine, from moving accesses across. */
#define lido__compiler_barrier() (LIDO__POINT(), atomic_signal_fence(memory_order_seq_cst))

/* Between two looks at what another thread is about to change. */
static inline void lido__pause(void) {
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__ || defined __arm__
    __asm__ volatile("yield");
#endif
}

/* About half a microsecond of that, by the machine's own counter where it has one: how long a pause
 * takes differs by a factor of twelve between processors. */
static inline void lido__rest(void) {
#if defined __x86_64__ || defined __i386__
    uint64_t start = __builtin_ia32_rdtsc();
    do
        lido__pause();
    while (__builtin_ia32_rdtsc() - start < 1200);
#elif defined __aarch64__
    uint64_t start, now, frequency;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(start));
    do {
        lido__pause();
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
    } while (now - start < frequency / 2000000);
#else
    for (int i = 0; i < 64; i++)
        lido__pause();
#endif
}

#endif
#endif
