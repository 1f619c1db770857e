/* SPDX-License-Identifier: MIT
 * measure.c -- one number of a run for `lido bench inspect`, which starts lido once for each. */
#include "run.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"cpu", "hand-over", "rss", "system", "ready"};
enum { CPU, HAND_OVER, RSS, SYSTEM, READY, MEASURE_COUNT };

static int find(const char *name) {
    int measure = 0;
    while (measure < MEASURE_COUNT && strcmp(names[measure], name) != 0)
        measure++;
    return measure;
}

bool measure_is_known(const char *name) {
    if (find(name) < MEASURE_COUNT)
        return true;
    fprintf(stderr,
            "lido run inspect: --measure is '%s', must be cpu, hand-over, rss, system or ready\n",
            name);
    return false;
}

static void *build_detectors(void *context) {
    struct run *run = context;
    if (lido_object_pool_prepare(run->detectors, run->options->detectors) != LIDO_OK) {
        pthread_mutex_lock(&run->lock);
        snprintf(run->failure, sizeof run->failure, "%s", lido_last_error());
        pthread_mutex_unlock(&run->lock);
    }
    alloc_thread_end();
    return NULL;
}

bool measure_getting_ready(struct run *run) {
    enum { BUILDERS = 64 };
    pthread_t threads[BUILDERS];
    uint32_t wanted = run->options->serial ? 1 : count_processors(), started = 0;
    lido_object_pool_trim(run->detectors, 0);
    uint64_t begin_ns = lido_now_ns();
    for (; started + 1 < wanted && started < BUILDERS; started++) {
        if (pthread_create(&threads[started], NULL, build_detectors, run) != 0)
            break;
    }
    build_detectors(run);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    run->detect_ns = lido_now_ns() - begin_ns;
    return run->failure[0] == '\0';
}

void measure_print(const struct run *run) {
    double done = run->done > 0 ? run->done : 1;
    double all = (double)run->allocations.served + (double)run->allocations.system;
    switch (find(run->options->measure)) {
    case CPU:
        printf("%.6f\n", run->cpu_s * 1e3 / done);
        break;
    case HAND_OVER:
        printf("%.6f\n", (double)run->hand_over_ns / 1e6 / done);
        break;
    case RSS:
        printf("%.3f\n", (double)run->peak_rss_bytes / 1e6);
        break;
    case SYSTEM:
        printf("%.3f\n", 1000 * (double)run->allocations.system / (all > 0 ? all : 1));
        break;
    default:
        printf("%.3f\n", (double)run->detect_ns / 1e6);
        break;
    }
}
