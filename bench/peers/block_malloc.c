/* SPDX-License-Identifier: MIT
 * block_malloc.c -- malloc and free of whatever allocator is loaded: glibc's, or one that the bench
 * puts in front of it. Which one that is, and how it gives memory back, is found by its own calls. */
#include "../block_work.h"
#include "jemalloc.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <malloc.h>

typedef const char *(*tc_version_call)(int *, int *, const char **);
typedef void (*release_call)(void);
typedef int (*number_call)(void);
typedef void (*collect_call)(_Bool);

/* A function of the loaded allocator; POSIX lets a pointer to data hold it. */
#define FIND(type, name) ((type)(uintptr_t)dlsym(RTLD_DEFAULT, name))

static void peer_open(uint64_t bytes, uint64_t count, bool hasten) {
    (void)bytes, (void)count;
    mallctl_call jemalloc = FIND(mallctl_call, "mallctl");
    if (hasten && jemalloc)
        jemalloc_set_decay(jemalloc, 250);
}

static void peer_join(void) {}

static inline void *peer_get(void) {
    void *block = malloc(block_bytes);
    if (!block)
        worker_fail("malloc failed");
    return block;
}

static inline void peer_put(void *block) {
    free(block);
}

static bool peer_trim(void) {
    mallctl_call jemalloc = FIND(mallctl_call, "mallctl");
    release_call tcmalloc = FIND(release_call, "MallocExtension_ReleaseFreeMemory");
    collect_call mimalloc = FIND(collect_call, "mi_collect");
    if (jemalloc)
        return jemalloc_trim(jemalloc);
    if (tcmalloc)
        tcmalloc();
    else if (mimalloc)
        mimalloc(true);
    else
        malloc_trim(0);
    return true;
}

static void peer_version(void) {
    mallctl_call jemalloc = FIND(mallctl_call, "mallctl");
    tc_version_call tcmalloc = FIND(tc_version_call, "tc_version");
    number_call mimalloc = FIND(number_call, "mi_version");
    const char *text = "?";
    size_t length = sizeof text;
    if (jemalloc && jemalloc("version", &text, &length, NULL, 0) == 0)
        printf("jemalloc %.*s\n", (int)strcspn(text, "-"), text);
    else if (tcmalloc)
        printf("tcmalloc %s\n", tcmalloc(NULL, NULL, NULL));
    else if (mimalloc)
        printf("mimalloc %d.%d.%d\n", mimalloc() / 100, mimalloc() / 10 % 10, mimalloc() % 10);
    else
        printf("glibc %s\n", gnu_get_libc_version());
}
