/* SPDX-License-Identifier: MIT
 * The command: reads its options, runs the variants round by round, compares and reports. */
#include "swarm/swarm.h"

#include "common/rounds.h"
#include "common/writable.h"
#include "swarm/report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct command {
    struct swarm_session session;
    const char *json, *plot, *point;
    bool silent, help;
};

static const char usage[] =
    "usage: lido run swarm [options]\n"
    "Minimises a test function with a particle swarm whose buffers come from a block\n"
    "pool, and compares with the same swarm in place, on malloc, on calloc, and on a\n"
    "malloc that is told to keep its memory. docs/swarm.md says more.\n"
    "\n"
    "  --function NAME    sphere, rastrigin (default), rosenbrock, ackley, or\n"
    "                     shifted-rotated-NAME\n"
    "  --particles N      default 30; with --matrix 1000\n"
    "  --dimensions N     default 30; with --matrix 100\n"
    "  --iterations N     default 10000; with --matrix 400\n"
    "  --seed N           default 1\n"
    "  --matrix           temporaries of the whole swarm, as array languages make\n"
    "                     them\n"
    "  --variant NAME     in-place, pool, malloc, calloc, malloc-kept; may be\n"
    "                     repeated\n"
    "  --repeat N         interleaved rounds; default 5\n"
    "  --json FILE        all figures\n"
    "  --plot FILE        convergence as SVG\n"
    "  --no-progress      nothing on stderr while it runs\n"
    "  --evaluate X,Y,... prints the function's value at a point and ends\n";

/* ---- Options ----------------------------------------------------------------------------- */

static bool read_function(struct swarm_options *options, const char *name) {
    options->function = swarm_function_find(name, &options->shifted_rotated);
    if (options->function == NULL)
        fprintf(stderr,
                "lido run swarm: --function is %s, must be sphere, rastrigin, rosenbrock, "
                "ackley or one of these behind \"shifted-rotated-\"\n",
                name);
    return options->function != NULL;
}

static bool read_variant(struct swarm_session *session, const char *name) {
    for (int v = 0; v < SWARM_VARIANT_COUNT; v++)
        if (strcmp(name, swarm_variant_name[v]) == 0)
            return session->runs_variant[v] = true;
    fprintf(stderr,
            "lido run swarm: --variant is %s, must be in-place, pool, malloc, calloc or "
            "malloc-kept\n",
            name);
    return false;
}

