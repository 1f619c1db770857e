/* SPDX-License-Identifier: MIT
 * command.h -- the sub-commands of lido. Each gets its own name as argv[0]. */
#ifndef LIDO_COMMAND_H
#define LIDO_COMMAND_H

int cmd_run(int argc, char *argv[]);
int cmd_bench(int argc, char *argv[]);
int cmd_panels(int argc, char *argv[]);
int cmd_validate(int argc, char *argv[]);

#endif
