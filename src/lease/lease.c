/* SPDX-License-Identifier: MIT
 * The slow half of the lease engine: slots, shelves and regimes. The queue is in waiters.c. */
#include "lease/fast.h"
#include "lease/internal.h"

#include "base/near.h"
#include "base/sys.h"
#include "budget/budget.h"
#include "registry/registry.h"

#include <string.h>

enum { TICK_NS = 1000000, SETTLE_NS = 1000000 };

struct lido__shelf lido__shelf_empty;
static struct lido__slot no_slot; /* nothing was taken there yet */
static struct lido__directory no_chunks;
_Alignas(64) _Atomic(uint32_t) lido__tick;

/* Relaxed: a tick that is a little old is what the header promises. Written only when it changes,
 * some hundred times a second: every acquire reads this line. */
void lido__tick_advance(void) {
    uint32_t tick = (uint32_t)(lido__sys.coarse_ns() / TICK_NS);
    if (lido__load(&lido__tick, relaxed) != tick)
        lido__store(&lido__tick, tick, relaxed);
}

void lido__leases_init(struct lido__leases *leases, uint64_t limit) {
    memset(leases, 0, sizeof *leases);
    lido__mutex_init(&leases->lock);
    leases->vacant = leases->idle = LIDO__NO_SLOT;
    lido__store(&leases->ending, LIDO__NO_SLOT, relaxed);
    leases->limit = leases->limit_max = limit;
    leases->last_waiter = &leases->first_waiter;
    leases->bypass = 8;
    lido__store(&leases->directory, &no_chunks, relaxed);
    lido__store(&leases->keep, 1, relaxed);
}

void lido__leases_end(struct lido__leases *leases) {
    lido__lock(&lido__near_lock);
    while (leases->stores) {
        struct lido__lease_store *store = leases->stores;
        leases->stores = store->next_of_pool;
        lido__near_forget(&store->near);
    }
    lido__unlock(&lido__near_lock);
    (void)lido__near_find(leases->id, leases); /* frees this thread's own */
    struct lido__directory *directory = lido__load(&leases->directory, relaxed);
    uint32_t chunks = lido__load(&directory->chunk_count, relaxed);
    for (uint32_t i = 0; i < chunks; i++)
        lido__sys.free(directory->chunk[i]);
    while (directory != &no_chunks) {
        struct lido__directory *older = directory->older;
        lido__sys.free(directory);
        directory = older;
    }
    lido__sys.free(leases->sizing);
}

/* ---- Slots, with the lock held ----------------------------------------------------------- */

static uint32_t pop(struct lido__leases *leases, uint32_t *list) {
    uint32_t slot = *list;
    if (slot != LIDO__NO_SLOT)
        *list = lido__load(&lido__slot_at(leases, slot)->tick, relaxed);
    return slot;
}

static void push(struct lido__leases *leases, uint32_t *list, uint32_t slot) {
    lido__store(&lido__slot_at(leases, slot)->tick, *list, relaxed);
    *list = slot;
}

static void lay_idle(struct lido__leases *leases, uint32_t slot) {
    push(leases, &leases->idle, slot);
    leases->idle_count++;
}

static void lay_to_end(struct lido__leases *leases, uint32_t slot) {
    uint32_t first = lido__load(&leases->ending, relaxed); /* under the lock, as all its writes */
    push(leases, &first, slot);
    lido__store(&leases->ending, first, relaxed);
}

uint32_t lido__lease_claim_ending(struct lido__leases *leases) {
    if (lido__load(&leases->ending, relaxed) == LIDO__NO_SLOT) /* a hint: who fills it looks too */
        return LIDO__NO_SLOT;
    lido__lock(&leases->lock);
    uint32_t first = lido__load(&leases->ending, relaxed); /* under the lock */
    uint32_t slot = pop(leases, &first);
    lido__store(&leases->ending, first, relaxed);
    if (slot != LIDO__NO_SLOT)
        lido__lease_mark(leases, slot, (uint32_t)lido__thread_id());
    lido__unlock(&leases->lock);
    return slot;
}

