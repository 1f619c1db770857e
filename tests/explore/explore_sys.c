/* SPDX-License-Identifier: MIT
 * The system under a kernel: see explore_sys.h. */
#include "explore_sys.h"

#include <lido/base.h>

#include <errno.h>
#include <sys/mman.h>

enum { ARENA_BYTES = 256 << 20, PAGE_BYTES = 4096, THREAD_IDS = 100 };

static enum explore_barrier barrier_is;

static int register_barrier(void) {
    return barrier_is == EXPLORE_BARRIER_NEVER ? EPERM : 0;
}

static int pass_barrier(void) {
    if (barrier_is == EXPLORE_BARRIER_GOES_AWAY && explore_choose(2, "membarrier goes away:"))
        barrier_is = EXPLORE_BARRIER_GONE;
    if (barrier_is == EXPLORE_BARRIER_NEVER || barrier_is == EXPLORE_BARRIER_GONE)
        return EPERM;
    if (barrier_is != EXPLORE_BARRIER_EMPTY)
        explore_membarrier();
    return 0;
}

/* ---- Memory: from one end of an arena, the same addresses in every execution ---------------- */

static char *arena, *arena_at;

static void *take(size_t bytes, size_t align) {
    uintptr_t at = ((uintptr_t)arena_at + align - 1) / align * align;
    explore_check(at + bytes <= (uintptr_t)arena + ARENA_BYTES, "the arena is used up");
    arena_at = (char *)at + bytes;
    return (char *)at;
}

/* Each object has its size before it, for free. */
static void *allocate(size_t bytes, size_t align) {
    size_t *object = take(bytes + 2 * sizeof *object, align > 16 ? align : 16);
    object += 2;
    object[-1] = bytes;
    return object;
}

static void release(void *object) {
    if (object)
        explore_freed(object, ((size_t *)object)[-1]);
}

static void *map(size_t bytes) {
    return take(bytes, PAGE_BYTES);
}

static void unmap(void *memory, size_t bytes) {
    explore_freed(memory, bytes);
}

/* ---- Threads ------------------------------------------------------------------------------ */

static void (*at_exit)(void *);
static const void *thread_values[EXPLORE_THREADS + 1];

static uint64_t thread_id(void) {
    return THREAD_IDS + (uint64_t)explore_thread();
}

static int create_key(pthread_key_t *key, void (*call)(void *)) {
    *key = 0;
    at_exit = call;
    return 0;
}

static int set_key(pthread_key_t key, const void *value) {
    (void)key;
    thread_values[explore_thread()] = value;
    return 0;
}

static int listen_for_forks(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    (void)prepare;
    (void)parent;
    (void)child;
    return 0;
}

void explore_sys_end_thread(void) {
    const void *value = thread_values[explore_thread()];
    thread_values[explore_thread()] = NULL;
    if (value)
        at_exit((void *)(uintptr_t)value);
}

/* The search gives the turn to others at every access anyway. */
static void let_be(void) {}

void explore_sys_begin(enum explore_barrier barrier) {
    barrier_is = barrier;
    if (!arena)
        arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    explore_check(arena != MAP_FAILED, "there is no memory for the arena");
    arena_at = arena;
    at_exit = NULL;
    for (int t = 0; t <= EXPLORE_THREADS; t++)
        thread_values[t] = NULL;
    lido__sys = lido__sys_real;
    lido__sys.alloc = allocate;
    lido__sys.free = release;
    lido__sys.map = map;
    lido__sys.unmap = unmap;
    lido__sys.now_ns = explore_now_ns;
    lido__sys.coarse_ns = explore_now_ns;
    lido__sys.wall_ns = explore_now_ns;
    lido__sys.thread_id = thread_id;
    lido__sys.key_create = create_key;
    lido__sys.key_set = set_key;
    lido__sys.at_fork = listen_for_forks;
    lido__sys.park = explore_park;
    lido__sys.unpark = explore_unpark;
    lido__sys.yield = let_be;
    lido__sys.barrier_register = register_barrier;
    lido__sys.barrier = pass_barrier;
}
