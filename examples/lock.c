/* SPDX-License-Identifier: MIT
 * Four clerks book orders under one mutex; one of them holds it too long. Afterwards the profile says
 * which line made the others wait, without anybody having asked for it before. */
#include <lido/lock.h>

#include <pthread.h>
#include <stdio.h>

static lido_mutex orders_lock = LIDO_MUTEX_INIT("orders");
static unsigned orders; /* guarded by orders_lock */

static unsigned add_up(unsigned steps) {
    unsigned sum = orders;
    for (unsigned i = 0; i < steps; i++)
        sum = sum * 1103515245u + 12345u;
    return sum;
}

static void *book(void *slowly) {
    unsigned check = 0;
    for (int i = 0; i < 20000; i++) {
        if (lido_mutex_lock_for(&orders_lock, LIDO_SECONDS(5)) != LIDO_OK)
            return fprintf(stderr, "%s\n", lido_last_error()), NULL;
        orders++;
        (void)lido_mutex_unlock(&orders_lock);
        if (slowly && i % 20 == 0 && lido_mutex_lock(&orders_lock) == LIDO_OK) {
            check += add_up(100000); /* nobody needs the lock for this */
            (void)lido_mutex_unlock(&orders_lock);
        }
    }
    return check == 1 ? NULL : slowly;
}

int main(void) {
    static char slow[] = "slow";
    lido_profile *profile;
    pthread_t clerks[4];
    if (lido_profile_start(&profile) != LIDO_OK)
        return fprintf(stderr, "%s\n", lido_last_error()), 1;
    for (int i = 0; i < 4; i++)
        if (pthread_create(&clerks[i], NULL, book, i == 0 ? slow : NULL) != 0)
            return fputs("no thread to be had\n", stderr), 1;
    for (int i = 0; i < 4; i++)
        (void)pthread_join(clerks[i], NULL);
    (void)lido_mutex_destroy(&orders_lock);
    (void)lido_profile_stop(profile);
    lido_profile_pair row = LIDO_PROFILE_PAIR;
    for (uint64_t i = 0; lido_profile_read_pair(profile, i, &row); i++)
        if (!row.waits_at)
            printf("%-30s made others wait for \"%s\": %.1f ms\n", row.held_at, row.name,
                   (double)row.wait_ns / 1e6);
    printf("%u orders\n", orders);
    lido_profile_destroy(profile);
    return 0;
}
