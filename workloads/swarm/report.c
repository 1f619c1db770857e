/* SPDX-License-Identifier: MIT
 * The table for people and the same figures as JSON. Ratios are taken within a round, where both
 * sides met the same machine, and shown with their spread. */
#include "swarm/report.h"

#include "common/json_file.h"
#include "common/rounds.h"
#include "common/wrap.h"
#include "swarm/measure.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A ratio that differs from 1 by less than this is noise on any machine that we have seen. */
static const double noise = 0.05;

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct swarm_spread spread(double *values, uint64_t count) {
    qsort(values, count, sizeof *values, by_size);
    double upper = values[count / 2], lower = values[(count - 1) / 2];
    return (struct swarm_spread){(lower + upper) / 2, values[0], values[count - 1]};
}

static struct swarm_spread spread_against(const struct swarm_session *session,
                                          enum swarm_variant variant,
                                          const enum swarm_variant *to) {
    double *values = calloc(session->rounds, sizeof *values);
    if (values == NULL)
        return (struct swarm_spread){0, 0, 0};
    for (uint64_t round = 0; round < session->rounds; round++) {
        values[round] = swarm_session_run(session, round, variant)->cpu_s;
        if (to != NULL)
            values[round] /= swarm_session_run(session, round, *to)->cpu_s;
    }
    struct swarm_spread result = spread(values, session->rounds);
    free(values);
    return result;
}

struct swarm_spread swarm_spread_of(const struct swarm_session *session,
                                    enum swarm_variant variant) {
    return spread_against(session, variant, NULL);
}

struct swarm_spread swarm_ratio(const struct swarm_session *session, enum swarm_variant variant,
                                enum swarm_variant to) {
    return spread_against(session, variant, &to);
}

static bool both(const struct swarm_session *session, enum swarm_variant a, enum swarm_variant b) {
    return session->runs_variant[a] && session->runs_variant[b];
}

void swarm_in_plain_words(const struct swarm_session *session, char *text, size_t size) {
    text[0] = '\0';
    if (!both(session, SWARM_POOL, SWARM_MALLOC))
        return;
    struct swarm_spread r = swarm_ratio(session, SWARM_POOL, SWARM_MALLOC);
    uint64_t bytes = swarm_buffer_bytes(&session->options);
    const char *what = session->options.matrix ? "matrices" : "particle-sized buffers";
    if (r.max < 1 - noise)
        snprintf(text, size,
                 "A pool pays for %s of %" PRIu64 " bytes here: %.2f times as fast as malloc "
                 "(%.2f to %.2f).",
                 what, bytes, 1 / r.median, 1 / r.max, 1 / r.min);
    else if (r.min > 1 + noise)
        snprintf(text, size,
                 "A pool costs time for %s of %" PRIu64 " bytes here: %.2f of malloc's time "
                 "(%.2f to %.2f). Do not take one for speed.",
                 what, bytes, r.median, r.min, r.max);
    else
        snprintf(text, size,
                 "For %s of %" PRIu64 " bytes a pool gains nothing in time here: %.2f of malloc's "
                 "time (%.2f to %.2f). Do not take one for speed.",
                 what, bytes, r.median, r.min, r.max);
    if (r.max < 1 - noise && session->runs_variant[SWARM_KEPT]) {
        size_t at = strlen(text);
        struct swarm_spread kept = swarm_ratio(session, SWARM_POOL, SWARM_KEPT);
        snprintf(text + at, size - at,
                 " Beside a malloc that mallopt tells to keep its memory it takes %.2f of the time "
                 "(%.2f to %.2f): there the pool's reasons are its limit and its figures.",
                 kept.median, kept.min, kept.max);
    }
}

/* ---- Terminal ---------------------------------------------------------------------------- */

static void print_variant(const struct swarm_session *session, enum swarm_variant variant,
                          FILE *out) {
    char calls[32], faults[32];
    const struct swarm_run *last = swarm_session_run(session, session->rounds - 1, variant);
    fprintf(out, "  %-11s %8.3f", swarm_variant_name[variant],
            swarm_spread_of(session, variant).median);
    if (session->runs_variant[SWARM_IN_PLACE]) {
        struct swarm_spread ratio = swarm_ratio(session, variant, SWARM_IN_PLACE);
        fprintf(out, "   %5.2f (%.2f .. %.2f)", ratio.median, ratio.min, ratio.max);
    } else {
        fprintf(out, "   %20s", "-");
    }
    fprintf(out, " %11s %10s %9.1f\n", rounds_grouped(last->calls_late, calls),
            rounds_grouped(last->faults_late, faults), (double)last->growth_bytes / 1024);
}

static void print_pool(const lido_block_pool_stats *pool, FILE *out) {
    char acquired[32], committed[32], overhead[32];
    wrap_format(out, 8,
                "  pool: %s blocks acquired, %" PRIu64 " made, %" PRIu64
                " most out at once; %s KiB "
                "held, %s bytes of book-keeping; re-use %.4f",
                rounds_grouped(pool->acquired, acquired), pool->made, pool->live_peak,
                rounds_grouped(pool->committed_bytes / 1024, committed),
                rounds_grouped(pool->overhead_bytes, overhead), pool->reuse);
}

static const struct swarm_run *any_run(const struct swarm_session *session) {
    for (int v = 0; v < SWARM_VARIANT_COUNT; v++)
        if (session->runs_variant[v])
            return swarm_session_run(session, 0, (enum swarm_variant)v);
    return NULL;
}

