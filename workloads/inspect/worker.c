/* SPDX-License-Identifier: MIT
 * worker.c -- the threads that analyse files.
 *
 * A worker takes the next file (largest first, so that no long one is left for the end), acquires a
 * detector, runs it, hands the results over and releases the detector. Signals are blocked
 * everywhere: the main thread reads them from a descriptor, so that Ctrl-C is an ordinary event and
 * a worker always finishes its file. A second one ends the program at once. */
#include "run.h"

#include <ctype.h>
#include <errno.h>
#include <lido/base.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* ---- How many threads ----------------------------------------------------------------------- */

/* Reads the first line of a file of a cgroup; false: there is none. */
static bool read_line(const char *folder, const char *group, const char *file, char *line,
                      int size) {
    char path[4400];
    snprintf(path, sizeof path, "%s%s/%s", folder, group, file);
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return false;
    bool good = fgets(line, size, stream) != NULL;
    fclose(stream);
    return good;
}

/* Processors that the quota of one cgroup allows; 0: no quota there. */
static double read_quota(const char *group, bool version_2) {
    char line[128], period_line[128];
    double quota, period;
    if (version_2)
        return read_line("/sys/fs/cgroup", group, "cpu.max", line, sizeof line) &&
                       sscanf(line, "%lf %lf", &quota, &period) == 2
                   ? quota / period
                   : 0;
    if (!read_line("/sys/fs/cgroup/cpu", group, "cpu.cfs_quota_us", line, sizeof line) ||
        !read_line("/sys/fs/cgroup/cpu", group, "cpu.cfs_period_us", period_line,
                   sizeof period_line))
        return 0;
    quota = strtod(line, NULL);
    period = strtod(period_line, NULL);
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* The smallest quota of this process's cgroup and those above it; 0: none. In a container the path
 * may be that of the host, then only the root of what is mounted is there. */
static double find_quota(void) {
    char line[4200];
    double smallest = 0;
    FILE *groups = fopen("/proc/self/cgroup", "re");
    while (groups != NULL && fgets(line, sizeof line, groups) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        bool version_2 = controllers[1] == '\0';
        if (!version_2 && strstr(controllers, "cpu") == NULL)
            continue;
        for (;;) {
            double quota = read_quota(path, version_2);
            if (quota > 0 && (smallest == 0 || quota < smallest))
                smallest = quota;
            char *slash = strrchr(path, '/');
            if (slash == NULL)
                break;
            *slash = '\0';
        }
    }
    if (groups != NULL)
        fclose(groups);
    return smallest;
}

uint32_t count_processors(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                            : (int)sysconf(_SC_NPROCESSORS_ONLN);
    double quota = find_quota();
    if (quota > 0 && quota < count)
        count = (int)quota < quota ? (int)quota + 1 : (int)quota;
    return count > 0 ? (uint32_t)count : 1;
}

/* ---- Detectors ------------------------------------------------------------------------------ */

static int create_detector(void *context, void **object) {
    struct run *run = context;
    *object = detector_create(&run->corpus, &run->rules, run->options->kinds);
    return *object != NULL ? 0 : 1;
}

static int reset_detector(void *context, void *object) {
    (void)context;
    detector_reset(object);
    return 0;
}

static void destroy_detector(void *context, void *object) {
    (void)context;
    detector_destroy(object);
}

/* A bad rule is the user's to mend and is told in its own words; all else is lido's to tell. */
static bool fail(struct run *run) {
    pthread_mutex_lock(&run->rules.lock);
    pthread_mutex_lock(&run->lock);
    if (run->failure[0] == '\0')
        snprintf(run->failure, sizeof run->failure, "%s",
                 run->rules.error[0] != '\0' ? run->rules.error : lido_last_error());
    run->stop = true;
    pthread_mutex_unlock(&run->lock);
    pthread_mutex_unlock(&run->rules.lock);
    return false;
}

bool workers_prepare(struct run *run) {
    const struct options *options = run->options;
    void *first;
    if (options->share_rules && (run->rules.shared = rules_compile(&run->rules)) == NULL)
        return fail(run);
    if (options->no_pool) {
        if (create_detector(run, &first) != 0)
            return fail(run);
        detector_destroy(first);
        return true;
    }
    lido_status status = lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "detectors", .owner = "inspect",
                                 .object_limit = options->detectors, .create = create_detector,
                                 .reset = reset_detector, .destroy = destroy_detector,
                                 .context = run),
        &run->detectors);
    if (status == LIDO_OK)
        status = lido_object_pool_prepare(run->detectors, 1);
    return status == LIDO_OK || fail(run);
}