void lido__lease_lay_free(struct lido__leases *leases, uint32_t slot) {
    if (lido__lease_note_back(leases, slot))
        lay_to_end(leases, slot);
    else
        lay_idle(leases, slot);
}

static uint32_t pop_idle(struct lido__leases *leases) {
    uint32_t slot = pop(leases, &leases->idle);
    if (slot != LIDO__NO_SLOT)
        leases->idle_count--;
    return slot;
}

static struct lido__slot *new_chunk(uint32_t first) {
    struct lido__slot *chunk = lido__sys.alloc(LIDO__CHUNK_SLOTS * sizeof *chunk, 64);
    for (uint32_t i = 0; chunk && i < LIDO__CHUNK_SLOTS; i++) {
        memset(&chunk[i], 0, sizeof chunk[i]);
        lido__store(&chunk[i].name, first + i, relaxed); /* made known by make_chunk */
        lido__store(&chunk[i].thread_id, LIDO__NO_THREAD, relaxed);
    }
    return chunk;
}

static struct lido__directory *new_directory(struct lido__directory *older) {
    uint32_t count = lido__load(&older->chunk_count, relaxed);
    uint32_t capacity = older->capacity ? older->capacity * 2 : 4;
    struct lido__directory *larger =
        lido__sys.alloc(lido__directory_bytes(capacity), _Alignof(struct lido__directory));
    if (!larger)
        return NULL;
    memset(larger, 0, lido__directory_bytes(capacity));
    larger->older = older;
    larger->capacity = capacity;
    for (uint32_t i = 0; i < count; i++)
        larger->chunk[i] = older->chunk[i];
    lido__store(&larger->chunk_count, count, relaxed);
    return larger;
}

/* With the lock held, but not over allocation: one more chunk behind `count` of them, unless
 * somebody else made it meanwhile, and may have used it up as well. False: no memory. */
static bool make_chunk(struct lido__leases *leases, uint32_t count) {
    struct lido__directory *directory = lido__load(&leases->directory, relaxed);
    lido__unlock(&leases->lock);
    struct lido__slot *chunk = new_chunk(count * LIDO__CHUNK_SLOTS);
    struct lido__directory *larger =
        chunk && directory->capacity == count ? new_directory(directory) : NULL;
    bool is_made = chunk && (larger || directory->capacity > count);
    lido__lock(&leases->lock);
    if (is_made && lido__load(&leases->directory, relaxed) == directory &&
        lido__load(&directory->chunk_count, relaxed) == count) {
        struct lido__directory *into = larger ? larger : directory;
        into->chunk[count] = chunk;
        if (larger && count > 0)
            memcpy(into->chunk + into->capacity, directory->chunk + directory->capacity,
                   count * sizeof(struct lido__marks)); /* the lock's, so not before */
        /* Release, both: pair with the acquires in lido__slot_find. */
        lido__store(&into->chunk_count, count + 1, release);
        lido__store(&leases->directory, into, release);
        return true;
    }
    lido__unlock(&leases->lock);
    lido__sys.free(chunk);
    lido__sys.free(larger);
    lido__lock(&leases->lock);
    return is_made;
}

static bool has_room(struct lido__leases *leases) {
    struct lido__directory *directory = lido__load(&leases->directory, relaxed);
    return leases->slot_count < lido__load(&directory->chunk_count, relaxed) * LIDO__CHUNK_SLOTS;
}

bool lido__lease_has_room(const struct lido__leases *leases) {
    return leases->existing < leases->limit &&
           (!leases->budget || lido__budget_has_room(leases->budget));
}

/* A slot that lost its object, or never got one. */
static void make_vacant(struct lido__leases *leases, uint32_t slot) {
    push(leases, &leases->vacant, slot);
    if (!lido__lease_forget_retired(leases, slot))
        leases->existing--;
    if (leases->budget)
        lido__budget_refund(leases->budget);
}

