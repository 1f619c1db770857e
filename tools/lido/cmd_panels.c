/* SPDX-License-Identifier: MIT
 * cmd_panels.c -- lido panels: the gauges and knobs of every kind of resource, as the Markdown page
 * docs/steering.md. It makes one resource of each kind and prints the panel that it shows. */
#include "command.h"
#include "inspect/inspect.h"

#include <inttypes.h>
#include <lido/lido.h>
#include <stdio.h>
#include <string.h>

static int make_nothing(void *context, void **object) {
    (void)context;
    *object = NULL;
    return 1;
}

/* 1234567 as 1,234,567; durations in the largest unit that tells them exactly. */
static void print_value(uint64_t value, uint64_t unit) {
    char digits[32], spelt[8];
    static const struct {
        uint64_t ns;
        const char *name;
    } times[] = {{UINT64_C(1000000000), "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
    const char *suffix = unit == LIDO_UNIT_PERCENT ? " %" : unit == LIDO_UNIT_BYTES ? " bytes" : "";
    if (value == UINT64_MAX) {
        fputs("any", stdout);
        return;
    }
    if (unit == LIDO_UNIT_BYTES && value == 1)
        suffix = " byte";
    for (size_t i = 0; unit == LIDO_UNIT_NS && value && suffix[0] == '\0'; i++)
        if (value % times[i].ns == 0) {
            snprintf(spelt, sizeof spelt, " %s", times[i].name);
            suffix = spelt;
            value /= times[i].ns;
        }
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    for (int i = 0; i < length; i++)
        printf("%s%c", i && (length - i) % 3 == 0 ? "," : "", digits[i]);
    fputs(suffix, stdout);
}

static void print_panel(const lido_panel *panel) {
    static const char *const kinds[] = {"gauge", "counter", "knob", "fixed"};
    static const char *const units[] = {"count", "bytes", "ns", "percent", "share", "switch"};
    printf("\n## %s\n\n| name | is a | unit | bounds | default | |\n|---|---|---|---|---|---|\n",
           panel->kind);
    for (uint64_t i = 0; i < panel->dial_count; i++) {
        const lido_dial *dial = &panel->dials[i];
        bool is_chosen = dial->kind == LIDO_DIAL_KNOB || dial->kind == LIDO_DIAL_FIXED;
        printf("| `%s` | %s | %s | ", dial->name, kinds[dial->kind], units[dial->unit]);
        if (is_chosen) {
            print_value(dial->low, dial->unit);
            fputs(" to ", stdout);
            print_value(dial->high, dial->unit);
        }
        fputs(" | ", stdout);
        if (is_chosen && (dial->initial || dial->low == 0))
            print_value(dial->initial, dial->unit);
        printf(" | %s |\n", dial->about);
    }
}

static int print_page(void) {
    lido_resource resource = LIDO_RESOURCE;
    puts(
        "# Steering\n\n"
        "Every figure and every knob that a resource of lido shows, by its kind. The page is made\n"
        "from the tables that the library itself reads (`scripts/gen_steering`); a test fails\n"
        "when it is stale. `include/lido/panel.h` tells how a program reads and turns them, and "
        "how\n"
        "it adds resources of its own. A *knob* can be turned while the resource works, what is\n"
        "*fixed* was chosen at its creation; an empty default means that it has none.");
    while (lido_registry_next(resource.id, &resource)) {
        const lido_panel *panel = lido_panel_of(resource.id);
        if (panel)
            print_panel(panel);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_DONE : EXIT_FAILED;
}

int cmd_panels(int argc, char *argv[]) {
    lido_block_pool *blocks = NULL;
    lido_object_pool *objects = NULL;
    lido_budget *budget = NULL;
    lido_dense_pool *dense = NULL;
    lido_mutex *mutex = NULL;
    lido_ring *ring = NULL;
    if (argc > 1) {
        bool is_help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
        if (!is_help)
            fprintf(stderr, "lido panels: '%s' is not known; it takes no words\n\n", argv[1]);
        fputs("usage: lido panels\n\nPrints every gauge and knob, by kind of resource: the page "
              "docs/steering.md.\n",
              is_help ? stdout : stderr);
        return is_help ? EXIT_DONE : EXIT_USAGE;
    }
    int result = EXIT_FAILED;
    if (lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 64), &blocks) == LIDO_OK &&
        lido_budget_create(LIDO_BUDGET_OPTIONS(.name = "memory"), &budget) == LIDO_OK &&
        lido_dense_pool_create(LIDO_DENSE_POOL_OPTIONS(.object_bytes = 8), &dense) == LIDO_OK &&
        lido_mutex_create(LIDO_MUTEX_OPTIONS(.name = "orders"), &mutex) == LIDO_OK &&
        lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.object_limit = 1, .create = make_nothing),
                                &objects) == LIDO_OK &&
        lido_ring_create(LIDO_RING_OPTIONS(.capacity = 2), &ring) == LIDO_OK)
        result = print_page();
    else
        fprintf(stderr, "lido panels: %s\n", lido_last_error());
    (void)lido_ring_destroy(ring);
    (void)lido_object_pool_destroy(objects);
    (void)lido_mutex_destroy(mutex);
    (void)lido_dense_pool_destroy(dense);
    (void)lido_budget_destroy(budget);
    (void)lido_block_pool_destroy(blocks);
    return result;
}
