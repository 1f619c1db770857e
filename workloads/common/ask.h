/* SPDX-License-Identifier: MIT
 * ask.h -- asks another program. */
#ifndef COMMON_ASK_H
#define COMMON_ASK_H

/* Runs a program found on the PATH. Returns  the first line it prints, to be freed; NULL: it cannot be
 * started, failed or printed nothing. */
char *ask_program(char *const arguments[]);

/* The same of python3, for a line of Python. */
char *ask_python(const char *code);

/* The folder of Python's standard library, which is there to be analysed. */
char *ask_python_library(void);

#endif
