/* SPDX-License-Identifier: MIT
 * bench.c -- the order of a bench: options, rounds, the floor taken off, the report. */
#include "bench.h"
#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ROUNDS = 9, QUICK_ROUNDS = 5, SLOW_ROUNDS = 5 };
/* `lido bench`, which asks many benches, tells them from wrong usage. */
enum { EXIT_NO_CASE = 3, EXIT_NO_PEER = 4 };

typedef struct choices {
    unsigned rounds;
    bool quick;
    bool urgent;
    enum { SILENT, LINES, BAR } progress;
    const char *only;
    const char *against;
    const char *json;
} choices;

static int usage(const char *program) {
    printf(
        "usage: %s [--rounds N] [--quick] [--only TEXT] [--against TEXT] [--json FILE] [--urgent] "
        "[--no-progress]\n"
        "  --rounds N     how often each contestant runs, 1 to %d (default %d; slow cases %d)\n"
        "  --quick        %d rounds of shorter windows, and no slow cases\n"
        "  --only TEXT    only cases whose name holds this text\n"
        "  --against TEXT only peers whose name holds this text\n"
        "  --urgent       contestants go before other programs of this machine (needs the right "
        "to)\n"
        "  --no-progress  nothing on stderr while it runs: a bar on a terminal, else a line a "
        "case\n",
        program, BENCH_ROUNDS_MAX, ROUNDS, SLOW_ROUNDS, QUICK_ROUNDS);
    return 0;
}

static bool read_choices(int argc, char **argv, choices *c) {
    *c = (choices){.rounds = 0, .progress = isatty(STDERR_FILENO) == 1 ? BAR : LINES};
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--quick") == 0) {
            c->quick = true;
        } else if (strcmp(argv[i], "--urgent") == 0) {
            c->urgent = true;
        } else if (strcmp(argv[i], "--no-progress") == 0) {
            c->progress = SILENT;
        } else if (strcmp(argv[i], "--rounds") == 0 && has_value) {
            char *end;
            unsigned long rounds = strtoul(argv[++i], &end, 10);
            if (end == argv[i] || *end != '\0' || rounds < 1 || rounds > BENCH_ROUNDS_MAX) {
                fprintf(stderr, "--rounds is '%s', must be a number from 1 to %d\n", argv[i],
                        BENCH_ROUNDS_MAX);
                return false;
            }
            c->rounds = (unsigned)rounds;
        } else if (strcmp(argv[i], "--only") == 0 && has_value) {
            c->only = argv[++i];
        } else if (strcmp(argv[i], "--against") == 0 && has_value) {
            c->against = argv[++i];
        } else if (strcmp(argv[i], "--json") == 0 && has_value) {
            c->json = argv[++i];
        } else {
            fprintf(stderr, "%s is no option, or its value is missing; --help lists them\n",
                    argv[i]);
            return false;
        }
    }
    return true;
}

static bool is_wanted(const choices *c, const bench_case *one) {
    return (!c->only || strstr(one->name, c->only)) && !(c->quick && one->slow);
}

static unsigned rounds_of(const choices *c, const bench_case *one) {
    if (one->kind != BENCH_PRINTED)
        return 1; /* a count is the same each time */
    if (c->rounds != 0)
        return c->rounds;
    return one->slow ? SLOW_ROUNDS : c->quick ? QUICK_ROUNDS : ROUNDS;
}

