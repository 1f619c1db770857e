/* SPDX-License-Identifier: MIT
 * report.c -- what people and scripts read at the end. */
#include "run.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORST_COUNT = 10, FAILED_SHOWN = 10, BAR_WIDTH = 30 };

void report_progress(const struct run *run, uint32_t done, double seconds, bool on_terminal) {
    static uint32_t told; /* tenths that have been told, where there is no terminal */
    uint32_t total = run->corpus.work_count;
    double share = total > 0 ? (double)done / total : 1, rate = done / (seconds + 1e-9);
    if (on_terminal) {
        int filled = (int)(share * BAR_WIDTH);
        fprintf(stderr, "\r[%.*s%*s] %3.0f %%  %u of %u files, %.0f files/s ", filled,
                "##############################", BAR_WIDTH - filled, "", share * 100, done, total,
                rate);
        if (done == total)
            fprintf(stderr, "\n");
    } else if ((uint32_t)(share * 10) > told) {
        told = (uint32_t)(share * 10);
        fprintf(stderr, "inspect: %u of %u files, %.0f files/s\n", done, total, rate);
    }
}

/* ---- For people ----------------------------------------------------------------------------- */

static void print_failures(const struct run *run, FILE *out) {
    uint32_t shown = 0;
    if (run->failed == 0)
        return;
    fprintf(out, "\nNot analysed (%u)\n", run->failed);
    for (uint32_t i = 0; i < run->corpus.failures.count; i++) {
        char *path = printable(run->corpus.failures.items[i].path);
        if (shown++ < FAILED_SHOWN)
            fprintf(out, "  %s: %s\n", path, run->corpus.failures.items[i].reason);
        free(path);
    }
    for (uint32_t i = 0; i < run->corpus.files.count; i++) {
        if (run->groups.files[i].reason == NULL)
            continue;
        char *path = printable(run->corpus.files.items[i].path);
        if (shown++ < FAILED_SHOWN)
            fprintf(out, "  %s: %s\n", path, run->groups.files[i].reason);
        free(path);
    }
    if (shown > FAILED_SHOWN)
        fprintf(out, "  ... and %u more (--json or --db lists all)\n", shown - FAILED_SHOWN);
}

/* Findings and places of one kind; rules come after the eight. */
struct tally {
    const char *name;
    uint32_t findings, places, local; /* local: within one file */
    uint8_t strength;
    bool heuristic;
};

typedef ARRAY(struct tally) tallies;

static void count_findings(const struct run *run, tallies *out) {
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if ((run->options->kinds >> kind & 1) != 0)
            *array_push(out) = (struct tally){
                kind_detectors[kind].name,     0, 0, 0, kind_detectors[kind].strength,
                kind_detectors[kind].heuristic};
    }
    for (uint32_t i = 0; i < run->rules.rules.count; i++)
        *array_push(out) = (struct tally){run->rules.rules.items[i].name, 0, 0, 0, 0, true};
    for (uint32_t i = 0, at = 0; i < run->groups.findings.count; i++) {
        const struct finding *finding = &run->groups.findings.items[i];
        const char *name = finding_kind_name(&run->groups, finding);
        for (uint32_t tried = 0; tried < out->count && strcmp(out->items[at].name, name) != 0;
             tried++)
            at = (at + 1) % out->count;
        out->items[at].findings++;
        out->items[at].places += finding->degree;
        out->items[at].local += finding->locality <= LOCALITY_MODULE;
    }
}

static void print_findings(const struct run *run, FILE *out) {
    tallies found = {NULL, 0, 0};
    count_findings(run, &found);
    fprintf(out, "\nFindings, weak to strong        groups    places   across files\n");
    for (uint32_t i = 0; i < found.count; i++) {
        const struct tally *tally = &found.items[i];
        fprintf(out, "  %-26s %9u %9u %14u%s\n", tally->name, tally->findings, tally->places,
                tally->findings - tally->local,
                tally->strength > 0 && tally->heuristic ? "   heuristic" : "");
    }
    free(found.items);
}

static int heavier(const void *a, const void *b, void *context) {
    const struct file_result *files = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (files[x].weight != files[y].weight)
        return files[x].weight < files[y].weight ? 1 : -1;
    return x < y ? -1 : x > y;
}

