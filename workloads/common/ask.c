/* SPDX-License-Identifier: MIT
 * ask.c -- see ask.h. */
#include "ask.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_answer(int fd, char *out, size_t size) {
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 &&
           ((got = read(fd, out + length, size - 1 - length)) > 0 || (got < 0 && errno == EINTR)))
        length += got > 0 ? (size_t)got : 0;
    out[length] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

char *ask_program(char *const arguments[]) {
    char answer[4096] = "";
    int ends[2], status = -1;
    pid_t child;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error == 0) {
        read_answer(ends[0], answer, sizeof answer);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    return error == 0 && status == 0 && answer[0] != '\0' ? must_copy(answer, strlen(answer))
                                                          : NULL;
}

char *ask_python(const char *code) {
    static char program[] = "python3", isolated[] = "-I", option[] = "-c";
    char *question = must_copy(code, strlen(code));
    char *const arguments[] = {program, isolated, option, question, NULL};
    char *answer = ask_program(arguments);
    free(question);
    return answer;
}

char *ask_python_library(void) {
    return ask_python("import sysconfig; print(sysconfig.get_path('stdlib'))");
}
