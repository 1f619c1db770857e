/* SPDX-License-Identifier: MIT
 * Panels: checks before, a visit during, a record in the log after. What a dial means is known to
 * its resource alone. */
#include "registry/registry.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "base/sys.h"

#include <string.h>

/* ---- A resource of the application ------------------------------------------------------- */

struct entry {
    struct lido__resource resource; /* first: the registry hands it back */
};

/* The application's data is the application's; fork needs nothing of it here. */
static void pass(struct lido__resource *resource) {
    (void)resource;
}

/* Told from kinds of lido by its address; the name shown is the panel's. */
static const struct lido__kind own_kind = {
    .name = "resource", .lock = pass, .unlock = pass, .in_child = pass};

static lido_status check_dial(const lido_panel *panel, const lido_dial *dial, const char *name) {
    const char *what =
        !dial->name || !dial->name[0]                               ? "has no name"
        : !dial->about || !dial->about[0]                           ? "has no sentence"
        : dial->kind > LIDO_DIAL_FIXED                              ? "is of no known kind"
        : dial->unit > LIDO_UNIT_SWITCH                             ? "has no known unit"
        : dial->low > dial->high                                    ? "has low above high"
        : &panel->dials[lido_panel_find(panel, dial->name)] != dial ? "is there twice"
        : dial->kind == LIDO_DIAL_KNOB && !panel->apply ? "is a knob, and the panel has no apply"
                                                        : NULL;
    if (!what)
        return LIDO_OK;
    return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                      "resource \"%s\": dial %u (\"%s\") of its panel %s; mend it in its table",
                      .word = {name, dial->name, what},
                      .number = {(uint64_t)(dial - panel->dials)});
}

static lido_status check_panel(const lido_panel *panel, const char *name) {
    lido_panel known;
    if (!panel)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "resource \"%s\": panel is NULL, must be a table of dials",
                          .word = {name});
    lido_status status = lido__options_read(panel, &known, sizeof known, "lido_panel");
    if (status != LIDO_OK)
        return status;
    if (!known.kind || !known.dials || !known.read || known.dial_count < 1 ||
        known.dial_count > LIDO_DIALS_MAX)
        return LIDO__FAIL(
            LIDO_ERR_ARGUMENT,
            "resource \"%s\": its panel needs kind, dials, read and a dial_count of 1 "
            "to %u; dial_count is %u",
            .word = {name}, .number = {LIDO_DIALS_MAX, known.dial_count});
    for (uint64_t i = 0; i < known.dial_count && status == LIDO_OK; i++)
        status = check_dial(panel, &panel->dials[i], name);
    return status;
}

lido_status lido_panel_insert_at(const lido_panel_options *given, uint64_t *resource_id,
                                 const char *site) {
    lido_panel_options options;
    *resource_id = 0;
    lido_status status = lido__options_read(given, &options, sizeof options, "lido_panel_options");
    if (status == LIDO_OK)
        status = check_panel(options.panel, options.name ? options.name : "unnamed");
    if (status != LIDO_OK)
        return status;
    struct entry *entry = lido__sys.alloc(sizeof *entry, _Alignof(struct entry));
    if (!entry)
        return LIDO__FAIL(LIDO_ERR_NO_MEMORY,
                          "resource \"%s\": no memory to list it; free some memory and call again",
                          .word = {options.name ? options.name : "unnamed"});
    memset(entry, 0, sizeof *entry);
    status = lido__resource_name(&entry->resource, &own_kind, options.name, options.owner);
    entry->resource.panel = options.panel;
    entry->resource.context = options.context;
    entry->resource.info.kind = options.panel->kind;
    if (status == LIDO_OK)
        status = lido__resource_insert(&entry->resource, site);
    if (status == LIDO_OK)
        *resource_id = entry->resource.info.id;
    else
        lido__sys.free(entry);
    return status;
}

lido_status lido_panel_remove(uint64_t resource_id) {
    struct lido__resource *resource = lido__resource_remove_id(resource_id, &own_kind);
    if (!resource)
        return LIDO__FAIL(LIDO_ERR_NOT_HELD,
                          "resource %u: not one that lido_panel_insert made, or removed before; "
                          "remove it once, by its own id",
                          .number = {resource_id});
    lido__sys.free(resource);
    return LIDO_OK;
}

/* ---- Visits ------------------------------------------------------------------------------ */

/* For the cleanup attribute: a callback may leave by an exception or by cancellation. */
static void end_visit(struct lido__visit *visit) {
    if (visit->resource)
        lido__visit_end(visit);
}

#define VISIT struct lido__visit __attribute__((cleanup(end_visit)))

/* With *visit zero. On failure nothing is visited. */
static lido_status visit_panel(uint64_t resource_id, struct lido__visit *visit) {
    if (!lido__visit_begin(resource_id, visit))
        return LIDO__FAIL(LIDO_ERR_CLOSED,
                          "resource %u: there is none with this id (any more); lido_registry_next "
                          "lists those there are",
                          .number = {resource_id});
    if (!visit->resource->panel)
        return LIDO__FAIL(
            LIDO_ERR_UNSUPPORTED,
            "%s \"%s\": it has no panel to read or turn; lido_registry_next finds others",
            .word = {visit->resource->info.kind, visit->resource->info.name});
    return LIDO_OK;
}

static void read_all(const struct lido__resource *resource, uint64_t values[LIDO_DIALS_MAX]) {
    memset(values, 0, LIDO_DIALS_MAX * sizeof values[0]);
    resource->panel->read(resource->context, values);
}

