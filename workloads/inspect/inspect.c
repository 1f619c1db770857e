/* SPDX-License-Identifier: MIT
 * inspect.c -- `lido run inspect`: options, and the run from the corpus to the report. */
#include "parts.h"

#include "common/ask.h"
#include "common/options.h"

#include <errno.h>
#include <signal.h>
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
    "  --wait N          fail when a thread has waited N seconds for a detector;\n"
    "                    default: wait until there is one\n"
    "  --no-pool         a new detector for each file, to see what the pool is for\n"
    "  --locks           who waited for which lock, and whose line made them wait\n"
    "  --no-progress     no progress on standard error\n"
    "  --help            this\n"
    "\n"
    "For lido bench: --measure WHAT prints one number; --share-rules, --plain-malloc,\n"
    "--serial and --one-lock are what lido is compared with; --sample N takes only N\n"
    "files.\n"
    "\n"
    "Ctrl-C stops after the files at hand; SIGUSR1 says on standard error which files\n"
    "those are, and goes on.\n"
    "Exit status: 0 done, 1 the work failed, 2 wrong usage or no Python files below\n"
    "DIR, 130 interrupted.\n";

static int complain(const char *what, const char *why, int status) {
    fprintf(stderr, "%s: %s: %s\n", command, what, why);
    return status;
}

static const char *kind_name(uint32_t kind) {
    return kind_detectors[kind].name;
}

