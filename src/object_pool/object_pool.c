/* SPDX-License-Identifier: MIT
 * An object pool: callbacks of the application around the lease engine, which hands out slots.
 *
 *        +--------- vacant <-----------------------+
 *        | claim        ^                          |
 *        v              | create failed            | destroyed
 *     claimed ----------+                          |
 *        ^  | created / validated                  |
 *  claim |  v                  release             |
 *        | held ----------------------> claimed ---+
 *        |                                 | reset
 *        +------- idle, on a shelf <-------+
 *
 * A claimed slot belongs to one thread, which runs a callback on its object without any lock. When
 * the callback does not come back (an exception, pthread_exit, cancellation) what lies in the frame
 * of call() ends the claim: the object is given up, and the slot is vacant for another. longjmp
 * runs nothing: src/lease/callbacks.c tells what is done about it. */
#include "object_pool/internal.h"

#include "base/fork.h"
#include "base/log.h"
#include "base/near.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "lease/sizing.h"

#include <lido/object_leases.h>

#include <string.h>

enum { ACQUIRES_PER_TICK = 64 };

/* ---- Callbacks: never with the lock ------------------------------------------------------- */

/* When the callback did not come back: its frame is being unwound. */
static void end_callback(struct lido__callback *callback) {
    if (!callback->leases)
        return;
    lido__callback_forget(callback);
    lido__lease_abandon(callback->leases, callback->slot);
}

enum callback { CREATE, VALIDATE, RESET, DESTROY };

/* Not inlined, and with room in its frame: so a callback at work is told from one that was left. */
static __attribute__((noinline, no_sanitize_address)) int
call(struct lido_object_pool *pool, enum callback which, uint32_t slot, void **object) {
    static const char *const names[] = {"create", "validate", "reset", "destroy"};
    const lido_object_pool_options *options = &pool->options;
    int code = 0;
    char room[LIDO__CALLBACK_ROOM];
    __asm__ volatile("" : : "r"(room) : "memory"); /* it is there, though nobody uses it */
    {
        struct lido__callback callback
            __attribute__((cleanup(end_callback))) = {.leases = &pool->leases, .slot = slot};
        lido__callback_note(&callback, (uintptr_t)__builtin_frame_address(0), names[which]);
        if (which == CREATE)
            code = options->create(options->context, object);
        else if (which == VALIDATE)
            code = options->validate(options->context, *object);
        else if (which == RESET)
            code = options->reset(options->context, *object);
        else if (options->destroy)
            options->destroy(options->context, *object);
        lido__callback_forget(&callback);
        callback.leases = NULL;
    }
    if (code)
        LIDO__LOG(LIDO_LOG_WARNING, "object_pool.callback_failed",
                  {"pool", pool->resource.info.name, 0}, {"callback", names[which], 0},
                  {"code", NULL, code});
    return code;
}

/* Under the lock, since several threads count. */
static void count_one(struct lido_object_pool *pool, uint64_t *counter) {
    lido__lock(&pool->leases.lock);
    (*counter)++;
    lido__unlock(&pool->leases.lock);
}

/* ---- Life of a pool --------------------------------------------------------------------- */

static struct lido_object_pool *of(struct lido__resource *resource) {
    return (struct lido_object_pool *)(void *)((char *)resource -
                                               offsetof(struct lido_object_pool, resource));
}

static void kind_lock(struct lido__resource *resource) {
    lido__lock(&of(resource)->leak_lock);
    lido__lock(&of(resource)->leases.lock);
}

static void kind_unlock(struct lido__resource *resource) {
    lido__unlock(&of(resource)->leases.lock);
    lido__unlock(&of(resource)->leak_lock);
}

static void kind_in_child(struct lido__resource *resource) {
    lido__leases_in_child(&of(resource)->leases, lido__fork_parent_id());
    lido__unlock(&of(resource)->leak_lock);
}

static const struct lido__kind kind = {
    .name = "object_pool", .lock = kind_lock, .unlock = kind_unlock, .in_child = kind_in_child};

