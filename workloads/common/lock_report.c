/* SPDX-License-Identifier: MIT
 * lock_report.c -- see lock_report.h. */
#include "lock_report.h"

#include <inttypes.h>
#include <string.h>

enum { PAIRS_SHOWN = 8 };

bool lock_report_start(struct lock_report *report) {
    *report = (struct lock_report){NULL, NULL, NULL};
    return lido_profile_start(&report->whole) == LIDO_OK &&
           lido_profile_start(&report->first) == LIDO_OK;
}

void lock_report_half(struct lock_report *report) {
    (void)lido_profile_stop(report->first);
    (void)!lido_profile_start(&report->second); /* without it there is no second half to show */
}

void lock_report_stop(struct lock_report *report) {
    (void)lido_profile_stop(report->whole);
    if (report->second != NULL)
        (void)lido_profile_stop(report->second);
}

void lock_report_end(struct lock_report *report) {
    lido_profile_destroy(report->whole);
    lido_profile_destroy(report->first);
    lido_profile_destroy(report->second);
    *report = (struct lock_report){NULL, NULL, NULL};
}

/* ---- Figures of rows -------------------------------------------------------------------------- */

static double of(uint64_t part, uint64_t whole, double unit) {
    return whole > 0 ? (double)part * unit / (double)whole : 0;
}

static double first_try(const lido_profile_class *row) {
    return row->acquired > 0 ? 1 - of(row->contended, row->acquired, 1) : 1;
}

static double events_per_1000(const lido_profile_class *row) {
    return of(row->contended, row->acquired, 1000);
}

/* All classes as one. */
static lido_profile_class add_up(const lido_profile *profile) {
    lido_profile_class all = LIDO_PROFILE_CLASS, row = LIDO_PROFILE_CLASS;
    for (uint64_t i = 0; lido_profile_read_class(profile, i, &row); i++) {
        all.acquired += row.acquired;
        all.contended += row.contended;
        all.waits += row.waits;
        all.wait_total_ns += row.wait_total_ns;
        all.blamed_ns += row.blamed_ns;
        all.hold_samples += row.hold_samples;
        all.hold_total_ns += row.hold_total_ns;
        if (row.wait_max_ns > all.wait_max_ns)
            all.wait_max_ns = row.wait_max_ns;
    }
    return all;
}

/* ---- For people ------------------------------------------------------------------------------- */

/* A time of four digits or so in seven columns; a dash where there was nothing to time. */
static void print_time(uint64_t total_ns, uint64_t count, FILE *out) {
    double us = of(total_ns, count, 1e-3);
    if (count == 0)
        fprintf(out, " %7s", "-");
    else
        fprintf(out, " %7.*f", us < 100 ? 2 : us < 10000 ? 1 : 0, us);
}

static void print_class(const char *name, const lido_profile_class *row, bool is_sum, FILE *out) {
    double first = first_try(row) * 100;
    fprintf(out, "  %-16.16s %8" PRIu64 " %6.2f %7.2f %5" PRIu64, name, row->acquired, first,
            events_per_1000(row), row->waits);
    print_time(row->wait_total_ns, row->waits, out);
    print_time(row->wait_p99_ns, is_sum ? 0 : row->waits > 0, out);
    print_time(row->wait_max_ns, row->waits > 0, out);
    print_time(row->hold_total_ns, row->hold_samples, out);
    fputc('\n', out);
}

/* Paths fit no terminal twice: the file's name and the line. */
static const char *short_site(const char *site) {
    const char *slash = site != NULL ? strrchr(site, '/') : NULL;
    return slash != NULL ? slash + 1 : site != NULL ? site : "(not told)";
}

/* Rows with or without who waited: pairs, or blame. Returns  how many there are. */
static int print_pairs(const lido_profile *profile, bool blame, FILE *out) {
    lido_profile_pair row = LIDO_PROFILE_PAIR;
    int count = 0;
    for (uint64_t i = 0; lido_profile_read_pair(profile, i, &row); i++) {
        if ((row.waits_at == NULL) != blame || count++ >= PAIRS_SHOWN)
            continue;
        fprintf(out, "  %-15.15s", row.name);
        if (!blame)
            fprintf(out, " %6" PRIu64, row.waits);
        fprintf(out, " %9.3f  %s", (double)row.wait_ns / 1e6,
                short_site(blame ? row.held_at : row.waits_at));
        if (!blame)
            fprintf(out, " / %s", short_site(row.held_at));
        fputc('\n', out);
    }
    if (count > PAIRS_SHOWN)
        fprintf(out, "  ... and %d more (--json lists all)\n", count - PAIRS_SHOWN);
    return count;
}

