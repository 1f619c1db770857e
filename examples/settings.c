/* SPDX-License-Identifier: MIT
 * Settings from a file: every resource of the process is turned as an INI file says, through
 * panels alone. All of the file or nothing: a wrong line is named, and what went before is undone.
 *
 *     settings share/production.ini
 *
 * The INI reader is inih; lido itself needs no such file. */
#include <lido/lido.h>

#include <ini.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTINGS_MAX = 256 };

struct change {
    uint64_t resource_id;
    lido_setting setting; /* its name is the panel's own text */
};

struct file {
    const char *path;
    struct change changes[SETTINGS_MAX];
    int count;
};

/* "3 ms", "400 MB", "75 %", "on", "16". Returns false when it is none of these. */
static bool read_value(const char *text, uint64_t *value) {
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {{"", 1},      {"%", 1},        {"ns", 1},
                 {"us", 1000}, {"ms", 1000000}, {"s", 1000000000},
                 {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}};
    char *end;
    *value = strcmp(text, "on") == 0;
    if (*value || strcmp(text, "off") == 0)
        return true;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || text[0] == '-')
        return false;
    end += strspn(end, " ");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0 && number <= UINT64_MAX / units[i].factor) {
            *value = number * units[i].factor;
            return true;
        }
    return false;
}

/* Does the section "kind" or "kind name" mean this resource? */
static bool is_meant(const char *section, const lido_resource *resource) {
    size_t length = strlen(resource->kind);
    return strncmp(section, resource->kind, length) == 0 &&
           (section[length] == '\0' ||
            (section[length] == ' ' && strcmp(section + length + 1, resource->name) == 0));
}

/* A later line for the same knob replaces an earlier one. False: there is no place for more. */
static bool note(struct file *file, uint64_t resource_id, const char *name, uint64_t value) {
    int i = 0;
    while (i < file->count && (file->changes[i].resource_id != resource_id ||
                               strcmp(file->changes[i].setting.name, name) != 0))
        i++;
    if (i == SETTINGS_MAX)
        return false;
    file->count += i == file->count;
    file->changes[i] = (struct change){resource_id, {name, value, 0}};
    return true;
}

/* For each line: 1 is fine, 0 ends the reading. */
static int take_line(void *context, const char *section, const char *key, const char *text) {
    struct file *file = context;
    lido_resource resource = LIDO_RESOURCE;
    uint64_t value;
    if (!read_value(text, &value))
        return fprintf(stderr, "%s: %s = %s is no value\n", file->path, key, text), 0;
    while (lido_registry_next(resource.id, &resource)) {
        const lido_panel *panel = is_meant(section, &resource) ? lido_panel_of(resource.id) : NULL;
        uint64_t at = panel ? lido_panel_find(panel, key) : 0;
        if (!panel)
            continue;
        if (at == UINT64_MAX || !note(file, resource.id, panel->dials[at].name, value))
            return fprintf(stderr, "%s: [%s] has no %s\n", file->path, section, key), 0;
    }
    return 1;
}

/* Applies what stands together for one resource; returns how many that were, or 0. */
static int apply_one(struct change *changes, int count) {
    lido_setting settings[LIDO_DIALS_MAX];
    int n = 0;
    while (n < count && n < LIDO_DIALS_MAX && changes[n].resource_id == changes[0].resource_id) {
        settings[n] = changes[n].setting;
        n++;
    }
    if (lido_panel_apply(changes[0].resource_id, settings, (uint64_t)n) != LIDO_OK)
        return 0;
    for (int i = 0; i < n; i++)
        changes[i].setting = settings[i];
    return n;
}

static int by_resource(const void *a, const void *b) {
    const struct change *x = a, *y = b;
    return (x->resource_id > y->resource_id) - (x->resource_id < y->resource_id);
}

static bool apply(struct file *file) {
    int done = 0, step = 1; /* changes in force; how many the last call brought in */
    qsort(file->changes, (size_t)file->count, sizeof file->changes[0], by_resource);
    while (done < file->count && (step = apply_one(file->changes + done, file->count - done)) > 0)
        done += step;
    if (step > 0)
        return true;
    fprintf(stderr, "%s: %s\n", file->path, lido_last_error());
    for (int i = 0; i < done; i++)
        file->changes[i].setting.value = file->changes[i].setting.old_value;
    for (int i = 0; i < done && (step = apply_one(file->changes + i, done - i)) > 0;)
        i += step;
    return false;
}

static int make(void *context, void **object) {
    (void)context;
    return (*object = malloc(64)) == NULL;
}

static void end(void *context, void *object) {
    (void)context;
    free(object);
}

int main(int argc, char *argv[]) {
    static struct file file;
    lido_budget *budget = NULL;
    lido_object_pool *pool = NULL;
    bool is_good = false;
    file.path = argc > 1 ? argv[1] : "share/production.ini";
    if (lido_budget_create(LIDO_BUDGET_OPTIONS(.name = "memory"), &budget) == LIDO_OK &&
        lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "parsers", .object_limit = 1,
                                                         .create = make, .destroy = end,
                                                         .budget = budget, .object_bytes = 64),
                                &pool) == LIDO_OK) {
        int wrong = ini_parse(file.path, take_line, &file);
        if (wrong < 0)
            fprintf(stderr, "%s: cannot be read\n", file.path);
        else if (wrong > 0)
            fprintf(stderr, "%s:%d: nothing was changed\n", file.path, wrong);
        else
            is_good = apply(&file);
    }
    for (int i = 0; i < file.count; i++) {
        uint64_t value = 0;
        if (lido_panel_read_dial(file.changes[i].resource_id, file.changes[i].setting.name,
                                 &value) == LIDO_OK)
            printf("%s = %" PRIu64 "\n", file.changes[i].setting.name, value);
    }
    (void)lido_object_pool_destroy(pool);
    (void)lido_budget_destroy(budget);
    return is_good ? 0 : 1;
}
