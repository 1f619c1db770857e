/* SPDX-License-Identifier: MIT
 * Callbacks that do not come back. What unwinds the stack (an exception, pthread_exit, a cancel)
 * runs the clean-up of the frame that called the callback; longjmp runs nothing, and the claimed
 * slot would be lost for ever. So each callback is noted in the store of its thread, and a later
 * slow call of the same thread asks of every note whether that frame still stands:
 *
 *      high   +--------------------+
 *             | the application    |   <-- a call from here: the frame below is gone
 *             | call(): sign = 17  |   noted: this frame, and that 17 stands in it
 *             |   1 KiB of room    |   <-- a call from here: gone too
 *             | the callback       |
 *             | ...                |   <-- a call from here: inside the callback, if 17 is there;
 *      low    +--------------------+       else others have written over it, so it is gone
 *
 * The room lets the next call from the frame that was jumped to be told from one inside, though it
 * may reach a little deeper than the one before.
 *
 * The order of frames says something on one stack only, and the one that a thread certainly has
 * is its own. A note whose frame stands elsewhere may be that of a coroutine, which can go on at
 * any time, here or in another thread: it is left alone, and its pool's place is lost if it was left
 * by longjmp. A sign that happens to be still there makes a frame count as standing: the safe side.
 *
 * Rejected: ending what the last longjmp left at any next call (ends callbacks of coroutines that
 * wait), unwinding to look (needs more than libc). */
#include "lease/fast.h"
#include "lease/lease.h"

#include "base/sys.h"

/* A thread that only releases has no store, and none is made here: release needs no memory. */
void lido__callback_note(struct lido__callback *callback, uintptr_t frame, const char *name) {
    struct lido__lease_store *store = lido__lease_store_of(callback->leases);
    uint32_t i = 0;
    if (!store)
        store = lido__lease_store_find(callback->leases);
    callback->store = store;
    while (store && i < LIDO__CALLBACK_NOTES && store->note[i].frame)
        i++;
    if (!store || i == LIDO__CALLBACK_NOTES) {
        callback->store = NULL;
        return;
    }
    /* No two signs are alike, nor like the addresses and small numbers that fill a stack. */
    uint64_t number = (++store->note_count ^ frame) * UINT64_C(0x9e3779b97f4a7c15);
    lido__store(&callback->sign, number, relaxed); /* for this thread */
    callback->note = i;
    store->slow_only++;
    store->note[i] = (struct lido__callback_note){.frame = frame,
                                                  .sign = &callback->sign,
                                                  .number = number,
                                                  .name = name,
                                                  .slot = callback->slot};
}

/* A coroutine may come back in another thread: then the note is not this thread's to take. */
void lido__callback_forget(const struct lido__callback *callback) {
    struct lido__lease_store *store = lido__lease_store_of(callback->leases);
    if (!callback->store)
        return;
    if (!store)
        store = lido__lease_store_find(callback->leases);
    uint64_t number = lido__load(&callback->sign, relaxed); /* written by this call */
    if (store != callback->store || store->note[callback->note].number != number)
        return;
    store->note[callback->note].frame = 0;
    store->slow_only--;
}

/* Stack memory that may belong to anything by now; above the caller's frame, so it is there. */
__attribute__((no_sanitize_address)) static uint64_t read_sign(const _Atomic(uint64_t) *sign) {
    return lido__load(sign, relaxed); /* written by this thread */
}

static void end_note(struct lido__lease_store *store, struct lido__callback_note *note) {
    note->frame = 0;
    store->slow_only--;
    lido__lease_abandon(store->leases, note->slot);
}

/* Not inlined: its frame is below that of every callback inside of which it is called. */
static __attribute__((noinline)) const char *settle(struct lido__lease_store *store) {
    uintptr_t low, high, here = (uintptr_t)__builtin_frame_address(0);
    const char *inside = NULL;
    if (!lido__sys.thread_stack(&low, &high) || here < low || here >= high)
        return NULL;
    for (int i = 0; i < LIDO__CALLBACK_NOTES; i++) {
        struct lido__callback_note *note = &store->note[i];
        if (note->frame < low || note->frame >= high)
            continue;
        if (here < note->frame - LIDO__CALLBACK_ROOM && read_sign(note->sign) == note->number)
            inside = note->name;
        else
            end_note(store, note);
    }
    return inside;
}

const char *lido__callback_settle(struct lido__leases *leases) {
    struct lido__lease_store *store = lido__lease_store_of(leases);
    if (!store)
        store = lido__lease_store_find(leases);
    return store && store->slow_only > leases->slow_only ? settle(store) : NULL;
}

void lido__callback_end_all(struct lido__lease_store *store) {
    uintptr_t low, high;
    if (store->slow_only == store->leases->slow_only || !lido__sys.thread_stack(&low, &high))
        return;
    for (int i = 0; i < LIDO__CALLBACK_NOTES; i++)
        if (store->note[i].frame >= low && store->note[i].frame < high)
            end_note(store, &store->note[i]);
}
