/* SPDX-License-Identifier: MIT
 * static.c -- the kinds that the text of a program decides: name, type, meaning, position, algorithm. */
#include "parts.h"

/* ---- Name: who defines a name at the top of a module, and who imports it by that name ---------- */

/* Puts the package that so many dots mean in this file into d->text; false: there is none. */
static bool start_relative(struct detector *d, uint32_t dots) {
    uint32_t length = d->file->package_bytes;
    for (; dots > 1 && length > 0; dots--) {
        while (length > 0 && d->file->module[length - 1] != '.')
            length--;
        length -= length > 0;
    }
    text_add(&d->text, d->file->module, length);
    return d->file->in_package && length > 0;
}

/* The absolute name of the module that an import statement is about; NO_STRING: none. */
static uint32_t read_module(struct detector *d, const struct frame *frame) {
    if (frame->kind == NODE_FUTURE_IMPORT)
        return strings_put(&d->strings, "__future__", 10);
    TSNode module = field_of(frame->node, FIELD_module_name);
    uint32_t first = d->nodes.count, dots = 0;
    bool known = true;
    d->text.count = 0;
    if (kind_of(module) == NODE_DOTTED_NAME) {
        add_compact(d, module);
    } else {
        uint32_t count = push_children(d, module), length;
        const char *prefix = text_of(d, d->nodes.items[first], &length);
        for (uint32_t i = 0; i < length; i++)
            dots += prefix[i] == '.';
        known = start_relative(d, dots);
        if (count > 1) {
            text_add(&d->text, ".", 1);
            add_compact(d, d->nodes.items[first + 1]);
        }
        d->nodes.count = first;
    }
    return known ? put_text(d) : NO_STRING;
}

/* Notes each `from module import key as alias`, as a place and as what it binds. */
static void note_imports(struct detector *d, const struct frame *frame, enum sort sort) {
    uint32_t module = read_module(d, frame), first = d->nodes.count;
    uint32_t count = module != NO_STRING ? push_children(d, frame->node) : 0;
    for (uint32_t i = first + (frame->kind == NODE_IMPORT_FROM); i < first + count; i++) {
        TSNode name = d->nodes.items[i], alias = name;
        if (kind_of(name) == NODE_ALIASED_IMPORT) {
            alias = field_of(name, FIELD_alias);
            name = field_of(name, FIELD_name);
        }
        if (kind_of(name) != NODE_DOTTED_NAME)
            continue; /* `import *` */
        struct fact *fact = note(d, sort, ROLE_import, put_node(d, name), name);
        fact->scope = module;
        fact->alias = put_node(d, alias);
    }
    d->nodes.count = first;
}

void name_enter(struct detector *d, const struct frame *frame) {
    if (frame->kind == NODE_IMPORT_FROM || frame->kind == NODE_FUTURE_IMPORT)
        note_imports(d, frame, SORT_NAME);
    else if (at_top_level(d))
        note(d, SORT_NAME, ROLE_definition, put_node(d, field_of(frame->node, FIELD_name)),
             frame->node);
}

/* ---- Type: type names in annotations, isinstance calls and except clauses ---------------------- */

/* Notes `a.b.c` if the node is only names and dots. The names are met last to first. */
static void note_dotted(struct detector *d, TSNode place) {
    uint32_t first = d->nodes.count;
    TSNode node = place;
    for (; kind_of(node) == NODE_ATTRIBUTE;
         node = without_parentheses(field_of(node, FIELD_object)))
        *array_push(&d->nodes) = field_of(node, FIELD_attribute);
    if (kind_of(node) == NODE_IDENTIFIER) {
        d->text.count = 0;
        add_compact(d, node);
        for (uint32_t i = d->nodes.count; i-- > first;) {
            text_add(&d->text, ".", 1);
            add_compact(d, d->nodes.items[i]);
        }
        note(d, SORT_TYPE, ROLE_type, put_text(d), place);
    }
    d->nodes.count = first;
}

/* Notes the names in an expression. A list of nodes still to look at stands in for recursion, so
 * that no source can exhaust the stack. */
