/* SPDX-License-Identifier: MIT
 * alloc.h -- tree-sitter's allocations served by lido's block pools. */
#ifndef INSPECT_ALLOC_H
#define INSPECT_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

struct alloc_counts {
    uint64_t served; /* allocations that a block pool served */
    uint64_t system; /* allocations that went to malloc */
};

/* Makes the pools and gives tree-sitter its allocator; before anything of tree-sitter is used.
 * false: lido_last_error() says why. */
bool alloc_start(void);

/* Gives back what this thread keeps at hand; every thread that used tree-sitter calls it last. */
void alloc_thread_end(void);

/* Exact once every thread has called alloc_thread_end. */
struct alloc_counts alloc_read_counts(void);

/* Ends the pools. Nothing of tree-sitter may be alive. false: something is; lido_last_error(). */
bool alloc_end(void);

#endif
