/* SPDX-License-Identifier: MIT
 * The pool as a table of slots. A slot is in one state at a time, and whoever moved it out of a
 * list owns it until the next move:
 *
 *        +--------- vacant <-----------------------+
 *        | claim        ^                          |
 *        v              | create failed            | destroyed
 *     claimed ----------+                          |
 *        ^  | created / validated                  |
 *  claim |  v                  release             |
 *        | held ----------------------> claimed ---+
 *        |                                 | reset
 *        +------------- idle <-------------+
 *
 *   I1  existing = slots that are not vacant <= limit (unless the limit was lowered)
 *   I2  live = slots that are held
 *   I3  while a waiter waits, no slot is idle and existing >= limit: whatever becomes free is
 *       claimed for the oldest waiter at once, under the same lock
 *   I4  a slot's turn counts how often it was handed out; a lease is good while its turn is the
 *       slot's, the slot is held, and the object is the slot's
 *
 * One lock guards all of it; callbacks, waking and waiting happen without it. A waiter that timed
 * out but was served in that moment keeps what it got. */
#include "base/atomic.h"
#include "base/fork.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "base/thread.h"
#include "registry/registry.h"

#include <lido/object_pool.h>

#include <string.h>

enum { OBJECT_LIMIT_MAX = 1 << 20 };
#define NO_SLOT UINT32_MAX

enum state { VACANT, CLAIMED, IDLE, HELD };

struct slot {
    void *object; /* NULL: none, or not yet */
    const char *site;
    uint64_t since_ns;  /* held since, by the coarse clock */
    uint64_t thread_id; /* who holds or claims it */
    uint32_t turn;
    uint32_t next; /* in the vacant or idle list */
    enum state state;
};

enum { WAITING = 0, SERVED = 1, TURNED_AWAY = 2 };

/* On the waiting thread's stack. The word is written under the lock, and last. */
struct waiter {
    struct waiter *next;
    uint64_t thread_id;
    uint32_t slot; /* what it was served */
    _Atomic uint32_t word;
};

struct lido_object_pool {
    struct lido__resource resource;
    lido_object_pool_options options;

    lido__mutex lock; /* guards what follows */
    struct slot *slots;
    uint32_t slot_capacity;
    uint32_t slot_count; /* slots ever used: those behind are not even initialised */
    uint32_t vacant, idle;
    uint64_t limit;
    struct waiter *first_waiter, **last_waiter;
    bool closed;
    _Atomic uint32_t closers;     /* changes when the last lease comes back to a closed pool */
    lido_object_pool_stats count; /* derived fields unused */
};

/* ---- Callbacks: never with the lock, never cancelled half-way --------------------------- */

enum callback { CREATE, VALIDATE, RESET, DESTROY };

static int call(struct lido_object_pool *pool, enum callback which, void **object) {
    static const char *const names[] = {"create", "validate", "reset", "destroy"};
    void *context = pool->options.context;
    int code = 0, cancel_state = 0;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    if (which == CREATE)
        code = pool->options.create(context, object);
    else if (which == VALIDATE && pool->options.validate)
        code = pool->options.validate(context, *object);
    else if (which == RESET && pool->options.reset)
        code = pool->options.reset(context, *object);
    else if (which == DESTROY && pool->options.destroy)
        pool->options.destroy(context, *object);
    (void)pthread_setcancelstate(cancel_state, NULL);
    if (code)
        LIDO__LOG(LIDO_LOG_WARNING, "object_pool.callback_failed",
                  {"pool", pool->resource.info.name, 0}, {"callback", names[which], 0},
                  {"code", NULL, code});
    return code;
}

/* ---- Slots, with the lock held ---------------------------------------------------------- */

static uint32_t pop(struct lido_object_pool *pool, uint32_t *list) {
    uint32_t slot = *list;
    if (slot != NO_SLOT)
        *list = pool->slots[slot].next;
    return slot;
}

static void push(struct lido_object_pool *pool, uint32_t *list, uint32_t slot, enum state state) {
    pool->slots[slot].state = state;
    pool->slots[slot].next = *list;
    *list = slot;
}

