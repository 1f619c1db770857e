/* SPDX-License-Identifier: MIT
 * parts.h -- what the parts of inspect know of each other.
 *
 *   corpus.c      which files, which modules            rules.c       queries of the user
 *   detector.c    the pooled object, one file in it     groups.c      facts become findings
 *   visit.c       one walk over the tree for all kinds  worker.c      threads
 *   look.c, literal.c     what the kinds see            store.c, report.c, measure.c   what comes out
 *   static.c, dynamic.c   the eight kinds               inspect.c     options and the run
 */
#ifndef INSPECT_PARTS_H
#define INSPECT_PARTS_H

#include "common/bundle.h"
#include "common/crew.h"
#include "common/files.h"
#include "common/hold.h"
#include "common/lock_report.h"
#include "common/pool_report.h"
#include "common/pooled_malloc.h"
#include "common/processors.h"
#include "common/query.h"
#include "common/shared_strings.h"
#include "common/text.h"
#include "inspect.h"

#include <stdio.h>
#include <tree_sitter/api.h>

/* ---- corpus.c ------------------------------------------------------------------------------- */

struct source_file {
    const char *path;
    char *module;                     /* "json.decoder"; "" for a folder that could not be read */
    char *reason;                     /* why it was not analysed, or NULL */
    uint64_t bytes;                   /* as found, later as read; 0 if it could not be read */
    uint64_t weight;                  /* the strengths of its places in findings, added up */
    uint64_t detect_ns, hand_over_ns; /* in the detector; getting it, results, giving it back */
    uint32_t places;                  /* in findings */
    uint32_t package_bytes;           /* length of the package in module */
    bool in_package, done;
};

#define NONE UINT32_MAX /* no file, no function */
enum { FACT_PARTS = 16 };

struct corpus {
    struct found_files found;
    ARRAY(struct source_file) files; /* by path, bytewise */
    uint64_t *work;                  /* corpus_order, largest first */
    struct strings modules;          /* names of modules ... */
    ARRAY(uint32_t) module_files;    /* ... and the file that each means */
    uint32_t work_count;
};

/* sample: so many files of the work only, evenly chosen; 0: all. false: errno says why. */
bool corpus_read(struct corpus *corpus, const char *dir, uint32_t sample);
void corpus_end(struct corpus *corpus);
/* Returns  the numbers of the files in the lower halves, the largest or heaviest first; free it. */
uint64_t *corpus_order(const struct corpus *corpus, bool by_weight);
/* Returns  the file that a module name means, or NONE. */
uint32_t corpus_find_module(struct corpus *corpus, const char *module);

/* ---- Facts: what a file says ---------------------------------------------------------------- */

/* The eight kinds in the order of their strength, then what rule files find. */
enum kind { NAME, TYPE, MEANING, POSITION, ALGORITHM, EXECUTION, TIMING, VALUE, KIND_COUNT, RULE };

enum role {
#define ROLE(name) ROLE_##name,
#include "grammar.def"
};

enum sort {
#define SORT(name) SORT_##name,
#include "grammar.def"
};

/* A place, with what it is grouped by. Strings are those of the file, later those of the run. */
struct fact {
    /* What it is grouped by. */
    uint32_t sort, key;
    uint32_t
        scope; /* module of an import, number of a rule; groups.c makes it the file of the key */
    uint32_t alias; /* of SORT_BIND, which is no place: `from scope import key as alias` */
    /* Where it is; start is a byte offset, for order. */
    uint32_t file, start, role, line;
    uint32_t function, function_name; /* number in the file, or NONE */
    bool plain;                       /* a call of a plain name, which an import may bind */
    bool guarded;                     /* half of a protocol: in a finally block, or a with item */
};
enum {
    GROUP_WORDS = 4,
    ORDER_WORDS = 7
}; /* a fact begins with what it is grouped and ordered by */

struct function {
    uint32_t name, start, end, parent;
    uint32_t line, first_token, last_token; /* tokens of the body; last is behind */
};

/* ---- Syntax nodes, by what they are called in the grammar ------------------------------------- */

enum node_kind {
    NODE_OTHER,
#define NAMED(id, name) NODE_##id,
#define PLAIN(id, name) NODE_##id,
#include "grammar.def"
    NODE_KIND_COUNT
};

enum field {
#define FIELD(name) FIELD_##name,
#include "grammar.def"
    FIELD_COUNT
};

/* ---- The detector: the pooled object ---------------------------------------------------------- */

