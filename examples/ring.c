/* SPDX-License-Identifier: MIT
 * One thread makes numbers, two look which of them are prime. The ring between them holds eight: a
 * producer that is too quick waits, up to a second, and close tells the others when all is done. */
#include <lido/ring.h>

#include <pthread.h>
#include <stdio.h>

/* Returns how many primes there were, as a pointer. */
static void *count_primes(void *ring) {
    intptr_t primes = 0;
    void *item;
    while (lido_ring_remove(ring, LIDO_FOREVER, &item) == LIDO_OK) {
        uintptr_t number = (uintptr_t)item, divisor = 2;
        while (divisor * divisor <= number && number % divisor != 0)
            divisor++;
        primes += number >= 2 && divisor * divisor > number;
    }
    if (lido_last_status() != LIDO_ERR_CLOSED)
        fprintf(stderr, "%s\n", lido_last_error());
    return (void *)primes;
}

int main(void) {
    lido_ring *ring;
    pthread_t threads[2];
    void *primes[2] = {NULL, NULL};
    lido_ring_stats stats = {.struct_size = sizeof stats};
    if (lido_ring_create(LIDO_RING_OPTIONS(.name = "numbers", .capacity = 8), &ring) != LIDO_OK)
        return fprintf(stderr, "%s\n", lido_last_error()), 1;
    for (int t = 0; t < 2; t++)
        if (pthread_create(&threads[t], NULL, count_primes, ring) != 0)
            return fputs("no thread to be had\n", stderr), 1;
    for (uintptr_t number = 1; number <= 10000; number++)
        if (lido_ring_insert(ring, (void *)number, LIDO_SECONDS(1)) != LIDO_OK)
            fprintf(stderr, "%s\n", lido_last_error());
    lido_ring_close(ring);
    for (int t = 0; t < 2; t++)
        (void)pthread_join(threads[t], &primes[t]);
    printf("%d primes\n", (int)((intptr_t)primes[0] + (intptr_t)primes[1]));
    if (lido_ring_read_stats(ring, &stats) == LIDO_OK)
        printf("%d numbers passed through\n", (int)stats.removed);
    return lido_ring_destroy(ring) == LIDO_OK ? 0 : 1;
}