static lido_status check(const lido_object_pool_options *options) {
    const char *name = options->name ? options->name : "unnamed";
    if (options->object_limit < 1 || options->object_limit > LIDO__OBJECT_LIMIT_MAX)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "object_pool \"%s\": object_limit is %u, must be 1 to %u", .word = {name},
                          .number = {options->object_limit, LIDO__OBJECT_LIMIT_MAX});
    if (options->order > LIDO_OBJECT_POOL_UNORDERED)
        return LIDO__FAIL(LIDO_ERR_UNSUPPORTED,
                          "object_pool \"%s\": order is %u, must be 0 to %u in this version",
                          .word = {name}, .number = {options->order, LIDO_OBJECT_POOL_UNORDERED});
    if (options->released_by > LIDO_OBJECT_POOL_RELEASED_BY_ACQUIRER)
        return LIDO__FAIL(LIDO_ERR_UNSUPPORTED,
                          "object_pool \"%s\": released_by is %u, must be 0 to %u in this version",
                          .word = {name},
                          .number = {options->released_by, LIDO_OBJECT_POOL_RELEASED_BY_ACQUIRER});
    if (options->overtake_limit > LIDO__OVERTAKE_LIMIT_MAX)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT, "object_pool \"%s\": overtake_limit is %u, must be 1 to %u",
            .word = {name}, .number = {options->overtake_limit, LIDO__OVERTAKE_LIMIT_MAX});
    if (!options->create)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT,
            "object_pool \"%s\": create is NULL, must be a function that builds an object",
            .word = {name});
    return LIDO_OK;
}

/* How often the first waiter may be passed. */
static uint32_t bypass_of(const lido_object_pool_options *options) {
    if (options->order == LIDO_OBJECT_POOL_STRICT)
        return 0;
    if (options->order == LIDO_OBJECT_POOL_UNORDERED)
        return UINT32_MAX;
    return (uint32_t)options->overtake_limit;
}

lido_status lido_object_pool_create_at(const lido_object_pool_options *given,
                                       lido_object_pool **made, const char *site) {
    lido_object_pool_options options;
    *made = NULL;
    lido_status status =
        lido__options_read(given, &options, sizeof options, "lido_object_pool_options");
    if (status == LIDO_OK)
        status = lido__object_pool_check_sizing(&options);
    if (status == LIDO_OK)
        status = check(&options);
    if (status == LIDO_OK)
        status = lido__near_prepare();
    if (status != LIDO_OK)
        return status;
    struct lido_object_pool *pool =
        lido__sys.alloc(sizeof *pool, _Alignof(struct lido_object_pool));
    if (!pool)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY,
                          "object_pool \"%s\": no memory for the pool itself, %u bytes; free some "
                          "memory and call again",
                          .word = {options.name ? options.name : "unnamed"},
                          .number = {sizeof *pool});
    memset(pool, 0, sizeof *pool);
    lido__leases_init(&pool->leases, options.object_limit);
    lido__mutex_init(&pool->leak_lock);
    pool->leases.waiter_limit = options.waiter_limit;
    if (!options.overtake_limit)
        options.overtake_limit = LIDO__OVERTAKE_LIMIT;
    pool->options = options;
    pool->resource.panel = &lido__object_pool_panel;
    pool->resource.context = pool;
    pool->leases.bypass = bypass_of(&options);
    pool->leases.slow_only = options.validate != NULL;
    pool->leases.slow_release = options.reset != NULL;
    pool->leases.is_by_acquirer = options.released_by == LIDO_OBJECT_POOL_RELEASED_BY_ACQUIRER;
    lido__store(&pool->leases.is_handed_on,
                options.released_by == LIDO_OBJECT_POOL_RELEASED_BY_ANYONE, relaxed);
    lido__object_pool_share(pool);
    pool->options.name = pool->options.owner = NULL; /* the registry has copies */
    status = lido__resource_name(&pool->resource, &kind, options.name, options.owner);
    if (status == LIDO_OK)
        status = lido__object_pool_start_sizing(pool);
    if (status == LIDO_OK)
        status = lido__resource_insert(&pool->resource, site);
    if (status != LIDO_OK) {
        lido__sys.free(pool->leases.sizing);
        lido__sys.free(pool);
        return status;
    }
    pool->leases.id = pool->member.resource_id = pool->resource.info.id;
    lido__budget_join(&pool->member);
    LIDO__LOG(LIDO_LOG_DEBUG, "object_pool.created", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    *made = pool;
    return LIDO_OK;
}

