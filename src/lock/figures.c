/* SPDX-License-Identifier: MIT
 * How the waits of locks become figures: see internal.h. One lock guards the tables; it is taken
 * when a thread has slept, when a lock that is slept on is dropped, and every 256th time that a
 * lock is taken. */
#include "lock/figures.h"

#include "lock/internal.h"

#include "base/fork.h"
#include "base/mutex.h"
#include "base/options.h"
#include "base/sys.h"

#include <stdlib.h>
#include <string.h>

enum { HISTORIES_MAX = 1024 };

static lido__mutex lock_of_tables = LIDO__MUTEX_INIT;
static struct lido__tables tables = {.classes[0].name = "other", .class_count = 1};
static _Atomic(uint32_t) histories;

/* ---- fork -------------------------------------------------------------------------------- */

static void fork_prepare(void) {
    lido__lock(&lock_of_tables);
}

static void fork_let_go(void) {
    lido__unlock(&lock_of_tables);
}

static struct lido__fork_client fork_client = {.prepare = fork_prepare,
                                               .parent = fork_let_go,
                                               .child = fork_let_go,
                                               .order = LIDO__FORK_FIGURES};

static void take_tables(void) {
    (void)lido__fork_enter(&fork_client);
    lido__lock(&lock_of_tables);
}

/* ---- Classes ----------------------------------------------------------------------------- */

/* With the lock: the row of the class with this name, made if there is room; else row 0. Of a
 * longer name the end counts, where a path has its file and line. */
static uint32_t find_class(const char *name) {
    size_t length = strlen(name), room = sizeof tables.classes[0].name - 1;
    if (length > room)
        name += length - room;
    for (uint32_t i = 1; i < tables.class_count; i++)
        if (strcmp(tables.classes[i].name, name) == 0)
            return i;
    if (tables.class_count == LIDO__CLASSES)
        return 0;
    memcpy(tables.classes[tables.class_count].name, name, strlen(name) + 1);
    return (uint32_t)tables.class_count++;
}

const char *lido__class_name(const char *name) {
    take_tables();
    const char *text = tables.classes[find_class(name)].name;
    lido__unlock(&lock_of_tables);
    return text;
}

static uint32_t class_of(struct lido__lock_head *lock) {
    uint32_t known = lido__load(&lock->class_at, relaxed);
    if (known == 0) {
        known = find_class(lido__lock_name(lock)) + 1;
        lido__store(&lock->class_at, known, relaxed);
    }
    return known - 1;
}

/* Buckets: four of a nanosecond each, then four to each doubling. */
static unsigned bucket_of(uint64_t ns) {
    if (ns < 4)
        return (unsigned)ns;
    unsigned doubling = 63u - (unsigned)__builtin_clzll(ns);
    unsigned bucket = (doubling - 1) * 4 + (unsigned)(ns >> (doubling - 2) & 3);
    return bucket < LIDO__WAIT_BUCKETS ? bucket : LIDO__WAIT_BUCKETS - 1;
}

uint64_t lido__wait_bucket_top_ns(unsigned bucket) {
    if (bucket < 4)
        return bucket;
    unsigned doubling = bucket / 4 + 1;
    return ((uint64_t)(5 + bucket % 4) << (doubling - 2)) - 1;
}

/* ---- Pairs ------------------------------------------------------------------------------- */

static void count_pair(uint32_t class_at, const char *waits_at, const char *held_at,
                       uint64_t wait_ns) {
    uint64_t hash = ((uintptr_t)waits_at * 31 + (uintptr_t)held_at) * 31 + class_at;
    uint32_t at = (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 40) % LIDO__PAIRS;
    struct lido__pair_row *row = &tables.pairs[0];
    for (int probes = 0; probes < 64; probes++, at++) {
        struct lido__pair_row *here = &tables.pairs[at % LIDO__PAIRS];
        if (here == &tables.pairs[0])
            continue;
        if (!here->is_used)
            *here = (struct lido__pair_row){
                .class_at = class_at, .waits_at = waits_at, .held_at = held_at, .is_used = 1};
        if (here->class_at == class_at && here->waits_at == waits_at && here->held_at == held_at) {
            row = here;
            break;
        }
    }
    row->is_used = 1;
    row->waits++;
    row->wait_ns += wait_ns;
}

/* ---- History ----------------------------------------------------------------------------- */

