/* SPDX-License-Identifier: MIT
 * lido/base.h and what stands under it: status, texts, options, time, call sites, log, system. */
#include "check.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"

/* ---- Version and status ---------------------------------------------------------------- */

static void the_version_is_that_of_the_header(void **state) {
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", LIDO_VERSION_MAJOR, LIDO_VERSION_MINOR,
             LIDO_VERSION_PATCH);
    CHECK(strcmp(lido_version(), text) == 0);
}

/* The numbers are written out: they never change, whatever the enum says one day. */
static const struct {
    int number;
    const char *name;
    lido_advice advice;
} statuses[] = {
    {0, "LIDO_OK", LIDO_ADVICE_NONE},
    {-1, "LIDO_ERR_ARGUMENT", LIDO_ADVICE_RECONFIGURE},
    {-2, "LIDO_ERR_UNSUPPORTED", LIDO_ADVICE_RECONFIGURE},
    {-3, "LIDO_ERR_NO_MEMORY", LIDO_ADVICE_RETRY},
    {-4, "LIDO_ERR_LIMIT", LIDO_ADVICE_WAIT},
    {-5, "LIDO_ERR_EMPTY", LIDO_ADVICE_RETRY},
    {-6, "LIDO_ERR_TIMEOUT", LIDO_ADVICE_RETRY},
    {-7, "LIDO_ERR_BUSY", LIDO_ADVICE_WAIT},
    {-8, "LIDO_ERR_CLOSED", LIDO_ADVICE_RECONNECT},
    {-9, "LIDO_ERR_NOT_HELD", LIDO_ADVICE_BUG},
    {-10, "LIDO_ERR_CALLBACK", LIDO_ADVICE_RETRY},
    {-11, "LIDO_ERR_SYSTEM", LIDO_ADVICE_RETRY},
    {-12, "LIDO_ERR_DEADLOCK", LIDO_ADVICE_BUG},
};

static void each_status_has_its_number_name_and_advice_for_ever(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        lido_status status = (lido_status)statuses[i].number;
        CHECK(strcmp(lido_status_name(status), statuses[i].name) == 0);
        CHECK_EQ(lido_status_advice(status), statuses[i].advice);
    }
}

static void a_number_that_is_no_status_is_called_so(void **state) {
    (void)state;
    CHECK(strcmp(lido_status_name((lido_status)-13), "LIDO_ERR_?") == 0);
    CHECK(strcmp(lido_status_name((lido_status)1), "LIDO_ERR_?") == 0);
    CHECK_EQ(lido_status_advice((lido_status)-13), LIDO_ADVICE_BUG);
}

/* ---- The last failure ------------------------------------------------------------------ */

static void look_without_a_failure(void *context) {
    (void)context;
    CHECK_EQ(lido_last_status(), LIDO_OK);
    CHECK(lido_last_error() != NULL && lido_last_error()[0] != '\0');
    (void)lido__thread();
    CHECK_EQ(lido_last_status(), LIDO_OK);
    CHECK(lido_last_error() != NULL && lido_last_error()[0] != '\0');
}

static void a_thread_without_a_failure_has_status_ok_and_a_text(void **state) {
    (void)state;
    check_in_thread(look_without_a_failure, NULL);
}

static void a_failure_stays_until_the_next_one(void **state) {
    (void)state;
    CHECK_FAILS(LIDO__FAIL(LIDO_ERR_LIMIT, "first", .word = {NULL}), LIDO_ERR_LIMIT, "first");
    CHECK_EQ(lido_registry_count(), 0);
    CHECK_EQ(lido_last_status(), LIDO_ERR_LIMIT);
    CHECK_FAILS(LIDO__FAIL(LIDO_ERR_BUSY, "second", .word = {NULL}), LIDO_ERR_BUSY, "second");
    CHECK(!strstr(lido_last_error(), "first"));
}

static void fail_in_thread(void *context) {
    (void)context;
    CHECK_EQ(lido_last_status(), LIDO_OK);
    CHECK_FAILS(LIDO__FAIL(LIDO_ERR_EMPTY, "theirs", .word = {NULL}), LIDO_ERR_EMPTY, "theirs");
}

static void each_thread_has_its_own_failure(void **state) {
    (void)state;
    (void)LIDO__FAIL(LIDO_ERR_LIMIT, "mine", .word = {NULL});
    check_in_thread(fail_in_thread, NULL);
    CHECK_EQ(lido_last_status(), LIDO_ERR_LIMIT);
    CHECK_ERROR_HAS("mine");
}