/* Sets *no_memory instead of returning a slot when there is no memory for its chunk. */
static uint32_t pop_vacant(struct lido__leases *leases, bool *no_memory) {
    while (leases->existing < leases->limit) {
        uint32_t slot = pop(leases, &leases->vacant);
        uint32_t before = leases->slot_count;
        if (slot == LIDO__NO_SLOT && !has_room(leases)) {
            if (make_chunk(leases, before / LIDO__CHUNK_SLOTS) || has_room(leases) ||
                leases->vacant != LIDO__NO_SLOT)
                continue;
            *no_memory = true;
            return LIDO__NO_SLOT;
        }
        if (slot == LIDO__NO_SLOT)
            slot = leases->slot_count++;
        leases->existing++;
        if (leases->budget && !lido__budget_charge(leases->budget)) {
            push(leases, &leases->vacant, slot);
            leases->existing--;
            return LIDO__NO_SLOT;
        }
        return slot;
    }
    return LIDO__NO_SLOT;
}

void lido__lease_lay_back(struct lido__leases *leases, uint32_t slot) {
    if (lido__load(&lido__slot_at(leases, slot)->object, relaxed)) /* claimed */
        lay_idle(leases, slot);
    else
        make_vacant(leases, slot);
}

uint32_t lido__lease_find_vacant(struct lido__leases *leases, bool *no_memory) {
    return pop_vacant(leases, no_memory);
}

uint32_t lido__lease_find_free(struct lido__leases *leases, bool *no_memory) {
    uint32_t slot = pop_idle(leases);
    return slot != LIDO__NO_SLOT ? slot : pop_vacant(leases, no_memory);
}

/* ---- Shelves and regimes, with the lock held --------------------------------------------- */

static void empty_shelf(struct lido__leases *leases, struct lido__shelf *shelf) {
    uint32_t count = lido__load(&shelf->count, relaxed); /* the shelf is ours now */
    for (uint32_t i = 0; i < count; i++)
        lido__lease_lay_free(leases, lido__slot_number(shelf->item[i]));
    lido__store(&shelf->count, 0, relaxed);
}

/* This thread's own: outside the gate, under the lock, nobody else is at it. */
static void empty_own(struct lido__leases *leases, struct lido__lease_store *store) {
    if (store && lido__load(&store->gate.store, relaxed) == &store->shelf)
        empty_shelf(leases, &store->shelf);
}

bool lido__lease_gather(struct lido__leases *leases) {
    struct lido__lease_store *store;
    bool is_any = false;
    leases->calm_calls = 0;
    leases->count.gathers++;
    lido__store(&leases->keep, 0, relaxed); /* the barrier makes it seen */
    for (store = leases->stores; store; store = store->next_of_pool)
        is_any |= (store->taken = lido__gate_take(&store->gate, &lido__shelf_empty)) != NULL;
    bool reached = lido__gate_barrier();
    leases->is_fenced |= !reached;
    leases->is_shelf_missed = false;
    for (store = leases->stores; store; store = store->next_of_pool) {
        if (!store->taken)
            continue;
        if (lido__gate_settle(&store->gate, &lido__shelf_empty, store->taken, reached, SETTLE_NS))
            empty_shelf(leases, store->taken);
        else
            leases->is_shelf_missed = true;
    }
    return reached || !is_any;
}

static uint32_t keep_count(const struct lido__leases *leases) {
    if (leases->is_fenced)
        return 0;
    uint64_t share = leases->limit / 2 / (leases->store_count ? leases->store_count : 1);
    uint64_t most = LIDO__SHELF_SLOTS - 1; /* one more shows that it is too much */
    return share < 1 ? 1 : share > most ? (uint32_t)most : (uint32_t)share;
}

/* The number of threads or the limit changed: in the private regime any value is a right one. */
static void adjust_keep(struct lido__leases *leases) {
    if (lido__load(&leases->keep, relaxed) != 0)
        lido__store(&leases->keep, keep_count(leases), relaxed);
}

