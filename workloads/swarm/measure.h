/* SPDX-License-Identifier: MIT
 * What the system says about this process: CPU time, page faults, resident memory. */
#ifndef SWARM_MEASURE_H
#define SWARM_MEASURE_H

#include <stdint.h>

struct measure {
    double cpu_s;
    uint64_t faults;          /* minor page faults since the process began */
    uint64_t anonymous_bytes; /* resident memory that belongs to no file */
};

/* Reading allocates nothing, so that it does not disturb what it reads. */
struct measure measure_now(void);

double measure_cpu_s(void);

/* "address" or "thread" when such a sanitizer stands in the place of the system's malloc and adds
 * memory of its own to that of the program; otherwise NULL. */
const char *measure_sanitizer(void);

/* The exact count from the page tables where the kernel gives it, otherwise the estimate that it
 * keeps at hand. */
uint64_t measure_anonymous_bytes(void);

#endif