static void a_message_takes_words_and_numbers_in_turn(void **state) {
    (void)state;
    (void)LIDO__FAIL(LIDO_ERR_LIMIT, "%s|%u|%d|%p|%s|%u|100%%", .word = {"one", "two"},
                     .number = {UINT64_MAX, (uint64_t)-5, 0xabc, 0});
    CHECK(strcmp(lido_last_error(), "one|18446744073709551615|-5|0xabc|two|0|100%") == 0);
}

static void a_message_takes_all_four_words_and_six_numbers(void **state) {
    (void)state;
    (void)LIDO__FAIL(LIDO_ERR_LIMIT, "%s%s%s%s%u%u%u%u%u%u", .word = {"a", "b", "c", "d"},
                     .number = {1, 2, 3, 4, 5, 6});
    CHECK(strcmp(lido_last_error(), "abcd123456") == 0);
}

static void durations_are_told_in_the_unit_that_fits(void **state) {
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{0, "0 ns"},
                 {999, "999 ns"},
                 {1000, "1 us"},
                 {1500, "1.5 us"},
                 {LIDO_MILLISECONDS(250), "250 ms"},
                 {LIDO_SECONDS(1) - 1, "999.9 ms"},
                 {LIDO_SECONDS(30), "30 s"},
                 {LIDO_SECONDS(90), "1.5 min"},
                 {LIDO_SECONDS(7200), "2 h"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)LIDO__FAIL(LIDO_ERR_TIMEOUT, "%t", .number = {cases[i].ns});
        CHECK(strcmp(lido_last_error(), cases[i].text) == 0);
    }
    (void)LIDO__FAIL(LIDO_ERR_TIMEOUT, "%t", .number = {UINT64_MAX});
    CHECK_HAS(lido_last_error(), " h");
}

/* Owners of words may be gone when somebody reads the message; so it keeps copies. */
static void a_message_outlives_its_words(void **state) {
    (void)state;
    char word[16] = "frames";
    (void)LIDO__FAIL(LIDO_ERR_LIMIT, "pool \"%s\"", .word = {word});
    memset(word, 'x', sizeof word);
    CHECK_ERROR_HAS("pool \"frames\"");
}

static void the_text_is_made_when_read_and_reads_the_same_twice(void **state) {
    (void)state;
    uint64_t calls = check_memory_calls();
    (void)LIDO__FAIL(LIDO_ERR_LIMIT, "%s", .word = {"same"});
    CHECK(strcmp(lido_last_error(), lido_last_error()) == 0);
    CHECK_ERROR_HAS("same");
    CHECK_EQ(check_memory_calls(), calls);
}

static void a_missing_word_is_a_question_mark(void **state) {
    (void)state;
    (void)LIDO__FAIL(LIDO_ERR_LIMIT, "<%s>", .word = {NULL});
    CHECK_ERROR_HAS("<?>");
}

static void words_of_any_length_are_cut_not_overrun(void **state) {
    (void)state;
    static char word[4 * LIDO__WORD_BYTES];
    for (size_t length = 0; length < sizeof word; length++) {
        memset(word, 'w', length);
        word[length] = '\0';
        (void)LIDO__FAIL(LIDO_ERR_LIMIT, "%s%s%s%s", .word = {word, word, "third", word});
        size_t got = strlen(lido_last_error());
        CHECK(got < LIDO__LINE_BYTES);
        size_t whole = 3 * length + strlen("third"), room = LIDO__WORD_BYTES - LIDO__WORDS;
        CHECK_EQ(got, whole < room ? whole : room);
    }
}

static void a_line_of_any_length_is_cut_not_overrun(void **state) {
    (void)state;
    static char format[2 * LIDO__LINE_BYTES];
    memset(format, 'f', sizeof format - 1);
    (void)LIDO__FAIL(LIDO_ERR_LIMIT, format, .word = {NULL});
    CHECK_EQ(strlen(lido_last_error()), LIDO__LINE_BYTES - 1);
}

static void fail_without_memory(void *context) {
    (void)context;
    check_arm(1, true);
    CHECK_EQ(LIDO__FAIL(LIDO_ERR_LIMIT, "lost", .word = {NULL}), LIDO_ERR_LIMIT);
    CHECK_EQ(lido_last_status(), LIDO_ERR_LIMIT);
    CHECK(strstr(lido_last_error(), "memory") != NULL);
    check_disarm();
    CHECK_FAILS(LIDO__FAIL(LIDO_ERR_BUSY, "kept", .word = {NULL}), LIDO_ERR_BUSY, "kept");
}

