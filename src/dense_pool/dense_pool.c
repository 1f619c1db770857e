/* SPDX-License-Identifier: MIT
 * A dense pool: one mapping that holds the objects, and two tables that lead from a handle to a
 * place and back.
 *
 *      objects   [place] the live ones in front, free memory behind
 *      slot_at   [place] which slot lies there; behind the live ones: the free slots
 *      slots     [slot]  the turn, odd while the slot is in use; and the place it lies in
 *      ages      [slot]  neighbours in the order of acquiring; only where the oldest is dropped
 *
 *   I1  slot_at is a permutation of all slots, so there is no list of free slots: the slot for
 *       place `live` is slot_at[live], and a release swaps two entries
 *   I2  slots[slot_at[p]].place == p and its turn is odd, for p < live; behind them turns are even
 *   I3  handle = turn << 32 | slot; it is never 0, since a turn in use is odd
 *
 * Acquire and release write two table entries each beside the object, or six with ages. Neighbours
 * in age are slots, not places: an object that moves keeps them.
 *
 * Rejected: objects that stay where they are, with a bitmap of what is alive and the lowest free
 * place used first. Addresses are stable then, but each walk reads the bitmap and passes gaps;
 * docs/decisions.md has the figures. */
#include <lido/dense_pool.h>

#include "base/counter.h"
#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "registry/dials.h"

#include <string.h>

enum {
    OBJECT_BYTES_MAX = 65536,
    OBJECT_COUNT_MAX = 1 << 30,
    FIRST_CAPACITY = 64,
};

static const uint32_t none = UINT32_MAX; /* no slot */

struct slot {
    uint32_t turn;
    uint32_t place; /* while in use */
};

struct age {
    uint32_t older, newer; /* slots, while in use */
};

/* Changed by the pool's thread alone, but for the limits; the panel reads them in any thread. */
typedef _Atomic(uint64_t) figure;

struct lido_dense_pool {
    struct lido__resource resource;
    char *objects; /* the start of the mapping; NULL: none yet */
    uint32_t *slot_at;
    struct slot *slots;
    struct age *ages; /* NULL unless drops_oldest */
    figure live;
    figure capacity;     /* places, and slots */
    figure object_limit; /* as set; 0: none */
    figure limit;        /* in force */
    figure mapped_bytes;
    size_t object_bytes;
    uint32_t oldest, newest; /* slots; of no meaning when live is 0 */
    uint32_t first_turn;     /* of every slot */
    bool drops_oldest;
    struct {
        figure acquired, dropped, live_peak, grown;
        figure refused_limit, refused_memory, refused_release;
    } count;
};

static inline uint64_t get(const figure *at) {
    return lido__peek(at);
}

static inline void set(figure *at, uint64_t value) {
    lido__store(at, value, relaxed);
}

static inline void count_one(figure *at) {
    set(at, get(at) + 1);
}

/* ---- Memory ----------------------------------------------------------------------------- */

/* Bytes of objects and tables for so many, in whole pages; 0: more than there are addresses. */
static size_t bytes_for(const struct lido_dense_pool *pool, uint64_t capacity) {
    uint64_t each = sizeof(uint32_t) + sizeof(struct slot) +
                    (pool->drops_oldest ? sizeof(struct age) : 0) + pool->object_bytes;
    uint64_t page = lido__page_bytes();
    uint64_t bytes = (capacity * each + 8 + page - 1) / page * page; /* 8: see map_tables */
    return bytes <= SIZE_MAX / 2 ? (size_t)bytes : 0;
}

/* Lays the tables out behind the objects. What is aligned more strictly comes first. */
static void map_tables(struct lido_dense_pool *pool, char *memory, uint64_t capacity) {
    size_t objects = (size_t)(capacity * pool->object_bytes + 7) / 8 * 8;
    char *at = memory + objects;
    pool->objects = memory;
    pool->slots = (struct slot *)(void *)at;
    at += (size_t)capacity * sizeof(struct slot);
    pool->ages = pool->drops_oldest ? (struct age *)(void *)at : NULL;
    at += pool->drops_oldest ? (size_t)capacity * sizeof(struct age) : 0;
    pool->slot_at = (uint32_t *)(void *)at;
}

