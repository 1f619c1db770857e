/* SPDX-License-Identifier: MIT
 * block_gslice.c -- GLib's slices. */
#include "../block_work.h"

#include <glib.h>

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)bytes, (void)count, (void)hasten;
}

static void peer_join(void) {}

static inline void *peer_get(void) {
    return g_slice_alloc(block_bytes);
}

static inline void peer_put(void *block) {
    g_slice_free1(block_bytes, block);
}

static bool peer_trim(void) {
    return false;
}

static void peer_version(void) {
    printf("GLib %u.%u.%u\n", glib_major_version, glib_minor_version, glib_micro_version);
}
