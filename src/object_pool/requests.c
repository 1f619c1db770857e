/* SPDX-License-Identifier: MIT
 * Asking an object pool without waiting: the public face of src/lease/requests.c. */
#include "object_pool/internal.h"

#include "base/status.h"

#include <lido/object_leases.h>

_Static_assert(sizeof(struct lido__request) <= sizeof(lido_object_pool_request),
               "a request fits into what callers keep for it");
_Static_assert(_Alignof(struct lido__request) <= _Alignof(lido_object_pool_request),
               "a request may stand where callers keep it");

static struct lido__request *of(lido_object_pool_request *request) {
    return (struct lido__request *)(void *)request;
}

static lido_status begin(struct lido_object_pool *pool, struct lido__request *request) {
    lido_status status = lido__request_begin(&pool->leases, request);
    if (status == LIDO_ERR_CLOSED)
        return LIDO__FAIL(status,
                          "object_pool \"%s\": it was closed and hands out no more; destroy it, "
                          "and make another to go on",
                          .word = {pool->resource.info.name});
    if (status == LIDO_ERR_LIMIT)
        return LIDO__FAIL(
            status,
            "object_pool \"%s\": waiter_limit %u wait already; come later or raise waiter_limit",
            .word = {pool->resource.info.name}, .number = {pool->leases.waiter_limit});
    if (status != LIDO_OK)
        return LIDO__FAIL(
            status, "object_pool \"%s\": no memory for more slots; free some memory and ask again",
            .word = {pool->resource.info.name});
    return LIDO_OK;
}

lido_status lido_object_pool_acquire_async(lido_object_pool *pool,
                                           lido_object_pool_request *request,
                                           void (*notify)(void *context), void *context) {
    if (!notify)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "object_pool \"%s\": notify is NULL, must be a function; without one use "
                          "lido_object_pool_acquire_fd",
                          .word = {pool->resource.info.name});
    *of(request) = (struct lido__request){.notify = notify, .context = context};
    return begin(pool, of(request));
}

lido_status lido_object_pool_acquire_fd(lido_object_pool *pool, lido_object_pool_request *request,
                                        int descriptor) {
    if (descriptor < 0)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT, "object_pool \"%s\": descriptor is %d, must be an open eventfd",
            .word = {pool->resource.info.name}, .number = {(uint64_t)(int64_t)descriptor});
    *of(request) = (struct lido__request){.descriptor = descriptor};
    return begin(pool, of(request));
}

static const char *why_not(lido_status status) {
    switch (status) {
    case LIDO_ERR_EMPTY:
        return "the request is not served yet; wait for its notification, or cancel it";
    case LIDO_ERR_CLOSED:
        return "the pool was closed meanwhile; the request has ended";
    case LIDO_ERR_NO_MEMORY:
        return "there was no memory for more slots; free some memory and ask again";
    default:
        return "the request has ended; ask again";
    }
}

lido_status lido_object_pool_take_at(lido_object_pool *pool, lido_object_pool_request *request,
                                     lido_lease *lease, const char *site) {
    uint32_t slot = LIDO__NO_SLOT;
    lido_status status = lido__request_take(&pool->leases, of(request), &slot);
    lease->object = NULL;
    if (status == LIDO_OK)
        return lido__object_pool_hand_out(pool, slot, lease, site);
    return LIDO__FAIL(status, "object_pool \"%s\": take at %s: %s",
                      .word = {pool->resource.info.name, site, why_not(status)});
}

lido_status lido_object_pool_cancel(lido_object_pool *pool, lido_object_pool_request *request) {
    uint32_t slot = LIDO__NO_SLOT;
    enum lido__request_state state = lido__request_cancel(&pool->leases, of(request), &slot);
    if (state == LIDO__PENDING)
        return LIDO_OK;
    if (state == LIDO__SERVED)
        lido__object_pool_put_back(pool, slot);
    return LIDO__FAIL(LIDO_ERR_BUSY,
                      "object_pool \"%s\": the request was served or had ended before it could be "
                      "cancelled; nothing of it is left to take",
                      .word = {pool->resource.info.name});
}
