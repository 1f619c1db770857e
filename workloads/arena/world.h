/* SPDX-License-Identifier: MIT
 * The world of the arena: four kinds of short-lived things, and the rules by which they come, move
 * and go. docs/arena.md tells the rules to the last bit.
 *
 * All variants play the same game. What an entity does follows from its id and its age alone, and
 * hits are sorted by id before they spawn anything: nothing depends on the order in which a
 * variant walks its entities. */
#ifndef ARENA_WORLD_H
#define ARENA_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum arena_kind { ARENA_BULLET, ARENA_EFFECT, ARENA_NUMBER, ARENA_CASING, ARENA_KIND_COUNT };

/* What happens at the cap of a kind. */
enum arena_policy { ARENA_GROW, ARENA_REFUSE, ARENA_DROP_OLDEST };

/* What the kinds have in common; behind it each has floats of its own, up to its size. */
struct arena_entity {
    uint64_t id;        /* 1, 2, ... within a kind, in the order of spawning */
    uint32_t age, life; /* ticks */
    float position[3], speed[3];
    float own[];
};

struct arena_rule {
    const char *name;
    uint32_t bytes;      /* of an entity */
    uint32_t cap;        /* GROW: where it starts */
    uint32_t life_least; /* ticks */
    uint32_t life_span;  /* and up to so many more */
    float gravity, drag;
    enum arena_policy policy;
};

extern const struct arena_rule arena_rule[ARENA_KIND_COUNT];
extern const char *const arena_policy_name[];

struct arena_world;

/* Where a variant keeps its entities. */
struct arena_store {
    /* Makes an entity, by the kind's policy at its cap; NULL: refused, or no memory. */
    struct arena_entity *(*spawn)(void *self, enum arena_kind kind);
    /* Calls arena_step for every entity of a kind and ends those that are over. */
    void (*sweep)(void *self, enum arena_kind kind, struct arena_world *world);
    /* Calls look for every entity, in any order. */
    void (*visit)(void *self, enum arena_kind kind,
                  void (*look)(const struct arena_entity *entity, void *context), void *context);
    uint64_t (*count)(void *self, enum arena_kind kind);
    uint64_t (*dropped)(void *self, enum arena_kind kind);
    uint64_t (*made)(void *self, enum arena_kind kind); /* entities that memory was asked for */
    void (*close)(void *self);
    void *self;
};

struct arena_hit {
    uint64_t id;
    float position[3];
};

enum { ARENA_HIT_MAX = 4096 };

struct arena_world {
    uint64_t seed, tick;
    uint64_t events; /* everything that came and went, summed so that order does not matter */
    struct {
        uint64_t spawned, ended, refused, live_peak;
    } of[ARENA_KIND_COUNT];
    uint32_t hit_count;
    bool failed; /* a spawn was refused although the policy refuses none */
    struct arena_hit hit[ARENA_HIT_MAX];
};

/* ---- A step of one entity: inline, since every variant's walk is made of it ---------------------- */

/* Spreads every bit of a number over all of it (the end of splitmix64). */
static inline uint64_t arena_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* What chance says about an entity. */
static inline uint64_t arena_chance(const struct arena_world *world, enum arena_kind kind,
                                    uint64_t id) {
    return arena_mix(world->seed + (id * 4 + (uint64_t)kind) * UINT64_C(0x9e3779b97f4a7c15));
}

/* The state of an entity as one number. */
static inline uint64_t arena_sum(const struct arena_entity *entity) {
    uint32_t bits[6];
    memcpy(bits, entity->position, sizeof entity->position);
    memcpy(bits + 3, entity->speed, sizeof entity->speed);
    uint64_t sum = arena_mix(entity->id << 32 | entity->age);
    for (int i = 0; i < 6; i += 2)
        sum = arena_mix(sum ^ ((uint64_t)bits[i] << 32 | bits[i + 1]));
    return sum;
}

/* Bytes of an entity; a constant where the kind is one. */
static inline uint32_t arena_bytes(enum arena_kind kind) {
    return kind == ARENA_BULLET ? 80 : kind == ARENA_EFFECT ? 128 : 64;
}

/* The end of an entity's life, which is rare. A bullet in eight of nineteen hits something. */
static inline void arena_end(struct arena_world *world, enum arena_kind kind,
                             const struct arena_entity *entity) {
    world->of[kind].ended++;
    world->events += arena_sum(entity);
    if (kind != ARENA_BULLET || arena_chance(world, kind, ~entity->id) % 19 >= 8)
        return;
    if (world->hit_count == ARENA_HIT_MAX) {
        world->failed = true;
        return;
    }
    struct arena_hit *hit = &world->hit[world->hit_count++];
    hit->id = entity->id;
    memcpy(hit->position, entity->position, sizeof hit->position);
}

/* Moves an entity by one tick; false: it is over. */
static inline bool arena_step(struct arena_world *world, enum arena_kind kind,
                              struct arena_entity *entity, float gravity, float drag) {
    uint32_t last = (arena_bytes(kind) - (uint32_t)sizeof *entity) / (uint32_t)sizeof(float) - 1;
    entity->speed[2] -= gravity;
    for (int i = 0; i < 3; i++) {
        entity->speed[i] *= drag;
        entity->position[i] += entity->speed[i];
    }
    entity->own[0] += entity->position[0]; /* the first and the last of what it has of its own */
    entity->own[last] += entity->speed[2];
    if (++entity->age < entity->life)
        return true;
    arena_end(world, kind, entity);
    return false;
}

/* ---- The game ---------------------------------------------------------------------------------- */

/* One tick: everything moves, then hits, shots, bursts and explosions spawn. */
void arena_tick(struct arena_world *world, const struct arena_store *store);

/* The whole world as one number that does not depend on order. */
uint64_t arena_checksum(const struct arena_world *world, const struct arena_store *store);

/* Whether for every kind: spawned - ended - dropped = what the store has. */
bool arena_adds_up(const struct arena_world *world, const struct arena_store *store);

#endif
