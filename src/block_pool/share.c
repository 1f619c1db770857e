/* SPDX-License-Identifier: MIT
 * Pools that need another slab look whether other pools have empty ones, before they ask the system:
 * what one pool emptied serves another now, not when idle_keep is over.
 *
 * The other one gives what it has had for the longest, if its fragmentation is above its threshold:
 * who uses up what it holds is left alone, as is who keeps it for ever. A pool that has to grow
 * within idle_keep of having given is left alone for that time, then for twice as long, and so on.
 *
 * A count of all empty slabs tells when there is nothing to look for. */
#include "block_pool/slab.h"

#include "base/sys.h"

enum {
    VISITS = 64, /* pools looked at for one slab */
    BACK_OFF_MAX = 10
};

_Atomic(uint64_t) lido__empty_slabs;
static _Atomic(uint64_t) next_id; /* where the next search goes on; any value will do */

/* With the lock held. */
static struct lido__slab *spare_slab(struct lido_block_pool *pool) {
    uint64_t now_ns = lido__sys.coarse_ns();
    if (pool->apart || pool->is_reserved || pool->idle_keep_ns == LIDO_FOREVER ||
        now_ns < pool->give_from_ns ||
        pool->idle_bytes * 100 <= pool->committed_bytes * pool->coalesce_percent)
        return NULL;
    struct lido__slab *slab = lido__slab_detach(pool, LIDO_FOREVER);
    if (slab) {
        if (now_ns - pool->given_ns > pool->idle_keep_ns && pool->give_back_off > 0)
            pool->give_back_off--;
        pool->given_ns = now_ns;
        pool->has_given = true;
    }
    return slab;
}

static uint64_t take_from(struct lido_block_pool *pool, uint64_t bytes) {
    uint64_t taken = 0;
    for (struct lido__slab *slab = NULL; taken < bytes; taken += lido__slab_end(slab)) {
        lido__lock(&pool->lock);
        slab = spare_slab(pool);
        lido__unlock(&pool->lock);
        if (!slab)
            break;
    }
    return taken;
}

void lido__share_note_growth(struct lido_block_pool *pool) {
    uint64_t now_ns = lido__sys.coarse_ns();
    if (!pool->has_given || pool->idle_keep_ns == LIDO_FOREVER ||
        now_ns - pool->given_ns >= pool->idle_keep_ns)
        return;
    pool->has_given = false;
    pool->give_from_ns = now_ns + (pool->idle_keep_ns << pool->give_back_off);
    if (pool->give_back_off < BACK_OFF_MAX)
        pool->give_back_off++;
}

void lido__share_take(const struct lido_block_pool *pool) {
    uint64_t taken = 0, id = lido__load(&next_id, relaxed);
    if (lido__load(&lido__empty_slabs, relaxed) == 0)
        return;
    lido_resource seen = LIDO_RESOURCE;
    for (int i = 0; i < VISITS && taken < pool->slab_bytes; i++) {
        struct lido__visit visit;
        if (!lido_registry_next(id, &seen)) {
            if (id == 0)
                break;
            id = 0;
            continue;
        }
        id = seen.id;
        if (id == pool->resource.info.id || !lido__visit_begin(id, &visit))
            continue;
        if (visit.resource->kind == pool->resource.kind)
            taken += take_from((struct lido_block_pool *)(void *)visit.resource,
                               pool->slab_bytes - taken);
        lido__visit_end(&visit);
    }
    /* The one that gave may have more. */
    lido__store(&next_id, taken > 0 && id > 0 ? id - 1 : id, relaxed);
}
