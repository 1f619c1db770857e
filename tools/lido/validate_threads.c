/* SPDX-License-Identifier: MIT
 * Rows about what threads share: locks that tell (B1), the ring (B4), lines that nobody shares (B7). */
#include "validate.h"

#include "common/ask.h"
#include "common/processors.h"
#include "swarm/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <lido/lock.h>
#include <lido/object_pool.h>
#include <lido/ring.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(uint64_t ns) {
    const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000),
                                  .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&time, NULL);
}

/* A process without threads has no use for rows about them. */
static void start(pthread_t *thread, void *(*run)(void *), void *context) {
    if (pthread_create(thread, NULL, run, context) != 0)
        abort(); /* the row's own process: the row fails and says so */
}

static lido_lock_stats figures(const lido_mutex *mutex) {
    lido_lock_stats stats = {.struct_size = sizeof stats};
    (void)lido_mutex_read_stats(mutex, &stats);
    return stats;
}

/* ---- B1: locks that tell ----------------------------------------------------------------------- */

enum { WAITERS = 3, BLAME_ROUNDS = 6, KEPT = 1000, CROWD = 30 };

struct waiter {
    lido_mutex *mutex;
    uint64_t waited_ns;
};

static void *wait_once(void *context) {
    struct waiter *waiter = context;
    uint64_t start_ns = lido_now_ns();
    if (lido_mutex_lock_at(waiter->mutex, "waits.c:1") == LIDO_OK) {
        waiter->waited_ns = lido_now_ns() - start_ns;
        lido_mutex_unlock(waiter->mutex);
    }
    return NULL;
}

/* Holds the lock for so long after the last of some threads has come to wait. Returns how long they say they
 * waited. */
static uint64_t make_wait(lido_mutex *mutex, const char *held_at, int count, uint64_t hold_ns) {
    struct waiter waiters[CROWD];
    pthread_t threads[CROWD];
    uint64_t waited_ns = 0;
    if (lido_mutex_lock_at(mutex, held_at) != LIDO_OK)
        return 0;
    for (int i = 0; i < count; i++) {
        waiters[i] = (struct waiter){.mutex = mutex};
        start(&threads[i], wait_once, &waiters[i]);
    }
    while (figures(mutex).waiting < (uint64_t)count)
        nap(100000);
    nap(hold_ns);
    lido_mutex_unlock(mutex);
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        waited_ns += waiters[i].waited_ns;
    }
    return waited_ns;
}

void validate_blame(struct row *row) {
    lido_mutex mutex = LIDO_MUTEX_INIT("validate");
    lido_profile *profile;
    lido_profile_pair pair = LIDO_PROFILE_PAIR;
    uint64_t truth_ns = 0, blamed_ns = 0;
    if (lido_profile_start(&profile) != LIDO_OK) {
        row_failed(row, "%s", lido_last_error());
        return;
    }
    for (int i = 0; i < BLAME_ROUNDS; i++)
        truth_ns += make_wait(&mutex, row->broken && i % 2 == 1 ? "other.c:1" : "slow.c:1", WAITERS,
                              LIDO_MILLISECONDS(20));
    (void)lido_profile_stop(profile);
    for (uint64_t i = 0; lido_profile_read_pair(profile, i, &pair); i++)
        if (pair.waits_at == NULL && strcmp(pair.held_at, "slow.c:1") == 0)
            blamed_ns += pair.wait_ns;
    double share = truth_ns > 0 ? (double)blamed_ns / (double)truth_ns : 0;
    row_result(row, share >= 0.95 && share <= 1.05,
               "%.1f ms waited by the threads' own clocks, %.3f of it charged to the line",
               (double)truth_ns / 1e6, share);
    lido_profile_destroy(profile);
}

/* Many wait at a time: a turn from one thread to one other and back for each wait takes minutes where both
 * have to queue for a processor. */
