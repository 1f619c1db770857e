/* SPDX-License-Identifier: MIT
 * worker.c -- windows and threads of a contestant.
 *
 * All threads of a load meet at a barrier, run one window each, and meet again; thread 0 keeps the
 * times and decides how many operations the next window has. The count is found by doubling, which
 * is the warm-up too.
 */
#include "worker.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef struct run {
    const worker_arguments *arguments;
    const worker_load *load;
    pthread_barrier_t barrier;
    uint64_t count; /* of the next window; 0 ends the threads */
    uint64_t start_ns[WORKER_THREADS_MAX];
    uint64_t end_ns[WORKER_THREADS_MAX];
} run;

typedef struct member {
    run *run;
    unsigned thread;
} member;

void worker_fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(1);
}

uint64_t worker_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void worker_sleep_ns(uint64_t duration_ns) {
    struct timespec duration = {.tv_sec = (time_t)(duration_ns / UINT64_C(1000000000)),
                                .tv_nsec = (long)(duration_ns % UINT64_C(1000000000))};
    while (nanosleep(&duration, &duration) == -1 && errno == EINTR)
        continue;
}

uint64_t worker_resident_bytes(void) {
    uint64_t size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || fscanf(file, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
        worker_fail("/proc/self/statm cannot be read");
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t worker_faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

void worker_mark(void) {
    syscall(SYS_getppid);
}

unsigned worker_cpu_count(void) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&allowed);
}

/* The CPUs allowed at the start, because a pinned thread sees only its own. */
static cpu_set_t allowed_at_start;

void worker_pin(unsigned shifted_cpu) {
    unsigned wanted = shifted_cpu % (unsigned)CPU_COUNT(&allowed_at_start);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed_at_start) || wanted-- != 0)
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

static uint64_t read_number(const char *text) {
    char *end;
    errno = 0;
    uintmax_t value = strtoumax(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        worker_fail("\"%s\" is not a number", text);
    return value;
}

worker_arguments worker_read_arguments(int argc, char **argv) {
    worker_arguments arguments = {.window_count = 7, .window_ns = UINT64_C(2000000)};
    unsigned count = 0;
    if (sched_getaffinity(0, sizeof allowed_at_start, &allowed_at_start) != 0)
        worker_fail("the allowed CPUs cannot be read");
    if (argc < 2)
        worker_fail(
            "usage: %s --version | PATTERN [VALUE...] [--windows N] [--window-us N] [--fixed N] "
            "[--cpu N]",
            argv[0]);
    arguments.pattern = argv[1];
    for (int i = 2; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--windows") == 0 && has_value)
            arguments.window_count = (unsigned)read_number(argv[++i]);
        else if (strcmp(argv[i], "--window-us") == 0 && has_value)
            arguments.window_ns = read_number(argv[++i]) * 1000;
        else if (strcmp(argv[i], "--fixed") == 0 && has_value)
            arguments.fixed_count = read_number(argv[++i]);
        else if (strcmp(argv[i], "--cpu") == 0 && has_value)
            arguments.cpu_shift = (unsigned)read_number(argv[++i]);
        else if (count < WORKER_VALUES_MAX)
            arguments.values[count++] = read_number(argv[i]);
        else
            worker_fail("too many values: %s", argv[i]);
    }
    return arguments;
}

/* One window in one thread, between two barriers. */
static void run_window(run *r, unsigned thread) {
    pthread_barrier_wait(&r->barrier);
    r->start_ns[thread] = worker_now_ns();
    r->load->run(r->load->context, thread, r->count);
    r->end_ns[thread] = worker_now_ns();
    pthread_barrier_wait(&r->barrier);
}

static void *member_main(void *argument) {
    const member *self = argument;
    run *r = self->run;
    worker_pin(self->thread + r->arguments->cpu_shift);
    if (r->load->begin)
        r->load->begin(r->load->context, self->thread);
    for (;;) {
        pthread_barrier_wait(&r->barrier);
        if (r->count == 0)
            break;
        run_window(r, self->thread);
    }
    if (r->load->end)
        r->load->end(r->load->context, self->thread);
    return NULL;
}

/* From the first start to the last end: with more threads than CPUs some start when others are done. */
static uint64_t whole_span(const run *r) {
    uint64_t first = r->start_ns[0], last = r->end_ns[0];
    for (unsigned i = 1; i < r->load->thread_count; i++) {
        first = r->start_ns[i] < first ? r->start_ns[i] : first;
        last = r->end_ns[i] > last ? r->end_ns[i] : last;
    }
    return last - first;
}

static double window_cost(const run *r) {
    double total = 0;
    if (r->load->wall_of_all)
        return (double)whole_span(r) / ((double)r->count * r->load->thread_count);
    for (unsigned i = 0; i < r->load->thread_count; i++)
        total += (double)(r->end_ns[i] - r->start_ns[i]);
    return total / r->load->thread_count / (double)r->count;
}

/* Runs one window in all threads; the caller is thread 0. */
static void all_run_window(run *r, uint64_t count) {
    r->count = count;
    pthread_barrier_wait(&r->barrier);
    if (count != 0)
        run_window(r, 0);
}

/* The quickest of three: one window in which a thread was kept waiting says nothing of the load. */
static uint64_t usual_span(run *r, uint64_t count) {
    uint64_t quickest = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        all_run_window(r, count);
        quickest = whole_span(r) < quickest ? whole_span(r) : quickest;
    }
    return quickest;
}

static void measure_windows(run *r) {
    const worker_arguments *arguments = r->arguments;
    if (arguments->fixed_count != 0) {
        all_run_window(r, arguments->fixed_count);
        printf("%.3f\n", window_cost(r));
        return;
    }
    uint64_t count = 64;
    /* Ten times as long where the span counts, so that the threads' late starts do not. */
    uint64_t enough_ns = arguments->window_ns / 2 * (r->load->wall_of_all ? 10 : 1);
    while (usual_span(r, count) < enough_ns)
        count *= 2;
    for (unsigned i = 0; i < arguments->window_count; i++) {
        all_run_window(r, count);
        printf("%.3f\n", window_cost(r));
    }
}

int worker_measure(const worker_arguments *arguments, const worker_load *load) {
    pthread_t threads[WORKER_THREADS_MAX];
    member members[WORKER_THREADS_MAX];
    run r = {.arguments = arguments, .load = load};
    if (load->thread_count == 0 || load->thread_count > WORKER_THREADS_MAX)
        worker_fail("1 to %d threads", WORKER_THREADS_MAX);
    pthread_barrier_init(&r.barrier, NULL, load->thread_count);
    worker_pin(arguments->cpu_shift);
    for (unsigned i = 1; i < load->thread_count; i++) {
        members[i] = (member){&r, i};
        if (pthread_create(&threads[i], NULL, member_main, &members[i]) != 0)
            worker_fail("a thread could not be started");
    }
    if (load->begin)
        load->begin(load->context, 0);
    measure_windows(&r);
    all_run_window(&r, 0);
    if (load->end)
        load->end(load->context, 0);
    for (unsigned i = 1; i < load->thread_count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&r.barrier);
    return fflush(stdout) == 0 ? 0 : 1;
}
