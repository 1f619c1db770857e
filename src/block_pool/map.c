/* SPDX-License-Identifier: MIT
 * See map.h. Windows lie at multiples of their size, and never move: readers need no lock. */
#include "block_pool/map.h"

#include "base/mutex.h"
#include "base/sys.h"

#include <string.h>

static lido__mutex lock = LIDO__MUTEX_INIT;
static _Atomic(struct lido__window *) windows[LIDO__WINDOWS];
static uintptr_t numbers[LIDO__WINDOWS]; /* which window is there, under lock */
static struct lido__window *main_window;
static uint32_t open_count;

static uintptr_t window_number(uintptr_t address) {
#if UINTPTR_MAX > UINT32_MAX
    return address >> LIDO__WINDOW_SHIFT;
#else
    (void)address;
    return 0;
#endif
}

static size_t unit_of(uintptr_t address) {
    return (size_t)(address >> LIDO__UNIT_SHIFT) & (LIDO__WINDOW_UNITS - 1);
}

static void unmap_window(struct lido__window *window) {
    if (window)
        lido__sys.unmap(window, sizeof *window);
}

/* The window of an address, made if need be. NULL: no memory, or another one has its place. */
static struct lido__window *make_window(uintptr_t address, struct lido__window *spare) {
    uintptr_t number = window_number(address);
    lido__lock(&lock);
    _Atomic(struct lido__window *) *at = &windows[number % LIDO__WINDOWS];
    struct lido__window *window = lido__load(at, relaxed);
    if (!window && spare) {
        window = spare;
        spare = NULL;
        numbers[number % LIDO__WINDOWS] = number;
        lido__store(at, window, release); /* pairs with find: zeroed pages before the pointer */
    }
    if (window && numbers[number % LIDO__WINDOWS] != number)
        window = NULL;
    lido__unlock(&lock);
    unmap_window(spare);
    return window;
}

static struct lido__window *get_window(uintptr_t address) {
    struct lido__window *window = make_window(address, NULL);
    return window ? window : make_window(address, lido__sys.map(sizeof *window));
}

/* With lock held and no pool left: takes one window out, or NULL. */
static struct lido__window *take_window(void) {
    main_window = NULL;
    for (size_t i = 0; i < LIDO__WINDOWS; i++) {
        struct lido__window *window = lido__load(&windows[i], relaxed);
        lido__store(&windows[i], NULL, relaxed);
        if (window)
            return window;
    }
    return NULL;
}

/* A pool ends. */
static void close_one(void) {
    struct lido__window *left = NULL;
    lido__lock(&lock);
    open_count--;
    do {
        left = open_count == 0 ? take_window() : NULL;
        lido__unlock(&lock);
        unmap_window(left);
        lido__lock(&lock);
    } while (left);
    lido__unlock(&lock);
}

struct lido__window *lido__map_open(void) {
    lido__lock(&lock);
    open_count++;
    struct lido__window *window = main_window;
    lido__unlock(&lock);
    if (window)
        return window;
    /* Slabs will be mapped near to where the system puts anything else, such as a window. */
    struct lido__window *first = lido__sys.map(sizeof *first);
    window = first ? make_window((uintptr_t)first, first) : NULL;
    lido__lock(&lock);
    if (!main_window)
        main_window = window;
    lido__unlock(&lock);
    if (!window)
        close_one();
    return window;
}

void lido__map_close(const struct lido__window *window) {
    if (window)
        close_one();
}

bool lido__map_insert(struct lido__slab *slab, const void *memory, size_t bytes,
                      const struct lido_block_pool *owner) {
    for (size_t at = 0; at < bytes; at += LIDO__UNIT_BYTES) {
        struct lido__window *window = get_window((uintptr_t)memory + at);
        if (!window) {
            lido__map_remove(memory, at);
            return false;
        }
        struct lido__unit *unit = &window->unit[unit_of((uintptr_t)memory + at)];
        lido__store(&unit->start, (uintptr_t)memory, relaxed);
        lido__store(&unit->owner, owner, relaxed);
        /* Release: who finds the slab, under the pool's lock, finds it made. */
        lido__store(&unit->slab, slab, release);
    }
    return true;
}

static struct lido__window *window_at(uintptr_t address) {
    return lido__load(&windows[window_number(address) % LIDO__WINDOWS], relaxed);
}

static struct lido__unit *unit_at(uintptr_t address) {
    return &window_at(address)->unit[unit_of(address)];
}

void lido__map_remove(const void *memory, size_t bytes) {
    for (size_t at = 0; at < bytes; at += LIDO__UNIT_BYTES) {
        struct lido__unit *unit = unit_at((uintptr_t)memory + at);
        lido__store(&unit->carved_bytes, 0, relaxed);
        lido__store(&unit->owner, NULL, relaxed);
        lido__store(&unit->slab, NULL, relaxed);
    }
}

void lido__map_set_carved(const void *memory, size_t bytes, size_t carved_bytes) {
    for (size_t at = 0; at < bytes; at += LIDO__UNIT_BYTES)
        lido__store(&unit_at((uintptr_t)memory + at)->carved_bytes, carved_bytes, relaxed);
}

struct lido__place lido__map_find(const void *address, const struct lido_block_pool *owner) {
    uintptr_t number = window_number((uintptr_t)address);
    struct lido__window *window = lido__load(&windows[number % LIDO__WINDOWS], acquire);
    struct lido__unit *unit = window ? &window->unit[unit_of((uintptr_t)address)] : NULL;
    struct lido__place place = {NULL, 0, 0};
    if (unit && lido__load(&unit->owner, relaxed) == owner) {
        place.slab = lido__load(&unit->slab, acquire);
        place.start = lido__load(&unit->start, relaxed);
        place.carved_bytes = lido__load(&unit->carved_bytes, relaxed);
    }
    return place;
}

void lido__map_fork_lock(void) {
    lido__lock(&lock);
}

void lido__map_fork_unlock(void) {
    lido__unlock(&lock);
}
