/* SPDX-License-Identifier: MIT
 * contestant.c -- processes of contestants: started, waited for with a limit, traced.
 *
 * What a contestant prints goes into files in memory, so the bench sleeps while it runs and takes no
 * CPU from it.
 */
#include "contestant.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN_LIMIT_MS = 120000, PATH_BYTES = 4096, COMMAND_WORDS_MAX = BENCH_ARGUMENTS_MAX + 12 };

typedef struct command {
    const char *words[COMMAND_WORDS_MAX];
    size_t count;
    char program[PATH_BYTES];
    char preload[PATH_BYTES];
} command;

static void add_word(command *c, const char *word) {
    if (c->count + 1 < COMMAND_WORDS_MAX)
        c->words[c->count++] = word;
}

/* The contestant's program stands beside the bench that runs. */
static void find_program(command *c, const bench_contestant *who) {
    char own[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(own, '/');
    if (slash)
        *slash = '\0';
    const char *folder = strchr(who->program, '/') ? "" : "peers/";
    int needed = snprintf(c->program, sizeof c->program, "%s/%s%s", own, folder, who->program);
    if (needed < 0 || (size_t)needed >= sizeof c->program)
        c->program[0] = '\0';
}

static int file_in_memory(const char *name) {
    int file = memfd_create(name, MFD_CLOEXEC);
    if (file < 0)
        worker_fail("memfd_create: %s", strerror(errno));
    return file;
}

/* In the child: its output, its environment, its program. Only calls that are safe after fork. */
static _Noreturn void become(const command *c, int output, int errors, bool traced) {
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(126);
    if (c->preload[0] != '\0')
        putenv((char *)(uintptr_t)c->preload);
    execvp(c->words[0], (char *const *)(uintptr_t)c->words);
    _exit(127);
}

static pid_t start(const command *c, int output, int errors, bool traced) {
    pid_t child = fork();
    if (child < 0)
        worker_fail("fork: %s", strerror(errno));
    if (child == 0)
        become(c, output, errors, traced);
    return child;
}

/* Returns the exit status; 124 when it ran past the limit, 128 + signal when one killed it. */
static int wait_for(pid_t child) {
    int status = 0;
    int process = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd ended = {.fd = process, .events = POLLIN};
    bool late = process >= 0 && poll(&ended, 1, RUN_LIMIT_MS) == 0;
    if (late)
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (process >= 0)
        close(process);
    if (late)
        return 124;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- Counting system calls ------------------------------------------------------------------- */

typedef struct call_count {
    unsigned marks;
    unsigned calls;
} call_count;

/* One stop of a traced thread; returns the signal to hand on. */
static int look_at_stop(pid_t thread, int status, call_count *seen) {
    struct __ptrace_syscall_info info;
    int number = WSTOPSIG(status);
    if (number != (SIGTRAP | 0x80))
        return number == SIGTRAP || number == SIGSTOP ? 0 : number;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return 0;
    if (info.entry.nr == SYS_getppid)
        seen->marks++;
    else if (seen->marks == 1)
        seen->calls++;
    return 0;
}

/* Follows the child and its threads to the end; returns its exit status as wait_for does. */
static int trace(pid_t child, call_count *seen) {
    int status;
    bool prepared = false;
    pid_t thread;
    while ((thread = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == child)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int signal_number = prepared ? look_at_stop(thread, status, seen) : 0;
        if (!prepared)
            ptrace(PTRACE_SETOPTIONS, child, NULL,
                   PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
        prepared = true;
        ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(intptr_t)signal_number);
    }
    return 1;
}

/* ---- What came out ----------------------------------------------------------------------------- */

static FILE *reread(int file) {
    lseek(file, 0, SEEK_SET);
    FILE *stream = fdopen(file, "r");
    if (!stream)
        worker_fail("fdopen: %s", strerror(errno));
    return stream;
}

/* The numbers at the beginning of a line; returns how many there are. */
static size_t read_numbers(const char *line, double *numbers) {
    size_t count = 0;
    char *end;
    for (double number = strtod(line, &end); end != line && count < BENCH_FIGURES_MAX;
         number = strtod(line, &end)) {
        numbers[count++] = number;
        line = end;
    }
    return count;
}

/* Numbers, and the first line as text; closes the file. */
static void read_output(int file, contestant_output *output) {
    char line[512];
    FILE *stream = reread(file);
    for (bool first = true; fgets(line, sizeof line, stream); first = false) {
        double numbers[BENCH_FIGURES_MAX] = {0};
        if (first)
            snprintf(output->text, sizeof output->text, "%.*s", (int)strcspn(line, "\n"), line);
        if (read_numbers(line, numbers) == 0 || output->number_count == CONTESTANT_NUMBERS_MAX)
            continue;
        for (size_t i = 0; i < BENCH_FIGURES_MAX; i++)
            output->numbers[i][output->number_count] = numbers[i];
        output->number_count++;
    }
    fclose(stream);
}

/* The last line that says something becomes the text; "Collected : N" of callgrind the number. */
static void read_errors(int file, contestant_output *output, double *instructions) {
    char line[512];
    FILE *stream = reread(file);
    while (fgets(line, sizeof line, stream)) {
        const char *collected = strstr(line, "Collected : ");
        if (collected)
            *instructions = strtod(collected + 12, NULL);
        if ((output->status == CONTESTANT_FAILED || output->status == CONTESTANT_MISSING) &&
            line[0] != '\n')
            snprintf(output->text, sizeof output->text, "%.*s", (int)strcspn(line, "\n"), line);
    }
    fclose(stream);
}

static contestant_status status_of(int exit_status) {
    switch (exit_status) {
    case 0:
        return CONTESTANT_DONE;
    case WORKER_CANNOT:
        return CONTESTANT_CANNOT;
    case 127:
        return CONTESTANT_MISSING;
    default:
        return CONTESTANT_FAILED;
    }
}

static contestant_output run_command(command *c, bench_kind kind, double *instructions) {
    contestant_output output = {.status = CONTESTANT_DONE};
    call_count seen = {0, 0};
    bool traced = kind == BENCH_SYSTEM_CALLS;
    int printed = file_in_memory("output"), errors = file_in_memory("errors");
    pid_t child = start(c, printed, errors, traced);
    int status = traced ? trace(child, &seen) : wait_for(child);
    output.status = status_of(status);
    read_output(printed, &output);
    if (output.status == CONTESTANT_FAILED)
        snprintf(output.text, sizeof output.text, "exit status %d", status);
    read_errors(errors, &output, instructions);
    if (traced && output.status == CONTESTANT_DONE) {
        output.status = seen.marks == 2 ? CONTESTANT_DONE : CONTESTANT_FAILED;
        output.numbers[0][0] = seen.calls;
        output.number_count = 1;
    }
    return output;
}

static void begin_command(command *c, const bench_contestant *who) {
    *c = (command){.count = 0};
    find_program(c, who);
    if (who->preload)
        snprintf(c->preload, sizeof c->preload, "LD_PRELOAD=%s", who->preload);
}

contestant_output contestant_version(const bench_contestant *who) {
    command c;
    double unused = 0;
    begin_command(&c, who);
    add_word(&c, c.program);
    add_word(&c, "--version");
    contestant_output output = run_command(&c, BENCH_PRINTED, &unused);
    if (output.status == CONTESTANT_DONE && who->expected &&
        strncmp(output.text, who->expected, strlen(who->expected)) != 0)
        output.status = CONTESTANT_MISSING;
    if (output.status == CONTESTANT_MISSING && output.text[0] == '\0')
        snprintf(output.text, sizeof output.text, "not built; `make bench` brings what it can");
    return output;
}

/* What a case tells every contestant, and what this one is told on top. */
static void add_arguments(command *c, const bench_contestant *who, const bench_case *what) {
    for (size_t i = 0; i < BENCH_ARGUMENTS_MAX && what->arguments[i]; i++)
        add_word(c, what->arguments[i]);
    if (who->extra)
        add_word(c, who->extra);
}

/* Instructions of a run with so many operations. */
static contestant_output count_instructions(const bench_contestant *who, const bench_case *what,
                                            const char *operations, double *instructions) {
    command c;
    begin_command(&c, who);
    add_word(&c, "valgrind");
    add_word(&c, "--tool=callgrind");
    add_word(&c, "--callgrind-out-file=/dev/null");
    add_word(&c, c.program);
    add_arguments(&c, who, what);
    add_word(&c, "--fixed");
    add_word(&c, operations);
    *instructions = 0;
    return run_command(&c, BENCH_INSTRUCTIONS, instructions);
}

/* What 65,536 operations more cost, start and end of the process taken off. */
static contestant_output run_instructions(const bench_contestant *who, const bench_case *what) {
    double few, many;
    contestant_output output = count_instructions(who, what, "65536", &few);
    if (output.status == CONTESTANT_DONE)
        output = count_instructions(who, what, "131072", &many);
    if (output.status == CONTESTANT_DONE && few > 0 && many > few) {
        output.numbers[0][0] = (many - few) / 65536;
        output.number_count = 1;
    } else if (output.status == CONTESTANT_DONE) {
        output.status = CONTESTANT_FAILED;
    }
    return output;
}

contestant_output contestant_run(const bench_contestant *who, const bench_case *what,
                                 unsigned round, bool quick) {
    command c;
    char shift[16];
    double unused = 0;
    if (what->kind == BENCH_INSTRUCTIONS)
        return run_instructions(who, what);
    begin_command(&c, who);
    add_word(&c, c.program);
    add_arguments(&c, who, what);
    if (!strchr(who->program, '/')) {
        snprintf(shift, sizeof shift, "%u", round);
        add_word(&c, "--cpu"); /* each round on another CPU, the same for all contestants */
        add_word(&c, shift);
        add_word(&c, "--windows");
        add_word(&c, what->quiet ? "61" : quick ? "5" : "9");
        add_word(&c, "--window-us");
        add_word(&c, what->quiet ? "500" : quick ? "1000" : "2000");
    }
    return run_command(&c, what->kind, &unused);
}
