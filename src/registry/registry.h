/* SPDX-License-Identifier: MIT
 * How a resource enters itself (public side: lido/registry.h), and how fork reaches all of them. */
#ifndef LIDO_SRC_REGISTRY_REGISTRY_H
#define LIDO_SRC_REGISTRY_REGISTRY_H

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

/* First member of every resource. */
struct lido__resource {
    const struct lido__kind *kind;
    lido_resource info;
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

/* Unlists it. After that nobody else looks at it. */
void lido__resource_remove(struct lido__resource *resource);

#endif
