/* SPDX-License-Identifier: MIT
 * inspect.h -- the connascence analyser, as the lido command sees it. docs/inspect.md specifies it. */
#ifndef INSPECT_H
#define INSPECT_H

/* What a command ends with; scripts rely on the numbers. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* Runs `lido run inspect`; argv[0] is "inspect". */
int inspect_main(int argc, char *argv[]);

#endif
