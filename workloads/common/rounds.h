/* SPDX-License-Identifier: MIT
 * rounds.h -- for programs that play the same thing in several variants, round by round, each run in a
 * process of its own: Ctrl-C, the process, progress on stderr, and numbers in and out. */
#ifndef COMMON_ROUNDS_H
#define COMMON_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

/* Reads the value of --option; false: it was refused in one line on stderr. */
bool rounds_read_number(const char *program, const char *option, const char *text, uint64_t least,
                        uint64_t most, uint64_t *number);

/* Calls run while Ctrl-C waits, because this process has work to tell of: the one that computes ends
 * at once. A run that returns 130 has told of it.
 *
 * Returns  what run does. */
int rounds_run(int (*run)(void *context), void *context);

/* Returns  whether Ctrl-C waits. */
bool rounds_interrupted(void);

/* Calls play in a process of its own, so that no variant inherits the heap of another.
 *
 * Returns  0, or the signal that ended it; -1: there is no such process. */
int rounds_play_apart(void (*play)(void *context), void *context);

/* 1234567 as "1,234,567". */
const char *rounds_grouped(uint64_t n, char text[32]);

/* ---- Progress: a bar on a terminal, a line a run otherwise, or nothing -------------------------- */

struct rounds_progress {
    const char *program, *unit; /* "arena", "ticks" */
    bool silent, terminal;
    const char *variant;
    uint64_t run, runs;  /* this one, and how many there will be */
    uint64_t unit_count; /* of one run */
    uint64_t started_ns, shown_ns;
};

void rounds_progress_open(struct rounds_progress *progress, const char *program, const char *unit,
                          bool silent, uint64_t runs, uint64_t unit_count);
void rounds_progress_start(struct rounds_progress *progress, const char *variant);

/* The bar is drawn ten times a second at most; `more` stands behind it. */
void rounds_progress_show(struct rounds_progress *progress, uint64_t done, const char *more);

/* cpu_s: of the run; 0: it failed. */
void rounds_progress_end(const struct rounds_progress *progress, double cpu_s);

#endif
