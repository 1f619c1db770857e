/* SPDX-License-Identifier: MIT
 * object_apr.c -- apr_reslist: Apache's bounded list of resources. */
#include <apr_general.h>
#include <apr_reslist.h>
#include <apr_version.h>
#include <apu_version.h>

typedef struct peer_object {
    void *object;
} peer_object;
#include "../object_work.h"

static apr_reslist_t *list;

static apr_status_t construct(void **object, void *context, apr_pool_t *memory) {
    (void)context;
    *object = apr_palloc(memory, 16);
    return APR_SUCCESS;
}

static apr_status_t destruct(void *object, void *context, apr_pool_t *memory) {
    (void)object, (void)context, (void)memory;
    return APR_SUCCESS;
}

static void peer_open(unsigned object_count) {
    apr_pool_t *memory;
    int count = (int)object_count;
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&memory, NULL) != APR_SUCCESS ||
        apr_reslist_create(&list, count, count, count, 0, construct, destruct, NULL, memory) !=
            APR_SUCCESS)
        worker_fail("apr_reslist_create failed");
}

static inline void *peer_acquire(peer_object *held) {
    if (apr_reslist_acquire(list, &held->object) != APR_SUCCESS)
        worker_fail("apr_reslist_acquire failed");
    return held->object;
}

static inline void peer_release(peer_object *held) {
    apr_reslist_release(list, held->object);
}

static void peer_version(void) {
    printf("apr-util %s, apr %s\n", apu_version_string(), apr_version_string());
}