/* Returns  EXIT_DONE to go on, -1 after the help, else the status to end with. */
static int parse_options(int argc, char *argv[], struct options *o) {
    const struct option_spec specs[] = {
        {"db", OPTION_TEXT, &o->db, 0, NULL},
        {"json", OPTION_OUTPUT, &o->json, 0, NULL},
        {"threads", OPTION_COUNT, &o->threads, THREAD_LIMIT, NULL},
        {"kinds", OPTION_NAMES, &o->kinds, KIND_COUNT, kind_name},
        {"rules", OPTION_TEXT, &o->rules, 0, NULL},
        {"detectors", OPTION_COUNT, &o->detectors, THREAD_LIMIT, NULL},
        {"wait", OPTION_COUNT, &o->wait_s, 86400, NULL},
        {"locks", OPTION_FLAG, &o->locks, 0, NULL},
        {"one-lock", OPTION_FLAG, &o->one_lock, 0, NULL},
        {"no-pool", OPTION_FLAG, &o->no_pool, 0, NULL},
        {"no-progress", OPTION_FLAG, &o->no_progress, 0, NULL},
        {"measure", OPTION_TEXT, &o->measure, 0, NULL},
        {"share-rules", OPTION_FLAG, &o->share_rules, 0, NULL},
        {"plain-malloc", OPTION_FLAG, &o->plain_malloc, 0, NULL},
        {"serial", OPTION_FLAG, &o->serial, 0, NULL},
        {"sample", OPTION_COUNT, &o->sample, UINT32_MAX, NULL},
        {NULL, OPTION_FLAG, NULL, 0, NULL},
    };
    o->kinds = (1u << KIND_COUNT) - 1;
    int read = options_parse(command, argc, argv, specs, &o->dir);
    if (read == OPTIONS_HELP)
        fputs(usage, stdout);
    if (read != OPTIONS_GOOD)
        return read == OPTIONS_HELP ? -1 : EXIT_USAGE;
    if (o->db != NULL && o->db[0] == '\0') /* SQLite would write to a file that nobody ever sees */
        return complain("--db", "names no file", EXIT_USAGE);
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

/* All that threads share begins and ends here. Returns  whether the findings are there. */
static bool find(struct run *run, bool *bad_rule) {
    bool ready = run->options.measure != NULL && strcmp(run->options.measure, "ready") == 0;
    if (run->options.locks && !lock_report_start(&run->locks))
        return snprintf(run->failure, sizeof run->failure, "%s", lido_last_error()) < 0;
    for (int i = 0; i < FACT_PARTS; i++)
        run->parts[i].lock = (lido_mutex)LIDO_MUTEX_INIT("facts");
    run->lock = (lido_mutex)LIDO_MUTEX_INIT("run");
    run->rules.lock = (lido_mutex)LIDO_MUTEX_INIT("rules");
    shared_strings_begin(&run->strings);
    bool good = workers_prepare(run);
    *bad_rule = !good && run->rules.error.count > 0;
    good = good && (ready ? measure_getting_ready(run) : workers_run(run));
    good = workers_end(run) && good;
    pooled_malloc_thread_end();
    groups_gather(run);
    if (good)
        groups_finish(run);
    shared_strings_close(&run->strings);
    lido_mutex_destroy(&run->rules.lock);
    lido_mutex_destroy(&run->lock);
    if (run->options.locks)
        lock_report_stop(&run->locks);
    return good;
}

/* Finds, stores and reports; the corpus is read and the database is open. */
static int analyse(struct run *run, struct sqlite3 *db) {
    bool bad_rule = false, good = find(run, &bad_rule);
    char *message = NULL;
    bool stored = db == NULL || store_write(db, good ? run : NULL, &message);
    if (good && !stored)
        complain(run->options.db, message, EXIT_FAILED);
    free(message);
    if (bad_rule)
        return complain("--rules", run->rules.error.items, EXIT_USAGE);
    if (!good)
        return complain("the analysis failed", run->failure, EXIT_FAILED);
    run->used = processors_used();
    run->wall_s = (double)(lido_now_ns() - run->begin_ns) / 1e9;
    run->allocations = pooled_malloc_read_counts();
    watch_forget();
    int status = report(run);
    return stored ? status : EXIT_FAILED;
}

static const char no_files[] =
    "no Python files (*.py) below it.\n"
    "Folders named site-packages, __pycache__ or .* are left out, and links are not\n"
    "followed. Name the folder that holds the sources.";

static int run_all(struct run *run) {
    struct sqlite3 *db = NULL;
    char *message = NULL;
    int status;
    if (run->options.rules != NULL && !rules_read(&run->rules, run->options.rules))
        return complain("--rules", run->rules.error.items, EXIT_USAGE);
    if (!corpus_read(&run->corpus, run->options.dir, run->options.sample))
        return complain(run->options.dir, strerror(errno), EXIT_USAGE);
    if (run->corpus.files.count == 0)
        status = complain(run->options.dir, no_files, EXIT_USAGE);
    else if (run->options.db != NULL && (db = store_open(run->options.db, &message)) == NULL)
        status = complain(run->options.db, message, EXIT_FAILED);
    else
        status = analyse(run, db);
    free(message);
    corpus_end(&run->corpus);
    return status;
}

static int start(struct run *run) {
    if (!detector_prepare())
        return EXIT_FAILED;
    if (!pooled_malloc_start("inspect"))
        return complain("block pools", lido_last_error(), EXIT_FAILED);
    if (!run->options.plain_malloc)
        ts_set_allocator(pooled_malloc, pooled_calloc, pooled_realloc, pooled_free);
    int status = run_all(run);
    rules_end(&run->rules);
    shared_strings_end(&run->strings);
    free(run->facts.items);
    free(run->binds.items);
    free(run->findings.items);
    pooled_malloc_thread_end();
    /* tree-sitter 0.20.7 leaks what it had of a query that names an unknown field. */
    if (!pooled_malloc_end() && status == EXIT_DONE)
        status = complain("block pools", lido_last_error(), EXIT_FAILED);
    lock_report_end(&run->locks);
    return status;
}

int inspect_main(int argc, char *argv[]) {
    char *standard_library = NULL;
    signal(SIGUSR1, SIG_IGN); /* who asks before there is something to tell ends nothing */
    struct run run = {.begin_ns = lido_now_ns()};
    int status = parse_options(argc, argv, &run.options);
    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    if (run.options.dir == NULL)
        run.options.dir = standard_library = ask_python_library();
    if (run.options.dir == NULL)
        return complain("no DIR is given, and python3 does not say where its standard library is",
                        "name the folder to inspect", EXIT_FAILED);
    status = start(&run);
    free(standard_library);
    return status;
}