static void set_claimed(struct lido_object_pool *pool, uint32_t slot, uint64_t thread_id) {
    pool->slots[slot].state = CLAIMED;
    pool->slots[slot].thread_id = thread_id;
}

/* A slot without an object, to build one in; NO_SLOT at the limit. */
static uint32_t claim_vacant(struct lido_object_pool *pool, uint64_t thread_id) {
    if (pool->count.existing >= pool->limit)
        return NO_SLOT;
    uint32_t slot = pop(pool, &pool->vacant);
    if (slot == NO_SLOT) {
        slot = pool->slot_count++;
        memset(&pool->slots[slot], 0, sizeof pool->slots[slot]);
    }
    pool->count.existing++;
    set_claimed(pool, slot, thread_id);
    return slot;
}

/* The object that was idle for the shortest time, else a slot to build one in. */
static uint32_t claim(struct lido_object_pool *pool, uint64_t thread_id) {
    uint32_t slot = pop(pool, &pool->idle);
    if (slot == NO_SLOT)
        return claim_vacant(pool, thread_id);
    pool->count.idle--;
    set_claimed(pool, slot, thread_id);
    return slot;
}

static void vacate(struct lido_object_pool *pool, uint32_t slot) {
    pool->slots[slot].object = NULL;
    pool->count.existing--;
    push(pool, &pool->vacant, slot, VACANT);
}

static void lay_idle(struct lido_object_pool *pool, uint32_t slot) {
    pool->count.idle++;
    push(pool, &pool->idle, slot, IDLE);
}

/* Claims for the oldest waiter what is free. Returns its word, to be woken without the lock. */
static _Atomic uint32_t *serve(struct lido_object_pool *pool) {
    struct waiter *waiter = pool->first_waiter;
    uint32_t slot = waiter ? claim(pool, waiter->thread_id) : NO_SLOT;
    if (slot == NO_SLOT)
        return NULL;
    pool->first_waiter = waiter->next;
    if (!pool->first_waiter)
        pool->last_waiter = &pool->first_waiter;
    pool->count.waiting--;
    waiter->slot = slot;
    /* Pairs with the acquire in wait_for_slot: the slot before the word. The lock orders it too,
     * but the waiter looks at the word without it. */
    lido__store(&waiter->word, SERVED, release);
    return &waiter->word;
}

/* Nothing is out, and no call has a slot in hand. */
static bool is_at_rest(const struct lido_object_pool *pool) {
    return pool->count.existing == pool->count.idle;
}

/* Called with the lock, returns without: serves one waiter and tells who waits for the last. */
static void unlock_and_wake(struct lido_object_pool *pool) {
    _Atomic uint32_t *served = serve(pool);
    bool is_quiet = pool->closed && is_at_rest(pool);
    if (is_quiet)
        (void)lido__add(&pool->closers, 1, relaxed); /* under the lock; park compares it */
    lido__unlock(&pool->lock);
    if (served)
        lido__sys.unpark(served, 1);
    if (is_quiet)
        lido__sys.unpark(&pool->closers, INT32_MAX);
}

/* ---- Who holds what --------------------------------------------------------------------- */

enum { SITES = 8 };

/* Held objects by line; lines beyond the first eight count as elsewhere. */
struct summary {
    const char *site;
    uint64_t count, thread_id, since_ns;
};

static void sum_up(const struct lido_object_pool *pool, struct summary sites[SITES]) {
    for (uint32_t i = 0; i < pool->slot_count; i++) {
        const struct slot *slot = &pool->slots[i];
        int at = 0;
        if (slot->state != HELD)
            continue;
        while (at < SITES - 1 && sites[at].count && sites[at].site != slot->site)
            at++;
        if (sites[at].count++ == 0 || slot->since_ns < sites[at].since_ns) {
            sites[at].site = slot->site;
            sites[at].thread_id = slot->thread_id;
            sites[at].since_ns = slot->since_ns;
        }
    }
}