static void without_memory_for_the_text_the_status_is_still_told(void **state) {
    (void)state;
    check_in_thread(fail_without_memory, NULL);
}

/* ---- Time and call sites --------------------------------------------------------------- */

static void durations_are_nanoseconds(void **state) {
    (void)state;
    CHECK_EQ(LIDO_MICROSECONDS(2), 2000);
    CHECK_EQ(LIDO_MILLISECONDS(3), 3000000);
    CHECK_EQ(LIDO_SECONDS(5000), UINT64_C(5000000000000));
    CHECK_EQ(LIDO_FOREVER, UINT64_MAX);
}

static void now_is_the_clock_of_the_system_table(void **state) {
    (void)state;
    uint64_t start_ns = lido_now_ns();
    check_advance(17);
    CHECK_EQ(lido_now_ns(), start_ns + 17);
    check_real_time();
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    uint64_t now_ns = lido_now_ns();
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK(now_ns >= (uint64_t)before.tv_sec * LIDO_SECONDS(1) + (uint64_t)before.tv_nsec);
    CHECK(now_ns <= (uint64_t)after.tv_sec * LIDO_SECONDS(1) + (uint64_t)after.tv_nsec);
}

static const char *const site_of_file = LIDO_HERE; /* a constant expression, so static text */

static void a_call_site_is_the_file_and_the_line(void **state) {
    (void)state;
    char text[256];
    snprintf(text, sizeof text, "%s:%d", __FILE__, __LINE__ + 1);
    const char *site = LIDO_HERE;
    CHECK(strcmp(site, text) == 0);
    CHECK_HAS(site_of_file, "test_base.c:");
}

/* ---- Structures that grow -------------------------------------------------------------- */

struct options_v1 {
    uint64_t struct_size, a, b;
};

struct options_v2 {
    uint64_t struct_size, a, b, c;
};

static void options_of_an_older_caller_get_zero_for_what_it_does_not_know(void **state) {
    (void)state;
    struct options_v1 old = {sizeof old, 1, 2};
    struct options_v2 read;
    memset(&read, 0xaa, sizeof read);
    CHECK_OK(lido__options_read(&old, &read, sizeof read, "thing"));
    CHECK(read.a == 1 && read.b == 2 && read.c == 0);
}

static void options_of_a_newer_caller_are_taken_while_their_news_are_zero(void **state) {
    (void)state;
    struct options_v2 newer = {sizeof newer, 1, 2, 0};
    struct options_v1 read;
    CHECK_OK(lido__options_read(&newer, &read, sizeof read, "thing"));
    CHECK(read.a == 1 && read.b == 2);
    newer.c = UINT64_C(1) << 63;
    CHECK_FAILS(lido__options_read(&newer, &read, sizeof read, "thing"), LIDO_ERR_UNSUPPORTED,
                "thing");
    CHECK_ERROR_HAS("byte 31");
    CHECK_ERROR_HAS(lido_version());
}

static void options_without_their_size_are_refused(void **state) {
    (void)state;
    static const uint64_t wrong[] = {0, 1, 7, 9, 13, 4098, UINT64_MAX};
    struct options_v1 read;
    CHECK_FAILS(lido__options_read(NULL, &read, sizeof read, "thing"), LIDO_ERR_ARGUMENT,
                "thing is NULL");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct options_v1 given = {wrong[i], 1, 2};
        CHECK_FAILS(lido__options_read(&given, &read, sizeof read, "thing"), LIDO_ERR_ARGUMENT,
                    "struct_size is");
    }
}

static void figures_reach_as_far_as_the_reader_asks(void **state) {
    (void)state;
    const struct options_v2 figures = {0, 1, 2, 3};
    struct options_v2 got = {offsetof(struct options_v2, b), 9, 9, 9};
    CHECK_OK(lido__figures_write(&got, &figures, sizeof figures, "figures"));
    CHECK(got.struct_size == offsetof(struct options_v2, b) && got.a == 1 && got.b == 9);
    struct {
        struct options_v2 known;
        uint64_t news, beyond;
    } newer = {{sizeof newer.known + 8, 9, 9, 9}, 9, 9};
    CHECK_OK(lido__figures_write(&newer, &figures, sizeof figures, "figures"));
    CHECK(newer.known.a == 1 && newer.known.c == 3 && newer.news == 0 && newer.beyond == 9);
    got.struct_size = 0;
    CHECK_FAILS(lido__figures_write(&got, &figures, sizeof figures, "figures"), LIDO_ERR_ARGUMENT,
                "figures: struct_size is 0");
    CHECK_FAILS(lido__figures_write(NULL, &figures, sizeof figures, "figures"), LIDO_ERR_ARGUMENT,
                "figures is NULL");
}

