/* SPDX-License-Identifier: MIT
 * The lease engine: slots that are handed out, given back and waited for; under object pools, and
 * later under connection pools. It knows nothing of what stands in a slot.
 *
 *      a thread's shelf  <-->  idle set  <-->  waiters, in order
 *      16 slots, reached       one lock        a slot that comes back goes to the oldest,
 *      through a gate (P1)                     or is there for it to take
 *
 * A slot belongs to exactly one of: the vacant list, a claim (a thread works on it, outside any
 * list), a holder, the idle set, one thread's shelf, the list of those whose object has to end.
 *
 *   L1  existing = slots that are neither vacant nor retired <= limit (unless the limit was lowered)
 *   L2  an odd turn says that the slot is out; each hand-out and each return adds one. A lease is
 *       good while its turn is the slot's and its object is the slot's object
 *   L3  while somebody waits, keep is 0, every shelf that could be reached is empty, and nothing
 *       is vacant below the limit (or its budget has no room for it); what is idle then is there for a waiter who has been woken
 *
 * P2, two regimes. In the *private* one (keep > 0) a thread takes from and gives to its own shelf
 * without any lock. When a thread finds nothing to claim it turns to the *shared* one: keep = 0, a
 * barrier, then it empties all shelves into the idle set. From then on all go through the lock,
 * until SHARED_CALLS calls in a row found something without waiting.
 *
 *      giver                               who is about to wait (or to build)
 *      shelf: count + 1                    keep = 0
 *      light fence                         barrier (a fence in every thread)
 *      keep == 0? then empty my shelf      empty all shelves, then sleep
 *
 * Either the giver sees keep == 0, or what he gave is seen. So nobody sleeps beside a free slot,
 * but for a shelf whose owner could not be reached in time: who gives empties it when he comes to, and
 * the first waiter looks again now and then, for an owner who was taking.
 *
 * Without membarrier there is no private regime: a fence on every call would cost what the lock
 * does.
 *
 * Overtaking. Who finds nothing looks again twice before it joins the queue (waiters.c), but not in
 * strict order. A slot that comes back lies idle and the oldest waiter is woken; who comes along may
 * take it first. When a waiter was passed `bypass` times, slots
 * are handed to it directly; bypass 0 is strict order: a context switch for each hand-over.
 *
 * Lock: one, for everything but shelves and what is written with a slot in hand. It is held over
 * the barrier and for a bounded wait for owners in their gates (L3's price, once a turn of regime). */
#ifndef LIDO_SRC_LEASE_LEASE_H
#define LIDO_SRC_LEASE_LEASE_H

#include "base/atomic.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "base/thread.h"

enum { LIDO__SHELF_SLOTS = 16, LIDO__CHUNK_SLOTS = 16 };
#define LIDO__NO_SLOT   UINT32_MAX
#define LIDO__NO_THREAD UINT32_MAX
/* In the place of a thread, while a slot is kept for a request: any thread may take it. */
#define LIDO__OF_REQUEST (UINT32_MAX - 1)

/* A slot: 16 bytes of its 32 are the tracking that is always on. Each has a cache line of its own,
 * because its holder writes it, and next to it may lie the slot of another thread. */
struct lido__slot {
    _Alignas(64) _Atomic(void *) object; /* NULL: none */
    _Atomic(const char *) site;          /* who acquired it last: line, */
    _Atomic(uint32_t) thread_id;         /* thread (that holds, claims or shelves it), */
    _Atomic(uint32_t) tick; /* and when, in ticks of lido__tick; in a list: the next slot */
    _Atomic(uint64_t) name; /* its turn, and below that its number: what a lease says of it */
};

/* Where the slots are: chunks of 16, which never move. The directory is replaced by a larger one
 * when it is full; old ones live as long as the pool, since a fast path may be reading them. */
struct lido__directory {
    struct lido__directory *older;
    uint32_t capacity;
    _Atomic(uint32_t) chunk_count;
    struct lido__slot
        *chunk[]; /* `capacity` of them; behind them as many lido__marks, the lock's */
};

/* A bit for each slot of a chunk: its lease was retired (P3: retire.c), and has come back since. A
 * slot with either does not count in `existing`. */