void lido__leases_resize(struct lido__leases *leases, uint64_t limit) {
    leases->limit = limit;
    adjust_keep(leases);
}

enum { SHARED_CALLS = 1024 };

/* One more call of the shared regime that did not have to wait. */
static void grow_calm(struct lido__leases *leases) {
    if (lido__load(&leases->keep, relaxed) == 0 && !leases->first_waiter && !leases->is_closed &&
        leases->count.retired == 0 && leases->existing <= leases->limit &&
        ++leases->calm_calls >= SHARED_CALLS)
        lido__store(&leases->keep, keep_count(leases), relaxed); /* shelves may be used; need not */
}

uint64_t lido__lease_shelved(const struct lido__leases *leases) {
    uint64_t count = 0;
    for (struct lido__lease_store *store = leases->stores; store; store = store->next_of_pool)
        count += lido__load(&store->shelf.count, relaxed);
    return count;
}

/* Puts the shelf of this thread back behind its gate after a visit, if the regime allows. Fast paths
 * pay no fence: behind a gate that needs one by now, since membarrier went away, nothing may be. */
static void restore_shelf(struct lido__leases *leases, struct lido__lease_store *store) {
    if (!store || lido__load(&leases->keep, relaxed) == 0 ||
        lido__load(&store->gate.store, relaxed) != &lido__shelf_empty)
        return;
    (void)lido__gate_swap(&store->gate, &lido__shelf_empty, &store->shelf);
    if (lido__gate_lacks_fence(&store->gate)) {
        (void)lido__gate_close(&store->gate, &lido__shelf_empty); /* no visitor: the lock is held */
        leases->is_fenced = true;
        lido__store(&leases->keep, 0, relaxed);
    }
}

/* With plenty idle, a thread takes some home: half a shelf for one lock. */
static void refill(struct lido__leases *leases, struct lido__lease_store *store) {
    uint32_t keep = lido__load(&leases->keep, relaxed);
    uint32_t want = keep / 2;
    if (!store || keep == 0 || leases->idle_count < (uint64_t)want * 2 * leases->store_count)
        return;
    restore_shelf(leases, store);
    if (lido__load(&store->gate.store, relaxed) != &store->shelf)
        return;
    uint32_t count = lido__load(&store->shelf.count, relaxed); /* own, under the lock */
    while (count < want) {
        uint32_t slot = pop_idle(leases);
        lido__lease_mark(leases, slot, store->thread_id);
        store->shelf.item[count++] = lido__slot_at(leases, slot);
    }
    lido__store(&store->shelf.count, count, relaxed);
}

/* Something to claim without waiting. Turns to the shared regime before it builds beside shelves
 * that are not empty, and before it gives up. */
uint32_t lido__lease_find(struct lido__leases *leases, struct lido__lease_store *store,
                          bool *no_memory) {
    empty_own(leases, store);
    uint32_t slot = pop_idle(leases);
    bool is_private = lido__load(&leases->keep, relaxed) != 0;
    if (slot == LIDO__NO_SLOT &&
        ((is_private && !lido__lease_has_room(leases)) || lido__lease_shelved(leases) > 0)) {
        (void)lido__lease_gather(leases);
        slot = pop_idle(leases);
    }
    if (slot == LIDO__NO_SLOT)
        slot = pop_vacant(leases, no_memory);
    if (slot == LIDO__NO_SLOT && !*no_memory) {
        /* The room was taken by another pool of the budget; or by another thread while this one was
         * making room without the lock, and what came back then lies idle (L3). */
        if (lido__load(&leases->keep, relaxed) != 0)
            (void)lido__lease_gather(leases);
        slot = pop_idle(leases);
    }
    if (slot != LIDO__NO_SLOT) {
        grow_calm(leases);
        restore_shelf(leases, store);
        refill(leases, store);
    }
    return slot;
}

/* ---- Claims ------------------------------------------------------------------------------ */

