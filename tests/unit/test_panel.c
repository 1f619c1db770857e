/* SPDX-License-Identifier: MIT
 * lido/panel.h: the table, reading and turning by id, resources of the application, and the panels
 * of the pools. */
#include "object_factory.h"

#include "base/status.h"
#include <lido/block_figures.h>
#include <lido/dense_pool.h>
#include <lido/lock.h>
#include <lido/ring.h>

#include <lido/panel.h>

/* ---- A resource of the application --------------------------------------------------------- */

struct lamp {
    uint64_t brightness, colour;
    _Atomic uint64_t uses;
    _Atomic bool is_removed;
    int applies, refuse_with;
    uint64_t last_changed;
    struct check_gate *gate; /* where read waits, if anywhere */
    bool leaves;             /* read ends its thread */
};

static void read_lamp(void *context, uint64_t values[]) {
    struct lamp *lamp = context;
    if (lamp->gate)
        check_gate_pass(lamp->gate);
    CHECK(!lamp->is_removed); /* while it is read */
    if (lamp->leaves)
        pthread_exit(NULL);
    values[0] = ++lamp->uses;
    values[1] = lamp->brightness;
    values[2] = lamp->colour;
    values[3] = 230;
}

static int apply_lamp(void *context, const uint64_t values[], uint64_t changed) {
    struct lamp *lamp = context;
    lamp->applies++;
    lamp->last_changed = changed;
    if (lamp->refuse_with)
        return lamp->refuse_with;
    lamp->brightness = values[1];
    lamp->colour = values[2];
    return 0;
}

static const lido_dial lamp_dials[] = {
    {"uses", "Reads so far.", LIDO_DIAL_COUNTER, LIDO_UNIT_COUNT, 0, 0, 0},
    {"brightness", "How bright.", LIDO_DIAL_KNOB, LIDO_UNIT_PERCENT, 10, 100, 50},
    {"colour", "Which colour.", LIDO_DIAL_KNOB, LIDO_UNIT_COUNT, 0, 7, 0},
    {"voltage", "What it was built for.", LIDO_DIAL_FIXED, LIDO_UNIT_COUNT, 0, 0, 0},
};

static const lido_panel lamp_panel = {sizeof(lido_panel), "lamp",    lamp_dials, 4,
                                      read_lamp,          apply_lamp};

static uint64_t enter_lamp(struct lamp *lamp) {
    uint64_t id = 0;
    CHECK_OK(lido_panel_insert(
        LIDO_PANEL_OPTIONS(.panel = &lamp_panel, .name = "desk", .context = lamp), &id));
    return id;
}

static void a_resource_of_the_application_is_listed_read_and_removed(void **state) {
    (void)state;
    struct lamp lamp = {.brightness = 40, .colour = 3};
    lido_resource seen = LIDO_RESOURCE;
    uint64_t values[LIDO_DIALS_MAX], one = 0, id = enter_lamp(&lamp);
    CHECK(lido_registry_next(0, &seen));
    CHECK_EQ(seen.id, id);
    CHECK(strcmp(seen.kind, "lamp") == 0 && strcmp(seen.name, "desk") == 0);
    CHECK_HAS(seen.made_at, "test_panel.c:");
    CHECK(lido_panel_of(id) == &lamp_panel);
    CHECK_OK(lido_panel_read(id, values, 4));
    CHECK(values[0] == 1 && values[1] == 40 && values[2] == 3 && values[3] == 230);
    CHECK_OK(lido_panel_read_dial(id, "colour", &one));
    CHECK_EQ(one, 3);
    CHECK_FAILS(lido_panel_read_dial(id, "smell", &one), LIDO_ERR_ARGUMENT, "no dial \"smell\"");
    CHECK_FAILS(lido_panel_read_dial(id, NULL, &one), LIDO_ERR_ARGUMENT, "desk");
    CHECK_FAILS(lido_panel_read(id, values, 3), LIDO_ERR_ARGUMENT, "capacity is 3");
    CHECK_OK(lido_panel_remove(id));
    CHECK_FAILS(lido_panel_read(id, values, 4), LIDO_ERR_CLOSED, "none with this id");
    CHECK_REFUSED(lido_panel_of(id), LIDO_ERR_CLOSED, "none with this id");
    CHECK_FAILS(lido_panel_remove(id), LIDO_ERR_NOT_HELD, "removed before");
    CHECK_FAILS(lido_panel_remove(0), LIDO_ERR_NOT_HELD, "resource 0");
    CHECK_EQ(lido_registry_count(), 0);
}

