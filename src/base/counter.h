/* SPDX-License-Identifier: MIT
 * Counters that one thread changes and any thread reads: exact at rest, and never torn. With one
 * writer a plain addition is enough, which C11 can only say as a load and a store; here it is one
 * instruction where the machine has it, without the lock prefix that nobody needs. */
#ifndef LIDO_SRC_BASE_COUNTER_H
#define LIDO_SRC_BASE_COUNTER_H

#include "base/atomic.h"

/* A relaxed load that the compiler may make part of another instruction, which it does not do for
 * atomics; of a word that cannot tear, read once. Also for what the calling thread alone writes. */
#if defined(__SANITIZE_THREAD__) || defined(LIDO_ATOMIC_YIELD)
#define lido__peek(object) lido__load(object, relaxed)
#else
#define lido__peek(object)                                                                         \
    (*(const __typeof__(lido__load(object, relaxed)) *)(const void *)(object))
#endif

/* Takes 1 away. True: it is below zero now. */
static inline bool lido__count_down(_Atomic(int64_t) *left) {
#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__) && !defined(__SANITIZE_THREAD__) &&   \
    !defined(LIDO_ATOMIC_YIELD)
    bool is_negative;
    __asm__("subq $1, %0" : "+m"(*(int64_t *)(void *)left), "=@ccs"(is_negative));
    return is_negative;
#else
    int64_t value = lido__load(left, relaxed) - 1;
    lido__store(left, value, relaxed);
    return value < 0;
#endif
}

/* Whether the word holds something else than that, looked at after all stores before; the compiler moves
 * nothing across. One instruction where a load and a comparison would be two. */
static inline bool lido__differs(_Atomic(const void *) *word, const void *value) {
#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__) && !defined(__SANITIZE_THREAD__) &&   \
    !defined(LIDO_ATOMIC_YIELD)
    bool differs;
    __asm__ volatile("cmpq %2, %1"
                     : "=@ccne"(differs)
                     : "m"(*(const void **)(void *)word), "r"(value)
                     : "memory");
    return differs;
#else
    lido__compiler_barrier();
    return lido__load(word, relaxed) != value;
#endif
}

#endif
