/* SPDX-License-Identifier: MIT
 * What tests/check.h uses of cmocka, for a build with 32-bit addresses: Debian has cmocka for one
 * word size at a time, and these tests need a runner and nothing else of it. Used by
 * tests/e2e/test_bits32.py only. */
#ifndef LIDO_TESTS_BITS32_CMOCKA_H
#define LIDO_TESTS_BITS32_CMOCKA_H

#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state);
    int (*teardown_func)(void **state);
    void *initial_state;
};

static jmp_buf runner__failed;
static const char *runner__filter;

#define print_error(...)   fprintf(stderr, __VA_ARGS__)
#define print_message(...) printf(__VA_ARGS__)

static inline void _fail(const char *file, int line) {
    fprintf(stderr, "%s:%d: failed\n", file, line);
    longjmp(runner__failed, 1);
}

static inline void cmocka_set_test_filter(const char *name) {
    runner__filter = name;
}

static inline int runner__run(const struct CMUnitTest *test) {
    void *state = test->initial_state;
    if (setjmp(runner__failed) != 0)
        return 1;
    if (test->setup_func && test->setup_func(&state) != 0)
        return 1;
    test->test_func(&state);
    return test->teardown_func ? test->teardown_func(&state) : 0;
}

static inline int runner__run_all(const struct CMUnitTest *tests, size_t count) {
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (runner__filter && strcmp(runner__filter, tests[i].name) != 0)
            continue;
        int bad = runner__run(&tests[i]) != 0;
        printf("%s %s\n", bad ? "FAILED" : "passed", tests[i].name);
        failed += bad;
    }
    return failed;
}

#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    runner__run_all(tests, sizeof(tests) / sizeof((tests)[0]))

#endif