static void a_dial_is_found_by_its_name(void **state) {
    (void)state;
    CHECK_EQ(lido_panel_find(&lamp_panel, "uses"), 0);
    CHECK_EQ(lido_panel_find(&lamp_panel, "voltage"), 3);
    CHECK_EQ(lido_panel_find(&lamp_panel, "volt"), UINT64_MAX);
}

/* ---- Turning --------------------------------------------------------------------------------- */

static void knobs_are_turned_together_and_back_by_the_old_values(void **state) {
    (void)state;
    struct lamp lamp = {.brightness = 40, .colour = 3};
    uint64_t id = enter_lamp(&lamp);
    lido_setting wanted[] = {{"colour", 7, 0}, {"brightness", 100, 0}};
    CHECK_OK(lido_panel_apply(id, wanted, 2));
    CHECK(lamp.brightness == 100 && lamp.colour == 7 && lamp.applies == 1);
    CHECK_EQ(lamp.last_changed, 6);
    CHECK(wanted[0].old_value == 3 && wanted[1].old_value == 40);
    lido_setting undo[] = {{"colour", wanted[0].old_value, 0},
                           {"brightness", wanted[1].old_value, 0}};
    CHECK_OK(lido_panel_apply(id, undo, 2));
    CHECK(lamp.brightness == 40 && lamp.colour == 3);
    CHECK_OK(lido_panel_apply(id, undo, 0));
    CHECK_EQ(lamp.applies, 2);
    CHECK_OK(lido_panel_remove(id));
}

static void one_wrong_setting_leaves_all_as_they_were(void **state) {
    (void)state;
    static const struct {
        lido_setting bad;
        lido_status status;
        const char *told;
    } cases[] = {
        {{"brightness", 9, 0}, LIDO_ERR_ARGUMENT, "brightness is 9, must be 10 to 100"},
        {{"brightness", 101, 0}, LIDO_ERR_ARGUMENT, "brightness is 101"},
        {{"colour", 1, 0}, LIDO_ERR_ARGUMENT, "colour is there twice"},
        {{"uses", 1, 0}, LIDO_ERR_UNSUPPORTED, "is a figure"},
        {{"voltage", 1, 0}, LIDO_ERR_UNSUPPORTED, "is chosen at creation"},
        {{"colours", 1, 0}, LIDO_ERR_ARGUMENT, "no dial \"colours\""},
        {{NULL, 1, 0}, LIDO_ERR_ARGUMENT, "no dial"},
    };
    struct lamp lamp = {.brightness = 40, .colour = 3};
    uint64_t id = enter_lamp(&lamp);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lido_setting wanted[] = {{"colour", 5, 99}, cases[i].bad};
        CHECK_FAILS(lido_panel_apply(id, wanted, 2), cases[i].status, cases[i].told);
        CHECK(lamp.applies == 0 && lamp.colour == 3 && lamp.brightness == 40);
        CHECK_EQ(wanted[0].old_value, 99);
    }
    CHECK_OK(lido_panel_remove(id));
    CHECK_FAILS(lido_panel_apply(id, NULL, 0), LIDO_ERR_CLOSED, "none with this id");
}

static int refuse_as_lido(void *context, const uint64_t values[], uint64_t changed) {
    (void)context, (void)values, (void)changed;
    return LIDO__FAIL(LIDO_ERR_BUSY, "the %s is out", .word = {"bulb"});
}

