/* SPDX-License-Identifier: MIT
 * shared_strings.h -- strings known by number, put in by many threads at once.
 *
 * One table under one lock would be what all threads queue for: looking a string up takes as long as
 * much of what else is done with it. So there are 16, each under a lock of its own (class
 * "shared strings"), and the hash says which one; a lock is held for one look-up. */
#ifndef COMMON_SHARED_STRINGS_H
#define COMMON_SHARED_STRINGS_H

#include "hold.h"
#include "text.h"

enum { SHARED_STRINGS_PARTS = 16 };

struct shared_strings {
    struct {
        lido_mutex lock;
        struct strings strings;
    } parts[SHARED_STRINGS_PARTS];
};

void shared_strings_begin(struct shared_strings *shared);
/* No more puts: ends the locks, whose figures are then whole. */
void shared_strings_close(struct shared_strings *shared);
void shared_strings_end(struct shared_strings *shared); /* after close */

/* From any thread. The same text has the same number, which is not NO_STRING. */
uint32_t shared_strings_put(struct shared_strings *shared, const char *text, uint32_t length);

/* The text, with a zero byte behind it; while no other thread puts. */
const char *shared_strings_text(const struct shared_strings *shared, uint32_t id);

#endif