lido_status lido__lease_claim_vacant(struct lido__leases *leases, uint64_t below,
                                     uint32_t *claimed) {
    bool no_memory = false;
    lido_status status = LIDO_ERR_LIMIT;
    *claimed = LIDO__NO_SLOT;
    lido__lock(&leases->lock);
    if (leases->is_closed)
        status = LIDO_ERR_CLOSED;
    else if (leases->existing < below) {
        *claimed = pop_vacant(leases, &no_memory);
        status = leases->existing < leases->limit ? LIDO_ERR_EMPTY : LIDO_ERR_LIMIT;
    }
    if (*claimed != LIDO__NO_SLOT) /* under the lock: the child of a fork goes by it */
        lido__lease_mark(leases, *claimed, (uint32_t)lido__thread_id());
    lido__unlock(&leases->lock);
    if (*claimed == LIDO__NO_SLOT)
        return no_memory ? LIDO_ERR_NO_MEMORY : status;
    return LIDO_OK;
}

uint32_t lido__lease_claim_idle(struct lido__leases *leases, uint64_t above) {
    uint32_t slot = LIDO__NO_SLOT;
    lido__lock(&leases->lock);
    empty_own(leases, lido__lease_store_of(leases));
    if (leases->existing > above && leases->idle_count == 0 && lido__lease_shelved(leases) > 0)
        (void)lido__lease_gather(leases);
    if (leases->existing > above)
        slot = pop_idle(leases);
    if (slot != LIDO__NO_SLOT)
        lido__lease_mark(leases, slot, (uint32_t)lido__thread_id());
    lido__leases_unlock_and_wake(leases); /* shelves were emptied */
    return slot;
}

uint32_t lido__lease_claim_instead(struct lido__leases *leases, uint32_t slot) {
    lido__lock(&leases->lock);
    empty_own(leases, lido__lease_store_of(leases));
    uint32_t other = pop_idle(leases);
    if (other != LIDO__NO_SLOT) {
        make_vacant(leases, slot);
        slot = other;
        lido__lease_mark(leases, slot, (uint32_t)lido__thread_id());
    }
    lido__leases_unlock_and_wake(leases);
    return slot;
}

bool lido__lease_put(struct lido__leases *leases, uint32_t slot) {
    struct lido__lease_store *store = lido__lease_store_of(leases);
    lido__lock(&leases->lock);
    if (lido__lease_note_back(leases, slot) || leases->existing > leases->limit) {
        lido__unlock(&leases->lock);
        return false;
    }
    restore_shelf(leases, store);
    lay_idle(leases, slot);
    lido__leases_unlock_and_wake(leases);
    return true;
}

/* Moves what a shelf has beyond half of what it may keep to the idle set: all in the shared regime;
 * in the private one, so that a burst pays one lock for half a shelf. What is above the limit, which
 * was lowered while nobody could reach this shelf, ends. */
static void unload(struct lido__leases *leases, struct lido__lease_store *store) {
    uint32_t keep = lido__load(&leases->keep, relaxed);
    uint32_t count = lido__load(&store->shelf.count, relaxed); /* own, under the lock */
    if (lido__load(&store->gate.store, relaxed) != &store->shelf)
        return;
    uint64_t surplus = leases->existing > leases->limit ? leases->existing - leases->limit : 0;
    for (uint32_t left = keep > 1 ? keep / 2 : keep; count > left; count--) {
        uint32_t slot = lido__slot_number(store->shelf.item[count - 1]);
        if (surplus > 0 && !lido__lease_is_retired(leases, slot)) {
            lay_to_end(leases, slot);
            surplus--;
        } else
            lido__lease_lay_free(leases, slot);
    }
    lido__store(&store->shelf.count, count, relaxed);
}

bool lido__lease_empty_own(struct lido__leases *leases, struct lido__lease_store *store) {
    lido__lock(&leases->lock);
    unload(leases, store);
    bool is_any_to_end = lido__load(&leases->ending, relaxed) != LIDO__NO_SLOT; /* under the lock */
    lido__leases_unlock_and_wake(leases);
    return is_any_to_end;
}

