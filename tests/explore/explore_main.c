/* SPDX-License-Identifier: MIT
 * Searches every kernel as it is, which must hold, and then every mutant, which must fail: each
 * rule that a kernel can break, and in turn each atomic operation of the source made weaker, left
 * out, or moved. A mutant that all kernels survive is a finding, unless `justified` says why the
 * order stands all the same; a justification whose mutant is killed is a finding as well.
 *
 *      explore --list           prints the kernels and their rules, and runs nothing
 *      LIDO_EXPLORE=deep        wider bounds, minutes
 *      LIDO_EXPLORE_KERNEL=text only kernels whose name has this text, and the mutants that they meet
 *      LIDO_EXPLORE_ONLY=text   only kernels and mutants whose line has this text, with the trace of
 *                               each failure; a debugger stops at it in explore_fail. The search
 *                               takes the same way every time. */
#include "explore_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct explore_kernel explore_gate_kernels[];
extern const struct explore_kernel explore_litmus_kernels[];
extern const struct explore_kernel explore_lock_kernels[];
extern const struct explore_kernel explore_ring_kernels[];
extern const struct explore_kernel explore_cond_kernels[];
extern const struct explore_kernel explore_lease_kernels[];
extern const struct explore_kernel explore_stack_kernels[];
extern const struct explore_kernel explore_block_pool_kernels[];
extern const struct explore_kernel explore_object_pool_kernels[];

static const struct explore_kernel *const families[] = {
    explore_litmus_kernels,      explore_gate_kernels,
    explore_lock_kernels,        explore_ring_kernels,
    explore_cond_kernels,        explore_lease_kernels,
    explore_stack_kernels,       explore_block_pool_kernels,
    explore_object_pool_kernels, NULL};

#define under_lock "it stands under the lock, whose end is a release"
#define any_number "any number is right there: it decides how much shelves are used"
#define peak       "peaks are counted from it, and a peak is an upper bound"
#define figure     "a figure is all that it is for"
#define in_stress                                                                                  \
    "two threads in this rare place at once are more than these kernels pay for; tests/stress "    \
    "has "                                                                                         \
    "them under ThreadSanitizer"
#define second                                                                                     \
    "P1 or the lock orders it; without them only a second release looks there, which is a race "   \
    "of "                                                                                          \
    "the program's own"
#define for_the_child "the child of a fork goes by it, and tests/stress forks"
#define cost_alone                                                                                 \
    "without it threads are woken, or fence, more often than they need to, and no less"