static lido_status fail_closed(const struct lido_object_pool *pool) {
    return LIDO__FAIL(LIDO_ERR_CLOSED,
                      "object_pool \"%s\": it was closed and hands out no more; destroy it, and "
                      "make another to go on",
                      .word = {pool->resource.info.name});
}

/* Inside a callback of this pool, or a notification: the call would wait for its own end. */
static const char *find_inside(struct lido_object_pool *pool) {
    const char *callback = lido__callback_settle(&pool->leases);
    return callback || !lido__request_is_notifying(&pool->leases) ? callback : "notify";
}

static lido_status fail_inside(lido_status status, const struct lido_object_pool *pool,
                               const char *call, const char *site, const char *callback) {
    return LIDO__FAIL(status,
                      "object_pool \"%s\": %s inside its own %s callback is refused, it could wait "
                      "for itself: %s; call it before or after",
                      .word = {pool->resource.info.name, call, callback, site});
}

/* ---- Building --------------------------------------------------------------------------- */

/* Builds an object in a claimed slot. On failure the slot is vacant again. */
static lido_status build(struct lido_object_pool *pool, uint32_t slot) {
    void *object = NULL;
    int code = call(pool, CREATE, slot, &object);
    if (code == 0 && object) {
        lido__store(&lido__slot_at(&pool->leases, slot)->object, object, relaxed); /* claimed */
        count_one(pool, &pool->count.created);
        return LIDO_OK;
    }
    count_one(pool, &pool->count.create_failed);
    lido__lease_vacate(&pool->leases, slot);
    return LIDO__FAIL(LIDO_ERR_CALLBACK,
                      "object_pool \"%s\": its create callback failed with code %d (0: it made no "
                      "object); call again when its cause is gone",
                      .word = {pool->resource.info.name}, .number = {(uint64_t)(int64_t)code});
}

/* Ends the object of a claimed slot; the slot stays claimed. */
static void end_object(struct lido_object_pool *pool, uint32_t slot) {
    struct lido__slot *at = lido__slot_at(&pool->leases, slot);
    void *object = lido__load(&at->object, relaxed); /* claimed */
    (void)call(pool, DESTROY, slot, &object);
    lido__store(&at->object, NULL, relaxed);
    count_one(pool, &pool->count.destroyed);
}

static lido_status fail_no_memory(const struct lido_object_pool *pool) {
    return LIDO__FAIL(LIDO_ERR_NO_MEMORY,
                      "object_pool \"%s\": no memory for more slots; free some memory, or wait for "
                      "an object that exists",
                      .word = {pool->resource.info.name});
}

/* Objects that came back and must not be handed out again: retired, or above the limit. */
static uint64_t end_returned(struct lido_object_pool *pool) {
    uint64_t destroyed = 0;
    uint32_t slot;
    while ((slot = lido__lease_claim_ending(&pool->leases)) != LIDO__NO_SLOT) {
        end_object(pool, slot);
        lido__lease_vacate(&pool->leases, slot);
        destroyed++;
    }
    return destroyed;
}

/* Gives a claimed slot back: to this thread's shelf, or to all. */
static void give(struct lido_object_pool *pool, struct lido__lease_store *store,
                 struct lido__slot *at) {
    struct lido__leases *leases = &pool->leases;
    enum lido__given given = store ? lido__lease_give(leases, store, at) : LIDO__NOT_GIVEN;
    if (given == LIDO__GIVEN_TOO_MUCH && lido__lease_empty_own(leases, store))
        (void)end_returned(pool);
    else if (given == LIDO__NOT_GIVEN && !lido__lease_put(leases, lido__slot_number(at))) {
        end_object(pool, lido__slot_number(at));
        lido__lease_vacate(leases, lido__slot_number(at));
    }
}

