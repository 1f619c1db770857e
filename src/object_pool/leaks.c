/* SPDX-License-Identifier: MIT
 * What looks like a leak, and the holders by line. All is read from the slots when somebody asks:
 * acquire and release know nothing of it.
 *
 * A look goes over all slots. Between looks the book keeps, for each line, the longest holding that
 * it gave back, and one lease to watch (its oldest); and every suspect. What was watched or
 * suspected and has another turn now came back: as old as it was when last seen, at least.
 *
 *      limit of a line = max(floor, 4 x longest)       so who comes back teaches the limit
 *
 * Lines beyond the book's room are held to the floor alone; suspects beyond it wait for room. */
#include "object_pool/internal.h"

#include "base/log.h"
#include "base/options.h"
#include "base/sys.h"

#include <lido/object_leases.h>

#include <string.h>

enum { LINES = 64, SUSPECTS = 128, NEWS = 32, FACTOR = 4, THREADS = 16 };

static const uint64_t default_floor_ns = LIDO_SECONDS(30);

struct line {
    const char *site;
    uint64_t longest_ns;
    uint32_t slot, turn, ticks; /* the lease that is watched, and its age at the last look */
    uint32_t oldest_slot, oldest_turn, oldest_ticks; /* of this look */
};

struct suspect {
    struct lido__holder holder; /* as last seen */
    uint64_t limit_ns;
    uint32_t slot;
    uint32_t reason;
};

/* What one look found, to be told when the lock is free again. */
struct news {
    struct suspect suspect[NEWS];
    bool came_back[NEWS];
    int count;
};

struct lido__leak_book {
    struct line line[LINES];
    struct suspect suspect[SUSPECTS];
    uint32_t line_count, suspect_count;
};

/* Threads that this look has asked the system about. */
struct living {
    uint32_t id[THREADS];
    bool lives[THREADS];
};

static bool lives(struct living *living, uint32_t thread_id) {
    uint32_t at = thread_id % THREADS;
    if (living->id[at] != thread_id) {
        living->id[at] = thread_id;
        living->lives[at] = lido__sys.thread_lives(thread_id);
    }
    return living->lives[at];
}

static bool is_out(struct lido_object_pool *pool, uint32_t slot, uint32_t turn) {
    return lido__turn_of(lido__load(&lido__slot_at(&pool->leases, slot)->name, relaxed)) == turn;
}

static uint64_t limit_of(const struct lido_object_pool *pool, const struct line *line) {
    uint64_t floor_ns =
        pool->options.leak_floor_ns ? pool->options.leak_floor_ns : default_floor_ns;
    uint64_t learnt_ns = line ? FACTOR * line->longest_ns : 0;
    return learnt_ns > floor_ns ? learnt_ns : floor_ns;
}

/* The line of a site, entered if need be; NULL: no room. */
static struct line *find_line(struct lido__leak_book *book, const char *site) {
    uint32_t i = 0;
    while (i < book->line_count && book->line[i].site != site)
        i++;
    if (i == LINES)
        return NULL;
    if (i == book->line_count) {
        book->line[i] = (struct line){.site = site};
        book->line_count++;
    }
    return &book->line[i];
}

static void learn(struct line *line, uint64_t ticks) {
    uint64_t held_ns = ticks * LIDO__TICK_NS;
    if (line && held_ns > line->longest_ns)
        line->longest_ns = held_ns;
}

/* ---- A look, with the book's lock held ---------------------------------------------------- */

static bool tell(struct news *news, const struct suspect *suspect, bool came_back) {
    if (news->count == NEWS)
        return false;
    news->suspect[news->count] = *suspect;
    news->came_back[news->count++] = came_back;
    return true;
}

