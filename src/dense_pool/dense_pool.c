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

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "registry/registry.h"

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

struct lido_dense_pool {
    struct lido__resource resource;
    char *objects; /* the start of the mapping; NULL: none yet */
    uint32_t *slot_at;
    struct slot *slots;
    struct age *ages; /* NULL unless drops_oldest */
    uint64_t live;
    uint64_t capacity;     /* places, and slots */
    uint64_t object_limit; /* as set; 0: none */
    uint64_t limit;        /* in force */
    size_t object_bytes;
    size_t mapped_bytes;
    uint32_t oldest, newest; /* slots; of no meaning when live is 0 */
    uint32_t first_turn;     /* of every slot */
    bool drops_oldest;
    struct {
        uint64_t acquired, dropped, live_peak, grown;
        uint64_t refused_limit, refused_memory, refused_release;
    } count;
};

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
    struct lido_dense_pool old = *pool;
    map_tables(pool, memory, capacity);
    if (old.objects) {
        memcpy(pool->objects, old.objects, (size_t)old.live * old.object_bytes);
        memcpy(pool->slots, old.slots, (size_t)old.capacity * sizeof *old.slots);
        memcpy(pool->slot_at, old.slot_at, (size_t)old.capacity * sizeof *old.slot_at);
        if (old.ages && pool->ages) /* both or neither */
            memcpy(pool->ages, old.ages, (size_t)old.capacity * sizeof *old.ages);
        lido__sys.unmap(old.objects, old.mapped_bytes);
    }
    for (uint64_t i = old.capacity; i < capacity; i++) {
        pool->slots[i] = (struct slot){pool->first_turn, 0};
        pool->slot_at[i] = (uint32_t)i;
    }
    pool->capacity = capacity;
    pool->mapped_bytes = bytes;
    return true;
}

/* Twice the memory, but not beyond the limit; live < limit. */
static bool grow(struct lido_dense_pool *pool) {
    uint64_t capacity = pool->capacity ? pool->capacity * 2 : FIRST_CAPACITY;
    if (capacity > pool->limit)
        capacity = pool->limit;
    if (!move_to(pool, capacity))
        return false;
    pool->count.grown++;
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
    bool is_first = pool->live == 0;
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
    uint64_t place = pool->live;
    uint32_t slot = pool->slot_at[place];
    struct slot *at = &pool->slots[slot];
    at->turn++;
    at->place = (uint32_t)place;
    if (pool->ages)
        link_newest(pool, slot);
    pool->live++;
    pool->count.acquired++;
    if (pool->live > pool->count.live_peak)
        pool->count.live_peak = pool->live;
    if (handle)
        *handle = (uint64_t)at->turn << 32 | slot;
    return object_at(pool, place);
}

static inline void end(struct lido_dense_pool *pool, uint64_t place) {
    uint64_t last = pool->live - 1;
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
    pool->live = last;
}

static void drop_oldest(struct lido_dense_pool *pool) {
    end(pool, pool->slots[pool->oldest].place);
    pool->count.dropped++;
}

/* ---- Life of a pool ---------------------------------------------------------------------- */

/* A pool has no lock: for a fork its owner answers, as for every other call. */
static void need_nothing(struct lido__resource *resource) {
    (void)resource;
}

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
        REFUSE(LIDO_ERR_UNSUPPORTED, "at_limit is %u, which this version does not know",
               o->at_limit);
    if (o->at_limit == LIDO_DENSE_POOL_DROP_OLDEST && o->object_limit == 0)
        REFUSE(LIDO_ERR_ARGUMENT, "object_limit is 0, dropping the oldest needs a limit", 0);
    uint64_t most = o->object_limit ? o->object_limit : OBJECT_COUNT_MAX;
    if (o->ready_count > most)
        REFUSE(LIDO_ERR_ARGUMENT, "ready_count is %u, must not be above object_limit %u",
               o->ready_count, most);
#undef REFUSE
    return LIDO_OK;
}

static void set_limit(struct lido_dense_pool *pool, uint64_t object_limit) {
    pool->object_limit = object_limit;
    pool->limit = object_limit ? object_limit : OBJECT_COUNT_MAX;
}

/* Memory for ready_count objects, all of its pages touched. */
static lido_status make_ready(struct lido_dense_pool *pool, uint64_t count) {
    if (count == 0)
        return LIDO_OK;
    if (!move_to(pool, count))
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "dense_pool \"%s\": no memory for %u ready objects",
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
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY, "dense_pool \"%s\": no memory for the pool itself",
                          .word = {options.name ? options.name : "unnamed"});
    memset(pool, 0, sizeof *pool);
    pool->object_bytes = (size_t)options.object_bytes;
    set_limit(pool, options.object_limit);
    pool->drops_oldest = options.at_limit == LIDO_DENSE_POOL_DROP_OLDEST;
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
    if (pool->live)
        return LIDO__FAIL(LIDO_ERR_BUSY,
                          "dense_pool \"%s\": objects alive: %u; release them first, or all at "
                          "once with lido_dense_pool_release_all",
                          .word = {pool->resource.info.name}, .number = {pool->live});
    lido__resource_remove(&pool->resource);
    LIDO__LOG(LIDO_LOG_DEBUG, "dense_pool.destroyed", {"pool", pool->resource.info.name, 0},
              {"id", NULL, (int64_t)pool->resource.info.id});
    if (pool->objects)
        lido__sys.unmap(pool->objects, pool->mapped_bytes);
    lido__sys.free(pool);
    return LIDO_OK;
}

/* ---- Objects ----------------------------------------------------------------------------- */

