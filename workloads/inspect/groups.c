/* SPDX-License-Identifier: MIT
 * groups.c -- see groups.h.
 *
 * A group is what agrees in sort, key and scope. The scope is the file that a name belongs to, the
 * function for a protocol, the rule for a rule, or nothing where the whole tree is one. Places are
 * sorted by that and by where they are, so equal groups come out equal whatever thread saw what
 * first: numbers of strings differ from run to run, but only equality of them is used, and findings
 * are put in the order of their texts at the end. */
#include "groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What makes a finding of a group. */
enum need { NEEDS_NOTHING, TWO_PLACES, TWO_ROLES, TWO_FUNCTIONS, TWO_FILES };

static const struct sort_rule {
    enum kind kind;
    enum need need;
    const char *before, *after; /* of the key */
    bool with_module;           /* the key has the module of the scope in front */
} sort_rules[SORT_COUNT] = {
    [SORT_NAME] = {KIND_NAME, TWO_ROLES, "", "", true},
    [SORT_TYPE] = {KIND_TYPE, TWO_FUNCTIONS, "", "", false},
    [SORT_LITERAL] = {KIND_MEANING, TWO_FUNCTIONS, "", "", false},
    [SORT_ARGUMENTS] = {KIND_POSITION, TWO_ROLES, "", "()", true},
    [SORT_RESULTS] = {KIND_POSITION, TWO_ROLES, "", "() ->", true},
    [SORT_BODY] = {KIND_ALGORITHM, TWO_FUNCTIONS, "", "", false},
    [SORT_PROTOCOL] = {KIND_EXECUTION, NEEDS_NOTHING, "", "", false},
    [SORT_DELAY] = {KIND_TIMING, TWO_FUNCTIONS, "", "", false},
    [SORT_CONSTANT] = {KIND_VALUE, TWO_FILES, "constant ", "", false},
    [SORT_GLOBAL] = {KIND_VALUE, TWO_ROLES, "global ", "", true},
    [SORT_DEFAULT] = {KIND_VALUE, TWO_ROLES, "default ", "", true},
    [SORT_IDENTITY] = {KIND_VALUE, TWO_ROLES, "identity ", "", true},
    [SORT_RULE] = {KIND_RULE, TWO_PLACES, "", "", false},
};

enum { RULE_STRENGTH = 3 }; /* what a user's rule groups agrees in meaning */

const char *const role_names[ROLE_COUNT] = {
    "definition", "import",   "type",    "literal",  "call",  "return",
    "unpack",     "function", "first",   "second",   "delay", "constant",
    "binding",    "global",   "default", "identity", "place"};
const char *const locality_names[] = {"function", "module", "package", "project"};

void groups_start(struct groups *groups, const struct corpus *corpus) {
    memset(groups, 0, sizeof *groups);
    groups->corpus = corpus;
    pthread_mutex_init(&groups->lock, NULL);
    groups->files = must_realloc(NULL, corpus->files.count * sizeof *groups->files);
    memset(groups->files, 0, corpus->files.count * sizeof *groups->files);
    strings_put(&groups->strings, "", 0);
}

/* The run's number for a string of the detector; asked for once each. */
static uint32_t translate(struct groups *groups, const struct detector *d, uint32_t id) {
    uint32_t *known = &groups->map.items[id];
    if (*known == NO_STRING && id != NO_STRING)
        *known = strings_put(&groups->strings, strings_text(&d->strings, id),
                             d->strings.entries.items[id].length);
    return *known;
}