void lido__lease_vacate(struct lido__leases *leases, uint32_t slot) {
    lido__lock(&leases->lock);
    make_vacant(leases, slot);
    lido__leases_unlock_and_wake(leases);
    if (leases->budget && !lido__request_is_forbidden()) /* else who forbade it sees to that */
        lido__budget_wake(leases->budget);
}

void lido__lease_abandon(struct lido__leases *leases, uint32_t slot) {
    struct lido__slot *at = lido__slot_at(leases, slot);
    bool had_object = lido__load(&at->object, relaxed) != NULL; /* claimed */
    lido__store(&at->object, NULL, relaxed);
    lido__lock(&leases->lock);
    leases->count.lost += had_object;
    lido__unlock(&leases->lock);
    lido__lease_vacate(leases, slot);
}

/* ---- Stores ------------------------------------------------------------------------------ */

static void link_store(struct lido__leases *leases, struct lido__lease_store *store) {
    store->next_of_pool = leases->stores;
    store->link_of_pool = &leases->stores;
    if (leases->stores)
        leases->stores->link_of_pool = &store->next_of_pool;
    leases->stores = store;
    leases->store_count++;
}

/* What leave gave back may be a request's, here or in another pool of the budget. */
static void tell_requests(struct lido__lease_store *store) {
    struct lido__visit visit = {0};
    if (store->tells_id == 0 || !lido__visit_begin(store->tells_id, &visit))
        return;
    lido__lock(&store->leases->lock);
    lido__leases_unlock_and_wake(store->leases);
    if (store->leases->budget)
        lido__budget_wake(store->leases->budget);
    lido__visit_end(&visit);
}

/* A thread ends, or was not taken along by a fork: what it kept is for all. */
static void leave(struct lido__near *near, enum lido__near_end end) {
    struct lido__lease_store *store = (struct lido__lease_store *)(void *)near;
    struct lido__leases *leases = store->leases;
    bool vanished = end == LIDO__NEAR_VANISHED;
    if (end == LIDO__NEAR_LEFT) {
        tell_requests(store);
        return;
    }
    bool was_forbidden = lido__request_forbid(true); /* near's lock is held around this */
    if (!vanished) /* else the child has given up what vanished threads had claimed */
        lido__callback_end_all(store);
    lido__lock(&leases->lock);
    if (vanished)
        (void)lido__gate_adopt(&store->gate, &lido__shelf_empty);
    else
        (void)lido__gate_close(&store->gate, &lido__shelf_empty);
    empty_shelf(leases, &store->shelf);
    leases->count.acquired += lido__load(&store->acquired, relaxed); /* its thread has ended */
    leases->count.released += lido__load(&store->released, relaxed);
    leases->count.discarded += lido__load(&store->discarded, relaxed);
    *store->link_of_pool = store->next_of_pool;
    if (store->next_of_pool)
        store->next_of_pool->link_of_pool = store->link_of_pool;
    leases->store_count--;
    adjust_keep(leases);
    store->tells_id = leases->waiting > 0 || leases->budget ? leases->id : 0;
    lido__leases_unlock_and_wake(leases);
    (void)lido__request_forbid(was_forbidden);
}

struct lido__lease_store *lido__lease_store_find(struct lido__leases *leases) {
    return (struct lido__lease_store *)(void *)lido__near_find(leases->id, leases);
}

bool lido__lease_recall(struct lido__leases *leases) {
    struct lido__lease_store *store = lido__lease_store_of(leases);
    if (!store || &store->near == lido__near_lease)
        return false;
    lido__near_lease = &store->near;
    return true;
}

