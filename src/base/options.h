/* SPDX-License-Identifier: MIT
 * Structures that grow with the versions: options that callers hand in, figures that they get.
 * Both begin with a uint64_t struct_size and have no padding; old and new meet in both directions. */
#ifndef LIDO_SRC_BASE_OPTIONS_H
#define LIDO_SRC_BASE_OPTIONS_H

#include <lido/base.h>

/* Copies what the caller's options cover into *into (known_bytes of it), and zero behind.
 *
 * Errors   ARGUMENT     given is NULL, or its struct_size is no size of options
 *          UNSUPPORTED  a byte that this version does not know is not zero */
lido_status lido__options_read(const void *given, void *into, size_t known_bytes, const char *what);

/* Copies figures out, as far as the caller's struct_size reaches; zero behind what is known.
 *
 * Errors   ARGUMENT  given is NULL, or its struct_size is not set */
lido_status lido__figures_write(void *given, const void *from, size_t known_bytes,
                                const char *what);

#endif
