/* SPDX-License-Identifier: MIT
 * Random numbers of the swarm: xoshiro256** (Blackman and Vigna), started by splitmix64.
 *
 * Every particle owns a stream, so that a trajectory depends on the seed alone: neither on the
 * order in which particles are moved, nor on where their buffers come from. */
#ifndef SWARM_RANDOM_H
#define SWARM_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t word[4];
};

/* One step of splitmix64: spreads a small seed over all bits. */
static inline uint64_t random_spread(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Takes the next four words of a splitmix64 stream as the state. */
static inline struct random random_start(uint64_t *state) {
    struct random r;
    for (int i = 0; i < 4; i++)
        r.word[i] = random_spread(state);
    return r;
}

static inline uint64_t random_rotate(uint64_t x, int by) {
    return (x << by) | (x >> (64 - by));
}

static inline uint64_t random_next(struct random *r) {
    uint64_t *s = r->word;
    uint64_t result = random_rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* Uniform in [0, 1), a multiple of 2^-53. */
static inline double random_unit(struct random *r) {
    return (double)(random_next(r) >> 11) * 0x1p-53;
}

#endif
