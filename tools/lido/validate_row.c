/* SPDX-License-Identifier: MIT
 * What all rows of the validation share, and the process in which each of them runs. */
#include "validate.h"

#include "swarm/random.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { row_limit_s = 120 };

const char *const verdict_name[3] = {"pass", "fail", "not measured"};

void row_result(struct row *row, bool meets, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(row->measured, sizeof row->measured, format, values);
    va_end(values);
    row->verdict = meets ? VERDICT_PASS : VERDICT_FAIL;
    if (!meets)
        snprintf(row->reason, sizeof row->reason, "%s",
                 row->broken ? "broken on purpose" : "the target is not met");
}

void row_failed(struct row *row, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(row->reason, sizeof row->reason, format, values);
    va_end(values);
    row->verdict = VERDICT_FAIL;
}

void row_not_measured(struct row *row, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(row->reason, sizeof row->reason, format, values);
    va_end(values);
    row->verdict = VERDICT_NOT_MEASURED;
}

lido_block_pool *row_make_pool(struct row *row, const lido_block_pool_options *options) {
    lido_block_pool *pool = NULL;
    if (lido_block_pool_create(options, &pool) != LIDO_OK)
        row_failed(row, "%s", lido_last_error());
    return pool;
}

lido_block_pool_stats row_stats(const lido_block_pool *pool) {
    lido_block_pool_stats stats = {.struct_size = sizeof stats};
    (void)lido_block_pool_read_stats(pool, &stats);
    return stats;
}

void **row_pointers(uint64_t count) {
    void **pointers = calloc(count, sizeof *pointers);
    if (pointers == NULL)
        abort(); /* the row's own process: the row fails and says so */
    return pointers;
}

bool row_fill(struct row *row, lido_block_pool *pool, uint64_t count, void **blocks) {
    for (uint64_t i = 0; i < count; i++) {
        blocks[i] = lido_block_pool_acquire(pool);
        if (blocks[i] == NULL) {
            row_failed(row, "block %llu: %s", (unsigned long long)i, lido_last_error());
            return false;
        }
    }
    return true;
}

void row_end_pool(lido_block_pool *pool) {
    void *block;
    if (pool == NULL)
        return;
    for (uint64_t i = 0; (block = lido_block_pool_next(pool, &i)) != NULL; i++)
        (void)lido_block_pool_release(pool, block);
    (void)lido_block_pool_destroy(pool);
}

void validate_run(const struct entry *entry, struct row *row) {
    struct row *shared =
        mmap(NULL, sizeof *row, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        row_not_measured(row, "no memory for a process of its own");
        return;
    }
    *shared = *row;
    pid_t child = fork();
    if (child == 0) {
        alarm(row_limit_s);
        row_failed(shared, "the check ended without a result");
        entry->run(shared);
        _exit(0);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    *row = *shared;
    munmap(shared, sizeof *shared);
    if (child < 0)
        row_not_measured(row, "no process of its own: %s", strerror(errno));
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        row_failed(row, "not done after %d seconds", row_limit_s);
    else if (WIFSIGNALED(status))
        row_failed(row, "ended by a signal: %s", strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        row_failed(row, "ended with status %d", WEXITSTATUS(status));
}

void row_shuffle(void **blocks, uint64_t count, uint64_t seed) {
    struct random r = random_start(&seed);
    for (uint64_t i = count; i > 1; i--) {
        uint64_t j = random_next(&r) % i;
        void *kept = blocks[i - 1];
        blocks[i - 1] = blocks[j];
        blocks[j] = kept;
    }
}

void row_doze(uint64_t ns) {
    struct timespec pause = {0, (long)ns};
    nanosleep(&pause, NULL);
}