lido_status lido__object_pool_build_up(struct lido_object_pool *pool, uint64_t count,
                                       uint64_t *built) {
    lido_status status;
    uint32_t slot;
    while ((status = lido__lease_claim_vacant(&pool->leases, count, &slot)) == LIDO_OK) {
        status = build(pool, slot);
        if (status != LIDO_OK)
            return status;
        give(pool, NULL, lido__slot_at(&pool->leases, slot));
        ++*built;
    }
    if (status == LIDO_ERR_NO_MEMORY)
        return fail_no_memory(pool);
    if (status == LIDO_ERR_EMPTY)
        return LIDO__FAIL(LIDO_ERR_LIMIT,
                          "object_pool \"%s\": its budget has no room for another object; raise "
                          "limit_bytes or lower another pool's object_min",
                          .word = {pool->resource.info.name});
    return status == LIDO_ERR_LIMIT ? LIDO_OK : status;
}

lido_status lido_object_pool_prepare(lido_object_pool *pool, uint64_t count) {
    uint64_t built = 0;
    (void)lido__lease_store_make(&pool->leases); /* for the notes of callbacks */
    const char *callback = lido__callback_settle(&pool->leases);
    if (callback)
        return fail_inside(LIDO_ERR_DEADLOCK, pool, "prepare", "nothing was built", callback);
    lido__lock(&pool->leases.lock);
    uint64_t limit = pool->leases.limit_max;
    if (count <= limit)
        lido__sizing_raise(&pool->leases, count);
    lido__leases_unlock_and_wake(&pool->leases); /* who waits may build now, beside this thread */
    if (count > limit)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT,
            "object_pool \"%s\": count is %u, must not be above object_limit %u; raise that first",
            .word = {pool->resource.info.name}, .number = {count, limit});
    lido_status status;
    do
        status = lido__object_pool_build_up(pool, count, &built);
    while (status == LIDO_ERR_LIMIT && lido__budget_make_room(&pool->member, true) > 0);
    return status == LIDO_ERR_CLOSED ? fail_closed(pool) : status;
}

/* Without an object it was vacant when it was claimed. */
void lido__object_pool_put_back(struct lido_object_pool *pool, uint32_t slot) {
    struct lido__slot *at = lido__slot_at(&pool->leases, slot);
    if (lido__load(&at->object, relaxed)) /* claimed */
        give(pool, NULL, at);
    else
        lido__lease_vacate(&pool->leases, slot);
}

/* ---- Acquire ---------------------------------------------------------------------------- */

/* Makes a claimed slot's object a good one: validated, or new. */
static lido_status ready(struct lido_object_pool *pool, uint32_t *slot) {
    struct lido__leases *leases = &pool->leases;
    void *object;
    while ((object = lido__load(&lido__slot_at(leases, *slot)->object, relaxed)) != NULL) {
        if (!pool->options.validate || call(pool, VALIDATE, *slot, &object) == 0)
            return LIDO_OK;
        end_object(pool, *slot);
        count_one(pool, &pool->count.validate_failed);
        *slot = lido__lease_claim_instead(leases, *slot);
    }
    return build(pool, *slot);
}

/* The claimed slot is the caller's lease from now on. */
lido_status lido__object_pool_hand_out(struct lido_object_pool *pool, uint32_t slot,
                                       lido_lease *lease, const char *site) {
    struct lido__leases *leases = &pool->leases;
    struct lido__lease_store *store = lido__lease_store_of(leases);
    lido_status status = ready(pool, &slot);
    if (status != LIDO_OK)
        return status;
    lido__lease_write(lido__slot_at(leases, slot), site, lease);
    if (store)
        (void)lido__lease_count(&store->acquired);
    else
        count_one(pool, &leases->count.acquired);
    lido__lease_note_peak(leases);
    return LIDO_OK;
}

