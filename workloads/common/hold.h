/* SPDX-License-Identifier: MIT
 * hold.h -- locking in programs that have nothing better to do than to wait. */
#ifndef COMMON_HOLD_H
#define COMMON_HOLD_H

#include <lido/lock.h>

/* Locks. That cannot be refused but for a mistake in the program (DEADLOCK), which ends it with the
 * lock's own message. */
#define hold(mutex) hold_at(mutex, LIDO_HERE)
void hold_at(lido_mutex *mutex, const char *site);
void let_go(lido_mutex *mutex);

#endif