/* Orders that no kernel needs and that stand all the same. */
static const struct {
    const char *file, *function, *object; /* function NULL: all of them */
    enum explore_kind kind;
    enum mutation_kind mutation;
    int order;
    const char *reason;
} justified[] = {
    {"src/base/gate.c", NULL, "&mode", EXPLORE_STORE, DELAY, 0,
     "whoever sees the old mode asks the system again and gets the same answer"},
    {"src/base/gate.c", "lido__gate_init", "&gate->busy", EXPLORE_STORE, DELAY, 0,
     "nobody else knows the gate yet"},
    {"src/base/gate.c", NULL, "&gate->store", EXPLORE_CAS, WEAKEN, memory_order_relaxed,
     "take: the fence of barrier would do, but ThreadSanitizer knows no fences; settle: C11 wants "
     "success no weaker than failure"},
    {"src/base/word.c", NULL, "&street->drops", EXPLORE_STORE, SKIP, 0,
     "a street that is quiet earlier or later is a question of speed"},
    {"src/base/word.c", NULL, "&street->drops", EXPLORE_STORE, DELAY, 0, "the same"},
    {"src/base/word.c", NULL, "&street->state", EXPLORE_CAS, WEAKEN, memory_order_relaxed,
     "carries the barrier of one sleeper to the next, so that the drops before it precede the next "
     "one's mark; here all stores to an object come in the order of execution anyway"},
    {"src/base/word.c", NULL, "&street->state", EXPLORE_ADD, WEAKEN, memory_order_relaxed,
     "its partner"},
    {"src/lease/lease.c", NULL, "&larger->chunk_count", EXPLORE_STORE, SKIP, 0,
     "the count with the new chunk is stored before anybody sees the larger directory"},
    {"src/lease/lease.c", NULL, "&chunk[i].thread_id", EXPLORE_STORE, SKIP, 0, for_the_child},
    {"src/lease/fast.h", NULL, "&at->thread_id", EXPLORE_STORE, SKIP, 0, for_the_child},
    {"src/lease/fast.h", NULL, "&lido__slot_at(leases, slot)->thread_id", EXPLORE_STORE, SKIP, 0,
     for_the_child},
    {"src/lease/fast.h", NULL, "&at->tick", EXPLORE_STORE, SKIP, 0, "an age is all that it tells"},
    {"src/lease/fast.h", NULL, "&at->tick", EXPLORE_STORE, DELAY, 0, "the same"},
    {"src/lease/lease.c", NULL, "&lido__tick", EXPLORE_STORE, SKIP, 0, "the same"},
    {"src/lease/lease.c", "grow_calm", "&leases->keep", EXPLORE_STORE, SKIP, 0, any_number},
    {"src/lease/lease.c", "adjust_keep", "&leases->keep", EXPLORE_STORE, SKIP, 0, any_number},
    {"src/lease/lease.c", NULL, "&lido__near_lock", EXPLORE_LOCK, SKIP, 0, for_the_child},
    {"src/lease/fast.h", "lido__slot_at", "&leases->directory", EXPLORE_LOAD, WEAKEN,
     memory_order_relaxed, "the number was seen under the lock, or came with a lease"},
    {"src/lease/waiters.c", NULL, "&waiter->word", EXPLORE_STORE, WEAKEN, memory_order_relaxed,
     "who is told takes the lock next, which orders the same"},
    {"src/lease/waiters.c", NULL, "&waiter->word", EXPLORE_LOAD, WEAKEN, memory_order_relaxed,
     "its partner"},
    {"src/lease/deadlock.c", NULL, "&at->name", EXPLORE_LOAD, WEAKEN, memory_order_relaxed,
     "who waits has gathered before, and membarrier shows what was written on shelves until then"},
    {"src/lease/fast.h", NULL, "counter", EXPLORE_STORE, SKIP, 0, figure},
    {"src/lease/fast.h", NULL, "counter", EXPLORE_STORE, DELAY, 0, figure},
    {"src/lease/fast.h", "lido__lease_take_back", "&at->name", EXPLORE_STORE, DELAY, 0, second},
    {"src/lease/fast.h", "lido__lease_bring", "&at->name", EXPLORE_STORE, DELAY, 0, second},
    {"src/lease/lease.c", "lido__lease_store_make", "&store->near.open", EXPLORE_STORE, SKIP, 0,
     "where it is never written every release is slow, which tests/e2e/test_fast_paths.py sees"},
    {"src/lease/lease.c", "make_chunk", "&leases->lock", EXPLORE_LOCK, SKIP, 0, in_stress},
    {"src/block_pool/store.c", "bring_magazine", "&pool->lock", EXPLORE_LOCK, SKIP, 0, in_stress},
    {"src/block_pool/store.c", "stocked_store", "&pool->lock", EXPLORE_LOCK, SKIP, 0, in_stress},
    {"src/block_pool/store.c", "open_store", "&store->near.open", EXPLORE_STORE, SKIP, 0,
     "where it is never written every call is slow, which tests/e2e/test_fast_paths.py sees"},
    {"src/block_pool/stack.h", NULL, "&store->low", EXPLORE_STORE, SKIP, 0, peak},
    {"src/block_pool/stack.h", NULL, "&store->edge", EXPLORE_STORE, SKIP, 0, peak},
    {"src/block_pool/fast.h", NULL, "&store->low", EXPLORE_STORE, SKIP, 0, peak},
    {"src/block_pool/fast.h", NULL, "&store->low", EXPLORE_STORE, DELAY, 0, peak},
    {"src/block_pool/fast.h", NULL, "&store->edge", EXPLORE_STORE, SKIP, 0, peak},
    {"src/block_pool/fast.h", NULL, "&store->edge", EXPLORE_STORE, DELAY, 0, peak},
    {"src/block_pool/fast.h", NULL, "&store->left", EXPLORE_STORE, SKIP, 0, figure},
    {"src/block_pool/stack.h", "lido__stack_lower", "&store->top", EXPLORE_STORE, WEAKEN,
     memory_order_relaxed, "the fence of membarrier would do, but ThreadSanitizer knows no fences"},
    {"src/block_pool/store.c", NULL, "&store->left", EXPLORE_STORE, SKIP, 0,
     "a slow call that comes earlier or later is a question of speed"},
    {"src/block_pool/store.c", NULL, "&lido__near_lock", EXPLORE_LOCK, SKIP, 0, for_the_child},
    {"src/ring/bell.c", "lido__bell_sleep", "&bell->lock", EXPLORE_LOCK, SKIP, 0,
     "must_nap changes once, when membarrier is found gone, and a nap later does as well"},
    {"src/ring/bell.c", NULL, "&bell->crowd", EXPLORE_STORE, DELAY, 0, under_lock},
    {"src/ring/bell.c", NULL, "told_in", EXPLORE_STORE, DELAY, 0, under_lock},
    {"src/ring/bell.c", NULL, "&bell->word", EXPLORE_STORE, DELAY, 0, under_lock},
    {"src/ring/bell.c", NULL, "to_raise", EXPLORE_STORE, DELAY, 0, under_lock},
    {"src/ring/bell.c", NULL, "bell->is_watched", EXPLORE_STORE, DELAY, 0, under_lock},
    {"src/ring/bell.c", NULL, "bell->is_watched", EXPLORE_STORE, SKIP, 0, cost_alone},
    {"src/ring/bell.c", NULL, "told_in", EXPLORE_STORE, SKIP, 0, cost_alone},
    {"src/ring/bell.c", NULL, "&bell->quiet", EXPLORE_STORE, SKIP, 0, cost_alone},
    {"src/ring/bell.c", NULL, "&bell->quiet", EXPLORE_STORE, DELAY, 0, cost_alone},
};