struct lido__lease_store *lido__lease_store_make(struct lido__leases *leases) {
    struct lido__thread *thread = lido__thread();
    struct lido__near *near = thread ? lido__near_find(leases->id, leases) : NULL;
    if (near || !thread)
        return (struct lido__lease_store *)(void *)near;
    struct lido__lease_store *store = lido__sys.alloc(sizeof *store, 64);
    if (!store)
        return NULL;
    memset(store, 0, sizeof *store);
    store->leases = leases;
    store->shelf.room = LIDO__SHELF_SLOTS;
    for (int i = 0; i < LIDO__SHELF_SLOTS; i++)
        store->shelf.item[i] = &no_slot;
    store->thread_id = (uint32_t)thread->id;
    store->slow_only = leases->slow_only;
    store->near.leave = leave;
    lido__gate_init(&store->gate, &lido__shelf_empty);
    lido__lock(&lido__near_lock);
    lido__near_hang(leases->id, &store->near, leases);
    if (!leases->slow_release)
        lido__store(&store->near.open, leases,
                    relaxed); /* read by this thread, or under the lock */
    lido__near_lease = &store->near;
    lido__lock(&leases->lock);
    link_store(leases, store);
    leases->is_fenced |= lido__gate_lacks_fence(&store->gate);
    adjust_keep(leases);
    restore_shelf(leases, store);
    lido__unlock(&leases->lock);
    lido__unlock(&lido__near_lock);
    return store;
}

void lido__leases_collect(struct lido__leases *leases) {
    lido__lock(&leases->lock);
    for (struct lido__lease_store *store = leases->stores; store; store = store->next_of_pool)
        if (lido__gate_adopt(&store->gate, &lido__shelf_empty) != &lido__shelf_empty)
            empty_shelf(leases, &store->shelf);
    lido__unlock(&leases->lock);
}

/* With the lock held: what is out now. Released is read first, so that live is never below the
 * truth by what ran between the two. Relaxed: exact at rest. */
static struct lido__lease_sums sum_up(struct lido__leases *leases) {
    struct lido__lease_sums sums = {.acquired = leases->count.acquired,
                                    .released = leases->count.released,
                                    .discarded = leases->count.discarded};
    for (struct lido__lease_store *store = leases->stores; store; store = store->next_of_pool) {
        sums.released += lido__load(&store->released, relaxed);
        sums.discarded += lido__load(&store->discarded, relaxed);
        sums.acquired += lido__load(&store->acquired, relaxed);
    }
    sums.requests = leases->served + leases->waiting + leases->looking;
    sums.idle = leases->idle_count + lido__lease_shelved(leases);
    sums.retired = leases->count.retired;
    uint64_t ended = sums.released + sums.discarded + leases->count.lost_leases + sums.retired;
    sums.live = sums.acquired > ended ? sums.acquired - ended : 0;
    sums.existing = leases->existing;
    if (sums.live > sums.existing - leases->idle_count) /* surely too many */
        sums.live = sums.existing - leases->idle_count;
    if (sums.live > leases->count.live_peak)
        leases->count.live_peak = sums.live;
    return sums;
}

/* After a slow hand-out. While as many were out as exist, there is nothing new to see. */
void lido__lease_note_peak(struct lido__leases *leases) {
    lido__lock(&leases->lock);
    if (leases->existing > leases->count.live_peak)
        (void)sum_up(leases);
    lido__unlock(&leases->lock);
}

struct lido__lease_sums lido__lease_sum(struct lido__leases *leases) {
    lido__lock(&leases->lock);
    struct lido__lease_sums sums = sum_up(leases);
    lido__unlock(&leases->lock);
    return sums;
}

/* ---- fork -------------------------------------------------------------------------------- */

/* fork() copies page by page while other threads go on, so what they did without the lock may be
 * half there: a slot may stand on two of their shelves, or on one and be held. The lists and this
 * thread's own leases are whole. What is not surely free or surely ours is given up. */

static bool is_ours(struct lido__slot *at, uint32_t parent) {
    return lido__load(&at->thread_id, relaxed) == parent; /* one thread is left: order is moot */
}

/* What is in a list is free, whoever had it last. */
static void mark_list(struct lido__leases *leases, uint32_t slot) {
    while (slot != LIDO__NO_SLOT) {
        lido__lease_mark(leases, slot, LIDO__NO_THREAD);
        slot = lido__load(&lido__slot_at(leases, slot)->tick, relaxed);
    }
}

