/* SPDX-License-Identifier: MIT
 * The explorer: runs a small concurrent kernel again and again, each time another way, until it has
 * seen every way there is within stated bounds, or one that breaks the kernel's claim.
 *
 * A kernel is two to four threads over product code, included from src/ and compiled under hooked
 * atomics (hooks.h). Its threads are fibers of one real thread. Before each atomic operation the
 * explorer chooses who goes on; at each load it chooses which store the load reads; a kernel or
 * the system under it may ask for choices of their own. An execution is the list of its choices;
 * the next one differs in the last choice that has an alternative left (depth first).
 *
 *      choices of one run    0 0 1 0 2 0
 *      and of the next       0 0 1 0 2 1        then 0 0 1 1 ..., 0 1 ..., 1 ...
 *
 * What a thread may read. Every store to an atomic object is kept. A thread has a view: for each
 * object the oldest store that it may still read. Reading or writing moves the view on; a release
 * attaches the writer's view to the store, and the acquire that reads this store joins it; a
 * sequentially consistent fence joins with one view of all such fences; membarrier is such a fence
 * in every thread, one after the other, between two in the caller. The release sequence is that of
 * C++20: only read-modify-writes carry a release on. A failing CAS may read an old value.
 *
 * Plain data. Product and kernel are compiled with -fsanitize=thread, whose calls end here: vector
 * clocks, passed on along release and acquire only, report two accesses that nothing orders.
 *
 * What it does not show, so that nobody believes more than there is:
 *   - The stores to one object happen in the order of execution, and a load reads only what has
 *     been stored: no load buffering, no 2+2W. A later store is never overtaken by an earlier
 *     load, except by the mutation that says so.
 *   - At most `preemptions` switches away from a thread that could go on, at most `stale` loads
 *     per execution that read something other than the newest store.
 *   - Fences of membarrier come in the order of the threads. A futex compares the newest value.
 *   - What a compiler may do to plain data; memcpy and memset (kernels copy by assignment).
 *   - A thread that waits in a loop with lido__pause is asleep until something is stored. */
#ifndef LIDO_TESTS_EXPLORE_H
#define LIDO_TESTS_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXPLORE_THREADS = 4, EXPLORE_MUTANTS = 8 };

struct explore_kernel {
    const char *name;
    const char *claim; /* what holds in every execution, in words */
    int preemptions;
    int stale;
    int impatience;      /* waits whose patience may end while the others stand still */
    void (*setup)(void); /* before the threads; makes everything as new */
    struct {
        const char *name;
        void (*body)(void);
    } threads[EXPLORE_THREADS];
    void (*finish)(void);                 /* after all threads */
    const char *mutants[EXPLORE_MUTANTS]; /* rules that this kernel can break, see explore_broken */
};

/* The kernel's claim at one point. False ends the search with a trace. */
#define explore_check(holds, text) ((holds) ? (void)0 : explore_fail(text))
_Noreturn void explore_fail(const char *text);

/* Whether the running search breaks this rule, one of the kernel's mutants. */
bool explore_broken(const char *rule);

/* A choice of 0 ... count - 1 that is not the schedule's: both outcomes of a system call, say. */
unsigned explore_choose(unsigned count, const char *what);

/* A name for the trace: pointers into [object, object + bytes) print as name, or name+8. */
void explore_name(const void *object, size_t bytes, const char *name);

/* From now on nobody may use this memory, in this execution. */
void explore_freed(const void *object, size_t bytes);

/* 0 ... EXPLORE_THREADS - 1 in a thread, EXPLORE_THREADS in setup and finish. */
int explore_thread(void);

/* For the table of system calls (explore_sys.c). membarrier and park are points of choice. */
void explore_membarrier(void);
bool explore_park(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);
void explore_unpark(_Atomic uint32_t *word, int count);
uint64_t explore_now_ns(void);

#endif
