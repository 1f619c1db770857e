/* SPDX-License-Identifier: MIT
 * worker.c -- the threads that analyse files.
 *
 * A worker takes the next file (largest first, so that no long one is left for the end), acquires a
 * detector, runs it, hands the results over and releases the detector. */
#include "parts.h"

#include <string.h>

/* Ends the run. A bad rule is the user's to mend and is told in its own words; all else is lido's. */
static bool fail(struct run *run) {
    pthread_mutex_lock(&run->rules.lock);
    pthread_mutex_lock(&run->lock);
    if (run->failure[0] == '\0')
        snprintf(run->failure, sizeof run->failure, "%s",
                 run->rules.error[0] != '\0' ? run->rules.error : lido_last_error());
    pthread_mutex_unlock(&run->lock);
    pthread_mutex_unlock(&run->rules.lock);
    return false;
}

bool workers_prepare(struct run *run) {
    const struct options *options = &run->options;
    void *first;
    if (options->share_rules && run->rules.rules.count > 0 &&
        (run->rules.shared = rules_compile(&run->rules)) == NULL)
        return fail(run);
    if (options->no_pool) {
        if (detector_create(run, &first) != 0)
            return fail(run);
        detector_destroy(NULL, first);
        return true;
    }
    lido_status status = lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "detectors", .owner = "inspect",
                                 .object_limit = options->detectors, .sizing = 1,
                                 .create = detector_create, .reset = detector_reset,
                                 .destroy = detector_destroy, .context = run),
        &run->detectors);
    if (status == LIDO_OK)
        status = lido_object_pool_prepare(run->detectors, 1);
    return status == LIDO_OK || fail(run);
}

bool workers_end(struct run *run) {
    pool_report_take(&run->pool, run->detectors, run->begin_ns);
    run->pool.stats.created += run->made_without_pool;
    return lido_object_pool_destroy(run->detectors) == LIDO_OK || fail(run);
}

static bool acquire(struct run *run, lido_lease *lease) {
    lido_status status;
    *lease = (lido_lease){NULL, 0, 0};
    if (run->detectors == NULL)
        return detector_create(run, &lease->object) == 0;
    do /* there is always one to come: a detector is out for one file only */
        status = lido_object_pool_acquire(run->detectors, LIDO_SECONDS(10), lease);
    while (status == LIDO_ERR_TIMEOUT);
    return status == LIDO_OK;
}

static bool analyse_file(void *context, uint32_t item) {
    struct run *run = context;
    uint32_t file = (uint32_t)run->corpus.work[item];
    uint64_t begin_ns = lido_now_ns();
    lido_lease lease;
    if (!acquire(run, &lease))
        return fail(run);
    uint64_t acquired_ns = lido_now_ns();
    detector_run(lease.object, file);
    uint64_t run_ns = lido_now_ns();
    groups_take(run, lease.object, file);
    if (run->detectors == NULL)
        detector_destroy(NULL, lease.object);
    else if (lido_object_pool_release(run->detectors, &lease) != LIDO_OK)
        return fail(run);
    uint64_t released_ns = lido_now_ns();

    pthread_mutex_lock(&run->lock);
    run->bytes += run->corpus.files.items[file].bytes;
    run->detect_ns += run_ns - acquired_ns;
    run->hand_over_ns += (acquired_ns - begin_ns) + (released_ns - run_ns);
    run->made_without_pool += run->detectors == NULL;
    pthread_mutex_unlock(&run->lock);
    return true;
}

bool workers_run(struct run *run) {
    run->crew = (struct crew){.name = "inspect",
                              .silent = run->options.no_progress,
                              .threads = run->options.threads,
                              .count = run->corpus.work_count,
                              .work = analyse_file,
                              .end_thread = pooled_malloc_thread_end,
                              .context = run};
    int error = crew_run(&run->crew);
    if (error != 0)
        snprintf(run->failure, sizeof run->failure, "no thread can be started: %s",
                 strerror(error));
    return run->failure[0] == '\0';
}
