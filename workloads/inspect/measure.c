/* SPDX-License-Identifier: MIT
 * measure.c -- one number of a run for `lido bench inspect`, which starts lido once for each. */
#include "parts.h"

#include "common/processors.h"

#include <string.h>

enum { CPU, PARSE, HAND_OVER, RSS, SYSTEM, READY, RULES, MEASURE_COUNT };
static const char *const names[] = {"cpu", "parse", "hand-over", "rss", "system", "ready", "rules"};

static int find(const char *name) {
    int measure = 0;
    while (measure < MEASURE_COUNT && strcmp(names[measure], name) != 0)
        measure++;
    return measure;
}

bool measure_is_known(const char *name) {
    return find(name) < MEASURE_COUNT;
}

bool measure_fits(const struct options *options) {
    int measure = find(options->measure);
    return (measure == CPU || !options->no_pool) && (measure == RULES || !options->share_rules) &&
           (measure == PARSE || !options->plain_malloc) && (measure == READY || !options->serial);
}

static void *build_detectors(void *context) {
    struct run *run = context;
    lido_status status = lido_object_pool_prepare(run->detectors, run->options.detectors);
    pthread_mutex_lock(&run->lock);
    if (status != LIDO_OK)
        snprintf(run->failure, sizeof run->failure, "%s", lido_last_error());
    pthread_mutex_unlock(&run->lock);
    pooled_malloc_thread_end();
    return NULL;
}

bool measure_getting_ready(struct run *run) {
    enum { BUILDERS = 64 };
    pthread_t threads[BUILDERS];
    uint32_t wanted = run->options.serial ? 1 : count_processors(), started = 0;
    lido_object_pool_trim(run->detectors, 0);
    uint64_t begin_ns = lido_now_ns();
    while (started + 1 < wanted && started < BUILDERS &&
           pthread_create(&threads[started], NULL, build_detectors, run) == 0)
        started++;
    build_detectors(run);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    run->detect_ns = lido_now_ns() - begin_ns;
    return run->failure[0] == '\0';
}

void measure_print(const struct run *run) {
    double done = run->done > 0 ? run->done : 1;
    double all = (double)run->allocations.served + (double)run->allocations.system + 1e-9;
    double figures[] = {[CPU] = run->cpu_s * 1e3 / done,
                        [PARSE] = run->cpu_s * 1e3 / done,
                        [RULES] = run->cpu_s * 1e3 / done,
                        [HAND_OVER] = (double)run->hand_over_ns / 1e6 / done,
                        [RSS] = (double)run->peak_rss_bytes / 1e6,
                        [SYSTEM] = 1000 * (double)run->allocations.system / all,
                        [READY] = (double)run->detect_ns / 1e6};
    printf("%.6f\n", figures[find(run->options.measure)]);
}
