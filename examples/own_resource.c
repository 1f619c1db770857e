/* SPDX-License-Identifier: MIT
 * A queue of the application's own, listed and steered as the resources of lido are: a panel tells
 * its figures and its one knob, and whoever watches the process needs to know no more. */
#include <lido/panel.h>
#include <lido/registry.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

struct queue {
    atomic_uint_fast64_t waiting, dropped, limit;
};

static void read_queue(void *context, uint64_t values[]) {
    struct queue *queue = context;
    values[0] = atomic_load(&queue->waiting);
    values[1] = atomic_load(&queue->dropped);
    values[2] = atomic_load(&queue->limit);
}

static int apply_queue(void *context, const uint64_t values[], uint64_t changed) {
    (void)changed; /* there is one knob, and its bounds have been checked */
    atomic_store(&((struct queue *)context)->limit, values[2]);
    return 0;
}

static const lido_dial dials[] = {
    {"waiting", "Messages not yet sent.", LIDO_DIAL_GAUGE, LIDO_UNIT_COUNT, 0, 0, 0},
    {"dropped", "Messages refused at the limit.", LIDO_DIAL_COUNTER, LIDO_UNIT_COUNT, 0, 0, 0},
    {"limit", "Messages that may wait.", LIDO_DIAL_KNOB, LIDO_UNIT_COUNT, 1, 10000, 100},
};

static const lido_panel panel = {sizeof(lido_panel), "queue", dials, 3, read_queue, apply_queue};

int main(void) {
    struct queue queue = {.waiting = 17, .limit = 100};
    lido_resource seen = LIDO_RESOURCE;
    uint64_t id, values[LIDO_DIALS_MAX];
    lido_setting wrong = {"limit", 0, 0}, right = {"limit", 50, 0};
    if (lido_panel_insert(LIDO_PANEL_OPTIONS(.panel = &panel, .name = "outbox", .context = &queue),
                          &id) != LIDO_OK)
        return fprintf(stderr, "%s\n", lido_last_error()), 1;

    /* From here on it is another part of the program, which knows nothing of queues. */
    if (lido_panel_apply(id, &wrong, 1) != LIDO_OK)
        printf("refused: %s\n", lido_last_error());
    if (lido_panel_apply(id, &right, 1) == LIDO_OK)
        printf("limit was %" PRIu64 "\n", right.old_value);
    while (lido_registry_next(seen.id, &seen)) {
        const lido_panel *found = lido_panel_of(seen.id);
        if (found && lido_panel_read(seen.id, values, LIDO_DIALS_MAX) == LIDO_OK)
            for (uint64_t i = 0; i < found->dial_count; i++)
                printf("%s \"%s\" %s = %" PRIu64 "\n", seen.kind, seen.name, found->dials[i].name,
                       values[i]);
    }
    return lido_panel_remove(id) == LIDO_OK ? 0 : 1;
}
