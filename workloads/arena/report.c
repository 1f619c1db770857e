/* SPDX-License-Identifier: MIT
 * The table for people and the same figures as JSON. Ratios are taken within a round, where both
 * sides met the same machine, and shown with their spread. */
#include "arena/report.h"

#include "common/json_file.h"
#include "common/rounds.h"
#include "common/wrap.h"
#include "swarm/measure.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- Figures ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A figure of a run, told by where it lies in struct arena_run. */
static double figure(const struct arena_run *run, size_t offset) {
    double value;
    memcpy(&value, (const char *)run + offset, sizeof value);
    return value;
}

/* A figure over the rounds, as it is or (to >= 0) divided by that of another variant. */
static struct arena_spread spread(const struct arena_session *session, int variant, int to,
                                  size_t offset) {
    double *values = calloc(session->rounds, sizeof *values);
    if (values == NULL)
        return (struct arena_spread){0, 0, 0};
    for (uint64_t round = 0; round < session->rounds; round++) {
        values[round] = figure(arena_session_run(session, round, variant), offset);
        if (to >= 0)
            values[round] /= figure(arena_session_run(session, round, to), offset);
    }
    qsort(values, session->rounds, sizeof *values, by_size);
    uint64_t count = session->rounds;
    struct arena_spread result = {(values[count / 2] + values[(count - 1) / 2]) / 2, values[0],
                                  values[count - 1]};
    free(values);
    return result;
}

#define SPREAD(session, variant, to, name)                                                         \
    spread(session, variant, to, offsetof(struct arena_run, name))

static const struct arena_run *last_run(const struct arena_session *session, int variant) {
    return arena_session_run(session, session->rounds - 1, variant);
}

static const struct arena_run *any_run(const struct arena_session *session) {
    int v = 0;
    while (!session->runs_variant[v])
        v++;
    return last_run(session, v);
}

/* The share of spawns for which no memory was asked for. */
static double avoided(const struct arena_run *run) {
    uint64_t made = 0, spawned = 0;
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        made += run->of[k].made;
        spawned += run->of[k].spawned;
    }
    return spawned > made ? 1 - (double)made / (double)spawned : 0;
}

/* The pools' own figure, over all of them. */
static double reuse(const struct arena_run *run) {
    double reused = 0, acquired = 0;
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        reused += run->pool[k].reuse * (double)run->pool[k].acquired;
        acquired += (double)run->pool[k].acquired;
    }
    return acquired > 0 ? reused / acquired : 1;
}

/* ---- Terminal ------------------------------------------------------------------------------ */

static void print_variant(const struct arena_session *session, int v, FILE *out) {
    char faults[32];
    const struct arena_run *last = last_run(session, v);
    fprintf(out, "  %-9s %7.2f %6.1f %6.1f %6.1f", arena_variant_name[v],
            SPREAD(session, v, -1, total_s).median, SPREAD(session, v, -1, p50_us).median,
            SPREAD(session, v, -1, p99_us).median, SPREAD(session, v, -1, p999_us).median);
    if (session->runs_variant[ARENA_ARRAY]) {
        struct arena_spread ratio = SPREAD(session, v, ARENA_ARRAY, p50_us);
        fprintf(out, " %4.2f (%.2f..%.2f)", ratio.median, ratio.min, ratio.max);
    } else {
        fprintf(out, " %17s", "-");
    }
    fprintf(out, " %7s %5.1f %5.1f %%\n", rounds_grouped(last->faults_late, faults),
            (double)last->peak_bytes / (1024 * 1024), 100 * avoided(last));
}

