/* SPDX-License-Identifier: MIT
 * How a resource enters itself (public side: lido/registry.h), and how fork reaches all of them. */
#ifndef LIDO_SRC_REGISTRY_REGISTRY_H
#define LIDO_SRC_REGISTRY_REGISTRY_H

#include <lido/panel.h>
#include <lido/registry.h>

struct lido__resource;

/* What a capability is to the registry. The three calls serve fork: lock before it, unlock after
 * it in the parent, and in the child mend what vanished threads left and unlock. */
struct lido__kind {
    const char *name;
    void (*lock)(struct lido__resource *resource);
    void (*unlock)(struct lido__resource *resource);
    void (*in_child)(struct lido__resource *resource);
};

/* Part of every resource. panel is set before the resource is inserted, or stays NULL. */
struct lido__resource {
    const struct lido__kind *kind;
    const lido_panel *panel;
    void *context; /* for the panel */
    lido_resource info;
};

/* A look at a resource from outside, during which it does not end. On the visitor's stack. */
struct lido__visit {
    struct lido__resource *resource; /* not to be used any more when the visitor ended it itself */
    uint64_t thread_id;
    struct lido__visit *next, **link; /* the registry's lock guards them */
};

/* Checks and copies name (default "unnamed") and owner (default "application").
 *
 * Errors   ARGUMENT  too long, or with control characters */
lido_status lido__resource_name(struct lido__resource *resource, const struct lido__kind *kind,
                                const char *name, const char *owner);

/* Lists a resource, complete but for its id, which it gets here.
 *
 * Errors   NO_MEMORY, SYSTEM */
lido_status lido__resource_insert(struct lido__resource *resource, const char *site);

/* Unlists it, and waits for the visits of other threads. After that nobody else looks at it. */
void lido__resource_remove(struct lido__resource *resource);

/* The same for the resource of this id, if it is of this kind; else NULL. */
struct lido__resource *lido__resource_remove_id(uint64_t id, const struct lido__kind *kind);

/* Begins a visit, without waiting for anybody; false: there is no such resource. */
bool lido__visit_begin(uint64_t id, struct lido__visit *visit);
void lido__visit_end(struct lido__visit *visit);

#endif
