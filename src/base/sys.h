/* SPDX-License-Identifier: MIT
 * Every system call and every allocation of lido, as one table that tests replace: that is how
 * the k-th call of each kind is made to fail, and how time stands still. Nothing in src/ outside
 * sys.c calls malloc, mmap, a clock or futex itself (scripts/check.py).
 *
 * The table is read on slow paths only. It is written by tests, while no other thread is in lido. */
#ifndef LIDO_SRC_BASE_SYS_H
#define LIDO_SRC_BASE_SYS_H

#include "base/atomic.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lido__sys {
    /* Memory. NULL or false: refused. align is a power of two; map gives zeroed whole pages. */
    void *(*alloc)(size_t bytes, size_t align);
    void (*free)(void *memory);
    void *(*map)(size_t bytes);
    void (*unmap)(void *memory, size_t bytes);
    bool (*protect)(void *memory, size_t bytes, bool accessible);
    bool (*purge)(void *memory, size_t bytes); /* true: gives the pages back; they read as zero */

    /* Time, in nanoseconds. coarse_ns is now_ns of the last timer interrupt: cheap, some
     * milliseconds old. wall_ns counts from 1970. */
    uint64_t (*now_ns)(void);
    uint64_t (*coarse_ns)(void);
    uint64_t (*wall_ns)(void);

    /* Sleeps while *word is expected, until unpark or the deadline (LIDO_FOREVER: none); may wake
     * for no reason. Returns false when the deadline has passed. Not a cancellation point. */
    bool (*park)(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);
    void (*unpark)(_Atomic uint32_t *word, int count);
    void (*yield)(void); /* lets another thread have this CPU, if one is ready */

    /* A descriptor that poll(2) calls readable between set and clear. create returns 0 or an errno. */
    int (*event_create)(int *descriptor);
    void (*event_set)(int descriptor);
    void (*event_clear)(int descriptor);
    void (*event_close)(int descriptor);
    /* Adds one to an eventfd. A full counter stays readable, which is all it is for. */
    void (*signal_descriptor)(int descriptor);

    /* membarrier(2): barrier makes every running thread of this process pass a full fence, once
     * barrier_register has been called. Both return 0 or an errno. */
    int (*barrier_register)(void);
    int (*barrier)(void);

    /* Threads and processes. Both int calls return 0 or an errno. */
    uint64_t (*thread_id)(void);
    bool (*thread_lives)(uint64_t id);                     /* of this process */
    bool (*thread_stack)(uintptr_t *low, uintptr_t *high); /* of this thread; false: unknown */
    int (*key_create)(pthread_key_t *key, void (*at_exit)(void *));
    int (*key_set)(pthread_key_t key, const void *value);
    int (*at_fork)(void (*prepare)(void), void (*parent)(void), void (*child)(void));
};

extern struct lido__sys lido__sys;

/* The table as it is at start, to put back. */
extern const struct lido__sys lido__sys_real;

/* Bytes of a page of the system. */
size_t lido__page_bytes(void);

#endif