/* Fails, and says where most of what is out was acquired. Called without the lock. */
static lido_status fail_with_holders(struct lido_object_pool *pool, lido_status status,
                                     const char *format) {
    struct summary sites[SITES] = {{0}};
    int most = 0, second = 1;
    lido__lock(&pool->lock);
    uint64_t live = pool->count.live, limit = pool->limit;
    sum_up(pool, sites);
    lido__unlock(&pool->lock);
    for (int i = 0; i < SITES; i++)
        if (sites[i].count > sites[most].count)
            most = i;
    second = most == 0 ? 1 : 0;
    for (int i = 0; i < SITES; i++)
        if (i != most && sites[i].count > sites[second].count)
            second = i;
    uint64_t now_ns = lido__sys.coarse_ns();
    uint64_t age_ns = now_ns > sites[most].since_ns ? now_ns - sites[most].since_ns : 0;
    return LIDO__FAIL(status, format,
                      .word = {pool->resource.info.name, live ? sites[most].site : "nowhere",
                               sites[second].count ? sites[second].site : "other lines"},
                      .number = {live, limit, sites[most].count, live ? sites[most].thread_id : 0,
                                 live ? age_ns : 0, sites[second].count});
}

#define HOLDERS                                                                                    \
    "objects out: %u of %u; acquired at %s: %u (longest by thread %u, for %t); at %s: %u"

bool lido_object_pool_next_holder(const lido_object_pool *constant, uint64_t first,
                                  lido_object_pool_holder *holder) {
    lido_object_pool *pool = (lido_object_pool *)(uintptr_t)constant;
    lido_object_pool_holder found = {.struct_size = sizeof found};
    bool is_found = false;
    uint64_t since_ns = 0;
    lido__lock(&pool->lock);
    for (uint64_t i = first; i < pool->slot_count && !is_found; i++) {
        const struct slot *slot = &pool->slots[i];
        if (slot->state != HELD)
            continue;
        found.slot = i;
        found.thread_id = slot->thread_id;
        found.object = slot->object;
        found.site = slot->site;
        since_ns = slot->since_ns;
        is_found = true;
    }
    lido__unlock(&pool->lock);
    uint64_t now_ns = lido__sys.coarse_ns();
    found.held_ns = now_ns > since_ns ? now_ns - since_ns : 0;
    return is_found &&
           lido__figures_write(holder, &found, sizeof found, "lido_object_pool_holder") == LIDO_OK;
}

/* ---- Life of a pool --------------------------------------------------------------------- */

static struct lido_object_pool *of(struct lido__resource *resource) {
    return (struct lido_object_pool *)(void *)resource;
}

static void kind_lock(struct lido__resource *resource) {
    lido__lock(&of(resource)->lock);
}

static void kind_unlock(struct lido__resource *resource) {
    lido__unlock(&of(resource)->lock);
}

/* What other threads held or worked on is lost here: it may be half-way through a change. What
 * the forking thread has stays its own, under the id it now has. */
static void kind_in_child(struct lido__resource *resource) {
    struct lido_object_pool *pool = of(resource);
    for (uint32_t i = 0; i < pool->slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->state != HELD && slot->state != CLAIMED)
            continue;
        if (slot->thread_id == lido__fork_parent_id()) {
            slot->thread_id = lido__sys.thread_id();
            continue;
        }
        if (slot->state == HELD)
            pool->count.live--;
        if (slot->object || slot->state == HELD)
            pool->count.lost++;
        vacate(pool, i);
    }
    pool->first_waiter = NULL;
    pool->last_waiter = &pool->first_waiter;
    pool->count.waiting = 0;
    lido__unlock(&pool->lock);
}

static const struct lido__kind kind = {
    .name = "object_pool", .lock = kind_lock, .unlock = kind_unlock, .in_child = kind_in_child};

static lido_status check(const lido_object_pool_options *options) {
    const char *name = options->name ? options->name : "unnamed";
    if (options->object_limit < 1 || options->object_limit > OBJECT_LIMIT_MAX)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "object_pool \"%s\": object_limit is %u, must be 1 to %u", .word = {name},
                          .number = {options->object_limit, OBJECT_LIMIT_MAX});
    if (!options->create)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT, "object_pool \"%s\": create is NULL, a pool needs it",
                          .word = {name});
    return LIDO_OK;
}

