/* SPDX-License-Identifier: MIT
 * The report in three forms: terminal, JSON, Markdown. */
#include "validate.h"

#include "common/wrap.h"

#include <inttypes.h>
#include <jansson.h>
#include <unistd.h>

size_t report_count(const struct report *report, enum verdict verdict) {
    size_t count = 0;
    for (size_t i = 0; i < report->count; i++)
        count += report->rows[i].verdict == verdict;
    return count;
}

/* ---- Terminal ------------------------------------------------------------------------------- */

enum { TEXT_COLUMN = 14 };

static void print_verdict(enum verdict verdict, FILE *out) {
    static const char *const colour[3] = {"\033[32m", "\033[1;31m", "\033[33m"};
    bool terminal = isatty(fileno(out)) != 0;
    fprintf(out, "%s%-12s%s", terminal ? colour[verdict] : "", verdict_name[verdict],
            terminal ? "\033[0m" : "");
}

void report_print_row(const struct entry *entry, const struct row *row, FILE *out) {
    print_verdict(row->verdict, out);
    fprintf(out, " %-14s ", entry->id);
    wrap_print(out, 28, TEXT_COLUMN, entry->what);
    wrap_format(out, TEXT_COLUMN, "    target    %s", entry->target);
    if (row->measured[0] != '\0')
        wrap_format(out, TEXT_COLUMN, "    measured  %s", row->measured);
    if (row->verdict != VERDICT_PASS)
        wrap_format(out, TEXT_COLUMN, "    because   %s", row->reason);
    fflush(out);
}

void report_print_summary(const struct report *report, FILE *out) {
    fprintf(out, "\n%zu passed, %zu failed, %zu not measured in %.1f s\non %ld cores, %s\n",
            report_count(report, VERDICT_PASS), report_count(report, VERDICT_FAIL),
            report_count(report, VERDICT_NOT_MEASURED), report->wall_s, report->machine.cores,
            report->machine.system);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *row_json(const struct entry *entry, const struct row *row) {
    return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s, s:s?, s:b, s:b}", "id", entry->id,
                     "requirement", entry->requirement, "what", entry->what, "target",
                     entry->target, "measured", row->measured[0] != '\0' ? row->measured : NULL,
                     "verdict", verdict_name[row->verdict], "reason",
                     row->reason[0] != '\0' && row->verdict != VERDICT_PASS ? row->reason : NULL,
                     "timed", (int)entry->timed, "broken", (int)row->broken);
}

bool report_write_json(const struct report *report, const char *path) {
    json_t *rows = json_array();
    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(rows, row_json(report->entries[i], &report->rows[i]));
    json_t *root = json_pack(
        "{s:s, s:s, s:f, s:{s:I, s:s, s:I, s:s?}, s:I, s:I, s:I, s:o}", "lido", lido_version(),
        "started", report->started, "wall_s", report->wall_s, "machine", "cores",
        (json_int_t)report->machine.cores, "system", report->machine.system, "page_bytes",
        (json_int_t)report->machine.page_bytes, "sanitizer", report->machine.sanitizer, "passed",
        (json_int_t)report_count(report, VERDICT_PASS), "failed",
        (json_int_t)report_count(report, VERDICT_FAIL), "not_measured",
        (json_int_t)report_count(report, VERDICT_NOT_MEASURED), "rows", rows);
    bool done = root != NULL && json_dump_file(root, path, JSON_INDENT(2)) == 0;
    json_decref(root);
    return done;
}

/* ---- Markdown ------------------------------------------------------------------------------- */

/* A cell of a table: a bar would end it. */
static void write_cell(const char *text, FILE *out) {
    for (; *text != '\0'; text++)
        fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

bool report_write_markdown(const struct report *report, const char *path) {
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return false;
    fprintf(out,
            "# lido %s: validation\n\n%s, %ld cores, %s. %zu passed, %zu failed, %zu not measured."
            "\n\n| id | requirement | what | target | measured | verdict "
            "|\n|---|---|---|---|---|---|\n",
            lido_version(), report->started, report->machine.cores, report->machine.system,
            report_count(report, VERDICT_PASS), report_count(report, VERDICT_FAIL),
            report_count(report, VERDICT_NOT_MEASURED));
    for (size_t i = 0; i < report->count; i++) {
        const struct entry *entry = report->entries[i];
        const struct row *row = &report->rows[i];
        const char *cells[] = {entry->id,     entry->requirement, entry->what,
                               entry->target, row->measured,      verdict_name[row->verdict]};
        for (size_t c = 0; c < sizeof cells / sizeof cells[0]; c++) {
            fputs(c == 0 ? "| " : " | ", out);
            write_cell(cells[c], out);
        }
        if (row->verdict != VERDICT_PASS) {
            fputs(": ", out);
            write_cell(row->reason, out);
        }
        fputs(" |\n", out);
    }
    bool written = ferror(out) == 0;
    return fclose(out) == 0 && written;
}