static void print_kinds(const struct arena_session *session, FILE *out) {
    const struct arena_run *run = any_run(session);
    fprintf(out, "\n  %-14s %6s  %-11s %10s %9s %7s %6s %6s\n", "", "cap", "policy", "spawned",
            "dropped", "refused", "most", "live");
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        char spawned[32], dropped[32], refused[32], peak[32], live[32];
        const struct arena_rule *rule = &arena_rule[k];
        fprintf(out, "  %-14s %6u  %-11s %10s %9s %7s %6s %6s\n", rule->name, rule->cap,
                arena_policy_name[rule->policy], rounds_grouped(run->of[k].spawned, spawned),
                rounds_grouped(run->of[k].dropped, dropped),
                rounds_grouped(run->of[k].refused, refused),
                rounds_grouped(run->of[k].live_peak, peak), rounds_grouped(run->of[k].live, live));
    }
}

static void print_worlds(const struct arena_session *session, FILE *out) {
    if (session->equal)
        fprintf(out, "\n  the same world in every tick of every run, checksum %016" PRIx64 "\n",
                session->sums[session->options.ticks - 1]);
    else
        fprintf(out, "\n  THE WORLDS DIFFER: %s, from tick %" PRIu64 "\n", session->different,
                session->first_difference);
    fprintf(out, "  spawned - ended - dropped = live for every kind in every tick: %s\n",
            session->adds_up ? "yes" : "NO");
    if (session->runs_variant[ARENA_LIDO])
        fprintf(out, "  the pools' peaks are those of plain counters: %s; re-use %.4f\n",
                session->peaks_agree ? "yes" : "NO", reuse(last_run(session, ARENA_LIDO)));
}

static void print_in_words(const struct arena_session *session, FILE *out) {
    if (!session->runs_variant[ARENA_LIDO])
        return;
    fputc('\n', out);
    if (session->runs_variant[ARENA_ARRAY]) {
        struct arena_spread r = SPREAD(session, ARENA_LIDO, ARENA_ARRAY, p50_us);
        wrap_format(out, 0,
                    "The median tick takes %.2f (%.2f to %.2f) of the time it takes on dense "
                    "arrays (bar: 1.15).",
                    r.median, r.min, r.max);
    }
    if (session->runs_variant[ARENA_MALLOC]) {
        struct arena_spread r = SPREAD(session, ARENA_LIDO, ARENA_MALLOC, p999_us);
        wrap_format(out, 0,
                    "The slowest tick in a thousand takes %.2f (%.2f to %.2f) of malloc's (bar: "
                    "1.00).",
                    r.median, r.min, r.max);
    }
    if (session->runs_variant[ARENA_MALLOC] && session->runs_variant[ARENA_FREE_LIST] &&
        session->runs_variant[ARENA_ARRAY])
        wrap_format(out, 0,
                    "Where entities lie matters more than where their memory comes from: a free "
                    "list takes %.2f of malloc's median tick, an array %.2f.",
                    SPREAD(session, ARENA_FREE_LIST, ARENA_MALLOC, p50_us).median,
                    SPREAD(session, ARENA_ARRAY, ARENA_MALLOC, p50_us).median);
}