static struct slot *make_slots(uint64_t limit) {
    return lido__sys.alloc((size_t)limit * sizeof(struct slot), _Alignof(struct slot));
}

lido_status lido_object_pool_create_at(const lido_object_pool_options *given,
                                       lido_object_pool **made, const char *site) {
    lido_object_pool_options options;
    *made = NULL;
    lido_status status =
        lido__options_read(given, &options, sizeof options, "lido_object_pool_options");
    if (status == LIDO_OK)
        status = check(&options);
    if (status != LIDO_OK)
        return status;
    struct lido_object_pool *pool =
        lido__sys.alloc(sizeof *pool, _Alignof(struct lido_object_pool));
    struct slot *slots = pool ? make_slots(options.object_limit) : NULL;
    if (!slots) {
        lido__sys.free(pool);
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "object_pool \"%s\": no memory for its %u slots",
                          .word = {options.name}, .number = {options.object_limit});
    }
    memset(pool, 0, sizeof *pool);
    lido__mutex_init(&pool->lock);
    pool->slots = slots;
    pool->slot_capacity = (uint32_t)options.object_limit;
    pool->vacant = pool->idle = NO_SLOT;
    pool->limit = options.object_limit;
    pool->last_waiter = &pool->first_waiter;
    pool->options = options;
    pool->options.name = pool->options.owner = NULL; /* the registry has copies */
    status = lido__resource_name(&pool->resource, &kind, options.name, options.owner);
    if (status == LIDO_OK)
        status = lido__resource_insert(&pool->resource, site);
    if (status != LIDO_OK) {
        lido__sys.free(slots);
        lido__sys.free(pool);
        return status;
    }
    LIDO__LOG(LIDO_LOG_DEBUG, "object_pool.created", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    *made = pool;
    return LIDO_OK;
}

static lido_status fail_closed(const struct lido_object_pool *pool) {
    return LIDO__FAIL(LIDO_ERR_CLOSED, "object_pool \"%s\": it was closed and hands out no more",
                      .word = {pool->resource.info.name});
}

/* ---- Building --------------------------------------------------------------------------- */

/* Builds an object in a claimed slot. On failure the slot is vacant again. */
static lido_status build(struct lido_object_pool *pool, uint32_t slot, void **object) {
    *object = NULL;
    int code = call(pool, CREATE, object);
    lido__lock(&pool->lock);
    if (code == 0 && *object) {
        pool->count.created++;
        pool->slots[slot].object = *object;
        lido__unlock(&pool->lock);
        return LIDO_OK;
    }
    pool->count.create_failed++;
    vacate(pool, slot);
    unlock_and_wake(pool);
    return LIDO__FAIL(
        LIDO_ERR_CALLBACK,
        "object_pool \"%s\": its create callback failed with code %d (0: it made no object)",
        .word = {pool->resource.info.name}, .number = {(uint64_t)(int64_t)code});
}

/* Ends the object of a claimed slot; the slot stays claimed. */
static void end_object(struct lido_object_pool *pool, uint32_t slot, void *object) {
    (void)call(pool, DESTROY, &object);
    lido__lock(&pool->lock);
    pool->slots[slot].object = NULL;
    pool->count.destroyed++;
    lido__unlock(&pool->lock);
}

lido_status lido_object_pool_prepare(lido_object_pool *pool, uint64_t count) {
    uint64_t thread_id = lido__thread_id();
    void *object = NULL;
    for (;;) {
        lido__lock(&pool->lock);
        uint64_t limit = pool->limit;
        bool is_closed = pool->closed;
        bool is_done = is_closed || count > limit || pool->count.existing >= count;
        uint32_t slot = is_done ? NO_SLOT : claim_vacant(pool, thread_id);
        lido__unlock(&pool->lock);
        if (count > limit)
            return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                              "object_pool \"%s\": count is %u, must not be above object_limit %u",
                              .word = {pool->resource.info.name}, .number = {count, limit});
        if (is_closed)
            return fail_closed(pool);
        if (slot == NO_SLOT)
            return LIDO_OK;
        lido_status status = build(pool, slot, &object);
        if (status != LIDO_OK)
            return status;
        lido__lock(&pool->lock);
        lay_idle(pool, slot);
        unlock_and_wake(pool);
    }
}

