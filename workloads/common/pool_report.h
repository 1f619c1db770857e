/* SPDX-License-Identifier: MIT
 * pool_report.h -- what an object pool has to say when a program ends: how its size moved and why,
 * and who still holds what. Taken while the pool lives, printed later. */
#ifndef POOL_REPORT_H
#define POOL_REPORT_H

#include <lido/object_figures.h>
#include <stdio.h>

enum { POOL_REPORT_CHANGES = 16, POOL_REPORT_HOLDERS = 8 };

struct pool_report {
    lido_object_pool_stats stats;
    lido_object_pool_decision change[POOL_REPORT_CHANGES];
    lido_object_pool_holder holder[POOL_REPORT_HOLDERS];
    int change_count, holder_count;
    uint64_t start_ns; /* changes are told as time since then */
};

/* NULL takes nothing. */
void pool_report_take(struct pool_report *report, const lido_object_pool *pool, uint64_t start_ns);

/* What goes on in a pool just now: who holds what since when, from which line, and at what, if
 * at_what(context, thread) knows. */
void pool_report_tell(const lido_object_pool *pool, FILE *out,
                      const char *(*at_what)(void *context, uint64_t thread_id), void *context);

/* One line for each change and each holder. */
void pool_report_print(const struct pool_report *report, FILE *out);

#endif