/* Moves to memory for `capacity` objects, more than now; false: there is none, nothing changed. */
static bool move_to(struct lido_dense_pool *pool, uint64_t capacity) {
    size_t bytes = bytes_for(pool, capacity);
    char *memory = bytes ? lido__sys.map(bytes) : NULL;
    if (!memory)
        return false;
    char *old_objects = pool->objects;
    const uint32_t *old_slot_at = pool->slot_at;
    const struct slot *old_slots = pool->slots;
    const struct age *old_ages = pool->ages;
    size_t before = (size_t)get(&pool->capacity), old_bytes = (size_t)get(&pool->mapped_bytes);
    map_tables(pool, memory, capacity);
    if (old_objects) {
        memcpy(pool->objects, old_objects, (size_t)get(&pool->live) * pool->object_bytes);
        memcpy(pool->slots, old_slots, before * sizeof *old_slots);
        memcpy(pool->slot_at, old_slot_at, before * sizeof *old_slot_at);
        if (old_ages && pool->ages) /* both or neither */
            memcpy(pool->ages, old_ages, before * sizeof *old_ages);
        lido__sys.unmap(old_objects, old_bytes);
    }
    for (uint64_t i = before; i < capacity; i++) {
        pool->slots[i] = (struct slot){pool->first_turn, 0};
        pool->slot_at[i] = (uint32_t)i;
    }
    set(&pool->capacity, capacity);
    set(&pool->mapped_bytes, bytes);
    return true;
}

/* Twice the memory, but not beyond the limit, which is above the capacity. */
static bool grow(struct lido_dense_pool *pool, uint64_t limit) {
    uint64_t capacity = get(&pool->capacity) ? get(&pool->capacity) * 2 : FIRST_CAPACITY;
    if (capacity > limit)
        capacity = limit;
    if (!move_to(pool, capacity))
        return false;
    count_one(&pool->count.grown);
    LIDO__LOG(LIDO_LOG_INFO, "dense_pool.grown", {"pool", pool->resource.info.name, 0},
              {"capacity", NULL, (int64_t)capacity});
    return true;
}

/* ---- Objects, without checks ------------------------------------------------------------- */

static inline void *object_at(const struct lido_dense_pool *pool, uint64_t place) {
    return pool->objects + place * pool->object_bytes;
}

/* In steps of a constant size, which the compiler does without a call; objects are small. */
static inline void copy_object(char *to, const char *from, size_t bytes) {
    for (; bytes >= 32; bytes -= 32, to += 32, from += 32)
        memcpy(to, from, 32);
    if (bytes >= 16) {
        memcpy(to, from, 16);
        bytes -= 16, to += 16, from += 16;
    }
    if (bytes > 0)
        memcpy(to, from, bytes);
}

static void link_newest(struct lido_dense_pool *pool, uint32_t slot) {
    bool is_first = get(&pool->live) == 0;
    pool->ages[slot] = (struct age){is_first ? none : pool->newest, none};
    *(is_first ? &pool->oldest : &pool->ages[pool->newest].newer) = slot;
    pool->newest = slot;
}

static void unlink_age(struct lido_dense_pool *pool, uint32_t slot) {
    struct age age = pool->ages[slot];
    *(age.older == none ? &pool->oldest : &pool->ages[age.older].newer) = age.newer;
    *(age.newer == none ? &pool->newest : &pool->ages[age.newer].older) = age.older;
}

/* There is a free place and a free slot. */
static inline void *begin(struct lido_dense_pool *pool, lido_dense_handle *handle) {
    uint64_t place = get(&pool->live);
    uint32_t slot = pool->slot_at[place];
    struct slot *at = &pool->slots[slot];
    at->turn++;
    at->place = (uint32_t)place;
    if (pool->ages)
        link_newest(pool, slot);
    set(&pool->live, place + 1);
    count_one(&pool->count.acquired);
    if (place + 1 > get(&pool->count.live_peak))
        set(&pool->count.live_peak, place + 1);
    if (handle)
        *handle = (uint64_t)at->turn << 32 | slot;
    return object_at(pool, place);
}