/* A pattern is listed when it stands there as a whole word. */
static bool takes_part(const bench_contestant *who, const bench_case *one) {
    size_t length = strlen(one->arguments[0]);
    if (!who->patterns)
        return true;
    for (const char *at = strstr(who->patterns, one->arguments[0]); at;
         at = strstr(at + 1, one->arguments[0])) {
        if ((at == who->patterns || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

static double figure_of(const contestant_output *output, unsigned figure, bool quiet) {
    cell numbers = {.round_count = output->number_count};
    memcpy(numbers.rounds, output->numbers[figure],
           output->number_count * sizeof numbers.rounds[0]);
    summarise(&numbers);
    return quiet ? numbers.min : numbers.median;
}

/* Whether two cases look at the same runs. */
static bool is_same_run(const bench_case *a, const bench_case *b) {
    if (a->kind != b->kind || a->quiet != b->quiet || a->slow != b->slow)
        return false;
    for (size_t i = 0; i < BENCH_ARGUMENTS_MAX && (a->arguments[i] || b->arguments[i]); i++) {
        if (!a->arguments[i] || !b->arguments[i] || strcmp(a->arguments[i], b->arguments[i]) != 0)
            return false;
    }
    return true;
}

/* A run's figures go to every case that looks at it. */
static void keep_output(results *r, size_t case_index, size_t contestant,
                        const contestant_output *output) {
    const bench_case *one = &r->what->cases[case_index];
    for (size_t i = 0; i < r->what->case_count; i++) {
        const bench_case *other = &r->what->cases[i];
        cell *into = cell_of(r, i, contestant);
        if (i != case_index && (other->figure == one->figure || !is_same_run(one, other)))
            continue;
        into->status = output->status;
        if (output->status == CONTESTANT_DONE && output->number_count > 0)
            into->rounds[into->round_count++] = figure_of(output, other->figure, other->quiet);
    }
}

/* One run of one contestant; what fails once is not tried again. */
static void run_once(results *r, size_t case_index, size_t contestant, unsigned round, bool quick) {
    const bench_contestant *who = &r->what->contestants[contestant];
    const bench_case *one = &r->what->cases[case_index];
    if (r->is_left_out[contestant] || !takes_part(who, one) ||
        cell_of(r, case_index, contestant)->status != CONTESTANT_DONE)
        return;
    if (r->versions[contestant].status != CONTESTANT_DONE) {
        contestant_output none = {.status = r->versions[contestant].status};
        keep_output(r, case_index, contestant, &none);
        return;
    }
    contestant_output output = contestant_run(who, one, round, quick);
    keep_output(r, case_index, contestant, &output);
    if (output.status != CONTESTANT_DONE && output.status != CONTESTANT_CANNOT)
        fprintf(stderr, "%s, %s: %s\n", one->name, who->name, output.text);
}

/* A case whose runs another one made already. */
static bool has_run(const results *r, size_t case_index) {
    for (size_t i = 0; i < r->what->contestant_count; i++) {
        const cell *c = cell_of(r, case_index, i);
        if (c->round_count > 0 || c->status != CONTESTANT_DONE)
            return true;
    }
    return false;
}

/* Takes the floor's figure of each round off everybody else's of the same round. */
static void subtract_floor(results *r, size_t case_index) {
    const cell *floor = NULL;
    for (size_t i = 0; i < r->what->contestant_count; i++) {
        if (r->what->contestants[i].role == BENCH_FLOOR &&
            cell_of(r, case_index, i)->round_count > 0)
            floor = cell_of(r, case_index, i);
    }
    for (size_t i = 0; floor && i < r->what->contestant_count; i++) {
        cell *c = cell_of(r, case_index, i);
        for (size_t k = 0; c != floor && k < c->round_count && k < floor->round_count; k++)
            c->rounds[k] -= floor->rounds[k];
    }
}

static void run_rounds(results *r, size_t case_index, const choices *c) {
    const bench_case *one = &r->what->cases[case_index];
    unsigned rounds = rounds_of(c, one);
    if (c->progress == LINES)
        fprintf(stderr, "bench %s, case %zu of %zu: %s, rounds: %u\n", r->what->name,
                case_index + 1, r->what->case_count, one->name, rounds);
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < r->what->contestant_count; i++) {
            if (c->progress == BAR)
                fprintf(stderr, "\r\033[K%zu/%zu %s: round %u/%u, %s", case_index + 1,
                        r->what->case_count, one->name, round + 1, rounds,
                        r->what->contestants[i].name);
            run_once(r, case_index, i, round, c->quick);
        }
    }
    if (c->progress == BAR)
        fputs("\r\033[K", stderr);
}

static void run_case(results *r, size_t case_index, const choices *c) {
    if (!has_run(r, case_index))
        run_rounds(r, case_index, c);
    if (r->what->cases[case_index].subtract_floor)
        subtract_floor(r, case_index);
    for (size_t i = 0; i < r->what->contestant_count; i++)
        summarise(cell_of(r, case_index, i));
}

/* No interruption leaves half a file. */
static bool write_results(const results *r, const choices *c) {
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, &before);
    bool written = report_json(c->json, r);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return written;
}

/* The results so far are written after each group: who is interrupted after an hour keeps them.
 * Returns  whether they could be written, where that is wanted. */
static bool run_groups(results *r, const choices *c) {
    const bench *what = r->what;
    bool written = !c->json || write_results(r, c);
    for (size_t first = 0, last; first < what->case_count; first = last + 1) {
        bool any = false;
        for (last = first; last + 1 < what->case_count; last++) {
            if (strcmp(what->cases[first].group, what->cases[last + 1].group) != 0)
                break;
        }
        for (size_t i = first; i <= last; i++) {
            bool wanted = is_wanted(c, &what->cases[i]);
            r->ran[i] = wanted && !what->cases[i].left_out;
            any = any || wanted;
            if (r->ran[i])
                run_case(r, i, c);
        }
        if (any && c->json)
            written = write_results(r, c);
        if (any)
            report_group(stdout, r, first, last);
    }
    return written;
}

/* Says whether lido itself was measured wherever it takes part. */
static bool lido_measured(const results *r) {
    for (size_t i = 0; i < r->what->case_count; i++) {
        for (size_t k = 0; k < r->what->contestant_count; k++) {
            const bench_contestant *who = &r->what->contestants[k];
            if (r->ran[i] && who->role == BENCH_LIDO && takes_part(who, &r->what->cases[i]) &&
                cell_of(r, i, k)->round_count == 0 && r->what->cases[i].kind == BENCH_PRINTED)
                return false;
        }
    }
    return true;
}

enum { IS_PEER = BENCH_PEER | BENCH_POOL | BENCH_NAIVE };

static bool is_against(const choices *c, const bench_contestant *who) {
    return (who->role & IS_PEER) && strstr(who->name, c->against);
}

/* A text that is in no peer's name would leave a table without one. */
static bool has_peer(const choices *c, const bench *what) {
    const char *gap = "";
    for (size_t i = 0; i < what->contestant_count; i++)
        if (!c->against || is_against(c, &what->contestants[i]))
            return true;
    fprintf(stderr, "bench %s: --against is '%s', must be part of a peer's name: ", what->name,
            c->against);
    for (size_t i = 0; i < what->contestant_count; i++) {
        if (!(what->contestants[i].role & IS_PEER))
            continue;
        fprintf(stderr, "%s%s", gap, what->contestants[i].name);
        gap = "; ";
    }
    fputs(*gap ? "\n" : "it has none\n", stderr);
    return false;
}

int bench_main(int argc, char **argv, const bench *what) {
    choices c;
    int status = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(argv[0]);
    if (!read_choices(argc, argv, &c))
        return 2;
    size_t wanted = 0;
    for (size_t i = 0; i < what->case_count; i++)
        wanted += is_wanted(&c, &what->cases[i]);
    if (wanted == 0)
        return EXIT_NO_CASE;
    if (!has_peer(&c, what))
        return EXIT_NO_PEER;
    if (c.urgent && setpriority(PRIO_PROCESS, 0, -15) != 0)
        fprintf(stderr, "--urgent: %s; going on without\n", strerror(errno));
    results r = {.what = what,
                 .cells = calloc(what->case_count * what->contestant_count, sizeof(cell)),
                 .ran = calloc(what->case_count, sizeof(bool))};
    if (!r.cells || !r.ran || what->contestant_count > BENCH_CONTESTANTS_MAX) {
        fputs("no room for the results\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < what->contestant_count; i++) {
        const bench_contestant *who = &what->contestants[i];
        r.is_left_out[i] = c.against && (who->role & IS_PEER) && !is_against(&c, who);
        if (!r.is_left_out[i])
            r.versions[i] = contestant_version(who);
    }
    report_head(stdout, &r);
    if (!run_groups(&r, &c)) {
        fprintf(stderr, "%s: %s\n", c.json, strerror(errno));
        status = 1;
    }
    if (!lido_measured(&r)) {
        fputs("lido itself could not be measured in every case\n", stderr);
        status = 1;
    }
    free(r.cells);
    free(r.ran);
    return status;
}
