/* SPDX-License-Identifier: MIT
 * A compiled pattern is dear to build and serves one thread at a time. Four threads share two, wait
 * for each other at most a second, and who waits in vain is told which lines hold them. */
#include <lido/object_pool.h>

#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

static int compile(void *context, void **object) {
    *object = malloc(sizeof(regex_t));
    int code = *object ? regcomp(*object, context, REG_EXTENDED | REG_NOSUB) : REG_ESPACE;
    if (code != 0)
        free(*object);
    return code; /* stands in lido_last_error() of whoever wanted a pattern */
}

static void end(void *context, void *object) {
    (void)context;
    regfree(object);
    free(object);
}

/* Returns how many of 10,000 numbers match, as a pointer. */
static void *count_matches(void *pool) {
    intptr_t matches = 0;
    for (int i = 0; i < 10000; i++) {
        char text[16];
        lido_lease lease;
        snprintf(text, sizeof text, "%d", i);
        if (lido_object_pool_acquire(pool, LIDO_SECONDS(1), &lease) != LIDO_OK) {
            fprintf(stderr, "%s\n", lido_last_error());
            continue;
        }
        matches += regexec(lease.object, text, 0, NULL, 0) == 0;
        (void)lido_object_pool_release(pool, &lease);
    }
    return (void *)matches;
}

int main(void) {
    static char pattern[] = "^(1|2)*7$"; /* read whenever a pattern is built */
    lido_object_pool *pool;
    pthread_t threads[4];
    void *matches[4];
    if (lido_object_pool_create(LIDO_OBJECT_POOL_OPTIONS(.name = "patterns", .object_limit = 2,
                                                         .create = compile, .destroy = end,
                                                         .context = pattern),
                                &pool) != LIDO_OK)
        return fprintf(stderr, "patterns: %s\n", lido_last_error()), 1;
    for (int t = 0; t < 4; t++)
        if (pthread_create(&threads[t], NULL, count_matches, pool) != 0)
            return fputs("no thread to be had\n", stderr), 1;
    for (int t = 0; t < 4 && pthread_join(threads[t], &matches[t]) == 0; t++)
        printf("thread %d: %d matches\n", t, (int)(intptr_t)matches[t]);
    return lido_object_pool_destroy(pool) == LIDO_OK ? 0 : 1;
}