/* Makes a place for one more when the pool is at its limit or its memory is full. */
static __attribute__((noinline)) bool make_room(struct lido_dense_pool *pool) {
    if (pool->live >= pool->limit && pool->drops_oldest) {
        drop_oldest(pool);
        return true;
    }
    if (pool->live >= pool->limit) {
        pool->count.refused_limit++;
        LIDO__FAIL(LIDO_ERR_LIMIT, "dense_pool \"%s\": all %u objects of object_limit are alive",
                   .word = {pool->resource.info.name}, .number = {pool->limit});
        return false;
    }
    if (grow(pool))
        return true;
    pool->count.refused_memory++;
    LIDO__FAIL(LIDO_ERR_NO_MEMORY, "dense_pool \"%s\": no memory for more than %u objects",
               .word = {pool->resource.info.name}, .number = {pool->capacity});
    return false;
}

void *lido_dense_pool_acquire(lido_dense_pool *pool, lido_dense_handle *handle) {
    bool is_full = pool->live >= pool->limit || pool->live == pool->capacity;
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
    if (slot >= pool->capacity || (turn & 1) == 0 || pool->slots[slot].turn != turn)
        return NULL;
    return &pool->slots[slot];
}

/* Says what is known of a handle that find() refused. */
static lido_status fail_not_held(const struct lido_dense_pool *pool, lido_dense_handle handle) {
    uint32_t slot = (uint32_t)handle, turn = (uint32_t)(handle >> 32);
    const char *name = pool->resource.info.name;
    uint32_t used = slot < pool->capacity ? pool->slots[slot].turn - pool->first_turn : 0;
    uint32_t then = turn - pool->first_turn;
    if (then >= used || (turn & 1) == 0)
        return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                          "dense_pool \"%s\": handle %p was never handed out by this pool",
                          .word = {name}, .number = {handle});
    return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                      "dense_pool \"%s\": handle %p is stale: it was use %u of slot %u, which has "
                      "had %u uses; its object was released or dropped before",
                      .word = {name},
                      .number = {handle, then / 2 + 1, slot, ((uint64_t)used + 1) / 2});
}

lido_status lido_dense_pool_release(lido_dense_pool *pool, lido_dense_handle handle) {
    if (handle == LIDO_DENSE_HANDLE_NONE)
        return LIDO_OK;
    struct slot *slot = find(pool, handle);
    if (!slot) {
        pool->count.refused_release++;
        return fail_not_held(pool, handle);
    }
    end(pool, slot->place);
    return LIDO_OK;
}

lido_status lido_dense_pool_release_place(lido_dense_pool *pool, uint64_t place) {
    if (__builtin_expect(place >= pool->live, 0)) {
        pool->count.refused_release++;
        return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                          "dense_pool \"%s\": place %u holds no object, %u are alive",
                          .word = {pool->resource.info.name}, .number = {place, pool->live});
    }
    end(pool, place);
    return LIDO_OK;
}

void lido_dense_pool_release_all(lido_dense_pool *pool) {
    for (uint64_t place = 0; place < pool->live; place++)
        pool->slots[pool->slot_at[place]].turn++;
    pool->live = 0;
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
    return pool->live;
}

static lido_dense_handle handle_of(const struct lido_dense_pool *pool, uint32_t slot) {
    return (uint64_t)pool->slots[slot].turn << 32 | slot;
}

lido_dense_handle lido_dense_pool_handle(const lido_dense_pool *pool, uint64_t place) {
    return place < pool->live ? handle_of(pool, pool->slot_at[place]) : LIDO_DENSE_HANDLE_NONE;
}

lido_dense_handle lido_dense_pool_oldest(const lido_dense_pool *pool) {
    return pool->drops_oldest && pool->live ? handle_of(pool, pool->oldest)
                                            : LIDO_DENSE_HANDLE_NONE;
}

/* ---- Watching and steering --------------------------------------------------------------- */

lido_status lido_dense_pool_read_stats(const lido_dense_pool *pool, lido_dense_pool_stats *stats) {
    uint64_t peak = pool->count.live_peak, acquired = pool->count.acquired;
    uint64_t committed = sizeof *pool + pool->mapped_bytes;
    lido_dense_pool_stats now = {
        .acquired = acquired,
        .released = acquired - pool->count.dropped - pool->live,
        .dropped = pool->count.dropped,
        .live = pool->live,
        .live_peak = peak,
        .capacity = pool->capacity,
        .grown = pool->count.grown,
        .refused_limit = pool->count.refused_limit,
        .refused_memory = pool->count.refused_memory,
        .refused_release = pool->count.refused_release,
        .object_limit = pool->object_limit,
        .committed_bytes = committed,
        .overhead_bytes = committed - pool->capacity * pool->object_bytes,
        .reuse = acquired ? 1 - (double)peak / (double)acquired : 1,
    };
    return lido__figures_write(stats, &now, sizeof now, "lido_dense_pool_stats");
}

lido_status lido_dense_pool_set_object_limit(lido_dense_pool *pool, uint64_t object_limit) {
    if (object_limit > OBJECT_COUNT_MAX)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT, "dense_pool \"%s\": object_limit is %u, must be 0 (none) to %u",
            .word = {pool->resource.info.name}, .number = {object_limit, OBJECT_COUNT_MAX});
    if (object_limit == 0 && pool->drops_oldest)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "dense_pool \"%s\": object_limit is 0, dropping the oldest needs a limit",
                          .word = {pool->resource.info.name});
    set_limit(pool, object_limit);
    while (pool->drops_oldest && pool->live > pool->limit)
        drop_oldest(pool);
    return LIDO_OK;
}
