/* SPDX-License-Identifier: MIT
 * The path that nearly every acquire and release takes: this thread's own shelf. Told in lease.h.
 *
 * No locked instruction, no clock, no allocation, no line that another thread writes: per pair it
 * writes the shelf, two counters of the store, and the slot itself, all this thread's own. */
#ifndef LIDO_SRC_LEASE_FAST_H
#define LIDO_SRC_LEASE_FAST_H

#include "lease/lease.h"

/* The slot of a number; NULL: there is none yet. Acquire: pairs with the releases in make_chunk. */
static inline struct lido__slot *lido__slot_find(struct lido__leases *leases, uint32_t slot) {
    struct lido__directory *directory = lido__load(&leases->directory, acquire);
    uint32_t chunk = slot / LIDO__CHUNK_SLOTS;
    if (__builtin_expect(chunk >= lido__load(&directory->chunk_count, acquire), 0))
        return NULL;
    return directory->chunk[chunk] + slot % LIDO__CHUNK_SLOTS;
}

/* The slot of a number that was seen in use. */
static inline struct lido__slot *lido__slot_at(struct lido__leases *leases, uint32_t slot) {
    struct lido__directory *directory = lido__load(&leases->directory, acquire);
    return directory->chunk[slot / LIDO__CHUNK_SLOTS] + slot % LIDO__CHUNK_SLOTS;
}

/* One above the largest number in use, with the lock held. */
static inline uint32_t lido__slot_bound(const struct lido__leases *leases) {
    return (leases->slot_count + LIDO__CHUNK_SLOTS - 1) / LIDO__CHUNK_SLOTS * LIDO__CHUNK_SLOTS;
}

static inline size_t lido__directory_bytes(uint32_t capacity) {
    return sizeof(struct lido__directory) +
           capacity * (sizeof(struct lido__slot *) + sizeof(struct lido__marks));
}

/* With the lock held. */
static inline struct lido__marks *lido__marks_of(struct lido__leases *leases, uint32_t slot) {
    struct lido__directory *directory = lido__load(&leases->directory, relaxed);
    struct lido__marks *marks =
        (struct lido__marks *)(void *)(directory->chunk + directory->capacity);
    return marks + slot / LIDO__CHUNK_SLOTS;
}

static inline uint16_t lido__mark_bit(uint32_t slot) {
    return (uint16_t)(1u << slot % LIDO__CHUNK_SLOTS);
}

/* Whose the slot is while it is not free; the child of a fork goes by that. */
static inline void lido__lease_mark(struct lido__leases *leases, uint32_t slot,
                                    uint32_t thread_id) {
    lido__store(&lido__slot_at(leases, slot)->thread_id, thread_id, relaxed);
}

static inline uint32_t lido__turn_of(uint64_t name) {
    return (uint32_t)(name >> 32);
}

static inline uint64_t lido__lease_name(const lido_lease *lease) {
    return (uint64_t)lease->turn << 32 | lease->slot;
}

/* The number never changes. */
static inline uint32_t lido__slot_number(struct lido__slot *at) {
    return (uint32_t)lido__load(&at->name, relaxed);
}

/* The store that this thread used last; its leases' if these stand in near.owner or near.open. */
static inline struct lido__lease_store *lido__lease_store_last(void) {
    return (struct lido__lease_store *)(void *)lido__near_lease;
}

/* What stands first in this thread's chain: the store of the pool, if that is its owner. */
static inline struct lido__lease_store *lido__lease_store_near(struct lido__leases *leases) {
    return (struct lido__lease_store *)(void *)
        lido__thread_self->near[leases->id % LIDO__NEAR_CHAINS];
}

/* Relaxed: a pool's own address is only ever written there by this thread. */
static inline bool lido__lease_is_of(struct lido__lease_store *store, struct lido__leases *leases) {
    return lido__load(&store->near.owner, relaxed) == leases;
}

/* This thread's store of the pool, or NULL. */
static inline struct lido__lease_store *lido__lease_store_of(struct lido__leases *leases) {
    struct lido__lease_store *store = lido__lease_store_near(leases);
    return lido__lease_is_of(store, leases) ? store : NULL;
}

/* Takes a slot, with an object, from this thread's shelf; NULL when there is none. */
static inline struct lido__slot *lido__lease_take(struct lido__lease_store *store) {
    struct lido__shelf *shelf = lido__gate_enter_unfenced(&store->gate);
    size_t count = lido__load(&shelf->count, relaxed); /* P1 orders it */
    if (__builtin_expect(count == 0, 0)) {
        lido__gate_leave(&store->gate);
        return NULL;
    }
    struct lido__slot *at = shelf->item[count - 1];
    lido__store(&shelf->count, (uint32_t)count - 1, relaxed);
    lido__gate_leave(&store->gate);
    if (!at)
        __builtin_unreachable(); /* spares the caller the same question */
    return at;
}

enum lido__given { LIDO__GIVEN, LIDO__NOT_GIVEN, LIDO__GIVEN_TOO_MUCH };

