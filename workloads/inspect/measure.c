/* SPDX-License-Identifier: MIT
 * measure.c -- one number of a run for `lido bench inspect`, which starts lido once for each. */
#include "parts.h"

#include <string.h>

enum { CPU, PARSE, HAND_OVER, RSS, SYSTEM, READY, RULES, MEASURE_COUNT };
static const char *const names[] = {"cpu", "parse", "hand-over", "rss", "system", "ready", "rules"};

static int find(const char *name) {
    int measure = 0;
    while (measure < MEASURE_COUNT && strcmp(names[measure], name) != 0)
        measure++;
    return measure;
}

int measure_check(const struct options *options) {
    enum { NO_SUCH_FIGURE = 77 }; /* lido bench knows it */
    int measure = find(options->measure);
    if (measure == MEASURE_COUNT) {
        fprintf(stderr, "lido run inspect: --measure is '%s', must be one of", options->measure);
        for (int i = 0; i < MEASURE_COUNT; i++)
            fprintf(stderr, " %s%s", names[i], i + 1 < MEASURE_COUNT ? "" : "\n");
        return EXIT_USAGE;
    }
    bool fits =
        (measure == CPU || !options->no_pool) && (measure == RULES || !options->share_rules) &&
        (measure == PARSE || !options->plain_malloc) && (measure == READY || !options->serial);
    return fits ? EXIT_DONE : NO_SUCH_FIGURE;
}

static bool build_detectors(void *context, void *item) {
    struct run *run = context;
    (void)item; /* all threads share the work */
    return lido_object_pool_prepare(run->detectors, run->options.detectors) == LIDO_OK;
}

bool measure_getting_ready(struct run *run) {
    uint32_t threads = run->options.serial ? 1 : count_processors();
    char items[UINT8_MAX] = {0};
    struct crew crew = {.name = "inspect",
                        .silent = true,
                        .threads = threads,
                        .items = items,
                        .item_bytes = 1,
                        .count = threads < UINT8_MAX ? threads : UINT8_MAX,
                        .work = build_detectors,
                        .end_thread = pooled_malloc_thread_end,
                        .context = run};
    lido_object_pool_trim(run->detectors, 0);
    uint64_t begin_ns = lido_now_ns();
    bool good = crew_run(&crew) == NULL && crew.done == crew.count;
    run->detect_ns = lido_now_ns() - begin_ns;
    return good;
}

void measure_print(const struct run *run) {
    double done = run->crew.done > 0 ? run->crew.done : 1;
    double all = (double)run->allocations.served + (double)run->allocations.system + 1e-9;
    double figures[] = {[CPU] = run->used.cpu_s * 1e3 / done,
                        [PARSE] = run->used.cpu_s * 1e3 / done,
                        [RULES] = run->used.cpu_s * 1e3 / done,
                        [HAND_OVER] = (double)run->hand_over_ns / 1e6 / done,
                        [RSS] = (double)run->used.peak_rss_bytes / 1e6,
                        [SYSTEM] = 1000 * (double)run->allocations.system / all,
                        [READY] = (double)run->detect_ns / 1e6};
    printf("%.6f\n", figures[find(run->options.measure)]);
}
