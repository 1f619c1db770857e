/* SPDX-License-Identifier: MIT
 * cmd_bench.c -- `lido bench [NAME...]`: runs the benches that stand beside the command.
 *
 * A bench is a program bench/bench_NAME in the folder of the command. Each prints its own tables; with
 * --json their results are joined into one array. A file in memory carries them, so nothing is left
 * behind when the run is interrupted.
 */
#include "command.h"

#include "common/writable.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, NO_CASE = 3, NO_PEER = 4, INTERRUPTED = 130 };
enum { BENCHES_MAX = 64, NAME_BYTES = 64, PATH_BYTES = 4096, WORDS_MAX = 16 };

typedef struct plan {
    char folder[PATH_BYTES];
    char found[BENCHES_MAX][NAME_BYTES]; /* sorted */
    size_t found_count;
    const char *wanted[BENCHES_MAX];
    size_t wanted_count;
    char *passed_on[WORDS_MAX];
    size_t passed_on_count;
    const char *json;
    bool help;
    bool interrupted;
    sigset_t signals, signals_before; /* those that are taken by sigwait; the mask of the benches */
} plan;

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

/* Finds the programs bench_NAME; having none is no error here. */
static void find_benches(plan *p) {
    static const char prefix[] = "bench_";
    char own[PATH_BYTES - NAME_BYTES];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = '\0';
    snprintf(p->folder, sizeof p->folder, "%s/bench", own);
    DIR *folder = opendir(p->folder);
    if (!folder)
        return;
    for (const struct dirent *entry; p->found_count < BENCHES_MAX && (entry = readdir(folder));) {
        const char *name = entry->d_name + strlen(prefix);
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || strchr(name, '.') ||
            strlen(name) >= NAME_BYTES || faccessat(dirfd(folder), entry->d_name, X_OK, 0) != 0)
            continue;
        snprintf(p->found[p->found_count++], NAME_BYTES, "%s", name);
    }
    closedir(folder);
    qsort(p->found, p->found_count, NAME_BYTES, by_name);
}

static void list_benches(FILE *stream, const plan *p) {
    if (p->found_count == 0)
        fputs("no bench stands beside this command; `make bench` builds and runs them\n", stream);
    else
        fputs("benches here:", stream);
    for (size_t i = 0; i < p->found_count; i++)
        fprintf(stream, "%s %s%s", i ? "," : "", p->found[i], i + 1 == p->found_count ? "\n" : "");
}

static void print_usage(FILE *stream, const plan *p) {
    fputs("usage: lido bench [NAME...] [--json FILE] [--rounds N] [--quick] [--only TEXT]\n"
          "                  [--against TEXT] [--urgent] [--no-progress]\n\n"
          "Measures lido beside its peers, all benches or those named; `make bench`\n"
          "installs the peers. docs/bench.md says how to read it. scaling measures all\n"
          "capabilities with 1 thread to twice the processors, as far as there are any.\n\n"
          "  --json FILE    write all results as one array\n"
          "  --rounds N     how often each contestant runs\n"
          "  --quick        fewer rounds, shorter windows, no slow cases\n"
          "  --only TEXT    only cases whose name holds this text\n"
          "  --against TEXT only peers whose name holds this text\n"
          "  --urgent       contestants go before other programs (needs the right to)\n\n",
          stream);
    list_benches(stream, p);
}

static bool is_found(const plan *p, const char *name) {
    for (size_t i = 0; i < p->found_count; i++) {
        if (strcmp(p->found[i], name) == 0)
            return true;
    }
    return false;
}

static bool pass_on(plan *p, char *word) {
    if (p->passed_on_count == WORDS_MAX)
        return false;
    p->passed_on[p->passed_on_count++] = word;
    return true;
}

/* Reads the words after "bench". Returns DONE or USAGE, with a message. */
static int read_words(plan *p, int argc, char *argv[]) {
    bool fine = true;
    for (int i = 1; i < argc && fine; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            p->help = true;
        } else if (strcmp(argv[i], "--json") == 0 && has_value) {
            p->json = argv[++i];
            if (!writable_or_refuse("lido bench", "json", p->json))
                return USAGE;
        } else if ((strcmp(argv[i], "--rounds") == 0 || strcmp(argv[i], "--only") == 0 ||
                    strcmp(argv[i], "--against") == 0) &&
                   has_value) {
            fine = pass_on(p, argv[i]) && pass_on(p, argv[i + 1]);
            i++;
        } else if (strcmp(argv[i], "--quick") == 0 || strcmp(argv[i], "--no-progress") == 0 ||
                   strcmp(argv[i], "--urgent") == 0) {
            fine = pass_on(p, argv[i]);
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "lido bench: %s is no option, or its value is missing\n\n", argv[i]);
            print_usage(stderr, p);
            return USAGE;
        } else if (!is_found(p, argv[i])) {
            fprintf(stderr, "lido bench: no bench '%s'; ", argv[i]);
            list_benches(stderr, p);
            return USAGE;
        } else if ((fine = p->wanted_count < BENCHES_MAX)) {
            p->wanted[p->wanted_count++] = argv[i];
        }
    }
    if (!fine)
        fputs("lido bench: too many words\n", stderr);
    return fine ? DONE : USAGE;
}

