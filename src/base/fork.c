/* SPDX-License-Identifier: MIT
 * One pair of handlers for all of lido: see fork.h. The list only grows, under `lock`, which fork
 * itself takes first: so nobody registers between prepare and child. The handlers are there from the
 * start of the library on, before any thread can hold `lock`. */
#include "base/fork.h"

#include "base/mutex.h"
#include "base/status.h"
#include "base/sys.h"
#include "base/thread.h"
#include "base/word.h"

static lido__mutex lock = LIDO__MUTEX_INIT;
static struct lido__fork_client *clients; /* by order */
static bool installed;
static uint64_t forking_id;

static void prepare(void) {
    lido__lock(&lock);
    forking_id = lido__thread_id();
    for (struct lido__fork_client *c = clients; c; c = c->next)
        c->prepare();
}

static void parent(void) {
    for (struct lido__fork_client *c = clients; c; c = c->next)
        c->parent();
    lido__unlock(&lock);
}

static void child(void) {
    lido__word_in_child();
    for (struct lido__fork_client *c = clients; c; c = c->next)
        c->child();
    lido__unlock(&lock);
    for (struct lido__fork_client *c = clients; c; c = c->next)
        if (c->settle)
            c->settle();
}

/* With the lock, or before there are threads. */
static int install(void) {
    int error = installed ? 0 : lido__sys.at_fork(prepare, parent, child);
    installed = error == 0;
    return error;
}

#ifndef LIDO_ATOMIC_EXPLORE
__attribute__((constructor)) static void begin(void) {
    (void)install(); /* who registers tries again, and hears of the error */
}
#endif

int lido__fork_enter(struct lido__fork_client *client) {
    if (lido__load(&client->listed, acquire))
        return 0;
    lido__lock(&lock);
    int error = install();
    if (error == 0 && !lido__load(&client->listed, relaxed)) {
        struct lido__fork_client **at = &clients;
        while (*at && (*at)->order <= client->order)
            at = &(*at)->next;
        client->next = *at;
        *at = client;
        lido__store(&client->listed, true, release);
    }
    lido__unlock(&lock);
    return error;
}

lido_status lido__fork_register(struct lido__fork_client *client) {
    int error = lido__fork_enter(client);
    if (error)
        return LIDO__FAIL(LIDO_ERR_SYSTEM,
                          "pthread_atfork failed with errno %u; free some memory and call again",
                          .number = {(uint64_t)error});
    return LIDO_OK;
}

uint64_t lido__fork_parent_id(void) {
    return forking_id;
}