struct lido__marks {
    uint16_t retired, is_back;
};

/* The contents of one pointer behind a gate. Items are the owner's, or of the visitor who took it.
 * Above the last one, item[count] still is what was taken there: mostly that comes back next, and is
 * then known without a search. */
struct lido__shelf {
    _Atomic(uint32_t) count;
    uint32_t room; /* LIDO__SHELF_SLOTS; 0 in the sentinel, which takes and gives nothing */
    struct lido__slot *item[LIDO__SHELF_SLOTS];
};

extern struct lido__shelf lido__shelf_empty;

/* A callback of this thread at work on a claimed slot: see callbacks.c. */
struct lido__callback_note {
    uintptr_t frame; /* of the function that called it; 0: the note is free */
    const _Atomic(uint64_t)
        *sign; /* stands in that frame, and holds `number` while the frame does */
    uint64_t number;
    const char *name;
    uint32_t slot;
};

enum { LIDO__CALLBACK_NOTES = 4, LIDO__CALLBACK_ROOM = 1024 };

/* What a thread has for one pool. Written by its thread only, but for the links. */
struct lido__lease_store {
    struct lido__near near;
    struct lido__leases *leases;
    lido__gate gate;
    struct lido__shelf shelf;
    void *taken; /* what a visit found; the lock's */
    _Atomic(uint64_t) acquired;
    _Atomic(uint64_t) released;
    _Atomic(uint64_t) discarded;
    uint32_t thread_id;
    uint32_t slow_only; /* reasons why acquires take the slow path: those of the pool, and notes */
    struct lido__lease_store *next_of_pool, **link_of_pool; /* the lock's */
    uint64_t note_count;                                    /* notes ever made */
    uint64_t tells_id; /* the pool's, when its thread has ended and somebody waits there; or 0 */
    struct lido__callback_note note[LIDO__CALLBACK_NOTES];
};

struct lido__waiter {
    struct lido__waiter *next;
    uint64_t since_ns;
    uint32_t thread_id;
    uint32_t passed; /* how often somebody took a slot while this one was first */
    uint32_t slot;   /* handed to it */
    bool is_queued;
    bool is_woken;          /* has been told to look, and has not looked yet */
    bool is_request;        /* no thread: see struct lido__request */
    _Atomic(uint32_t) word; /* changes when there is something to see */
};

struct lido__lease_counts {
    uint64_t acquired, released, discarded; /* of calls without a store, and of stores that ended */
    uint64_t waits, wait_total_ns, wait_max_ns, timeouts, refused_release;
    uint64_t lost, lost_leases; /* objects given up, and those that were out */
    uint64_t retired;           /* leases that return-all retired and that are still out */
    uint64_t live_peak, gathers, overtakes_max;
};

struct lido__leases {
    /* Read by every call; keep is written when the regime or the number of threads changes. */
    _Atomic(struct lido__directory *) directory;
    uint64_t id;            /* of the resource: chooses the chain of lido__near */
    _Atomic(uint32_t) keep; /* slots a thread may keep on its shelf; 0: shared regime */
    uint32_t slow_only;     /* 1: acquires take the slow path; fixed before the first one */
    uint32_t slow_release;  /* 1: releases do; fixed as well */

    _Alignas(64) lido__mutex lock; /* guards what follows */
    struct lido__waiter *first_waiter, **last_waiter;
    struct lido__lease_store *stores;
    struct lido__sizing *sizing;        /* NULL: was never turned on */
    struct lido__budget_member *budget; /* NULL: none */
    uint64_t idle_count, existing, limit;
    uint64_t limit_max; /* what sizing may raise limit to; equal when it is off */
    uint64_t waiting, waiter_limit;
    uint64_t looking;         /* threads that look again before they wait */
    uint64_t look_average_ns; /* what that took lately */
    uint64_t served;          /* requests that have a slot and were not taken or cancelled yet */
    struct lido__lease_counts count;
    uint32_t slot_count;   /* slots ever used: numbers below it */
    uint32_t vacant, idle; /* lists */
    _Atomic(uint32_t)
        ending;          /* list of free slots whose object must end; read as a hint elsewhere */
    uint32_t bypass;     /* how often a waiter may be passed: 0 strict, UINT32_MAX no order */
    uint32_t calm_calls; /* calls of the shared regime since somebody waited */
    uint32_t look_rest;  /* waits that go without looking again, from now on */
    uint32_t look_rest_next; /* and as many when that took long once more */
    uint32_t store_count;
    _Atomic(uint32_t) quiet; /* changes when the last slot comes back to a closed pool */
    bool is_closed;
    bool is_shelf_missed;           /* the last look on shelves did not reach them all */
    bool is_by_acquirer;            /* releases, from the first lease on; fixed */
    _Atomic(uint32_t) is_handed_on; /* told or seen: other threads release than acquired */
    bool is_fenced;                 /* no membarrier: no shelves, the shared regime for good */
};

