/* SPDX-License-Identifier: MIT
 * Entities in doubly linked lists, from malloc or from a free list. */
#include "arena/stores.h"

#include <stdlib.h>

struct node {
    struct node *previous, *next;
};

/* Nodes of a free list come in chunks, the first of `cap`, each further one of `chunk_count`. */
struct chunk {
    struct chunk *next;
};

struct list {
    struct node *first, *last;
    uint64_t count, dropped, made;
    struct node *free;
    struct chunk *chunks;
};

struct lists {
    struct list of[ARENA_KIND_COUNT];
    bool free_list;
};

enum { CHUNK_COUNT = 1024 };

static struct arena_entity *entity_of(struct node *node) {
    return (struct arena_entity *)(void *)(node + 1);
}

/* ---- Nodes ------------------------------------------------------------------------------- */

static bool add_chunk(struct list *list, enum arena_kind kind, size_t count) {
    size_t each = sizeof(struct node) + arena_bytes(kind);
    struct chunk *chunk = malloc(16 + count * each);
    if (chunk == NULL)
        return false;
    chunk->next = list->chunks;
    list->chunks = chunk;
    list->made += count;
    for (size_t i = count; i-- > 0;) { /* so that they are taken in the order of addresses */
        struct node *node = (struct node *)(void *)((char *)chunk + 16 + i * each);
        node->next = list->free;
        list->free = node;
    }
    return true;
}

static struct node *make_node(struct lists *lists, enum arena_kind kind) {
    struct list *list = &lists->of[kind];
    if (!lists->free_list) {
        list->made++;
        return malloc(sizeof(struct node) + arena_bytes(kind));
    }
    if (list->free == NULL && !add_chunk(list, kind, CHUNK_COUNT))
        return NULL;
    struct node *node = list->free;
    list->free = node->next;
    return node;
}

static void end_node(struct lists *lists, struct list *list, struct node *node) {
    *(node->previous ? &node->previous->next : &list->first) = node->next;
    *(node->next ? &node->next->previous : &list->last) = node->previous;
    list->count--;
    if (!lists->free_list) {
        free(node);
        return;
    }
    node->next = list->free;
    list->free = node;
}

/* ---- The store --------------------------------------------------------------------------- */

static struct arena_entity *spawn(void *self, enum arena_kind kind) {
    struct lists *lists = self;
    struct list *list = &lists->of[kind];
    const struct arena_rule *rule = &arena_rule[kind];
    if (rule->policy == ARENA_REFUSE && list->count == rule->cap)
        return NULL;
    if (rule->policy == ARENA_DROP_OLDEST && list->count == rule->cap) {
        end_node(lists, list, list->first);
        list->dropped++;
    }
    struct node *node = make_node(lists, kind);
    if (node == NULL)
        return NULL;
    *node = (struct node){list->last, NULL};
    *(list->last ? &list->last->next : &list->first) = node;
    list->last = node;
    list->count++;
    return entity_of(node);
}

static inline void sweep_kind(enum arena_kind kind, struct lists *lists,
                              struct arena_world *world) {
    struct list *list = &lists->of[kind];
    float gravity = arena_rule[kind].gravity, drag = arena_rule[kind].drag;
    for (struct node *node = list->first, *next; node != NULL; node = next) {
        next = node->next;
        if (!arena_step(world, kind, entity_of(node), gravity, drag))
            end_node(lists, list, node);
    }
}

static void sweep(void *self, enum arena_kind kind, struct arena_world *world) {
    struct lists *lists = self;
    ARENA_FOR_EACH_KIND(sweep_kind, kind, lists, world);
}

static void visit(void *self, enum arena_kind kind,
                  void (*look)(const struct arena_entity *entity, void *context), void *context) {
    struct lists *lists = self;
    for (struct node *node = lists->of[kind].first; node != NULL; node = node->next)
        look(entity_of(node), context);
}

static uint64_t count(void *self, enum arena_kind kind) {
    return ((struct lists *)self)->of[kind].count;
}

static uint64_t dropped(void *self, enum arena_kind kind) {
    return ((struct lists *)self)->of[kind].dropped;
}

static uint64_t made(void *self, enum arena_kind kind) {
    return ((struct lists *)self)->of[kind].made;
}

static void close_lists(void *self) {
    struct lists *lists = self;
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        struct list *list = &lists->of[k];
        for (struct node *node = lists->free_list ? NULL : list->first, *next; node != NULL;
             node = next) {
            next = node->next;
            free(node);
        }
        while (list->chunks != NULL) {
            struct chunk *next = list->chunks->next;
            free(list->chunks);
            list->chunks = next;
        }
    }
    free(lists);
}

bool arena_open_list(struct arena_store *store, bool free_list) {
    struct lists *lists = calloc(1, sizeof *lists);
    if (lists == NULL)
        return false;
    lists->free_list = free_list;
    *store = (struct arena_store){spawn, sweep, visit, count, dropped, made, close_lists, lists};
    for (int k = 0; free_list && k < ARENA_KIND_COUNT; k++)
        if (!add_chunk(&lists->of[k], (enum arena_kind)k, arena_rule[k].cap)) {
            close_lists(lists);
            return false;
        }
    return true;
}