void validate_waits_kept(struct row *row) {
    lido_mutex mutex = LIDO_MUTEX_INIT("validate");
    static uint64_t waits_ns[2 * KEPT];
    const int times = row->broken ? 900 / CROWD : 1200 / CROWD;
    uint64_t timed = 0;
    for (int i = 1; i <= times; i++)
        (void)make_wait(&mutex, "slow.c:1", CROWD, i == times ? LIDO_MILLISECONDS(30) : 0);
    uint64_t kept = lido_mutex_read_waits(&mutex, 2 * KEPT, waits_ns);
    for (uint64_t i = 0; i < kept; i++)
        timed += waits_ns[i] > 0;
    row_result(row, kept >= KEPT && timed == kept && waits_ns[0] >= LIDO_MILLISECONDS(25),
               "%" PRIu64 " of %" PRIu64 " kept, newest %.1f ms", kept, figures(&mutex).waits,
               (double)waits_ns[0] / 1e6);
}

/* A session in which one lock of the class is taken so many times. */
static lido_profile *make_session(int times) {
    lido_mutex mutex = LIDO_MUTEX_INIT("validate session");
    lido_profile *profile;
    if (lido_profile_start(&profile) != LIDO_OK)
        return NULL;
    for (int i = 0; i < times; i++)
        if (lido_mutex_lock(&mutex) == LIDO_OK)
            lido_mutex_unlock(&mutex);
    (void)lido_mutex_destroy(&mutex);
    (void)lido_profile_stop(profile);
    return profile;
}

void validate_sessions(struct row *row) {
    lido_profile *before = make_session(1000), *after = make_session(row->broken ? 1000 : 3000);
    lido_profile_class was = LIDO_PROFILE_CLASS, is = LIDO_PROFILE_CLASS;
    if (before == NULL || after == NULL) {
        row_failed(row, "%s", lido_last_error());
        return;
    }
    bool found = lido_profile_diff(before, after, 0, &was, &is);
    row_result(row,
               found && strcmp(is.name, "validate session") == 0 && was.acquired == 1000 &&
                   is.acquired == 3000,
               "%" PRIu64 " then %" PRIu64 " acquisitions of \"%s\"", was.acquired, is.acquired,
               is.name);
    lido_profile_destroy(before);
    lido_profile_destroy(after);
}

/* ---- inspect, for B1 and B7 ---------------------------------------------------------------------- */

