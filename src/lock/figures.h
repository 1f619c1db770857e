/* SPDX-License-Identifier: MIT
 * The tables of all locks: classes and pairs, in static memory. */
#ifndef LIDO_SRC_LOCK_FIGURES_H
#define LIDO_SRC_LOCK_FIGURES_H

#include <lido/lock.h>

enum { LIDO__CLASSES = 256, LIDO__PAIRS = 1024, LIDO__WAIT_BUCKETS = 160 };

struct lido__class_row {
    char name[64];
    uint64_t acquired, contended, waits, wait_total_ns, wait_max_ns;
    uint64_t blamed_ns, hold_samples, hold_total_ns;
    uint32_t wait_buckets[LIDO__WAIT_BUCKETS];
};

struct lido__pair_row {
    const char *waits_at; /* NULL: blame */
    const char *held_at;
    uint64_t waits;
    uint64_t wait_ns;
    uint32_t class_at;
    uint32_t is_used;
};

/* Row 0 of both is "other". Classes are filled from the front; pairs lie where their hash says. */
struct lido__tables {
    struct lido__class_row classes[LIDO__CLASSES];
    struct lido__pair_row pairs[LIDO__PAIRS];
    uint64_t class_count;
};

void lido__tables_copy(struct lido__tables *to);

/* The longest wait that falls into a bucket. */
uint64_t lido__wait_bucket_top_ns(unsigned bucket);

#endif
