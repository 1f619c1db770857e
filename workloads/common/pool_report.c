/* SPDX-License-Identifier: MIT
 * See pool_report.h. */
#include "common/pool_report.h"

#include <inttypes.h>

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

void pool_report_print(const struct pool_report *report, FILE *out) {
    for (int i = 0; i < report->change_count; i++) {
        const lido_object_pool_decision *c = &report->change[i];
        double seconds =
            c->when_ns > report->start_ns ? (double)(c->when_ns - report->start_ns) / 1e9 : 0;
        fprintf(out, "    size %" PRIu64 " -> %" PRIu64 " at %.3f s: %s\n", c->from, c->to, seconds,
                c->reason);
    }
    for (int i = 0; i < report->holder_count; i++) {
        const lido_object_pool_holder *h = &report->holder[i];
        fprintf(out, "    held since %.3f s by thread %" PRIu64 " from %s\n",
                (double)h->held_ns / 1e9, h->thread_id, h->site ? h->site : "an unknown line");
    }
}