/* What `lido run inspect` says of the standard library, as JSON; NULL: the row has ended. */
static json_t *run_inspect(struct row *row, const char *sample, const char *threads,
                           const char *more) {
    posix_spawn_file_actions_t actions;
    int ends[2], status = 1;
    pid_t child;
    char *dir = ask_python_library();
    if (dir == NULL || pipe(ends) != 0) {
        row_not_measured(row, "python3 does not say where its standard library is");
        return NULL;
    }
    const char *const argv[] = {"lido",    "run",           "inspect",  dir,    "--json", "-",
                                "--locks", "--no-progress", "--sample", sample, threads,  more,
                                NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    int failed =
        posix_spawn(&child, "/proc/self/exe", &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    json_t *report = failed == 0 && from != NULL ? json_loadf(from, 0, NULL) : NULL;
    if (from != NULL)
        fclose(from);
    while (failed == 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    free(dir);
    if (report != NULL && status == 0)
        return report;
    json_decref(report);
    row_failed(row, "`lido run inspect` ended with status %d", WEXITSTATUS(status));
    return NULL;
}

/* The worst class decides, of those with enough acquisitions to have a share. */
void validate_inspect_locks(struct row *row) {
    enum { ENOUGH = 100 };
    json_t *report = run_inspect(row, "600", "--threads=8", row->broken ? "--one-lock" : NULL),
           *class;
    size_t i;
    double events = 0, first_try = 1;
    const char *worst = "";
    if (report == NULL)
        return;
    json_array_foreach(json_object_get(json_object_get(report, "locks"), "classes"), i, class) {
        double of_this = json_number_value(json_object_get(class, "events_per_1000"));
        bool counts = json_integer_value(json_object_get(class, "acquired")) >= ENOUGH;
        if (counts && (worst[0] == '\0' || of_this > events)) {
            events = of_this;
            first_try = json_number_value(json_object_get(class, "first_try"));
            worst = json_string_value(json_object_get(class, "name"));
        }
    }
    json_t *all = json_object_get(report, "locks");
    row_result(row, worst[0] != '\0' && events <= 23 && first_try >= 0.987,
               "worst class \"%s\": %.2f events per 1,000, %.2f %% at the first try; of all %lld: "
               "%.2f and %.2f %%",
               worst, events, first_try * 100,
               (long long)json_integer_value(json_object_get(all, "acquired")),
               json_number_value(json_object_get(all, "events_per_1000")),
               json_number_value(json_object_get(all, "first_try")) * 100);
    json_decref(report);
}

/* ---- B4: the ring ------------------------------------------------------------------------------- */

enum { SIDES = 4, EACH = 50000, RING_ITEMS = SIDES * EACH };

void validate_ring_bounded(struct row *row) {
    enum { CAPACITY = 1024 };
    static int items[CAPACITY + 1];
    lido_ring *ring;
    void *out;
    lido_status odd = lido_ring_create(LIDO_RING_OPTIONS(.capacity = 1000), &ring);
    bool is_named = odd == LIDO_ERR_ARGUMENT && strstr(lido_last_error(), "1024") != NULL;
    int inserted = 0, in_order = 0;
    if (lido_ring_create(LIDO_RING_OPTIONS(.capacity = CAPACITY), &ring) != LIDO_OK) {
        row_failed(row, "%s", lido_last_error());
        return;
    }
    while (inserted <= CAPACITY && lido_ring_try_insert(ring, &items[inserted]) == LIDO_OK) {
        inserted++;
        if (row->broken && inserted == 1 && lido_ring_try_remove(ring, &out) != LIDO_OK)
            break;
    }
    bool is_full = lido_last_status() == LIDO_ERR_LIMIT;
    while (lido_ring_try_remove(ring, &out) == LIDO_OK)
        in_order += out == &items[in_order];
    row_result(row, is_named && is_full && inserted == CAPACITY && in_order == CAPACITY,
               "%d in%s, %d out in order; capacity 1000 %s", inserted,
               is_full ? ", then LIMIT" : "", in_order,
               is_named ? "refused, 1024 named" : "NOT refused by name");
    (void)lido_ring_destroy(ring);
}

struct side {
    lido_ring *ring;
    int number;
    bool is_forgetful;
    uint64_t taken, out_of_order;
};

static uint32_t ring_items[RING_ITEMS]; /* how often each came out; one consumer at a time has it */

static void *insert_items(void *context) {
    struct side *side = context;
    for (int i = 0; i < EACH; i++)
        if (lido_ring_insert(side->ring, &ring_items[side->number * EACH + i], LIDO_SECONDS(60)) !=
            LIDO_OK)
            return NULL;
    return NULL;
}

/* Of each producer, items come in the order in which it put them in. */
static void *remove_items(void *context) {
    struct side *side = context;
    int64_t last[SIDES] = {-1, -1, -1, -1};
    void *item;
    while (lido_ring_remove(side->ring, LIDO_SECONDS(60), &item) == LIDO_OK) {
        int64_t at = (uint32_t *)item - ring_items;
        side->out_of_order += at <= last[at / EACH];
        last[at / EACH] = at;
        ring_items[at] += !side->is_forgetful || at % 1000 != 0;
        side->taken++;
    }
    return NULL;
}

void validate_ring_exact(struct row *row) {
    struct side in[SIDES], out[SIDES];
    pthread_t producers[SIDES], consumers[SIDES];
    uint64_t wrong = 0, out_of_order = 0, taken = 0;
    lido_ring *ring;
    if (lido_ring_create(LIDO_RING_OPTIONS(.capacity = 256), &ring) != LIDO_OK) {
        row_failed(row, "%s", lido_last_error());
        return;
    }
    for (int i = 0; i < SIDES; i++) {
        in[i] = (struct side){.ring = ring, .number = i};
        out[i] = (struct side){.ring = ring, .is_forgetful = row->broken && i == 0};
        start(&producers[i], insert_items, &in[i]);
        start(&consumers[i], remove_items, &out[i]);
    }
    for (int i = 0; i < SIDES; i++)
        pthread_join(producers[i], NULL);
    lido_ring_close(ring);
    for (int i = 0; i < SIDES; i++) {
        pthread_join(consumers[i], NULL);
        out_of_order += out[i].out_of_order;
        taken += out[i].taken;
    }
    for (int i = 0; i < RING_ITEMS; i++)
        wrong += ring_items[i] != 1;
    row_result(row, wrong == 0 && out_of_order == 0 && taken == RING_ITEMS,
               "%" PRIu64 " items out, %" PRIu64 " not exactly once, %" PRIu64 " out of order",
               taken, wrong, out_of_order);
    (void)lido_ring_destroy(ring);
}

/* ---- B7: threads beside each other --------------------------------------------------------------- */

struct pairs {
    lido_object_pool *pool;
    pthread_barrier_t *begin;
    lido_mutex *mutex; /* NULL, or what is taken for each pair */
    uint64_t cpu_ns;
};

static uint64_t thread_cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void *make_pairs(void *context) {
    enum { PAIRS = 300000 };
    struct pairs *p = context;
    lido_lease lease;
    pthread_barrier_wait(p->begin);
    uint64_t begin_ns = thread_cpu_ns();
    for (int i = 0; i < PAIRS; i++) {
        bool is_held = p->mutex != NULL && lido_mutex_lock(p->mutex) == LIDO_OK;
        if (lido_object_pool_try_acquire(p->pool, &lease) == LIDO_OK)
            (void)lido_object_pool_release(p->pool, &lease);
        if (is_held)
            lido_mutex_unlock(p->mutex);
    }
    p->cpu_ns = thread_cpu_ns() - begin_ns;
    return NULL;
}

/* CPU time of the slowest of so many threads. */
static uint64_t time_pairs(lido_object_pool *pool, lido_mutex *mutex, unsigned threads) {
    struct pairs pairs[2];
    pthread_t thread[2];
    pthread_barrier_t begin;
    uint64_t most_ns = 0;
    pthread_barrier_init(&begin, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        pairs[i] = (struct pairs){pool, &begin, mutex, 0};
        start(&thread[i], make_pairs, &pairs[i]);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        most_ns = pairs[i].cpu_ns > most_ns ? pairs[i].cpu_ns : most_ns;
    }
    pthread_barrier_destroy(&begin);
    return most_ns;
}

static int make_nothing(void *context, void **object) {
    *object = context;
    return 0;
}

void validate_private(struct row *row) {
    enum { ROUNDS = 5 };
    lido_mutex mutex = LIDO_MUTEX_INIT("validate");
    lido_object_pool *pool;
    double best = 0;
    if (count_processors() < 2 || measure_sanitizer() != NULL) {
        row_not_measured(row, "%s",
                         count_processors() < 2 ? "needs two processors"
                                                : "a sanitizer's own counters are shared");
        return;
    }
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "validate", .object_limit = 64,
                                                         .create = make_nothing, .context = row),
                                &pool) != LIDO_OK ||
        lido_object_pool_prepare(pool, 64) != LIDO_OK) {
        row_failed(row, "%s", lido_last_error());
        return;
    }
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t alone_ns = time_pairs(pool, NULL, 1);
        double ratio = (double)time_pairs(pool, row->broken ? &mutex : NULL, 2) / (double)alone_ns;
        best = i == 0 || ratio < best ? ratio : best;
    }
    row_result(row, best <= 1.5, "%.2f", best);
    (void)lido_object_pool_destroy(pool);
}