/* Milliseconds of the coarse clock, modulo 2^32; advanced by slow calls and by every 64th acquire
 * of a thread. An age read with it may be too long by the time in which nothing advanced it. */
extern _Atomic(uint32_t) lido__tick;
void lido__tick_advance(void);

void lido__leases_init(struct lido__leases *leases, uint64_t limit);
/* Empties all shelves. No other call on the pool may be running. */
void lido__leases_collect(struct lido__leases *leases);
/* Ends all stores. No other call on the pool may be running. */
void lido__leases_end(struct lido__leases *leases);

/* A wait that could never end: one of its threads, which holds and waits. */
struct lido__knot {
    const char *held_at, *waits_at;
    uint64_t thread_id, thread_count;
};

/* How long to wait. timeout_ns counts from the first wait; LIDO_FOREVER: the deadline alone does. */
struct lido__patience {
    uint64_t timeout_ns, deadline_ns;
    const char *site;
    struct lido__knot *knot; /* filled when the answer is DEADLOCK */
    bool may_wait;
};

/* Claims a slot: an idle one (its object is in it), else a vacant one below the limit, else waits.
 * LIDO_OK: *claimed is the caller's until commit, put or vacate.
 * Else TIMEOUT or EMPTY (may_wait false), LIMIT (waiter_limit), CLOSED, NO_MEMORY, DEADLOCK; no text
 * is set. */
lido_status lido__lease_claim(struct lido__leases *leases, struct lido__patience patience,
                              uint32_t *claimed);
/* Claims a vacant slot if fewer than `below` exist. Else LIMIT, EMPTY (the budget has no room),
 * CLOSED or NO_MEMORY; no text. */
lido_status lido__lease_claim_vacant(struct lido__leases *leases, uint64_t below,
                                     uint32_t *claimed);
/* Claims an idle slot if more than `above` exist. Gathers shelves first. */
uint32_t lido__lease_claim_idle(struct lido__leases *leases, uint64_t above);
/* Another idle object for a claimed slot that lost its own; the old claim becomes vacant. Returns
 * the claim to go on with, which is the old one when nothing is idle. */
uint32_t lido__lease_claim_instead(struct lido__leases *leases, uint32_t slot);

/* Ends a claim: the slot, with its object, is free for all. False: more exist than the limit
 * allows, or the lease was retired, and the claim goes on; its object must end. */
bool lido__lease_put(struct lido__leases *leases, uint32_t slot);
/* Ends a claim: the slot has no object and is vacant. */
void lido__lease_vacate(struct lido__leases *leases, uint32_t slot);

/* Ends a claim whose thread will not come back to it: its object is lost, the slot vacant. */
void lido__lease_abandon(struct lido__leases *leases, uint32_t slot);

/* ---- Callbacks on claimed slots (callbacks.c) ---------------------------------------------- */

/* Lies in the frame of the function that calls a callback. */
struct lido__callback {
    struct lido__leases *leases; /* NULL: it came back */
    struct lido__lease_store *store;
    _Atomic(uint64_t) sign;
    uint32_t note, slot;
};

/* The frame is that of the caller, who is not inlined and has LIDO__CALLBACK_ROOM bytes in it. */
void lido__callback_note(struct lido__callback *callback, uintptr_t frame, const char *name);
void lido__callback_forget(const struct lido__callback *callback);