const lido_panel *lido_panel_of(uint64_t resource_id) {
    VISIT visit = {0};
    return visit_panel(resource_id, &visit) == LIDO_OK ? visit.resource->panel : NULL;
}

uint64_t lido_panel_find(const lido_panel *panel, const char *name) {
    for (uint64_t i = 0; i < panel->dial_count; i++)
        if (panel->dials[i].name && strcmp(panel->dials[i].name, name) == 0)
            return i;
    return UINT64_MAX;
}

lido_status lido_panel_read(uint64_t resource_id, uint64_t values[], uint64_t capacity) {
    VISIT visit = {0};
    uint64_t all[LIDO_DIALS_MAX];
    lido_status status = visit_panel(resource_id, &visit);
    if (status != LIDO_OK)
        return status;
    uint64_t count = visit.resource->panel->dial_count;
    if (capacity < count)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                          "%s \"%s\": capacity is %u, must be %u or more, a place for each dial",
                          .word = {visit.resource->info.kind, visit.resource->info.name},
                          .number = {capacity, count});
    read_all(visit.resource, all);
    memcpy(values, all, (size_t)count * sizeof values[0]);
    return LIDO_OK;
}

static lido_status fail_dial(const struct lido__resource *resource, const char *name) {
    return LIDO__FAIL(LIDO_ERR_ARGUMENT,
                      "%s \"%s\": it has no dial \"%s\"; lido_panel_of lists those it has",
                      .word = {resource->info.kind, resource->info.name, name});
}

lido_status lido_panel_read_dial(uint64_t resource_id, const char *name, uint64_t *value) {
    VISIT visit = {0};
    uint64_t all[LIDO_DIALS_MAX];
    lido_status status = visit_panel(resource_id, &visit);
    if (status != LIDO_OK)
        return status;
    uint64_t at = name ? lido_panel_find(visit.resource->panel, name) : UINT64_MAX;
    if (at == UINT64_MAX)
        return fail_dial(visit.resource, name);
    read_all(visit.resource, all);
    *value = all[at];
    return LIDO_OK;
}

/* ---- Turning ----------------------------------------------------------------------------- */

/* Where a setting goes: its place in the table, if it may go there. */
static lido_status place(const struct lido__resource *resource, const lido_setting *setting,
                         uint64_t taken, uint64_t *at) {
    *at = setting->name ? lido_panel_find(resource->panel, setting->name) : UINT64_MAX;
    if (*at == UINT64_MAX)
        return fail_dial(resource, setting->name);
    const lido_dial *dial = &resource->panel->dials[*at];
    if (dial->kind != LIDO_DIAL_KNOB)
        return LIDO__FAIL(LIDO_ERR_UNSUPPORTED, "%s \"%s\": %s %s",
                          .word = {resource->info.kind, resource->info.name, dial->name,
                                   dial->kind == LIDO_DIAL_FIXED
                                       ? "is chosen at creation and stays; make the resource anew"
                                       : "is a figure, not a knob; turn a knob instead"});
    if (taken >> *at & 1)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT, "%s \"%s\": %s is there twice; name each once",
                          .word = {resource->info.kind, resource->info.name, dial->name});
    if (setting->value < dial->low || setting->value > dial->high)
        return LIDO__FAIL(LIDO_ERR_ARGUMENT, "%s \"%s\": %s is %u, must be %u to %u",
                          .word = {resource->info.kind, resource->info.name, dial->name},
                          .number = {setting->value, dial->low, dial->high});
    return LIDO_OK;
}

static lido_status call_apply(const struct lido__resource *resource, const uint64_t values[],
                              uint64_t changed) {
    int code = resource->panel->apply(resource->context, values, changed);
    if (code == LIDO_OK)
        return LIDO_OK;
    if (code < 0 && lido_last_status() == (lido_status)code)
        return (lido_status)code; /* a call of lido in it failed, and has told why */
    return LIDO__FAIL(
        LIDO_ERR_CALLBACK,
        "%s \"%s\": its apply refused the values with code %d; nothing was changed, turn others",
        .word = {resource->info.kind, resource->info.name}, .number = {(uint64_t)(int64_t)code});
}

lido_status lido_panel_apply(uint64_t resource_id, lido_setting settings[], uint64_t count) {
    VISIT visit = {0};
    uint64_t old_values[LIDO_DIALS_MAX], values[LIDO_DIALS_MAX], at, changed = 0;
    lido_status status = visit_panel(resource_id, &visit);
    if (status != LIDO_OK)
        return status;
    const struct lido__resource *resource = visit.resource;
    const lido_panel *panel = resource->panel;
    read_all(resource, old_values);
    memcpy(values, old_values, sizeof values);
    for (uint64_t i = 0; i < count; i++) {
        status = place(resource, &settings[i], changed, &at);
        if (status != LIDO_OK || at >= 64)
            return status;
        values[at] = settings[i].value;
        changed |= UINT64_C(1) << at;
    }
    char name[LIDO_NAME_BYTES];
    memcpy(name, resource->info.name, sizeof name); /* apply may be the end of the resource */
    status = changed ? call_apply(resource, values, changed) : LIDO_OK;
    for (uint64_t i = 0; i < count && status == LIDO_OK; i++) {
        settings[i].old_value = old_values[lido_panel_find(panel, settings[i].name)];
        LIDO__LOG(LIDO_LOG_INFO, "panel.applied", {"kind", panel->kind, 0}, {"name", name, 0},
                  {"knob", settings[i].name, 0}, {"from", NULL, (int64_t)settings[i].old_value},
                  {"to", NULL, (int64_t)settings[i].value});
    }
    return status;
}
