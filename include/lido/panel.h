/* SPDX-License-Identifier: MIT
 * lido/panel.h -- gauges and knobs of a resource, as one table that people and programs read.
 *
 * Every resource in the registry (lido/registry.h) may have a panel: a fixed table of dials, each
 * with a name, a unit, bounds and one sentence. Whoever watches or steers a process needs nothing
 * else: screens, exporters, docs/steering.md and bounds checks all come from this table.
 *
 *      registry: id --> panel --> dial 0   live          gauge     count
 *                                 dial 1   acquired      counter   count
 *                                 dial 2   object_limit  knob      count   1 to 1,048,576
 *
 *      uint64_t values[LIDO_DIALS_MAX];
 *      if (lido_panel_read(id, values, LIDO_DIALS_MAX) == LIDO_OK) ...
 *
 *      lido_setting wanted[] = {{"object_min", 4, 0}, {"object_limit", 16, 0}};
 *      lido_panel_apply(id, wanted, 2);          all of it, or nothing and the reason
 *
 * An application enters resources of its own with lido_panel_insert: they are listed, read and
 * turned as those of lido are.
 *
 * A resource does not end while its panel is read or turned: its destroy waits for that, which
 * takes as long as its read or apply takes.
 *
 * Not here: history, rules, alerts, text for screens.
 */
#ifndef LIDO_PANEL_H
#define LIDO_PANEL_H

#include <lido/base.h>

LIDO_BEGIN

/* ---- The table ------------------------------------------------------------------------- */

#define LIDO_DIALS_MAX 64 /* dials of one panel */

typedef enum lido_dial_kind {
    LIDO_DIAL_GAUGE = 0,   /* goes up and down by itself */
    LIDO_DIAL_COUNTER = 1, /* only grows */
    LIDO_DIAL_KNOB = 2,    /* can be turned while the resource works */
    LIDO_DIAL_FIXED = 3,   /* was chosen when the resource was made */
} lido_dial_kind;

typedef enum lido_unit {
    LIDO_UNIT_COUNT = 0,
    LIDO_UNIT_BYTES = 1,
    LIDO_UNIT_NS = 2, /* LIDO_FOREVER where the bounds reach that far */
    LIDO_UNIT_PERCENT = 3,
    LIDO_UNIT_SHARE = 4,  /* a part of one, in millionths: 250,000 is a quarter */
    LIDO_UNIT_SWITCH = 5, /* 0 off, 1 on */
} lido_unit;

/* A row. Everything in it stays as it is for the rest of the process: static data. */
typedef struct lido_dial {
    const char *name;  /* as the field in options or figures: "object_limit" */
    const char *about; /* one sentence */
    uint64_t kind;     /* lido_dial_kind */
    uint64_t unit;     /* lido_unit */
    uint64_t low;      /* of knobs: bounds, both allowed, ... */
    uint64_t high;
    uint64_t initial; /* ... and what it is when nobody chose; 0 also where that depends */
} lido_dial;

typedef struct lido_panel {
    uint64_t struct_size; /* sizeof(lido_panel) */
    const char *kind;     /* "object_pool": what sort of resource it is */
    const lido_dial *dials;
    uint64_t dial_count; /* at most LIDO_DIALS_MAX */

    /* Writes the value of every dial, in the order of the table. */
    void (*read)(void *context, uint64_t values[]);
    /* Takes the values of the dials whose bits are set in `changed` (bit 0: the first dial), all
     * within their bounds; either all of them or none. NULL: there is no knob.
     * Returns 0, or a code of yours (CALLBACK), or the status of the call of lido that failed. */
    int (*apply)(void *context, const uint64_t values[], uint64_t changed);
} lido_panel;

/* ---- Reading and turning --------------------------------------------------------------- */

/* Returns  the panel of a resource, good for the rest of the process; NULL: it has none
 *          (UNSUPPORTED), or there is no such resource any more (CLOSED). */
LIDO_API const lido_panel *lido_panel_of(uint64_t resource_id);

/* Returns  the place of a dial in the table, or UINT64_MAX. */
LIDO_API uint64_t lido_panel_find(const lido_panel *panel, const char *name);

/* Reads all dials into values[], in the order of the table.
 *
 * Errors   CLOSED       there is no such resource any more
 *          UNSUPPORTED  it has no panel
 *          ARGUMENT     capacity is below its dial_count */
LIDO_API lido_status lido_panel_read(uint64_t resource_id, uint64_t values[], uint64_t capacity);

/* Reads one dial.
 *
 * Errors   as above; ARGUMENT  it has no dial of this name */
LIDO_API lido_status lido_panel_read_dial(uint64_t resource_id, const char *name, uint64_t *value);

typedef struct lido_setting {
    const char *name;
    uint64_t value;
    uint64_t old_value; /* what it was: written by lido_panel_apply when it succeeds */
} lido_setting;

/* Turns knobs: all of them, or none. Each one is told to the log ("panel.applied").
 *
 * Errors   CLOSED       there is no such resource any more
 *          UNSUPPORTED  it has no panel, or one of the dials is no knob
 *          ARGUMENT     an unknown or repeated name, a value out of bounds, or values that do not
 *                       go together; the message names it
 *          CALLBACK     the apply of an application's resource said no; and what it returned */
LIDO_API lido_status lido_panel_apply(uint64_t resource_id, lido_setting settings[],
                                      uint64_t count);

/* ---- A resource of your own ------------------------------------------------------------ */

/* Zero in a field is its default; panel has none. */
typedef struct lido_panel_options {
    uint64_t struct_size;    /* set by LIDO_PANEL_OPTIONS; in C++: = sizeof options */
    const lido_panel *panel; /* not copied: static data */
    const char *name;        /* copied, as for any resource; default "unnamed" */
    const char *owner;       /* the part of the program it belongs to */
    void *context;           /* handed to read and apply */
} lido_panel_options;

/* Options by name, in place (C only). */
#define LIDO_PANEL_OPTIONS(...)                                                                    \
    (&(const lido_panel_options){.struct_size = sizeof(lido_panel_options), __VA_ARGS__})

/* Enters a resource of the application into the registry. Its read and apply may run from now on,
 * in any thread, several at once; no lock is held. They return by themselves (an exception may
 * pass, longjmp must not) and do not remove the resource.
 *
 * Errors   ARGUMENT     the panel or a name is missing or wrong; the message names what
 *          UNSUPPORTED  a field that this library version does not know is set
 *          NO_MEMORY    no memory to list it
 *          On any error *resource_id becomes 0. */
#define lido_panel_insert(options, resource_id)                                                    \
    lido_panel_insert_at(options, resource_id, LIDO_HERE)
LIDO_API LIDO_NODISCARD lido_status lido_panel_insert_at(const lido_panel_options *options,
                                                         uint64_t *resource_id, const char *site);

/* Takes it out again. Afterwards read and apply run no more, and context may go.
 *
 * Errors   NOT_HELD  no resource of the application has this id
 * Waits    for a read or apply of it that another thread is in */
LIDO_API lido_status lido_panel_remove(uint64_t resource_id);

LIDO_END

#endif