bool workers_end(struct run *run) {
    run->detector_stats.struct_size = sizeof run->detector_stats;
    if (run->detectors != NULL)
        lido_object_pool_read_stats(run->detectors, &run->detector_stats);
    run->detector_stats.created += run->made_without_pool;
    if (lido_object_pool_destroy(run->detectors) != LIDO_OK)
        return fail(run);
    run->detectors = NULL;
    return true;
}

/* ---- Work ----------------------------------------------------------------------------------- */

static bool take_file(struct run *run, uint32_t *file) {
    pthread_mutex_lock(&run->lock);
    bool more = !run->stop && run->next < run->corpus.work_count;
    if (more)
        *file = run->corpus.largest_first[run->next++];
    pthread_mutex_unlock(&run->lock);
    return more;
}

static bool acquire(struct run *run, lido_lease *lease) {
    lido_status status;
    *lease = (lido_lease){NULL, 0, 0};
    if (run->detectors == NULL)
        return create_detector(run, &lease->object) == 0;
    do /* there is always one to come: a detector is out for one file only */
        status = lido_object_pool_acquire(run->detectors, LIDO_SECONDS(10), lease);
    while (status == LIDO_ERR_TIMEOUT);
    return status == LIDO_OK;
}

static void release(struct run *run, lido_lease *lease) {
    if (run->detectors == NULL)
        detector_destroy(lease->object);
    else if (lido_object_pool_release(run->detectors, lease) != LIDO_OK)
        fail(run);
}

static void analyse_file(struct run *run, uint32_t file) {
    lido_lease lease;
    uint64_t begin_ns = lido_now_ns();
    if (!acquire(run, &lease)) {
        fail(run);
        return;
    }
    uint64_t acquired_ns = lido_now_ns();
    detector_run(lease.object, file);
    uint64_t run_ns = lido_now_ns();
    groups_take(&run->groups, lease.object, file);
    release(run, &lease);
    uint64_t released_ns = lido_now_ns();

    pthread_mutex_lock(&run->lock);
    run->done++;
    run->bytes += run->groups.files[file].bytes;
    run->detect_ns += run_ns - acquired_ns;
    run->hand_over_ns += (acquired_ns - begin_ns) + (released_ns - run_ns);
    run->made_without_pool += run->detectors == NULL;
    pthread_mutex_unlock(&run->lock);
}

static void *work(void *context) {
    struct run *run = context;
    uint32_t file;
    while (take_file(run, &file))
        analyse_file(run, file);
    alloc_thread_end();
    pthread_mutex_lock(&run->lock);
    bool last = --run->running == 0;
    pthread_mutex_unlock(&run->lock);
    if (last)
        eventfd_write(run->wake, 1);
    return NULL;
}

/* The first signal asks the workers to stop; after it, another one has its usual effect. */
static void interrupt(struct run *run, int signals, const sigset_t *blocked) {
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    pthread_mutex_lock(&run->lock);
    run->stop = run->interrupted = true;
    pthread_mutex_unlock(&run->lock);
    pthread_sigmask(SIG_UNBLOCK, blocked, NULL);
    fprintf(stderr, "\nlido: stopping after the files at hand; once more ends at once\n");
}

static void watch(struct run *run, int signals, const sigset_t *blocked) {
    bool on_terminal = isatty(STDERR_FILENO) == 1;
    uint64_t begin_ns = lido_now_ns();
    struct pollfd polled[2] = {{run->wake, POLLIN, 0}, {signals, POLLIN, 0}};
    for (bool running = true; running;) {
        poll(polled, 2, 100);
        running = (polled[0].revents & POLLIN) == 0;
        if ((polled[1].revents & POLLIN) != 0) {
            interrupt(run, signals, blocked);
            polled[1].fd = -1;
        }
        pthread_mutex_lock(&run->lock);
        uint32_t done = run->done;
        pthread_mutex_unlock(&run->lock);
        if (!run->options->no_progress)
            report_progress(run, done, (double)(lido_now_ns() - begin_ns) / 1e9, on_terminal);
    }
}

bool workers_run(struct run *run) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    int signals = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
    pthread_t *threads = must_realloc(NULL, run->options->threads * sizeof *threads);
    uint32_t started = 0;
    int error = 0;
    run->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    pthread_mutex_lock(&run->lock); /* nobody may be the last before all are counted */
    for (; started < run->options->threads && error == 0; started += error == 0)
        error = pthread_create(&threads[started], NULL, work, run);
    run->running = started;
    pthread_mutex_unlock(&run->lock);
    if (started > 0)
        watch(run, signals, &blocked);
    else
        snprintf(run->failure, sizeof run->failure, "no thread can be started: %s",
                 strerror(error));
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    close(run->wake);
    close(signals);
    return run->failure[0] == '\0';
}
