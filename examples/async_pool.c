/* SPDX-License-Identifier: MIT
 * A loop over epoll that never waits inside a pool: four jobs, two buffers. Who finds none free asks
 * for one, and goes on when the eventfd says that somebody has been served. */
#include <lido/lido.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { JOBS = 4, BUFFERS = 2, BUFFER_BYTES = 4096 };

static int make_buffer(void *context, void **buffer) {
    (void)context;
    *buffer = malloc(BUFFER_BYTES);
    return *buffer ? 0 : 1;
}

static void free_buffer(void *context, void *buffer) {
    (void)context;
    free(buffer);
}

int main(void) {
    lido_object_pool *pool = NULL;
    lido_object_pool_request jobs[JOBS];
    bool is_done[JOBS] = {false};
    int served = eventfd(0, EFD_CLOEXEC), loop = epoll_create1(EPOLL_CLOEXEC), left = JOBS;
    struct epoll_event event = {.events = EPOLLIN};
    if (served < 0 || loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, served, &event) != 0)
        return 1;
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "buffers", .object_limit = BUFFERS,
                                                         .create = make_buffer,
                                                         .destroy = free_buffer),
                                &pool) != LIDO_OK)
        return 1;
    for (int i = 0; i < JOBS; i++)
        if (lido_object_pool_acquire_fd(pool, &jobs[i], served) != LIDO_OK)
            return 1;
    while (left > 0 && epoll_wait(loop, &event, 1, 1000) == 1) {
        uint64_t count;
        if (read(served, &count, sizeof count) != sizeof count)
            return 1;
        for (int i = 0; i < JOBS; i++) {
            lido_lease lease;
            if (is_done[i] || lido_object_pool_take(pool, &jobs[i], &lease) != LIDO_OK)
                continue;
            memset(lease.object, i, BUFFER_BYTES);
            printf("job %d has its buffer\n", i);
            is_done[i] = true;
            left--;
            (void)lido_object_pool_release(pool, &lease);
        }
    }
    return lido_object_pool_destroy(pool) == LIDO_OK && left == 0 ? 0 : 1;
}