static void print_worst(const struct run *run, FILE *out) {
    uint32_t count = run->corpus.files.count;
    uint32_t *order = must_realloc(NULL, count * sizeof *order);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof *order, heavier, run->groups.files);
    if (count > 0 && run->groups.files[order[0]].weight > 0)
        fprintf(out, "\nWorst modules                                  weight    places\n");
    for (uint32_t i = 0; i < count && i < WORST_COUNT; i++) {
        const struct file_result *result = &run->groups.files[order[i]];
        if (result->weight == 0)
            break;
        char *module = printable(run->corpus.files.items[order[i]].module);
        fprintf(out, "  %-40s %10llu %9u\n", module, (unsigned long long)result->weight,
                result->places);
        free(module);
    }
    free(order);
}

static void print_pools(const struct run *run, FILE *out) {
    const lido_object_pool_stats *pool = &run->detector_stats;
    uint64_t served = run->allocations.served, all = served + run->allocations.system;
    double per_file = run->done > 0 ? 1e-6 / run->done : 0;
    fprintf(out, "\nPools\n");
    if (run->options->no_pool)
        fprintf(out, "  detectors     %llu created, one for each file (--no-pool)\n",
                (unsigned long long)pool->created);
    else
        fprintf(out,
                "  detectors     %llu created, %llu most in use, %llu waits, %.1f %% re-used\n",
                (unsigned long long)pool->created, (unsigned long long)pool->live_peak,
                (unsigned long long)pool->waits, pool->reuse * 100);
    fprintf(out,
            "  syntax trees  %llu allocations, %.2f %% of them served by block pools, %llu by the "
            "system\n",
            (unsigned long long)all, all > 0 ? 100.0 * (double)served / (double)all : 100.0,
            (unsigned long long)run->allocations.system);
    fprintf(out, "  time a file   %.3f ms in detectors, %.3f ms in handing over\n",
            (double)run->detect_ns * per_file, (double)run->hand_over_ns * per_file);
}

void report_summary(const struct run *run, FILE *out) {
    fprintf(
        out,
        "\n%s%u files, %.1f MB, %u threads: %.2f s, %.2f s of CPU, %.0f files/s, at most %.0f MB\n",
        run->interrupted ? "Interrupted: " : "", run->done, (double)run->bytes / 1e6,
        run->options->threads, run->wall_s, run->cpu_s, run->done / (run->wall_s + 1e-9),
        (double)run->peak_rss_bytes / 1e6);
    print_failures(run, out);
    print_findings(run, out);
    print_worst(run, out);
    print_pools(run, out);
    if (run->rules.match_limit_hits > 0)
        fprintf(
            out,
            "\nA rule found more open matches in %llu files than tree-sitter follows; some of its "
            "places are missing.\n",
            (unsigned long long)run->rules.match_limit_hits);
}

/* ---- For scripts ---------------------------------------------------------------------------- */

static void add_failure(json_t *failed, const char *path, const char *reason) {
    char *text = storable(path);
    json_array_append_new(failed, json_pack("{s:s, s:s}", "path", text, "reason", reason));
    free(text);
}

static json_t *make_failed(const struct run *run) {
    json_t *failed = json_array();
    for (uint32_t i = 0; i < run->corpus.failures.count; i++)
        add_failure(failed, run->corpus.failures.items[i].path,
                    run->corpus.failures.items[i].reason);
    for (uint32_t i = 0; i < run->corpus.files.count; i++) {
        if (run->groups.files[i].reason != NULL)
            add_failure(failed, run->corpus.files.items[i].path, run->groups.files[i].reason);
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
        (json_int_t)run->done + run->corpus.failures.count, "bytes", (json_int_t)run->bytes,
        "failed", make_failed(run), "findings", make_findings(run), "threads",
        (json_int_t)run->options->threads, "wall_s", run->wall_s, "cpu_s", run->cpu_s,
        "peak_rss_bytes", (json_int_t)run->peak_rss_bytes, "detectors", "created",
        (json_int_t)run->detector_stats.created, "peak_in_use",
        (json_int_t)run->detector_stats.live_peak, "waits", (json_int_t)run->detector_stats.waits,
        "allocations", "served", (json_int_t)run->allocations.served, "system",
        (json_int_t)run->allocations.system);
    bool to_stdout = strcmp(path, "-") == 0;
    FILE *out = to_stdout ? stdout : fopen(path, "we");
    bool good = report != NULL && out != NULL &&
                json_dumpf(report, out,
                           JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) == 0 &&
                fputc('\n', out) != EOF && fflush(out) == 0;
    int error = errno;
    if (out != NULL && !to_stdout && fclose(out) != 0)
        good = false;
    json_decref(report);
    errno = good ? 0 : error;
    return good;
}
