/* SPDX-License-Identifier: MIT
 * The bar is drawn ten times a second at most, and cleared when a run is over. */
#include "arena/progress.h"

#include <inttypes.h>
#include <stdio.h>

void arena_progress_start(struct arena_progress *progress, enum arena_variant variant) {
    progress->run++;
    progress->variant = arena_variant_name[variant];
    progress->started_ns = progress->shown_ns = lido_now_ns();
}

void arena_progress_show(void *context, uint64_t tick) {
    struct arena_progress *p = context;
    uint64_t now_ns = lido_now_ns();
    if (p->silent || !p->terminal || now_ns - p->shown_ns < LIDO_MILLISECONDS(100))
        return;
    p->shown_ns = now_ns;
    enum { CELLS = 24 };
    char bar[CELLS + 1];
    for (uint64_t c = 0; c < CELLS; c++)
        bar[c] = c < tick * CELLS / p->ticks ? '#' : '.';
    bar[CELLS] = '\0';
    fprintf(stderr, "\r\033[Karena %" PRIu64 "/%" PRIu64 " %-9s [%s] %3.0f %%  %.0f ticks/s",
            p->run, p->runs, p->variant, bar, 100 * (double)tick / (double)p->ticks,
            (double)tick / ((double)(now_ns - p->started_ns) * 1e-9));
    fflush(stderr);
}

void arena_progress_end(const struct arena_progress *p, const struct arena_run *run) {
    if (p->silent)
        return;
    if (p->terminal)
        fputs("\r\033[K", stderr);
    else if (run->done)
        fprintf(stderr, "arena %" PRIu64 "/%" PRIu64 " %s: %.3f s of CPU, %.0f ticks/s\n", p->run,
                p->runs, p->variant, run->total_s, (double)p->ticks / run->total_s);
}
