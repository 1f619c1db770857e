/* SPDX-License-Identifier: MIT
 * object_r2d2.c -- the Rust pool r2d2 in the harness of the others; lib.rs has its side. */
#include <stddef.h>
#include <stdint.h>

typedef struct peer_object {
    _Alignas(16) unsigned char bytes[256];
} peer_object;
#include "../../../object_work.h"

size_t object_r2d2_open(uint32_t object_count);
void object_r2d2_acquire(peer_object *held);
void object_r2d2_release(peer_object *held);

static void peer_open(unsigned object_count) {
    if (object_r2d2_open(object_count) > sizeof(peer_object))
        worker_fail("a connection of r2d2 is larger than its place");
}

static inline void *peer_acquire(peer_object *held) {
    object_r2d2_acquire(held);
    return held;
}

static inline void peer_release(peer_object *held) {
    object_r2d2_release(held);
}

static void peer_version(void) {
    printf("r2d2 %s, %s\n", R2D2_VERSION, RUST_VERSION);
}