static inline void end(struct lido_dense_pool *pool, uint64_t place) {
    uint64_t last = get(&pool->live) - 1;
    uint32_t slot = pool->slot_at[place], moved = pool->slot_at[last];
    pool->slots[slot].turn++;
    if (pool->ages)
        unlink_age(pool, slot);
    if (place != last) {
        copy_object(object_at(pool, place), object_at(pool, last), pool->object_bytes);
        pool->slots[moved].place = (uint32_t)place;
        pool->slot_at[place] = moved;
        pool->slot_at[last] = slot;
    }
    set(&pool->live, last);
}

static void drop_oldest(struct lido_dense_pool *pool) {
    end(pool, pool->slots[pool->oldest].place);
    count_one(&pool->count.dropped);
}

/* ---- Life of a pool ---------------------------------------------------------------------- */

/* A pool has no lock: for a fork its owner answers, as for every other call. */
static void need_nothing(struct lido__resource *resource) {
    (void)resource;
}

static const lido_panel panel; /* at the end */

static const struct lido__kind kind = {
    .name = "dense_pool", .lock = need_nothing, .unlock = need_nothing, .in_child = need_nothing};

static lido_status check(const lido_dense_pool_options *o) {
    const char *name = o->name ? o->name : "unnamed";
#define REFUSE(status, text, ...)                                                                  \
    return LIDO__FAIL(status, "dense_pool \"%s\": " text, .word = {name}, .number = {__VA_ARGS__})
    if (o->object_bytes < 1 || o->object_bytes > OBJECT_BYTES_MAX)
        REFUSE(LIDO_ERR_ARGUMENT, "object_bytes is %u, must be 1 to %u", o->object_bytes,
               OBJECT_BYTES_MAX);
    if (o->object_limit > OBJECT_COUNT_MAX)
        REFUSE(LIDO_ERR_ARGUMENT, "object_limit is %u, must be 0 (none) to %u", o->object_limit,
               OBJECT_COUNT_MAX);
    if (o->at_limit > LIDO_DENSE_POOL_DROP_OLDEST)
        REFUSE(LIDO_ERR_UNSUPPORTED, "at_limit is %u, must be 0 to %u in this version", o->at_limit,
               LIDO_DENSE_POOL_DROP_OLDEST);
    if (o->at_limit == LIDO_DENSE_POOL_DROP_OLDEST && o->object_limit == 0)
        REFUSE(LIDO_ERR_ARGUMENT,
               "object_limit is 0, must be 1 or more where the oldest is dropped", 0);
    uint64_t most = o->object_limit ? o->object_limit : OBJECT_COUNT_MAX;
    if (o->ready_count > most)
        REFUSE(LIDO_ERR_ARGUMENT, "ready_count is %u, must not be above object_limit %u",
               o->ready_count, most);
#undef REFUSE
    return LIDO_OK;
}

static void set_limit(struct lido_dense_pool *pool, uint64_t object_limit) {
    set(&pool->object_limit, object_limit);
    set(&pool->limit, object_limit ? object_limit : OBJECT_COUNT_MAX);
}

/* Memory for ready_count objects, all of its pages touched. */
static lido_status make_ready(struct lido_dense_pool *pool, uint64_t count) {
    if (count == 0)
        return LIDO_OK;
    if (!move_to(pool, count))
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY,
                          "dense_pool \"%s\": no memory for %u ready objects; lower ready_count",
                          .word = {pool->resource.info.name}, .number = {count});
    memset(pool->objects, 0, (size_t)count * pool->object_bytes);
    if (pool->ages)
        memset(pool->ages, 0, (size_t)count * sizeof *pool->ages);
    return LIDO_OK;
}

