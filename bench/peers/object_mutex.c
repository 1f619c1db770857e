/* SPDX-License-Identifier: MIT
 * object_mutex.c -- the bounded pool that people write by hand: a stack under a mutex, and a
 * condition variable to wait on. */
#include <pthread.h>

typedef struct peer_object {
    void *object;
} peer_object;
#include "../object_work.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t returned = PTHREAD_COND_INITIALIZER;
static void *idle[OBJECTS_MAX];
static unsigned idle_count;

static void peer_open(unsigned object_count) {
    static char objects[OBJECTS_MAX];
    for (; idle_count < object_count; idle_count++)
        idle[idle_count] = &objects[idle_count];
}

static inline void *peer_acquire(peer_object *held) {
    pthread_mutex_lock(&lock);
    while (idle_count == 0)
        pthread_cond_wait(&returned, &lock);
    held->object = idle[--idle_count];
    pthread_mutex_unlock(&lock);
    return held->object;
}

static inline void peer_release(peer_object *held) {
    pthread_mutex_lock(&lock);
    idle[idle_count++] = held->object;
    pthread_cond_signal(&returned);
    pthread_mutex_unlock(&lock);
}

static void peer_version(void) {
    puts("by hand");
}
