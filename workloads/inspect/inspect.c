/* SPDX-License-Identifier: MIT
 * inspect.c -- `lido run inspect`: options, and the run from the corpus to the report. */
#include "inspect.h"

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { THREAD_LIMIT = 256, ALL_KINDS = (1 << KIND_COUNT) - 1 };

static const char usage[] =
    "usage: lido run inspect [DIR] [options]\n"
    "\n"
    "Finds connascence in the Python files below DIR: groups of places that must agree.\n"
    "Default DIR: the standard library of the python3 on the PATH.\n"
    "\n"
    "  --db FILE         findings into an SQLite database (tables files, findings, places)\n"
    "  --json FILE       figures as JSON; - for standard output\n"
    "  --threads N       1 to 256; default: the processors that this process may use\n"
    "  --kinds A,B       of name type meaning position algorithm execution timing value; default: "
    "all\n"
    "  --rules PATH      a *.scm file, or a folder of them, with rules of yours (docs/inspect.md)\n"
    "  --detectors N     at most N detectors; default: one for each thread\n"
    "  --no-pool         a new detector for each file, to see what the pool is for\n"
    "  --no-progress     no progress on standard error\n"
    "  --help            this\n"
    "\n"
    "For lido bench: --measure cpu|hand-over|rss|system|ready prints one number; with "
    "--share-rules,\n"
    "--plain-malloc, --serial for what lido is compared with, and --sample N files.\n"
    "\n"
    "Exit status: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted.\n";

/* ---- Options -------------------------------------------------------------------------------- */

