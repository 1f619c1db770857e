/* SPDX-License-Identifier: MIT
 * writable.h -- whether a file that a command is told to write can be written, asked before the work. */
#ifndef COMMON_WRITABLE_H
#define COMMON_WRITABLE_H

#include <stdbool.h>

/* False after a message that names command, option, path and way out. Makes and changes nothing, so
 * the writing itself can still fail. "-" is standard output. */
bool writable_or_refuse(const char *command, const char *option, const char *path);

#endif