static void what_apply_says_is_told(void **state) {
    (void)state;
    static const lido_panel as_lido = {sizeof(lido_panel), "lamp",        lamp_dials, 4,
                                       read_lamp,          refuse_as_lido};
    struct lamp lamp = {.refuse_with = 42};
    lido_setting wanted = {"colour", 5, 99};
    uint64_t id = enter_lamp(&lamp), other = 0;
    CHECK_FAILS(lido_panel_apply(id, &wanted, 1), LIDO_ERR_CALLBACK, "with code 42");
    CHECK_EQ(wanted.old_value, 99);
    lamp.refuse_with = LIDO_ERR_BUSY; /* though no call of lido said so */
    CHECK_FAILS(lido_panel_apply(id, &wanted, 1), LIDO_ERR_CALLBACK, "with code -7");
    CHECK_OK(lido_panel_insert(LIDO_PANEL_OPTIONS(.panel = &as_lido, .context = &lamp), &other));
    CHECK_FAILS(lido_panel_apply(other, &wanted, 1), LIDO_ERR_BUSY, "the bulb is out");
    CHECK_OK(lido_panel_remove(id));
    CHECK_OK(lido_panel_remove(other));
}

static void note_record(const lido_log_record *record, void *context) {
    char *line = context;
    if (strcmp(record->event, "panel.applied") == 0 && record->field_count == 5)
        snprintf(line + strlen(line), 200 - strlen(line), "%s %s %s %lld %lld;",
                 record->fields[0].text, record->fields[1].text, record->fields[2].text,
                 (long long)record->fields[3].number, (long long)record->fields[4].number);
}

static void each_turn_is_told_to_the_log(void **state) {
    (void)state;
    char line[200] = "";
    struct lamp lamp = {.brightness = 40, .colour = 3};
    uint64_t id = enter_lamp(&lamp);
    lido_setting wanted[] = {{"colour", 7, 0}, {"brightness", 100, 0}};
    lido_log_set(LIDO_LOG_INFO, note_record, line);
    CHECK_OK(lido_panel_apply(id, wanted, 2));
    lamp.refuse_with = 1;
    CHECK_FAILS(lido_panel_apply(id, wanted, 2), LIDO_ERR_CALLBACK, "code 1");
    lido_log_set(LIDO_LOG_INFO, NULL, NULL);
    CHECK(strcmp(line, "lamp desk colour 3 7;lamp desk brightness 40 100;") == 0);
    CHECK_OK(lido_panel_remove(id));
}

/* ---- Panels that are refused ------------------------------------------------------------------- */

static void check_refused(const lido_panel *panel, lido_status status, const char *told) {
    uint64_t id = 7;
    CHECK_FAILS(lido_panel_insert(LIDO_PANEL_OPTIONS(.panel = panel, .name = "bad"), &id), status,
                told);
    CHECK_EQ(id, 0);
    CHECK_EQ(lido_registry_count(), 0);
}

static void a_panel_with_holes_is_refused(void **state) {
    (void)state;
    lido_panel panel = lamp_panel;
    check_refused(NULL, LIDO_ERR_ARGUMENT, "panel is NULL");
    panel.struct_size = 0;
    check_refused(&panel, LIDO_ERR_ARGUMENT, "struct_size");
    panel = lamp_panel;
    panel.kind = NULL;
    check_refused(&panel, LIDO_ERR_ARGUMENT, "needs kind");
    panel = lamp_panel;
    panel.read = NULL;
    check_refused(&panel, LIDO_ERR_ARGUMENT, "needs kind");
    panel = lamp_panel;
    panel.dials = NULL;
    check_refused(&panel, LIDO_ERR_ARGUMENT, "needs kind");
    panel = lamp_panel;
    panel.dial_count = 0;
    check_refused(&panel, LIDO_ERR_ARGUMENT, "dial_count is 0");
    panel.dial_count = LIDO_DIALS_MAX + 1;
    check_refused(&panel, LIDO_ERR_ARGUMENT, "dial_count is 65");
    panel = lamp_panel;
    panel.apply = NULL;
    check_refused(&panel, LIDO_ERR_ARGUMENT, "dial 1 (\"brightness\") of its panel is a knob");
}

