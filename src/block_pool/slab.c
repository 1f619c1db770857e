/* SPDX-License-Identifier: MIT
 * See slab.h. */
#include "block_pool/slab.h"

#include "base/sys.h"

#include <string.h>

enum { SLAB_BYTES = 64 * 1024, LARGE_BLOCK_BYTES = 8 * 1024, LARGE_SLAB_BYTES = 256 * 1024 };

static size_t round_up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

struct shape lido__slab_shape(const lido_block_pool_options *options) {
    struct shape shape = {.block_bytes = (size_t)options->block_size,
                          .align = (size_t)options->block_align,
                          .page_bytes = lido__page_bytes(),
                          .per_slab = 1,
                          .mode = options->mode};
    shape.stride_bytes = round_up(shape.block_bytes, shape.align);
    if (shape.mode == LIDO_BLOCK_POOL_SLABS) {
        size_t slab_bytes = shape.stride_bytes > LARGE_BLOCK_BYTES ? LARGE_SLAB_BYTES : SLAB_BYTES;
        if (slab_bytes > shape.stride_bytes)
            shape.per_slab = slab_bytes / shape.stride_bytes;
        if (options->block_limit && options->block_limit < shape.per_slab)
            shape.per_slab = options->block_limit;
    }
    shape.memory_bytes = round_up(shape.stride_bytes * (size_t)shape.per_slab, shape.page_bytes);
    if (shape.mode == LIDO_BLOCK_POOL_GUARD)
        shape.memory_bytes += shape.page_bytes;
    if (shape.mode == LIDO_BLOCK_POOL_PASS_THROUGH)
        shape.memory_bytes = shape.stride_bytes;
    return shape;
}

static uint64_t word_count(const struct shape *shape) {
    return (shape->per_slab + 63) / 64;
}

size_t lido__slab_overhead(const struct shape *shape) {
    return sizeof(struct slab) + (size_t)word_count(shape) * sizeof(uint64_t);
}

static char *make_memory(const struct shape *shape) {
    if (shape->mode == LIDO_BLOCK_POOL_PASS_THROUGH)
        return lido__sys.alloc(shape->block_bytes, shape->align);
    char *memory = lido__sys.map(shape->memory_bytes);
    if (memory && shape->mode == LIDO_BLOCK_POOL_GUARD &&
        !lido__sys.protect(memory + shape->memory_bytes - shape->page_bytes, shape->page_bytes,
                           false)) {
        lido__sys.unmap(memory, shape->memory_bytes);
        return NULL;
    }
    return memory;
}

struct slab *lido__slab_make(const struct shape *shape, bool touch) {
    struct slab *slab = lido__sys.alloc(lido__slab_overhead(shape), _Alignof(struct slab));
    char *memory = slab ? make_memory(shape) : NULL;
    if (!memory) {
        lido__sys.free(slab);
        return NULL;
    }
    memset(slab, 0, lido__slab_overhead(shape));
    /* Bits behind the last block are set for good, so that no search finds them free. */
    if (shape->per_slab % 64 != 0)
        slab->live[shape->per_slab / 64] = UINT64_MAX << shape->per_slab % 64;
    slab->memory = memory;
    slab->blocks = memory;
    if (shape->mode == LIDO_BLOCK_POOL_GUARD)
        slab->blocks += shape->memory_bytes - shape->page_bytes - shape->stride_bytes;
    touch = touch && shape->mode == LIDO_BLOCK_POOL_SLABS;
    for (size_t at = 0; touch && at < shape->memory_bytes; at += shape->page_bytes)
        memory[at] = 0;
    return slab;
}

void lido__slab_end(struct slab *slab, const struct shape *shape) {
    if (shape->mode == LIDO_BLOCK_POOL_PASS_THROUGH)
        lido__sys.free(slab->memory);
    else
        lido__sys.unmap(slab->memory, shape->memory_bytes);
    lido__sys.free(slab);
}

/* Whole pages: the block itself need not begin at one. */
bool lido__slab_open(const struct slab *slab, const struct shape *shape, bool accessible) {
    return lido__sys.protect(slab->memory, shape->memory_bytes - shape->page_bytes, accessible);
}

void *lido__slab_take(struct slab *slab, const struct shape *shape) {
    while (slab->live[slab->first_word] == UINT64_MAX)
        slab->first_word++;
    uint64_t bit = (uint64_t)__builtin_ctzll(~slab->live[slab->first_word]);
    slab->live[slab->first_word] |= UINT64_C(1) << bit;
    slab->live_count++;
    return lido__slab_block(slab, shape, slab->first_word * 64 + bit);
}

uint64_t lido__slab_find(const struct slab *slab, const struct shape *shape, const void *block) {
    uintptr_t offset = (uintptr_t)block - (uintptr_t)slab->blocks;
    uint64_t i = offset / shape->stride_bytes;
    return i < shape->per_slab && offset % shape->stride_bytes == 0 ? i : shape->per_slab;
}

void lido__slab_put(struct slab *slab, uint64_t i) {
    slab->live[i / 64] &= ~(UINT64_C(1) << i % 64);
    slab->live_count--;
    if (i / 64 < slab->first_word)
        slab->first_word = i / 64;
}