/* Claimed under the lock, so all of it is here; a request has no thread that could be missing. */
static bool is_kept(struct lido__slot *at) {
    return lido__load(&at->thread_id, relaxed) == LIDO__OF_REQUEST;
}

static void adopt_shelf(struct lido__leases *leases, struct lido__shelf *shelf, uint32_t parent) {
    uint32_t count = lido__load(&shelf->count, relaxed);
    for (uint32_t i = 0; i < count && i < LIDO__SHELF_SLOTS; i++) {
        struct lido__slot *at = shelf->item[i]; /* a slot, if perhaps an older one, or NULL */
        if (!at || is_ours(at, parent) || is_kept(at) || !lido__load(&at->object, relaxed) ||
            (lido__turn_of(lido__load(&at->name, relaxed)) & 1) ||
            lido__load(&at->thread_id, relaxed) == LIDO__NO_THREAD)
            continue;
        lido__store(&at->thread_id, LIDO__NO_THREAD, relaxed);
        lido__lease_lay_free(leases, lido__slot_number(at));
    }
    lido__store(&shelf->count, 0, relaxed);
}

static void give_up(struct lido__leases *leases, uint32_t slot) {
    struct lido__slot *at = lido__slot_at(leases, slot);
    uint64_t name = lido__load(&at->name, relaxed);
    lido__store(&at->name, name + (name & LIDO__NEXT_TURN), relaxed);
    if (lido__load(&at->object, relaxed))
        leases->count.lost++;
    lido__store(&at->object, NULL, relaxed);
    make_vacant(leases, slot);
}

/* Counters of other threads may be off by what they were at: what cannot be accounted for was a
 * lease that is lost. `live` are those that are out, retired or not. */
static void settle_counts(struct lido__leases *leases, uint64_t live) {
    uint64_t acquired = leases->count.acquired;
    uint64_t ended = leases->count.released + leases->count.discarded;
    for (struct lido__lease_store *store = leases->stores; store; store = store->next_of_pool) {
        acquired += lido__load(&store->acquired, relaxed);
        ended += lido__load(&store->released, relaxed);
        ended += lido__load(&store->discarded, relaxed);
    }
    if (acquired < ended + live)
        leases->count.acquired += ended + live - acquired;
    leases->count.lost_leases = acquired > ended + live ? acquired - ended - live : 0;
}

void lido__leases_in_child(struct lido__leases *leases, uint64_t parent_id) {
    uint32_t parent = (uint32_t)parent_id, self = (uint32_t)lido__sys.thread_id();
    uint64_t live = 0;
    for (struct lido__lease_store *store = leases->stores; store; store = store->next_of_pool)
        if (store->thread_id == parent)
            empty_own(leases, store);
    mark_list(leases, leases->idle);
    mark_list(leases, leases->vacant);
    mark_list(leases, lido__load(&leases->ending, relaxed));
    for (struct lido__lease_store *store = leases->stores; store; store = store->next_of_pool) {
        if (store->thread_id == parent)
            store->thread_id = self;
        else if (lido__gate_adopt(&store->gate, &lido__shelf_empty) != &lido__shelf_empty)
            adopt_shelf(leases, &store->shelf, parent);
    }
    for (uint32_t slot = 0; slot < lido__slot_bound(leases); slot++) {
        struct lido__slot *at = lido__slot_at(leases, slot);
        if (lido__load(&at->thread_id, relaxed) == LIDO__NO_THREAD || is_kept(at))
            continue;
        if (!is_ours(at, parent)) {
            give_up(leases, slot);
            continue;
        }
        lido__lease_mark(leases, slot, self);
        live += lido__turn_of(lido__load(&at->name, relaxed)) & 1;
    }
    settle_counts(leases, live);
    lido__leases_forget_waiters(leases);
    lido__unlock(&leases->lock);
}