/* Waits for the bench to end and hands the wish to stop on to it. That must not end this command, which writes what the
 * benches have found so far; so the signals are blocked, and taken here.
 * Returns  the wait status of the bench. */
static int await(plan *p, pid_t child) {
    int status = 0, number;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (sigwait(&p->signals, &number) == 0 && number != SIGCHLD) {
            p->interrupted = true;
            kill(child, SIGINT);
        }
    }
    return status;
}

static int spawn(const plan *p, const char *program, char **words, pid_t *child) {
    posix_spawnattr_t attributes;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return error;
    posix_spawnattr_setsigmask(&attributes, &p->signals_before);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    error = posix_spawn(child, program, NULL, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* Starts bench_NAME, waits for it, and returns its exit status. */
static int run_bench(plan *p, const char *name, int results) {
    char program[PATH_BYTES + 2 * NAME_BYTES], path[NAME_BYTES];
    char *words[WORDS_MAX + 4];
    char json_option[] = "--json";
    int count = 0;
    pid_t child;
    snprintf(program, sizeof program, "%s/bench_%s", p->folder, name);
    snprintf(path, sizeof path, "/proc/self/fd/%d", results);
    words[count++] = program;
    for (size_t i = 0; i < p->passed_on_count; i++)
        words[count++] = p->passed_on[i];
    if (results >= 0) {
        words[count++] = json_option;
        words[count++] = path;
    }
    words[count] = NULL;
    fflush(NULL);
    int error = spawn(p, program, words, &child);
    if (error != 0) {
        fprintf(stderr, "lido bench: %s cannot be run: %s; `make bench` builds it\n", program,
                strerror(error));
        return FAILED;
    }
    int status = await(p, child);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGINT ? INTERRUPTED : FAILED;
    return WEXITSTATUS(status);
}

/* Adds what a bench wrote to the results of all. */
static int join_results(json_t *all, const char *name, int results) {
    json_error_t error;
    lseek(results, 0, SEEK_SET);
    json_t *array = json_loadfd(results, 0, &error);
    int status = DONE;
    if (!array || json_array_extend(all, array) != 0) {
        fprintf(stderr,
                "lido bench: the results of %s cannot be read: %s; run it again, or `make bench` "
                "builds it anew\n",
                name, array ? "no array" : error.text);
        status = FAILED;
    }
    json_decref(array);
    return status;
}

static int run_and_join(plan *p, const char *name, json_t *all) {
    int results = -1;
    if (p->json && (results = memfd_create("results", 0)) < 0) {
        fprintf(stderr, "lido bench: memfd_create: %s; raise the limit of open files\n",
                strerror(errno));
        return FAILED;
    }
    int status = run_bench(p, name, results);
    if (results < 0)
        return status;
    if (lseek(results, 0, SEEK_END) > 0 && join_results(all, name, results) != DONE &&
        status != INTERRUPTED)
        status = FAILED;
    close(results);
    return status;
}

int cmd_bench(int argc, char *argv[]) {
    static plan p;
    find_benches(&p);
    int status = read_words(&p, argc, argv);
    if (status != DONE)
        return status;
    if (p.help) {
        print_usage(stdout, &p);
        return DONE;
    }
    if (p.found_count == 0) {
        list_benches(stderr, &p);
        return FAILED;
    }
    json_t *all = json_array();
    sigemptyset(&p.signals);
    sigaddset(&p.signals, SIGINT);
    sigaddset(&p.signals, SIGTERM);
    sigaddset(&p.signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &p.signals, &p.signals_before);
    size_t count = p.wanted_count ? p.wanted_count : p.found_count, idle_count = 0, lone_count = 0;
    for (size_t i = 0; i < count && status != INTERRUPTED && status != USAGE && !p.interrupted;
         i++) {
        int one = run_and_join(&p, p.wanted_count ? p.wanted[i] : p.found[i], all);
        idle_count += one == NO_CASE || one == NO_PEER;
        lone_count += one == NO_PEER; /* it has said so */
        if (one != DONE && one != NO_CASE && one != NO_PEER)
            status = one == INTERRUPTED || one == USAGE ? one : FAILED;
    }
    if (p.interrupted)
        status = INTERRUPTED;
    if (idle_count == count) {
        if (lone_count == 0)
            fputs("lido bench: no case's name holds the text of --only, or --quick left it out; "
                  "docs/bench.md lists the cases\n",
                  stderr);
        status = USAGE;
    }
    if (status == USAGE) {
        json_decref(all);
        return status;
    }
    if (p.json && json_dump_file(all, p.json, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0) {
        fprintf(stderr, "lido bench: %s cannot be written: %s; make room, or name another file\n",
                p.json, strerror(errno));
        status = status == INTERRUPTED ? status : FAILED;
    }
    json_decref(all);
    return status;
}