void groups_take(struct groups *groups, const struct detector *d, uint32_t file) {
    struct file_result *result = &groups->files[file];
    struct fact *facts = must_realloc(NULL, d->facts.count * sizeof *facts);
    uint32_t *names = must_realloc(NULL, d->functions.count * sizeof *names);

    pthread_mutex_lock(&groups->lock);
    groups->map.count = 0;
    for (uint32_t i = 0; i <= d->strings.entries.count; i++)
        *array_push(&groups->map) = NO_STRING;
    for (uint32_t i = 0; i < d->facts.count; i++) {
        facts[i] = d->facts.items[i];
        facts[i].key = translate(groups, d, facts[i].key);
        facts[i].module = translate(groups, d, facts[i].module);
        facts[i].alias = translate(groups, d, facts[i].alias);
    }
    for (uint32_t i = 0; i < d->functions.count; i++)
        names[i] = translate(groups, d, d->functions.items[i].name);
    pthread_mutex_unlock(&groups->lock);

    *result = (struct file_result){
        .facts = facts,
        .function_names = names,
        .fact_count = d->facts.count,
        .function_count = d->functions.count,
        .reason = d->reason[0] != '\0' ? must_copy(d->reason, strlen(d->reason)) : NULL,
        .bytes = d->read_bytes,
        .done = true,
    };
}

/* ---- From facts to places ----------------------------------------------------------------- */

/* What a file's imports bind, and which file a module name means; both by number of string. */
struct resolver {
    const struct groups *groups;
    struct binding {
        uint32_t file_stamp, target, key;
    } * bindings;
    uint32_t *modules; /* file + 2; 0: not asked yet; 1: no module of the corpus */
    uint32_t count;
};

static uint32_t find_module(struct resolver *resolver, uint32_t module) {
    uint32_t *known = &resolver->modules[module];
    if (*known == 0) {
        uint32_t file = corpus_find_module(resolver->groups->corpus,
                                           strings_text(&resolver->groups->strings, module));
        *known = file == NO_FILE ? 1 : file + 2;
    }
    return *known == 1 ? NO_FILE : *known - 2;
}

/* Notes what the imports of a file bind: the first of each alias whose module is in the corpus. */
static void note_bindings(struct resolver *resolver, uint32_t file) {
    const struct file_result *result = &resolver->groups->files[file];
    for (uint32_t i = 0; i < result->fact_count; i++) {
        const struct fact *fact = &result->facts[i];
        if (fact->sort != SORT_BIND)
            continue;
        struct binding *binding = &resolver->bindings[fact->alias];
        uint32_t target = find_module(resolver, fact->module);
        if (target != NO_FILE && binding->file_stamp != file + 1)
            *binding = (struct binding){file + 1, target, fact->key};
    }
}

/* Says in which group a fact is. Returns  false: in none. */
static bool place_fact(struct resolver *resolver, uint32_t file, const struct fact *fact,
                       struct place *place) {
    *place = (struct place){fact->key,      0,          NO_FUNCTION, file, fact->start, fact->line,
                            fact->function, fact->sort, fact->role};
    switch (fact->sort) {
    case SORT_NAME:
        place->scope = file;
        if (fact->role == ROLE_IMPORT) {
            place->scope = find_module(resolver, fact->module);
            return place->scope != NO_FILE && place->scope != file;
        }
        return corpus_find_module(resolver->groups->corpus,
                                  resolver->groups->corpus->files.items[file].module) == file;
    case SORT_ARGUMENTS:
    case SORT_RESULTS:
        place->scope = file;
        if (fact->plain && resolver->bindings[fact->key].file_stamp == file + 1) {
            place->scope = resolver->bindings[fact->key].target;
            place->key = resolver->bindings[fact->key].key;
        }
        return true;
    case SORT_PROTOCOL:
        place->scope = file;
        place->scope_function = fact->function;
        return true;
    case SORT_GLOBAL:
    case SORT_DEFAULT:
    case SORT_IDENTITY:
        place->scope = file;
        return true;
    case SORT_RULE:
        place->scope = fact->module;
        return true;
    default:
        return fact->sort != SORT_BIND;
    }
}

