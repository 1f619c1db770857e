/* SPDX-License-Identifier: MIT
 * The command: reads its options, runs the variants round by round, compares and reports. */
#include "arena/arena.h"

#include "arena/report.h"
#include "common/rounds.h"
#include "common/writable.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { TICKS = 36000, TICKS_MAX = 1000000, ROUNDS = 3, ROUNDS_MAX = 1000 };

struct command {
    struct arena_session session;
    const char *json, *plot, *measure;
    bool silent, help;
};

static const char usage[] =
    "usage: lido run arena [options]\n"
    "Plays ten minutes of a game at 60 ticks a second: bullets, effects, damage\n"
    "numbers and casings come and go by the million, in dense pools of lido and, the\n"
    "same game to the last bit, on malloc, a free list, dense arrays, and places with\n"
    "a bitmap. docs/arena.md says more.\n"
    "\n"
    "  --ticks N          default 36000\n"
    "  --seed N           default 1\n"
    "  --variant NAME     malloc, free-list, array, bitmap, lido; may be repeated\n"
    "  --repeat N         interleaved rounds; default 3\n"
    "  --json FILE        all figures\n"
    "  --plot FILE        the ticks' times as SVG\n"
    "  --no-progress      nothing on stderr while it runs\n"
    "  --measure FIGURE   prints p50, p99 or p999 of the ticks of one variant, in us,\n"
    "                     a line a round, and nothing else\n";

/* ---- Options ------------------------------------------------------------------------------- */

static bool read_variant(struct arena_session *session, const char *name) {
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        if (strcmp(name, arena_variant_name[v]) == 0)
            return session->runs_variant[v] = true;
    fprintf(stderr,
            "lido run arena: --variant is %s, must be malloc, free-list, array, bitmap or lido\n",
            name);
    return false;
}

static bool read_measure(struct command *c, const char *figure) {
    c->measure = figure;
    if (strcmp(figure, "p50") == 0 || strcmp(figure, "p99") == 0 || strcmp(figure, "p999") == 0)
        return true;
    fprintf(stderr, "lido run arena: --measure is %s, must be p50, p99 or p999\n", figure);
    return false;
}

static bool read_option(struct command *c, int option, const char *name, const char *value) {
    struct arena_session *s = &c->session;
    switch (option) {
    case 't':
        return rounds_read_number("arena", name, value, 1, TICKS_MAX, &s->options.ticks);
    case 's':
        return rounds_read_number("arena", name, value, 0, INT64_MAX, &s->options.seed);
    case 'r':
        return rounds_read_number("arena", name, value, 1, ROUNDS_MAX, &s->rounds);
    case 'v':
        return read_variant(s, value);
    case 'j':
        return writable_or_refuse("lido run arena", name, c->json = value);
    case 'g':
        return writable_or_refuse("lido run arena", name, c->plot = value);
    case 'm':
        return read_measure(c, value);
    case 'n':
        return c->silent = true;
    case 'h':
        return c->help = true;
    default:
        fputs(usage, stderr);
        return false;
    }
}

