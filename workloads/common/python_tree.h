/* SPDX-License-Identifier: MIT
 * python_tree.h -- a source file as a tree, within bounds, because the parser has none: it may take minutes, or
 * corrupt memory, with files that are no Python, are nested more deeply than Python allows, or have
 * more comments in a row than anybody writes. */
#ifndef COMMON_PYTHON_TREE_H
#define COMMON_PYTHON_TREE_H

#include "text.h"

#include <tree_sitter/api.h>

/* NULL: the reason is `syntax error at line N`, `brackets nested too deeply at line N`, `more than N words, signs and
 * comments in one statement at line N` or `takes more than N s to parse`. */
TSTree *python_tree_parse(TSParser *parser, const struct text *source, struct text *reason);

#endif
