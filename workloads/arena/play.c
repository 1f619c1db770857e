/* SPDX-License-Identifier: MIT
 * A run lives in memory that a child shares with its parent: figures, world and the series of ticks. */
#include "arena/play.h"

#include "common/rounds.h"
#include "swarm/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

const char *const arena_variant_name[ARENA_VARIANT_COUNT] = {"malloc", "free-list", "array",
                                                             "bitmap", "lido"};

struct shared {
    struct arena_run run;
    struct arena_world world;
    double *tick_us; /* both behind this structure */
    uint64_t *sums;
};

static bool open_store(struct arena_store *store, enum arena_variant variant) {
    switch (variant) {
    case ARENA_MALLOC:
    case ARENA_FREE_LIST:
        return arena_open_list(store, variant == ARENA_FREE_LIST);
    case ARENA_ARRAY:
        return arena_open_array(store);
    case ARENA_BITMAP:
        return arena_open_bitmap(store);
    default:
        return arena_open_lido(store);
    }
}

static double thread_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void tick_all(struct shared *s, const struct arena_store *store,
                     const struct arena_options *options, const struct arena_watcher *watcher) {
    uint64_t warm = options->ticks / 2 < ARENA_WARM_TICKS ? options->ticks / 2 : ARENA_WARM_TICKS;
    uint64_t start_faults = measure_now().faults, warm_faults = start_faults;
    s->run.adds_up = true;
    for (uint64_t t = 0; t < options->ticks && !s->world.failed; t++) {
        if (t == warm)
            warm_faults = measure_now().faults;
        double start_us = thread_us();
        arena_tick(&s->world, store);
        s->tick_us[t] = thread_us() - start_us;
        bool is_checked = (t + 1) % ARENA_CHECK_TICKS == 0 || t + 1 == options->ticks;
        s->sums[t] = is_checked ? arena_checksum(&s->world, store) : s->world.events;
        s->run.adds_up = s->run.adds_up && arena_adds_up(&s->world, store);
        s->run.total_s += s->tick_us[t] * 1e-6;
        if (watcher != NULL && t % 64 == 0)
            watcher->progress(watcher->context, t);
    }
    uint64_t end_faults = measure_now().faults;
    s->run.faults = end_faults - start_faults;
    s->run.faults_late = end_faults - warm_faults;
}

static void read_figures(struct shared *s, const struct arena_store *store, bool is_lido) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    s->run.peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    s->run.peaks_agree = true;
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        enum arena_kind kind = (enum arena_kind)k;
        s->run.of[k].spawned = s->world.of[k].spawned;
        s->run.of[k].ended = s->world.of[k].ended;
        s->run.of[k].refused = s->world.of[k].refused;
        s->run.of[k].live_peak = s->world.of[k].live_peak;
        s->run.of[k].dropped = store->dropped(store->self, kind);
        s->run.of[k].live = store->count(store->self, kind);
        s->run.of[k].made = store->made(store->self, kind);
        if (is_lido) {
            s->run.pool[k] = arena_lido_stats(store, kind);
            s->run.peaks_agree =
                s->run.peaks_agree && s->run.pool[k].live_peak == s->run.of[k].live_peak;
        }
    }
}

/* In the child. */
static void play(struct shared *s, const struct arena_options *options, enum arena_variant variant,
                 const struct arena_watcher *watcher) {
    struct arena_store store;
    s->world.seed = options->seed;
    if (!open_store(&store, variant)) {
        snprintf(s->run.error, sizeof s->run.error, "no memory for the %s variant: %s",
                 arena_variant_name[variant],
                 variant == ARENA_LIDO ? lido_last_error() : "the system refused");
        return;
    }
    tick_all(s, &store, options, watcher);
    read_figures(s, &store, variant == ARENA_LIDO);
    s->run.done = !s->world.failed;
    if (s->world.failed)
        snprintf(s->run.error, sizeof s->run.error, "the %s variant refused to spawn in tick %llu",
                 arena_variant_name[variant], (unsigned long long)s->world.tick);
    store.close(store.self);
}

/* ---- Apart --------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the ticks that it is given. */
static void read_quantiles(struct arena_run *run, double *tick_us, uint64_t ticks) {
    qsort(tick_us, ticks, sizeof *tick_us, by_size);
    run->p50_us = tick_us[ticks / 2];
    run->p99_us = tick_us[ticks * 99 / 100];
    run->p999_us = tick_us[ticks * 999 / 1000];
    run->worst_us = tick_us[ticks - 1];
}

struct job {
    struct shared *shared;
    const struct arena_options *options;
    enum arena_variant variant;
    const struct arena_watcher *watcher;
};

/* No page faults later, while faults are counted. */
static void play_apart(void *context) {
    struct job *job = context;
    struct shared *s = job->shared;
    memset(s->tick_us, 0, job->options->ticks * (sizeof *s->tick_us + sizeof *s->sums));
    memset(&s->world, 0, sizeof s->world);
    play(s, job->options, job->variant, job->watcher);
}

int arena_play(const struct arena_options *options, enum arena_variant variant,
               const struct arena_watcher *watcher, struct arena_run *run, double *tick_us,
               uint64_t *sums) {
    size_t series = options->ticks * sizeof(double);
    size_t bytes = sizeof(struct shared) + 2 * series;
    *run = (struct arena_run){.error = "no memory for a process of its own"};
    struct shared *s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return 0;
    memset(s, 0, bytes);
    s->tick_us = (double *)(void *)(s + 1);
    s->sums = (uint64_t *)(void *)(s->tick_us + options->ticks);
    int ended_by = rounds_play_apart(play_apart, &(struct job){s, options, variant, watcher});
    if (ended_by >= 0) {
        *run = s->run;
        memcpy(tick_us, s->tick_us, series);
        memcpy(sums, s->sums, series);
        if (ended_by != 0)
            snprintf(run->error, sizeof run->error, "the process of the %s variant ended by %s",
                     arena_variant_name[variant], strsignal(ended_by));
        run->done = run->done && ended_by == 0;
        if (run->done)
            read_quantiles(run, s->tick_us, options->ticks);
    }
    munmap(s, bytes);
    return ended_by;
}