static lido_status fail_knot(const struct lido_object_pool *pool, const char *site,
                             const struct lido__knot *knot) {
    return LIDO__FAIL(
        LIDO_ERR_DEADLOCK,
        "object_pool \"%s\": waiting at %s would never end: all is held by threads that "
        "wait; thread %u acquired at %s and waits at %s; threads in the circle: %u; release before "
        "waiting, or say who releases by released_by",
        .word = {pool->resource.info.name, site, knot->held_at, knot->waits_at},
        .number = {knot->thread_id, knot->thread_count});
}

static lido_status fail_claim(struct lido_object_pool *pool, lido_status status) {
    if (status == LIDO_ERR_CLOSED)
        return fail_closed(pool);
    if (status == LIDO_ERR_NO_MEMORY)
        return fail_no_memory(pool);
    if (status == LIDO_ERR_LIMIT)
        return lido__object_pool_fail(
            pool, status,
            "object_pool \"%s\": waiter_limit threads wait already; " LIDO__HOLDERS
            "; come later or raise waiter_limit");
    if (!lido__budget_has_room(&pool->member))
        return lido__object_pool_fail(pool, status,
                                      "object_pool \"%s\": nothing free, and its budget has no "
                                      "room for another; " LIDO__HOLDERS
                                      "; raise limit_bytes or lower another pool's object_min");
    return lido__object_pool_fail(pool, status,
                                  "object_pool \"%s\": nothing free; " LIDO__HOLDERS
                                  "; hold them for a shorter time or raise object_limit");
}

static __attribute__((noinline)) lido_status acquire_slowly(struct lido_object_pool *pool,
                                                            struct lido__patience patience,
                                                            lido_lease *lease, const char *site) {
    struct lido__knot knot = {.thread_count = 0};
    uint32_t slot = LIDO__NO_SLOT;
    const char *callback = lido__callback_settle(&pool->leases);
    lease->object = NULL;
    if (callback)
        return fail_inside(LIDO_ERR_DEADLOCK, pool, "acquire", site, callback);
    lido__object_pool_attend(pool);
    patience.site = site;
    patience.knot = &knot;
    lido_status status = lido__lease_claim(&pool->leases, patience, &slot);
    if (status == LIDO_ERR_EMPTY && patience.timeout_ns == 0)
        status = LIDO_ERR_TIMEOUT;
    if (status == LIDO_ERR_DEADLOCK)
        status = fail_knot(pool, site, &knot);
    else
        status = status == LIDO_OK ? lido__object_pool_hand_out(pool, slot, lease, site)
                                   : fail_claim(pool, status);
    lido__object_pool_tell(pool);
    return status;
}

/* Once in a while an acquire looks at the clock. */
static __attribute__((noinline)) lido_status hand_out_ticking(struct lido__slot *at,
                                                              lido_lease *lease, const char *site) {
    lido__tick_advance();
    lido__lease_write(at, site, lease);
    return LIDO_OK;
}

static __attribute__((noinline)) lido_status acquire_for(struct lido_object_pool *pool,
                                                         uint64_t timeout_ns, lido_lease *lease,
                                                         const char *site) {
    if (lido__lease_recall(&pool->leases))
        return lido_object_pool_acquire_at(pool, timeout_ns, lease, site);
    return acquire_slowly(pool,
                          (struct lido__patience){.timeout_ns = timeout_ns,
                                                  .deadline_ns = LIDO_FOREVER,
                                                  .may_wait = timeout_ns != 0},
                          lease, site);
}

static __attribute__((noinline)) lido_status acquire_until(struct lido_object_pool *pool,
                                                           uint64_t deadline_ns, lido_lease *lease,
                                                           const char *site) {
    if (lido__lease_recall(&pool->leases))
        return lido_object_pool_acquire_until_at(pool, deadline_ns, lease, site);
    return acquire_slowly(pool,
                          (struct lido__patience){.timeout_ns = LIDO_FOREVER,
                                                  .deadline_ns = deadline_ns,
                                                  .may_wait = true},
                          lease, site);
}