/* ---- Acquire ---------------------------------------------------------------------------- */

/* From a claimed slot to a lease: a good object, or a new one. */
static lido_status hand_out(struct lido_object_pool *pool, uint32_t slot, lido_lease *lease,
                            const char *site) {
    lido__lock(&pool->lock);
    void *object = pool->slots[slot].object;
    lido__unlock(&pool->lock);
    while (object && pool->options.validate && call(pool, VALIDATE, &object) != 0) {
        end_object(pool, slot, object);
        lido__lock(&pool->lock);
        pool->count.validate_failed++;
        uint32_t other = pop(pool, &pool->idle);
        if (other != NO_SLOT) {
            pool->count.idle--;
            set_claimed(pool, other, pool->slots[slot].thread_id);
            vacate(pool, slot);
            slot = other;
        }
        object = pool->slots[slot].object;
        lido__unlock(&pool->lock);
    }
    if (!object) {
        lido_status status = build(pool, slot, &object);
        if (status != LIDO_OK)
            return status;
    }
    lido__lock(&pool->lock);
    struct slot *held = &pool->slots[slot];
    held->state = HELD;
    held->site = site;
    held->since_ns = lido__sys.coarse_ns();
    held->turn++;
    *lease = (lido_lease){.object = object, .slot = slot, .turn = held->turn};
    pool->count.acquired++;
    if (++pool->count.live > pool->count.live_peak)
        pool->count.live_peak = pool->count.live;
    lido__unlock(&pool->lock);
    return LIDO_OK;
}

/* With the lock held. */
static void leave_queue(struct lido_object_pool *pool, struct waiter *waiter) {
    struct waiter **at = &pool->first_waiter;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    if (pool->last_waiter == &waiter->next)
        pool->last_waiter = at;
    pool->count.waiting--;
}

static void count_wait(struct lido_object_pool *pool, uint64_t start_ns, uint64_t end_ns) {
    uint64_t waited_ns = end_ns > start_ns ? end_ns - start_ns : 0;
    pool->count.wait_total_ns += waited_ns;
    if (waited_ns > pool->count.wait_max_ns)
        pool->count.wait_max_ns = waited_ns;
}

/* Called with the lock, returns without: waits for a claimed slot. */
static uint32_t wait_for_slot(struct lido_object_pool *pool, struct waiter *waiter,
                              uint64_t timeout_ns, uint64_t deadline_ns) {
    uint64_t start_ns = lido__sys.now_ns();
    bool in_time = true;
    *pool->last_waiter = waiter;
    pool->last_waiter = &waiter->next;
    pool->count.waiting++;
    pool->count.waits++;
    lido__unlock(&pool->lock);
    if (timeout_ns < LIDO_FOREVER - start_ns)
        deadline_ns = start_ns + timeout_ns;
    /* Acquire: pairs with the release in serve. */
    while (in_time && lido__load(&waiter->word, acquire) == WAITING)
        in_time = lido__sys.park(&waiter->word, WAITING, deadline_ns);
    uint64_t end_ns = lido__sys.now_ns();
    lido__lock(&pool->lock);
    count_wait(pool, start_ns, end_ns);
    uint32_t outcome = lido__load(&waiter->word, relaxed); /* written under this lock */
    if (outcome == WAITING)
        leave_queue(pool, waiter);
    lido__unlock(&pool->lock);
    return outcome;
}

struct patience {
    uint64_t timeout_ns;  /* from the first wait on; LIDO_FOREVER: the deadline counts */
    uint64_t deadline_ns; /* LIDO_FOREVER: none */
    bool may_wait;
};