static void see_who_came_back(struct lido_object_pool *pool, struct lido__leak_book *book,
                              struct news *news) {
    for (uint32_t i = 0; i < book->suspect_count;) {
        struct suspect *suspect = &book->suspect[i];
        if (is_out(pool, suspect->slot, suspect->holder.turn) || !tell(news, suspect, true)) {
            i++;
            continue;
        }
        learn(find_line(book, suspect->holder.site), suspect->holder.ticks);
        *suspect = book->suspect[--book->suspect_count];
    }
    for (uint32_t i = 0; i < book->line_count; i++) {
        struct line *line = &book->line[i];
        if (line->turn && !is_out(pool, line->slot, line->turn)) {
            learn(line, line->ticks);
            line->turn = 0;
        }
        line->oldest_turn = line->oldest_ticks = 0;
    }
}

static struct suspect *find_suspect(struct lido__leak_book *book, uint32_t slot, uint32_t turn) {
    for (uint32_t i = 0; i < book->suspect_count; i++)
        if (book->suspect[i].slot == slot && book->suspect[i].holder.turn == turn)
            return &book->suspect[i];
    return NULL;
}

static uint32_t reason_of(const struct lido_object_pool *pool, const struct lido__holder *holder,
                          uint64_t limit_ns, struct living *living) {
    if ((uint64_t)holder->ticks * LIDO__TICK_NS > limit_ns)
        return LIDO_LEAK_TOO_LONG;
    if (!lido__load(&pool->leases.is_handed_on, relaxed) && holder->thread_id &&
        !lives(living, holder->thread_id))
        return LIDO_LEAK_THREAD_ENDED;
    return 0;
}

static void look_at(struct lido_object_pool *pool, struct lido__leak_book *book, uint32_t slot,
                    const struct lido__holder *holder, struct living *living, struct news *news) {
    struct line *line = find_line(book, holder->site);
    struct suspect *known = find_suspect(book, slot, holder->turn);
    struct suspect found = {.holder = *holder, .slot = slot, .limit_ns = limit_of(pool, line)};
    if (line && (!line->oldest_turn || holder->ticks > line->oldest_ticks)) {
        line->oldest_slot = slot;
        line->oldest_turn = holder->turn;
        line->oldest_ticks = holder->ticks;
    }
    found.reason = known ? known->reason : reason_of(pool, holder, found.limit_ns, living);
    if (known)
        *known = found;
    else if (found.reason && book->suspect_count < SUSPECTS && tell(news, &found, false))
        book->suspect[book->suspect_count++] = found;
}

static void look(struct lido_object_pool *pool, struct lido__leak_book *book, struct news *news) {
    struct living living = {.id = {0}};
    uint32_t slots = lido__object_pool_count_slots(pool);
    see_who_came_back(pool, book, news);
    for (uint32_t slot = 0; slot < slots; slot++) {
        struct lido__holder holder;
        if (lido__object_pool_read_holder(pool, slot, &holder))
            look_at(pool, book, slot, &holder, &living, news);
    }
    for (uint32_t i = 0; i < book->line_count; i++) {
        struct line *line = &book->line[i];
        line->slot = line->oldest_slot;
        line->turn = line->oldest_turn;
        line->ticks = line->oldest_ticks;
    }
}

/* ---- For callers ---------------------------------------------------------------------------- */

static void log_news(const struct lido_object_pool *pool, const struct news *news) {
    for (int i = 0; i < news->count; i++) {
        const struct suspect *s = &news->suspect[i];
        bool came_back = news->came_back[i];
        LIDO__LOG(came_back ? LIDO_LOG_INFO : LIDO_LOG_WARNING,
                  came_back ? "object_pool.leak_came_back" : "object_pool.leak_suspected",
                  {"pool", pool->resource.info.name, 0},
                  {"site", s->holder.site ? s->holder.site : "?", 0},
                  {"slot", NULL, (int64_t)s->slot}, {"thread", NULL, (int64_t)s->holder.thread_id},
                  {"held_ms", NULL, (int64_t)s->holder.ticks},
                  {"limit_ms", NULL, (int64_t)(s->limit_ns / LIDO__TICK_NS)});
    }
}

