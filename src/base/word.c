/* SPDX-License-Identifier: MIT
 * The slow side of P4: see word.h. */
#include "base/word.h"

#include "base/gate.h"
#include "base/mutex.h"
#include "base/sys.h"

#include <lido/base.h>

/* Drops without a sleeper before a street is quiet again: what they cost more than quiet ones is
 * about what the next barrier costs. */
#ifndef LIDO_WORD_CALM_DROPS
#define LIDO_WORD_CALM_DROPS 8192
#endif

struct lido__street lido__streets[LIDO__STREETS];
_Atomic(uint32_t) lido__word_held = LIDO__HELD;

/* Not at once: the look before this was a moment ago. */
bool lido__word_spin(_Atomic(uint32_t) *word, uint32_t held, unsigned looks) {
    for (unsigned i = 0; i < looks; i++) {
        lido__rest();
        if (lido__load(word, relaxed) == LIDO__FREE && lido__word_take(word, held))
            return true;
    }
    return false;
}

void lido__word_await(const _Atomic(uint32_t) *word) {
    for (int i = 0; i < LIDO_WORD_LOOKS && (lido__load(word, relaxed) & LIDO__HELD) != 0; i++)
        lido__rest();
}

bool lido__word_arrive(_Atomic(uint32_t) *word) {
    struct lido__street *street = lido__street_of(word);
    /* Acquire: who finds QUIET off comes behind the barrier of who took it off. */
    uint32_t seen = lido__add(&street->state, LIDO__SLEEPER, acquire);
    if ((seen & LIDO__QUIET) == 0)
        return true;
    if (!lido__gate_barrier())
        return false;
    seen += LIDO__SLEEPER;
    while ((seen & LIDO__QUIET) != 0 &&
           !lido__cas(&street->state, &seen, seen & ~(uint32_t)LIDO__QUIET, release, relaxed)) {}
    return true;
}

void lido__word_depart(_Atomic(uint32_t) *word) {
    struct lido__street *street = lido__street_of(word);
    lido__store(&street->drops, 0, relaxed);
    /* Relaxed: whoever makes the street quiet orders nothing by it. */
    (void)lido__sub(&street->state, LIDO__SLEEPER, relaxed);
}

/* Racing counts are lost, and the street is quiet a little later. */
static void calm_down(struct lido__street *street) {
    uint32_t nobody = 0, drops = lido__load(&street->drops, relaxed) + 1;
    if (drops < LIDO_WORD_CALM_DROPS) {
        lido__store(&street->drops, drops, relaxed);
        return;
    }
    lido__store(&street->drops, 0, relaxed);
    if (lido__gate_can_reach())
        (void)lido__cas(&street->state, &nobody, LIDO__QUIET, relaxed, relaxed);
}

__attribute__((noinline)) bool lido__word_drop_loudly(_Atomic(uint32_t) *word) {
    struct lido__street *street = lido__street_of(word);
    if (lido__load(&street->state, relaxed) == 0)
        calm_down(street);
    if (LIDO__IS_ALONE()) {
        bool is_slept_on = (lido__load(word, relaxed) & LIDO__SLEPT_ON) != 0;
        lido__store(word, LIDO__FREE, release);
        return is_slept_on;
    }
    uint32_t seen = lido__load(word, relaxed);
    if ((seen & LIDO__KEPT) == 0)
        return (lido__exchange(word, LIDO__FREE, release) & LIDO__SLEPT_ON) != 0;
    while (!lido__cas(word, &seen, seen & LIDO__KEPT, release, relaxed)) {}
    return (seen & LIDO__SLEPT_ON) != 0;
}

/* Relaxed: it carries nothing from one holder to the next, and adds itself to what a drop released. */
bool lido__word_give_up(_Atomic(uint32_t) *word) {
    uint32_t seen = lido__load(word, relaxed);
    while ((seen & LIDO__KEPT) != 0 &&
           !lido__cas(word, &seen, seen & ~(uint32_t)LIDO__KEPT, relaxed, relaxed)) {}
    return seen == LIDO__KEPT;
}

void lido__word_in_child(void) {
    (void)lido__add(&lido__word_held, LIDO__GENERATION, relaxed);
    for (int i = 0; i < LIDO__STREETS; i++)
        lido__store(&lido__streets[i].state, 0, relaxed);
}

#ifndef LIDO_ATOMIC_EXPLORE

void lido__word_wait(_Atomic(uint32_t) *word) {
    uint32_t expected = 0;
    enum lido__word_manner manner = LIDO__COMES_ANEW;
    if (lido__word_spin(word, LIDO__HELD, LIDO_WORD_LOOKS))
        return;
    bool is_seen = lido__word_arrive(word);
    while (!lido__word_take_or_mark(word, LIDO__HELD, manner, &expected)) {
        uint64_t until = is_seen ? LIDO_FOREVER : lido__sys_real.now_ns() + LIDO__LOOK_UP_NS;
        (void)lido__sys_real.park(word, expected, until);
        manner = LIDO__HAS_SLEPT;
        lido__word_await(word);
    }
    lido__word_depart(word);
}

void lido__word_wake(_Atomic(uint32_t) *word) {
    lido__sys_real.unpark(word, 1);
}

#endif
