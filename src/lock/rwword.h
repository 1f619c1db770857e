/* SPDX-License-Identifier: MIT
 * P5, the read-write word: readers are counted in `state`, a writer is WRITER there.
 *
 *      state = readers (20 bits) or WRITER, and three flags
 *         READERS_SLEEP   some reader sleeps on state
 *         WRITERS_SLEEP   some writer sleeps on turn; no new reader enters
 *         MOURNS          a reader ended without unlocking: no writer will ever get in
 *
 * Who takes the last share out (drop) clears the flags of those it wakes, in the same CAS: a
 * writer all readers and one writer, a reader one writer alone, or the readers when no writer
 * sleeps. Who is woken and cannot take sets its flag again; a writer that has slept takes with
 * WRITERS_SLEEP, because others may still sleep. So while somebody sleeps, its flag is set or
 * one of its kind is on its way to set it.
 *
 * A reader that has slept ignores WRITERS_SLEEP: after each writer all readers that slept enter,
 * then the next writer. Neither kind waits for more than one batch of the other.
 *
 * A writer that gives up clears both flags and wakes everybody, since readers may have slept
 * because of it alone.
 *
 * Writers sleep on `turn`, which each wake raises: they read it before they look at state.
 *
 * Orders: taking acquires, dropping releases, as in P4. So does turn, for state: a writer that is
 * woken must not read the state from before. */
#ifndef LIDO_SRC_LOCK_RWWORD_H
#define LIDO_SRC_LOCK_RWWORD_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

#define LIDO__RW_COUNT         UINT32_C(0x000fffff)
#define LIDO__RW_WRITER        LIDO__RW_COUNT
#define LIDO__RW_READERS_MAX   (LIDO__RW_WRITER - 1)
#define LIDO__RW_MOURNS        UINT32_C(0x20000000)
#define LIDO__RW_READERS_SLEEP UINT32_C(0x40000000)
#define LIDO__RW_WRITERS_SLEEP UINT32_C(0x80000000)

struct lido__rwword {
    _Atomic(uint32_t) *state;
    _Atomic(uint32_t) *turn;
};

enum lido__rw_wake { LIDO__WAKE_NOBODY, LIDO__WAKE_WRITER, LIDO__WAKE_READERS, LIDO__WAKE_BOTH };

static inline bool lido__rw_may_read(uint32_t seen, bool has_slept) {
    return (seen & LIDO__RW_COUNT) < LIDO__RW_READERS_MAX &&
           (has_slept || (seen & LIDO__RW_WRITERS_SLEEP) == 0);
}

static inline bool lido__rw_try_read(struct lido__rwword rw) {
    uint32_t seen = lido__load(rw.state, relaxed);
    while (lido__rw_may_read(seen, false))
        if (lido__cas(rw.state, &seen, seen + 1, acquire, relaxed))
            return true;
    return false;
}

static inline bool lido__rw_try_write(struct lido__rwword rw) {
    uint32_t seen = lido__load(rw.state, relaxed);
    while ((seen & LIDO__RW_COUNT) == 0)
        if (lido__cas(rw.state, &seen, seen | LIDO__RW_WRITER, acquire, relaxed))
            return true;
    return false;
}

/* Takes, or leaves a mark and says what to sleep on, while it has which value. */
static inline bool lido__rw_read_or_mark(struct lido__rwword rw, bool has_slept,
                                         uint32_t *expected) {
    uint32_t seen = lido__load(rw.state, acquire); /* pairs with unmark */
    for (;;) {
        if (lido__rw_may_read(seen, has_slept)) {
            if (lido__cas(rw.state, &seen, seen + 1, acquire, acquire))
                return true;
            continue;
        }
        *expected = seen | LIDO__RW_READERS_SLEEP;
        if (seen == *expected || lido__cas(rw.state, &seen, *expected, acquire, acquire))
            return false;
    }
}

static inline bool lido__rw_write_or_mark(struct lido__rwword rw, bool has_slept,
                                          uint32_t *expected) {
    uint32_t mark = has_slept ? LIDO__RW_WRITERS_SLEEP : 0;
    /* Acquire: pairs with raise_turn. */
    *expected = lido__load(rw.turn, acquire);
    uint32_t seen = lido__load(rw.state, relaxed);
    for (;;) {
        if ((seen & LIDO__RW_COUNT) == 0) {
            if (lido__cas(rw.state, &seen, seen | LIDO__RW_WRITER | mark, acquire, relaxed))
                return true;
            continue;
        }
        if ((seen & LIDO__RW_WRITERS_SLEEP) != 0 ||
            lido__cas(rw.state, &seen, seen | LIDO__RW_WRITERS_SLEEP, relaxed, relaxed))
            return false;
    }
}

/* Gives back what a reader or the writer has. */
static inline enum lido__rw_wake lido__rw_drop(struct lido__rwword rw) {
    uint32_t seen = lido__load(rw.state, relaxed), next, cleared;
    bool is_writer = (seen & LIDO__RW_COUNT) == LIDO__RW_WRITER;
    do {
        next = is_writer ? seen & ~LIDO__RW_COUNT : seen - 1;
        cleared = 0;
        if ((next & LIDO__RW_COUNT) == 0)
            cleared = is_writer || (seen & LIDO__RW_WRITERS_SLEEP) == 0
                          ? LIDO__RW_WRITERS_SLEEP | LIDO__RW_READERS_SLEEP
                          : LIDO__RW_WRITERS_SLEEP;
    } while (!lido__cas(rw.state, &seen, next & ~cleared, release, relaxed));
    cleared &= seen;
    return (cleared & LIDO__RW_WRITERS_SLEEP ? LIDO__WAKE_WRITER : LIDO__WAKE_NOBODY) |
           (cleared & LIDO__RW_READERS_SLEEP ? LIDO__WAKE_READERS : LIDO__WAKE_NOBODY);
}

/* Before writers are woken. Release: pairs with the acquire in write_or_mark; who sees the new turn
 * sees the state that is free. */
static inline void lido__rw_raise_turn(struct lido__rwword rw) {
    (void)lido__add(rw.turn, 1, release);
}

/* A writer that gives up, or a holder that ended. Everybody is to be woken. Release: who marks anew
 * after it, and so sleeps although it was woken, sees why that was done. */
static inline void lido__rw_unmark(struct lido__rwword rw) {
    uint32_t seen = lido__load(rw.state, relaxed);
    uint32_t both = LIDO__RW_WRITERS_SLEEP | LIDO__RW_READERS_SLEEP;
    while (!lido__cas(rw.state, &seen, seen & ~both, release, relaxed)) {}
}

#endif