/* ---- Log ------------------------------------------------------------------------------- */

struct heard {
    _Atomic int count;
    uint64_t time_ns, level, struct_size, field_count;
    char event[64], text[64];
    int64_t number;
    struct check_gate *gate; /* where the callback waits, if anywhere */
};

static void hear(const lido_log_record *record, void *context) {
    struct heard *heard = context;
    heard->count++;
    heard->time_ns = record->time_ns;
    heard->level = record->level;
    heard->struct_size = record->struct_size;
    heard->field_count = record->field_count;
    snprintf(heard->event, sizeof heard->event, "%s", record->event);
    if (record->field_count == 2) {
        snprintf(heard->text, sizeof heard->text, "%s=%s", record->fields[0].key,
                 record->fields[0].text);
        CHECK(record->fields[1].text == NULL);
        heard->number = record->fields[1].number;
    }
    if (heard->gate)
        check_gate_pass(heard->gate);
}

static void say(lido_log_level level) {
    LIDO__LOG(level, "thing.happened", {"name", "x", 0}, {"count", NULL, -7});
}

static void the_log_is_silent_until_asked_and_after(void **state) {
    (void)state;
    struct heard heard = {0};
    say(LIDO_LOG_ERROR);
    lido_log_set(LIDO_LOG_DEBUG, hear, &heard);
    say(LIDO_LOG_DEBUG);
    CHECK_EQ(heard.count, 1);
    lido_log_set(LIDO_LOG_DEBUG, NULL, NULL);
    say(LIDO_LOG_ERROR);
    CHECK_EQ(heard.count, 1);
}

static void a_record_carries_event_time_level_and_fields(void **state) {
    (void)state;
    struct heard heard = {0};
    lido_log_set(LIDO_LOG_DEBUG, hear, &heard);
    say(LIDO_LOG_WARNING);
    lido_log_set(LIDO_LOG_DEBUG, NULL, NULL);
    CHECK(strcmp(heard.event, "thing.happened") == 0);
    CHECK(strcmp(heard.text, "name=x") == 0);
    CHECK_EQ(heard.number, -7);
    CHECK_EQ(heard.field_count, 2);
    CHECK_EQ(heard.level, LIDO_LOG_WARNING);
    CHECK_EQ(heard.struct_size, sizeof(lido_log_record));
    CHECK_EQ(heard.time_ns, check__wall_ns());
}

static void records_below_the_level_are_not_made(void **state) {
    (void)state;
    for (int minimum = LIDO_LOG_DEBUG; minimum <= LIDO_LOG_ERROR; minimum++) {
        struct heard heard = {0};
        lido_log_set((lido_log_level)minimum, hear, &heard);
        for (int level = LIDO_LOG_DEBUG; level <= LIDO_LOG_ERROR; level++)
            say((lido_log_level)level);
        lido_log_set(LIDO_LOG_DEBUG, NULL, NULL);
        CHECK_EQ(heard.count, LIDO_LOG_ERROR + 1 - minimum);
    }
}

static void say_once(void *context) {
    (void)context;
    say(LIDO_LOG_ERROR);
}

/* A callback that hangs must not hang others: it runs with no lock held. */
static void a_callback_that_blocks_stops_nobody_else(void **state) {
    (void)state;
    struct check_gate gate = {0};
    struct heard slow = {.gate = &gate}, quick = {0};
    struct check_thread thread;
    lido_log_set(LIDO_LOG_DEBUG, hear, &slow);
    check_start(&thread, say_once, NULL);
    check_gate_await(&gate, 1);
    lido_log_set(LIDO_LOG_DEBUG, hear, &quick);
    say(LIDO_LOG_ERROR);
    CHECK_EQ(quick.count, 1);
    lido_log_set(LIDO_LOG_DEBUG, NULL, NULL);
    check_gate_open(&gate);
    check_join(&thread);
}

static void call_lido_while_hearing(const lido_log_record *record, void *context) {
    int *depth = context;
    (void)record;
    CHECK_EQ(lido_registry_count(), 0);
    CHECK_FAILS(LIDO__FAIL(LIDO_ERR_BUSY, "inside", .word = {NULL}), LIDO_ERR_BUSY, "inside");
    if (++*depth < 3)
        say(LIDO_LOG_ERROR);
}