/* A node on the path from the root to the one at hand. */
struct frame {
    TSNode node;
    uint32_t function; /* the innermost def that contains the node; a def contains itself */
    uint8_t kind;      /* enum node_kind */
    bool in_finally;   /* of the same function */
    bool is_body;      /* the body of the def above it */
};

/* A call, taken apart once for all kinds. */
struct call {
    TSNode callee, object, arguments; /* without parentheses; object: of an attribute call */
    const char *name;                 /* of the function reference; NULL: it has none */
    uint32_t name_length;
    bool attribute;
};

struct argument {
    TSNode node, value;                /* differ for a keyword argument */
    bool positional, starred, keyword; /* none of them: `**x` */
};

/* Everything that analysing one file needs, built once: a parser, cursors, compiled user queries with
 * their regular expressions, scratch and results. What never changes is shared by all detectors. */
struct detector {
    const struct corpus *corpus;
    uint32_t kinds; /* bit mask of enum kind */
    TSParser *parser;
    TSTreeCursor walk, look; /* the walk, and glances at children */
    TSQueryCursor *matches;
    struct ruleset *rules;
    struct query *query; /* the rules, compiled */
    bool has_cursors, owns_query;

    /* The file at hand. */
    const struct source_file *file;
    struct text source, text; /* text: scratch for keys */
    uint32_t bad_line;        /* where a form stands that Python 3 refuses; 0: nowhere */
    ARRAY(struct frame) frames;
    ARRAY(TSNode) nodes; /* scratch for children */
    ARRAY(struct argument) arguments;
    ARRAY(uint64_t) tokens; /* their hashes; 0 is a semicolon */
    struct call call;
    /* Of an assignment, `a = b = value` or `a: T = value`; both without parentheses. */
    ARRAY(TSNode) targets;
    TSNode value;

    /* Its results. */
    struct strings strings;
    ARRAY(uint32_t) map; /* from strings to those of the run; NO_STRING: not looked up */
    ARRAY(struct function) functions;
    ARRAY(struct fact) facts;
    uint64_t bytes;
    struct text reason; /* why it could not be analysed; empty: it was */
};

/* One kind of connascence: which nodes it sees, and what it does then and at the end of a file. */
struct kind_detector {
    const char *name;
    uint8_t strength;
    bool heuristic;
    void (*enter)(struct detector *d, const struct frame *frame);
    void (*finish)(struct detector *d);
};
extern const struct kind_detector kind_detectors[KIND_COUNT];   /* dynamic.c, both */
extern const uint8_t kind_wants[KIND_COUNT][8];                 /* enum node_kind */
void name_enter(struct detector *d, const struct frame *frame); /* static.c, these five */
void type_enter(struct detector *d, const struct frame *frame);
void meaning_enter(struct detector *d, const struct frame *frame);
void position_enter(struct detector *d, const struct frame *frame);
void algorithm_finish(struct detector *d);

const TSLanguage *tree_sitter_python(void);
/* Makes the tables that all detectors share; false, after a message: the grammar does not fit. */
bool detector_prepare(void);
/* The callbacks of the pool; the context is the run. Creating fails if a rule does not compile. */
int detector_create(void *context, void **object);
int detector_reset(void *context, void *object);
void detector_destroy(void *context, void *object);
/* Reads and analyses a file; results and reason are in d until the reset. */
void detector_run(struct detector *d, uint32_t file);

void visit_prepare(const TSLanguage *language);
void visit_tree(struct detector *d, TSNode root);

/* ---- look.c, literal.c: what the kinds see of the tree ----------------------------------------- */

enum node_kind kind_of(TSNode node);
TSNode field_of(TSNode node, enum field field);
const char *text_of(const struct detector *d, TSNode node, uint32_t *length);
bool text_is(const struct detector *d, TSNode node, const char *text);
TSNode without_parentheses(TSNode node);
/* The text of a node as a string; the scratch text as one. */
uint32_t put_node(struct detector *d, TSNode node);
uint32_t put_text(struct detector *d);
/* Adds it to the scratch text, without white space. */
void add_compact(struct detector *d, TSNode node);
/* Adds the named children but comments to d->nodes, for the caller to take off; returns how many. */
uint32_t push_children(struct detector *d, TSNode node);
uint32_t count_children(struct detector *d, TSNode node);
/* The frame `up` levels above the current one; NULL beyond the root. */
const struct frame *frame_above(const struct detector *d, uint32_t up);
bool at_top_level(const struct detector *d);
struct call take_call_apart(const struct detector *d, TSNode call);
bool calls(const struct call *call, const char *name);
/* The arguments of d->call in order, in d->arguments; returns how many are positional or starred. */
uint32_t collect_arguments(struct detector *d);
/* Fills d->targets and d->value; false: a link of a chain, or no value. */
bool take_assignment_apart(struct detector *d, TSNode assignment);
/* Adds a fact in the function of the node at hand. */
struct fact *note(struct detector *d, enum sort sort, enum role role, uint32_t key, TSNode place);