/* With the book's lock held: the suspect on the lowest slot from `slot` on that is still out. */
static bool find_next(struct lido_object_pool *pool, const struct lido__leak_book *book,
                      uint64_t slot, struct suspect *next) {
    bool found = false;
    for (uint32_t i = 0; i < book->suspect_count; i++) {
        const struct suspect *s = &book->suspect[i];
        if (s->slot < slot || (found && s->slot >= next->slot) ||
            !is_out(pool, s->slot, s->holder.turn))
            continue;
        *next = *s;
        found = true;
    }
    return found;
}

static bool look_from(struct lido_object_pool *pool, uint64_t slot, struct suspect *next,
                      struct news *news) {
    lido__lock(&pool->leak_lock);
    struct lido__leak_book *book = pool->leak_book;
    if (slot == 0 && book)
        look(pool, book, news);
    bool found = book && find_next(pool, book, slot, next);
    lido__unlock(&pool->leak_lock);
    return found;
}

static void make_book(struct lido_object_pool *pool) {
    lido__lock(&pool->leak_lock);
    bool is_there = pool->leak_book != NULL;
    lido__unlock(&pool->leak_lock);
    struct lido__leak_book *book = is_there ? NULL : lido__sys.alloc(sizeof *book, 16);
    if (!book)
        return;
    memset(book, 0, sizeof *book);
    lido__lock(&pool->leak_lock);
    if (!pool->leak_book) {
        pool->leak_book = book;
        book = NULL;
    }
    lido__unlock(&pool->leak_lock);
    lido__sys.free(book);
}

uint64_t lido__leak_book_bytes(struct lido_object_pool *pool) {
    lido__lock(&pool->leak_lock);
    uint64_t bytes = pool->leak_book ? sizeof *pool->leak_book : 0;
    lido__unlock(&pool->leak_lock);
    return bytes;
}

bool lido_object_pool_next_leak(lido_object_pool *pool, uint64_t slot,
                                lido_object_pool_leak *leak) {
    lido_object_pool_leak found = {.struct_size = sizeof found};
    struct news news = {.count = 0};
    struct suspect next = {.slot = 0};
    lido__tick_advance();
    if (slot == 0)
        make_book(pool);
    bool is_found = look_from(pool, slot, &next, &news);
    log_news(pool, &news);
    if (!is_found)
        return false;
    found.slot = next.slot;
    found.thread_id = next.holder.thread_id;
    found.held_ns = next.holder.ticks * (uint64_t)LIDO__TICK_NS;
    found.limit_ns = next.limit_ns;
    found.reason = next.reason;
    found.object = next.holder.object;
    found.site = next.holder.site;
    return lido__figures_write(leak, &found, sizeof found, "lido_object_pool_leak") == LIDO_OK;
}

/* Lines in the order of their texts' addresses: one pass finds the next, and needs no memory. */
bool lido_object_pool_next_line(const lido_object_pool *constant, uint64_t key,
                                lido_object_pool_line *line) {
    lido_object_pool *pool = (lido_object_pool *)(uintptr_t)constant;
    lido_object_pool_line found = {.struct_size = sizeof found};
    uint32_t slots = lido__object_pool_count_slots(pool);
    lido__tick_advance();
    for (uint32_t slot = 0; slot < slots; slot++) {
        struct lido__holder holder;
        if (!lido__object_pool_read_holder(pool, slot, &holder))
            continue;
        uint64_t own = (uint64_t)(uintptr_t)holder.site + 1; /* 1: no line was told */
        uint64_t held_ns = holder.ticks * (uint64_t)LIDO__TICK_NS;
        if (own <= key || (found.count && own > found.key))
            continue;
        if (own != found.key)
            found.count = 0;
        if (found.count++ == 0 || held_ns > found.oldest_ns) {
            found.key = own;
            found.site = holder.site;
            found.oldest_ns = held_ns;
            found.oldest_slot = slot;
            found.thread_id = holder.thread_id;
        }
    }
    return found.count &&
           lido__figures_write(line, &found, sizeof found, "lido_object_pool_line") == LIDO_OK;
}
