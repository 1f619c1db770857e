/* SPDX-License-Identifier: MIT
 * lock_report.h -- which locks a program waited for, and whose line made it wait.
 *
 * Locks measure all the time; a session says what happened between its two ends. There are three: the
 * whole work, its first half and its second one, so that what grows while the program runs is seen. */
#ifndef COMMON_LOCK_REPORT_H
#define COMMON_LOCK_REPORT_H

#include <jansson.h>
#include <lido/lock.h>
#include <stdio.h>

struct lock_report {
    lido_profile *whole, *first, *second; /* NULL: not begun */
};

/* false: lido_last_error() says why. */
bool lock_report_start(struct lock_report *report);
/* The work is half done; from one thread, once. */
void lock_report_half(struct lock_report *report);
/* Figures are exact if the locks have been destroyed by then. */
void lock_report_stop(struct lock_report *report);
void lock_report_end(struct lock_report *report);

/* A table of lock classes, then who waited where for whom. */
void lock_report_print(const struct lock_report *report, FILE *out);
/* The same for scripts; docs/inspect.md has the keys. */
json_t *lock_report_make_json(const struct lock_report *report);

#endif