static bool deep;
static const char *only, *kernel_only;
static uint64_t total_executions;
static int mutants, killed, survived, excused, broken_kernels;

static struct bounds bounds_of(const struct explore_kernel *kernel) {
    struct bounds bounds = {kernel->preemptions, kernel->stale, kernel->impatience, 4000000};
    if (deep) {
        bounds.preemptions++;
        bounds.stale++;
        bounds.executions = 40000000;
    }
    return bounds;
}

static struct result search(const struct explore_kernel *kernel, struct mutation mutation) {
    struct result result = explore_search(kernel, bounds_of(kernel), mutation);
    total_executions += result.executions;
    return result;
}

/* Of a kernel whose bounds are narrower, nothing. */
static struct result search_at(const struct explore_kernel *kernel, struct mutation mutation,
                               int width) {
    struct bounds bounds = bounds_of(kernel);
    struct result result = {0};
    if (width <= explore_widest(bounds))
        result = explore_search_at(kernel, bounds, mutation, width);
    total_executions += result.executions;
    return result;
}

/* ---- Kernels --------------------------------------------------------------------------- */

static int count_kernels(void) {
    int count = 0;
    for (int f = 0; families[f]; f++)
        for (const struct explore_kernel *k = families[f]; k->name; k++)
            count++;
    return count;
}

static int widest(void) {
    int most = 0;
    for (int f = 0; families[f]; f++)
        for (const struct explore_kernel *k = families[f]; k->name; k++)
            if (explore_widest(bounds_of(k)) > most)
                most = explore_widest(bounds_of(k));
    return most;
}

static const struct explore_kernel *kernel_at(int number) {
    int f = 0;
    const struct explore_kernel *k = families[0];
    for (; number > 0; number--)
        for (k++; !k->name; k = families[f])
            f++;
    return k;
}

static bool is_wanted(const char *what) {
    return !only || strstr(what, only);
}

/* Every kernel runs once as it is even if it is not wanted, when mutants are, so that it is known
 * which kernel comes by which operation. */
static void run_kernel(const struct explore_kernel *kernel) {
    struct bounds bounds = bounds_of(kernel);
    struct result result = search(kernel, (struct mutation){.kind = NONE});
    printf("%-24s %9llu executions  %s (<= %d preemptions, %d stale reads, %d lost patience)\n",
           kernel->name, (unsigned long long)result.executions,
           result.failure ? "BROKEN"
           : result.cut   ? "cut off"
                          : "all held",
           bounds.preemptions, bounds.stale, bounds.impatience);
    if (result.failure) {
        broken_kernels++;
        explore_trace_print(result.failure);
    }
    fflush(stdout);
}

/* ---- Mutants --------------------------------------------------------------------------- */

static void report(const char *fate, const char *what, const struct result *result) {
    printf("  %-9s %s%s%s\n", fate, what, result ? ": " : "", result ? result->failure : "");
    if (result && only)
        explore_trace_print(result->failure);
}

