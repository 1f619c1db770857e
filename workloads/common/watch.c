/* SPDX-License-Identifier: MIT
 * watch.c -- see watch.h. */
#include "watch.h"

#include <lido/base.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static const char bar[] = "##############################";

static sigset_t interruptions(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

bool watch_begin(struct watch *watch) {
    sigset_t blocked = interruptions();
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    watch->signals = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
    watch->wake = watch->signals < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->wake < 0 && watch->signals >= 0)
        close(watch->signals);
    return watch->wake >= 0;
}

void watch_end(struct watch *watch) {
    eventfd_write(watch->wake, 1);
}

void watch_close(struct watch *watch) {
    close(watch->signals);
    close(watch->wake);
}

void watch_forget(void) {
    const struct timespec at_once = {0, 0};
    sigset_t set = interruptions();
    while (sigtimedwait(&set, NULL, &at_once) > 0) {}
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void pass_on(struct watch *watch) {
    struct signalfd_siginfo info;
    if (read(watch->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo != SIGUSR1) {
        sigset_t again = interruptions();
        watch->interrupt(watch->context);
        pthread_sigmask(SIG_UNBLOCK, &again, NULL);
        fprintf(stderr, "\n%s: stopping; once more ends at once\n", watch->name);
    }
    watch->tell(watch->context);
}

/* A bar on a terminal, else a line for each tenth. */
static void show(const struct watch *watch, double seconds, bool on_terminal, uint32_t *tenths) {
    const int cells = (int)sizeof bar - 1;
    uint32_t done = watch->read_done(watch->context), total = watch->total > 0 ? watch->total : 1;
    double share = (double)done / total, rate = done / (seconds + 1e-9);
    int filled = (int)(share * cells);
    if (on_terminal) {
        fprintf(stderr, "\r[%.*s%*s] %3.0f %%  %u of %u files, %.0f files/s %s", filled, bar,
                cells - filled, "", share * 100, done, watch->total, rate,
                done == watch->total ? "\n" : "");
    } else if ((uint32_t)(share * 10) > *tenths) {
        *tenths = (uint32_t)(share * 10);
        fprintf(stderr, "%s: %u of %u files, %.0f files/s\n", watch->name, done, watch->total,
                rate);
    }
}

void watch_run(struct watch *watch) {
    bool on_terminal = isatty(STDERR_FILENO) == 1;
    uint32_t tenths = 0;
    uint64_t begin_ns = lido_now_ns();
    struct pollfd polled[2] = {{watch->wake, POLLIN, 0}, {watch->signals, POLLIN, 0}};
    for (bool running = true; running;) {
        poll(polled, 2, 100);
        running = (polled[0].revents & POLLIN) == 0;
        if ((polled[1].revents & POLLIN) != 0)
            pass_on(watch);
        if (!watch->silent)
            show(watch, (double)(lido_now_ns() - begin_ns) / 1e9, on_terminal, &tenths);
    }
}
