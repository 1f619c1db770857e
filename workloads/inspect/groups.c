/* SPDX-License-Identifier: MIT
 * groups.c -- takes the facts of every file, and makes the groups that are findings.
 *
 * A group is what agrees in sort, key and scope. The scope is the file that a name belongs to, the
 * function for a protocol, the rule for a rule, or nothing where the whole tree is one. Places are
 * sorted by that and by where they are, so groups come out equal whatever thread saw what first:
 * numbers of strings differ from run to run, but only equality of them is used, and findings are put
 * in the order of their texts at the end. */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

enum scope { WHOLE_TREE, ITS_FILE, ITS_FUNCTION, ITS_RULE };
enum { RULE_STRENGTH = 3 }; /* what a user's rule groups agrees in meaning */
enum need { TWO_PLACES, TWO_ROLES, TWO_FUNCTIONS, TWO_FILES, BAD_ORDER };

/* How each sort is grouped, what makes a finding of a group, and how its key is written: the first %s
 * is the module of the file that the key is of (else nothing), the second the name. */
static const struct sort_rule {
    uint8_t kind, scope, need;
    const char *key;
} sort_rules[SORT_BIND] = {
    [SORT_NAME] = {NAME, ITS_FILE, TWO_ROLES, "%s.%s"},
    [SORT_TYPE] = {TYPE, WHOLE_TREE, TWO_FUNCTIONS, "%s%s"},
    [SORT_LITERAL] = {MEANING, WHOLE_TREE, TWO_FUNCTIONS, "%s%s"},
    [SORT_ARGUMENTS] = {POSITION, ITS_FILE, TWO_ROLES, "%s.%s()"},
    [SORT_RESULTS] = {POSITION, ITS_FILE, TWO_ROLES, "%s.%s() ->"},
    [SORT_BODY] = {ALGORITHM, WHOLE_TREE, TWO_FUNCTIONS, "%s tokens of %s"},
    [SORT_PROTOCOL] = {EXECUTION, ITS_FUNCTION, BAD_ORDER, "%s%s"},
    [SORT_DELAY] = {TIMING, WHOLE_TREE, TWO_FUNCTIONS, "%s%s"},
    [SORT_CONSTANT] = {VALUE, WHOLE_TREE, TWO_FILES, "%sconstant %s"},
    [SORT_GLOBAL] = {VALUE, ITS_FILE, TWO_ROLES, "global %s.%s"},
    [SORT_DEFAULT] = {VALUE, ITS_FILE, TWO_ROLES, "default %s.%s"},
    [SORT_IDENTITY] = {VALUE, ITS_FILE, TWO_ROLES, "identity %s.%s"},
    [SORT_RULE] = {RULE, ITS_RULE, TWO_PLACES, "%s%s"},
};

const char *const role_names[] = {
#define ROLE(name) #name,
#include "grammar.def"
};
const char *const locality_names[] = {"function", "module", "package", "project"};

/* ---- Taking facts ---------------------------------------------------------------------------- */

/* The run's number for a string of the detector; looked up once each. */
static uint32_t translate(struct run *run, struct detector *d, uint32_t id) {
    uint32_t *known = &d->map.items[id];
    if (*known == NO_STRING && id != NO_STRING)
        *known = shared_strings_put(&run->strings, strings_text(&d->strings, id),
                                    d->strings.entries.items[id].length);
    return *known;
}

/* Makes strings of the file strings of the run; the detector is this thread's, so without the lock. */
static void translate_all(struct run *run, struct detector *d, uint32_t file) {
    d->map.count = 0;
    for (uint32_t i = 0; i <= d->strings.entries.count; i++)
        *array_push(&d->map) = NO_STRING;
    for (uint32_t i = 0; i < d->facts.count; i++) {
        struct fact *fact = &d->facts.items[i];
        fact->file = file;
        fact->key = translate(run, d, fact->key);
        if (fact->sort != SORT_RULE)
            fact->scope = translate(run, d, fact->scope);
        fact->alias = translate(run, d, fact->alias);
        if (fact->function != NONE)
            fact->function_name = translate(run, d, d->functions.items[fact->function].name);
    }
}

