/* SPDX-License-Identifier: MIT
 * rounds.c -- see rounds.h. */
#include "common/rounds.h"

#include <errno.h>
#include <inttypes.h>
#include <lido/base.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

bool rounds_read_number(const char *program, const char *option, const char *text, uint64_t least,
                        uint64_t most, uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number >= least &&
        *number <= most)
        return true;
    fprintf(stderr, "lido run %s: --%s is %s, must be a number from %" PRIu64 " to %" PRIu64 "\n",
            program, option, text, least, most);
    return false;
}

const char *rounds_grouped(uint64_t n, char text[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n), to = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = digits[i];
    }
    text[to] = '\0';
    return text;
}

/* ---- Ctrl-C and processes -------------------------------------------------------------------- */

static sigset_t interrupt(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    return set;
}

int rounds_run(int (*run)(void *context), void *context) {
    sigset_t set = interrupt(), before;
    struct timespec at_once = {0, 0};
    sigprocmask(SIG_BLOCK, &set, &before);
    int result = run(context);
    if (result == 130)
        (void)sigtimedwait(&set, NULL, &at_once); /* told: it need not end us, too */
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}

bool rounds_interrupted(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGINT) == 1;
}

int rounds_play_apart(void (*play)(void *context), void *context) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        sigset_t set = interrupt();
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        play(context);
        _exit(0);
    }
    if (child < 0)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return SIGABRT;
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    return WEXITSTATUS(status) == 0 ? 0 : SIGABRT;
}

/* ---- Progress -------------------------------------------------------------------------------- */

void rounds_progress_open(struct rounds_progress *progress, const char *program, const char *unit,
                          bool silent, uint64_t runs, uint64_t unit_count) {
    *progress = (struct rounds_progress){.program = program,
                                         .unit = unit,
                                         .silent = silent,
                                         .terminal = isatty(2) != 0,
                                         .runs = runs,
                                         .unit_count = unit_count};
}

void rounds_progress_start(struct rounds_progress *progress, const char *variant) {
    progress->run++;
    progress->variant = variant;
    progress->started_ns = progress->shown_ns = lido_now_ns();
}

void rounds_progress_show(struct rounds_progress *p, uint64_t done, const char *more) {
    uint64_t now_ns = lido_now_ns();
    if (p->silent || !p->terminal || now_ns - p->shown_ns < LIDO_MILLISECONDS(100))
        return;
    p->shown_ns = now_ns;
    enum { CELLS = 24 };
    char bar[CELLS + 1];
    for (uint64_t c = 0; c < CELLS; c++)
        bar[c] = c < done * CELLS / p->unit_count ? '#' : '.';
    bar[CELLS] = '\0';
    fprintf(stderr, "\r\033[K%s %" PRIu64 "/%" PRIu64 " %-11s [%s] %3.0f %%  %.0f %s/s%s",
            p->program, p->run, p->runs, p->variant, bar,
            100 * (double)done / (double)p->unit_count,
            (double)done / ((double)(now_ns - p->started_ns) * 1e-9), p->unit, more);
    fflush(stderr);
}

void rounds_progress_end(const struct rounds_progress *p, double cpu_s) {
    if (p->silent)
        return;
    if (p->terminal)
        fputs("\r\033[K", stderr);
    else if (cpu_s > 0)
        fprintf(stderr, "%s %" PRIu64 "/%" PRIu64 " %s: %.3f s of CPU, %.0f %s/s\n", p->program,
                p->run, p->runs, p->variant, cpu_s, (double)p->unit_count / cpu_s, p->unit);
}