enum literal_sort { NO_LITERAL, AN_INTEGER, A_FLOAT, AN_IMAGINARY, A_STRING };
struct literal {
    enum literal_sort sort;
    bool trivial; /* 0, 1, -1, empty, "__main__" */
    uint32_t key; /* string */
};
/* What literal a node is; parentheses and a minus sign are looked through. */
struct literal read_literal(struct detector *d, TSNode node);
/* The key of a number as a real number: 1.0 is 1. */
uint32_t real_number_key(struct detector *d, const struct literal *literal);

/* ---- rules.c: tree-sitter queries in *.scm files, docs/inspect.md ------------------------------- */

struct ruleset {
    struct bundle files;       /* one query of all walks a tree once; names: "rule.environment" */
    struct query *shared;      /* one for all detectors instead of one each; for comparison */
    lido_mutex lock;           /* over the next two, while there are threads */
    struct text error;         /* why the last compilation failed; empty: it did not */
    uint64_t match_limit_hits; /* files in which the query gave up */
};

/* Reads a file or all *.scm of a folder; false: rules->error says why. */
bool rules_read(struct ruleset *rules, const char *path);
void rules_end(struct ruleset *rules);
/* NULL: rules->error says why. */
struct query *rules_compile(struct ruleset *rules);
/* Runs the rules over a tree and adds their facts. */
void rules_run(struct ruleset *rules, struct detector *d, TSNode root);

/* ---- A run ------------------------------------------------------------------------------------- */

enum locality { LOCALITY_FUNCTION, LOCALITY_MODULE, LOCALITY_PACKAGE, LOCALITY_PROJECT };

struct finding {
    uint32_t first, degree; /* its places in run->facts */
    uint32_t key;           /* string */
    const char *kind_name;  /* "name" ... "value" or "rule.<stem>" */
    uint8_t kind, strength, locality;
    bool heuristic;
};

struct options {
    const char *dir, *db, *json, *rules, *measure;
    uint32_t threads, detectors, wait_s, sample, kinds;
    bool no_pool, no_progress, locks, share_rules, plain_malloc, serial, one_lock;
};

struct run {
    struct options options;
    struct corpus corpus;
    struct ruleset rules;
    lido_object_pool *detectors; /* NULL with no_pool */
    struct crew crew;

    struct lock_report locks; /* with options.locks */

    struct shared_strings strings;
    struct fact_part {
        lido_mutex lock;
        ARRAY(struct fact) facts;
    } parts[FACT_PARTS]; /* of file N in part N % FACT_PARTS */
    lido_mutex lock;
    char failure[1024]; /* under the lock: why no more files can be done; "": all is well */

    ARRAY(struct fact) facts; /* of all parts; later: places, by group */
    ARRAY(struct fact) binds; /* those of SORT_BIND */
    uint64_t bytes, detect_ns, hand_over_ns;
    ARRAY(struct finding) findings; /* by kind, key, first place */
    uint64_t begin_ns;
    double wall_s;
    struct processors_used used;
    struct pool_report pool;
    struct pooled_malloc_counts allocations;
};

/* Copies a file's results out of the detector; from any thread. */
void groups_take(struct run *run, struct detector *d, uint32_t file);
/* Brings together what was copied; all workers have ended. */
void groups_gather(struct run *run);
/* Makes the findings. */
void groups_finish(struct run *run);
extern const char *const role_names[], *const locality_names[];

/* Makes the pool with one detector in it, so that a bad rule is found here; false: run->failure. */
bool workers_prepare(struct run *run);
/* Analyses the corpus; returns when it is done or interrupted. false: run->failure. */
bool workers_run(struct run *run);
bool workers_end(struct run *run);

/* Opens the database and locks it for writing. NULL: *message, to be freed. */
struct sqlite3 *store_open(const char *path, char **message);
/* Writes files and findings in one transaction and closes; a NULL run: only closes. */
bool store_write(struct sqlite3 *db, const struct run *run, char **message);

void report_summary(const struct run *run, FILE *out);
bool report_json(const struct run *run, const char *path); /* false: errno says why */

/* Returns  EXIT_DONE, or the status to end with: no such measure, or one that the options do not fit. */
int measure_check(const struct options *options);
bool measure_getting_ready(struct run *run); /* in place of workers_run */
void measure_print(const struct run *run);

#endif