static void run_rules(const struct explore_kernel *kernel) {
    for (int i = 0; i < EXPLORE_MUTANTS && kernel->mutants[i]; i++) {
        char what[300];
        struct mutation mutation = {.kind = RULE, .rule = kernel->mutants[i]};
        (void)snprintf(what, sizeof what, "%s, broken: %s", kernel->name, kernel->mutants[i]);
        if (!is_wanted(what))
            continue;
        struct result result = search(kernel, mutation);
        mutants++;
        if (result.failure)
            killed++;
        else
            survived++;
        report(result.failure ? "killed" : "SURVIVED", what, result.failure ? &result : NULL);
    }
}

static const char *reason_for(const struct mutation *mutation) {
    for (size_t i = 0; i < sizeof justified / sizeof justified[0]; i++) {
        const char *found = strstr(mutation->site->file, justified[i].file);
        if (found && strcmp(found, justified[i].file) == 0 &&
            (!justified[i].function ||
             strcmp(mutation->site->function, justified[i].function) == 0) &&
            strcmp(mutation->site->object, justified[i].object) == 0 &&
            mutation->site->kind == justified[i].kind && mutation->kind == justified[i].mutation &&
            mutation->order == justified[i].order)
            return justified[i].reason;
    }
    return NULL;
}

static void describe(const struct mutation *mutation, char *text, size_t bytes) {
    static const char *const changes[] = {
        [WEAKEN] = "only",        [WEAKEN_FAILURE] = "only, on failure,",
        [SKIP] = "left out",      [DELAY] = "moved behind the loads that follow",
        [BLIND] = "made a store",
    };
    const struct explore_site *site = mutation->site;
    bool ordered = mutation->kind == WEAKEN || mutation->kind == WEAKEN_FAILURE;
    (void)snprintf(text, bytes, "%s:%d %s %s %s%s%s", site->file, site->line,
                   explore_kind_name(site->kind), site->object, changes[mutation->kind],
                   ordered ? " " : "", ordered ? explore_order_name(mutation->order) : "");
}

/* The kernels of the protocol are tried first, and those that only come by when these survive. */
static bool is_of_its_family(const struct explore_kernel *kernel, const struct explore_site *site) {
    static const char *const folders[][2] = {
        {"src/base/gate.", "gate_"}, {"src/lock/", "lock_"},   {"src/base/word.", "lock_"},
        {"src/ring/", "ring_"},      {"src/lease/", "lease_"}, {"src/block_pool/", "pool_"}};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (strstr(site->file, folders[i][0]))
            return strncmp(kernel->name, folders[i][1], strlen(folders[i][1])) == 0;
    return true;
}

static void run_mutant(struct mutation mutation) {
    char what[300];
    struct result result = {0};
    describe(&mutation, what, sizeof what);
    if (!is_wanted(what))
        return;
    mutants++;
    const char *reason = reason_for(&mutation);
    bool is_believed = reason && !deep && !only;
    for (int others = 0; others < 2 && !result.failure && !is_believed; others++)
        for (int width = 0; width <= widest() && !result.failure; width++)
            for (int k = 0; k < count_kernels() && !result.failure; k++)
                if (explore_comes_by(k, mutation.site) &&
                    is_of_its_family(kernel_at(k), mutation.site) != (bool)others)
                    result = search_at(kernel_at(k), mutation, width);
    if (result.failure && !reason) {
        killed++;
        report("killed", what, &result);
    } else if (!result.failure && reason) {
        excused++;
        printf("  %-9s %s, because %s\n", "justified", what, reason);
    } else {
        survived++;
        report(reason ? "NEEDLESS JUSTIFICATION" : "SURVIVED", what, NULL);
    }
    fflush(stdout);
}

static void weaken(const struct explore_site *site, enum mutation_kind kind, int order) {
    static const struct {
        int from, to;
    } steps[] = {
        {memory_order_seq_cst, memory_order_acq_rel}, {memory_order_acq_rel, memory_order_acquire},
        {memory_order_acq_rel, memory_order_release}, {memory_order_acquire, memory_order_relaxed},
        {memory_order_release, memory_order_relaxed},
    };
    bool plain = site->kind == EXPLORE_LOAD || site->kind == EXPLORE_STORE;
    if (plain && order == memory_order_seq_cst) {
        int weaker = site->kind == EXPLORE_LOAD ? memory_order_acquire : memory_order_release;
        run_mutant((struct mutation){.kind = kind, .site = site, .order = weaker});
        return;
    }
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i].from == order)
            run_mutant((struct mutation){.kind = kind, .site = site, .order = steps[i].to});
}