static bool parse_count(const char *option, const char *value, uint32_t limit, uint32_t *out) {
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || number < 1 || number > limit) {
        fprintf(stderr, "lido run inspect: --%s is '%s', must be a number from 1 to %u\n", option,
                value, limit);
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

static bool parse_kinds(const char *value, uint32_t *out) {
    *out = 0;
    for (const char *at = value; *at != '\0' || at == value;) {
        size_t length = strcspn(at, ",");
        int kind = 0;
        while (kind < KIND_COUNT && (strlen(kind_detectors[kind].name) != length ||
                                     memcmp(kind_detectors[kind].name, at, length) != 0))
            kind++;
        if (kind == KIND_COUNT) {
            fprintf(
                stderr,
                "lido run inspect: --kinds has '%.*s'; take from name, type, meaning, position, "
                "algorithm, execution, timing, value\n",
                (int)length, at);
            return false;
        }
        *out |= 1u << kind;
        at += length + (at[length] == ',');
    }
    return true;
}

/* Says which option getopt did not take. */
static int refuse_option(char *argv[], int option) {
    const char *word = argv[optind - 1];
    if (option == ':')
        fprintf(stderr, "lido run inspect: %s wants a value; see lido run inspect --help\n", word);
    else
        fprintf(stderr, "lido run inspect: no option %s here; see lido run inspect --help\n", word);
    return EXIT_USAGE;
}

/* Returns  EXIT_DONE, or the status to end with; -1: end well, the help was asked for. */
static int parse_options(int argc, char *argv[], struct options *options) {
    enum {
        DB = 256,
        JSON,
        THREADS,
        KINDS,
        RULES,
        DETECTORS,
        NO_POOL,
        NO_PROGRESS,
        MEASURE,
        SHARE_RULES,
        PLAIN_MALLOC,
        SERIAL,
        SAMPLE,
        HELP
    };
    static const struct option known[] = {{"db", required_argument, NULL, DB},
                                          {"json", required_argument, NULL, JSON},
                                          {"threads", required_argument, NULL, THREADS},
                                          {"kinds", required_argument, NULL, KINDS},
                                          {"rules", required_argument, NULL, RULES},
                                          {"detectors", required_argument, NULL, DETECTORS},
                                          {"no-pool", no_argument, NULL, NO_POOL},
                                          {"no-progress", no_argument, NULL, NO_PROGRESS},
                                          {"measure", required_argument, NULL, MEASURE},
                                          {"share-rules", no_argument, NULL, SHARE_RULES},
                                          {"plain-malloc", no_argument, NULL, PLAIN_MALLOC},
                                          {"serial", no_argument, NULL, SERIAL},
                                          {"sample", required_argument, NULL, SAMPLE},
                                          {"help", no_argument, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
    bool good = true;
    int option;
    *options = (struct options){.kinds = ALL_KINDS};
    opterr = 0;
    while (good && (option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        switch (option) {
        case DB:
            options->db = optarg;
            break;
        case JSON:
            options->json = optarg;
            break;
        case THREADS:
            good = parse_count("threads", optarg, THREAD_LIMIT, &options->threads);
            break;
        case KINDS:
            good = parse_kinds(optarg, &options->kinds);
            break;
        case RULES:
            options->rules = optarg;
            break;
        case DETECTORS:
            good = parse_count("detectors", optarg, THREAD_LIMIT, &options->detectors);
            break;
        case NO_POOL:
            options->no_pool = true;
            break;
        case NO_PROGRESS:
            options->no_progress = true;
            break;
        case MEASURE:
            good = measure_is_known(options->measure = optarg);
            break;
        case SHARE_RULES:
            options->share_rules = true;
            break;
        case PLAIN_MALLOC:
            options->plain_malloc = true;
            break;
        case SERIAL:
            options->serial = true;
            break;
        case SAMPLE:
            good = parse_count("sample", optarg, UINT32_MAX, &options->sample);
            break;
        case HELP:
        case 'h':
            fputs(usage, stdout);
            return -1;
        default:
            return refuse_option(argv, option);
        }
    }
    if (good && argc - optind > 1) {
        fprintf(stderr, "lido run inspect: one DIR at a time, '%s' is a second\n",
                argv[optind + 1]);
        good = false;
    }
    options->dir = good && optind < argc ? argv[optind] : NULL;
    return good ? EXIT_DONE : EXIT_USAGE;
}

/* ---- The default folder --------------------------------------------------------------------- */

/* Reads a child's output up to the end of its first line. Returns its length. */
static size_t read_answer(int fd, char *out, size_t size) {
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 &&
           ((got = read(fd, out + length, size - 1 - length)) > 0 || (got < 0 && errno == EINTR)))
        length += got > 0 ? (size_t)got : 0;
    out[length] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return strlen(out);
}

/* Asks python3 where its standard library is. NULL, after a message: nowhere. */
static char *find_standard_library(void) {
    static char program[] = "python3", isolated[] = "-I", command[] = "-c",
                question[] = "import sysconfig; print(sysconfig.get_path('stdlib'))";
    char *arguments[] = {program, isolated, command, question, NULL};
    char answer[4096] = "";
    int ends[2], status = -1;
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int error = posix_spawnp(&child, "python3", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t length = error == 0 ? read_answer(ends[0], answer, sizeof answer) : 0;
    close(ends[0]);
    if (error == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    if (error == 0 && status == 0 && length > 0)
        return must_copy(answer, length);
    fprintf(stderr, "lido run inspect: no DIR given, and python3 %s; name the folder to inspect\n",
            error != 0 ? "cannot be started" : "did not say where its standard library is");
    return NULL;
}

/* ---- The run -------------------------------------------------------------------------------- */

static int complain(const char *what, const char *why, int status) {
    fprintf(stderr, "lido run inspect: %s%s%s\n", what, why[0] != '\0' ? ": " : "", why);
    return status;
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void take_figures(struct run *run, uint64_t begin_ns) {
    struct rusage usage_now;
    getrusage(RUSAGE_SELF, &usage_now);
    run->wall_s = (double)(lido_now_ns() - begin_ns) / 1e9;
    run->cpu_s = seconds_of(usage_now.ru_utime) + seconds_of(usage_now.ru_stime);
    run->peak_rss_bytes = (uint64_t)usage_now.ru_maxrss * 1024;
    run->allocations = alloc_read_counts();
    run->failed = run->corpus.failures.count;
    for (uint32_t i = 0; i < run->corpus.files.count; i++)
        run->failed += run->groups.files[i].reason != NULL;
}

/* Analyses, groups, stores and reports; the corpus is read and the database is open. */
static int run_all(struct run *run, struct store *store, uint64_t begin_ns) {
    char *message = NULL;
    bool good = workers_prepare(run);
    if (!good && run->rules.error[0] != '\0') {
        if (store != NULL)
            store_abandon(store);
        workers_end(run);
        return complain("--rules", run->rules.error, EXIT_USAGE);
    }
    bool get_ready =
        good && run->options->measure != NULL && strcmp(run->options->measure, "ready") == 0;
    good = good && (get_ready ? measure_getting_ready(run) : workers_run(run));
    good = workers_end(run) && good;
    alloc_thread_end();
    groups_finish(&run->groups);
    if (store != NULL && !good)
        store_abandon(store);
    if (!good)
        return complain("the analysis failed", run->failure, EXIT_FAILED);
    if (store != NULL && !store_write(store, run, &message)) {
        complain(run->options->db, message, EXIT_FAILED);
        free(message);
        good = false;
    }
    take_figures(run, begin_ns);
    if (run->options->measure != NULL)
        measure_print(run);
    bool json_on_stdout = run->options->json != NULL && strcmp(run->options->json, "-") == 0;
    if (run->options->measure == NULL)
        report_summary(run, json_on_stdout ? stderr : stdout);
    if (run->options->json != NULL && !report_json(run, run->options->json))
        good = complain(run->options->json, strerror(errno), EXIT_FAILED) == EXIT_DONE;
    if (fflush(stdout) != 0)
        good = complain("standard output", strerror(errno), EXIT_FAILED) == EXIT_DONE;
    return !good ? EXIT_FAILED : run->interrupted ? EXIT_INTERRUPTED : EXIT_DONE;
}

static int run_with_options(struct options *options, const char *dir) {
    struct run run = {.options = options};
    struct store *store = NULL;
    char *message;
    const char *mismatch;
    uint64_t begin_ns = lido_now_ns();
    if (!detector_prepare_tables(&mismatch))
        return complain(mismatch, "", EXIT_FAILED);
    if (!options->plain_malloc && !alloc_start())
        return complain(lido_last_error(), "", EXIT_FAILED);
    if (options->threads == 0)
        options->threads = count_processors() < THREAD_LIMIT ? count_processors() : THREAD_LIMIT;
    if (options->detectors == 0)
        options->detectors = options->threads;
    pthread_mutex_init(&run.lock, NULL);
    pthread_mutex_init(&run.rules.lock, NULL);

    int status = EXIT_DONE;
    if (options->rules != NULL && !rules_read(&run.rules, options->rules))
        status = complain("--rules", run.rules.error, EXIT_USAGE);
    else if (!corpus_read(&run.corpus, dir))
        status = complain(dir, strerror(errno), EXIT_USAGE);
    else if (options->db != NULL && (store = store_open(options->db, &message)) == NULL) {
        status = complain(options->db, message, EXIT_FAILED);
        free(message);
        corpus_end(&run.corpus);
    } else {
        if (options->sample > 0)
            corpus_sample(&run.corpus, options->sample);
        groups_start(&run.groups, &run.corpus);
        status = run_all(&run, store, begin_ns);
        groups_end(&run.groups);
        corpus_end(&run.corpus);
    }
    rules_end(&run.rules);
    pthread_mutex_destroy(&run.rules.lock);
    pthread_mutex_destroy(&run.lock);
    alloc_thread_end();
    if (!alloc_end() && status == EXIT_DONE)
        status = complain(lido_last_error(), "", EXIT_FAILED);
    return status;
}

int inspect_main(int argc, char *argv[]) {
    struct options options;
    int status = parse_options(argc, argv, &options);
    if (status != EXIT_DONE)
        return status < 0 ? EXIT_DONE : status;
    char *standard_library = options.dir == NULL ? find_standard_library() : NULL;
    if (options.dir == NULL && standard_library == NULL)
        return EXIT_FAILED;
    status = run_with_options(&options, options.dir != NULL ? options.dir : standard_library);
    free(standard_library);
    return status;
}
