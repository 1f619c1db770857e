/* SPDX-License-Identifier: MIT
 * visit.c -- one walk over every node of a tree, for all kinds at once.
 *
 * The walk keeps a stack of frames, so that a kind sees the parents of a node without asking the
 * tree. A string is one token and nothing in it is looked at: that is how f-strings stay out. */
#include "parts.h"

#include <string.h>

static const struct {
    enum node_kind kind;
    TSSymbolType type;
    const char *name;
} nodes[] = {
#define NAMED(id, name) {NODE_##id, TSSymbolTypeRegular, name},
#define PLAIN(id, name) {NODE_##id, TSSymbolTypeAnonymous, name},
#include "grammar.def"
};
static const char *const field_names[FIELD_COUNT] = {
#define FIELD(name) #name,
#include "grammar.def"
};

enum { SYMBOL_LIMIT = 1024 };

/* Written once, before the first detector; shared by all. */
static uint8_t kinds_by_symbol[SYMBOL_LIMIT];
static uint16_t wanted_by[NODE_KIND_COUNT]; /* bit mask of enum kind */
static TSFieldId field_ids[FIELD_COUNT];

void visit_prepare(const TSLanguage *language) {
    for (TSSymbol id = 0; id < ts_language_symbol_count(language) && id < SYMBOL_LIMIT; id++) {
        for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
            if (nodes[i].type == ts_language_symbol_type(language, id) &&
                strcmp(nodes[i].name, ts_language_symbol_name(language, id)) == 0)
                kinds_by_symbol[id] = (uint8_t)nodes[i].kind;
        }
    }
    for (int field = 0; field < FIELD_COUNT; field++)
        field_ids[field] = ts_language_field_id_for_name(language, field_names[field],
                                                         (uint32_t)strlen(field_names[field]));
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        for (const uint8_t *want = kind_wants[kind]; *want != NODE_OTHER; want++)
            wanted_by[*want] |= (uint16_t)(1u << kind);
    }
}

enum node_kind kind_of(TSNode node) {
    TSSymbol symbol = ts_node_symbol(node);
    return symbol < SYMBOL_LIMIT ? (enum node_kind)kinds_by_symbol[symbol] : NODE_OTHER;
}

TSNode field_of(TSNode node, enum field field) {
    return ts_node_child_by_field_id(node, field_ids[field]);
}

static void add_token(struct detector *d, const char *text, uint32_t length) {
    uint64_t hash = length;
    for (uint32_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x9e3779b97f4a7c15);
    *array_push(&d->tokens) = length == 1 && text[0] == ';' ? 0 : hash ^ hash >> 29;
}

/* Notes a node without children as Python's tokenizer would cut it: `except*` is two tokens, and the
 * dots of a relative import come three at a time. */
static void add_tokens(struct detector *d, const struct frame *frame) {
    uint32_t length;
    const char *text = text_of(d, frame->node, &length);
    if (length == 0 || ts_node_is_extra(frame->node))
        return;
    if (frame->kind == NODE_EXCEPT_STAR) {
        add_token(d, "except", 6);
        add_token(d, "*", 1);
    } else if (frame->kind == NODE_IMPORT_PREFIX) {
        for (uint32_t i = 0; i < length; i++) {
            bool three = length - i >= 3 && memcmp(text + i, "...", 3) == 0;
            if (text[i] == '.')
                add_token(d, text + i, three ? 3 : 1);
            i += three ? 2 : 0;
        }
    } else {
        add_token(d, text, length);
    }
}

/* Python 2's forms, which the grammar reads and Python 3 refuses. */
static bool is_python_2(const struct detector *d, const struct frame *frame, uint8_t parent) {
    uint32_t length;
    const char *text = text_of(d, frame->node, &length);
    switch (frame->kind) {
    case NODE_PRINT: /* `print >> file, x` is a tuple in Python 3 */
        return kind_of(ts_node_named_child(frame->node, 0)) != NODE_CHEVRON;
    case NODE_EXEC:
    case NODE_UNEQUAL_2:
        return true;
    case NODE_COMMA:
        return parent == NODE_EXCEPT;
    case NODE_STRING:
        return text[length - 1] == '`';
    case NODE_INTEGER:
        return strchr("lL", text[length - 1]) != NULL ||
               (length > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9' &&
                strspn(text, "0_") < length && strchr("jJ", text[length - 1]) == NULL);
    default:
        return false;
    }
}

/* Returns  whether to go on below the node. */
static bool enter(struct detector *d, TSNode node) {
    static const struct frame outside = {.function = NONE};
    const struct frame *parent =
        d->frames.count > 0 ? &d->frames.items[d->frames.count - 1] : &outside;
    struct frame frame = {
        .node = node, .function = parent->function, .kind = (uint8_t)kind_of(node)};
    frame.in_finally = parent->in_finally || frame.kind == NODE_FINALLY;
    frame.is_body = frame.kind == NODE_BLOCK && parent->kind == NODE_FUNCTION;
    if (frame.kind == NODE_FUNCTION) {
        frame.function = d->functions.count;
        frame.in_finally = false;
        *array_push(&d->functions) =
            (struct function){.name = put_node(d, field_of(node, FIELD_name)),
                              .start = ts_node_start_byte(node),
                              .end = ts_node_end_byte(node),
                              .parent = parent->function,
                              .line = ts_node_start_point(node).row + 1};
    }
    if (frame.is_body)
        d->functions.items[frame.function].first_token = d->tokens.count;
    if (d->bad_line == 0 && is_python_2(d, &frame, parent->kind))
        d->bad_line = ts_node_start_point(node).row + 1;

    struct frame *kept = array_push(&d->frames);
    *kept = frame;
    uint32_t wanted = wanted_by[frame.kind] & d->kinds;
    if (wanted != 0 && frame.kind == NODE_CALL)
        d->call = take_call_apart(d, node);
    if (wanted != 0 && frame.kind == NODE_ASSIGNMENT && !take_assignment_apart(d, node))
        wanted = 0;
    for (; wanted != 0; wanted &= wanted - 1)
        kind_detectors[__builtin_ctz(wanted)].enter(d, kept);
    return frame.kind != NODE_STRING && frame.kind != NODE_IMPORT_PREFIX;
}

static void leave(struct detector *d) {
    const struct frame *frame = &d->frames.items[--d->frames.count];
    if (frame->is_body)
        d->functions.items[frame->function].last_token = d->tokens.count;
}

void visit_tree(struct detector *d, TSNode root) {
    if (!d->has_cursors) {
        d->walk = ts_tree_cursor_new(root);
        d->look = ts_tree_cursor_new(root);
        d->has_cursors = true;
    }
    ts_tree_cursor_reset(&d->walk, root);
    bool wants_tokens = (d->kinds >> ALGORITHM & 1) != 0;
    for (bool more = true; more;) {
        bool below = enter(d, ts_tree_cursor_current_node(&d->walk));
        if (below && ts_tree_cursor_goto_first_child(&d->walk))
            continue;
        const struct frame *frame = &d->frames.items[d->frames.count - 1];
        if (wants_tokens && frame->function != NONE)
            add_tokens(d, frame);
        leave(d);
        while (more && !ts_tree_cursor_goto_next_sibling(&d->walk)) {
            more = ts_tree_cursor_goto_parent(&d->walk);
            if (more)
                leave(d);
        }
    }
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if ((d->kinds >> kind & 1) != 0 && kind_detectors[kind].finish != NULL)
            kind_detectors[kind].finish(d);
    }
}
