/* SPDX-License-Identifier: MIT
 * See map.h. Windows lie at multiples of their size, and never move: readers need no lock. */
#include "block_pool/map.h"

#include "base/mutex.h"
#include "base/sys.h"

#include <string.h>

enum { TAGS = 65536 };

static lido__mutex lock = LIDO__MUTEX_INIT;
static _Atomic(struct lido__window *) windows[LIDO__WINDOWS];
static uintptr_t numbers[LIDO__WINDOWS]; /* which window is there, under lock */
static struct lido__window *main_window;
static uint64_t tags[TAGS / 64]; /* bit: in use; 0 is no pool's */
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

/* With lock held. */
static uintptr_t take_tag(void) {
    tags[0] |= 1;
    for (size_t i = 0; i < TAGS / 64; i++)
        if (~tags[i]) {
            unsigned bit = (unsigned)__builtin_ctzll(~tags[i]);
            tags[i] |= UINT64_C(1) << bit;
            return i * 64 + bit;
        }
    return 0;
}

bool lido__map_open(struct lido__map_view *view) {
    lido__lock(&lock);
    view->tag = take_tag() << LIDO__TAG_SHIFT;
    open_count += view->tag != 0;
    view->window = main_window;
    lido__unlock(&lock);
    if (view->tag && !view->window) {
        /* Slabs will be mapped near to where the system puts anything else, such as a window. */
        struct lido__window *first = lido__sys.map(sizeof *first);
        view->window = first ? make_window((uintptr_t)first, first) : NULL;
        lido__lock(&lock);
        if (!main_window)
            main_window = view->window;
        lido__unlock(&lock);
    }
    if (view->tag && !view->window)
        lido__map_close(view);
    return view->tag != 0;
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

void lido__map_close(struct lido__map_view *view) {
    struct lido__window *left = NULL;
    if (!view->tag)
        return;
    lido__lock(&lock);
    view->tag >>= LIDO__TAG_SHIFT;
    tags[view->tag / 64] &= ~(UINT64_C(1) << view->tag % 64);
    view->tag = 0;
    open_count--;
    do {
        left = open_count == 0 ? take_window() : NULL;
        lido__unlock(&lock);
        unmap_window(left);
        lido__lock(&lock);
    } while (left);
    lido__unlock(&lock);
}

bool lido__map_insert(struct lido__slab *slab, const void *memory, size_t bytes, uintptr_t tag) {
    for (size_t at = 0; at < bytes; at += LIDO__UNIT_BYTES) {
        struct lido__window *window = get_window((uintptr_t)memory + at);
        if (!window) {
            lido__map_remove(memory, at);
            return false;
        }
        size_t unit = unit_of((uintptr_t)memory + at);
        lido__store(&window->unit[unit].tagged, (uintptr_t)memory + tag, relaxed);
        /* Release: who finds the slab, under the pool's lock, finds it made. */
        lido__store(&window->slab[unit], slab, release);
    }
    return true;
}

static struct lido__window *window_at(uintptr_t address) {
    return lido__load(&windows[window_number(address) % LIDO__WINDOWS], relaxed);
}

void lido__map_remove(const void *memory, size_t bytes) {
    for (size_t at = 0; at < bytes; at += LIDO__UNIT_BYTES) {
        struct lido__window *window = window_at((uintptr_t)memory + at);
        size_t unit = unit_of((uintptr_t)memory + at);
        lido__store(&window->unit[unit].carved_bytes, 0, relaxed);
        lido__store(&window->unit[unit].tagged, 0, relaxed);
        lido__store(&window->slab[unit], NULL, relaxed);
    }
}

void lido__map_set_carved(const void *memory, size_t bytes, size_t carved_bytes) {
    for (size_t at = 0; at < bytes; at += LIDO__UNIT_BYTES) {
        uintptr_t address = (uintptr_t)memory + at;
        lido__store(&window_at(address)->unit[unit_of(address)].carved_bytes, carved_bytes,
                    relaxed);
    }
}

struct lido__place lido__map_find(const void *address, uintptr_t tag) {
    const uintptr_t tag_mask = (uintptr_t)(TAGS - 1) << LIDO__TAG_SHIFT;
    uintptr_t number = window_number((uintptr_t)address);
    struct lido__window *window = lido__load(&windows[number % LIDO__WINDOWS], acquire);
    size_t unit = unit_of((uintptr_t)address);
    struct lido__place place = {NULL, 0, 0};
    uintptr_t tagged = window ? lido__load(&window->unit[unit].tagged, relaxed) : 0;
    if ((tagged & tag_mask) == tag) {
        place.slab = lido__load(&window->slab[unit], acquire);
        place.start = tagged - tag;
        place.carved_bytes = lido__load(&window->unit[unit].carved_bytes, relaxed);
    }
    return place;
}

void lido__map_fork_lock(void) {
    lido__lock(&lock);
}

void lido__map_fork_unlock(void) {
    lido__unlock(&lock);
}