static void note_names(struct detector *d, TSNode expression) {
    uint32_t bottom = d->nodes.count;
    *array_push(&d->nodes) = expression;
    while (d->nodes.count > bottom) {
        TSNode node = without_parentheses(d->nodes.items[--d->nodes.count]);
        switch (kind_of(node)) {
        case NODE_IDENTIFIER:
        case NODE_ATTRIBUTE:
            note_dotted(d, node);
            break;
        case NODE_BINARY:
            if (text_is(d, field_of(node, FIELD_operator), "|"))
                push_children(d, node);
            break;
        case NODE_SUBSCRIPT: /* `*X[Y]` is starred as a whole; the grammar reads the star as X's */
            if (kind_of(field_of(node, FIELD_value)) != NODE_STARRED)
                push_children(d, node);
            break;
        case NODE_TYPE:
        case NODE_GENERIC_TYPE:
        case NODE_TYPE_PARAMETER:
        case NODE_UNION_TYPE:
        case NODE_TUPLE:
        case NODE_LIST:
            push_children(d, node);
            break;
        default:
            break;
        }
    }
}

static void note_isinstance(struct detector *d) {
    if (d->call.attribute || !calls(&d->call, "isinstance") || collect_arguments(d) < 2)
        return;
    if (d->arguments.items[0].positional && d->arguments.items[1].positional)
        note_names(d, d->arguments.items[1].value);
}

static void note_except(struct detector *d, TSNode clause) {
    uint32_t first = d->nodes.count, count = push_children(d, clause);
    TSNode caught = d->nodes.items[first];
    d->nodes.count = first;
    if (count < 2)
        return; /* a bare `except:` has only its block */
    while (kind_of(caught) == NODE_AS_PATTERN || kind_of(caught) == NODE_STARRED)
        caught = ts_node_named_child(caught, 0); /* `*E as e`: a space before the star */
    note_names(d, caught);
}

void type_enter(struct detector *d, const struct frame *frame) {
    if (frame->function == NONE)
        return;
    if (frame->kind == NODE_CALL) {
        note_isinstance(d);
    } else if (frame->kind == NODE_EXCEPT || frame->kind == NODE_EXCEPT_GROUP) {
        note_except(d, frame->node);
    } else {
        TSNode type =
            field_of(frame->node, frame->kind == NODE_FUNCTION ? FIELD_return_type : FIELD_type);
        if (!ts_node_is_null(type))
            note_names(d, type);
    }
}

/* ---- Meaning: literals that are compared, returned or passed ----------------------------------- */

/* The level of the first frame from `up` on that is no parenthesis. */
static uint32_t climb(const struct detector *d, uint32_t up) {
    while (frame_above(d, up)->kind == NODE_PARENTHESES)
        up++;
    return up;
}

void meaning_enter(struct detector *d, const struct frame *frame) {
    TSNode node = frame->node;
    uint32_t up = climb(d, 1);
    if (frame->function == NONE)
        return;
    if (frame_above(d, up)->kind == NODE_UNARY && frame->kind != NODE_STRING) {
        node = frame_above(d, up)->node;
        if (d->source.items[ts_node_start_byte(node)] != '-')
            return;
        up = climb(d, up + 1);
    }
    up += frame_above(d, up)->kind == NODE_KEYWORD_ARGUMENT;
    uint8_t kind = frame_above(d, up)->kind;
    if (kind != NODE_COMPARISON && kind != NODE_RETURN &&
        (kind != NODE_ARGUMENTS || frame_above(d, up + 1)->kind != NODE_CALL))
        return;
    struct literal literal = read_literal(d, node);
    if (literal.sort != NO_LITERAL && !literal.trivial)
        note(d, SORT_LITERAL, ROLE_literal, literal.key, node);
}

/* ---- Position: long lists of arguments, and tuples returned and unpacked ------------------------ */

enum { ARGUMENT_MINIMUM = 4, ELEMENT_MINIMUM = 3 };

static uint32_t count_parameters(struct detector *d, TSNode function) {
    uint32_t first = d->nodes.count, positional = 0;
    uint32_t count = push_children(d, field_of(function, FIELD_parameters));
    for (uint32_t i = first; i < first + count; i++) {
        TSNode node = d->nodes.items[i];
        if (kind_of(node) == NODE_TYPED_PARAMETER)
            node = ts_node_named_child(node, 0);
        enum node_kind kind = kind_of(node);
        if (kind == NODE_STAR_PATTERN || kind == NODE_KEYWORD_SEPARATOR ||
            kind == NODE_TWO_STAR_PATTERN)
            break; /* what follows is by keyword only */
        positional += kind != NODE_POSITIONAL_SEPARATOR;
    }
    d->nodes.count = first;
    return positional;
}

