/* SPDX-License-Identifier: MIT
 * inspect.h -- the connascence analyser, as the lido command sees it. docs/inspect.md is its specification.
 *
 *   corpus --> queue --> workers, each file with a pooled detector --> facts --> groups --> database, report
 */
#ifndef INSPECT_H
#define INSPECT_H

#include <stdbool.h>
#include <stdint.h>

/* What a command ends with; scripts rely on the numbers. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* Runs `lido run inspect`; argv[0] is "inspect". */
int inspect_main(int argc, char *argv[]);

/* Runs `lido bench inspect`: measures and prints a table, and JSON if asked for. */
int inspect_bench(int argc, char *argv[]);

#endif
