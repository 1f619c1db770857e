/* SPDX-License-Identifier: MIT
 * Plain data: the accesses that the compiler reports through -fsanitize=thread. Two of them that
 * nothing orders are a race; memory that was freed must not be touched; and what was written is put
 * back when the execution is over. */
#include "explore_internal.h"

#include <string.h>

enum { CELLS = 4096, CELL_BYTES = 8, UNDOS = 65536, FREED = 256 };

/* Eight bytes of plain data: who accessed each of them last, and at which step of his. */
struct cell {
    uintptr_t address;
    uint64_t run;
    const void *written_at, *read_at;
    struct {
        int writer;
        uint32_t written;
        uint32_t read[EVERYONE];
    } byte[CELL_BYTES];
};

/* What plain data was before it was written: statics and memory that was never on a stack begin
 * every execution as they began the first. */
struct undo {
    uint64_t *word;
    uint64_t value;
};

static struct undo undos[UNDOS];
static int undo_count;
static struct { uintptr_t first, end; } freed[FREED];
static int freed_count;
static struct cell cells[CELLS];
static uint64_t run;

/* ---- Life of an execution ---------------------------------------------------------------- */

void explore_plain_begin(void) {
    run++;
    freed_count = 0;
}

void explore_plain_end(void) {
    while (undo_count > 0) {
        const struct undo *undo = &undos[--undo_count];
        *undo->word = undo->value;
    }
}

void explore_remember(const void *object, size_t bytes) {
    uintptr_t first = (uintptr_t)object / 8, last = ((uintptr_t)object + bytes - 1) / 8;
    for (uintptr_t at = first; at <= last; at++) {
        if (undo_count == UNDOS)
            explore_fail("the explorer has room for 65536 plain writes only");
        uint64_t *word = (uint64_t *)(at * 8);
        undos[undo_count++] = (struct undo){word, *word};
    }
}

void explore_freed(const void *object, size_t bytes) {
    if (freed_count == FREED)
        explore_fail("the explorer has room for 256 freed objects only");
    freed[freed_count].first = (uintptr_t)object;
    freed[freed_count++].end = (uintptr_t)object + bytes;
}

void explore_check_alive(const void *object) {
    for (int i = 0; i < freed_count; i++)
        if ((uintptr_t)object >= freed[i].first && (uintptr_t)object < freed[i].end)
            explore_fail("memory is used after it was freed");
}

/* ---- Races ------------------------------------------------------------------------------- */

static struct cell *cell_of(uintptr_t address) {
    size_t at = (address >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 52;
    for (size_t i = 0; i < CELLS; i++) {
        struct cell *cell = &cells[(at + i) % CELLS];
        if (cell->run == run && cell->address == address)
            return cell;
        if (cell->run == run)
            continue;
        memset(cell, 0, sizeof *cell);
        cell->run = run;
        cell->address = address;
        return cell;
    }
    explore_fail("the explorer has room for 4096 cells of plain data only");
}

static void race(const void *object, bool writes, const void *now, bool wrote, int other,
                 const void *then) {
    static char text[600];
    (void)explore_trace_say(writes ? "writes, without order," : "reads, without order,", object, 0);
    explore_describe_race(text, sizeof text, object, writes, now, wrote, other, then);
    explore_fail(text);
}

static void check_byte(struct cell *cell, unsigned at, bool writes, const void *code) {
    const struct clock *clock = &explore_fibers[explore_now].now.clock;
    const void *object = (const void *)(cell->address + at);
    int writer = cell->byte[at].writer;
    if (cell->byte[at].written > clock->step[writer])
        race(object, writes, code, true, writer, cell->written_at);
    for (int t = 0; writes && t < EVERYONE; t++)
        if (cell->byte[at].read[t] > clock->step[t])
            race(object, writes, code, false, t, cell->read_at);
    if (writes) {
        cell->byte[at].writer = explore_now;
        cell->byte[at].written = clock->step[explore_now];
    } else {
        cell->byte[at].read[explore_now] = clock->step[explore_now];
    }
}

static void access_plain(const void *object, size_t bytes, bool writes, const void *code) {
    if (explore_is_private(object) || !explore_kernel)
        return;
    explore_check_alive(object);
    if (writes)
        explore_remember(object, bytes);
    if (explore_now == MAIN)
        return;
    uintptr_t first = (uintptr_t)object, end = first + bytes;
    for (uintptr_t at = first; at < end; at++) {
        struct cell *cell = cell_of(at & ~(uintptr_t)(CELL_BYTES - 1));
        check_byte(cell, (unsigned)(at % CELL_BYTES), writes, code);
        if (writes)
            cell->written_at = code;
        else
            cell->read_at = code;
    }
}

/* What -fsanitize=thread calls; the names are the compiler's. */
#define PLAIN(bytes)                                                                               \
    void __tsan_read##bytes(const void *object);                                                   \
    void __tsan_write##bytes(void *object);                                                        \
    void __tsan_unaligned_read##bytes(const void *object);                                         \
    void __tsan_unaligned_write##bytes(void *object);                                              \
    void __tsan_read##bytes(const void *object) {                                                  \
        access_plain(object, bytes, false, __builtin_return_address(0));                           \
    }                                                                                              \
    void __tsan_write##bytes(void *object) {                                                       \
        access_plain(object, bytes, true, __builtin_return_address(0));                            \
    }                                                                                              \
    void __tsan_unaligned_read##bytes(const void *object) {                                        \
        access_plain(object, bytes, false, __builtin_return_address(0));                           \
    }                                                                                              \
    void __tsan_unaligned_write##bytes(void *object) {                                             \
        access_plain(object, bytes, true, __builtin_return_address(0));                            \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_read_range(const void *object, size_t bytes);
void __tsan_write_range(void *object, size_t bytes);

void __tsan_init(void) {}
void __tsan_func_entry(void *caller) {
    (void)caller;
}
void __tsan_func_exit(void) {}
void __tsan_read_range(const void *object, size_t bytes) {
    access_plain(object, bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void *object, size_t bytes) {
    access_plain(object, bytes, true, __builtin_return_address(0));
}