void validate_affinity(struct row *row) {
    cpu_set_t all, one;
    uint32_t before = count_processors(), after;
    if (before < 2 || sched_getaffinity(0, sizeof all, &all) != 0) {
        row_not_measured(row, "needs two processors");
        return;
    }
    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    if (!row->broken)
        (void)sched_setaffinity(0, sizeof one, &one);
    json_t *report = run_inspect(row, "3", NULL, NULL);
    if (report == NULL)
        return;
    after = (uint32_t)json_integer_value(json_object_get(report, "threads"));
    row_result(row, after == 1, "%u with all processors, %u with one", before, after);
    json_decref(report);
}

void validate_scaling(struct row *row) {
    enum { THREADS = 8 };
    double wall_s[2];
    if (count_processors() < THREADS || measure_sanitizer() != NULL) {
        row_not_measured(row, "needs %d processors and no sanitizer; there are %u", THREADS,
                         count_processors());
        return;
    }
    for (int i = 0; i < 2; i++) {
        json_t *report =
            run_inspect(row, "100000", i == 0 || row->broken ? "--threads=1" : "--threads=8", NULL);
        if (report == NULL)
            return;
        wall_s[i] = json_number_value(json_object_get(report, "wall_s"));
        json_decref(report);
    }
    row_result(row, wall_s[0] >= 7.1 * wall_s[1], "%.2f (%.2f s and %.2f s)", wall_s[0] / wall_s[1],
               wall_s[0], wall_s[1]);
}
