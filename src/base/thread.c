/* SPDX-License-Identifier: MIT
 * Records of threads: see thread.h. */
#include "base/thread.h"

#include "base/fork.h"
#include "base/mutex.h"
#include "base/sys.h"

#include <string.h>

enum { EXIT_CALLS = 8 };

#define NONE_4  &lido__near_none, &lido__near_none, &lido__near_none, &lido__near_none
#define NONE_16 NONE_4, NONE_4, NONE_4, NONE_4
#define NONE_65 NONE_16, NONE_16, NONE_16, NONE_16, &lido__near_none

struct lido__near lido__near_none;
struct lido__thread lido__thread_none = {.near = {NONE_65}};
_Thread_local struct lido__thread *lido__thread_self __attribute__((tls_model("initial-exec"))) =
    &lido__thread_none;
_Thread_local struct lido__near *lido__near_last __attribute__((tls_model("initial-exec"))) =
    &lido__near_none;
_Thread_local struct lido__near *lido__near_lease __attribute__((tls_model("initial-exec"))) =
    &lido__near_none;

static lido__mutex lock = LIDO__MUTEX_INIT;
static struct lido__thread *threads; /* by slot */
static lido__thread_exit_call exit_calls[EXIT_CALLS];
static pthread_key_t key;
static bool has_key;

/* Records are mapped: a thread whose first call of lido is a release gets one without malloc. */
static void free_record(struct lido__thread *thread) {
    lido__sys.unmap(thread, sizeof *thread);
}

static void end_record(struct lido__thread *thread) {
    for (int i = EXIT_CALLS - 1; i >= 0; i--) {
        lido__lock(&lock);
        lido__thread_exit_call call = exit_calls[i];
        lido__unlock(&lock);
        if (call)
            call(thread);
    }
}

static void unlink_record(struct lido__thread *thread) {
    struct lido__thread **at = &threads;
    while (*at != thread)
        at = &(*at)->next;
    *at = thread->next;
}

static void at_thread_exit(void *record) {
    struct lido__thread *thread = record;
    end_record(thread);
    lido__lock(&lock);
    unlink_record(thread);
    lido__unlock(&lock);
    lido__thread_self = &lido__thread_none;
    free_record(thread);
}

static void fork_prepare(void) {
    lido__lock(&lock);
}

static void fork_parent(void) {
    lido__unlock(&lock);
}

/* The child has one thread, under a new kernel id: all other records are those of vanished ones.
 * They end when all locks are free again: their exit calls may use lido as in any thread. */
static struct lido__thread *vanished;

static void fork_child(void) {
    struct lido__thread *self = lido__thread_is_known() ? lido__thread_self : NULL;
    while (threads) {
        struct lido__thread *thread = threads;
        threads = thread->next;
        if (thread == self)
            continue;
        thread->next = vanished;
        vanished = thread;
    }
    if (self) {
        self->next = NULL;
        self->id = lido__sys.thread_id();
        threads = self;
    }
    lido__unlock(&lock);
}

static void fork_settle(void) {
    while (vanished) {
        struct lido__thread *thread = vanished;
        vanished = thread->next;
        end_record(thread);
        free_record(thread);
    }
}

static struct lido__fork_client fork_client = {.prepare = fork_prepare,
                                               .parent = fork_parent,
                                               .child = fork_child,
                                               .settle = fork_settle,
                                               .order = LIDO__FORK_THREADS};

static bool make_key(void) {
    lido__lock(&lock);
    if (!has_key)
        has_key = lido__sys.key_create(&key, at_thread_exit) == 0;
    bool made = has_key;
    lido__unlock(&lock);
    return made;
}

static void link_record(struct lido__thread *thread) {
    struct lido__thread **at = &threads;
    while (*at && (*at)->slot == thread->slot) {
        thread->slot++;
        at = &(*at)->next;
    }
    thread->next = *at;
    *at = thread;
}

struct lido__thread *lido__thread_attach(void) {
    struct lido__thread *thread = NULL;
    (void)lido__fork_enter(&fork_client);
    if (make_key())
        thread = lido__sys.map(sizeof *thread);
    if (!thread)
        return NULL;
    memcpy(thread->near, lido__thread_none.near, sizeof thread->near);
    thread->id = lido__sys.thread_id();
    if (lido__sys.key_set(key, thread) != 0) {
        free_record(thread);
        return NULL;
    }
    lido__lock(&lock);
    link_record(thread);
    lido__unlock(&lock);
    lido__thread_self = thread;
    return thread;
}

void lido__thread_on_exit(lido__thread_exit_call call) {
    int i = 0;
    (void)lido__fork_enter(&fork_client);
    lido__lock(&lock);
    while (i < EXIT_CALLS && exit_calls[i] && exit_calls[i] != call)
        i++;
    if (i < EXIT_CALLS)
        exit_calls[i] = call;
    lido__unlock(&lock);
}

uint64_t lido__thread_id(void) {
    return lido__thread_is_known() ? lido__thread_self->id : lido__sys.thread_id();
}
