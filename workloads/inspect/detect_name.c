/* SPDX-License-Identifier: MIT
 * detect_name.c -- who defines a name at the top of a module, and who imports it by that name. */
#include "kinds.h"

#include <string.h>

const uint8_t name_wants[] = {NODE_FUNCTION, NODE_CLASS, NODE_IMPORT_FROM, NODE_FUTURE_IMPORT,
                              NODE_OTHER};

/* Puts the package that `dots` dots mean in this file into d->text; false: there is none. */
static bool start_relative(struct detector *d, uint32_t dots) {
    if (!d->file->in_package)
        return false;
    uint32_t length = d->file->package_bytes;
    for (; dots > 1; dots--) {
        while (length > 0 && d->file->module[length - 1] != '.')
            length--;
        if (length == 0)
            return false; /* above the top package */
        length--;
    }
    for (uint32_t i = 0; i < length; i++)
        *array_push(&d->text) = d->file->module[i];
    return true;
}

static void append_dotted(struct detector *d, TSNode dotted) {
    uint32_t length;
    const char *text = text_of(d, dotted, &length);
    for (uint32_t i = 0; i < length; i++) {
        if (strchr(" \t\f\n\\", text[i]) == NULL)
            *array_push(&d->text) = text[i];
    }
}

/* The absolute name of the module that an import statement is about; NO_STRING: none. */
static uint32_t read_module(struct detector *d, const struct frame *frame) {
    d->text.count = 0;
    if (frame->kind == NODE_FUTURE_IMPORT)
        return strings_put(&d->strings, "__future__", 10);
    TSNode module = field_of(frame->node, FIELD_MODULE_NAME);
    if (kind_of(module) == NODE_DOTTED_NAME) {
        append_dotted(d, module);
        return strings_put(&d->strings, d->text.items, d->text.count);
    }
    uint32_t first = d->nodes.count, count = push_children(d, module), length, dots = 0;
    const TSNode *parts = d->nodes.items + first;
    const char *prefix = count > 0 ? text_of(d, parts[0], &length) : "";
    for (uint32_t i = 0; count > 0 && i < length; i++)
        dots += prefix[i] == '.';
    bool inside = dots > 0 && start_relative(d, dots);
    if (inside && count > 1) {
        *array_push(&d->text) = '.';
        append_dotted(d, parts[1]);
    }
    d->nodes.count = first;
    return inside ? strings_put(&d->strings, d->text.items, d->text.count) : NO_STRING;
}

void note_imports(struct detector *d, const struct frame *frame, bool as_places, bool as_bindings) {
    uint32_t module = read_module(d, frame);
    if (module == NO_STRING)
        return;
    uint32_t first = d->nodes.count, count = push_children(d, frame->node);
    for (uint32_t i = first + (frame->kind == NODE_IMPORT_FROM); i < first + count; i++) {
        TSNode name = d->nodes.items[i], alias = name;
        if (kind_of(name) == NODE_ALIASED_IMPORT) {
            alias = field_of(name, FIELD_ALIAS);
            name = field_of(name, FIELD_NAME);
        }
        if (kind_of(name) != NODE_DOTTED_NAME)
            continue; /* `import *` */
        uint32_t key = put_node(d, name);
        if (as_places)
            add_fact(d, SORT_NAME, ROLE_IMPORT, key, name, frame->function)->module = module;
        if (as_bindings) {
            struct fact *bind = add_fact(d, SORT_BIND, ROLE_IMPORT, key, name, frame->function);
            bind->module = module;
            bind->alias = put_node(d, alias);
        }
    }
    d->nodes.count = first;
}

void name_enter(struct detector *d, const struct frame *frame) {
    if (frame->kind == NODE_IMPORT_FROM || frame->kind == NODE_FUTURE_IMPORT)
        note_imports(d, frame, true, false);
    else if (at_top_level(d))
        add_fact(d, SORT_NAME, ROLE_DEFINITION, put_node(d, field_of(frame->node, FIELD_NAME)),
                 frame->node, frame->function);
}
