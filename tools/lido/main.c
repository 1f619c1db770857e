/* SPDX-License-Identifier: MIT
 * main.c -- the lido command: finds the sub-command. */
#include "command.h"
#include "inspect/inspect.h"

#include <lido/lido.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char *argv[]);
    const char *help;
} commands[] = {
    {"run", cmd_run, "run a real program on lido's pools: inspect, swarm or arena"},
    {"validate", cmd_validate, "check the requirements: lido validate [--json FILE]"},
    {"bench", cmd_bench, "measure lido beside its peers: lido bench [NAME...] [--json FILE]"},
    {"panels", cmd_panels, "print the gauges and knobs of every kind of resource"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_usage(FILE *out) {
    fprintf(out, "usage: lido COMMAND ...\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "  %-10s this\n  %-10s the version\n", "--help", "--version");
    fprintf(out, "\nExit status: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted.\n");
}

int main(int argc, char *argv[]) {
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("lido %s\n", lido_version());
        return EXIT_DONE;
    }
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "lido: no command '%s'; lido --help lists them\n", argv[1]);
    return EXIT_USAGE;
}
