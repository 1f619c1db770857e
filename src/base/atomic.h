/* SPDX-License-Identifier: MIT
 * All atomics of lido. The order of every operation is written where it is used, and code names
 * its partner: lido__load(&pool->head, acquire). There are no other spellings; scripts/check.py
 * refuses stdatomic.h elsewhere.
 *
 * One source, two expansions:
 *   plain             C11 operations, and nothing else
 *   LIDO_ATOMIC_YIELD before each operation the test's hook runs; it may give the CPU away, so
 *                     that races that need bad luck happen within milliseconds
 */
#ifndef LIDO_SRC_BASE_ATOMIC_H
#define LIDO_SRC_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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

#endif
