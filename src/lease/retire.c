/* SPDX-License-Identifier: MIT
 * P3, return-all: every lease that is out is retired at one stroke. Its slot stays with its holder,
 * but no longer counts; when it comes back it ends instead of going to somebody else.
 *
 *      releaser (P2)                          return-all, with the lock
 *      turn = even                            gather: keep = 0, barrier, shelves emptied
 *      onto the shelf                         turn odd? then the slot is marked as retired
 *      keep == 0? then off the shelf,
 *      with the lock: marked?
 *
 * The barrier cuts the releaser's run in two. A turn written before the cut is seen as even, and the
 * slot is left as it is. Who writes it after the cut sees keep == 0 after that, goes by the lock, and
 * finds the mark. So that this holds for as long as a retired lease is out, keep stays 0 until the
 * last of them is back: what return-all costs others is the shelves, meanwhile. A lease acquired while it
 * runs is retired or not, as it happens to be seen.
 *
 * Marks are bits beside the slots, since all 32 bytes of a slot are taken, and under the lock, since a
 * fast path that had to look at them would pay for what is rare.
 *
 * Rejected: changing the turn, so that the late lease is refused (its holder would never learn that
 * the object is his to the end, and the object would have no one to end it). */
#include "lease/fast.h"
#include "lease/internal.h"

bool lido__lease_is_retired(struct lido__leases *leases, uint32_t slot) {
    return (lido__marks_of(leases, slot)->retired & lido__mark_bit(slot)) != 0;
}

bool lido__lease_note_back(struct lido__leases *leases, uint32_t slot) {
    struct lido__marks *marks = lido__marks_of(leases, slot);
    uint16_t bit = lido__mark_bit(slot);
    if ((marks->retired & bit) == 0)
        return false;
    marks->retired = (uint16_t)(marks->retired & ~bit);
    marks->is_back |= bit;
    leases->count.retired--;
    return true;
}

bool lido__lease_forget_retired(struct lido__leases *leases, uint32_t slot) {
    struct lido__marks *marks = lido__marks_of(leases, slot);
    uint16_t bit = lido__mark_bit(slot);
    (void)lido__lease_note_back(leases,
                                slot); /* it was discarded, or its callback did not return */
    if ((marks->is_back & bit) == 0)
        return false;
    marks->is_back = (uint16_t)(marks->is_back & ~bit);
    return true;
}

static bool retire(struct lido__leases *leases, uint32_t slot) {
    struct lido__marks *marks = lido__marks_of(leases, slot);
    uint16_t bit = lido__mark_bit(slot);
    bool is_out = lido__turn_of(lido__load(&lido__slot_at(leases, slot)->name, relaxed)) &
                  1; /* the barrier */
    if (!is_out || (marks->retired & bit) != 0)
        return false;
    marks->retired |= bit;
    return true;
}

lido_status lido__leases_return_all(struct lido__leases *leases, uint64_t *count) {
    *count = 0;
    lido__lock(&leases->lock);
    bool is_known = lido__lease_gather(leases);
    for (uint32_t slot = 0; is_known && slot < lido__slot_bound(leases); slot++)
        *count += retire(leases, slot);
    leases->count.retired += *count;
    leases->existing -= *count;
    lido__leases_unlock_and_wake(leases);
    return is_known ? LIDO_OK : LIDO_ERR_SYSTEM;
}
