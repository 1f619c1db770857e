/* SPDX-License-Identifier: MIT
 * report.c -- tables and JSON.
 *
 * In JSON a case of a bench gives one element for each lido contestant (static, shared). The keys of
 * the contract come first; what follows them (ratio_to_naive, variants, floor, rounds, machine) is extra.
 */
#include "report.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { NAME_WIDTH = 30, COLUMN_WIDTH = 14, LINE_WIDTH = 116 };

cell *cell_of(const results *r, size_t case_index, size_t contestant) {
    return &r->cells[case_index * r->what->contestant_count + contestant];
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void summarise(cell *c) {
    size_t n = c->round_count;
    if (n == 0)
        return;
    qsort(c->rounds, n, sizeof c->rounds[0], ascending);
    c->min = c->rounds[0];
    c->max = c->rounds[n - 1];
    c->median = n % 2 ? c->rounds[n / 2] : (c->rounds[n / 2 - 1] + c->rounds[n / 2]) / 2;
}

/* lido / another contestant, or -1 where one of them is not. */
static double ratio_between(const results *r, size_t case_index, size_t lido, int other_index) {
    const cell *own = cell_of(r, case_index, lido);
    if (other_index < 0 || own->status != CONTESTANT_DONE || own->round_count == 0 ||
        r->what->cases[case_index].is_no_cost)
        return -1;
    const cell *other = cell_of(r, case_index, (size_t)other_index);
    if (other->status != CONTESTANT_DONE || other->round_count == 0)
        return -1;
    if (other->median <= 0)
        return own->median <= 0 ? 1 : -1; /* nought against nought is equal; else no ratio exists */
    return own->median > 0 ? own->median / other->median : 0;
}

/* The contestant of some roles with the smallest median, or -1. */
static int best_of(const results *r, size_t case_index, unsigned roles) {
    int best = -1;
    for (size_t i = 0; i < r->what->contestant_count; i++) {
        const cell *c = cell_of(r, case_index, i);
        if (!(r->what->contestants[i].role & roles) || c->status != CONTESTANT_DONE ||
            c->round_count == 0)
            continue;
        if (best < 0 || c->median < cell_of(r, case_index, (size_t)best)->median)
            best = (int)i;
    }
    return best;
}

double ratio_to(const results *r, size_t case_index, size_t lido, unsigned roles) {
    return ratio_between(r, case_index, lido, best_of(r, case_index, roles));
}

double throughput_of(const results *r, size_t case_index, size_t contestant) {
    const bench_case *one = &r->what->cases[case_index];
    const cell *c = cell_of(r, case_index, contestant);
    if (c->status != CONTESTANT_DONE || c->round_count == 0 || c->median <= 0)
        return 0;
    return 1e9 / c->median * (one->each_own ? one->threads : 1);
}

double efficiency_of(const results *r, size_t case_index, size_t contestant) {
    const bench_case *one = &r->what->cases[case_index];
    double here = throughput_of(r, case_index, contestant), alone = 0;
    for (size_t i = 0; i < r->what->case_count; i++)
        if (r->what->cases[i].threads == 1 && strcmp(r->what->cases[i].group, one->group) == 0)
            alone = throughput_of(r, i, contestant);
    return here > 0 && alone > 0 ? here / alone / one->threads : -1;
}

/* ---- The machine ------------------------------------------------------------------------------- */

/* The value behind "KEY : " in a file of the kernel. */
static void read_key(const char *path, const char *key, char *text, size_t capacity) {
    char line[512];
    FILE *file = fopen(path, "re");
    snprintf(text, capacity, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || !colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(text, capacity, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    if (file)
        fclose(file);
}

static void describe_machine(char *text, size_t capacity) {
    char model[160], memory[64];
    struct utsname kernel;
    cpu_set_t allowed;
    double load = 0;
    read_key("/proc/cpuinfo", "model name", model, sizeof model);
    read_key("/proc/meminfo", "MemTotal", memory, sizeof memory);
    if (uname(&kernel) != 0)
        memset(&kernel, 0, sizeof kernel);
    int count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
    if (getloadavg(&load, 1) != 1)
        load = -1;
    snprintf(text, capacity,
             "%s, %d CPUs, %s memory, %s %s, load at the start %.1f; compiled by %s", model, count,
             memory, kernel.sysname, kernel.release, load,
#ifdef __clang__
             "clang " __clang_version__
#else
             "gcc " __VERSION__
#endif
    );
}

/* ---- Tables ------------------------------------------------------------------------------------- */

static const char *why_not(contestant_status status) {
    switch (status) {
    case CONTESTANT_MISSING:
        return "missing";
    case CONTESTANT_CANNOT:
        return "cannot";
    case CONTESTANT_FAILED:
        return "failed";
    case CONTESTANT_DONE:
        return "-";
    }
    return "?";
}

/* Words from a column on, in lines that a terminal of LINE_WIDTH holds. */
static void print_wrapped(FILE *stream, const char *text, size_t column) {
    const char *gap = "";
    for (; *text; text += strspn(text, " ")) {
        size_t word = strcspn(text, " ");
        if (column + word + 1 > LINE_WIDTH) {
            gap = "\n      ";
            column = strlen(gap);
        }
        fprintf(stream, "%s%.*s", gap, (int)word, text);
        column += word + 1;
        text += word;
        gap = " ";
    }
    fputc('\n', stream);
}

void report_head(FILE *stream, const results *r) {
    char machine[512];
    describe_machine(machine, sizeof machine);
    fprintf(stream, "bench %s on ", r->what->name);
    print_wrapped(stream, machine, 10 + strlen(r->what->name));
    for (size_t i = 0; i < r->what->contestant_count; i++) {
        const contestant_output *version = &r->versions[i];
        if (r->is_left_out[i])
            continue;
        fprintf(stream, "  %-*s %s%s%s\n", NAME_WIDTH, r->what->contestants[i].name,
                version->status == CONTESTANT_DONE ? "" : why_not(version->status),
                version->status == CONTESTANT_DONE || version->text[0] == '\0' ? "" : ": ",
                version->text);
    }
}

static void print_cell(FILE *stream, const results *r, size_t case_index, size_t contestant) {
    const cell *c = cell_of(r, case_index, contestant);
    char text[64];
    if (r->what->cases[case_index].left_out) {
        fprintf(stream, "%*s", COLUMN_WIDTH, "not measured");
        return;
    }
    if (c->status != CONTESTANT_DONE || c->round_count == 0) {
        fprintf(stream, "%*s", COLUMN_WIDTH, why_not(c->status));
        return;
    }
    double spread = c->median > 0 ? 50 * (c->max - c->min) / c->median : 0;
    snprintf(text, sizeof text, "%.*f", c->median < 10 ? 2 : c->median < 100 ? 1 : 0, c->median);
    fprintf(stream, "%*s \u00b1%3.0f%%", COLUMN_WIDTH - 6, text, spread < 999 ? spread : 999);
}

static bool took_part(const results *r, size_t first, size_t last, size_t contestant) {
    for (size_t i = first; i <= last; i++) {
        const cell *c = cell_of(r, i, contestant);
        if (r->ran[i] && (c->status != CONTESTANT_DONE || c->round_count > 0))
            return true;
    }
    return false;
}

/* 0.125 wants its third place, 0.80 does not, 250 none. */
static int places_of(double bar) {
    if (bar >= 10)
        return 0;
    double hundredths = bar * 100;
    return hundredths - (double)(long)(hundredths + 1e-6) > 1e-3 ? 3 : 2;
}

/* A figure beside its bar: "0.72 ≤0.80" or "0.91 >0.80"; without a bar, the figure alone. */
static void print_against_bar(FILE *stream, double figure, bool has_bar, double bar) {
    char text[64];
    bool holds = figure <= bar;
    if (figure < 0)
        snprintf(text, sizeof text, "-");
    else if (has_bar)
        snprintf(text, sizeof text, "%.*f %s%.*f", figure < 100 ? 2 : 0, figure,
                 holds ? "\u2264" : ">", places_of(bar), bar);
    else
        snprintf(text, sizeof text, "%.2f", figure);
    /* The sign is one column wide and three bytes long. */
    fprintf(stream, "%*s", COLUMN_WIDTH + (figure >= 0 && has_bar && holds ? 2 : 0), text);
}

/* Says whether a line of a group would hold anything. */
static bool group_has_bar(const results *r, size_t first, size_t last, bool absolute) {
    for (size_t i = first; i <= last; i++) {
        if (absolute ? r->what->cases[i].bounded : r->what->cases[i].must_malloc > 0)
            return true;
    }
    return false;
}

static void print_ratio_line(FILE *stream, const results *r, size_t first, size_t last, size_t lido,
                             unsigned order, unsigned roles, const char *against) {
    char name[128];
    snprintf(name, sizeof name, "%s / %s", r->what->contestants[lido].name, against);
    fprintf(stream, "  %-*s", NAME_WIDTH, name);
    for (size_t i = first; i <= last; i++) {
        const bench_case *one = &r->what->cases[i];
        double bar = 0;
        if (roles == (BENCH_PEER | BENCH_POOL) && order < 2)
            bar = one->must[order];
        else if (roles == BENCH_PEER && order == 0)
            bar = one->must_malloc;
        print_against_bar(stream, r->ran[i] ? ratio_to(r, i, lido, roles) : -1, bar > 0, bar);
    }
    fputc('\n', stream);
}

/* What a case asks of lido beside a contestant, or NULL. */
static const bench_against *against_of(const bench_case *one, const char *name) {
    for (size_t i = 0; i < BENCH_AGAINST_MAX && one->against[i].name; i++) {
        if (strcmp(one->against[i].name, name) == 0)
            return &one->against[i];
    }
    return NULL;
}

/* A line for each contestant that a case of the group names. */
static void print_against(FILE *stream, const results *r, size_t first, size_t last, size_t lido) {
    for (size_t k = 0; k < r->what->contestant_count; k++) {
        const char *other = r->what->contestants[k].name;
        char name[128];
        bool any = false;
        for (size_t i = first; i <= last; i++)
            any = any || (r->ran[i] && against_of(&r->what->cases[i], other));
        if (!any || r->is_left_out[k])
            continue;
        snprintf(name, sizeof name, "%s / %s", r->what->contestants[lido].name, other);
        fprintf(stream, "  %-*s", NAME_WIDTH, name);
        for (size_t i = first; i <= last; i++) {
            const bench_against *bar = against_of(&r->what->cases[i], other);
            double ratio = r->ran[i] && bar ? ratio_between(r, i, lido, (int)k) : -1;
            print_against_bar(stream, ratio, bar && bar->must > 0, bar ? bar->must : 0);
        }
        fputc('\n', stream);
    }
}

/* The lines below a table that say how one lido contestant stands; order counts them from 0. */
static void print_ratios(FILE *stream, const results *r, size_t first, size_t last, size_t lido,
                         unsigned order) {
    print_ratio_line(stream, r, first, last, lido, order, BENCH_PEER | BENCH_POOL, "best peer");
    if (order == 0)
        print_against(stream, r, first, last, lido);
    if (group_has_bar(r, first, last, false) && order == 0)
        print_ratio_line(stream, r, first, last, lido, order, BENCH_PEER, "best malloc");
    print_ratio_line(stream, r, first, last, lido, order, BENCH_NAIVE, "naive");
    if (!group_has_bar(r, first, last, true) || order != 0)
        return;
    fprintf(stream, "  %-*s", NAME_WIDTH, "lido and its bar");
    for (size_t i = first; i <= last; i++) {
        const cell *c = cell_of(r, i, lido);
        const bench_case *what = &r->what->cases[i];
        print_against_bar(stream, r->ran[i] && c->round_count && what->bounded ? c->median : -1,
                          true, what->at_most);
    }
    fputc('\n', stream);
}

/* Below the costs: how much all threads do together, and the share of it that each kept. */
static void print_scaling(FILE *stream, const results *r, size_t first, size_t last,
                          bool is_share) {
    fputs(is_share ? "  efficiency: throughput / (threads x throughput of one)\n"
                   : "  throughput of all threads together, millions a second\n",
          stream);
    for (size_t k = 0; k < r->what->contestant_count; k++) {
        if (!took_part(r, first, last, k))
            continue;
        fprintf(stream, "  %-*s", NAME_WIDTH, r->what->contestants[k].name);
        for (size_t i = first; i <= last; i++) {
            double figure = is_share ? efficiency_of(r, i, k) : throughput_of(r, i, k) / 1e6;
            if (r->what->cases[i].left_out)
                fprintf(stream, "%*s", COLUMN_WIDTH, "not measured");
            else if (figure <= 0)
                fprintf(stream, "%*s", COLUMN_WIDTH, "-");
            else
                fprintf(stream, "%*.*f", COLUMN_WIDTH, figure < 10 ? 2 : 1, figure);
        }
        fputc('\n', stream);
    }
}

void report_group(FILE *stream, const results *r, size_t first, size_t last) {
    const bench *what = r->what;
    unsigned order = 0;
    fprintf(stream, "\n%s\n  %-*s", what->cases[first].group, NAME_WIDTH, "");
    for (size_t i = first; i <= last; i++)
        fprintf(stream, "%*s", COLUMN_WIDTH, what->cases[i].column);
    fputc('\n', stream);
    for (size_t k = 0; k < what->contestant_count; k++) {
        if (!took_part(r, first, last, k))
            continue;
        fprintf(stream, "  %-*s", NAME_WIDTH, what->contestants[k].name);
        for (size_t i = first; i <= last; i++)
            print_cell(stream, r, i, k);
        fputc('\n', stream);
    }
    for (int is_share = 0; what->cases[first].threads && is_share < 2; is_share++)
        print_scaling(stream, r, first, last, is_share);
    for (size_t k = 0; k < what->contestant_count; k++) {
        if (what->contestants[k].role != BENCH_LIDO || what->cases[first].is_no_cost)
            continue;
        if (took_part(r, first, last, k))
            print_ratios(stream, r, first, last, k, order);
        order++;
    }
    fflush(stream);
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

static void json_text(FILE *stream, const char *text) {
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(stream, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(stream, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            fputc(*text, stream);
    }
    fputc('"', stream);
}

static void json_figures(FILE *stream, const results *r, size_t case_index, size_t contestant) {
    const cell *c = cell_of(r, case_index, contestant);
    double efficiency = efficiency_of(r, case_index, contestant);
    fprintf(stream, "\"median\": %.6g, \"min\": %.6g, \"max\": %.6g", c->median, c->min, c->max);
    if (r->what->cases[case_index].threads)
        fprintf(stream, ", \"per_second\": %.6g", throughput_of(r, case_index, contestant));
    if (r->what->cases[case_index].threads && efficiency >= 0)
        fprintf(stream, ", \"efficiency\": %.4g", efficiency);
}

static void json_ratio(FILE *stream, const char *key, double ratio) {
    if (ratio < 0)
        fprintf(stream, ",\n   \"%s\": null", key);
    else
        fprintf(stream, ",\n   \"%s\": %.4g", key, ratio);
}

static void json_contestants(FILE *stream, const results *r, size_t case_index, const char *key,
                             unsigned roles) {
    const char *separator = "";
    fprintf(stream, ",\n   \"%s\": {", key);
    for (size_t i = 0; i < r->what->contestant_count; i++) {
        const bench_contestant *who = &r->what->contestants[i];
        const cell *c = cell_of(r, case_index, i);
        if (!(who->role & roles) || c->status != CONTESTANT_DONE || c->round_count == 0)
            continue;
        fprintf(stream, "%s\n     ", separator);
        json_text(stream, who->name);
        fputs(": {\"version\": ", stream);
        json_text(stream, r->versions[i].text);
        fputs(", ", stream);
        json_figures(stream, r, case_index, i);
        fputc('}', stream);
        separator = ",";
    }
    fputc('}', stream);
}

static void json_case(FILE *stream, const results *r, size_t case_index, size_t lido,
                      const char *machine) {
    const bench_case *one = &r->what->cases[case_index];
    const cell *own = cell_of(r, case_index, lido);
    int floor = best_of(r, case_index, BENCH_FLOOR);
    char name[256];
    snprintf(name, sizeof name, "%s, %s", one->name, r->what->contestants[lido].name);
    fputs("  {\"bench\": ", stream);
    json_text(stream, r->what->name);
    fputs(", \"case\": ", stream);
    json_text(stream, name);
    fputs(", \"unit\": ", stream);
    json_text(stream, one->unit);
    fputs(",\n   \"lido\": {", stream);
    json_figures(stream, r, case_index, lido);
    fputc('}', stream);
    json_contestants(stream, r, case_index, "peers", BENCH_PEER | BENCH_POOL | BENCH_NAIVE);
    json_ratio(stream, "ratio_to_best", ratio_to(r, case_index, lido, BENCH_PEER | BENCH_POOL));
    json_ratio(stream, "ratio_to_naive", ratio_to(r, case_index, lido, BENCH_NAIVE));
    json_contestants(stream, r, case_index, "variants", BENCH_VARIANT);
    fputs(",\n   \"floor\": ", stream);
    if (floor >= 0) {
        fputc('{', stream);
        json_figures(stream, r, case_index, (size_t)floor);
        fputc('}', stream);
    } else {
        fputs("null", stream);
    }
    if (one->threads)
        fprintf(stream, ",\n   \"threads\": %u", one->threads);
    fprintf(stream, ",\n   \"rounds\": %zu, \"machine\": ", own->round_count);
    json_text(stream, machine);
    fputc('}', stream);
}

bool report_json(const char *path, const results *r) {
    char machine[512];
    FILE *stream = fopen(path, "we");
    if (!stream)
        return false;
    describe_machine(machine, sizeof machine);
    const char *separator = "[\n";
    for (size_t i = 0; i < r->what->case_count; i++) {
        for (size_t k = 0; k < r->what->contestant_count; k++) {
            const cell *c = cell_of(r, i, k);
            if (!r->ran[i] || r->what->contestants[k].role != BENCH_LIDO ||
                c->status != CONTESTANT_DONE || c->round_count == 0)
                continue;
            fputs(separator, stream);
            json_case(stream, r, i, k, machine);
            separator = ",\n";
        }
    }
    fputs(separator[0] == '[' ? "[]\n" : "\n]\n", stream);
    bool written = ferror(stream) == 0;
    return fclose(stream) == 0 && written;
}