static lido_status fail_unserved(struct lido_object_pool *pool, lido_status status) {
    lido__lock(&pool->lock);
    pool->count.timeouts++;
    lido__unlock(&pool->lock);
    return fail_with_holders(pool, status,
                             "object_pool \"%s\": nothing free; " HOLDERS
                             "; hold them for a shorter time or raise object_limit");
}

static lido_status acquire(struct lido_object_pool *pool, struct patience patience,
                           lido_lease *lease, const char *site) {
    struct waiter waiter = {.thread_id = lido__thread_id(), .slot = NO_SLOT};
    *lease = (lido_lease){.object = NULL};
    lido__lock(&pool->lock);
    bool is_closed = pool->closed;
    uint32_t slot = is_closed ? NO_SLOT : claim(pool, waiter.thread_id);
    bool is_crowded =
        pool->options.waiter_limit && pool->count.waiting >= pool->options.waiter_limit;
    uint32_t outcome = SERVED;
    if (slot == NO_SLOT && !is_closed && patience.may_wait && !is_crowded) {
        outcome = wait_for_slot(pool, &waiter, patience.timeout_ns, patience.deadline_ns);
        slot = waiter.slot;
    } else
        lido__unlock(&pool->lock);
    if (slot != NO_SLOT)
        return hand_out(pool, slot, lease, site);
    if (is_closed || outcome == TURNED_AWAY)
        return fail_closed(pool);
    if (!patience.may_wait)
        return fail_unserved(pool, patience.timeout_ns == 0 ? LIDO_ERR_TIMEOUT : LIDO_ERR_EMPTY);
    if (outcome == WAITING)
        return fail_unserved(pool, LIDO_ERR_TIMEOUT);
    return fail_with_holders(pool, LIDO_ERR_LIMIT,
                             "object_pool \"%s\": waiter_limit threads wait already; " HOLDERS);
}

lido_status lido_object_pool_acquire_at(lido_object_pool *pool, uint64_t timeout_ns,
                                        lido_lease *lease, const char *site) {
    return acquire(pool,
                   (struct patience){.timeout_ns = timeout_ns,
                                     .deadline_ns = LIDO_FOREVER,
                                     .may_wait = timeout_ns != 0},
                   lease, site);
}

lido_status lido_object_pool_acquire_until_at(lido_object_pool *pool, uint64_t deadline_ns,
                                              lido_lease *lease, const char *site) {
    return acquire(
        pool,
        (struct patience){.timeout_ns = LIDO_FOREVER, .deadline_ns = deadline_ns, .may_wait = true},
        lease, site);
}

lido_status lido_object_pool_try_acquire_at(lido_object_pool *pool, lido_lease *lease,
                                            const char *site) {
    return acquire(pool, (struct patience){.timeout_ns = LIDO_FOREVER, .may_wait = false}, lease,
                   site);
}

/* ---- Release ---------------------------------------------------------------------------- */

/* With the lock held: takes a good lease out of its holder's hands. */
static bool take_back(struct lido_object_pool *pool, const lido_lease *lease) {
    if (lease->slot >= pool->slot_count)
        return false;
    struct slot *slot = &pool->slots[lease->slot];
    if (slot->state != HELD || slot->turn != lease->turn || slot->object != lease->object)
        return false;
    pool->count.live--;
    return true;
}

static lido_status refuse(struct lido_object_pool *pool, const lido_lease *lease,
                          const char *site) {
    const char *why = "it is of another pool";
    const char *holder = "nobody";
    lido__lock(&pool->lock);
    pool->count.refused_release++;
    const struct slot *slot = lease->slot < pool->slot_count ? &pool->slots[lease->slot] : NULL;
    if (slot && lease->turn != 0 && lease->turn <= slot->turn)
        why = slot->state == HELD ? "stale: its object is out again"
                                  : "it was released before, or is of another pool";
    if (slot && slot->state == HELD)
        holder = slot->site;
    lido__unlock(&pool->lock);
    LIDO__LOG(LIDO_LOG_WARNING, "object_pool.release_refused",
              {"pool", pool->resource.info.name, 0}, {"why", why, 0},
              {"slot", NULL, (int64_t)lease->slot}, {"site", site ? site : "?", 0});
    return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                      "object_pool \"%s\": the lease of object %p (slot %u, turn %u) released at "
                      "%s is refused: %s; the slot is held by %s",
                      .word = {pool->resource.info.name, site, why, holder},
                      .number = {(uint64_t)(uintptr_t)lease->object, lease->slot, lease->turn});
}

