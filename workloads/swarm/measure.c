/* SPDX-License-Identifier: MIT
 * Figures of this process, and a run in a process of its own. */
#include "swarm/measure.h"

#include "common/rounds.h"
#include "swarm/optimise.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

const char *measure_sanitizer(void) {
    if (__asan_init != NULL)
        return "address";
    return __tsan_init != NULL ? "thread" : NULL;
}

double measure_cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Reads a small file of /proc whole; empty text when it is not there. */
static void read_proc(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? 0 : read(file, text, size - 1);
    text[got > 0 ? got : 0] = '\0';
    if (file >= 0)
        close(file);
}

uint64_t measure_anonymous_bytes(void) {
    char text[4096];
    read_proc("/proc/self/smaps_rollup", text, sizeof text);
    const char *line = strstr(text, "\nAnonymous:");
    if (line != NULL)
        return strtoull(line + sizeof "\nAnonymous:" - 1, NULL, 10) * 1024;
    read_proc("/proc/self/statm", text, sizeof text);
    char *next;
    uint64_t pages[3] = {0};
    next = text;
    for (int i = 0; i < 3; i++)
        pages[i] = strtoull(next, &next, 10);
    return (pages[1] - pages[2]) * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct measure measure_now(void) {
    struct measure m = {.anonymous_bytes = measure_anonymous_bytes()};
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    m.faults = (uint64_t)usage.ru_minflt;
    m.cpu_s = measure_cpu_s();
    return m;
}

/* ---- Apart ------------------------------------------------------------------------------- */

struct job {
    const struct swarm_options *options;
    enum swarm_variant variant;
    const struct swarm_watcher *watcher;
    char *shared;
    double *best, *mean;
    size_t bytes;
};

static void optimise_apart(void *context) {
    struct job *job = context;
    memset(job->shared, 0, job->bytes); /* no page of it faults later, while faults are counted */
    swarm_optimise(job->options, job->variant, job->watcher,
                   (struct swarm_run *)(void *)job->shared, job->best, job->mean);
}

int swarm_optimise_apart(const struct swarm_options *options, enum swarm_variant variant,
                         const struct swarm_watcher *watcher, struct swarm_run *run,
                         double *best_of, double *mean_of) {
    size_t history = options->iterations * sizeof(double);
    size_t bytes = sizeof *run + 2 * history;
    *run = (struct swarm_run){.error = "no memory for a process of its own"};
    char *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 0;
    double *best = (double *)(void *)(shared + sizeof *run);
    double *mean = best + options->iterations;
    struct job job = {options, variant, watcher, shared, best, mean, bytes};
    int ended_by = rounds_play_apart(optimise_apart, &job);
    if (ended_by >= 0) {
        memcpy(run, shared, sizeof *run);
        memcpy(best_of, best, history);
        memcpy(mean_of, mean, history);
        if (ended_by != 0)
            snprintf(run->error, sizeof run->error, "the process of the %s variant ended by %s",
                     swarm_variant_name[variant], strsignal(ended_by));
        run->done = run->done && ended_by == 0;
    }
    munmap(shared, bytes);
    return ended_by;
}
