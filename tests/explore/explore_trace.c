/* SPDX-License-Identifier: MIT
 * Tells a failing execution, one line an event:
 *
 *      #  thread   operation                                              place
 *     12  visitor  load gate->busy = 0 (acquire) from the beginning,      src/base/gate.c:62
 *                  although #9 is newer
 *
 * Events are kept as numbers while the search runs, and become text only for a failure. */
#undef _FORTIFY_SOURCE
#include "explore_internal.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAMES = 64 };

static struct event events[EVENTS];
static int event_count;
static struct {
    const char *object;
    size_t bytes;
    const char *name;
} names[NAMES];
static int name_count;

void explore_trace_begin(void) {
    event_count = 0;
    name_count = 0;
}

int explore_trace_add(struct event event) {
    if (event_count == EVENTS)
        explore_fail("the execution does not end: too many events");
    event.thread = explore_now;
    events[event_count] = event;
    return event_count++;
}

int explore_trace_say(const char *text, const void *object, uint64_t value) {
    return explore_trace_add(
        (struct event){.text = text, .object = object, .value = value, .from = -2, .newer = -2});
}

void explore_name(const void *object, size_t bytes, const char *name) {
    if (name_count == NAMES)
        explore_fail("the explorer has room for 64 names only");
    names[name_count].object = object;
    names[name_count].bytes = bytes;
    names[name_count++].name = name;
}

/* ---- Words ----------------------------------------------------------------------------- */

const char *explore_order_name(int order) {
    static const char *const order_names[] = {"relaxed", "consume", "acquire",
                                              "release", "acq_rel", "seq_cst"};
    return order_names[order];
}

const char *explore_kind_name(enum explore_kind kind) {
    static const char *const kind_names[] = {"load", "store", "exchange",   "cas",  "add",
                                             "sub",  "fence", "membarrier", "lock", "wake"};
    return kind_names[kind];
}

/* Writes the name of what an address lies in. False: it has none. */
static bool name_of(uint64_t address, char *text, size_t bytes) {
    for (int i = 0; i < name_count; i++) {
        uint64_t offset = address - (uint64_t)(uintptr_t)names[i].object;
        if (offset >= names[i].bytes)
            continue;
        if (offset == 0)
            (void)snprintf(text, bytes, "%s", names[i].name);
        else
            (void)snprintf(text, bytes, "%s+%" PRIu64, names[i].name, offset);
        return true;
    }
    return false;
}

static const char *value_text(uint64_t value, char *text, size_t bytes) {
    if (!name_of(value, text, bytes))
        (void)snprintf(text, bytes, value < 1000000 ? "%" PRIu64 : "0x%" PRIx64, value);
    return text;
}

static const char *thread_name(int thread) {
    return thread == MAIN ? "main" : explore_kernel->threads[thread].name;
}

static void tell_source(const struct event *event) {
    if (event->from == -1)
        printf(" from the beginning");
    else if (event->from >= 0)
        printf(" from #%d by %s", event->from, thread_name(events[event->from].thread));
    if (event->newer >= 0)
        printf(", although #%d is newer", event->newer);
}

static void tell_operation(const struct event *event) {
    const struct explore_site *site = event->site;
    char object[100] = "", value[100], before[100];
    const char *spelt = site->object[0] == '&' ? site->object + 1 : site->object;
    (void)value_text(event->value, value, sizeof value);
    (void)value_text(event->before, before, sizeof before);
    printf("%s", explore_kind_name(site->kind));
    if (site->kind != EXPLORE_FENCE && name_of((uintptr_t)event->object, object, sizeof object))
        printf(" %s [%s]", spelt, object);
    else if (site->kind != EXPLORE_FENCE)
        printf(" %s", spelt);
    if (event->failed)
        printf(": found %s, not %s", value, before);
    else if (site->kind == EXPLORE_LOAD || site->kind == EXPLORE_STORE)
        printf(" = %s", value);
    else if (site->kind != EXPLORE_FENCE)
        printf(": %s -> %s", before, value);
    printf(" (%s)", explore_order_name(event->failed ? site->failure_order : event->order));
    tell_source(event);
    printf("   %s:%d\n", site->file, site->line);
}

void explore_trace_print(const char *failure) {
    printf("  claim of %s: %s\n  broken: %s\n", explore_kernel->name, explore_kernel->claim,
           failure);
    for (int i = 0; i < event_count; i++) {
        const struct event *event = &events[i];
        char object[100] = "";
        printf("  %4d  %-8s  ", i, thread_name(event->thread));
        if (event->site) {
            tell_operation(event);
            continue;
        }
        if (event->object)
            (void)value_text((uintptr_t)event->object, object, sizeof object);
        printf("%s %s", event->text, object);
        if (event->value)
            printf(" %" PRIu64, event->value);
        printf("\n");
    }
}

/* ---- Races ----------------------------------------------------------------------------- */

/* file:line of a place in the code, by addr2line; its address where that is not installed. */
static void find_place(const void *code, char *text, size_t bytes) {
    char command[700];
    Dl_info info;
    (void)snprintf(text, bytes, " at %p", code);
    if (!dladdr(code, &info) || !info.dli_fname)
        return;
    /* One byte back: the address is that behind the call. */
    uintptr_t offset = (uintptr_t)code - (uintptr_t)info.dli_fbase - 1;
    (void)snprintf(command, sizeof command, "addr2line -s -e '%s' 0x%" PRIxPTR " 2>/dev/null",
                   info.dli_fname, offset);
    FILE *answer = popen(command, "r");
    char line[200] = "";
    if (answer && fgets(line, sizeof line, answer) && line[0] != '?') {
        line[strcspn(line, "\n")] = '\0';
        (void)snprintf(text, bytes, " at %s", line);
    }
    if (answer)
        (void)pclose(answer);
}

void explore_describe_race(char *text, size_t bytes, const void *object, bool writes,
                           const void *now, bool wrote, int other, const void *then) {
    char what[100], here[200] = "", there[200] = "";
    (void)value_text((uintptr_t)object, what, sizeof what);
    if (explore_mutation.kind == NONE) {
        find_place(now, here, sizeof here);
        find_place(then, there, sizeof there);
    }
    (void)snprintf(text, bytes, "data race on %s: %s %s%s, %s %s%s, and nothing orders them", what,
                   thread_name(explore_now), writes ? "writes" : "reads", here, thread_name(other),
                   wrote ? "wrote" : "read", there);
}
