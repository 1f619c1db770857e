/* SPDX-License-Identifier: MIT
 * R1, the slots: how threads agree on who fills and who reads which slot, with one CAS a call.
 *
 * Positions count from 0 without end; position p lies in slot p % capacity. The slot's turn says what
 * it is ready for:
 *
 *      turn == p                free, for the insert that claims position p
 *      turn == p + 1            holds the item of position p
 *      turn == p + capacity     free, for position p + capacity: one round later
 *
 *      insert                                  remove
 *      p = tail; turn == p?                    p = head; turn == p + 1?
 *      tail: p -> p + 1 (CAS)                  head: p -> p + 1 (CAS)
 *      item written                            item read
 *      turn = p + 1                            turn = p + capacity
 *
 * I1  Between the CAS and the store of the turn, the slot is the claimer's alone: the turn of a
 *     position is changed by its claimer only, and positions are claimed once. So what was true of
 *     the turns before the CAS is true after it, for one position as for many side by side.
 * I2  Tickets have 64 bits on every machine, so a value does not come again (A-B-A).
 * I3  LIDO__RING_CLOSED is a bit of tail: a CAS that expects it clear cannot claim after close. It also
 *     makes every turn look 2^62 behind, so a closed ring is a full one to the fast path. (Bit 63
 *     would not do: a turn that is one behind would be far ahead of it.)
 *
 * Orders. The turn is stored with release and looked at with acquire: that carries the item to who
 * removes it, and the end of its reading to who fills the slot again. head and tail carry nothing and
 * are relaxed. A turn behind the position says full (insert) or empty (remove); one before it says
 * that another thread has claimed the position meanwhile.
 *
 * After the turn the other side's bell is looked at (R2, bell.h). Cost: one locked instruction, the
 * lines of head or tail and of the slot; with an idle bell nothing else is shared and written.
 *
 * Rejected: a common end that producers advance in order (rte_ring, ck_ring): who is preempted
 * between claim and advance holds up all behind him. Slots spread over lines: they cost bulk and
 * one-thread use more than they gave two threads. */
#ifndef LIDO_SRC_RING_FAST_H
#define LIDO_SRC_RING_FAST_H

#include "base/word.h"
#include "registry/registry.h"
#include "ring/bell.h"

#include <lido/ring.h>

#define LIDO__RING_CLOSED (UINT64_C(1) << 62)

enum { LIDO__RING_CAPACITY_MIN = 2, LIDO__RING_CAPACITY_MAX = 1 << 24 };
enum { LIDO__RING_LINE_BYTES = 128 /* two lines: their prefetch goes by pairs */ };

struct lido__ring_slot {
    _Atomic(uint64_t) turn;
    void *item;
};

struct lido_ring {
    /* Written when the ring is made, and when sleepers come or stay away for long. */
    struct lido__ring_slot *slots;
    uint64_t mask;
    _Atomic(uint32_t) items_watched, room_watched;
    _Atomic(uint32_t) is_closed; /* told again here, off the busy lines; later than in tail */

    _Alignas(LIDO__RING_LINE_BYTES) _Atomic(uint64_t) tail; /* and LIDO__RING_CLOSED */
    _Alignas(LIDO__RING_LINE_BYTES) _Atomic(uint64_t) head;

    _Alignas(LIDO__RING_LINE_BYTES) struct lido__bell items; /* removers sleep on it */
    struct lido__bell room;                                  /* inserters do */
    struct lido__resource resource;
    _Alignas(LIDO__RING_LINE_BYTES) _Atomic(uint64_t) refused_full; /* by those who try in vain */
};

extern const lido_panel lido__ring_panel;

static inline struct lido__ring_slot *lido__ring_slot(const struct lido_ring *ring,
                                                      uint64_t position) {
    return &ring->slots[position & ring->mask];
}

/* How far a turn is ahead; negative: behind. */
static inline int64_t lido__ring_ahead(uint64_t turn, uint64_t position) {
    return (int64_t)(turn - position);
}

/* How many slots from `position` on, side by side, stand at their `turn_of(position)`, which is the
 * position plus `offset`. Acquire: R1. The first one's distance goes to *ahead. */
static inline uint64_t lido__ring_ready(const struct lido_ring *ring, uint64_t position,
                                        uint64_t offset, uint64_t count, int64_t *ahead) {
    uint64_t ready = 0;
    for (; ready < count; ready++) {
        uint64_t turn = lido__load(&lido__ring_slot(ring, position + ready)->turn, acquire);
        int64_t distance = lido__ring_ahead(turn, position + ready + offset);
        if (ready == 0)
            *ahead = distance;
        if (distance != 0)
            break;
    }
    return ready;
}

