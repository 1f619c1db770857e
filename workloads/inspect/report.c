/* SPDX-License-Identifier: MIT
 * report.c -- what people and scripts read at the end. */
#include "parts.h"

#include "common/json_file.h"

#include <stdlib.h>
#include <string.h>

enum { WORST_COUNT = 10, FAILED_SHOWN = 10 };

/* Findings of one kind; rules come after the eight. */
struct tally {
    const char *name;
    bool heuristic;
    uint32_t findings, places, wide; /* wide: across files */
};
typedef ARRAY(struct tally) tallies;

static void count_findings(const struct run *run, tallies *out) {
    uint32_t at = 0;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if ((run->options.kinds >> kind & 1) != 0)
            *array_push(out) = (struct tally){.name = kind_detectors[kind].name,
                                              .heuristic = kind_detectors[kind].heuristic};
    }
    for (uint32_t i = 0; i < run->rules.files.parts.count; i++)
        *array_push(out) = (struct tally){.name = run->rules.files.parts.items[i].name};
    for (uint32_t i = 0; i < run->findings.count; i++) {
        const struct finding *finding = &run->findings.items[i];
        while (strcmp(out->items[at].name, finding->kind_name) != 0)
            at = (at + 1) % out->count;
        out->items[at].findings++;
        out->items[at].places += finding->degree;
        out->items[at].wide += finding->locality > LOCALITY_MODULE;
    }
}

/* ---- For people ----------------------------------------------------------------------------- */

static void print_failures(const struct run *run, FILE *out) {
    uint32_t failed = 0;
    for (uint32_t i = 0; i < run->corpus.files.count; i++) {
        const struct source_file *file = &run->corpus.files.items[i];
        if (!file->done || file->reason == NULL)
            continue;
        if (failed++ == 0)
            fprintf(out, "\nNot analysed\n");
        char *path = printable(file->path);
        if (failed <= FAILED_SHOWN)
            fprintf(out, "  %s: %s\n", path, file->reason);
        free(path);
    }
    if (failed > FAILED_SHOWN)
        fprintf(out, "  ... and %u more (--json or --db lists all)\n", failed - FAILED_SHOWN);
}

static void print_findings(const struct run *run, FILE *out) {
    tallies found = {NULL, 0, 0};
    count_findings(run, &found);
    fprintf(out, "\nFindings, weak to strong        groups    places   across files\n");
    for (uint32_t i = 0; i < found.count; i++) {
        const struct tally *tally = &found.items[i];
        fprintf(out, "  %-26s %9u %9u %14u%s\n", tally->name, tally->findings, tally->places,
                tally->wide, tally->heuristic ? "   heuristic" : "");
    }
    free(found.items);
}

static void print_worst(const struct run *run, FILE *out) {
    uint32_t count = run->corpus.files.count;
    uint64_t *order = corpus_order(&run->corpus, true);
    for (uint32_t i = 0; i < count && i < WORST_COUNT; i++) {
        const struct source_file *file = &run->corpus.files.items[(uint32_t)order[i]];
        if (file->weight == 0)
            break;
        if (i == 0)
            fprintf(out, "\nWorst modules                                  weight    places\n");
        char *module = printable(file->module);
        fprintf(out, "  %-40s %10llu %9u\n", module, (unsigned long long)file->weight,
                file->places);
        free(module);
    }
    free(order);
}

static void print_pools(const struct run *run, FILE *out) {
    unsigned long long served = run->allocations.served, system = run->allocations.system;
    double all = (double)(served + system),
           per_file = run->crew.done > 0 ? 1e-6 / run->crew.done : 0;
    fprintf(out, "\nPools\n  detectors     %llu created",
            (unsigned long long)run->pool.stats.created);
    if (run->options.no_pool)
        fprintf(out, ", one for each file (--no-pool)\n");
    else
        fprintf(out, ", %llu most in use, %llu waits, %.1f %% re-used\n",
                (unsigned long long)run->pool.stats.live_peak,
                (unsigned long long)run->pool.stats.waits, run->pool.stats.reuse * 100);
    pool_report_print(&run->pool, out);
    fprintf(out, "  syntax trees  %.0f allocations, %.2f %% by block pools, %llu by the system\n",
            all, all > 0 ? 100 * (double)served / all : 0, system);
    fprintf(out, "  time a file   %.3f ms in detectors, %.3f ms in handing over\n",
            (double)run->detect_ns * per_file, (double)run->hand_over_ns * per_file);
}

void report_summary(const struct run *run, FILE *out) {
    fprintf(out,
            "\n%s%u file%s, %.1f MB, %u thread%s: %.2f s, %.2f s of CPU, %.0f files/s\nat most "
            "%.0f MB of memory\n",
            run->crew.interrupted ? "Interrupted: " : "", run->crew.done,
            run->crew.done == 1 ? "" : "s", (double)run->bytes / 1e6, run->crew.threads,
            run->crew.threads == 1 ? "" : "s", run->wall_s, run->used.cpu_s,
            run->crew.done / (run->wall_s + 1e-9), (double)run->used.peak_rss_bytes / 1e6);
    print_failures(run, out);
    print_findings(run, out);
    print_worst(run, out);
    print_pools(run, out);
    if (run->options.locks)
        lock_report_print(&run->locks, out);
    if (run->rules.match_limit_hits > 0)
        fprintf(out,
                "\nThe rules had more open matches in %llu files than tree-sitter follows:\n"
                "places are missing.\n",
                (unsigned long long)run->rules.match_limit_hits);
}

/* ---- For scripts ---------------------------------------------------------------------------- */

static json_t *make_failed(const struct run *run) {
    json_t *failed = json_array();
    for (uint32_t i = 0; i < run->corpus.files.count; i++) {
        const struct source_file *file = &run->corpus.files.items[i];
        char *path = storable(file->path);
        if (file->done && file->reason != NULL)
            json_array_append_new(failed,
                                  json_pack("{s:s, s:s}", "path", path, "reason", file->reason));
        free(path);
    }
    return failed;
}

static json_t *make_findings(const struct run *run) {
    json_t *findings = json_object();
    tallies found = {NULL, 0, 0};
    count_findings(run, &found);
    for (uint32_t i = 0; i < found.count; i++)
        json_object_set_new(findings, found.items[i].name, json_integer(found.items[i].findings));
    free(found.items);
    return findings;
}

bool report_json(const struct run *run, const char *path) {
    json_t *report = json_pack(
        "{s:I, s:I, s:o, s:o, s:I, s:f, s:f, s:I, s:{s:I, s:I, s:I}, s:{s:I, s:I}}", "files",
        (json_int_t)run->crew.done, "bytes", (json_int_t)run->bytes, "failed", make_failed(run),
        "findings", make_findings(run), "threads", (json_int_t)run->crew.threads, "wall_s",
        run->wall_s, "cpu_s", run->used.cpu_s, "peak_rss_bytes",
        (json_int_t)run->used.peak_rss_bytes, "detectors", "created",
        (json_int_t)run->pool.stats.created, "peak_in_use", (json_int_t)run->pool.stats.live_peak,
        "waits", (json_int_t)run->pool.stats.waits, "allocations", "served",
        (json_int_t)run->allocations.served, "system", (json_int_t)run->allocations.system);
    if (run->options.locks)
        json_object_set_new(report, "locks", lock_report_make_json(&run->locks));
    return json_write_file(report, path, JSON_REAL_PRECISION(9));
}