static void a_callback_may_call_lido(void **state) {
    (void)state;
    int depth = 0;
    lido_log_set(LIDO_LOG_DEBUG, call_lido_while_hearing, &depth);
    say(LIDO_LOG_ERROR);
    lido_log_set(LIDO_LOG_DEBUG, NULL, NULL);
    CHECK_EQ(depth, 3);
}

/* ---- The real system ------------------------------------------------------------------- */

static void real_memory_is_aligned_and_maps_are_zeroed_pages(void **state) {
    (void)state;
    for (size_t align = 1; align <= 8192; align *= 2) {
        void *memory = lido__sys_real.alloc(100, align);
        CHECK(memory && (uintptr_t)memory % align == 0);
        lido__sys_real.free(memory);
    }
    lido__sys_real.free(NULL);
    size_t bytes = 3 * lido__page_bytes();
    unsigned char *map = lido__sys_real.map(bytes);
    CHECK(map && (uintptr_t)map % lido__page_bytes() == 0);
    for (size_t i = 0; i < bytes; i++)
        CHECK_EQ(map[i], 0);
    CHECK(lido__sys_real.protect(map, bytes, false) && lido__sys_real.protect(map, bytes, true));
    lido__sys_real.unmap(map, bytes);
    CHECK(lido__sys_real.map(SIZE_MAX / 2) == NULL);
}

static void real_parking_ends_by_value_or_deadline(void **state) {
    (void)state;
    _Atomic uint32_t word = 1;
    CHECK(lido__sys_real.park(&word, 0, LIDO_FOREVER));
    CHECK(!lido__sys_real.park(&word, 1, lido__sys_real.now_ns()));
    uint64_t deadline_ns = lido__sys_real.now_ns() + LIDO_MICROSECONDS(50);
    while (lido__sys_real.park(&word, 1, deadline_ns))
        ;
    CHECK(lido__sys_real.now_ns() >= deadline_ns);
    CHECK(!lido__sys_real.park(&word, 1, 0));
}

static void park_for_ever(void *context) {
    _Atomic uint32_t *word = context;
    while (*word == 0)
        (void)lido__sys_real.park(word, 0, LIDO_FOREVER);
}

static void real_parking_ends_by_unpark(void **state) {
    (void)state;
    struct check_thread threads[3];
    _Atomic uint32_t word = 0;
    for (int i = 0; i < 3; i++)
        check_start(&threads[i], park_for_ever, &word);
    word = 1;
    lido__sys_real.unpark(&word, INT32_MAX);
    for (int i = 0; i < 3; i++)
        check_join(&threads[i]);
}

CHECK_MAIN(TEST(the_version_is_that_of_the_header),
           TEST(each_status_has_its_number_name_and_advice_for_ever),
           TEST(a_number_that_is_no_status_is_called_so),
           TEST(a_thread_without_a_failure_has_status_ok_and_a_text),
           TEST(a_failure_stays_until_the_next_one), TEST(each_thread_has_its_own_failure),
           TEST(a_message_takes_words_and_numbers_in_turn),
           TEST(a_message_takes_all_four_words_and_six_numbers),
           TEST(durations_are_told_in_the_unit_that_fits), TEST(a_message_outlives_its_words),
           TEST(the_text_is_made_when_read_and_reads_the_same_twice),
           TEST(a_missing_word_is_a_question_mark), TEST(words_of_any_length_are_cut_not_overrun),
           TEST(a_line_of_any_length_is_cut_not_overrun),
           TEST(without_memory_for_the_text_the_status_is_still_told),
           TEST(durations_are_nanoseconds), TEST(now_is_the_clock_of_the_system_table),
           TEST(a_call_site_is_the_file_and_the_line),
           TEST(options_of_an_older_caller_get_zero_for_what_it_does_not_know),
           TEST(options_of_a_newer_caller_are_taken_while_their_news_are_zero),
           TEST(options_without_their_size_are_refused),
           TEST(figures_reach_as_far_as_the_reader_asks),
           TEST(the_log_is_silent_until_asked_and_after),
           TEST(a_record_carries_event_time_level_and_fields),
           TEST(records_below_the_level_are_not_made),
           TEST(a_callback_that_blocks_stops_nobody_else), TEST(a_callback_may_call_lido),
           TEST(real_memory_is_aligned_and_maps_are_zeroed_pages),
           TEST(real_parking_ends_by_value_or_deadline), TEST(real_parking_ends_by_unpark))