void groups_take(struct run *run, struct detector *d, uint32_t file) {
    struct source_file *result = &run->corpus.files.items[file];
    struct fact_part *part = &run->parts[file % FACT_PARTS];
    translate_all(run, d, file);
    hold(&part->lock);
    for (uint32_t i = 0; i < d->facts.count; i++)
        *array_push(&part->facts) = d->facts.items[i];
    let_go(&part->lock);
    if (d->reason.count > 0 && result->reason == NULL)
        result->reason = must_copy(d->reason.items, d->reason.count);
    result->bytes = d->bytes;
    result->done = true;
}

/* Brings the parts together, each freed before the next one, and takes what binds names apart. */
void groups_gather(struct run *run) {
    for (int part = 0; part < FACT_PARTS; part++) {
        struct fact_part *from = &run->parts[part];
        for (uint32_t i = 0; i < from->facts.count; i++) {
            bool binds = from->facts.items[i].sort == SORT_BIND;
            *(binds ? array_push(&run->binds) : array_push(&run->facts)) = from->facts.items[i];
        }
        free(from->facts.items);
        lido_mutex_destroy(&from->lock);
    }
}

/* ---- From facts to places --------------------------------------------------------------------- */

static int compare_words(const void *a, const void *b, int from, int to) {
    const uint32_t *x = a, *y = b;
    for (int i = from; i < to; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

static int by_order(const void *a, const void *b) {
    return compare_words(a, b, 0, ORDER_WORDS);
}

static int by_group(const void *a, const void *b) {
    return compare_words(a, b, 0, GROUP_WORDS);
}

/* Prepares what imports bind: of each name in each file the first import of a module that is in the
 * corpus. Its key becomes the name, its scope the file, its line the file that it means. */
static void prepare_binds(struct run *run) {
    struct fact *binds = run->binds.items;
    uint32_t count = 0, kept = 0;
    for (uint32_t i = 0; i < run->binds.count; i++) {
        struct fact bind = binds[i];
        bind.line =
            corpus_find_module(&run->corpus, shared_strings_text(&run->strings, bind.scope));
        bind.function_name = bind.key;
        bind.key = bind.alias;
        bind.scope = bind.file;
        bind.alias = 0;
        if (bind.line != NONE)
            binds[count++] = bind;
    }
    if (count > 0)
        qsort(binds, count, sizeof *binds, by_order);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || by_group(&binds[kept - 1], &binds[i]) != 0)
            binds[kept++] = binds[i];
    }
    run->binds.count = kept;
}

/* Gives a fact its scope and makes it a place. Returns  false: it is none. */
static bool resolve(struct run *run, struct fact *fact) {
    struct corpus *corpus = &run->corpus;
    struct fact wanted = {.sort = SORT_BIND, .key = fact->key, .scope = fact->file};
    uint32_t module = fact->scope;
    enum scope scope = sort_rules[fact->sort].scope;
    const struct fact *bind = NULL;
    if (scope == WHOLE_TREE || scope == ITS_RULE)
        return true;
    if (fact->plain && run->binds.count > 0)
        bind = bsearch(&wanted, run->binds.items, run->binds.count, sizeof wanted, by_group);
    fact->scope = bind != NULL ? bind->line : fact->file;
    fact->key = bind != NULL ? bind->function_name : fact->key;
    fact->alias = scope == ITS_FUNCTION ? fact->function : 0;
    if (fact->sort != SORT_NAME)
        return true;
    if (fact->role == ROLE_definition)
        return corpus_find_module(corpus, corpus->files.items[fact->file].module) == fact->file;
    fact->scope = corpus_find_module(corpus, shared_strings_text(&run->strings, module));
    return fact->scope != NONE && fact->scope != fact->file;
}

/* ---- From places to findings -------------------------------------------------------------------- */

/* Takes out what counts once: definitions of a name after the first, and what a rule, an `is` or a
 * chain of targets met twice. Returns  how many are left. */
static uint32_t drop_repeated(struct fact *places, uint32_t count) {
    uint32_t kept = 0;
    bool defined = false;
    for (uint32_t i = 0; i < count; i++) {
        bool defines = places[i].sort == SORT_NAME && places[i].role == ROLE_definition;
        bool again = places[i].sort >= SORT_GLOBAL && kept > 0 &&
                     compare_words(&places[kept - 1], &places[i], 0, ORDER_WORDS) == 0;
        if (!again && !(defines && defined))
            places[kept++] = places[i];
        defined |= defines;
    }
    return kept;
}

