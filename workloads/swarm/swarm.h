/* SPDX-License-Identifier: MIT
 * `lido run swarm`: particle swarm optimisation with buffers from a block pool, beside the same
 * program with buffers in place, from malloc (as it is, and told to keep its memory) and from calloc. docs/swarm.md tells what it shows. */
#ifndef SWARM_SWARM_H
#define SWARM_SWARM_H

/* argv[0] is "swarm".
 *
 * Returns  0 done, 1 a run failed or the trajectories differ, 2 wrong usage, 130 interrupted. */
int lido_run_swarm(int argc, char **argv);

#endif
