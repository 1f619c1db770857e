/* SPDX-License-Identifier: MIT
 * The list of what is alive: an array of pointers in the order of ids, which only grow; so finding
 * is bisection, entering is appending, and leaving moves what is behind.
 *
 * Visits. Who reads or turns a resource by its id holds no lock meanwhile, but stands in a list; a
 * resource that leaves waits until nobody visits it. A visitor that ends the resource itself, from
 * a callback, is not waited for.
 *
 * Lock: one, held for a look-up and a copy; outside of every resource's own lock. */
#include "registry/registry.h"

#include "base/fork.h"
#include "base/mutex.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"
#include "base/thread.h"

#include <string.h>

static lido__mutex lock = LIDO__MUTEX_INIT;
static struct lido__resource **listed; /* all guarded by lock */
static size_t count, capacity;
static uint64_t last_id;
static struct lido__visit *visits;
static uint32_t leaving;              /* threads that wait for visits to end */
static _Atomic(uint32_t) ended_count; /* changes with the end of a visit that somebody waits for */

static void unlink_visit(struct lido__visit *visit) {
    *visit->link = visit->next;
    if (visit->next)
        visit->next->link = visit->link;
}

static void fork_prepare(void) {
    lido__lock(&lock);
    for (size_t i = 0; i < count; i++)
        listed[i]->kind->lock(listed[i]);
}

static void fork_parent(void) {
    for (size_t i = count; i-- > 0;)
        listed[i]->kind->unlock(listed[i]);
    lido__unlock(&lock);
}

static void fork_child(void) {
    uint64_t self = lido__sys.thread_id();
    for (struct lido__visit *visit = visits, *next; visit; visit = next) {
        next = visit->next;
        if (visit->thread_id == lido__fork_parent_id())
            visit->thread_id = self;
        else
            unlink_visit(visit); /* its thread is not here */
    }
    leaving = 0;
    for (size_t i = count; i-- > 0;)
        listed[i]->kind->in_child(listed[i]);
    lido__unlock(&lock);
}

static struct lido__fork_client fork_client = {.prepare = fork_prepare,
                                               .parent = fork_parent,
                                               .child = fork_child,
                                               .order = LIDO__FORK_REGISTRY};

static void take_lock(void) {
    (void)lido__fork_enter(&fork_client);
    lido__lock(&lock);
}

/* Copies text with its zero; false when it is too long or would garble a log or a screen. */
static bool copy_name(char *to, const char *from) {
    size_t length = strnlen(from, LIDO_NAME_BYTES);
    if (length == LIDO_NAME_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)from[i] < 0x20 || from[i] == 0x7f)
            return false;
    memcpy(to, from, length + 1);
    return true;
}

lido_status lido__resource_name(struct lido__resource *resource, const struct lido__kind *kind,
                                const char *name, const char *owner) {
    static const char format[] = "%s: %s is \"%s\", must be shorter than %u bytes and without "
                                 "control characters";
    resource->kind = kind;
    resource->info.kind = kind->name;
    resource->info.struct_size = sizeof resource->info;
    if (!copy_name(resource->info.name, name ? name : "unnamed"))
        return LIDO__FAIL(LIDO_ERR_ARGUMENT, format, .word = {kind->name, "name", name},
                          .number = {LIDO_NAME_BYTES});
    if (!copy_name(resource->info.owner, owner ? owner : "application"))
        return LIDO__FAIL(LIDO_ERR_ARGUMENT, format, .word = {kind->name, "owner", owner},
                          .number = {LIDO_NAME_BYTES});
    return LIDO_OK;
}

/* With lock held and room left. */
static void append(struct lido__resource *resource) {
    resource->info.id = ++last_id;
    listed[count++] = resource;
}

/* With lock held: moves over to a larger array. Returns the old one, to be freed without it. */
static struct lido__resource **move_to(struct lido__resource **larger, size_t larger_capacity) {
    struct lido__resource **old = listed;
    if (count)
        memcpy(larger, listed, count * sizeof(struct lido__resource *));
    listed = larger;
    capacity = larger_capacity;
    return old;
}

