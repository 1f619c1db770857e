/* SPDX-License-Identifier: MIT
 * A server's read buffers: never more than 64 of them, and a flood of requests is refused instead of
 * swapped. Lines are read from stdin, each into a buffer of its own, and answered in reverse order
 * once 64 are waiting or the input ends.
 *
 *     seq 200 | block_pool */
#include <lido/block_figures.h>
#include <lido/block_pool.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { line_bytes = 4096, line_limit = 64 };

/* Prints what waits, last line first, and gives the buffers back. */
static void answer(lido_block_pool *pool, char *waiting[], uint64_t count) {
    while (count > 0) {
        fputs(waiting[--count], stdout);
        if (lido_block_pool_release(pool, waiting[count]) != LIDO_OK)
            fprintf(stderr, "%s\n", lido_last_error());
    }
}

int main(void) {
    lido_block_pool *pool;
    char *waiting[line_limit];
    uint64_t count = 0;
    if (lido_block_pool_create(LIDO_BLOCK_POOL_OPTIONS(.name = "lines", .owner = "reader",
                                                       .block_size = line_bytes,
                                                       .block_limit = line_limit),
                               &pool) != LIDO_OK)
        return fprintf(stderr, "lines: %s\n", lido_last_error()), 1;

    for (;;) {
        char *line = lido_block_pool_acquire(pool);
        if (line == NULL) { /* all 64 are out: lido_last_status() is LIMIT */
            answer(pool, waiting, count);
            count = 0;
            continue;
        }
        if (fgets(line, line_bytes, stdin) == NULL) {
            (void)lido_block_pool_release(pool, line);
            break;
        }
        waiting[count++] = line;
    }
    answer(pool, waiting, count);

    lido_block_pool_stats f = {.struct_size = sizeof f};
    if (lido_block_pool_read_stats(pool, &f) == LIDO_OK)
        fprintf(stderr, "%" PRIu64 " buffers served by %" PRIu64 ", refused %" PRIu64 " times\n",
                f.acquired, f.live_peak, f.refused_limit);
    return lido_block_pool_destroy(pool) == LIDO_OK ? 0 : 1;
}
