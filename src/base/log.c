/* SPDX-License-Identifier: MIT
 * The log's only state is where records go. A copy is taken under the lock and called without it:
 * a callback may block or call lido, and never stops another thread. */
#include "base/log.h"

#include "base/atomic.h"
#include "base/fork.h"
#include "base/mutex.h"
#include "base/sys.h"

static lido__mutex lock = LIDO__MUTEX_INIT;
static lido_log_callback sink; /* both guarded by lock */
static void *sink_context;
static _Atomic int wanted = LIDO_LOG_ERROR + 1; /* the lowest level that goes anywhere */

static void take_lock(void) {
    lido__lock(&lock);
}

static void leave_lock(void) {
    lido__unlock(&lock);
}

static struct lido__fork_client fork_client = {
    .prepare = take_lock, .parent = leave_lock, .child = leave_lock, .order = LIDO__FORK_LOG};

void lido_log_set(lido_log_level minimum, lido_log_callback callback, void *context) {
    (void)lido__fork_enter(&fork_client);
    lido__lock(&lock);
    sink = callback;
    sink_context = context;
    /* Relaxed: a record made or not made around this call may go either way. */
    lido__store(&wanted, callback ? (int)minimum : LIDO_LOG_ERROR + 1, relaxed);
    lido__unlock(&lock);
}

void lido__log(lido_log_level level, const char *event, const lido_log_field *fields,
               size_t field_count) {
    if ((int)level < lido__load(&wanted, relaxed))
        return;
    lido__lock(&lock);
    lido_log_callback callback = sink;
    void *context = sink_context;
    lido__unlock(&lock);
    lido_log_record record = {.struct_size = sizeof record,
                              .time_ns = lido__sys.wall_ns(),
                              .event = event,
                              .fields = fields,
                              .field_count = field_count,
                              .level = (uint64_t)level};
    if (callback)
        callback(&record, context);
}