static __attribute__((noinline)) lido_status
acquire_now(struct lido_object_pool *pool, uint64_t unused, lido_lease *lease, const char *site) {
    (void)unused;
    if (lido__lease_recall(&pool->leases))
        return lido_object_pool_try_acquire_at(pool, lease, site);
    return acquire_slowly(
        pool, (struct lido__patience){.timeout_ns = LIDO_FOREVER, .may_wait = false}, lease, site);
}

/* From this thread's shelf, if an object lies there and needs no validation; else `slowly`, to
 * which the call goes on as it is. */
static inline __attribute__((always_inline)) lido_status acquire_from_shelf(
    struct lido_object_pool *pool, uint64_t time_ns, lido_lease *lease, const char *site,
    lido_status (*slowly)(struct lido_object_pool *, uint64_t, lido_lease *, const char *)) {
    struct lido__lease_store *store = lido__lease_store_last();
    struct lido__slot *at;
    if (__builtin_expect(!lido__lease_is_of(store, &pool->leases) || store->slow_only, 0))
        return slowly(pool, time_ns, lease, site);
    at = lido__lease_take(store);
    if (__builtin_expect(!at, 0))
        return slowly(pool, time_ns, lease, site);
    if (__builtin_expect(lido__lease_count(&store->acquired) % ACQUIRES_PER_TICK == 0, 0))
        return hand_out_ticking(at, lease, site);
    lido__lease_write(at, site, lease);
    return LIDO_OK;
}

lido_status lido_object_pool_acquire_at(lido_object_pool *pool, uint64_t timeout_ns,
                                        lido_lease *lease, const char *site) {
    return acquire_from_shelf(pool, timeout_ns, lease, site, acquire_for);
}

lido_status lido_object_pool_acquire_until_at(lido_object_pool *pool, uint64_t deadline_ns,
                                              lido_lease *lease, const char *site) {
    return acquire_from_shelf(pool, deadline_ns, lease, site, acquire_until);
}

lido_status lido_object_pool_try_acquire_at(lido_object_pool *pool, lido_lease *lease,
                                            const char *site) {
    return acquire_from_shelf(pool, 0, lease, site, acquire_now);
}

/* ---- Release ---------------------------------------------------------------------------- */

static __attribute__((noinline)) lido_status refuse(struct lido_object_pool *pool,
                                                    const lido_lease *lease, const char *site) {
    struct lido__leases *leases = &pool->leases;
    const char *why = "it is of another pool";
    const char *holder = "nobody";
    lido__lock(&leases->lock);
    leases->count.refused_release++;
    lido__unlock(&leases->lock);
    struct lido__slot *at = lido__slot_find(leases, lease->slot);
    if (at) {
        uint32_t turn =
            lido__turn_of(lido__load(&at->name, acquire)); /* pairs with lido__lease_write */
        if (lease->turn != 0 && lease->turn <= turn)
            why = turn & 1 && turn != lease->turn ? "stale: its object is out again"
                                                  : "it was released before, or is of another pool";
        if (turn & 1)
            holder = lido__load(&at->site, relaxed);
    }
    LIDO__LOG(LIDO_LOG_WARNING, "object_pool.release_refused",
              {"pool", pool->resource.info.name, 0}, {"why", why, 0},
              {"slot", NULL, (int64_t)lease->slot}, {"site", site ? site : "?", 0});
    return LIDO__FAIL(
        LIDO_ERR_NOT_HELD,
        "object_pool \"%s\": the lease of object %p (slot %u, turn %u) released at "
        "%s is refused: %s; the slot is held by %s; release each lease once, to its own pool",
        .word = {pool->resource.info.name, site, why, holder},
        .number = {(uint64_t)(uintptr_t)lease->object, lease->slot, lease->turn});
}

static void count_back(struct lido_object_pool *pool, struct lido__lease_store *store) {
    if (__builtin_expect(store != NULL, 1))
        (void)lido__lease_count(&store->released);
    else
        count_one(pool, &pool->leases.count.released);
}

