/* SPDX-License-Identifier: MIT
 * The hook that lido_yield, the library under stress, calls before each atomic operation. A test
 * sets it before its threads start; NULL: nothing happens. */
#include "base/atomic.h"

void (*lido__yield_hook)(void);
