/* SPDX-License-Identifier: MIT
 * The word that a block carries in its first 8 bytes while it is free: its address and a constant, so
 * that no pointer to itself, nor a copy of another free block, is one. A released block that carries it already was released before; or its user wrote
 * just that, which the slow path tells apart. Blocks of any alignment have one. */
#ifndef LIDO_SRC_BLOCK_POOL_CANARY_H
#define LIDO_SRC_BLOCK_POOL_CANARY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t lido__canary(const void *block) {
    return (uint64_t)(uintptr_t)block + 0x2b7e1516;
}

static inline bool lido__canary_is_set(const void *block) {
    uint64_t word;
    memcpy(&word, block, sizeof word);
    return word == lido__canary(block);
}

static inline void lido__canary_set(void *block) {
    uint64_t word = lido__canary(block);
    memcpy(block, &word, sizeof word);
}

/* The second word of a block that was never out, in a pool that zeroes: the system zeroed the rest.
 * Nobody who holds a block ever sees one, so whoever copies it by chance has read a free block. */
enum { LIDO__FRESH_BYTES = 2 * sizeof(uint64_t) };

static inline bool lido__fresh_is_set(const void *block) {
    uint64_t word;
    memcpy(&word, (const char *)block + sizeof word, sizeof word);
    return word == ~(lido__canary(block) * UINT64_C(0x9e3779b97f4a7c15));
}

static inline void lido__fresh_set(void *block) {
    uint64_t word = ~(lido__canary(block) * UINT64_C(0x9e3779b97f4a7c15));
    memcpy((char *)block + sizeof word, &word, sizeof word);
}

static inline void lido__canary_clear(void *block) {
    memset(block, 0, sizeof(uint64_t));
}

#endif
