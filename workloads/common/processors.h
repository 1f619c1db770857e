/* SPDX-License-Identifier: MIT
 * processors.h -- how many threads this process can run at once. */
#ifndef COMMON_PROCESSORS_H
#define COMMON_PROCESSORS_H

#include <stdint.h>

/* Returns  at least 1. */
uint32_t count_processors(void);

/* What this process, all threads, has used up to now. */
struct processors_used {
    double cpu_s;
    uint64_t peak_rss_bytes;
};
struct processors_used processors_used(void);

#endif