static uint32_t own_id(const struct lido__lease_store *store) {
    return store ? store->thread_id : (uint32_t)lido__thread_id();
}

/* Everything but a release to this thread's own shelf without a reset. The pool may be another than
 * that of the call before: then its store is looked for first. */
static __attribute__((noinline)) lido_status release_slowly(struct lido_object_pool *pool,
                                                            lido_lease *lease, const char *site) {
    if (lido__lease_recall(&pool->leases))
        return lido_object_pool_release_at(pool, lease, site);
    struct lido__lease_store *store = lido__lease_store_of(&pool->leases);
    void *object = lease->object;
    if (!object)
        return LIDO_OK;
    lido__lease_note_releaser(&pool->leases, lease, own_id(store));
    struct lido__slot *at = lido__lease_take_back(&pool->leases, lease, own_id(store));
    if (!at)
        return refuse(pool, lease, site);
    lease->object = NULL;
    count_back(pool, store);
    if (pool->options.reset && call(pool, RESET, lido__slot_number(at), &object) != 0) {
        count_one(pool, &pool->count.reset_failed);
        end_object(pool, lido__slot_number(at));
        lido__lease_vacate(&pool->leases, lido__slot_number(at));
        return LIDO_OK;
    }
    give(pool, store, at);
    return LIDO_OK;
}

/* Where the shelf had no room. */
static __attribute__((noinline)) lido_status give_slowly(struct lido_object_pool *pool,
                                                         struct lido__slot *at) {
    give(pool, NULL, at);
    return LIDO_OK;
}

static __attribute__((noinline)) lido_status empty_own(struct lido_object_pool *pool,
                                                       struct lido__lease_store *store) {
    if (lido__lease_empty_own(&pool->leases, store))
        (void)end_returned(pool);
    return LIDO_OK;
}

/* Something else than what this thread took last. */
static __attribute__((noinline)) lido_status release_found(struct lido_object_pool *pool,
                                                           lido_lease *lease, const char *site) {
    struct lido__lease_store *store = lido__lease_store_last();
    struct lido__slot *at = lido__lease_take_back(&pool->leases, lease, store->thread_id);
    if (__builtin_expect(!at, 0))
        return release_slowly(pool, lease, site); /* refuses it, unless it holds nothing */
    lease->object = NULL;
    (void)lido__lease_count(&store->released);
    enum lido__given given = lido__lease_give(&pool->leases, store, at);
    if (__builtin_expect(given == LIDO__GIVEN, 1))
        return LIDO_OK;
    return given == LIDO__NOT_GIVEN ? give_slowly(pool, at) : empty_own(pool, store);
}

lido_status lido_object_pool_release_at(lido_object_pool *pool, lido_lease *lease,
                                        const char *site) {
    struct lido__lease_store *store = lido__lease_store_last();
    /* Relaxed: a pool's own address is only ever written there by this thread. */
    if (__builtin_expect(lido__load(&store->near.open, relaxed) != &pool->leases, 0))
        return release_slowly(pool, lease, site);
    enum lido__given given = lido__lease_bring(&pool->leases, store, lease);
    if (__builtin_expect(given == LIDO__GIVEN, 1))
        return LIDO_OK;
    return given == LIDO__NOT_GIVEN ? release_found(pool, lease, site) : empty_own(pool, store);
}

lido_status lido_object_pool_discard_at(lido_object_pool *pool, lido_lease *lease,
                                        const char *site) {
    struct lido__lease_store *store = lido__lease_store_of(&pool->leases);
    if (!lease->object)
        return LIDO_OK;
    lido__lease_note_releaser(&pool->leases, lease, own_id(store));
    if (!lido__lease_take_back(&pool->leases, lease, own_id(store)))
        return refuse(pool, lease, site);
    lease->object = NULL;
    if (store)
        (void)lido__lease_count(&store->discarded);
    else
        count_one(pool, &pool->leases.count.discarded);
    end_object(pool, lease->slot);
    lido__lease_vacate(&pool->leases, lease->slot);
    return LIDO_OK;
}

