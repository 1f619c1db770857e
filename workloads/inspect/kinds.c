/* SPDX-License-Identifier: MIT
 * kinds.c -- the eight kinds of connascence as a table, weak to strong (docs/inspect.md).
 *
 * To add to a kind: name the node kinds it wants to see, and note facts when one is entered.
 * A kind that must have seen the whole file first does the rest when it is finished. */
#include "kinds.h"

const struct kind_detector kind_detectors[KIND_COUNT] = {
    [KIND_NAME] = {"name", 1, false, name_wants, name_enter, NULL},
    [KIND_TYPE] = {"type", 2, false, type_wants, type_enter, NULL},
    [KIND_MEANING] = {"meaning", 3, false, meaning_wants, meaning_enter, NULL},
    [KIND_POSITION] = {"position", 4, false, position_wants, position_enter, NULL},
    [KIND_ALGORITHM] = {"algorithm", 5, false, algorithm_wants, algorithm_enter, algorithm_finish},
    [KIND_EXECUTION] = {"execution", 6, true, execution_wants, execution_enter, execution_finish},
    [KIND_TIMING] = {"timing", 7, true, timing_wants, timing_enter, NULL},
    [KIND_VALUE] = {"value", 8, true, value_wants, value_enter, value_finish},
};