/* Whether a protocol, in the order of the file, is a finding. */
static bool is_bad_order(const struct fact *places, uint32_t count) {
    bool first = false, second = false, guarded = false;
    for (uint32_t i = 0; i < count; i++) {
        first |= places[i].role == ROLE_first;
        second |= places[i].role == ROLE_second;
        guarded |= places[i].guarded;
    }
    return first && second && (places[0].role == ROLE_second || !guarded);
}

static bool meets(enum need need, const struct fact *places, uint32_t count) {
    if (need == TWO_PLACES || need == BAD_ORDER)
        return need == TWO_PLACES ? count >= 2 : is_bad_order(places, count);
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

static enum locality find_locality(const struct corpus *corpus, const struct fact *places,
                                   uint32_t count) {
    const char *path = corpus->files.items[places[0].file].path;
    size_t length = folder_length(path);
    enum locality locality = places[0].function != NONE ? LOCALITY_FUNCTION : LOCALITY_MODULE;
    for (uint32_t i = 1; i < count; i++) {
        const char *other = corpus->files.items[places[i].file].path;
        if (folder_length(other) != length || memcmp(path, other, length) != 0)
            return LOCALITY_PROJECT;
        if (places[i].file != places[0].file)
            locality = LOCALITY_PACKAGE;
        else if (places[i].function != places[0].function && locality == LOCALITY_FUNCTION)
            locality = LOCALITY_MODULE;
    }
    return locality;
}

static uint32_t make_key(struct run *run, const struct fact *place) {
    const struct sort_rule *rule = &sort_rules[place->sort];
    const char *name = shared_strings_text(&run->strings, place->key), *before = "";
    struct text key = {NULL, 0, 0};
    char count[24];
    if (place->sort == SORT_BODY) {
        uint64_t tokens;
        memcpy(&tokens, name, sizeof tokens);
        snprintf(count, sizeof count, "%llu", (unsigned long long)tokens);
        before = count;
        name = shared_strings_text(&run->strings, place->function_name);
    } else if (rule->scope == ITS_FILE) {
        before = run->corpus.files.items[place->scope].module;
    }
    text_print(&key, rule->key, before, name);
    uint32_t id = shared_strings_put(&run->strings, key.items, key.count);
    free(key.items);
    return id;
}

static void judge_group(struct run *run, uint32_t first, uint32_t count) {
    struct fact *places = &run->facts.items[first];
    const struct sort_rule *rule = &sort_rules[places[0].sort];
    bool is_rule = rule->kind == RULE;
    count = drop_repeated(places, count);
    if (!meets(rule->need, places, count))
        return;
    struct finding finding = {
        .first = first,
        .degree = count,
        .key = make_key(run, &places[0]),
        .kind_name = is_rule ? run->rules.files.parts.items[places[0].scope].name
                             : kind_detectors[rule->kind].name,
        .kind = rule->kind,
        .strength = is_rule ? RULE_STRENGTH : kind_detectors[rule->kind].strength,
        .heuristic = is_rule || kind_detectors[rule->kind].heuristic,
        .locality = (uint8_t)find_locality(&run->corpus, places, count),
    };
    *array_push(&run->findings) = finding;
    for (uint32_t i = 0; i < count; i++) {
        run->corpus.files.items[places[i].file].weight += finding.strength;
        run->corpus.files.items[places[i].file].places++;
    }
}

static int by_text(const void *a, const void *b, void *context) {
    const struct run *run = context;
    const struct finding *x = a, *y = b;
    const struct fact *p = &run->facts.items[x->first], *q = &run->facts.items[y->first];
    int order = x->kind - y->kind;
    if (order == 0)
        order = strcmp(x->kind_name, y->kind_name);
    if (order == 0)
        order = strcmp(shared_strings_text(&run->strings, x->key),
                       shared_strings_text(&run->strings, y->key));
    return order != 0 ? order : compare_words(p, q, GROUP_WORDS, ORDER_WORDS);
}

void groups_finish(struct run *run) {
    struct fact *facts = run->facts.items;
    uint32_t count = 0;
    prepare_binds(run);
    for (uint32_t i = 0; i < run->facts.count; i++) {
        facts[count] = facts[i];
        count += resolve(run, &facts[count]);
    }
    if (count > 0)
        qsort(facts, count, sizeof *facts, by_order);
    for (uint32_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && by_group(&facts[from], &facts[to]) == 0;)
            to++;
        judge_group(run, from, to - from);
    }
    if (run->findings.count > 0)
        qsort_r(run->findings.items, run->findings.count, sizeof *run->findings.items, by_text,
                run);
}
