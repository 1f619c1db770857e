/* SPDX-License-Identifier: MIT
 * The only file of lido that talks to the system: see sys.h. */
#include "base/sys.h"

#include <lido/base.h>

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void *real_alloc(size_t bytes, size_t align) {
    void *memory = NULL;
    if (align <= _Alignof(max_align_t))
        return malloc(bytes);
    return posix_memalign(&memory, align, bytes) == 0 ? memory : NULL;
}

static void real_free(void *memory) {
    free(memory);
}

static void *real_map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void real_unmap(void *memory, size_t bytes) {
    (void)munmap(memory, bytes);
}

static bool real_protect(void *memory, size_t bytes, bool accessible) {
    return mprotect(memory, bytes, accessible ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

static bool real_purge(void *memory, size_t bytes) {
    return madvise(memory, bytes, MADV_DONTNEED) == 0;
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * LIDO_SECONDS(1) + (uint64_t)t.tv_nsec;
}

static uint64_t real_now_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t real_coarse_ns(void) {
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

static uint64_t real_wall_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

/* A deadline beyond what a timespec of this system can say is none: with 32-bit seconds that is
 * decades of uptime away. */
static bool real_park(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
    struct timespec at = {.tv_sec = (time_t)(deadline_ns / LIDO_SECONDS(1)),
                          .tv_nsec = (long)(deadline_ns % LIDO_SECONDS(1))};
    bool bounded = deadline_ns / LIDO_SECONDS(1) <= INT32_MAX;
    long done = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, bounded ? &at : NULL,
                        NULL, FUTEX_BITSET_MATCH_ANY);
    return done == 0 || errno != ETIMEDOUT;
}

static void real_unpark(_Atomic uint32_t *word, int count) {
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void real_yield(void) {
    (void)sched_yield();
}

static int real_event_create(int *descriptor) {
    *descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return *descriptor >= 0 ? 0 : errno;
}

static void real_event_set(int descriptor) {
    (void)eventfd_write(descriptor, 1);
}

static void real_event_clear(int descriptor) {
    eventfd_t count;
    (void)eventfd_read(descriptor, &count);
}

static void real_event_close(int descriptor) {
    (void)close(descriptor);
}

static void real_signal_descriptor(int descriptor) {
    const uint64_t one = 1;
    ssize_t written;
    do
        written = write(descriptor, &one, sizeof one);
    while (written < 0 && errno == EINTR);
}

static int real_barrier_register(void) {
    int command = MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    return syscall(SYS_membarrier, command, 0, 0) == 0 ? 0 : errno;
}

static int real_barrier(void) {
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0 ? 0 : errno;
}

static uint64_t real_thread_id(void) {
    return (uint64_t)syscall(SYS_gettid);
}

static bool real_thread_lives(uint64_t id) {
    return syscall(SYS_tgkill, getpid(), (pid_t)id, 0) == 0 || errno != ESRCH;
}

static bool real_thread_stack(uintptr_t *low, uintptr_t *high) {
    pthread_attr_t attributes;
    void *address = NULL;
    size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return false;
    bool known = pthread_attr_getstack(&attributes, &address, &bytes) == 0;
    (void)pthread_attr_destroy(&attributes);
    *low = (uintptr_t)address;
    *high = *low + bytes;
    return known;
}

static int real_key_create(pthread_key_t *key, void (*at_exit)(void *)) {
    return pthread_key_create(key, at_exit);
}

static int real_key_set(pthread_key_t key, const void *value) {
    return pthread_setspecific(key, value);
}

static int real_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return pthread_atfork(prepare, parent, child);
}

#define REAL_TABLE                                                                                 \
    {                                                                                              \
        .alloc = real_alloc, .free = real_free, .map = real_map, .unmap = real_unmap,              \
        .protect = real_protect, .purge = real_purge, .now_ns = real_now_ns,                       \
        .coarse_ns = real_coarse_ns, .wall_ns = real_wall_ns, .park = real_park,                   \
        .unpark = real_unpark, .yield = real_yield, .event_create = real_event_create,             \
        .event_set = real_event_set, .event_clear = real_event_clear,                              \
        .event_close = real_event_close, .barrier_register = real_barrier_register,                \
        .barrier = real_barrier, .thread_id = real_thread_id, .thread_lives = real_thread_lives,   \
        .thread_stack = real_thread_stack, .signal_descriptor = real_signal_descriptor,            \
        .key_create = real_key_create, .key_set = real_key_set, .at_fork = real_at_fork            \
    }

struct lido__sys lido__sys = REAL_TABLE;
const struct lido__sys lido__sys_real = REAL_TABLE;

size_t lido__page_bytes(void) {
    long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (size_t)bytes : 4096;
}

uint64_t lido_now_ns(void) {
    return lido__sys.now_ns();
}
