/* SPDX-License-Identifier: MIT
 * shared_strings.c -- see shared_strings.h. A number tells the part by its lowest bits. */
#include "shared_strings.h"

void shared_strings_begin(struct shared_strings *shared) {
    for (int i = 0; i < SHARED_STRINGS_PARTS; i++) {
        shared->parts[i].lock = (lido_mutex)LIDO_MUTEX_INIT("shared strings");
        shared->parts[i].strings = (struct strings){.slots = NULL};
    }
}

void shared_strings_close(struct shared_strings *shared) {
    for (int i = 0; i < SHARED_STRINGS_PARTS; i++)
        (void)lido_mutex_destroy(&shared->parts[i].lock);
}

void shared_strings_end(struct shared_strings *shared) {
    for (int i = 0; i < SHARED_STRINGS_PARTS; i++)
        strings_end(&shared->parts[i].strings);
}

uint32_t shared_strings_put(struct shared_strings *shared, const char *text, uint32_t length) {
    uint32_t hash = strings_hash(text, length);
    uint32_t part = hash >> 28; /* a table itself goes by the lower bits */
    hold(&shared->parts[part].lock);
    uint32_t id = strings_put_hashed(&shared->parts[part].strings, text, length, hash);
    let_go(&shared->parts[part].lock);
    return id * SHARED_STRINGS_PARTS + part;
}

const char *shared_strings_text(const struct shared_strings *shared, uint32_t id) {
    return strings_text(&shared->parts[id % SHARED_STRINGS_PARTS].strings,
                        id / SHARED_STRINGS_PARTS);
}