static bool read_option(struct command *c, int option, const char *name, const char *value) {
    struct swarm_options *o = &c->session.options;
    switch (option) {
    case 'f':
        return read_function(o, value);
    case 'p':
        return rounds_read_number("swarm", name, value, 1, 1000000, &o->particles);
    case 'd':
        return rounds_read_number("swarm", name, value, 1, 100000, &o->dimensions);
    case 'i':
        return rounds_read_number("swarm", name, value, 1, 100000000, &o->iterations);
    case 's':
        return rounds_read_number("swarm", name, value, 0, INT64_MAX, &o->seed);
    case 'r':
        return rounds_read_number("swarm", name, value, 1, 1000, &c->session.rounds);
    case 'v':
        return read_variant(&c->session, value);
    case 'm':
        return o->matrix = true;
    case 'j':
        return writable_or_refuse("lido run swarm", name, c->json = value);
    case 'g':
        return writable_or_refuse("lido run swarm", name, c->plot = value);
    case 'e':
        return (c->point = value) != NULL;
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
    static const struct option options[] = {{"function", required_argument, NULL, 'f'},
                                            {"particles", required_argument, NULL, 'p'},
                                            {"dimensions", required_argument, NULL, 'd'},
                                            {"iterations", required_argument, NULL, 'i'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"repeat", required_argument, NULL, 'r'},
                                            {"variant", required_argument, NULL, 'v'},
                                            {"matrix", no_argument, NULL, 'm'},
                                            {"json", required_argument, NULL, 'j'},
                                            {"plot", required_argument, NULL, 'g'},
                                            {"evaluate", required_argument, NULL, 'e'},
                                            {"no-progress", no_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct swarm_options *o = &c->session.options;
    bool any = false;
    int option, index = 0;
    optind = 0; /* getopt starts afresh: the command has used it before */
    while ((option = getopt_long(argc, argv, "h", options, &index)) != -1)
        if (!read_option(c, option, options[index].name, optarg))
            return false;
    if (optind < argc) {
        fprintf(stderr, "lido run swarm: '%s' is no option; --help lists them\n", argv[optind]);
        return false;
    }
    if (o->particles == 0)
        o->particles = o->matrix ? 1000 : 30;
    if (o->dimensions == 0)
        o->dimensions = o->matrix ? 100 : 30;
    if (o->iterations == 0)
        o->iterations = o->matrix ? 400 : 10000;
    for (int v = 0; v < SWARM_VARIANT_COUNT; v++)
        any = any || c->session.runs_variant[v];
    for (int v = 0; v < SWARM_VARIANT_COUNT; v++)
        c->session.runs_variant[v] = c->session.runs_variant[v] || !any;
    if (swarm_buffer_bytes(o) > UINT64_C(1) << 30) {
        fprintf(stderr,
                "lido run swarm: a matrix of %" PRIu64 " x %" PRIu64
                " is larger than 1 GiB; take fewer particles or dimensions\n",
                o->particles, o->dimensions);
        return false;
    }
    return true;
}

/* ---- One point --------------------------------------------------------------------------- */

static bool read_point(const char *text, double *x, size_t count) {
    for (size_t d = 0; d < count; d++) {
        char *end;
        x[d] = strtod(text, &end);
        if (end == text || *end != (d + 1 < count ? ',' : '\0')) {
            fprintf(stderr,
                    "lido run swarm: --evaluate: coordinate %zu is no number: '%s'; write one for "
                    "each dimension, with commas between\n",
                    d + 1, text);
            return false;
        }
        text = end + 1;
    }
    return true;
}

static int evaluate(const struct swarm_options *options, const char *point) {
    size_t count = 1;
    for (const char *c = point; *c != '\0'; c++)
        count += *c == ',';
    struct swarm_problem problem = {.shift = NULL};
    double *x = calloc(count, sizeof *x);
    int result = 1;
    if (x == NULL || !swarm_problem_open(&problem, options->function, options->shifted_rotated,
                                         count, options->seed))
        fputs("lido run swarm: no memory\n", stderr);
    else if (!read_point(point, x, count))
        result = 2;
    else
        result = printf("%.17g\n", swarm_problem_value(&problem, x)) < 0;
    swarm_problem_close(&problem);
    free(x);
    return result;
}

/* ---- All runs ---------------------------------------------------------------------------- */

static void compare(struct swarm_session *session) {
    const struct swarm_run *first = NULL;
    session->equal = true;
    for (uint64_t round = 0; round < session->rounds; round++)
        for (int v = 0; v < SWARM_VARIANT_COUNT; v++) {
            const struct swarm_run *run = swarm_session_run(session, round, (enum swarm_variant)v);
            if (!session->runs_variant[v])
                continue;
            first = first != NULL ? first : run;
            session->equal = session->equal && run->checksum == first->checksum;
        }
}

struct job {
    struct swarm_session *session;
    struct rounds_progress progress;
};

static void show_progress(void *progress, uint64_t iteration, double best) {
    char text[32];
    snprintf(text, sizeof text, "  best %.3g", best);
    rounds_progress_show(progress, iteration, text);
}

/* Interleaved: A B C D A B C D, so that a slow minute of the machine hits all variants.
 *
 * Returns  0, 1 or 130 as the command does. */
static int run_all(void *context) {
    struct job *job = context;
    struct swarm_session *session = job->session;
    struct rounds_progress *progress = &job->progress;
    struct swarm_watcher watcher = {show_progress, progress};
    for (uint64_t round = 0; round < session->rounds; round++)
        for (int v = 0; v < SWARM_VARIANT_COUNT; v++) {
            struct swarm_run *run = swarm_session_run(session, round, (enum swarm_variant)v);
            if (!session->runs_variant[v])
                continue;
            rounds_progress_start(progress, swarm_variant_name[v]);
            int ended_by = swarm_optimise_apart(&session->options, (enum swarm_variant)v, &watcher,
                                                run, session->best_of, session->mean_of);
            rounds_progress_end(progress, run->done ? run->cpu_s : 0);
            if (ended_by == SIGINT || rounds_interrupted()) {
                fprintf(stderr, "lido run swarm: interrupted in run %" PRIu64 " of %" PRIu64 "\n",
                        progress->run, progress->runs);
                return 130;
            }
            if (!run->done) {
                fprintf(stderr, "lido run swarm: %s\n", run->error);
                return 1;
            }
        }
    compare(session);
    return 0;
}

/* Writes what was asked for; says which file could not be written. */
static int report(const struct command *c) {
    int result = c->session.equal ? 0 : 1;
    swarm_print(&c->session, stdout);
    if (c->json != NULL && !swarm_write_json(&c->session, c->json)) {
        fprintf(stderr,
                "lido run swarm: %s cannot be written: %s; make room, or name another file\n",
                c->json, strerror(errno));
        result = 1;
    }
    if (c->plot != NULL && !swarm_write_plot(&c->session, c->plot)) {
        fprintf(stderr,
                "lido run swarm: %s cannot be written: %s; make room, or name another file\n",
                c->plot, strerror(errno));
        result = 1;
    }
    return result;
}

static int run_session(struct command *c) {
    struct swarm_session *s = &c->session;
    struct job job = {.session = s};
    uint64_t variants = 0;
    for (int v = 0; v < SWARM_VARIANT_COUNT; v++)
        variants += s->runs_variant[v];
    s->runs = calloc(s->rounds * SWARM_VARIANT_COUNT, sizeof *s->runs);
    s->best_of = calloc(s->options.iterations, sizeof *s->best_of);
    s->mean_of = calloc(s->options.iterations, sizeof *s->mean_of);
    int result = 1;
    if (s->runs == NULL || s->best_of == NULL || s->mean_of == NULL) {
        fputs("lido run swarm: no memory\n", stderr);
    } else {
        rounds_progress_open(&job.progress, "swarm", "iterations", c->silent, variants * s->rounds,
                             s->options.iterations);
        result = rounds_run(run_all, &job);
        if (result == 0)
            result = report(c);
    }
    free(s->runs);
    free(s->best_of);
    free(s->mean_of);
    return result;
}

int lido_run_swarm(int argc, char **argv) {
    struct command c = {.session = {.rounds = 5, .options = {.seed = 1}}};
    (void)read_function(&c.session.options, "rastrigin");
    if (!read_options(&c, argc, argv))
        return 2;
    if (c.help)
        return fputs(usage, stdout) < 0;
    if (c.point != NULL)
        return evaluate(&c.session.options, c.point);
    return run_session(&c);
}
