/* SPDX-License-Identifier: MIT
 * The panel of a mutex that lido_mutex_create made. Locks in structures of the application are not
 * in the registry: lido_profile_start tells their classes. */
#include "lock/internal.h"

#include "registry/dials.h"

#define FIGURES(F)                                                                                 \
    F(acquired, COUNTER, COUNT, "Times it was locked.")                                            \
    F(contended, COUNTER, COUNT, "Of these, not at the first look.")                               \
    F(waits, COUNTER, COUNT, "Of these, after a sleep.")                                           \
    F(wait_total_ns, COUNTER, NS, "Time that threads slept for it, in all.")                       \
    F(wait_max_ns, GAUGE, NS, "The longest sleep.")                                                \
    F(wait_p99_ns, GAUGE, NS, "99 of 100 sleeps were not longer; of the last 1,000.")              \
    F(given_up, COUNTER, COUNT, "Times a thread went without it.")                                 \
    F(blamed_ns, COUNTER, NS, "Waiting while it was held, times the threads that waited.")         \
    F(hold_samples, COUNTER, COUNT, "Holdings that were timed.")                                   \
    F(hold_total_ns, COUNTER, NS, "And how long they were, in all.")                               \
    F(hold_max_ns, GAUGE, NS, "The longest of them.")                                              \
    F(waiting, GAUGE, COUNT, "Threads asleep for it now.")                                         \
    F(holder_id, GAUGE, COUNT, "The thread that holds it now; 0: none.")

#define SHARES(S) S(first_look, "Share of lockings that got it at the first look.")

static const lido_dial dials[] = {FIGURES(LIDO__FIGURE) SHARES(LIDO__SHARE)};

enum { FIGURES(LIDO__AT) SHARES(LIDO__AT) PLACES };

static void read_panel(void *context, uint64_t values[]) {
    lido_lock_stats s = {.struct_size = sizeof s};
    (void)lido_mutex_read_stats(context, &s);
    FIGURES(LIDO__VALUE)
    SHARES(LIDO__SHARE_VALUE)
}

const lido_panel lido__mutex_panel = LIDO__PANEL("mutex", read_panel, NULL);