void lido__history_prepare(struct lido__lock_head *lock) {
    struct lido__history *none = NULL;
    if (lido__load(&lock->history, relaxed))
        return;
    if (lido__add(&histories, 1, relaxed) < HISTORIES_MAX) {
        struct lido__history *made = lido__sys.map(sizeof *made);
        /* Release: pairs with the acquire loads, which find zeroes. */
        if (made && lido__cas(&lock->history, &none, made, release, relaxed))
            return;
        if (made)
            lido__sys.unmap(made, sizeof *made);
    }
    (void)lido__sub(&histories, 1, relaxed);
}

void lido__history_end(struct lido__lock_head *lock) {
    struct lido__history *history = lido__load(&lock->history, acquire);
    if (!history)
        return;
    lido__store(&lock->history, NULL, relaxed);
    lido__sys.unmap(history, sizeof *history);
    (void)lido__sub(&histories, 1, relaxed);
}

/* Readers of an rwlock come here at the same time. */
static void raise(_Atomic(uint64_t) *most, uint64_t value) {
    uint64_t seen = lido__load(most, relaxed);
    while (seen < value && !lido__cas(most, &seen, value, relaxed, relaxed)) {}
}

/* ---- Events ------------------------------------------------------------------------------ */

static void change_waiting(struct lido__lock_head *lock, uint64_t threads, uint64_t time_ns) {
    uint64_t seen = lido__load(&lock->waiting, relaxed), next;
    do {
        next = (((seen >> 16) + time_ns) << 16) | ((seen + threads) & 0xffff);
    } while (!lido__cas(&lock->waiting, &seen, next, relaxed, relaxed));
}

void lido__blame_arrive(struct lido__lock_head *lock, uint64_t now_ns) {
    change_waiting(lock, 1, 0 - now_ns);
}

void lido__blame_depart(struct lido__lock_head *lock, uint64_t now_ns) {
    change_waiting(lock, 0xffff, now_ns);
}

/* With the lock of the tables. */
static struct lido__class_row *tell(struct lido__lock_head *lock) {
    struct lido__class_row *row = &tables.classes[class_of(lock)];
    uint64_t acquired = lido__load(&lock->acquired, relaxed);
    uint64_t contended = lido__load(&lock->contended, relaxed);
    row->acquired += acquired - lido__load(&lock->told_acquired, relaxed);
    row->contended += contended - lido__load(&lock->told_contended, relaxed);
    lido__store(&lock->told_acquired, acquired, relaxed);
    lido__store(&lock->told_contended, contended, relaxed);
    return row;
}

void lido__figures_tell(struct lido__lock_head *lock) {
    take_tables();
    (void)tell(lock);
    lido__unlock(&lock_of_tables);
}

/* With the lock of the tables: what all have waited since it was last asked. */
static uint64_t charge(struct lido__lock_head *lock, const char *held_at, uint64_t now_ns) {
    uint64_t waiting = lido__load(&lock->waiting, relaxed);
    uint64_t sum_ns = ((waiting & 0xffff) * now_ns + (waiting >> 16)) << 16 >> 16;
    uint64_t growth_ns = (sum_ns - lido__load(&lock->charged, relaxed)) << 16 >> 16;
    if (growth_ns == 0 || growth_ns >> 47)
        return 0; /* less than before: who looked at the clock later was here earlier, and charged it */
    lido__store(&lock->charged, sum_ns, relaxed);
    tables.classes[class_of(lock)].blamed_ns += growth_ns;
    count_pair(class_of(lock), NULL, held_at ? held_at : "?", growth_ns);
    return growth_ns;
}

void lido__figures_waited(struct lido__lock_head *lock, const char *waits_at, const char *held_at,
                          uint64_t wait_ns, uint64_t now_ns) {
    struct lido__history *history = lido__load(&lock->history, acquire);
    take_tables();
    struct lido__class_row *row = tell(lock);
    row->waits++;
    row->wait_total_ns += wait_ns;
    if (wait_ns > row->wait_max_ns)
        row->wait_max_ns = wait_ns;
    row->wait_buckets[bucket_of(wait_ns)]++;
    count_pair(class_of(lock), waits_at ? waits_at : "?", held_at ? held_at : "?", wait_ns);
    uint64_t growth_ns = charge(lock, held_at, now_ns);
    lido__unlock(&lock_of_tables);
    if (!history)
        return;
    uint64_t at = lido__add(&history->waits, 1, release);
    lido__store(&history->wait_ns[at % LIDO__WAITS_KEPT], wait_ns, relaxed);
    (void)lido__add(&history->wait_total_ns, wait_ns, relaxed);
    (void)lido__add(&history->blamed_ns, growth_ns, relaxed);
    raise(&history->wait_max_ns, wait_ns);
}

