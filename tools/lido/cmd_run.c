/* SPDX-License-Identifier: MIT
 * cmd_run.c -- `lido run NAME`: real programs on public headers only. */
#include "arena/arena.h"
#include "command.h"
#include "inspect/inspect.h"
#include "swarm/swarm.h"

#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: lido run NAME ...\n\n"
                            "  arena      plays a game in dense pools, and without\n"
                            "  inspect    finds connascence in a Python source tree\n"
                            "  swarm      optimises a function on a block pool, and without\n\n"
                            "lido run NAME --help says more.\n";

int cmd_run(int argc, char *argv[]) {
    if (argc < 2) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(usage, stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "arena") == 0)
        return lido_run_arena(argc - 1, argv + 1);
    if (strcmp(argv[1], "inspect") == 0)
        return inspect_main(argc - 1, argv + 1);
    if (strcmp(argv[1], "swarm") == 0)
        return lido_run_swarm(argc - 1, argv + 1);
    fprintf(stderr, "lido run: no program '%s'; lido run --help lists them\n", argv[1]);
    return EXIT_USAGE;
}
