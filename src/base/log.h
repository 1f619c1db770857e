/* SPDX-License-Identifier: MIT
 * What lido has to say, as records for the application's callback: an event and its fields. */
#ifndef LIDO_SRC_BASE_LOG_H
#define LIDO_SRC_BASE_LOG_H

#include <lido/base.h>

/* Hands a record to the callback, if one is set and wants the level. Call it without locks. */
void lido__log(lido_log_level level, const char *event, const lido_log_field *fields,
               size_t field_count);

/* Fields as {"pool", name, 0}, {"index", NULL, 17}. */
#define LIDO__LOG(level, event, ...)                                                               \
    lido__log(level, event, (const lido_log_field[]){__VA_ARGS__},                                 \
              sizeof((const lido_log_field[]){__VA_ARGS__}) / sizeof(lido_log_field))

#endif
