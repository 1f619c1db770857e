/* SPDX-License-Identifier: MIT
 * The bar is drawn ten times a second at most, and cleared when a run is over. */
#include "swarm/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void swarm_progress_open(struct swarm_progress *progress, bool silent, uint64_t runs,
                         uint64_t iterations) {
    *progress = (struct swarm_progress){
        .silent = silent, .terminal = isatty(2) != 0, .runs = runs, .iterations = iterations};
}

void swarm_progress_start(struct swarm_progress *progress, enum swarm_variant variant) {
    progress->run++;
    progress->variant = swarm_variant_name[variant];
    progress->started_ns = progress->shown_ns = lido_now_ns();
}

static double seconds_since(uint64_t start_ns) {
    return (double)(lido_now_ns() - start_ns) * 1e-9;
}

void swarm_progress_show(void *context, uint64_t iteration, double best) {
    struct swarm_progress *p = context;
    if (p->silent || !p->terminal || seconds_since(p->shown_ns) < 0.1)
        return;
    p->shown_ns = lido_now_ns();
    enum { cells = 24 };
    char bar[cells + 1];
    uint64_t full = iteration * cells / p->iterations;
    for (uint64_t c = 0; c < cells; c++)
        bar[c] = c < full ? '#' : '.';
    bar[cells] = '\0';
    fprintf(stderr, "\r\033[Kswarm %" PRIu64 "/%" PRIu64 " %-11s [%s] %3.0f %%  %.0f/s  best %.3g",
            p->run, p->runs, p->variant, bar, 100 * (double)iteration / (double)p->iterations,
            (double)iteration / seconds_since(p->started_ns), best);
    fflush(stderr);
}

void swarm_progress_end(struct swarm_progress *p, const struct swarm_run *run) {
    if (p->silent)
        return;
    if (p->terminal)
        fputs("\r\033[K", stderr);
    else if (run->done)
        fprintf(stderr, "swarm %" PRIu64 "/%" PRIu64 " %s: %.3f s of CPU, %.0f iterations/s\n",
                p->run, p->runs, p->variant, run->cpu_s, (double)p->iterations / run->cpu_s);
}
