/* SPDX-License-Identifier: MIT
 * lido/registry.h -- what is alive in this process, under which name, made by whom.
 *
 * Every pool, lock, cache ... of lido enters itself when it is made and leaves when it is
 * destroyed. Reading needs no memory and stops nobody:
 *
 *     lido_resource r = LIDO_RESOURCE;
 *     for (uint64_t id = 0; lido_registry_next(id, &r); id = r.id)
 *         printf("%llu %s %s\n", (unsigned long long)r.id, r.kind, r.name);
 *
 * Ids are unique in a process and never used twice; names need not be (two plug-ins may both
 * have "buffers"). A resource that is there during the whole loop is seen exactly once.
 *
 * Not here: figures and knobs of a resource (its own header).
 */
#ifndef LIDO_REGISTRY_H
#define LIDO_REGISTRY_H

#include <lido/base.h>

LIDO_BEGIN

#define LIDO_NAME_BYTES 64 /* a name or owner with its closing zero */

typedef struct lido_resource {
    uint64_t struct_size; /* set by LIDO_RESOURCE */
    uint64_t id;          /* 1, 2, ... in the order of making */
    uint64_t made_ns;     /* when, as lido_now_ns() */
    const char *kind;     /* "block_pool": static text */
    const char *made_at;  /* the line that made it; NULL if not told */
    char name[LIDO_NAME_BYTES];
    char owner[LIDO_NAME_BYTES]; /* the part of the program it belongs to */
} lido_resource;

#define LIDO_RESOURCE                                                                              \
    {                                                                                              \
        sizeof(lido_resource), 0, 0, 0, 0, {0}, {                                                  \
            0                                                                                      \
        }                                                                                          \
    }

/* Copies out the resource with the smallest id above `after`.
 *
 * Returns  false when there is none, or resource->struct_size is not set.
 * Cost     a lock held for one look-up and one copy. */
LIDO_API bool lido_registry_next(uint64_t after, lido_resource *resource);

/* Returns  how many resources are alive. */
LIDO_API uint64_t lido_registry_count(void);

LIDO_END

#endif