void arena_print(const struct arena_session *session, FILE *out) {
    char ticks[32];
    fprintf(out,
            "arena: %s ticks, seed %" PRIu64 "\n%" PRIu64 " interleaved round%s, each run in a "
            "process of its own\n\n",
            rounds_grouped(session->options.ticks, ticks), session->options.seed, session->rounds,
            session->rounds == 1 ? "" : "s");
    fprintf(out, "  %-9s %7s %6s %6s %6s %-17s %7s %5s %7s\n", "", "CPU", "p50", "p99", "p99.9",
            "p50 / array", "faults", "peak", "makings");
    fprintf(out, "  %-9s %7s %20s %-17s %7s %5s %7s\n", "", "s", "us of CPU in a tick",
            "    (min..max)", "warm", "MiB", "avoided");
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        if (session->runs_variant[v])
            print_variant(session, v, out);
    print_kinds(session, out);
    print_worlds(session, out);
    print_in_words(session, out);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static json_t *spread_json(struct arena_spread s) {
    return json_pack("{s:f, s:f, s:f}", "median", s.median, "min", s.min, "max", s.max);
}

static json_t *kinds_json(const struct arena_run *run, bool is_lido) {
    json_t *kinds = json_object();
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        json_t *kind = json_pack(
            "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "spawned", (json_int_t)run->of[k].spawned,
            "ended", (json_int_t)run->of[k].ended, "dropped", (json_int_t)run->of[k].dropped,
            "refused", (json_int_t)run->of[k].refused, "live", (json_int_t)run->of[k].live,
            "live_peak", (json_int_t)run->of[k].live_peak, "made", (json_int_t)run->of[k].made);
        const lido_dense_pool_stats *p = &run->pool[k];
        json_object_set_new(
            kind, "pool",
            is_lido
                ? json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "acquired",
                            (json_int_t)p->acquired, "dropped", (json_int_t)p->dropped, "live_peak",
                            (json_int_t)p->live_peak, "capacity", (json_int_t)p->capacity, "grown",
                            (json_int_t)p->grown, "committed_bytes", (json_int_t)p->committed_bytes,
                            "overhead_bytes", (json_int_t)p->overhead_bytes, "reuse", p->reuse)
                : json_null());
        json_object_set_new(kinds, arena_rule[k].name, kind);
    }
    return kinds;
}

static json_t *variant_json(const struct arena_session *session, int v) {
    const struct arena_run *run = last_run(session, v);
    json_t *ratio = session->runs_variant[ARENA_ARRAY]
                        ? spread_json(SPREAD(session, v, ARENA_ARRAY, p50_us))
                        : json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:f, s:o}", "total_s",
                     spread_json(SPREAD(session, v, -1, total_s)), "tick_p50_us",
                     spread_json(SPREAD(session, v, -1, p50_us)), "tick_p99_us",
                     spread_json(SPREAD(session, v, -1, p99_us)), "tick_p999_us",
                     spread_json(SPREAD(session, v, -1, p999_us)), "tick_worst_us",
                     spread_json(SPREAD(session, v, -1, worst_us)), "p50_ratio_to_array", ratio,
                     "page_faults", (json_int_t)run->faults, "page_faults_warm",
                     (json_int_t)run->faults_late, "resident_peak_bytes",
                     (json_int_t)run->peak_bytes, "creations_avoided", avoided(run), "kinds",
                     kinds_json(run, v == ARENA_LIDO));
}

/* lido's figure against another variant's; null unless both ran. */
static json_t *ratio_json(const struct arena_session *session, int to, size_t offset) {
    return session->runs_variant[ARENA_LIDO] && session->runs_variant[to]
               ? spread_json(spread(session, ARENA_LIDO, to, offset))
               : json_null();
}

static json_t *session_json(const struct arena_session *session) {
    bool is_lido = session->runs_variant[ARENA_LIDO];
    json_t *variants = json_object();
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        if (session->runs_variant[v])
            json_object_set_new(variants, arena_variant_name[v], variant_json(session, v));
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:b, s:b, s:b, s:o, s:s?, s:o, s:o, s:o, s:o}", "workload", "arena",
        "ticks", (json_int_t)session->options.ticks, "seed", (json_int_t)session->options.seed,
        "rounds", (json_int_t)session->rounds, "equal", (int)session->equal, "adds_up",
        (int)session->adds_up, "peaks_agree", (int)session->peaks_agree, "checksum",
        json_sprintf("%016" PRIx64, session->sums[session->options.ticks - 1]), "sanitizer",
        measure_sanitizer(), "reuse",
        is_lido ? json_real(reuse(last_run(session, ARENA_LIDO))) : json_null(), "p50_to_array",
        ratio_json(session, ARENA_ARRAY, offsetof(struct arena_run, p50_us)), "p999_to_malloc",
        ratio_json(session, ARENA_MALLOC, offsetof(struct arena_run, p999_us)), "variants",
        variants);
}

bool arena_write_json(const struct arena_session *session, const char *path) {
    return json_write_file(session_json(session), path, 0);
}
