/* SPDX-License-Identifier: MIT
 * Figures of this process, and a run in a process of its own. */
#include "swarm/measure.h"

#include "swarm/optimise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

/* Returns  0, or the signal that ended the child. */
static int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return SIGABRT;
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    return WEXITSTATUS(status) == 0 ? 0 : SIGABRT;
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
    pid_t child = fork();
    if (child == 0) {
        sigset_t interrupt;
        sigemptyset(&interrupt);
        sigaddset(&interrupt, SIGINT);
        sigprocmask(SIG_UNBLOCK, &interrupt, NULL);
        memset(shared, 0, bytes); /* no page of it faults later, while faults are counted */
        swarm_optimise(options, variant, watcher, (struct swarm_run *)(void *)shared, best, mean);
        _exit(0);
    }
    int ended_by = 0;
    if (child > 0) {
        ended_by = wait_for(child);
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
