/* SPDX-License-Identifier: MIT
 * A dense array for each kind, as a programmer writes it who knows the caches: the peer to beat. */
#include "arena/links.h"
#include "arena/stores.h"

#include <stdlib.h>

struct array {
    char *entities;
    uint64_t count, capacity, dropped;
    struct links links;
};

struct arrays {
    struct array of[ARENA_KIND_COUNT];
};

static inline struct arena_entity *entity_at(const struct array *array, enum arena_kind kind,
                                             uint64_t place) {
    return (struct arena_entity *)(void *)(array->entities + place * arena_bytes(kind));
}

static inline void end_place(enum arena_kind kind, struct array *array, uint64_t place) {
    uint64_t last = --array->count;
    if (array->links.at != NULL)
        links_remove(&array->links, (uint32_t)place);
    if (place == last)
        return;
    memcpy(entity_at(array, kind, place), entity_at(array, kind, last), arena_bytes(kind));
    if (array->links.at != NULL)
        links_move(&array->links, (uint32_t)last, (uint32_t)place);
}

static bool grow(struct array *array, enum arena_kind kind) {
    uint64_t capacity = array->capacity * 2;
    char *larger = realloc(array->entities, (size_t)capacity * arena_bytes(kind));
    if (larger == NULL)
        return false;
    array->entities = larger;
    array->capacity = capacity;
    return true;
}

static struct arena_entity *spawn(void *self, enum arena_kind kind) {
    struct array *array = &((struct arrays *)self)->of[kind];
    enum arena_policy policy = arena_rule[kind].policy;
    if (array->count == array->capacity) {
        if (policy == ARENA_REFUSE || (policy == ARENA_GROW && !grow(array, kind)))
            return NULL;
        if (policy == ARENA_DROP_OLDEST) {
            ARENA_FOR_EACH_KIND(end_place, kind, array, array->links.oldest);
            array->dropped++;
        }
    }
    if (array->links.at != NULL)
        links_append(&array->links, (uint32_t)array->count);
    return entity_at(array, kind, array->count++);
}

static inline void sweep_kind(enum arena_kind kind, struct array *array,
                              struct arena_world *world) {
    float gravity = arena_rule[kind].gravity, drag = arena_rule[kind].drag;
    for (uint64_t place = 0; place < array->count;) {
        if (arena_step(world, kind, entity_at(array, kind, place), gravity, drag))
            place++;
        else
            end_place(kind, array, place);
    }
}

static void sweep(void *self, enum arena_kind kind, struct arena_world *world) {
    struct array *array = &((struct arrays *)self)->of[kind];
    ARENA_FOR_EACH_KIND(sweep_kind, kind, array, world);
}

static void visit(void *self, enum arena_kind kind,
                  void (*look)(const struct arena_entity *entity, void *context), void *context) {
    const struct array *array = &((struct arrays *)self)->of[kind];
    for (uint64_t place = 0; place < array->count; place++)
        look(entity_at(array, kind, place), context);
}

static uint64_t count(void *self, enum arena_kind kind) {
    return ((struct arrays *)self)->of[kind].count;
}

static uint64_t dropped(void *self, enum arena_kind kind) {
    return ((struct arrays *)self)->of[kind].dropped;
}

static uint64_t made(void *self, enum arena_kind kind) {
    return ((struct arrays *)self)->of[kind].capacity;
}

static void close_arrays(void *self) {
    struct arrays *arrays = self;
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        free(arrays->of[k].entities);
        free(arrays->of[k].links.at);
    }
    free(arrays);
}

bool arena_open_array(struct arena_store *store) {
    struct arrays *arrays = calloc(1, sizeof *arrays);
    bool opened = arrays != NULL;
    for (int k = 0; opened && k < ARENA_KIND_COUNT; k++) {
        const struct arena_rule *rule = &arena_rule[k];
        struct array *array = &arrays->of[k];
        bool ordered = rule->policy == ARENA_DROP_OLDEST;
        array->capacity = rule->cap;
        array->entities = malloc((size_t)rule->cap * rule->bytes);
        array->links = (struct links){NULL, LINKS_NONE, LINKS_NONE};
        if (ordered)
            array->links.at = malloc(rule->cap * sizeof(struct link));
        opened = array->entities != NULL && (array->links.at != NULL || !ordered);
    }
    if (!opened && arrays != NULL)
        close_arrays(arrays);
    if (!opened)
        return false;
    *store = (struct arena_store){spawn, sweep, visit, count, dropped, made, close_arrays, arrays};
    return true;
}
