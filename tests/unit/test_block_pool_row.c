/* SPDX-License-Identifier: MIT
 * lido/block_pool.h: a block is told from any other pointer, whether the pool's slabs lie in a row or
 * not, and whatever became of them. */
#include "check.h"

#include "block_pool/pool.h"

enum { BYTES = 1024, SLAB_BLOCKS = 65536 / BYTES, SLABS = 12, COUNT = SLABS * SLAB_BLOCKS };

static void *ours[COUNT], *theirs[COUNT];

static lido_block_pool *make(const char *name) {
    lido_block_pool *pool = NULL;
    CHECK_OK(lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.block_size = BYTES, .name = name, .mode = LIDO_BLOCK_POOL_SLABS),
        &pool));
    return pool;
}

static uintptr_t row_bytes(lido_block_pool *pool) {
    return atomic_load(&pool->row_bytes);
}

/* All blocks that a row could have. A row is for 64-bit addresses. */
static bool is_whole(lido_block_pool *pool) {
    return sizeof(void *) == 4 || row_bytes(pool) == pool->existing * BYTES;
}

static void fill(lido_block_pool *pool, void **blocks, int count) {
    for (int i = 0; i < count; i++) {
        CHECK((blocks[i] = lido_block_pool_acquire(pool)) != NULL);
        memset(blocks[i], 0x11, BYTES);
    }
}

static void refuse(lido_block_pool *pool, const void *pointer) {
    CHECK_EQ(lido_block_pool_release(pool, (void *)(uintptr_t)pointer), LIDO_ERR_NOT_HELD);
}

/* Addresses that no memory has, which differ from a block's where nothing else would look. */
static void refuse_crafted(lido_block_pool *pool, const void *block) {
    for (int bit = 32; sizeof(void *) > 4 && bit < 64; bit++) {
        refuse(pool, (void *)((uintptr_t)block + (uintptr_t)(UINT64_C(1) << bit)));
        refuse(pool, (void *)((uintptr_t)block - (uintptr_t)(UINT64_C(1) << bit)));
    }
}

static void release_all(lido_block_pool *pool, void **blocks, int count) {
    for (int i = 0; i < count; i++)
        CHECK_OK(lido_block_pool_release(pool, blocks[i]));
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void slabs_in_a_row_have_their_blocks_and_no_others(void **state) {
    (void)state;
    lido_block_pool *pool = make("row"), *other = make("other");
    fill(other, theirs, 1);
    fill(pool, ours, COUNT);
    CHECK(is_whole(pool));
    for (int i = 0; i < COUNT; i++) {
        refuse(pool, (char *)ours[i] + 1);
        refuse(pool, (char *)ours[i] + BYTES / 2);
        refuse(other, ours[i]);
    }
    refuse(pool, theirs[0]);
    refuse(pool, (char *)pool->row_start - 1);
    refuse(pool, (char *)pool->row_start - BYTES);
    refuse(pool, (char *)pool->row_start + pool->existing * BYTES);
    for (int i = 0; i < COUNT; i += SLAB_BLOCKS)
        refuse_crafted(pool, ours[i]);
    refuse_crafted(pool, theirs[0]);
    release_all(pool, ours, COUNT);
    release_all(other, theirs, 1);
}

static void pools_that_grow_in_turns_have_no_rows_and_know_their_blocks(void **state) {
    (void)state;
    lido_block_pool *pool = make("one"), *other = make("two");
    for (int i = 0; i < COUNT; i += SLAB_BLOCKS) {
        fill(pool, ours + i, SLAB_BLOCKS);
        fill(other, theirs + i, SLAB_BLOCKS);
    }
    CHECK(pool->is_scattered && other->is_scattered && !row_bytes(pool) && !row_bytes(other));
    for (int i = 0; i < COUNT; i++) {
        refuse(pool, (char *)ours[i] + 1);
        refuse(pool, theirs[i]);
        refuse(other, ours[i]);
    }
    for (int i = 0; i < COUNT; i += SLAB_BLOCKS) {
        refuse_crafted(pool, ours[i]);
        refuse_crafted(pool, theirs[i]);
    }
    release_all(pool, ours, COUNT);
    release_all(other, theirs, COUNT);
}

/* Slabs that end and pages that go leave the row; who comes too late with a block of theirs is told so. */
static void what_went_back_is_in_no_row(void **state) {
    (void)state;
    for (int keep = 0; keep <= SLAB_BLOCKS; keep += SLAB_BLOCKS) {
        lido_block_pool *pool = make("back");
        fill(pool, ours, COUNT);
        CHECK(is_whole(pool));
        for (int i = 0; i < COUNT; i++)
            if (!keep || i % keep != 5)
                CHECK_OK(lido_block_pool_release(pool, ours[i]));
        CHECK(lido_block_pool_trim(pool, LIDO_FOREVER) > SLABS / 2 * 65536);
        CHECK(row_bytes(pool) < 65536 * 2);
        for (int i = 0; i < COUNT; i++)
            refuse(pool, !keep || i % keep != 5 ? ours[i] : (char *)ours[i] + 8);
        /* And up again. */
        int back = 0;
        for (int i = 0; i < COUNT; i++)
            if (!keep || i % keep != 5) {
                fill(pool, ours + i, 1);
                back++;
            }
        CHECK(back == COUNT || back == COUNT - SLABS);
        CHECK(is_whole(pool));
        for (int i = 0; i < COUNT; i++)
            refuse(pool, (char *)ours[i] + BYTES / 2);
        release_all(pool, ours, COUNT);
    }
}

CHECK_MAIN(TEST(slabs_in_a_row_have_their_blocks_and_no_others),
           TEST(pools_that_grow_in_turns_have_no_rows_and_know_their_blocks),
           TEST(what_went_back_is_in_no_row))
