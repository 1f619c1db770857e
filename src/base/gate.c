/* SPDX-License-Identifier: MIT
 * The slow half of P1: see gate.h. */
#include "base/gate.h"

#include "base/sys.h"

#ifndef LIDO_GATE_SPINS
#define LIDO_GATE_SPINS 64 /* the explorer makes do with one */
#endif
enum { NAP_NS = 50000 };

/* UNKNOWN until the first gate is made. FENCED is for good. */
enum { UNKNOWN, BARRIER, FENCED };
static _Atomic(uint32_t) mode;

/* noinline, so that fast paths hold no locked instruction. */
__attribute__((noinline)) void lido__gate_full_fence(void) {
    lido__fence(seq_cst);
}

/* Relaxed: two threads may both ask, and get the same answer. */
static void remember(uint32_t known) {
    lido__store(&mode, known, relaxed);
}

static bool must_fence(void) {
    uint32_t known = lido__load(&mode, relaxed);
    if (known == UNKNOWN) {
#ifdef LIDO_GATE_FENCED
        known = FENCED;
#else
        known = lido__sys.barrier_register() == 0 ? BARRIER : FENCED;
#endif
        remember(known);
    }
    return known == FENCED;
}

bool lido__gate_can_reach(void) {
    return !must_fence();
}

void lido__gate_init(lido__gate *gate, void *store) {
    lido__store(&gate->busy, 0, relaxed);
    lido__store(&gate->fenced, must_fence(), relaxed);
    lido__store(&gate->store, store, relaxed);
}

/* P1: release for what `next` leads to, acquire for what a visitor did to `seen` and put back. */
bool lido__gate_swap(lido__gate *gate, void *seen, void *next) {
    /* P1: from this release on every entry pays a fence; the entries before it have all ended, as
     * a visitor who sees fenced == 1 knows. */
    if (must_fence())
        lido__store(&gate->fenced, 1, release);
    return lido__cas(&gate->store, &seen, next, acq_rel, relaxed);
}

/* P1: acquire, for what swap released. */
void *lido__gate_take(lido__gate *gate, void *empty) {
    void *seen = lido__load(&gate->store, relaxed);
    while (seen != empty)
        if (lido__cas(&gate->store, &seen, empty, acquire, relaxed))
            return seen;
    return NULL;
}

/* Registering once more is for a process whose registration was lost. */
bool lido__gate_barrier(void) {
    lido__fence(seq_cst);
#ifdef LIDO_GATE_FENCED
    return true; /* each light half was a fence itself */
#endif
    if (must_fence())
        return false;
    if (lido__sys.barrier() == 0)
        return true;
    if (lido__sys.barrier_register() == 0 && lido__sys.barrier() == 0)
        return true;
    remember(FENCED);
    return false;
}

/* Spins as long as a fast path takes, then naps: an owner that was preempted inside its gate comes
 * back within milliseconds. Nobody wakes the napper, since that would cost the owner a look. */
static bool owner_left(lido__gate *gate, uint64_t patience_ns) {
    uint64_t deadline_ns = 0;
    for (uint32_t spins = 0; lido__load(&gate->busy, acquire) != 0; spins++) {
        if (spins < LIDO_GATE_SPINS) {
            lido__pause();
            continue;
        }
        uint64_t now_ns = lido__sys.now_ns();
        if (deadline_ns == 0)
            deadline_ns = now_ns + patience_ns < now_ns ? UINT64_MAX : now_ns + patience_ns;
        if (now_ns >= deadline_ns)
            return false;
        (void)lido__sys.park(&gate->busy, 1, now_ns + NAP_NS);
    }
    return true;
}

bool lido__gate_settle(lido__gate *gate, void *empty, void *taken, bool reached,
                       uint64_t patience_ns) {
    bool covered = reached || lido__load(&gate->fenced, acquire) != 0;
    if (covered && owner_left(gate, patience_ns))
        return true;
    /* P1: failing, it acquires the owner's swap, and with it all that he did before. */
    return !lido__cas(&gate->store, &empty, taken, acquire, acquire);
}

/* Relaxed, as in adopt: I4's lock orders it, or there is one thread. */
void *lido__gate_close(lido__gate *gate, void *empty) {
    return lido__exchange(&gate->store, empty, relaxed);
}

void *lido__gate_adopt(lido__gate *gate, void *empty) {
    lido__store(&gate->busy, 0, relaxed);
    return lido__exchange(&gate->store, empty, relaxed);
}
