/* SPDX-License-Identifier: MIT
 * `lido run arena`: the tick loop of a game whose short-lived things lie in dense pools, beside the
 * same loop on malloc, a free list, dense arrays and bitmaps. docs/arena.md tells what it shows. */
#ifndef ARENA_ARENA_H
#define ARENA_ARENA_H

/* argv[0] is "arena".
 *
 * Returns  0 done, 1 a run failed or the worlds differ, 2 wrong usage, 130 interrupted. */
int lido_run_arena(int argc, char **argv);

#endif