lido_status lido_dense_pool_create_at(const lido_dense_pool_options *given, lido_dense_pool **made,
                                      const char *site) {
    lido_dense_pool_options options;
    *made = NULL;
    lido_status status =
        lido__options_read(given, &options, sizeof options, "lido_dense_pool_options");
    if (status == LIDO_OK)
        status = check(&options);
    if (status != LIDO_OK)
        return status;
    struct lido_dense_pool *pool = lido__sys.alloc(sizeof *pool, _Alignof(struct lido_dense_pool));
    if (!pool)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY,
                          "dense_pool \"%s\": no memory for the pool itself, %u bytes; free some "
                          "memory and call again",
                          .word = {options.name ? options.name : "unnamed"},
                          .number = {sizeof *pool});
    memset(pool, 0, sizeof *pool);
    pool->object_bytes = (size_t)options.object_bytes;
    set_limit(pool, options.object_limit);
    pool->drops_oldest = options.at_limit == LIDO_DENSE_POOL_DROP_OLDEST;
    pool->resource.panel = &panel;
    pool->resource.context = pool;
    status = lido__resource_name(&pool->resource, &kind, options.name, options.owner);
    if (status == LIDO_OK)
        status = lido__resource_insert(&pool->resource, site);
    if (status != LIDO_OK) {
        lido__sys.free(pool);
        return status;
    }
    /* The golden section spreads the starts of pools, so that a foreign handle meets no turn. */
    pool->first_turn = (uint32_t)pool->resource.info.id * UINT32_C(0x9e3779b1) & ~UINT32_C(1);
    status = make_ready(pool, options.ready_count);
    if (status != LIDO_OK) {
        lido__resource_remove(&pool->resource);
        lido__sys.free(pool);
        return status;
    }
    LIDO__LOG(LIDO_LOG_DEBUG, "dense_pool.created", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    *made = pool;
    return LIDO_OK;
}

lido_status lido_dense_pool_destroy(lido_dense_pool *pool) {
    if (!pool)
        return LIDO_OK;
    if (get(&pool->live))
        return LIDO__FAIL(LIDO_ERR_BUSY,
                          "dense_pool \"%s\": objects alive: %u; release them first, or all at "
                          "once with lido_dense_pool_release_all",
                          .word = {pool->resource.info.name}, .number = {get(&pool->live)});
    lido__resource_remove(&pool->resource);
    LIDO__LOG(LIDO_LOG_DEBUG, "dense_pool.destroyed", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    if (pool->objects)
        lido__sys.unmap(pool->objects, get(&pool->mapped_bytes));
    lido__sys.free(pool);
    return LIDO_OK;
}

/* ---- Objects ----------------------------------------------------------------------------- */

static void drop_down_to(struct lido_dense_pool *pool, uint64_t live) {
    while (pool->drops_oldest && get(&pool->live) > live)
        drop_oldest(pool);
}

/* Makes a place for one more when the pool is at its limit or its memory is full. The limit is read
 * once: another thread may turn it by the panel. */
static __attribute__((noinline)) bool make_room(struct lido_dense_pool *pool) {
    uint64_t limit = lido__load(&pool->limit, relaxed);
    drop_down_to(pool, limit - 1);
    if (get(&pool->live) >= limit) {
        count_one(&pool->count.refused_limit);
        LIDO__FAIL(
            LIDO_ERR_LIMIT,
            "dense_pool \"%s\": all %u objects of object_limit are alive; release some or raise it",
            .word = {pool->resource.info.name}, .number = {limit});
        return false;
    }
    if (get(&pool->live) < get(&pool->capacity) || grow(pool, limit))
        return true;
    count_one(&pool->count.refused_memory);
    LIDO__FAIL(
        LIDO_ERR_NO_MEMORY,
        "dense_pool \"%s\": no memory for more than %u objects; release some, or free memory",
        .word = {pool->resource.info.name}, .number = {get(&pool->capacity)});
    return false;
}

void *lido_dense_pool_acquire(lido_dense_pool *pool, lido_dense_handle *handle) {
    bool is_full = get(&pool->live) >= lido__load(&pool->limit, relaxed) ||
                   get(&pool->live) == get(&pool->capacity);
    if (__builtin_expect(is_full, 0) && !make_room(pool)) {
        if (handle)
            *handle = LIDO_DENSE_HANDLE_NONE;
        return NULL;
    }
    return begin(pool, handle);
}

/* The slot of a handle whose object is alive; NULL: it is not. */
static inline struct slot *find(const struct lido_dense_pool *pool, lido_dense_handle handle) {
    uint32_t slot = (uint32_t)handle, turn = (uint32_t)(handle >> 32);
    if (slot >= get(&pool->capacity) || (turn & 1) == 0 || pool->slots[slot].turn != turn)
        return NULL;
    return &pool->slots[slot];
}

/* Says what is known of a handle that find() refused. */
static lido_status fail_not_held(const struct lido_dense_pool *pool, lido_dense_handle handle) {
    uint32_t slot = (uint32_t)handle, turn = (uint32_t)(handle >> 32);
    const char *name = pool->resource.info.name;
    uint32_t used = slot < get(&pool->capacity) ? pool->slots[slot].turn - pool->first_turn : 0;
    uint32_t then = turn - pool->first_turn;
    if (then >= used || (turn & 1) == 0)
        return LIDO__FAIL(
            LIDO_ERR_NOT_HELD,
            "dense_pool \"%s\": handle %p was never handed out by this pool; release it to its own",
            .word = {name}, .number = {handle});
    return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                      "dense_pool \"%s\": handle %p is stale: it was use %u of slot %u, which has "
                      "had %u uses; its object was released or dropped before; forget a handle "
                      "when it is released",
                      .word = {name},
                      .number = {handle, then / 2 + 1, slot, ((uint64_t)used + 1) / 2});
}

