/* SPDX-License-Identifier: MIT
 * What the explorer's own files share: the state of one execution (explore.c schedules it,
 * explore_memory.c says what is read, explore_trace.c tells it) and the search over executions. */
#ifndef LIDO_TESTS_EXPLORE_INTERNAL_H
#define LIDO_TESTS_EXPLORE_INTERNAL_H

#include "base/atomic.h" /* the plain expansion: for the names of orders */
#include "explore.h"
#include "explore_site.h"

enum { MAIN = EXPLORE_THREADS, EVERYONE = EXPLORE_THREADS + 1 };
enum { LOCATIONS = 160, STORES = 64, EVENTS = 1200 };

/* By location: the index of the oldest store that may still be read. */
struct view {
    uint8_t oldest[LOCATIONS];
};

/* By thread: up to which of its steps everything happened before. */
struct clock {
    uint32_t step[EVERYONE];
};

struct knowledge {
    struct view view;
    struct clock clock;
};

struct store {
    uint64_t value;
    struct knowledge message; /* what an acquire gets that reads this store */
    int event;                /* -1: the value the object began with */
};

struct location {
    void *object;
    unsigned bytes;
    uint64_t begun; /* put back when the execution is over */
    int count;
    struct store stores[STORES];
};

enum state { READY, PAUSED, PARKED, LOCKING, ENDED };

struct delayed {
    struct explore_site *site; /* NULL: none */
    struct location *location;
    uint64_t value;
};

struct fiber {
    enum state state;
    struct knowledge now;
    struct knowledge released; /* now, as it was at the last release fence */
    struct knowledge pending;  /* what relaxed loads have read, for an acquire fence */
    uint64_t changes_seen;     /* PAUSED: explore_changes then */
    const void *waits_for;     /* PARKED: the word; LOCKING: the mutex */
    uint64_t deadline_ns;
    bool timed_out;
    int impatient_waits; /* its patience has run out: so many of its waits end at once */
    int last_load;       /* the location, plus one */
    struct delayed delayed;
    struct explore_site *stored_at;      /* the last store, if nothing but loads came after it */
    int locks;                           /* held */
    const struct explore_site *wakes_at; /* of the call of unpark that comes next */
    const void *goes_without;            /* a mutex whose locking the mutation left out */
};

/* What is broken in this search. NONE, RULE (the kernel's own) or one operation in the source. */
enum mutation_kind { NONE, RULE, WEAKEN, WEAKEN_FAILURE, SKIP, DELAY, BLIND };
struct mutation {
    enum mutation_kind kind;
    const char *rule;
    const struct explore_site *site;
    int order; /* what WEAKEN leaves */
};

struct bounds {
    int preemptions, stale, impatience;
    uint64_t executions; /* the search is cut off there */
};

struct result {
    uint64_t
        executions; /* within the widest bounds that were tried, once all that is shared was known */
    bool cut;       /* at bounds.executions */
    const char *failure; /* NULL: the claim held */
};

extern struct fiber explore_fibers[EVERYONE];
extern int explore_now;          /* who runs */
extern uint64_t explore_changes; /* stores so far that changed something */
extern struct bounds explore_left;
extern const struct explore_kernel *explore_kernel;
extern struct mutation explore_mutation;

/* explore.c */
struct result explore_search(const struct explore_kernel *kernel, struct bounds bounds,
                             struct mutation mutation);
/* The same with both bounds at `width`, where they are wider. */
struct result explore_search_at(const struct explore_kernel *kernel, struct bounds bounds,
                                struct mutation mutation, int width);
int explore_widest(struct bounds bounds);
unsigned explore_pick(unsigned count);
void explore_point(void);
bool explore_is_private(const void *address);

/* explore_memory.c */
void explore_memory_begin(void);
void explore_memory_end(void);
void explore_memory_spawn(void);
void explore_memory_join(void);
void explore_memory_forget(void); /* another kernel */
bool explore_memory_learn(void);  /* whether more is shared than this pass took for it */
void explore_plain_begin(void);
void explore_plain_end(void);
void explore_remember(const void *object, size_t bytes);
void explore_check_alive(const void *object);
uint64_t explore_newest(const void *object, unsigned bytes);
void explore_flush_delayed(void);
bool explore_reads_old(const struct fiber *fiber);
void explore_catch_up(struct fiber *fiber);
void explore_pass(struct knowledge *from, struct knowledge *to);
void explore_list(struct explore_site *site);
bool explore_is(const struct explore_site *site, enum mutation_kind kind);
bool explore_same_place(const struct explore_site *a, const struct explore_site *b);
bool explore_comes_by(int kernel_number, const struct explore_site *site);
extern int explore_kernel_number; /* of the kernel that runs */
struct explore_site *explore_sites(void);

/* explore_trace.c */
struct event {
    const struct explore_site *site; /* NULL: `text` says it all */
    const char *text;
    const void *object;
    uint64_t value, before;
    int thread, order;
    int from;  /* the event whose store was read; -1: the beginning, -2: nothing was read */
    int newer; /* the newest store to the object, when another one was read; else -2 */
    bool failed;
};
void explore_trace_begin(void);
int explore_trace_add(struct event event);
int explore_trace_say(const char *text, const void *object, uint64_t value);
void explore_trace_print(const char *failure);
const char *explore_order_name(int order);
const char *explore_kind_name(enum explore_kind kind);
void explore_describe_race(char *text, size_t bytes, const void *object, bool writes,
                           const void *now, bool wrote, int other, const void *then);

#endif