static void make_places(struct groups *groups) {
    struct resolver resolver = {.groups = groups, .count = groups->strings.entries.count};
    resolver.bindings = must_realloc(NULL, resolver.count * sizeof *resolver.bindings);
    resolver.modules = must_realloc(NULL, resolver.count * sizeof *resolver.modules);
    memset(resolver.bindings, 0, resolver.count * sizeof *resolver.bindings);
    memset(resolver.modules, 0, resolver.count * sizeof *resolver.modules);
    for (uint32_t file = 0; file < groups->corpus->files.count; file++) {
        struct file_result *result = &groups->files[file];
        struct place place;
        note_bindings(&resolver, file);
        for (uint32_t i = 0; i < result->fact_count; i++) {
            if (place_fact(&resolver, file, &result->facts[i], &place))
                *array_push(&groups->places) = place;
        }
    }
    free(resolver.bindings);
    free(resolver.modules);
}

/* ---- From places to findings ---------------------------------------------------------------- */

#define ORDER(x, y)                                                                                \
    if ((x) != (y))                                                                                \
    return (x) < (y) ? -1 : 1

static int by_group(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    ORDER(x->sort, y->sort);
    ORDER(x->key, y->key);
    ORDER(x->scope, y->scope);
    ORDER(x->scope_function, y->scope_function);
    ORDER(x->file, y->file);
    ORDER(x->start, y->start);
    ORDER(x->role, y->role);
    return 0;
}

static bool same_group(const struct place *x, const struct place *y) {
    return x->sort == y->sort && x->key == y->key && x->scope == y->scope &&
           x->scope_function == y->scope_function;
}

/* Takes out what counts once: definitions of a name after the first, places that a rule met twice.
 * Returns  how many are left. */
static uint32_t drop_repeated(struct place *places, uint32_t count) {
    uint32_t kept = 0;
    bool defined = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct place *place = &places[i];
        bool defines = place->sort == SORT_NAME && place->role == ROLE_DEFINITION;
        bool again = place->sort == SORT_RULE && kept > 0 && places[kept - 1].file == place->file &&
                     places[kept - 1].start == place->start;
        if (!again && !(defines && defined))
            places[kept++] = *place;
        defined |= defines;
    }
    return kept;
}

/* Whether two places differ in what the group needs. */
static bool meets(enum need need, const struct place *places, uint32_t count) {
    if (need == NEEDS_NOTHING || need == TWO_PLACES)
        return need == NEEDS_NOTHING || count >= 2;
    for (uint32_t i = 1; i < count; i++) {
        bool file = places[i].file != places[0].file;
        if (need == TWO_FILES   ? file
            : need == TWO_ROLES ? places[i].role != places[0].role
                                : file || places[i].function != places[0].function)
            return true;
    }
    return false;
}

static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? (size_t)(slash - path) : 0;
}

static enum locality find_locality(const struct corpus *corpus, const struct place *places,
                                   uint32_t count) {
    const char *path = corpus->files.items[places[0].file].path;
    size_t length = folder_length(path);
    enum locality locality =
        places[0].function != NO_FUNCTION ? LOCALITY_FUNCTION : LOCALITY_MODULE;
    for (uint32_t i = 1; i < count; i++) {
        const char *other = corpus->files.items[places[i].file].path;
        if (places[i].file != places[0].file) {
            if (folder_length(other) != length || memcmp(path, other, length) != 0)
                return LOCALITY_PROJECT;
            locality = LOCALITY_PACKAGE;
        } else if (places[i].function != places[0].function && locality == LOCALITY_FUNCTION) {
            locality = LOCALITY_MODULE;
        }
    }
    return locality;
}

