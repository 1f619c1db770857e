/* SPDX-License-Identifier: MIT
 * pooled_malloc.h -- malloc and its kin on lido's block pools, for libraries that let one choose. */
#ifndef COMMON_POOLED_MALLOC_H
#define COMMON_POOLED_MALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the pools; before any of the four below. false: lido_last_error() says why. */
bool pooled_malloc_start(const char *owner);
/* Ends the pools. false: something is still allocated; lido_last_error(). */
bool pooled_malloc_end(void);

void *pooled_malloc(size_t bytes);
void *pooled_calloc(size_t count, size_t bytes);
void *pooled_realloc(void *pointer, size_t bytes);
void pooled_free(void *pointer);

/* Gives back what this thread keeps at hand; every thread that used the four calls it last. */
void pooled_malloc_thread_end(void);

struct pooled_malloc_counts {
    uint64_t served; /* allocations that a block pool served */
    uint64_t system; /* allocations that went to malloc */
};

/* Exact once every thread has called pooled_malloc_thread_end. */
struct pooled_malloc_counts pooled_malloc_read_counts(void);

#endif