lido_status lido_dense_pool_release(lido_dense_pool *pool, lido_dense_handle handle) {
    if (handle == LIDO_DENSE_HANDLE_NONE)
        return LIDO_OK;
    struct slot *slot = find(pool, handle);
    if (!slot) {
        count_one(&pool->count.refused_release);
        return fail_not_held(pool, handle);
    }
    end(pool, slot->place);
    return LIDO_OK;
}

lido_status lido_dense_pool_release_place(lido_dense_pool *pool, uint64_t place) {
    if (__builtin_expect(place >= get(&pool->live), 0)) {
        count_one(&pool->count.refused_release);
        return LIDO__FAIL(
            LIDO_ERR_NOT_HELD,
            "dense_pool \"%s\": place %u holds no object, %u are alive; ask for one below that",
            .word = {pool->resource.info.name}, .number = {place, get(&pool->live)});
    }
    end(pool, place);
    return LIDO_OK;
}

void lido_dense_pool_release_all(lido_dense_pool *pool) {
    for (uint64_t place = 0; place < get(&pool->live); place++)
        pool->slots[pool->slot_at[place]].turn++;
    set(&pool->live, 0);
}

void *lido_dense_pool_find(const lido_dense_pool *pool, lido_dense_handle handle) {
    const struct slot *slot = find(pool, handle);
    if (slot)
        return object_at(pool, slot->place);
    (void)fail_not_held(pool, handle);
    return NULL;
}

bool lido_dense_pool_is_live(const lido_dense_pool *pool, lido_dense_handle handle) {
    return find(pool, handle) != NULL;
}

void *lido_dense_pool_objects(const lido_dense_pool *pool) {
    return pool->objects;
}

uint64_t lido_dense_pool_count(const lido_dense_pool *pool) {
    return get(&pool->live);
}

static lido_dense_handle handle_of(const struct lido_dense_pool *pool, uint32_t slot) {
    return (uint64_t)pool->slots[slot].turn << 32 | slot;
}

lido_dense_handle lido_dense_pool_handle(const lido_dense_pool *pool, uint64_t place) {
    return place < get(&pool->live) ? handle_of(pool, pool->slot_at[place])
                                    : LIDO_DENSE_HANDLE_NONE;
}

lido_dense_handle lido_dense_pool_oldest(const lido_dense_pool *pool) {
    return pool->drops_oldest && get(&pool->live) ? handle_of(pool, pool->oldest)
                                                  : LIDO_DENSE_HANDLE_NONE;
}

/* ---- Watching and steering --------------------------------------------------------------- */

/* Any thread may read by the panel; at rest, and in the pool's own thread, all is exact. */
lido_status lido_dense_pool_read_stats(const lido_dense_pool *pool, lido_dense_pool_stats *stats) {
#define READ(name) lido__load(&pool->name, relaxed)
    uint64_t live = READ(live), peak = READ(count.live_peak), dropped = READ(count.dropped);
    uint64_t acquired = READ(count.acquired), capacity = READ(capacity);
    uint64_t committed = sizeof *pool + READ(mapped_bytes), room = capacity * pool->object_bytes;
    lido_dense_pool_stats now = {
        .acquired = acquired,
        .released = acquired > dropped + live ? acquired - dropped - live : 0,
        .dropped = dropped,
        .live = live,
        .live_peak = peak,
        .capacity = capacity,
        .grown = READ(count.grown),
        .refused_limit = READ(count.refused_limit),
        .refused_memory = READ(count.refused_memory),
        .refused_release = READ(count.refused_release),
        .object_limit = READ(object_limit),
        .committed_bytes = committed,
        .overhead_bytes = committed > room ? committed - room : 0,
        .reuse = acquired > peak ? 1 - (double)peak / (double)acquired : acquired == 0,
    };
#undef READ
    return lido__figures_write(stats, &now, sizeof now, "lido_dense_pool_stats");
}