void lock_report_print(const struct lock_report *report, FILE *out) {
    lido_profile_class row = LIDO_PROFILE_CLASS;
    fputs("\nLocks                      first not, of            waits, us            held,\n"
          "                     taken  try %   1,000 count    mean     p99     max      us\n",
          out);
    for (uint64_t i = 0; lido_profile_read_class(report->whole, i, &row); i++)
        print_class(row.name, &row, false, out);
    lido_profile_class all = add_up(report->whole);
    print_class("all", &all, true, out);
    if (report->second != NULL) {
        lido_profile_class early = add_up(report->first), late = add_up(report->second);
        fprintf(out, "  not at the first try, of 1,000: first half %.2f, second half %.2f\n",
                events_per_1000(&early), events_per_1000(&late));
    }
    if (all.waits == 0) {
        fputs("\nNobody slept for a lock.\n", out);
        return;
    }
    fputs("\nWho slept          times        ms  where / who held the lock, where\n", out);
    print_pairs(report->whole, false, out);
    fputs("\nBlame                    ms  while this line held the lock\n", out);
    print_pairs(report->whole, true, out);
}

/* ---- For scripts ------------------------------------------------------------------------------ */

static json_t *make_class(const lido_profile_class *row) {
    return json_pack("{s:s, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
                     row->name, "acquired", (json_int_t)row->acquired, "contended",
                     (json_int_t)row->contended, "first_try", first_try(row), "events_per_1000",
                     events_per_1000(row), "waits", (json_int_t)row->waits, "wait_total_ns",
                     (json_int_t)row->wait_total_ns, "wait_p99_ns", (json_int_t)row->wait_p99_ns,
                     "wait_max_ns", (json_int_t)row->wait_max_ns, "blamed_ns",
                     (json_int_t)row->blamed_ns, "hold_samples", (json_int_t)row->hold_samples,
                     "hold_total_ns", (json_int_t)row->hold_total_ns);
}

/* The same class in both halves, of the classes that the second half has. */
static json_t *make_halves(const struct lock_report *report) {
    lido_profile_class was = LIDO_PROFILE_CLASS, is = LIDO_PROFILE_CLASS;
    json_t *halves = json_array();
    for (uint64_t i = 0;
         report->second != NULL && lido_profile_diff(report->first, report->second, i, &was, &is);
         i++)
        json_array_append_new(
            halves,
            json_pack("{s:s, s:{s:I, s:I}, s:{s:I, s:I}}", "name", is.name, "first", "acquired",
                      (json_int_t)was.acquired, "contended", (json_int_t)was.contended, "second",
                      "acquired", (json_int_t)is.acquired, "contended", (json_int_t)is.contended));
    return halves;
}

json_t *lock_report_make_json(const struct lock_report *report) {
    lido_profile_class row = LIDO_PROFILE_CLASS, all = add_up(report->whole);
    lido_profile_pair pair = LIDO_PROFILE_PAIR;
    json_t *classes = json_array(), *pairs = json_array(), *sum = make_class(&all);
    for (uint64_t i = 0; lido_profile_read_class(report->whole, i, &row); i++)
        json_array_append_new(classes, make_class(&row));
    for (uint64_t i = 0; lido_profile_read_pair(report->whole, i, &pair); i++)
        json_array_append_new(pairs, json_pack("{s:s, s:s?, s:s?, s:I, s:I}", "name", pair.name,
                                               "waits_at", pair.waits_at, "held_at", pair.held_at,
                                               "waits", (json_int_t)pair.waits, "wait_ns",
                                               (json_int_t)pair.wait_ns));
    json_object_del(sum, "name");
    json_object_del(sum, "wait_p99_ns"); /* no sum has one */
    json_object_set_new(sum, "classes", classes);
    json_object_set_new(sum, "pairs", pairs);
    json_object_set_new(sum, "halves", make_halves(report));
    return sum;
}