static bool can_move(const struct explore_site *site) {
    for (const struct explore_site *s = explore_sites(); s; s = s->next)
        if (s->can_move && explore_same_place(s, site))
            return true;
    return false;
}

static void run_site(const struct explore_site *site) {
    bool is_call = site->kind == EXPLORE_MEMBARRIER || site->kind == EXPLORE_LOCK ||
                   site->kind == EXPLORE_WAKE;
    if (!is_call)
        weaken(site, WEAKEN, site->order);
    if (site->kind == EXPLORE_CAS) {
        weaken(site, WEAKEN_FAILURE, site->failure_order);
        run_mutant((struct mutation){.kind = BLIND, .site = site});
    }
    if (site->kind == EXPLORE_STORE || site->kind == EXPLORE_FENCE || is_call)
        run_mutant((struct mutation){.kind = SKIP, .site = site});
    if (site->kind == EXPLORE_STORE && site->order == memory_order_relaxed && can_move(site))
        run_mutant((struct mutation){.kind = DELAY, .site = site});
}

/* Whether this is an operation of a protocol that has kernels of its own. */
static bool is_proved(const struct explore_site *site) {
    static const char *const files[] = {"src/base/gate.",
                                        "src/base/word.",
                                        "src/lock/rwword.",
                                        "src/lock/cond.",
                                        "src/ring/fast.",
                                        "src/ring/bell.",
                                        "src/lease/",
                                        "src/block_pool/fast.",
                                        "src/block_pool/magazine.",
                                        "src/block_pool/store.",
                                        "src/block_pool/stack."};
    bool is_listed = site->kind == EXPLORE_MEMBARRIER, is_met = false;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        is_listed |= strstr(site->file, files[i]) != NULL;
    for (int k = 0; k < count_kernels() && is_listed && !is_met; k++)
        is_met = explore_comes_by(k, site);
    return is_met;
}

/* Each place once. */
static void run_sites(void) {
    for (const struct explore_site *site = explore_sites(); site; site = site->next) {
        bool seen = false;
        for (const struct explore_site *s = site->next; s && !seen; s = s->next)
            seen = explore_same_place(s, site);
        if (!seen && is_proved(site))
            run_site(site);
    }
}

static void for_each_kernel(void (*call)(const struct explore_kernel *)) {
    for (int f = 0; families[f]; f++)
        for (const struct explore_kernel *k = families[f]; k->name; k++, explore_kernel_number++)
            if (!kernel_only || strstr(k->name, kernel_only))
                call(k);
    explore_kernel_number = 0;
}

/* ---- The program ----------------------------------------------------------------------- */

static void list_kernel(const struct explore_kernel *kernel) {
    puts(kernel->name);
    for (int i = 0; i < EXPLORE_MUTANTS && kernel->mutants[i]; i++)
        printf("  %s, broken: %s\n", kernel->name, kernel->mutants[i]);
}

static int answer_words(int argc, char *argv[]) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for_each_kernel(list_kernel);
        return 0;
    }
    bool asks = argc == 2 && strcmp(argv[1], "--help") == 0;
    fputs(
        "usage: explore [--list]\n\n"
        "Searches every kernel as it is, then every mutant; minutes.\n\n"
        "  --list                    print the kernels and their rules instead\n"
        "  LIDO_EXPLORE=deep         wider bounds\n"
        "  LIDO_EXPLORE_ONLY=TEXT    only kernels and mutants whose line has this text, with the\n"
        "                            trace of each failure\n"
        "  LIDO_EXPLORE_KERNEL=TEXT  only kernels whose name has this text, and mutants of what "
        "they\n"
        "                            come by: those of other kernels' rules may survive\n",
        asks ? stdout : stderr);
    return asks ? 0 : 2;
}

int main(int argc, char *argv[]) {
    if (argc > 1)
        return answer_words(argc, argv);
    const char *depth = getenv("LIDO_EXPLORE");
    deep = depth && strcmp(depth, "deep") == 0;
    only = getenv("LIDO_EXPLORE_ONLY");
    kernel_only = getenv("LIDO_EXPLORE_KERNEL");
    for_each_kernel(run_kernel);
    if (broken_kernels == 0) {
        for_each_kernel(run_rules);
        run_sites();
        printf("%d mutants: %d killed, %d justified, %d survived; %llu executions in all\n",
               mutants, killed, excused, survived, (unsigned long long)total_executions);
    }
    return broken_kernels == 0 && survived == 0 ? 0 : 1;
}