void swarm_print(const struct swarm_session *session, FILE *out) {
    const struct swarm_options *o = &session->options;
    char n[32], words[500];
    fprintf(out, "swarm: %s%s, %" PRIu64 " particles x %" PRIu64 " dimensions, %s iterations, ",
            o->shifted_rotated ? "shifted-rotated-" : "", o->function->name, o->particles,
            o->dimensions, rounds_grouped(o->iterations, n));
    fprintf(out, "seed %" PRIu64 "\n%s of %s bytes\n", o->seed,
            o->matrix ? "four temporary matrices an iteration"
                      : "a new buffer per particle and iteration",
            rounds_grouped(swarm_buffer_bytes(o), n));
    fprintf(out, "%" PRIu64 " interleaved round%s, each run in a process of its own\n\n",
            session->rounds, session->rounds == 1 ? "" : "s");
    fprintf(out, "  %-11s %8s   %-20s %11s %10s %9s\n", "", "CPU s", "/ in-place", "calls",
            "faults", "KiB grown");
    fprintf(out, "  %-11s %8s   %-20s %32s\n", "", "median", "median (min .. max)",
            "after iteration 100");
    for (int v = 0; v < SWARM_VARIANT_COUNT; v++)
        if (session->runs_variant[v])
            print_variant(session, (enum swarm_variant)v, out);
    const struct swarm_run *run = any_run(session);
    fprintf(out, "\n  best value %.6g, checksum %016" PRIx64 "\n  %s\n", run->best, run->checksum,
            session->equal ? "the same trajectory to the last bit in all runs"
                           : "THE TRAJECTORIES DIFFER");
    if (session->runs_variant[SWARM_POOL])
        print_pool(&swarm_session_run(session, session->rounds - 1, SWARM_POOL)->pool, out);
    swarm_in_plain_words(session, words, sizeof words);
    if (words[0] != '\0') {
        fputc('\n', out);
        wrap_print(out, 0, 0, words);
    }
}

/* ---- JSON -------------------------------------------------------------------------------- */

static json_t *spread_json(struct swarm_spread s) {
    return json_pack("{s:f, s:f, s:f}", "median", s.median, "min", s.min, "max", s.max);
}

/* The pool's time against another variant's; null unless both ran. */
static json_t *ratio_json(const struct swarm_session *session, enum swarm_variant to) {
    return both(session, SWARM_POOL, to) ? spread_json(swarm_ratio(session, SWARM_POOL, to))
                                         : json_null();
}

static json_t *checksum_json(uint64_t checksum) {
    return json_sprintf("%016" PRIx64, checksum);
}

static json_t *variant_json(const struct swarm_session *session, enum swarm_variant variant) {
    const struct swarm_run *run = swarm_session_run(session, session->rounds - 1, variant);
    struct swarm_spread cpu = swarm_spread_of(session, variant);
    json_t *ratio = session->runs_variant[SWARM_IN_PLACE]
                        ? spread_json(swarm_ratio(session, variant, SWARM_IN_PLACE))
                        : json_null();
    return json_pack(
        "{s:o, s:f, s:o, s:I, s:I, s:I, s:I, s:I, s:f, s:o}", "cpu_s", spread_json(cpu),
        "iterations_per_s", (double)session->options.iterations / cpu.median, "ratio_to_in_place",
        ratio, "calls", (json_int_t)run->calls, "calls_after_100", (json_int_t)run->calls_late,
        "page_faults", (json_int_t)run->faults, "page_faults_after_100",
        (json_int_t)run->faults_late, "growth_after_100_bytes", (json_int_t)run->growth_bytes,
        "best", run->best, "checksum", checksum_json(run->checksum));
}

static json_t *pool_json(const lido_block_pool_stats *p) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "acquired",
                     (json_int_t)p->acquired, "made", (json_int_t)p->made, "live_peak",
                     (json_int_t)p->live_peak, "existing", (json_int_t)p->existing,
                     "committed_bytes", (json_int_t)p->committed_bytes, "overhead_bytes",
                     (json_int_t)p->overhead_bytes, "utilisation", p->utilisation,
                     "byte_efficiency", p->byte_efficiency, "reuse", p->reuse);
}

static json_t *session_json(const struct swarm_session *session) {
    const struct swarm_options *o = &session->options;
    const struct swarm_run *run = any_run(session);
    char words[500];
    swarm_in_plain_words(session, words, sizeof words);
    json_t *root = json_pack(
        "{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:f, s:o, s:s, s:s?}", "workload",
        "swarm", "function",
        json_sprintf("%s%s", o->shifted_rotated ? "shifted-rotated-" : "", o->function->name),
        "shape", o->matrix ? "matrix" : "particles", "particles", (json_int_t)o->particles,
        "dimensions", (json_int_t)o->dimensions, "iterations", (json_int_t)o->iterations, "seed",
        (json_int_t)o->seed, "rounds", (json_int_t)session->rounds, "buffer_bytes",
        (json_int_t)swarm_buffer_bytes(o), "equal", (int)session->equal, "best", run->best,
        "checksum", checksum_json(run->checksum), "in_plain_words", words, "sanitizer",
        measure_sanitizer());
    json_t *variants = json_object();
    for (int v = 0; v < SWARM_VARIANT_COUNT; v++)
        if (session->runs_variant[v])
            json_object_set_new(variants, swarm_variant_name[v],
                                variant_json(session, (enum swarm_variant)v));
    json_object_set_new(root, "variants", variants);
    json_object_set_new(root, "pool_to_malloc", ratio_json(session, SWARM_MALLOC));
    json_object_set_new(root, "pool_to_malloc_kept", ratio_json(session, SWARM_KEPT));
    json_object_set_new(
        root, "pool",
        session->runs_variant[SWARM_POOL]
            ? pool_json(&swarm_session_run(session, session->rounds - 1, SWARM_POOL)->pool)
            : json_null());
    return root;
}

bool swarm_write_json(const struct swarm_session *session, const char *path) {
    return json_write_file(session_json(session), path, 0);
}