/* Moves an end on from *at, which a failure reads anew. While the process has one thread, nobody can
 * have moved it since: no locked instruction then, as in base/word.h. */
static inline bool lido__ring_advance(_Atomic(uint64_t) *end, uint64_t *at, uint64_t count) {
    if (LIDO__IS_ALONE()) {
        lido__store(end, *at + count, relaxed);
        return true;
    }
    return lido__cas(end, at, *at + count, relaxed, relaxed);
}

/* Claims up to count positions at an end (tail: offset 0, head: offset 1), from *position on.
 * Returns how many; 0: full or empty, or closed. */
static inline uint64_t lido__ring_claim(struct lido_ring *ring, _Atomic(uint64_t) *end,
                                        uint64_t offset, uint64_t count, uint64_t *position) {
    uint64_t at = lido__load(end, relaxed);
    for (;;) {
        int64_t ahead = 0;
        uint64_t ready = lido__ring_ready(ring, at, offset, count, &ahead);
        if (ready == 0 && ahead <= 0)
            return 0;
        if (ready == 0)
            at = lido__load(end, relaxed);
        else if (lido__ring_advance(end, &at, ready)) {
            *position = at;
            return ready;
        }
    }
}

/* The same for one position, of which it returns the slot; NULL: none to be had. What comes after the
 * CAS waits for it, so nothing that could be known before is left for then. */
static inline struct lido__ring_slot *lido__ring_claim_one(struct lido_ring *ring,
                                                           _Atomic(uint64_t) *end, uint64_t offset,
                                                           uint64_t *position) {
    struct lido__ring_slot *slots = ring->slots;
    uint64_t mask = ring->mask, at = lido__load(end, relaxed);
    for (;;) {
        struct lido__ring_slot *slot = &slots[at & mask];
        int64_t ahead = lido__ring_ahead(lido__load(&slot->turn, acquire), at + offset);
        *position = at;
        if (ahead < 0)
            return NULL;
        if (ahead > 0)
            at = lido__load(end, relaxed);
        else if (lido__ring_advance(end, &at, 1))
            return slot;
    }
}

/* R1: release, so that who finds the turn finds the item too. */
static inline bool lido__ring_put_one(struct lido_ring *ring, void *item) {
    uint64_t at;
    struct lido__ring_slot *slot = lido__ring_claim_one(ring, &ring->tail, 0, &at);
    if (__builtin_expect(!slot, 0))
        return false;
    slot->item = item;
    lido__store(&slot->turn, at + 1, release);
    lido__bell_look(&ring->items, &ring->items_watched, 1);
    return true;
}

/* R1: release, so that who fills the slot again does so after it was read. */
static inline bool lido__ring_take_one(struct lido_ring *ring, void **item) {
    uint64_t at, mask = ring->mask;
    struct lido__ring_slot *slot = lido__ring_claim_one(ring, &ring->head, 1, &at);
    if (__builtin_expect(!slot, 0))
        return false;
    *item = slot->item;
    lido__store(&slot->turn, at + mask + 1, release);
    lido__bell_look(&ring->room, &ring->room_watched, 1);
    return true;
}

/* R1: release, so that who finds the turn finds the item too. */
static inline uint64_t lido__ring_put(struct lido_ring *ring, uint64_t count, void *const items[]) {
    uint64_t at = 0;
    uint64_t claimed = lido__ring_claim(ring, &ring->tail, 0, count, &at);
    for (uint64_t i = 0; i < claimed; i++) {
        struct lido__ring_slot *slot = lido__ring_slot(ring, at + i);
        slot->item = items[i]; // NOLINT(clang-analyzer-core.NullDereference): `to` or `from` is set
        lido__store(&slot->turn, at + i + 1, release);
    }
    if (claimed)
        lido__bell_look(&ring->items, &ring->items_watched, (uint32_t)claimed);
    return claimed;
}

/* R1: release, so that who fills the slot again does so after it was read. */
static inline uint64_t lido__ring_take(struct lido_ring *ring, uint64_t count, void *items[]) {
    uint64_t at = 0;
    uint64_t claimed = lido__ring_claim(ring, &ring->head, 1, count, &at);
    for (uint64_t i = 0; i < claimed; i++) {
        struct lido__ring_slot *slot = lido__ring_slot(ring, at + i);
        items[i] = slot->item;
        lido__store(&slot->turn, at + i + ring->mask + 1, release);
    }
    if (claimed)
        lido__bell_look(&ring->room, &ring->room_watched, (uint32_t)claimed);
    return claimed;
}

#endif
