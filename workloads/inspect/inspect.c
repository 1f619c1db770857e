/* SPDX-License-Identifier: MIT
 * inspect.c -- `lido run inspect`: options, and the run from the corpus to the report. */
#include "parts.h"

#include "common/ask.h"
#include "common/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { THREAD_LIMIT = 256 };

static const char command[] = "lido run inspect";
static const char usage[] =
    "usage: lido run inspect [DIR] [options]\n"
    "\n"
    "Finds connascence in Python files below DIR: groups of places that must agree.\n"
    "Default DIR: the standard library of the python3 on the PATH.\n"
    "\n"
    "  --db FILE         findings into SQLite (tables files, findings, places)\n"
    "  --json FILE       figures as JSON; - for standard output\n"
    "  --threads N       1 to 256; default: the processors that this process may use\n"
    "  --kinds A,B       some of name type meaning position algorithm execution\n"
    "                    timing value\n"
    "  --rules PATH      rules of yours: a *.scm file or a folder (docs/inspect.md)\n"
    "  --detectors N     at most N detectors; default: one for each thread\n"
    "  --no-pool         a new detector for each file, to see what the pool is for\n"
    "  --no-progress     no progress on standard error\n"
    "  --help            this\n"
    "\n"
    "For lido bench: --measure WHAT prints one number; --share-rules, --plain-malloc\n"
    "and --serial are what lido is compared with; --sample N takes only N files.\n"
    "\n"
    "Exit status: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted.\n";

static int complain(const char *what, const char *why, int status) {
    fprintf(stderr, "%s: %s: %s\n", command, what, why);
    return status;
}

static bool parse_kinds(const char *list, uint32_t *out) {
    for (const char *at = list; *at != '\0' || at == list;) {
        size_t length = strcspn(at, ",");
        int kind = 0;
        while (kind < KIND_COUNT && (strlen(kind_detectors[kind].name) != length ||
                                     memcmp(kind_detectors[kind].name, at, length) != 0))
            kind++;
        if (kind == KIND_COUNT) {
            fprintf(stderr, "%s: --kinds has '%.*s'; --help lists the kinds\n", command,
                    (int)length, at);
            return false;
        }
        *out |= 1u << kind;
        at += length + (at[length] == ',');
    }
    return true;
}

/* Returns  EXIT_DONE to go on, -1 after the help, else the status to end with. */
static int parse_options(int argc, char *argv[], struct options *o) {
    const struct option_spec specs[] = {
        {"db", OPTION_TEXT, &o->db, 0},
        {"json", OPTION_TEXT, &o->json, 0},
        {"threads", OPTION_COUNT, &o->threads, THREAD_LIMIT},
        {"kinds", OPTION_TEXT, &o->kind_list, 0},
        {"rules", OPTION_TEXT, &o->rules, 0},
        {"detectors", OPTION_COUNT, &o->detectors, THREAD_LIMIT},
        {"no-pool", OPTION_FLAG, &o->no_pool, 0},
        {"no-progress", OPTION_FLAG, &o->no_progress, 0},
        {"measure", OPTION_TEXT, &o->measure, 0},
        {"share-rules", OPTION_FLAG, &o->share_rules, 0},
        {"plain-malloc", OPTION_FLAG, &o->plain_malloc, 0},
        {"serial", OPTION_FLAG, &o->serial, 0},
        {"sample", OPTION_COUNT, &o->sample, UINT32_MAX},
        {NULL, OPTION_FLAG, NULL, 0},
    };
    int read = options_parse(command, argc, argv, specs, &o->dir);
    if (read == OPTIONS_HELP)
        fputs(usage, stdout);
    if (read != OPTIONS_GOOD)
        return read == OPTIONS_HELP ? -1 : EXIT_USAGE;
    o->kinds = o->kind_list == NULL ? (1u << KIND_COUNT) - 1 : 0;
    if (o->kind_list != NULL && !parse_kinds(o->kind_list, &o->kinds))
        return EXIT_USAGE;
    if (o->threads == 0)
        o->threads = count_processors() < THREAD_LIMIT ? count_processors() : THREAD_LIMIT;
    if (o->detectors == 0)
        o->detectors = o->threads;
    return o->measure != NULL ? measure_check(o) : EXIT_DONE;
}

