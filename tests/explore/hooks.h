/* SPDX-License-Identifier: MIT
 * The third expansion of src/base/atomic.h, and of base/mutex.h: every operation of the product
 * code becomes a call of the explorer, with the place it stands at. Values travel as 64 bits. */
#ifndef LIDO_TESTS_EXPLORE_HOOKS_H
#define LIDO_TESTS_EXPLORE_HOOKS_H

#include "explore_site.h"

/* An operation within the argument of another has its own site in its own block. */
#pragma GCC diagnostic ignored "-Wshadow"

#define EXPLORE_SITE(kind_, object_, order_, failure_)                                             \
    static struct explore_site site_ = {.file = __FILE__,                                          \
                                        .function = __func__,                                      \
                                        .line = __LINE__,                                          \
                                        .kind = kind_,                                             \
                                        .object = object_,                                         \
                                        .order = memory_order_##order_,                            \
                                        .failure_order = memory_order_##failure_}
/* The type without _Atomic: that of a value, not of a place. */
#define EXPLORE_TYPE(object) __typeof__(((void)0, *(object)))
#define EXPLORE_RAW(value)   ((uint64_t)(uintptr_t)(value))
#define EXPLORE_SIZE(object) ((unsigned)sizeof *(object))

#define lido__load(object_, order_)                                                                \
    __extension__({                                                                                \
        EXPLORE_SITE(EXPLORE_LOAD, #object_, order_, relaxed);                                     \
        (EXPLORE_TYPE(object_))(uintptr_t) explore_load(&site_, object_, EXPLORE_SIZE(object_));   \
    })
#define lido__store(object_, value_, order_)                                                       \
    __extension__({                                                                                \
        EXPLORE_SITE(EXPLORE_STORE, #object_, order_, relaxed);                                    \
        EXPLORE_TYPE(object_) stored_ = (value_);                                                  \
        explore_store(&site_, object_, EXPLORE_SIZE(object_), EXPLORE_RAW(stored_));               \
    })
#define EXPLORE_UPDATE(kind_, object_, value_, order_)                                             \
    __extension__({                                                                                \
        EXPLORE_SITE(kind_, #object_, order_, relaxed);                                            \
        EXPLORE_TYPE(object_) stored_ = (value_);                                                  \
        (EXPLORE_TYPE(object_))(uintptr_t)                                                         \
            explore_update(&site_, object_, EXPLORE_SIZE(object_), EXPLORE_RAW(stored_));          \
    })
#define lido__exchange(object, value, order) EXPLORE_UPDATE(EXPLORE_EXCHANGE, object, value, order)
#define lido__add(object, value, order)      EXPLORE_UPDATE(EXPLORE_ADD, object, value, order)
#define lido__sub(object, value, order)      EXPLORE_UPDATE(EXPLORE_SUB, object, value, order)
#define lido__cas(object_, expected_, value_, success_, failure_)                                  \
    __extension__({                                                                                \
        EXPLORE_SITE(EXPLORE_CAS, #object_, success_, failure_);                                   \
        __typeof__(expected_) expected_at_ = (expected_);                                          \
        EXPLORE_TYPE(object_) stored_ = (value_);                                                  \
        uint64_t raw_ = EXPLORE_RAW(*expected_at_);                                                \
        bool done_ =                                                                               \
            explore_cas(&site_, object_, EXPLORE_SIZE(object_), &raw_, EXPLORE_RAW(stored_));      \
        *expected_at_ = (EXPLORE_TYPE(object_))(uintptr_t)raw_;                                    \
        done_;                                                                                     \
    })
#define lido__fence(order_)                                                                        \
    __extension__({                                                                                \
        EXPLORE_SITE(EXPLORE_FENCE, "fence", order_, relaxed);                                     \
        explore_fence(&site_);                                                                     \
    })
/* The explorer executes what the source says, in its order; what a compiler could do where this
 * barrier is missing is the mutation EXPLORE_DELAY of the store before it. */
#define lido__compiler_barrier() ((void)0)
#define lido__pause()            explore_pause()
#define lido__rest()             explore_pause()

#define LIDO__MUTEX_INIT                                                                           \
    { 0 }
static inline void lido__mutex_init(lido__mutex *mutex) {
    mutex->taken_by = 0;
}
#define lido__lock(mutex_)                                                                         \
    __extension__({                                                                                \
        EXPLORE_SITE(EXPLORE_LOCK, #mutex_, acquire, relaxed);                                     \
        explore_lock(&site_, mutex_);                                                              \
    })
#define lido__unlock(mutex) explore_unlock(mutex)

/* A call through the table of system calls, lido__sys.unpark(word, count), tells where it stands. */
#define unpark(word_, count_)                                                                      \
    unpark(__extension__({                                                                         \
               EXPLORE_SITE(EXPLORE_WAKE, #word_, relaxed, relaxed);                               \
               explore_wakes(&site_);                                                              \
               (word_);                                                                            \
           }),                                                                                     \
           count_)

#endif
