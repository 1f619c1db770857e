/* SPDX-License-Identifier: MIT
 * Entities that stay where they are: a bitmap says which places are taken, the lowest free one is
 * used first, and a walk follows the bits in the order of addresses. The capability that lido did
 * not choose; it stands here so that the reason can be measured. */
#include "arena/links.h"
#include "arena/stores.h"

#include <stdlib.h>

struct places {
    char *entities;
    uint64_t *taken;     /* one bit a place */
    uint64_t first_word; /* no free place before it */
    uint64_t words;      /* behind them nothing was ever taken */
    uint64_t count, capacity, dropped;
    struct links links;
};

struct all_places {
    struct places of[ARENA_KIND_COUNT];
};

static inline struct arena_entity *entity_at(const struct places *places, enum arena_kind kind,
                                             uint64_t place) {
    return (struct arena_entity *)(void *)(places->entities + place * arena_bytes(kind));
}

static void end_place(struct places *places, uint64_t place) {
    places->taken[place / 64] &= ~(UINT64_C(1) << place % 64);
    if (place / 64 < places->first_word)
        places->first_word = place / 64;
    places->count--;
    if (places->links.at != NULL)
        links_remove(&places->links, (uint32_t)place);
}

/* In whole words; the entities may move here, as nobody keeps a pointer over a spawn. */
static bool resize(struct places *places, enum arena_kind kind, uint64_t capacity) {
    capacity = (capacity + 63) / 64 * 64;
    char *entities = realloc(places->entities, (size_t)capacity * arena_bytes(kind));
    if (entities == NULL)
        return false;
    places->entities = entities;
    uint64_t *taken = realloc(places->taken, (size_t)capacity / 8);
    if (taken == NULL)
        return false;
    places->taken = taken;
    memset(taken + places->capacity / 64, 0, (size_t)(capacity - places->capacity) / 8);
    places->capacity = capacity;
    return true;
}

static struct arena_entity *spawn(void *self, enum arena_kind kind) {
    struct places *places = &((struct all_places *)self)->of[kind];
    const struct arena_rule *rule = &arena_rule[kind];
    if (rule->policy == ARENA_REFUSE && places->count == rule->cap)
        return NULL;
    if (rule->policy == ARENA_DROP_OLDEST && places->count == rule->cap) {
        end_place(places, places->links.oldest);
        places->dropped++;
    }
    if (places->count == places->capacity && !resize(places, kind, places->capacity * 2))
        return NULL;
    while (places->taken[places->first_word] == UINT64_MAX)
        places->first_word++;
    uint64_t *word = &places->taken[places->first_word];
    uint64_t place = places->first_word * 64 + (uint64_t)__builtin_ctzll(~*word);
    *word |= UINT64_C(1) << place % 64;
    if (places->first_word >= places->words)
        places->words = places->first_word + 1;
    places->count++;
    if (places->links.at != NULL)
        links_append(&places->links, (uint32_t)place);
    return entity_at(places, kind, place);
}

static inline void sweep_kind(enum arena_kind kind, struct places *places,
                              struct arena_world *world) {
    float gravity = arena_rule[kind].gravity, drag = arena_rule[kind].drag;
    for (uint64_t word = 0; word < places->words; word++)
        for (uint64_t bits = places->taken[word]; bits != 0; bits &= bits - 1) {
            uint64_t place = word * 64 + (uint64_t)__builtin_ctzll(bits);
            if (!arena_step(world, kind, entity_at(places, kind, place), gravity, drag))
                end_place(places, place);
        }
}

static void sweep(void *self, enum arena_kind kind, struct arena_world *world) {
    struct places *places = &((struct all_places *)self)->of[kind];
    ARENA_FOR_EACH_KIND(sweep_kind, kind, places, world);
}

static void visit(void *self, enum arena_kind kind,
                  void (*look)(const struct arena_entity *entity, void *context), void *context) {
    const struct places *places = &((struct all_places *)self)->of[kind];
    for (uint64_t word = 0; word < places->words; word++)
        for (uint64_t bits = places->taken[word]; bits != 0; bits &= bits - 1)
            look(entity_at(places, kind, word * 64 + (uint64_t)__builtin_ctzll(bits)), context);
}

static uint64_t count(void *self, enum arena_kind kind) {
    return ((struct all_places *)self)->of[kind].count;
}

static uint64_t dropped(void *self, enum arena_kind kind) {
    return ((struct all_places *)self)->of[kind].dropped;
}

static uint64_t made(void *self, enum arena_kind kind) {
    return ((struct all_places *)self)->of[kind].capacity;
}

static void close_places(void *self) {
    struct all_places *all = self;
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        free(all->of[k].entities);
        free(all->of[k].taken);
        free(all->of[k].links.at);
    }
    free(all);
}

bool arena_open_bitmap(struct arena_store *store) {
    struct all_places *all = calloc(1, sizeof *all);
    bool opened = all != NULL;
    for (int k = 0; opened && k < ARENA_KIND_COUNT; k++) {
        const struct arena_rule *rule = &arena_rule[k];
        struct places *places = &all->of[k];
        bool ordered = rule->policy == ARENA_DROP_OLDEST;
        places->links = (struct links){NULL, LINKS_NONE, LINKS_NONE};
        opened = resize(places, (enum arena_kind)k, rule->cap);
        if (opened && ordered)
            places->links.at = malloc((size_t)places->capacity * sizeof(struct link));
        opened = opened && (places->links.at != NULL || !ordered);
    }
    if (!opened && all != NULL)
        close_places(all);
    if (!opened)
        return false;
    *store = (struct arena_store){spawn, sweep, visit, count, dropped, made, close_places, all};
    return true;
}