void lido__figures_charge(struct lido__lock_head *lock, const char *held_at) {
    struct lido__history *history = lido__load(&lock->history, acquire);
    if ((lido__load(&lock->waiting, relaxed) & 0xffff) == 0)
        return;
    uint64_t now_ns = lido__sys.now_ns();
    take_tables();
    uint64_t growth_ns = charge(lock, held_at, now_ns);
    lido__unlock(&lock_of_tables);
    if (history)
        (void)lido__add(&history->blamed_ns, growth_ns, relaxed);
}

void lido__figures_held(struct lido__lock_head *lock) {
    struct lido__holds *me = &lido__holds;
    struct lido__history *history = lido__load(&lock->history, acquire);
    uint64_t now_ns = lido__sys.now_ns();
    uint64_t hold_ns = now_ns > me->timed_since_ns ? now_ns - me->timed_since_ns : 0;
    me->is_timing = false;
    take_tables();
    struct lido__class_row *row = &tables.classes[class_of(lock)];
    row->hold_samples++;
    row->hold_total_ns += hold_ns;
    lido__unlock(&lock_of_tables);
    if (!history)
        return;
    (void)lido__add(&history->hold_samples, 1, relaxed);
    (void)lido__add(&history->hold_total_ns, hold_ns, relaxed);
    raise(&history->hold_max_ns, hold_ns);
}

/* ---- Reading ----------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t percentile_99(const struct lido__history *history, uint64_t waits) {
    uint64_t sorted[LIDO__WAITS_KEPT] = {0};
    uint64_t kept = waits < LIDO__WAITS_KEPT ? waits : LIDO__WAITS_KEPT;
    for (uint64_t i = 0; i < kept; i++)
        sorted[i] = lido__load(&history->wait_ns[i], relaxed);
    qsort(sorted, (size_t)kept, sizeof sorted[0], compare);
    return kept ? sorted[(kept * 99 + 99) / 100 - 1] : 0;
}

lido_status lido__lock_stats(const struct lido__lock_head *lock, lido_lock_stats *stats) {
    const struct lido__history *history = lido__load(&lock->history, acquire);
    lido_lock_stats s = {.struct_size = sizeof s};
    uint64_t owner = lido__load(&lock->owner, relaxed);
    s.contended = lido__load(&lock->contended, relaxed);
    s.acquired = lido__load(&lock->acquired, relaxed);
    s.given_up = lido__load(&lock->given_up, relaxed);
    s.waiting = lido__load(&lock->waiting, relaxed) & 0xffff;
    s.holder_id = lido__identity_thread_id(owner);
    s.holder_site = owner ? lido__load(&lock->site, relaxed) : NULL;
    s.first_look = s.acquired ? 1 - (double)s.contended / (double)s.acquired : 1;
    s.events_per_1000 = s.acquired ? 1000 * (double)s.contended / (double)s.acquired : 0;
    if (history) {
        s.waits = lido__load(&history->waits, acquire);
        s.wait_total_ns = lido__load(&history->wait_total_ns, relaxed);
        s.wait_max_ns = lido__load(&history->wait_max_ns, relaxed);
        s.wait_p99_ns = percentile_99(history, s.waits);
        s.blamed_ns = lido__load(&history->blamed_ns, relaxed);
        s.hold_samples = lido__load(&history->hold_samples, relaxed);
        s.hold_total_ns = lido__load(&history->hold_total_ns, relaxed);
        s.hold_max_ns = lido__load(&history->hold_max_ns, relaxed);
    }
    return lido__figures_write(stats, &s, sizeof s, "lido_lock_stats");
}

void lido__tables_copy(struct lido__tables *to) {
    take_tables();
    memcpy(to, &tables, sizeof *to);
    lido__unlock(&lock_of_tables);
}

uint64_t lido_lock_recent(uint64_t count, const char *names[]) {
    const struct lido__holds *me = &lido__holds;
    uint64_t taken = me->recent_at < LIDO__RECENT ? me->recent_at : LIDO__RECENT;
    if (count > taken)
        count = taken;
    for (uint64_t i = 0; i < count; i++) {
        const char *name = me->recent[(me->recent_at - i) % LIDO__RECENT];
        names[i] = name ? name : "unnamed";
    }
    return count;
}
