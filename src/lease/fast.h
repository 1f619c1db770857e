/* SPDX-License-Identifier: MIT
 * The path that nearly every acquire and release takes: this thread's own shelf. Told in lease.h.
 *
 * No locked instruction, no clock, no allocation, no line that another thread writes: per pair it
 * writes the shelf, two counters of the store, and the slot itself, all this thread's own. */
#ifndef LIDO_SRC_LEASE_FAST_H
#define LIDO_SRC_LEASE_FAST_H

#include "lease/lease.h"

/* Slot i of chunk k = 16 * 2^k slots stands at a place turned by one bit, so that neighbours, who
 * go to different threads, do not share a cache line. */
static inline struct lido__slot *lido__slot_at(struct lido__leases *leases, uint32_t slot) {
    uint32_t place = slot + LIDO__LEASE_FIRST;
    uint32_t bits = 31u - (uint32_t)__builtin_clz(place);
    uint32_t offset = place - (1u << bits);
    uint32_t turned = (offset << 1 | offset >> (bits - 1)) & ((1u << bits) - 1);
    /* Acquire: pairs with the release in make_chunk. */
    return lido__load(&leases->chunk[bits - 4], acquire) + turned;
}

/* With the lock, but for a first look: P3. */
static inline bool lido__lease_is_retired(struct lido__leases *leases, uint32_t slot) {
    return lido__load(&lido__slot_at(leases, slot)->next, relaxed) == LIDO__RETIRED;
}

/* Whose the slot is while it is not free; the child of a fork goes by that. */
static inline void lido__lease_mark(struct lido__leases *leases, uint32_t slot,
                                    uint32_t thread_id) {
    lido__store(&lido__slot_at(leases, slot)->thread_id, thread_id, relaxed);
}

/* This thread's store of the pool, or NULL. */
static inline struct lido__lease_store *lido__lease_store_of(struct lido__leases *leases) {
    struct lido__near *near = lido__thread_self->near[leases->id % LIDO__NEAR_CHAINS];
    /* Relaxed: a pool's own address is only ever written here by this thread. */
    if (__builtin_expect(lido__load(&near->owner, relaxed) == leases, 1))
        return (struct lido__lease_store *)(void *)near;
    return NULL;
}

/* Takes a slot, with an object, from this thread's shelf; LIDO__NO_SLOT when there is none. */
static inline uint32_t lido__lease_take(struct lido__lease_store *store) {
    struct lido__shelf *shelf = lido__gate_enter(&store->gate);
    uint32_t count = lido__load(&shelf->count, relaxed); /* P1 orders it */
    uint32_t slot = LIDO__NO_SLOT;
    if (__builtin_expect(count > 0, 1)) {
        slot = shelf->item[count - 1];
        lido__store(&shelf->count, count - 1, relaxed);
    }
    lido__gate_leave(&store->gate);
    return slot;
}

/* Gives a slot, with its object, to this thread's shelf. False: it does not belong there. */
static inline bool lido__lease_give(struct lido__leases *leases, struct lido__lease_store *store,
                                    uint32_t slot) {
    struct lido__shelf *shelf = lido__gate_enter(&store->gate);
    uint32_t count = lido__load(&shelf->count, relaxed); /* P1 orders it */
    /* P3: after the fence of enter, which follows the turn that release wrote. */
    uint32_t next = lido__load(&lido__slot_at(leases, slot)->next, relaxed);
    bool fits = count < lido__load(&leases->keep, relaxed) && count < shelf->room &&
                (next | 1) != LIDO__RETIRED;
    if (__builtin_expect(fits, 1)) {
        shelf->item[count] = slot;
        lido__store(&shelf->count, count + 1, relaxed);
    }
    lido__gate_leave(&store->gate);
    return fits;
}

/* P2: after giving, a look whether somebody turned to the shared regime meanwhile. */
static inline bool lido__lease_must_empty(struct lido__leases *leases,
                                          struct lido__lease_store *store) {
    lido__gate_light_fence(&store->gate);
    return __builtin_expect(lido__load(&leases->keep, relaxed) == 0, 0);
}

/* A counter that one thread writes and others sum. */
static inline void lido__lease_count(_Atomic(uint64_t) *counter) {
    uint64_t before = lido__load(counter, relaxed);
    lido__store(counter, before + 1, relaxed);
}

/* From a claim to a lease: who holds the slot from now on. */
static inline void lido__lease_write(struct lido__slot *at, uint32_t slot, uint32_t thread_id,
                                     const char *site, lido_lease *lease) {
    uint32_t turn = lido__load(&at->turn, relaxed) + 1; /* nobody else writes a claimed slot */
    uint32_t tick = lido__load(&lido__tick, relaxed);
    lido__store(&at->site, site, relaxed);
    lido__store(&at->thread_id, thread_id, relaxed);
    lido__store(&at->tick, tick, relaxed);
    /* Release: a reader of holders who sees the turn sees what was written before. */
    lido__store(&at->turn, turn, release);
    *lease = (lido_lease){.object = lido__load(&at->object, relaxed), .slot = slot, .turn = turn};
}

/* The slot of a good lease, which becomes a claim of the caller; NULL: it is not held. Two threads
 * that release one lease in the same instant may both pass: see the header's promise. */
static inline struct lido__slot *
lido__lease_take_back(struct lido__leases *leases, const lido_lease *lease, uint32_t thread_id) {
    uint32_t place = lease->slot + LIDO__LEASE_FIRST;
    uint32_t bits = place < LIDO__LEASE_FIRST ? 31 : 31u - (uint32_t)__builtin_clz(place);
    if (bits - 4 >= LIDO__LEASE_CHUNKS || !lido__load(&leases->chunk[bits - 4], relaxed))
        return NULL;
    struct lido__slot *at = lido__slot_at(leases, lease->slot);
    /* Relaxed: who holds the lease got it after these were written. */
    if (lido__load(&at->turn, relaxed) != lease->turn || (lease->turn & 1) == 0 ||
        lido__load(&at->object, relaxed) != lease->object)
        return NULL;
    lido__store(&at->thread_id, thread_id, relaxed);
    lido__store(&at->turn, lease->turn + 1, relaxed);
    return at;
}

#endif