/* Memory is asked for without the lock; whoever comes back with a larger array first brings it in. */
static bool insert(struct lido__resource *resource) {
    struct lido__resource **spare = NULL;
    size_t spare_capacity = 0;
    take_lock();
    while (count == capacity && spare_capacity <= capacity) {
        spare_capacity = capacity ? capacity * 2 : 16;
        lido__unlock(&lock);
        lido__sys.free(spare);
        spare = lido__sys.alloc(spare_capacity * sizeof(struct lido__resource *), sizeof(void *));
        if (!spare)
            return false;
        take_lock();
    }
    if (count == capacity)
        spare = move_to(spare, spare_capacity);
    append(resource);
    lido__unlock(&lock);
    lido__sys.free(spare);
    return true;
}

lido_status lido__resource_insert(struct lido__resource *resource, const char *site) {
    lido_status status = lido__fork_register(&fork_client);
    if (status != LIDO_OK)
        return status;
    resource->info.made_at = site;
    resource->info.made_ns = lido__sys.now_ns();
    if (!insert(resource))
        return LIDO__FAIL(
            LIDO_ERR_NO_MEMORY,
            "%s \"%s\": no memory to list it in the registry; free some memory and call again",
            .word = {resource->info.kind, resource->info.name});
    return LIDO_OK;
}

/* With lock held: the place of the smallest id above `after`. */
static size_t find_above(uint64_t after) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (listed[middle]->info.id <= after)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_visited(const struct lido__resource *resource, uint64_t self) {
    for (const struct lido__visit *visit = visits; visit; visit = visit->next)
        if (visit->resource == resource && visit->thread_id != self)
            return true;
    return false;
}

/* With lock held, which it lets go: takes out what stands at `at`. */
static void leave(size_t at) {
    struct lido__resource *resource = listed[at], **last_array = NULL;
    uint64_t self = lido__thread_id();
    count--;
    memmove(listed + at, listed + at + 1, (count - at) * sizeof(struct lido__resource *));
    if (count == 0) {
        last_array = listed;
        listed = NULL;
        capacity = 0;
    }
    leaving++;
    while (is_visited(resource, self)) {
        uint32_t seen = lido__load(&ended_count, relaxed); /* changes under this lock */
        lido__unlock(&lock);
        (void)lido__sys.park(&ended_count, seen, LIDO_FOREVER);
        take_lock();
    }
    leaving--;
    lido__unlock(&lock);
    lido__sys.free(last_array);
}

void lido__resource_remove(struct lido__resource *resource) {
    take_lock();
    leave(find_above(resource->info.id - 1));
}

struct lido__resource *lido__resource_remove_id(uint64_t id, const struct lido__kind *kind) {
    struct lido__resource *resource = NULL;
    take_lock();
    size_t at = id ? find_above(id - 1) : count;
    if (at < count && listed[at]->info.id == id && listed[at]->kind == kind) {
        resource = listed[at];
        leave(at);
    } else
        lido__unlock(&lock);
    return resource;
}

bool lido__visit_begin(uint64_t id, struct lido__visit *visit) {
    uint64_t self = lido__thread_id();
    take_lock();
    size_t at = id ? find_above(id - 1) : count;
    bool is_found = at < count && listed[at]->info.id == id;
    if (is_found) {
        *visit = (struct lido__visit){listed[at], self, visits, &visits};
        if (visits)
            visits->link = &visit->next;
        visits = visit;
    }
    lido__unlock(&lock);
    return is_found;
}

void lido__visit_end(struct lido__visit *visit) {
    take_lock();
    unlink_visit(visit);
    bool is_awaited = leaving > 0;
    if (is_awaited)
        (void)lido__add(&ended_count, 1, relaxed); /* under the lock; leave compares it */
    lido__unlock(&lock);
    if (is_awaited)
        lido__sys.unpark(&ended_count, INT32_MAX);
}

bool lido_registry_next(uint64_t after, lido_resource *resource) {
    lido_resource found;
    take_lock();
    size_t at = find_above(after);
    bool is_found = at < count;
    if (is_found)
        found = listed[at]->info;
    lido__unlock(&lock);
    return is_found &&
           lido__figures_write(resource, &found, sizeof found, "lido_resource") == LIDO_OK;
}

uint64_t lido_registry_count(void) {
    take_lock();
    uint64_t alive = count;
    lido__unlock(&lock);
    return alive;
}