/* Brings a claimed slot back: idle, or without its object when that is spoilt or one too many. */
static void bring_back(struct lido_object_pool *pool, uint32_t slot, void *object, bool is_good) {
    if (is_good && call(pool, RESET, &object) != 0) {
        is_good = false;
        lido__lock(&pool->lock);
        pool->count.reset_failed++;
        lido__unlock(&pool->lock);
    }
    lido__lock(&pool->lock);
    if (is_good && pool->count.existing <= pool->limit) {
        lay_idle(pool, slot);
        unlock_and_wake(pool);
        return;
    }
    lido__unlock(&pool->lock);
    end_object(pool, slot, object);
    lido__lock(&pool->lock);
    vacate(pool, slot);
    unlock_and_wake(pool);
}

static lido_status give_back(struct lido_object_pool *pool, lido_lease *lease, const char *site,
                             bool is_good) {
    if (!lease->object)
        return LIDO_OK;
    lido_lease copy = *lease;
    uint64_t thread_id = lido__thread_id();
    lido__lock(&pool->lock);
    bool is_held = take_back(pool, &copy);
    if (is_held) {
        set_claimed(pool, copy.slot, thread_id);
        (*(is_good ? &pool->count.released : &pool->count.discarded))++;
    }
    lido__unlock(&pool->lock);
    if (!is_held)
        return refuse(pool, &copy, site);
    lease->object = NULL;
    bring_back(pool, copy.slot, copy.object, is_good);
    return LIDO_OK;
}

lido_status lido_object_pool_release_at(lido_object_pool *pool, lido_lease *lease,
                                        const char *site) {
    return give_back(pool, lease, site, true);
}

lido_status lido_object_pool_discard_at(lido_object_pool *pool, lido_lease *lease,
                                        const char *site) {
    return give_back(pool, lease, site, false);
}

/* ---- The end ---------------------------------------------------------------------------- */

/* With the lock held, leaves it: all waiters get CLOSED. Nodes are gone once their word is set. */
static void turn_away_waiters(struct lido_object_pool *pool) {
    while (pool->first_waiter) {
        struct waiter *waiter = pool->first_waiter;
        _Atomic uint32_t *word = &waiter->word;
        pool->first_waiter = waiter->next;
        pool->count.waiting--;
        lido__store(word, TURNED_AWAY, release); /* pairs as in serve */
        lido__unlock(&pool->lock);
        lido__sys.unpark(word, 1);
        lido__lock(&pool->lock);
    }
    pool->last_waiter = &pool->first_waiter;
    lido__unlock(&pool->lock);
}

lido_status lido_object_pool_close(lido_object_pool *pool, uint64_t timeout_ns) {
    uint64_t start_ns = lido__sys.now_ns();
    uint64_t deadline_ns =
        timeout_ns < LIDO_FOREVER - start_ns ? start_ns + timeout_ns : LIDO_FOREVER;
    bool in_time = timeout_ns != 0;
    lido__lock(&pool->lock);
    pool->closed = true;
    turn_away_waiters(pool);
    for (;;) {
        lido__lock(&pool->lock);
        bool is_quiet = is_at_rest(pool);
        uint32_t seen = lido__load(&pool->closers, relaxed); /* changes under this lock */
        lido__unlock(&pool->lock);
        if (is_quiet)
            return LIDO_OK;
        if (!in_time)
            return fail_with_holders(pool, LIDO_ERR_BUSY, "object_pool \"%s\": closed; " HOLDERS);
        in_time = lido__sys.park(&pool->closers, seen, deadline_ns);
    }
}