/* Gives a slot, with its object, to this thread's shelf. NOT_GIVEN: there is no room, or a visitor
 * has the shelf. TOO_MUCH: it lies there, but the shelf has to be emptied: P2's look at keep, which
 * comes after the giving. The light fence does not look at the gate, since without membarrier nobody
 * gives to a shelf. */
static inline enum lido__given lido__lease_give(struct lido__leases *leases,
                                                struct lido__lease_store *store,
                                                struct lido__slot *at) {
    struct lido__shelf *shelf = lido__gate_enter_unfenced(&store->gate);
    size_t count = lido__load(&shelf->count, relaxed); /* P1 orders it */
    if (__builtin_expect(count >= shelf->room, 0)) {
        lido__gate_leave(&store->gate);
        return LIDO__NOT_GIVEN;
    }
    shelf->item[count] = at;
    lido__store(&shelf->count, (uint32_t)count + 1, relaxed);
    lido__gate_leave(&store->gate);
    lido__gate_light_fence_unfenced();
    return __builtin_expect(count >= lido__load(&leases->keep, relaxed), 0) ? LIDO__GIVEN_TOO_MUCH
                                                                            : LIDO__GIVEN;
}

/* A counter that one thread writes and others sum. */
static inline uint64_t lido__lease_count(_Atomic(uint64_t) *counter) {
    uint64_t count = lido__load(counter, relaxed) + 1;
    lido__store(counter, count, relaxed);
    return count;
}

#define LIDO__NEXT_TURN (UINT64_C(1) << 32)

/* From a claim to a lease: who holds the slot from now on. The thread stands there since the claim,
 * or since it lies on the shelf. */
static inline void lido__lease_write(struct lido__slot *at, const char *site, lido_lease *lease) {
    uint64_t name = lido__load(&at->name, relaxed) + LIDO__NEXT_TURN; /* a claimed slot: ours */
    uint32_t tick = lido__load(&lido__tick, relaxed);
    void *object = lido__load(&at->object, relaxed);
    lido__store(&at->site, site, relaxed);
    lido__store(&at->tick, tick, relaxed);
    /* Release: a reader of holders who sees the turn sees what was written before. */
    lido__store(&at->name, name, release);
    lease->object = object;
    lease->slot = (uint32_t)name;
    lease->turn = lido__turn_of(name);
}

/* Whether the lease is that of this slot. Relaxed: who holds the lease got it after these were written.
 * An object that is out is not NULL, so a lease without one is refused, too. */
static inline bool lido__lease_is_good(struct lido__slot *at, const lido_lease *lease,
                                       uint64_t name) {
    return lido__load(&at->name, relaxed) == name && (name & LIDO__NEXT_TURN) &&
           lido__load(&at->object, relaxed) == lease->object;
}

/* The slot of a good lease, which becomes a claim of the caller; NULL: it is not held. Two threads
 * that release one lease in the same instant may both pass: see the header's promise. */
static inline struct lido__slot *
lido__lease_take_back(struct lido__leases *leases, const lido_lease *lease, uint32_t thread_id) {
    struct lido__slot *at = lido__slot_find(leases, lease->slot);
    uint64_t name = lido__lease_name(lease);
    if (!at || !lido__lease_is_good(at, lease, name))
        return NULL;
    lido__store(&at->thread_id, thread_id, relaxed);
    lido__store(&at->name, name + LIDO__NEXT_TURN, relaxed);
    return at;
}

/* Take_back and give at once, for what this thread took last and nobody has meanwhile laid
 * elsewhere: it still stands above the top of the shelf. NOT_GIVEN: it is another one, or no good, or
 * there is no room, and nothing was changed. Counts it before others can have it: deadlock.c. */
static inline enum lido__given
lido__lease_bring(struct lido__leases *leases, struct lido__lease_store *store, lido_lease *lease) {
    struct lido__shelf *shelf = lido__gate_enter_unfenced(&store->gate);
    size_t count = lido__load(&shelf->count, relaxed); /* P1 orders it */
    uint64_t name = lido__lease_name(lease);
    struct lido__slot *at;
    if (__builtin_expect(count >= shelf->room, 0) ||
        __builtin_expect(!lido__lease_is_good(at = shelf->item[count], lease, name), 0)) {
        lido__gate_leave(&store->gate);
        return LIDO__NOT_GIVEN;
    }
    lido__store(&at->thread_id, store->thread_id, relaxed);
    lido__store(&at->name, name + LIDO__NEXT_TURN, relaxed);
    lease->object = NULL;
    (void)lido__lease_count(&store->released);
    lido__store(&shelf->count, (uint32_t)count + 1, relaxed);
    lido__gate_leave(&store->gate);
    lido__compiler_barrier();
    return __builtin_expect(count >= lido__load(&leases->keep, relaxed), 0) ? LIDO__GIVEN_TOO_MUCH
                                                                            : LIDO__GIVEN;
}

#endif
