/* SPDX-License-Identifier: MIT
 * Rows that run real programs: the swarm workload and the simulation among the examples. */
#include "validate.h"

#include "swarm/measure.h"
#include "swarm/optimise.h"

#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Swarm ---------------------------------------------------------------------------------- */

static const struct swarm_options small = {
    .particles = 30, .dimensions = 30, .iterations = 10000, .seed = 1};

static struct swarm_options options_for(const char *function, struct swarm_options from) {
    from.function = swarm_function_find(function, &from.shifted_rotated);
    return from;
}

/* One run in a process of its own; false: the row has failed. */
static bool run_swarm(struct row *row, struct swarm_options options, enum swarm_variant variant,
                      const struct swarm_watcher *watcher, struct swarm_run *run) {
    double *curves = calloc(2 * options.iterations, sizeof *curves);
    bool done = curves != NULL;
    if (done) {
        (void)swarm_optimise_apart(&options, variant, watcher, run, curves,
                                   curves + options.iterations);
        done = run->done;
    }
    if (!done)
        row_failed(row, "%s", curves != NULL ? run->error : "no memory");
    free(curves);
    return done;
}

/* Takes 4 KiB and keeps them, each time it is called. */
static void leak_a_page(void *context, uint64_t iteration, double best) {
    (void)best;
    char *page = malloc(4096);
    if (page != NULL)
        memset(page, (int)iteration, 4096);
    *(char **)context = page;
}

void validate_growth(struct row *row) {
    char *last = NULL;
    struct swarm_watcher leak = {leak_a_page, &last};
    struct swarm_run run;
    setenv("LIDO_BLOCK_POOL_MODE", "slabs", 1);
    if (run_swarm(row, options_for("rastrigin", small), SWARM_POOL, row->broken ? &leak : NULL,
                  &run))
        row_result(row, run.growth_bytes <= 0 && run.faults_late == 0,
                   "%" PRId64 " bytes, %" PRIu64 " page faults", run.growth_bytes, run.faults_late);
}

void validate_equal(struct row *row) {
    static const char *const names[] = {"sphere", "rastrigin", "rosenbrock", "ackley",
                                        "shifted-rotated-rastrigin"};
    uint64_t equal = 0, all = 0;
    setenv("LIDO_BLOCK_POOL_MODE", "slabs", 1);
    for (size_t i = 0; i < 2 * sizeof names / sizeof names[0]; i++) {
        struct swarm_options o = options_for(names[i / 2], small);
        struct swarm_run in_place, run;
        o.seed = i;
        o.matrix = i % 2 == 1;
        o.iterations = 500;
        if (!run_swarm(row, o, SWARM_IN_PLACE, NULL, &in_place))
            return;
        for (enum swarm_variant v = SWARM_POOL; v < SWARM_VARIANT_COUNT; v++, all++) {
            struct swarm_options other = o;
            other.seed += row->broken && v == SWARM_POOL;
            if (!run_swarm(row, other, v, NULL, &run))
                return;
            equal += run.checksum == in_place.checksum && run.best == in_place.best;
        }
    }
    row_result(row, equal == all, "%" PRIu64 " of %" PRIu64 " runs equal to the last bit", equal,
               all);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* CPU time of one variant over that of another, interleaved; sorted, rounds of them. */
enum { rounds = 5 };
static bool ratios(struct row *row, struct swarm_options above, enum swarm_variant over,
                   struct swarm_options below, enum swarm_variant under, double ratio[rounds]) {
    struct swarm_run a, b;
    if (measure_sanitizer() != NULL) {
        row_not_measured(row, "a sanitizer (%s) stands in the place of the system's malloc",
                         measure_sanitizer());
        return false;
    }
    setenv("LIDO_BLOCK_POOL_MODE", "slabs", 1);
    for (int round = 0; round < rounds; round++) {
        if (!run_swarm(row, above, over, NULL, &a) || !run_swarm(row, below, under, NULL, &b))
            return false;
        ratio[round] = a.cpu_s / b.cpu_s;
    }
    qsort(ratio, rounds, sizeof *ratio, by_size);
    return true;
}

void validate_matrix(struct row *row) {
    struct swarm_options o = options_for("sphere", small);
    double ratio[rounds];
    o.matrix = true;
    o.particles = row->broken ? 30 : 1000;
    o.dimensions = row->broken ? 30 : 100;
    o.iterations = row->broken ? 2000 : 150;
    if (ratios(row, o, SWARM_MALLOC, o, SWARM_POOL, ratio))
        row_result(row, ratio[rounds / 2] >= 2, "%.2f times as fast (%.2f to %.2f)",
                   ratio[rounds / 2], ratio[0], ratio[rounds - 1]);
}

void validate_particles(struct row *row) {
    struct swarm_options o = options_for("rastrigin", small), pool = o;
    double ratio[rounds];
    if (row->broken)
        pool.iterations *= 2;
    if (ratios(row, pool, SWARM_POOL, o, SWARM_MALLOC, ratio))
        row_result(row, ratio[rounds / 2] <= 1.1, "%.2f of malloc's time (%.2f to %.2f): %s",
                   ratio[rounds / 2], ratio[0], ratio[rounds - 1],
                   ratio[rounds - 1] < 0.95 ? "a gain" : "no gain in time");
}

/* ---- Simulation ----------------------------------------------------------------------------- */

/* The example beside this command, as the build puts it. */
static bool find_simulation(char *path, size_t size) {
    char self[3000];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return false;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    snprintf(path, size, "%s/examples/simulation", self);
    return access(path, X_OK) == 0;
}

/* Runs it and keeps its last line's checksum, and how many of its health checks were good. */
static bool simulate(const char *path, char *const argv[], char checksum[17], int *healthy) {
    posix_spawn_file_actions_t actions;
    int ends[2], status = 1;
    pid_t child;
    if (pipe(ends) != 0)
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    int failed = posix_spawn(&child, path, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    char line[300];
    while (failed == 0 && from != NULL && fgets(line, sizeof line, from) != NULL) {
        const char *found = strstr(line, "checksum ");
        if (found != NULL)
            snprintf(checksum, 17, "%s", found + sizeof "checksum " - 1);
        *healthy += strstr(line, "  healthy") != NULL;
    }
    if (from != NULL)
        fclose(from);
    while (failed == 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return failed == 0 && status == 0;
}

void validate_simulation(struct row *row) {
    char path[3100], with[17] = "", without[17] = "none";
    int checks = 0, other_checks = 0;
    if (!find_simulation(path, sizeof path)) {
        row_not_measured(row, "examples/simulation is not beside this command: build the examples");
        return;
    }
    char *pooled[] = {path, NULL};
    char no_pool[] = "--no-pool", early[] = "9000";
    char *plain[] = {path, no_pool, row->broken ? early : NULL, NULL};
    if (!simulate(path, pooled, with, &checks) || !simulate(path, plain, without, &other_checks)) {
        row_failed(row, "examples/simulation ended with an error");
        return;
    }
    row_result(row, strcmp(with, without) == 0 && checks == 10,
               "%s with the pool, %s without; %d of 10 health checks good", with, without, checks);
}