/* The text of a key. The places are in the order of the files, so the first is the first. */
static uint32_t make_key(struct groups *groups, const struct place *place) {
    const struct sort_rule *rule = &sort_rules[place->sort];
    const char *text = strings_text(&groups->strings, place->key), *module = "";
    char tokens[32];
    if (place->sort == SORT_BODY) {
        uint32_t count;
        memcpy(&count, text, sizeof count);
        snprintf(tokens, sizeof tokens, "%u tokens of ", count);
        text = strings_text(&groups->strings,
                            groups->files[place->file].function_names[place->function]);
    } else if (rule->with_module) {
        module = groups->corpus->files.items[place->scope].module;
    }
    size_t size = strlen(text) + strlen(module) + 64;
    char *key = must_realloc(NULL, size);
    int length =
        snprintf(key, size, "%s%s%s%s%s%s", rule->before, place->sort == SORT_BODY ? tokens : "",
                 module, rule->with_module ? "." : "", text, rule->after);
    uint32_t id = strings_put(&groups->strings, key, (uint32_t)length);
    free(key);
    return id;
}

static void judge_group(struct groups *groups, uint32_t first, uint32_t count) {
    struct place *places = &groups->places.items[first];
    const struct sort_rule *rule = &sort_rules[places[0].sort];
    count = drop_repeated(places, count);
    if (!meets(rule->need, places, count))
        return;
    bool is_rule = rule->kind == KIND_RULE;
    struct finding finding = {
        .first = first,
        .degree = count,
        .key = make_key(groups, &places[0]),
        .rule = is_rule ? places[0].scope : NO_STRING,
        .kind = (uint8_t)rule->kind,
        .strength = is_rule ? RULE_STRENGTH : kind_detectors[rule->kind].strength,
        .heuristic = is_rule || kind_detectors[rule->kind].heuristic,
        .locality = (uint8_t)find_locality(groups->corpus, places, count),
    };
    *array_push(&groups->findings) = finding;
    for (uint32_t i = 0; i < count; i++) {
        groups->files[places[i].file].weight += finding.strength;
        groups->files[places[i].file].places++;
    }
}

static int by_text(const void *a, const void *b, void *context) {
    const struct groups *groups = context;
    const struct finding *x = a, *y = b;
    ORDER(x->kind, y->kind);
    int order = strcmp(finding_kind_name(groups, x), finding_kind_name(groups, y));
    if (order == 0)
        order =
            strcmp(strings_text(&groups->strings, x->key), strings_text(&groups->strings, y->key));
    if (order != 0)
        return order;
    const struct place *p = &groups->places.items[x->first], *q = &groups->places.items[y->first];
    ORDER(p->file, q->file);
    ORDER(p->start, q->start);
    ORDER(p->sort, q->sort);
    return 0;
}

void groups_finish(struct groups *groups) {
    make_places(groups);
    uint32_t count = groups->places.count;
    if (count > 0)
        qsort(groups->places.items, count, sizeof *groups->places.items, by_group);
    for (uint32_t from = 0, to; from < count; from = to) {
        for (to = from + 1;
             to < count && same_group(&groups->places.items[from], &groups->places.items[to]);)
            to++;
        judge_group(groups, from, to - from);
    }
    if (groups->findings.count > 0)
        qsort_r(groups->findings.items, groups->findings.count, sizeof *groups->findings.items,
                by_text, groups);
}

void groups_end(struct groups *groups) {
    for (uint32_t i = 0; i < groups->corpus->files.count; i++) {
        free(groups->files[i].facts);
        free(groups->files[i].function_names);
        free(groups->files[i].reason);
    }
    free(groups->files);
    free(groups->places.items);
    free(groups->findings.items);
    free(groups->map.items);
    strings_end(&groups->strings);
    pthread_mutex_destroy(&groups->lock);
}

const char *finding_kind_name(const struct groups *groups, const struct finding *finding) {
    return finding->rule != NO_STRING ? strings_text(&groups->strings, finding->rule)
                                      : kind_detectors[finding->kind].name;
}

const char *place_function(const struct groups *groups, const struct place *place) {
    return place->function == NO_FUNCTION
               ? NULL
               : strings_text(&groups->strings,
                              groups->files[place->file].function_names[place->function]);
}
