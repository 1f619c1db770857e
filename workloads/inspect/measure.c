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

static bool build_detector(void *context, uint32_t item) {
    struct run *run = context;
    return lido_object_pool_prepare(run->detectors, item + 1) == LIDO_OK;
}

static void end_thread(void *context) {
    (void)context;
    pooled_malloc_thread_end();
}

bool measure_getting_ready(struct run *run) {
    struct crew crew = {.name = "inspect",
                        .silent = true,
                        .threads = run->options.serial ? 1 : count_processors(),
                        .count = run->options.detectors,
                        .work = build_detector,
                        .end_thread = end_thread,
                        .context = run};
    lido_object_pool_trim(run->detectors, 0);
    uint64_t begin_ns = lido_now_ns();
    bool good = crew_run(&crew) == 0 && crew.done == crew.count;
    run->detect_ns = lido_now_ns() - begin_ns;
    return good;
}

void measure_print(const struct run *run) {
    double done = run->crew.done > 0 ? run->crew.done : 1;
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
