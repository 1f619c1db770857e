/* SPDX-License-Identifier: MIT
 * facts.h -- what a file says, as the detectors note it down: small records with numbered strings.
 *
 * A fact is one place with the keys it is grouped by. Detectors decide nothing that needs a second
 * file; groups.c does, by the table at its top.
 */
#ifndef INSPECT_FACTS_H
#define INSPECT_FACTS_H

#include "text.h"

/* The eight kinds in the order of their strength, then what rule files find. */
enum kind {
    KIND_NAME,
    KIND_TYPE,
    KIND_MEANING,
    KIND_POSITION,
    KIND_ALGORITHM,
    KIND_EXECUTION,
    KIND_TIMING,
    KIND_VALUE,
    KIND_COUNT,
    KIND_RULE = KIND_COUNT,
};

enum role {
    ROLE_DEFINITION,
    ROLE_IMPORT,
    ROLE_TYPE,
    ROLE_LITERAL,
    ROLE_CALL,
    ROLE_RETURN,
    ROLE_UNPACK,
    ROLE_FUNCTION,
    ROLE_FIRST,
    ROLE_SECOND,
    ROLE_DELAY,
    ROLE_CONSTANT,
    ROLE_BINDING,
    ROLE_GLOBAL,
    ROLE_DEFAULT,
    ROLE_IDENTITY,
    ROLE_PLACE,
    ROLE_COUNT,
};

/* What a fact is about; facts of different sorts never meet in a group. */
enum sort {
    SORT_NAME,      /* key: name; imports: module, name */
    SORT_TYPE,      /* key: dotted name */
    SORT_LITERAL,   /* key: literal */
    SORT_ARGUMENTS, /* key: function name */
    SORT_RESULTS,   /* key: function name */
    SORT_BODY,      /* key: count and hash of the tokens; module: name of the function */
    SORT_PROTOCOL,  /* key: receiver.open/close; only those that are findings */
    SORT_DELAY,     /* key: number */
    SORT_CONSTANT,  /* key: NAME = literal */
    SORT_GLOBAL,    /* key: name; only those with both roles, also the next two */
    SORT_DEFAULT,
    SORT_IDENTITY,
    SORT_RULE, /* key: text; module: name of the rule */
    SORT_BIND, /* no place: `from module import key as alias`, to resolve names by */
    SORT_COUNT,
};

#define NO_FUNCTION UINT32_MAX

struct fact {
    uint32_t key, module, alias; /* strings of the file, later of the whole run */
    uint32_t line, start;        /* where; start is a byte offset, for order */
    uint32_t function;           /* number in the file, or NO_FUNCTION */
    uint8_t sort, role;
    bool plain; /* a call of a plain name, which an import may bind */
};

struct function {
    uint32_t name; /* string */
    uint32_t line, start, end;
    uint32_t parent;                  /* function around it, or NO_FUNCTION */
    uint32_t first_token, last_token; /* of the body, in the detector's tokens; last is behind */
};

typedef ARRAY(struct fact) fact_array;
typedef ARRAY(struct function) function_array;

#endif