static lido_status check_limit(const lido_dense_pool *pool, uint64_t object_limit) {
    if (object_limit > OBJECT_COUNT_MAX)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT, "dense_pool \"%s\": object_limit is %u, must be 0 (none) to %u",
            .word = {pool->resource.info.name}, .number = {object_limit, OBJECT_COUNT_MAX});
    if (object_limit == 0 && pool->drops_oldest)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT,
            "dense_pool \"%s\": object_limit is 0, must be 1 or more where the oldest is dropped",
            .word = {pool->resource.info.name});
    return LIDO_OK;
}

lido_status lido_dense_pool_set_object_limit(lido_dense_pool *pool, uint64_t object_limit) {
    lido_status status = check_limit(pool, object_limit);
    if (status == LIDO_OK) {
        set_limit(pool, object_limit);
        drop_down_to(pool, lido__load(&pool->limit, relaxed));
    }
    return status;
}

/* ---- The panel --------------------------------------------------------------------------- */

#define FIGURES(F)                                                                                 \
    F(acquired, COUNTER, COUNT, "Objects made since creation.")                                    \
    F(released, COUNTER, COUNT, "Objects ended by a release since creation.")                      \
    F(dropped, COUNTER, COUNT, "Objects ended to make room.")                                      \
    F(live, GAUGE, COUNT, "Objects alive.")                                                        \
    F(live_peak, GAUGE, COUNT, "The most that were alive at once.")                                \
    F(capacity, GAUGE, COUNT, "Objects that there is memory for.")                                 \
    F(grown, COUNTER, COUNT, "Times the pool asked the system for more.")                          \
    F(refused_limit, COUNTER, COUNT, "Acquires refused at object_limit.")                          \
    F(refused_memory, COUNTER, COUNT, "Acquires refused for lack of memory.")                      \
    F(refused_release, COUNTER, COUNT, "Releases refused: twice, or foreign.")                     \
    F(committed_bytes, GAUGE, BYTES, "Memory held from the system, all in.")                       \
    F(overhead_bytes, GAUGE, BYTES, "The part of it that is not room for objects.")

#define SHARES(S) S(reuse, "Share of acquires whose memory had been used before.")

#define SETTINGS(S)                                                                                \
    S(object_bytes, FIXED, BYTES, 1, OBJECT_BYTES_MAX, 0, "The size of every object.")             \
    S(object_limit, KNOB, COUNT, 0, OBJECT_COUNT_MAX, 0,                                           \
      "Objects that may be alive at once; 0: no limit. Holds from the next acquire on.")

static const lido_dial dials[] = {FIGURES(LIDO__FIGURE) SHARES(LIDO__SHARE) SETTINGS(LIDO__DIAL)};

enum { FIGURES(LIDO__AT) SHARES(LIDO__AT) SETTINGS(LIDO__AT) PLACES };

static void read_panel(void *context, uint64_t values[]) {
    const lido_dense_pool *pool = context;
    lido_dense_pool_stats s = {.struct_size = sizeof s};
    (void)lido_dense_pool_read_stats(pool, &s);
    FIGURES(LIDO__VALUE)
    SHARES(LIDO__SHARE_VALUE)
    values[AT_object_bytes] = pool->object_bytes;
    values[AT_object_limit] = s.object_limit;
}

/* In any thread: what is above the limit is dropped by the pool's own, when it acquires. */
static int apply_panel(void *context, const uint64_t values[], uint64_t changed) {
    (void)changed; /* there is one knob */
    lido_status status = check_limit(context, values[AT_object_limit]);
    if (status == LIDO_OK)
        set_limit(context, values[AT_object_limit]);
    return status;
}

static const lido_panel panel = LIDO__PANEL("dense_pool", read_panel, apply_panel);