uint64_t lido_object_pool_trim(lido_object_pool *pool, uint64_t keep_count) {
    uint64_t destroyed = 0, thread_id = lido__thread_id();
    for (;; destroyed++) {
        void *object = NULL;
        lido__lock(&pool->lock);
        uint32_t slot = pool->count.existing > keep_count ? pop(pool, &pool->idle) : NO_SLOT;
        if (slot != NO_SLOT) {
            pool->count.idle--;
            set_claimed(pool, slot, thread_id);
            object = pool->slots[slot].object;
        }
        lido__unlock(&pool->lock);
        if (slot == NO_SLOT)
            return destroyed;
        end_object(pool, slot, object);
        lido__lock(&pool->lock);
        vacate(pool, slot);
        unlock_and_wake(pool);
    }
}

lido_status lido_object_pool_destroy(lido_object_pool *pool) {
    if (!pool)
        return LIDO_OK;
    lido__lock(&pool->lock);
    uint64_t live = pool->count.live;
    lido__unlock(&pool->lock);
    if (live)
        return fail_with_holders(pool, LIDO_ERR_BUSY,
                                 "object_pool \"%s\": cannot be destroyed; " HOLDERS);
    (void)lido_object_pool_trim(pool, 0);
    lido__resource_remove(&pool->resource);
    LIDO__LOG(LIDO_LOG_DEBUG, "object_pool.destroyed", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    lido__sys.free(pool->slots);
    lido__sys.free(pool);
    return LIDO_OK;
}

/* ---- Watching and steering -------------------------------------------------------------- */

lido_status lido_object_pool_read_stats(const lido_object_pool *constant,
                                        lido_object_pool_stats *stats) {
    lido_object_pool *pool = (lido_object_pool *)(uintptr_t)constant;
    lido__lock(&pool->lock);
    lido_object_pool_stats s = pool->count;
    s.object_limit = pool->limit;
    s.overhead_bytes = sizeof *pool + pool->slot_capacity * sizeof(struct slot);
    lido__unlock(&pool->lock);
    s.reuse = s.acquired > s.created ? 1 - (double)s.created / (double)s.acquired
              : s.acquired           ? 0
                                     : 1;
    return lido__figures_write(stats, &s, sizeof s, "lido_object_pool_stats");
}

lido_status lido_object_pool_set_object_limit(lido_object_pool *pool, uint64_t object_limit) {
    if (object_limit < 1 || object_limit > OBJECT_LIMIT_MAX)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT, "object_pool \"%s\": object_limit is %u, must be 1 to %u",
            .word = {pool->resource.info.name}, .number = {object_limit, OBJECT_LIMIT_MAX});
    lido__lock(&pool->lock);
    bool fits = object_limit <= pool->slot_capacity; /* which never shrinks */
    lido__unlock(&pool->lock);
    struct slot *larger = fits ? NULL : make_slots(object_limit);
    if (!fits && !larger)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "object_pool \"%s\": no memory for %u slots",
                          .word = {pool->resource.info.name}, .number = {object_limit});
    lido__lock(&pool->lock);
    struct slot *unused = larger;
    if (object_limit > pool->slot_capacity) {
        unused = pool->slots;
        memcpy(larger, pool->slots, pool->slot_count * sizeof(struct slot));
        pool->slots = larger;
        pool->slot_capacity = (uint32_t)object_limit;
    }
    pool->limit = object_limit;
    lido__unlock(&pool->lock);
    lido__sys.free(unused);
    LIDO__LOG(LIDO_LOG_INFO, "object_pool.limit_set", {"pool", pool->resource.info.name, 0},
              {"object_limit", NULL, (int64_t)object_limit});
    (void)lido_object_pool_trim(pool, object_limit);
    for (bool is_served = true; is_served;) {
        lido__lock(&pool->lock);
        _Atomic uint32_t *served = serve(pool);
        lido__unlock(&pool->lock);
        is_served = served != NULL;
        if (served)
            lido__sys.unpark(served, 1);
    }
    return LIDO_OK;
}
