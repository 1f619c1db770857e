/* SPDX-License-Identifier: MIT
 * See pool_report.h. */
#include "common/pool_report.h"

#include "common/wrap.h"

#include <inttypes.h>
#include <string.h>

void pool_report_take(struct pool_report *report, const lido_object_pool *pool, uint64_t start_ns) {
    lido_object_pool_decision change = LIDO_OBJECT_POOL_DECISION;
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    *report = (struct pool_report){.start_ns = start_ns};
    report->stats.struct_size = sizeof report->stats;
    if (pool == NULL || lido_object_pool_read_stats(pool, &report->stats) != LIDO_OK)
        return;
    while (report->change_count < POOL_REPORT_CHANGES &&
           lido_object_pool_next_decision(pool, change.number, &change))
        report->change[report->change_count++] = change;
    for (uint64_t i = 0; report->holder_count < POOL_REPORT_HOLDERS &&
                         lido_object_pool_next_holder(pool, i, &holder);
         i = holder.slot + 1)
        report->holder[report->holder_count++] = holder;
}

static double seconds(const struct pool_report *report, const lido_object_pool_decision *change) {
    return change->when_ns > report->start_ns ? (double)(change->when_ns - report->start_ns) / 1e9
                                              : 0;
}

/* In one direction for one reason: a burst that needs six more objects is one thing to read. */
static bool is_same_move(const lido_object_pool_decision *a, const lido_object_pool_decision *b) {
    return strcmp(a->reason, b->reason) == 0 && (a->from < a->to) == (b->from < b->to);
}

static void print_changes(const struct pool_report *report, int first, int last, FILE *out) {
    const lido_object_pool_decision *from = &report->change[first], *to = &report->change[last];
    char steps[64] = "", until[32] = "";
    if (last > first) {
        snprintf(steps, sizeof steps, " in %d steps", last - first + 1);
        snprintf(until, sizeof until, " to %.3f", seconds(report, to));
    }
    wrap_format(out, 6, "    size %" PRIu64 " -> %" PRIu64 "%s at %.3f%s s: %s", from->from, to->to,
                steps, seconds(report, from), until, to->reason);
}

static void print_holder(const lido_object_pool_holder *h, FILE *out) {
    fprintf(out, "    held since %.3f s by thread %" PRIu64 " from %s\n", (double)h->held_ns / 1e9,
            h->thread_id, h->site ? h->site : "an unknown line");
}

void pool_report_tell(const lido_object_pool *pool, FILE *out,
                      const char *(*at_what)(void *context, uint64_t thread_id), void *context) {
    lido_object_pool_holder holder = LIDO_OBJECT_POOL_HOLDER;
    lido_object_pool_stats s = {.struct_size = sizeof s};
    (void)lido_object_pool_read_stats(pool, &s);
    fprintf(out,
            "  detectors: %" PRIu64 " of %" PRIu64 " in use, %" PRIu64
            " thread%s waiting for one\n",
            s.live, s.size, s.waiting, s.waiting == 1 ? "" : "s");
    for (uint64_t i = 0; lido_object_pool_next_holder(pool, i, &holder); i = holder.slot + 1) {
        const char *what = at_what(context, holder.thread_id);
        print_holder(&holder, out);
        if (what != NULL)
            fprintf(out, "      at %s\n", what);
    }
}

void pool_report_print(const struct pool_report *report, FILE *out) {
    for (int i = 0, last; i < report->change_count; i = last + 1) {
        for (last = i; last + 1 < report->change_count &&
                       is_same_move(&report->change[last], &report->change[last + 1]);)
            last++;
        print_changes(report, i, last, out);
    }
    for (int i = 0; i < report->holder_count; i++)
        print_holder(&report->holder[i], out);
}
