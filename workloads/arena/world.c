/* SPDX-License-Identifier: MIT
 * The rules of the arena: see world.h. */
#include "arena/world.h"

enum {
    SHOTS = 60,        /* a tick */
    BURST = 4000,      /* bullets, and their casings */
    BURST_TICKS = 120, /* every two seconds at 60 ticks a second */
    EXPLOSION = 8000,  /* effects */
    EXPLOSION_TICKS = 600,
};

const struct arena_rule arena_rule[ARENA_KIND_COUNT] = {
    {"bullets", 80, 8192, 30, 55, 0.002F, 0.999F, ARENA_GROW},
    {"effects", 128, 9000, 30, 31, -0.001F, 0.95F, ARENA_REFUSE},
    {"damage numbers", 64, 2000, 30, 31, -0.01F, 0.9F, ARENA_DROP_OLDEST},
    {"casings", 64, 12000, 90, 61, 0.02F, 0.98F, ARENA_DROP_OLDEST},
};

const char *const arena_policy_name[] = {"grow", "refuse", "drop oldest"};

/* -1 to 1 in steps of 1/32768. */
static float part(uint64_t chance, int which) {
    return (float)((int32_t)(chance >> which * 16 & 0xffff) - 32768) * (1.0F / 32768);
}

/* An id is used up by a refused spawn, too: what is refused changes nothing else. */
static void spawn(struct arena_world *world, const struct arena_store *store, enum arena_kind kind,
                  const float position[3]) {
    const struct arena_rule *rule = &arena_rule[kind];
    uint64_t id = world->of[kind].spawned + world->of[kind].refused + 1;
    struct arena_entity *entity = store->spawn(store->self, kind);
    if (!entity) {
        world->of[kind].refused++;
        world->failed = world->failed || rule->policy != ARENA_REFUSE;
        return;
    }
    uint64_t chance = arena_chance(world, kind, id);
    memset(entity, 0, rule->bytes);
    entity->id = id;
    entity->life = rule->life_least + (uint32_t)(chance >> 48) % rule->life_span;
    memcpy(entity->position, position, sizeof entity->position);
    for (int i = 0; i < 3; i++)
        entity->speed[i] = part(chance, i);
    world->of[kind].spawned++;
    world->events += arena_sum(entity);
}

/* By id. There are some dozens in a tick, and a variant that walks in order has them sorted. */
static void sort_hits(struct arena_world *world) {
    for (uint32_t i = 1; i < world->hit_count; i++) {
        struct arena_hit hit = world->hit[i];
        uint32_t at = i;
        for (; at > 0 && world->hit[at - 1].id > hit.id; at--)
            world->hit[at] = world->hit[at - 1];
        world->hit[at] = hit;
    }
}

/* Bullets leave from a muzzle that goes round the arena, and casings fall there. */
static void shoot(struct arena_world *world, const struct arena_store *store, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const float muzzle[3] = {(float)(world->tick % 512), (float)(i % 64), 1};
        spawn(world, store, ARENA_BULLET, muzzle);
        spawn(world, store, ARENA_CASING, muzzle);
    }
}

static void explode(struct arena_world *world, const struct arena_store *store) {
    const float centre[3] = {(float)(world->tick % 511), 32, 8};
    for (uint32_t i = 0; i < EXPLOSION; i++)
        spawn(world, store, ARENA_EFFECT, centre);
}

static void note_peaks(struct arena_world *world, const struct arena_store *store) {
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        uint64_t live = store->count(store->self, (enum arena_kind)k);
        if (live > world->of[k].live_peak)
            world->of[k].live_peak = live;
    }
}

void arena_tick(struct arena_world *world, const struct arena_store *store) {
    world->tick++;
    world->hit_count = 0;
    for (int k = 0; k < ARENA_KIND_COUNT; k++)
        store->sweep(store->self, (enum arena_kind)k, world);
    sort_hits(world);
    for (uint32_t i = 0; i < world->hit_count; i++) {
        spawn(world, store, ARENA_EFFECT, world->hit[i].position);
        spawn(world, store, ARENA_NUMBER, world->hit[i].position);
    }
    shoot(world, store, SHOTS);
    if (world->tick % BURST_TICKS == 0)
        shoot(world, store, BURST);
    if (world->tick % EXPLOSION_TICKS == 0)
        explode(world, store);
    note_peaks(world, store); /* what lives only grows while things spawn */
}

static void add_sum(const struct arena_entity *entity, void *sum) {
    *(uint64_t *)sum += arena_sum(entity);
}

uint64_t arena_checksum(const struct arena_world *world, const struct arena_store *store) {
    uint64_t sum = arena_mix(world->events);
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        uint64_t of_kind = 0;
        store->visit(store->self, (enum arena_kind)k, add_sum, &of_kind);
        sum = arena_mix(sum ^ of_kind);
    }
    return sum;
}

bool arena_adds_up(const struct arena_world *world, const struct arena_store *store) {
    for (int k = 0; k < ARENA_KIND_COUNT; k++) {
        enum arena_kind kind = (enum arena_kind)k;
        if (world->of[k].spawned - world->of[k].ended - store->dropped(store->self, kind) !=
            store->count(store->self, kind))
            return false;
    }
    return true;
}
