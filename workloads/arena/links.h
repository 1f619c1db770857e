/* SPDX-License-Identifier: MIT
 * The order of spawning beside an array: for each place the next older and the next newer one. */
#ifndef ARENA_LINKS_H
#define ARENA_LINKS_H

#include <stdint.h>

#define LINKS_NONE UINT32_MAX

struct link {
    uint32_t older, newer; /* places */
};

struct links {
    struct link *at;         /* NULL: no order is kept */
    uint32_t oldest, newest; /* LINKS_NONE: there is no entity */
};

static inline void links_append(struct links *links, uint32_t place) {
    links->at[place] = (struct link){links->newest, LINKS_NONE};
    *(links->newest == LINKS_NONE ? &links->oldest : &links->at[links->newest].newer) = place;
    links->newest = place;
}

static inline void links_remove(struct links *links, uint32_t place) {
    struct link link = links->at[place];
    *(link.older == LINKS_NONE ? &links->oldest : &links->at[link.older].newer) = link.newer;
    *(link.newer == LINKS_NONE ? &links->newest : &links->at[link.newer].older) = link.older;
}

/* The entity of a place goes to another. */
static inline void links_move(struct links *links, uint32_t from, uint32_t to) {
    struct link link = links->at[to] = links->at[from];
    *(link.older == LINKS_NONE ? &links->oldest : &links->at[link.older].newer) = to;
    *(link.newer == LINKS_NONE ? &links->newest : &links->at[link.newer].older) = to;
}

#endif