static void a_dial_with_holes_is_refused(void **state) {
    (void)state;
    static const struct {
        lido_dial dial;
        const char *told;
    } cases[] = {
        {{NULL, "x", 0, 0, 0, 0, 0}, "has no name"},
        {{"", "x", 0, 0, 0, 0, 0}, "has no name"},
        {{"x", NULL, 0, 0, 0, 0, 0}, "has no sentence"},
        {{"x", "", 0, 0, 0, 0, 0}, "has no sentence"},
        {{"x", "x", 4, 0, 0, 0, 0}, "no known kind"},
        {{"x", "x", 0, 6, 0, 0, 0}, "no known unit"},
        {{"x", "x", 0, 0, 2, 1, 0}, "low above high"},
        {{"uses", "x", 0, 0, 0, 0, 0}, "there twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lido_dial dials[] = {lamp_dials[0], cases[i].dial};
        lido_panel panel = lamp_panel;
        panel.dials = dials;
        panel.dial_count = 2;
        check_refused(&panel, LIDO_ERR_ARGUMENT, cases[i].told);
    }
}

static void options_and_names_are_checked(void **state) {
    (void)state;
    uint64_t id = 7;
    CHECK_FAILS(lido_panel_insert(NULL, &id), LIDO_ERR_ARGUMENT, "lido_panel_options is NULL");
    CHECK_FAILS(lido_panel_insert(LIDO_PANEL_OPTIONS(.panel = &lamp_panel, .name = "a\nb"), &id),
                LIDO_ERR_ARGUMENT, "control characters");
    CHECK_EQ(id, 0);
}

static void a_panel_without_knobs_needs_no_apply(void **state) {
    (void)state;
    static const lido_panel panel = {sizeof(lido_panel), "meter", lamp_dials, 1, read_lamp, NULL};
    struct lamp lamp = {0};
    lido_setting wanted = {"uses", 5, 0};
    uint64_t id = 0;
    CHECK_OK(lido_panel_insert(LIDO_PANEL_OPTIONS(.panel = &panel, .context = &lamp), &id));
    CHECK_FAILS(lido_panel_apply(id, &wanted, 1), LIDO_ERR_UNSUPPORTED, "figure");
    CHECK_OK(lido_panel_remove(id));
}

/* ---- Life -------------------------------------------------------------------------------------- */

struct reader {
    uint64_t id;
    struct lamp *lamp;
};

static void read_once(void *context) {
    struct reader *reader = context;
    uint64_t value = 0;
    CHECK_OK(lido_panel_read_dial(reader->id, "uses", &value));
}

static void remove_it(void *context) {
    struct reader *reader = context;
    CHECK_OK(lido_panel_remove(reader->id));
    reader->lamp->is_removed = true;
}

static void removing_waits_for_who_reads(void **state) {
    (void)state;
    struct check_gate gate = {0};
    struct lamp lamp = {.gate = &gate};
    struct reader reader = {.id = enter_lamp(&lamp), .lamp = &lamp};
    struct check_thread first, second, remover;
    check_start(&first, read_once, &reader);
    check_start(&second, read_once, &reader);
    check_gate_await(&gate, 2);
    check_start(&remover, remove_it, &reader);
    check_await_sleepers(1);
    CHECK(!lamp.is_removed);
    CHECK_EQ(lido_registry_count(), 0);
    check_gate_open(&gate);
    check_join(&first);
    check_join(&second);
    check_join(&remover);
    CHECK(lamp.is_removed);
}

static void leave_while_reading(void *context) {
    uint64_t value;
    (void)lido_panel_read_dial(((struct reader *)context)->id, "uses", &value);
    CHECK(false);
}

static void a_thread_that_ends_in_read_visits_no_more(void **state) {
    (void)state;
    struct lamp lamp = {.leaves = true};
    struct reader reader = {.id = enter_lamp(&lamp)};
    check_in_thread(leave_while_reading, &reader);
    CHECK_OK(lido_panel_remove(reader.id));
}

static void remove_in_child(void *context) {
    struct reader *reader = context;
    reader->lamp->gate = NULL;
    CHECK_OK(lido_panel_remove(reader->id));
    CHECK_EQ(lido_registry_count(), 0);
}

static void a_child_of_fork_does_not_wait_for_readers_of_its_parent(void **state) {
    (void)state;
    struct check_gate gate = {0};
    struct lamp lamp = {.gate = &gate};
    struct reader reader = {.id = enter_lamp(&lamp), .lamp = &lamp};
    struct check_thread thread;
    check_start(&thread, read_once, &reader);
    check_gate_await(&gate, 1);
    CHECK_EQ(check_child(remove_in_child, &reader), 0);
    check_gate_open(&gate);
    check_join(&thread);
    CHECK_OK(lido_panel_remove(reader.id));
}

static void insert_and_use(void *context) {
    struct lamp lamp = {.brightness = 40};
    uint64_t id = 0, value = 0;
    lido_setting wanted = {"colour", 5, 0};
    (void)context;
    lido_status status =
        lido_panel_insert(LIDO_PANEL_OPTIONS(.panel = &lamp_panel, .context = &lamp), &id);
    CHECK(status == LIDO_OK || status == LIDO_ERR_NO_MEMORY || status == LIDO_ERR_SYSTEM);
    CHECK_EQ(status == LIDO_OK, id != 0);
    if (!id)
        return;
    CHECK_OK(lido_panel_read_dial(id, "brightness", &value));
    CHECK_OK(lido_panel_apply(id, &wanted, 1));
    CHECK_OK(lido_panel_remove(id));
}

static void panels_survive_every_failure(void **state) {
    (void)state;
    check_sweep(insert_and_use, NULL);
}

/* ---- The panels of the pools --------------------------------------------------------------------- */

static uint64_t id_of(const char *kind) {
    lido_resource resource = LIDO_RESOURCE;
    while (lido_registry_next(resource.id, &resource))
        if (strcmp(resource.kind, kind) == 0)
            return resource.id;
    return 0;
}

static uint64_t dial(uint64_t id, const char *name) {
    uint64_t value = 0;
    CHECK_OK(lido_panel_read_dial(id, name, &value));
    return value;
}

/* What holds of any table: an exporter and docs/steering.md depend on it. */
static void check_table(uint64_t id) {
    const lido_panel *panel = lido_panel_of(id);
    CHECK(panel != NULL);
    for (uint64_t i = 0; i < panel->dial_count; i++) {
        const lido_dial *d = &panel->dials[i];
        CHECK_EQ(lido_panel_find(panel, d->name), i);
        CHECK_EQ(strspn(d->name, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(d->name));
        CHECK(d->about[strlen(d->about) - 1] == '.');
        CHECK(d->kind <= LIDO_DIAL_FIXED && d->unit <= LIDO_UNIT_SWITCH && d->low <= d->high);
        CHECK(d->kind == LIDO_DIAL_KNOB || d->initial == 0);
        CHECK(d->initial == 0 || (d->low <= d->initial && d->initial <= d->high));
    }
}

static void the_panel_of_an_object_pool_tells_its_figures_and_turns_it(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = NULL;
    lido_lease lease, other;
    CHECK_OK(lido_object_pool_create(
        LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = 2, .create = create_object,
                                 .destroy = destroy_object, .context = &factory),
        &pool));
    uint64_t id = id_of("object_pool");
    check_table(id);
    CHECK_OK(lido_object_pool_acquire(pool, 0, &lease));
    CHECK_OK(lido_object_pool_acquire(pool, 0, &other));
    CHECK_OK(lido_object_pool_release(pool, &other));
    lido_object_pool_stats s = object_stats(pool);
    CHECK(s.acquired == 2 && dial(id, "acquired") == 2);
    CHECK(dial(id, "live") == 1 && dial(id, "idle") == 1 && dial(id, "existing") == 2);
    CHECK_EQ(dial(id, "overhead_bytes"), s.overhead_bytes);
    CHECK(dial(id, "object_limit") == 2 && dial(id, "overtake_limit") == 8);
    lido_setting wanted[] = {
        {"object_limit", 1, 0}, {"waiter_limit", 5, 0}, {"overtake_limit", 3, 0}};
    CHECK_OK(lido_panel_apply(id, wanted, 3));
    CHECK(wanted[0].old_value == 2 && wanted[1].old_value == 0 && wanted[2].old_value == 8);
    CHECK(dial(id, "object_limit") == 1 && dial(id, "waiter_limit") == 5);
    CHECK(dial(id, "overtake_limit") == 3 && dial(id, "existing") == 1);
    wanted[0].value = (1 << 20) + 1;
    CHECK_FAILS(lido_panel_apply(id, wanted, 3), LIDO_ERR_ARGUMENT, "1 to 1048576");
    CHECK_FAILS(lido_panel_remove(id), LIDO_ERR_NOT_HELD, "not one that lido_panel_insert made");
    CHECK_OK(lido_object_pool_release(pool, &lease));
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void overtaking_is_no_knob_of_a_strict_pool(void **state) {
    (void)state;
    struct factory factory = factory_start();
    lido_object_pool *pool = pool_of(&factory, 2);
    uint64_t id = id_of("object_pool");
    lido_setting wanted[] = {{"waiter_limit", 5, 0}, {"overtake_limit", 3, 0}};
    CHECK_FAILS(lido_panel_apply(id, wanted, 2), LIDO_ERR_ARGUMENT, "only bounded order");
    CHECK_EQ(dial(id, "waiter_limit"), 0);
    CHECK_OK(lido_object_pool_destroy(pool));
    factory_end(&factory);
}

static void the_panel_of_a_block_pool_tells_its_figures_and_turns_it(void **state) {
    (void)state;
    lido_block_pool *pool = NULL;
    CHECK_OK(lido_block_pool_create(
        LIDO_BLOCK_POOL_OPTIONS(.block_size = 64, .mode = LIDO_BLOCK_POOL_SLABS), &pool));
    uint64_t id = id_of("block_pool");
    check_table(id);
    void *block = lido_block_pool_acquire(pool);
    lido_block_pool_stats s = {.struct_size = sizeof s};
    CHECK_OK(lido_block_pool_read_stats(pool, &s));
    CHECK(dial(id, "live") == 1 && dial(id, "block_size") == 64 && dial(id, "block_limit") == 0);
    CHECK_EQ(dial(id, "committed_bytes"), s.committed_bytes);
    CHECK_EQ(dial(id, "utilisation"), (uint64_t)(s.utilisation * 1e6 + 0.5));
    lido_setting wanted = {"block_limit", 1, 77};
    CHECK_OK(lido_panel_apply(id, &wanted, 1));
    CHECK_EQ(wanted.old_value, 0);
    CHECK_REFUSED(lido_block_pool_acquire(pool), LIDO_ERR_LIMIT, "1");
    wanted = (lido_setting){"block_size", 1, 0};
    CHECK_FAILS(lido_panel_apply(id, &wanted, 1), LIDO_ERR_UNSUPPORTED, "chosen at creation");
    CHECK_OK(lido_block_pool_release(pool, block));
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void a_reserved_block_pool_keeps_its_limit_and_says_why(void **state) {
    (void)state;
    lido_block_pool *pool = NULL;
    CHECK_OK(lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.block_size = 64, .block_limit = 8,
                                                            .flags = LIDO_BLOCK_POOL_RESERVED),
                                    &pool));
    uint64_t id = id_of("block_pool");
    lido_setting wanted = {"block_limit", 0, 0};
    CHECK_FAILS(lido_panel_apply(id, &wanted, 1), LIDO_ERR_ARGUMENT, "block_limit");
    CHECK_EQ(dial(id, "block_limit"), 8);
    CHECK_OK(lido_block_pool_destroy(pool));
}

static void the_panel_of_a_dense_pool_tells_its_figures_and_turns_it(void **state) {
    (void)state;
    lido_dense_pool *pool = NULL;
    CHECK_OK(
        lido_dense_pool_create(LIDO_DENSE_POOL_OPTIONS(.object_bytes = 24, .object_limit = 4,
                                                       .at_limit = LIDO_DENSE_POOL_DROP_OLDEST),
                               &pool));
    uint64_t id = id_of("dense_pool");
    check_table(id);
    for (int i = 0; i < 5; i++)
        CHECK(lido_dense_pool_acquire(pool, NULL));
    lido_dense_pool_stats s = {.struct_size = sizeof s};
    CHECK_OK(lido_dense_pool_read_stats(pool, &s));
    CHECK(dial(id, "acquired") == 5 && dial(id, "dropped") == 1 && dial(id, "live") == 4);
    CHECK(dial(id, "object_bytes") == 24 && dial(id, "object_limit") == 4);
    CHECK(dial(id, "committed_bytes") == s.committed_bytes && dial(id, "reuse") == 200000);
    lido_setting wanted = {"object_limit", 2, 0};
    CHECK_OK(lido_panel_apply(id, &wanted, 1));
    CHECK(wanted.old_value == 4 && dial(id, "object_limit") == 2);
    CHECK_EQ(dial(id, "live"), 4); /* until the pool's own thread acquires */
    CHECK(lido_dense_pool_acquire(pool, NULL));
    CHECK(dial(id, "live") == 2 && dial(id, "dropped") == 4 && dial(id, "released") == 0);
    wanted.value = 0;
    CHECK_FAILS(lido_panel_apply(id, &wanted, 1), LIDO_ERR_ARGUMENT,
                "must be 1 or more where the oldest");
    CHECK_EQ(dial(id, "object_limit"), 2);
    lido_dense_pool_release_all(pool);
    CHECK_OK(lido_dense_pool_destroy(pool));
}

static void a_refusing_dense_pool_takes_its_limit_from_the_panel(void **state) {
    (void)state;
    lido_dense_pool *pool = NULL;
    CHECK_OK(lido_dense_pool_create(LIDO_DENSE_POOL_OPTIONS(.object_bytes = 8), &pool));
    uint64_t id = id_of("dense_pool");
    for (int i = 0; i < 3; i++)
        CHECK(lido_dense_pool_acquire(pool, NULL));
    lido_setting wanted = {"object_limit", 2, 0};
    CHECK_OK(lido_panel_apply(id, &wanted, 1));
    CHECK_REFUSED(lido_dense_pool_acquire(pool, NULL), LIDO_ERR_LIMIT, "all 2 objects");
    CHECK(dial(id, "live") == 3 && dial(id, "refused_limit") == 1);
    wanted.value = 0;
    CHECK_OK(lido_panel_apply(id, &wanted, 1));
    CHECK(lido_dense_pool_acquire(pool, NULL));
    lido_dense_pool_release_all(pool);
    CHECK_OK(lido_dense_pool_destroy(pool));
}

static void *read_until_told(void *argument) {
    _Atomic uint64_t *id = argument;
    uint64_t live = 0, most = 0, seen;
    while ((seen = *id) != 0) {
        lido_setting wanted = {"object_limit", 64 + (most & 1), 0};
        CHECK_OK(lido_panel_read_dial(seen, "live", &live));
        most = live > most ? live : most;
        CHECK_OK(lido_panel_apply(seen, &wanted, 1));
    }
    CHECK(most <= 65);
    return NULL;
}

/* For ThreadSanitizer as well: the panel is the one thing of a dense pool that any thread may use. */
static void another_thread_may_use_the_panel_of_a_dense_pool_at_work(void **state) {
    (void)state;
    lido_dense_pool *pool = NULL;
    pthread_t thread;
    CHECK_OK(
        lido_dense_pool_create(LIDO_DENSE_POOL_OPTIONS(.object_bytes = 8, .object_limit = 64,
                                                       .at_limit = LIDO_DENSE_POOL_DROP_OLDEST),
                               &pool));
    _Atomic uint64_t id = id_of("dense_pool");
    CHECK_EQ(pthread_create(&thread, NULL, read_until_told, &id), 0);
    for (int i = 0; i < 20000; i++)
        CHECK(lido_dense_pool_acquire(pool, NULL) && lido_dense_pool_count(pool) <= 65);
    id = 0;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    lido_dense_pool_release_all(pool);
    CHECK_OK(lido_dense_pool_destroy(pool));
}

static void the_panel_of_a_ring_tells_its_figures(void **state) {
    (void)state;
    lido_ring *ring = NULL;
    void *item;
    CHECK_OK(lido_ring_create(LIDO_RING_OPTIONS(.capacity = 2), &ring));
    uint64_t id = id_of("ring");
    check_table(id);
    CHECK_OK(lido_ring_try_insert(ring, ring));
    CHECK_OK(lido_ring_try_insert(ring, NULL));
    CHECK_EQ(lido_ring_try_insert(ring, NULL), LIDO_ERR_LIMIT);
    CHECK_OK(lido_ring_try_remove(ring, &item));
    CHECK(dial(id, "inserted") == 2 && dial(id, "removed") == 1 && dial(id, "length") == 1);
    CHECK(dial(id, "refused_full") == 1 && dial(id, "capacity") == 2);
    CHECK_EQ(dial(id, "inserters_waiting"), 0);
    lido_setting wanted = {"capacity", 4, 0};
    CHECK_FAILS(lido_panel_apply(id, &wanted, 1), LIDO_ERR_UNSUPPORTED, "chosen at creation");
    CHECK_OK(lido_ring_try_remove(ring, &item));
    CHECK_OK(lido_ring_destroy(ring));
}

static void the_panel_of_a_mutex_tells_its_figures(void **state) {
    (void)state;
    lido_mutex *mutex = NULL;
    CHECK_OK(lido_mutex_create(LIDO_MUTEX_OPTIONS(.name = "orders"), &mutex));
    uint64_t id = id_of("mutex");
    check_table(id);
    CHECK_EQ(dial(id, "first_look"), 1000000);
    CHECK_OK(lido_mutex_lock(mutex));
    CHECK_OK(lido_mutex_unlock(mutex));
    CHECK_OK(lido_mutex_lock(mutex));
    lido_lock_stats s = {.struct_size = sizeof s};
    CHECK_OK(lido_mutex_read_stats(mutex, &s));
    CHECK(s.holder_id != 0 && dial(id, "holder_id") == s.holder_id && dial(id, "acquired") == 2);
    CHECK(dial(id, "contended") == 0 && dial(id, "waits") == 0 && dial(id, "waiting") == 0);
    CHECK_OK(lido_mutex_unlock(mutex));
    CHECK_EQ(dial(id, "holder_id"), 0);
    CHECK_OK(lido_mutex_destroy(mutex));
    CHECK_REFUSED(lido_panel_of(id), LIDO_ERR_CLOSED, "none with this id");
}

CHECK_MAIN(TEST(a_resource_of_the_application_is_listed_read_and_removed),
           TEST(a_dial_is_found_by_its_name),
           TEST(knobs_are_turned_together_and_back_by_the_old_values),
           TEST(one_wrong_setting_leaves_all_as_they_were), TEST(what_apply_says_is_told),
           TEST(each_turn_is_told_to_the_log), TEST(a_panel_with_holes_is_refused),
           TEST(a_dial_with_holes_is_refused), TEST(options_and_names_are_checked),
           TEST(a_panel_without_knobs_needs_no_apply), TEST(removing_waits_for_who_reads),
           TEST(a_thread_that_ends_in_read_visits_no_more),
           TEST(a_child_of_fork_does_not_wait_for_readers_of_its_parent),
           TEST(panels_survive_every_failure),
           TEST(the_panel_of_an_object_pool_tells_its_figures_and_turns_it),
           TEST(overtaking_is_no_knob_of_a_strict_pool),
           TEST(the_panel_of_a_block_pool_tells_its_figures_and_turns_it),
           TEST(a_reserved_block_pool_keeps_its_limit_and_says_why),
           TEST(the_panel_of_a_dense_pool_tells_its_figures_and_turns_it),
           TEST(a_refusing_dense_pool_takes_its_limit_from_the_panel),
           TEST(another_thread_may_use_the_panel_of_a_dense_pool_at_work),
           TEST(the_panel_of_a_ring_tells_its_figures),
           TEST(the_panel_of_a_mutex_tells_its_figures))