static void note_call(struct detector *d, TSNode node) {
    if (d->call.name == NULL || ts_node_named_child_count(d->call.arguments) < ARGUMENT_MINIMUM)
        return;
    uint32_t positional = collect_arguments(d);
    for (uint32_t i = 0; i < d->arguments.count; i++)
        positional -= d->arguments.items[i].starred;
    if (positional >= ARGUMENT_MINIMUM)
        note(d, SORT_ARGUMENTS, ROLE_call,
             strings_put(&d->strings, d->call.name, d->call.name_length), node)
            ->plain = !d->call.attribute;
}

static void note_return(struct detector *d, const struct frame *frame) {
    uint32_t first = d->nodes.count, count = push_children(d, frame->node);
    TSNode value = count > 0 ? without_parentheses(d->nodes.items[first]) : frame->node;
    enum node_kind kind = kind_of(value);
    d->nodes.count = first;
    if (frame->function != NONE && (kind == NODE_TUPLE || kind == NODE_EXPRESSION_LIST) &&
        count_children(d, value) >= ELEMENT_MINIMUM)
        note(d, SORT_RESULTS, ROLE_return, d->functions.items[frame->function].name, frame->node);
}

static void note_unpack(struct detector *d, const struct frame *frame) {
    if (kind_of(d->value) != NODE_CALL)
        return;
    struct call call = take_call_apart(d, d->value);
    for (uint32_t i = 0; i < d->targets.count && call.name != NULL; i++) {
        enum node_kind kind = kind_of(d->targets.items[i]);
        if ((kind == NODE_PATTERN_LIST || kind == NODE_TUPLE_PATTERN ||
             kind == NODE_LIST_PATTERN) &&
            count_children(d, d->targets.items[i]) >= ELEMENT_MINIMUM)
            note(d, SORT_RESULTS, ROLE_unpack,
                 strings_put(&d->strings, call.name, call.name_length), frame->node)
                ->plain = !call.attribute;
    }
}

void position_enter(struct detector *d, const struct frame *frame) {
    if (frame->kind == NODE_CALL)
        note_call(d, frame->node);
    else if (frame->kind == NODE_RETURN)
        note_return(d, frame);
    else if (frame->kind == NODE_ASSIGNMENT)
        note_unpack(d, frame);
    else if (frame->kind != NODE_FUNCTION)
        note_imports(d, frame, SORT_BIND);
    else if (count_parameters(d, frame->node) >= ARGUMENT_MINIMUM)
        note(d, SORT_ARGUMENTS, ROLE_definition, d->functions.items[frame->function].name,
             frame->node);
}

/* ---- Algorithm: functions whose bodies are the same tokens -------------------------------------- */

enum { TOKEN_MINIMUM = 30 };

/* The walk has hashed every token. A body is told by the number of its tokens and 128 bits over their
 * hashes; bodies that agree in both are taken for equal: with a million of them the odds of an error
 * are below one in 10^20. */
void algorithm_finish(struct detector *d) {
    for (uint32_t i = 0; i < d->functions.count; i++) {
        const struct function *function = &d->functions.items[i];
        uint64_t body[3] = {0, 1, 2};
        uint32_t last = function->last_token, at = function->first_token;
        while (last > at && d->tokens.items[last - 1] == 0)
            last--;
        body[0] = last - at;
        for (; at < last; at++) {
            body[1] = (body[1] ^ d->tokens.items[at]) * UINT64_C(0xff51afd7ed558ccd);
            body[1] ^= body[1] >> 32;
            body[2] = (body[2] + d->tokens.items[at]) * UINT64_C(0xc4ceb9fe1a85ec53);
            body[2] ^= body[2] >> 29;
        }
        if (body[0] >= TOKEN_MINIMUM)
            *array_push(&d->facts) =
                (struct fact){.key = strings_put(&d->strings, (const char *)body, sizeof body),
                              .line = function->line,
                              .start = function->start,
                              .function = i,
                              .sort = SORT_BODY,
                              .role = ROLE_function};
    }
}
