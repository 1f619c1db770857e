/* SPDX-License-Identifier: MIT
 * The panel of a ring: its figures. Nothing of a ring can be turned while it works. */
#include "ring/fast.h"

#include "registry/dials.h"

#define FIGURES(F)                                                                                 \
    F(inserted, COUNTER, COUNT, "Items put in since creation.")                                    \
    F(removed, COUNTER, COUNT, "Items taken out since creation.")                                  \
    F(length, GAUGE, COUNT, "Items in it.")                                                        \
    F(refused_full, COUNTER, COUNT, "Tries to insert that found no room.")                         \
    F(insert_waits, COUNTER, COUNT, "Inserts that slept for room.")                                \
    F(remove_waits, COUNTER, COUNT, "Removes that slept for an item.")                             \
    F(insert_timeouts, COUNTER, COUNT, "Inserts that gave up after sleeping.")                     \
    F(remove_timeouts, COUNTER, COUNT, "Removes that gave up after sleeping.")                     \
    F(inserters_waiting, GAUGE, COUNT, "Threads that sleep now because it is full.")               \
    F(removers_waiting, GAUGE, COUNT, "Threads that sleep now because it is empty.")               \
    F(overhead_bytes, GAUGE, BYTES, "Memory held, all in.")

#define SETTINGS(S)                                                                                \
    S(capacity, FIXED, COUNT, LIDO__RING_CAPACITY_MIN, LIDO__RING_CAPACITY_MAX, 0,                 \
      "Items that it can hold; a power of two.")

static const lido_dial dials[] = {FIGURES(LIDO__FIGURE) SETTINGS(LIDO__DIAL)};

enum { FIGURES(LIDO__AT) SETTINGS(LIDO__AT) PLACES };

static void read_panel(void *context, uint64_t values[]) {
    lido_ring_stats s = {.struct_size = sizeof s};
    (void)lido_ring_read_stats(context, &s);
    FIGURES(LIDO__VALUE)
    SETTINGS(LIDO__VALUE)
}

const lido_panel lido__ring_panel = LIDO__PANEL("ring", read_panel, NULL);
