/* SPDX-License-Identifier: MIT
 * worker.c -- the threads that analyse files.
 *
 * A worker takes the next file (largest first, so that no long one is left for the end), acquires a
 * detector, runs it, hands the results over and releases the detector. */
#include "parts.h"

/* Ends the run. A bad rule is the user's to mend and is told in its own words; all else is lido's. */
static bool fail(struct run *run, const char *at) {
    hold(&run->rules.lock);
    hold(&run->lock);
    if (run->failure[0] == '\0')
        snprintf(run->failure, sizeof run->failure, "%s%s%s", at, at[0] != '\0' ? ": " : "",
                 run->rules.error.count > 0 ? run->rules.error.items : lido_last_error());
    let_go(&run->lock);
    let_go(&run->rules.lock);
    return false;
}

bool workers_prepare(struct run *run) {
    const struct options *options = &run->options;
    void *first;
    if (options->share_rules && run->rules.files.parts.count > 0 &&
        (run->rules.shared = rules_compile(&run->rules)) == NULL)
        return fail(run, "");
    if (options->no_pool) {
        if (detector_create(run, &first) != 0)
            return fail(run, "");
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
    return status == LIDO_OK || fail(run, "");
}

bool workers_end(struct run *run) {
    pool_report_take(&run->pool, run->detectors, run->begin_ns);
    for (uint32_t i = 0; i < run->corpus.files.count; i++) {
        const struct source_file *file = &run->corpus.files.items[i];
        run->bytes += file->bytes * file->done;
        run->detect_ns += file->detect_ns;
        run->hand_over_ns += file->hand_over_ns;
        run->pool.stats.created += file->done && run->options.no_pool;
    }
    return lido_object_pool_destroy(run->detectors) == LIDO_OK || fail(run, "");
}

/* No file is left out because all detectors are out: there is always one to come, or the run fails. */
static bool acquire(struct run *run, lido_lease *lease) {
    uint64_t wait_ns = run->options.wait_s > 0 ? LIDO_SECONDS(run->options.wait_s) : LIDO_FOREVER;
    *lease = (lido_lease){NULL, 0, 0};
    if (run->detectors == NULL)
        return detector_create(run, &lease->object) == 0;
    return lido_object_pool_acquire(run->detectors, wait_ns, lease) == LIDO_OK;
}

static bool analyse_file(void *context, void *item) {
    struct run *run = context;
    uint32_t number = (uint32_t) * (const uint64_t *)item;
    struct source_file *file = &run->corpus.files.items[number];
    uint64_t begin_ns = lido_now_ns();
    lido_lease lease;
    if (!acquire(run, &lease))
        return fail(run, file->path);
    uint64_t acquired_ns = lido_now_ns();
    if (run->options.one_lock)
        hold(&run->lock);
    detector_run(lease.object, number);
    uint64_t run_ns = lido_now_ns();
    groups_take(run, lease.object, number);
    if (run->options.one_lock)
        let_go(&run->lock);
    if (run->detectors == NULL)
        detector_destroy(NULL, lease.object);
    else if (lido_object_pool_release(run->detectors, &lease) != LIDO_OK)
        return fail(run, "");
    file->detect_ns = run_ns - acquired_ns;
    file->hand_over_ns = (acquired_ns - begin_ns) + (lido_now_ns() - run_ns);
    return true;
}

static const char *path_at_hand(void *context, uint64_t thread_id) {
    struct run *run = context;
    const uint64_t *item = crew_at_hand(&run->crew, thread_id);
    return item != NULL ? run->corpus.files.items[(uint32_t)*item].path : NULL;
}

static void tell(void *context) {
    struct run *run = context;
    if (run->detectors != NULL)
        pool_report_tell(run->detectors, stderr, path_at_hand, run);
}

bool workers_run(struct run *run) {
    run->crew = (struct crew){.name = "inspect",
                              .silent = run->options.no_progress,
                              .threads = run->options.threads,
                              .items = run->corpus.work,
                              .item_bytes = sizeof *run->corpus.work,
                              .count = run->corpus.work_count,
                              .work = analyse_file,
                              .end_thread = pooled_malloc_thread_end,
                              .tell = tell,
                              .context = run,
                              .locks = run->options.locks ? &run->locks : NULL};
    const char *why = crew_run(&run->crew);
    if (why != NULL)
        snprintf(run->failure, sizeof run->failure, "the threads cannot be started: %s", why);
    return run->failure[0] == '\0';
}