/* ---- The end, and the limit --------------------------------------------------------------- */

lido_status lido_object_pool_close(lido_object_pool *pool, uint64_t timeout_ns) {
    const char *callback = lido__callback_settle(&pool->leases);
    if (callback)
        return fail_inside(LIDO_ERR_DEADLOCK, pool, "close", "nothing was closed", callback);
    if (lido__leases_close(&pool->leases, timeout_ns) == LIDO_OK)
        return LIDO_OK;
    return lido__object_pool_fail(pool, LIDO_ERR_BUSY,
                                  "object_pool \"%s\": closed; " LIDO__HOLDERS
                                  "; release them, or close with a longer timeout");
}

lido_status lido_object_pool_return_all(lido_object_pool *pool, uint64_t *count) {
    uint64_t retired = 0;
    (void)lido__callback_settle(&pool->leases);
    lido_status status = lido__leases_return_all(&pool->leases, &retired);
    if (count)
        *count = retired;
    if (status != LIDO_OK)
        return LIDO__FAIL(status,
                          "object_pool \"%s\": membarrier(2) fails, so nothing was taken back; "
                          "allow it to the process, or let the holders release",
                          .word = {pool->resource.info.name});
    LIDO__LOG(LIDO_LOG_INFO, "object_pool.all_returned", {"pool", pool->resource.info.name, 0},
              {"retired", NULL, (int64_t)retired});
    return LIDO_OK;
}

uint64_t lido_object_pool_trim(lido_object_pool *pool, uint64_t keep_count) {
    uint32_t slot;
    (void)lido__callback_settle(&pool->leases);
    uint64_t destroyed = end_returned(pool);
    while ((slot = lido__lease_claim_idle(&pool->leases, keep_count)) != LIDO__NO_SLOT) {
        end_object(pool, slot);
        lido__lease_vacate(&pool->leases, slot);
        destroyed++;
    }
    return destroyed;
}

lido_status lido_object_pool_destroy(lido_object_pool *pool) {
    if (!pool)
        return LIDO_OK;
    const char *inside = find_inside(pool);
    if (inside)
        return fail_inside(LIDO_ERR_BUSY, pool, "destroy", "it lives on", inside);
    struct lido__lease_sums sums = lido__lease_sum(&pool->leases);
    if (sums.live || sums.retired)
        return lido__object_pool_fail(pool, LIDO_ERR_BUSY,
                                      "object_pool \"%s\": cannot be destroyed; " LIDO__HOLDERS
                                      "; release them first");
    if (sums.requests)
        return LIDO__FAIL(LIDO_ERR_BUSY,
                          "object_pool \"%s\": cannot be destroyed; %u requests were not taken or "
                          "cancelled; do that first",
                          .word = {pool->resource.info.name}, .number = {sums.requests});
    lido__leases_collect(&pool->leases);
    (void)lido_object_pool_trim(pool, 0);
    lido__resource_remove(&pool->resource);
    lido__budget_leave(&pool->member);
    LIDO__LOG(LIDO_LOG_DEBUG, "object_pool.destroyed", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    lido__leases_end(&pool->leases);
    lido__sys.free(pool->leak_book);
    lido__sys.free(pool);
    return LIDO_OK;
}

lido_status lido_object_pool_set_object_limit(lido_object_pool *pool, uint64_t object_limit) {
    if (object_limit < 1 || object_limit > LIDO__OBJECT_LIMIT_MAX)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT, "object_pool \"%s\": object_limit is %u, must be 1 to %u",
            .word = {pool->resource.info.name}, .number = {object_limit, LIDO__OBJECT_LIMIT_MAX});
    lido__leases_set_limit(&pool->leases, object_limit);
    LIDO__LOG(LIDO_LOG_INFO, "object_pool.limit_set", {"pool", pool->resource.info.name, 0},
              {"object_limit", NULL, (int64_t)object_limit});
    (void)lido_object_pool_trim(pool, object_limit);
    return LIDO_OK;
}
