/* SPDX-License-Identifier: MIT
 * processors.h -- how many threads this process can run at once. */
#ifndef COMMON_PROCESSORS_H
#define COMMON_PROCESSORS_H

#include <stdint.h>

/* Returns  at least 1. */
uint32_t count_processors(void);

#endif
