/* SPDX-License-Identifier: MIT
 * source.h -- reads one Python file as Python would, or says in a few words why it cannot. */
#ifndef INSPECT_SOURCE_H
#define INSPECT_SOURCE_H

#include "detector.h"

/* Fills d->source (no byte-order mark, line ends as LF, a zero byte behind). false: d->reason. */
bool source_read(struct detector *d, int root);

#endif