static bool read_options(struct command *c, int argc, char **argv) {
    static const struct option options[] = {
        {"ticks", required_argument, NULL, 't'},   {"seed", required_argument, NULL, 's'},
        {"repeat", required_argument, NULL, 'r'},  {"variant", required_argument, NULL, 'v'},
        {"json", required_argument, NULL, 'j'},    {"plot", required_argument, NULL, 'g'},
        {"measure", required_argument, NULL, 'm'}, {"no-progress", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    int option, index = 0, variants = 0;
    optind = 0; /* getopt starts afresh: the command has used it before */
    while ((option = getopt_long(argc, argv, "h", options, &index)) != -1)
        if (!read_option(c, option, options[index].name, optarg))
            return false;
    if (optind < argc) {
        fprintf(stderr, "lido run arena: '%s' is no option; --help lists them\n", argv[optind]);
        return false;
    }
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        variants += c->session.runs_variant[v];
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        c->session.runs_variant[v] = c->session.runs_variant[v] || variants == 0;
    if (c->measure != NULL && variants != 1) {
        fputs("lido run arena: --measure needs one --variant\n", stderr);
        return false;
    }
    return true;
}

/* ---- All runs ------------------------------------------------------------------------------ */

/* Compares a run with the first of all, which is `first`. */
static void compare(struct arena_session *session, const struct arena_run *run, bool is_first,
                    const char *variant) {
    session->adds_up = session->adds_up && run->adds_up;
    session->peaks_agree = session->peaks_agree && run->peaks_agree;
    for (uint64_t t = 0; !is_first && session->equal && t < session->options.ticks; t++)
        if (session->sums[t] != session->other_sums[t]) {
            session->equal = false;
            session->first_difference = t + 1;
            session->different = variant;
        }
}

struct job {
    struct arena_session *session;
    struct rounds_progress progress;
};

static void show_progress(void *progress, uint64_t tick) {
    rounds_progress_show(progress, tick, "");
}

/* Interleaved: A B C D A B C D, so that a slow minute of the machine hits all variants.
 *
 * Returns  0, 1 or 130 as the command does. */
static int run_all(void *context) {
    struct job *job = context;
    struct arena_session *session = job->session;
    struct rounds_progress *progress = &job->progress;
    struct arena_watcher watcher = {show_progress, progress};
    for (uint64_t round = 0; round < session->rounds; round++)
        for (int v = 0; v < ARENA_VARIANT_COUNT; v++) {
            if (!session->runs_variant[v])
                continue;
            struct arena_run *run = arena_session_run(session, round, v);
            bool is_first = progress->run == 0;
            rounds_progress_start(progress, arena_variant_name[v]);
            int ended_by =
                arena_play(&session->options, (enum arena_variant)v, &watcher, run,
                           session->tick_us[v], is_first ? session->sums : session->other_sums);
            rounds_progress_end(progress, run->done ? run->total_s : 0);
            if (ended_by == SIGINT || rounds_interrupted()) {
                fprintf(stderr, "lido run arena: interrupted in run %" PRIu64 " of %" PRIu64 "\n",
                        progress->run, progress->runs);
                return 130;
            }
            if (!run->done) {
                fprintf(stderr, "lido run arena: %s\n", run->error);
                return 1;
            }
            compare(session, run, is_first, arena_variant_name[v]);
        }
    return 0;
}

/* One figure of the only variant, a line a round, for the bench. */
static int print_measure(const struct command *c) {
    const struct arena_session *s = &c->session;
    int variant = 0, printed = 0;
    while (!s->runs_variant[variant])
        variant++;
    for (uint64_t round = 0; printed >= 0 && round < s->rounds; round++) {
        const struct arena_run *run = arena_session_run(s, round, variant);
        printed = printf("%.3f\n", strcmp(c->measure, "p50") == 0   ? run->p50_us
                                   : strcmp(c->measure, "p99") == 0 ? run->p99_us
                                                                    : run->p999_us);
    }
    return printed < 0;
}

/* Writes what was asked for; says which file could not be written. */
static int report(const struct command *c) {
    const struct arena_session *s = &c->session;
    int result = s->equal && s->adds_up && s->peaks_agree ? 0 : 1;
    arena_print(s, stdout);
    if (c->json != NULL && !arena_write_json(s, c->json)) {
        fprintf(stderr,
                "lido run arena: %s cannot be written: %s; make room, or name another file\n",
                c->json, strerror(errno));
        result = 1;
    }
    if (c->plot != NULL && !arena_write_plot(s, c->plot)) {
        fprintf(stderr,
                "lido run arena: %s cannot be written: %s; make room, or name another file\n",
                c->plot, strerror(errno));
        result = 1;
    }
    return result;
}

static bool open_session(struct arena_session *s) {
    s->equal = s->adds_up = s->peaks_agree = true;
    s->runs = calloc(s->rounds * ARENA_VARIANT_COUNT, sizeof *s->runs);
    s->sums = calloc(s->options.ticks, sizeof *s->sums);
    s->other_sums = calloc(s->options.ticks, sizeof *s->other_sums);
    bool opened = s->runs != NULL && s->sums != NULL && s->other_sums != NULL;
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++) {
        if (s->runs_variant[v])
            s->tick_us[v] = calloc(s->options.ticks, sizeof *s->tick_us[v]);
        opened = opened && (s->tick_us[v] != NULL || !s->runs_variant[v]);
    }
    return opened;
}

static void close_session(struct arena_session *s) {
    free(s->runs);
    free(s->sums);
    free(s->other_sums);
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        free(s->tick_us[v]);
}

static int run_session(struct command *c) {
    struct arena_session *s = &c->session;
    struct job job = {.session = s};
    uint64_t runs = 0;
    int result = 1;
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        runs += s->runs_variant[v] ? s->rounds : 0;
    rounds_progress_open(&job.progress, "arena", "ticks", c->silent, runs, s->options.ticks);
    if (open_session(s))
        result = rounds_run(run_all, &job);
    else
        fputs("lido run arena: no memory\n", stderr);
    if (result == 0)
        result = c->measure != NULL ? print_measure(c) : report(c);
    close_session(s);
    return result;
}

int lido_run_arena(int argc, char **argv) {
    struct command c = {.session = {.rounds = ROUNDS, .options = {.ticks = TICKS, .seed = 1}}};
    if (!read_options(&c, argc, argv))
        return 2;
    if (c.help)
        return fputs(usage, stdout) < 0;
    return run_session(&c);
}
