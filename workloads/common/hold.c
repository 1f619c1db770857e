/* SPDX-License-Identifier: MIT
 * hold.c -- see hold.h. */
#include "hold.h"

#include <stdio.h>
#include <stdlib.h>

static void must(lido_status status) {
    if (status != LIDO_OK) {
        fprintf(stderr, "lido: %s\n", lido_last_error());
        abort();
    }
}

void hold_at(lido_mutex *mutex, const char *site) {
    must(lido_mutex_lock_at(mutex, site));
}

void let_go(lido_mutex *mutex) {
    must(lido_mutex_unlock(mutex));
}