/* Ends claims of this thread whose callbacks were left by longjmp. Returns the name of the callback
 * from inside of which this is called; NULL: of none that is known. */
const char *lido__callback_settle(struct lido__leases *leases);

/* The thread of this store ends: all its frames on its own stack are gone. */
void lido__callback_end_all(struct lido__lease_store *store);

/* ---- Waking, limits, figures ---------------------------------------------------------------- */

/* Hands the lock back, serving and waking whom the caller's change concerns. */
void lido__leases_unlock_and_wake(struct lido__leases *leases);

lido_status lido__leases_close(struct lido__leases *leases, uint64_t timeout_ns);
/* ---- Requests (requests.c) -------------------------------------------------------------------- */

enum lido__request_state {
    LIDO__ENDED,
    LIDO__PENDING,
    LIDO__SERVED,
    LIDO__SENT_AWAY, /* closed */
    LIDO__STARVED    /* no memory for a slot */
};

/* Who waits in the queue without a thread. In the caller's memory; the lock's but for the rest. */
struct lido__request {
    struct lido__waiter waiter;
    void (*notify)(void *context); /* NULL: the descriptor is signalled */
    void *context;
    int descriptor;
    enum lido__request_state state;
};

/* Takes what is free, or joins the queue. The notification may come before it returns.
 * Errors: LIMIT, CLOSED, NO_MEMORY; no text is set, and no notification comes. */
lido_status lido__request_begin(struct lido__leases *leases, struct lido__request *request);
/* The slot of a served request is the caller's claim. Else EMPTY, CLOSED, NO_MEMORY,
 * ARGUMENT (ended). */
lido_status lido__request_take(struct lido__leases *leases, struct lido__request *request,
                               uint32_t *claimed);
/* Whether this thread is inside a notification of a request of this pool. */
bool lido__request_is_notifying(const struct lido__leases *leases);
/* Returns how the request stood; LIDO__SERVED: *claimed is the caller's claim. */
enum lido__request_state lido__request_cancel(struct lido__leases *leases,
                                              struct lido__request *request, uint32_t *claimed);

void lido__leases_set_limit(struct lido__leases *leases, uint64_t limit);
/* After the limit was lowered: what is above it ends when it comes back. */
void lido__leases_enforce(struct lido__leases *leases);

/* With the lock held: the limit becomes another one. A lower one ends nothing by itself. */
void lido__leases_resize(struct lido__leases *leases, uint64_t limit);

/* After a slow hand-out: were more out than ever? */
void lido__lease_note_peak(struct lido__leases *leases);

/* Sums over all stores. Exact at rest. */
struct lido__lease_sums {
    uint64_t acquired, released, discarded, live, idle, existing, retired, requests;
};
struct lido__lease_sums lido__lease_sum(struct lido__leases *leases);

/* The forking thread, parent_id in the parent, has the lock; this lets it go. */
void lido__leases_in_child(struct lido__leases *leases, uint64_t parent_id);

/* This thread's store, made if need be; NULL: no memory for one, and every call takes the lock. */
struct lido__lease_store *lido__lease_store_make(struct lido__leases *leases);

/* The same, but makes none. */
struct lido__lease_store *lido__lease_store_find(struct lido__leases *leases);

/* Makes this thread's store the one that fast paths look at. False: it was that, or there is none. */
bool lido__lease_recall(struct lido__leases *leases);

/* The slow end of lido__lease_give: what is too much for the shelf goes to all. True: some of it
 * must end, see lido__lease_claim_ending. */
bool lido__lease_empty_own(struct lido__leases *leases, struct lido__lease_store *store);

/* Before a slow release by a thread: has it acquired what it releases? */
void lido__lease_note_releaser(struct lido__leases *leases, const lido_lease *lease,
                               uint32_t thread_id);

/* Claims a slot whose object must end. */
uint32_t lido__lease_claim_ending(struct lido__leases *leases);

/* P3: retires every lease that is out; what they hold no longer counts, and is not handed out again.
 * Errors: SYSTEM, when other threads cannot be reached; nothing is changed, and no text is set. */
lido_status lido__leases_return_all(struct lido__leases *leases, uint64_t *count);

#endif