static int report(const struct run *run) {
    const char *json = run->options.json;
    int status = run->crew.interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
    if (run->options.measure != NULL)
        measure_print(run);
    else
        report_summary(run, json != NULL && strcmp(json, "-") == 0 ? stderr : stdout);
    if (json != NULL && !report_json(run, json))
        status = complain(json, strerror(errno), EXIT_FAILED);
    if (fflush(stdout) != 0)
        status = complain("standard output", strerror(errno), EXIT_FAILED);
    return status;
}

/* Analyses, groups, stores and reports; the corpus is read and the database is open. */
static int analyse(struct run *run, struct sqlite3 *db) {
    bool ready = run->options.measure != NULL && strcmp(run->options.measure, "ready") == 0;
    bool good = workers_prepare(run);
    bool bad_rule = !good && run->rules.error[0] != '\0';
    char *message = NULL;
    good = good && (ready ? measure_getting_ready(run) : workers_run(run));
    good = workers_end(run) && good;
    pooled_malloc_thread_end();
    if (good)
        groups_finish(run);
    bool stored = db == NULL || store_write(db, good ? run : NULL, &message);
    if (good && !stored)
        complain(run->options.db, message, EXIT_FAILED);
    free(message);
    if (bad_rule)
        return complain("--rules", run->rules.error, EXIT_USAGE);
    if (!good)
        return complain("the analysis failed", run->failure, EXIT_FAILED);
    run->used = processors_used();
    run->wall_s = (double)(lido_now_ns() - run->begin_ns) / 1e9;
    run->allocations = pooled_malloc_read_counts();
    int status = report(run);
    return stored ? status : EXIT_FAILED;
}

static int run_all(struct run *run) {
    struct sqlite3 *db = NULL;
    char *message = NULL;
    int status;
    if (run->options.rules != NULL && !rules_read(&run->rules, run->options.rules))
        return complain("--rules", run->rules.error, EXIT_USAGE);
    if (!corpus_read(&run->corpus, run->options.dir, run->options.sample))
        return complain(run->options.dir, strerror(errno), EXIT_USAGE);
    if (run->options.db != NULL && (db = store_open(run->options.db, &message)) == NULL)
        status = complain(run->options.db, message, EXIT_FAILED);
    else
        status = analyse(run, db);
    free(message);
    corpus_end(&run->corpus);
    return status;
}

static int start(struct run *run) {
    pthread_mutex_init(&run->lock, NULL);
    pthread_mutex_init(&run->rules.lock, NULL);
    if (!detector_prepare())
        return EXIT_FAILED;
    if (!pooled_malloc_start("inspect"))
        return complain("block pools", lido_last_error(), EXIT_FAILED);
    if (!run->options.plain_malloc)
        ts_set_allocator(pooled_malloc, pooled_calloc, pooled_realloc, pooled_free);
    int status = run_all(run);
    rules_end(&run->rules);
    strings_end(&run->strings);
    free(run->map.items);
    free(run->facts.items);
    free(run->binds.items);
    free(run->findings.items);
    pooled_malloc_thread_end();
    /* tree-sitter 0.20.7 leaks what it had of a query that names an unknown field. */
    if (!pooled_malloc_end() && status == EXIT_DONE)
        status = complain("block pools", lido_last_error(), EXIT_FAILED);
    pthread_mutex_destroy(&run->rules.lock);
    pthread_mutex_destroy(&run->lock);
    return status;
}

int inspect_main(int argc, char *argv[]) {
    char *standard_library = NULL;
    struct run run = {.begin_ns = lido_now_ns()};
    int status = parse_options(argc, argv, &run.options);
    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    if (run.options.dir == NULL)
        run.options.dir = standard_library =
            ask_python("import sysconfig; print(sysconfig.get_path('stdlib'))");
    if (run.options.dir == NULL)
        return complain("no DIR is given, and python3 does not say where its standard library is",
                        "name the folder to inspect", EXIT_FAILED);
    status = start(&run);
    free(standard_library);
    return status;
}
