/* SPDX-License-Identifier: MIT
 * The CPU time of the ticks as one SVG file, on a logarithmic scale: for each variant a line through
 * the medians of some dozens of ticks each, and a faint one through the slowest of them. No style
 * sheet, no script, no font of its own. */
#include "arena/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 980, HEIGHT = 560, LEFT = 80, RIGHT = 150, TOP = 64, BOTTOM = 64, COLUMNS = 240 };

static const char *const colour[ARENA_VARIANT_COUNT] = {"#b45f06", "#bf9000", "#38761d", "#741b47",
                                                        "#0b5394"};

struct frame {
    FILE *file;
    uint64_t ticks;
    double low, high; /* logarithms to the base of ten */
};

static double x_of(const struct frame *f, double tick) {
    return LEFT + tick / (double)f->ticks * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct frame *f, double us) {
    double power = fmin(fmax(log10(fmax(us, 1e-3)), f->low), f->high);
    return HEIGHT - BOTTOM - (power - f->low) / (f->high - f->low) * (HEIGHT - TOP - BOTTOM);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median and slowest of the ticks of each column, found in sorted copies. */
struct curve {
    uint64_t columns;
    double median[COLUMNS], worst[COLUMNS];
};

static bool read_curve(const double *tick_us, uint64_t ticks, struct curve *curve) {
    curve->columns = ticks < COLUMNS ? ticks : COLUMNS;
    double *copy = malloc((ticks / curve->columns + 1) * sizeof *copy);
    if (copy == NULL)
        return false;
    for (uint64_t c = 0; c < curve->columns; c++) {
        uint64_t from = c * ticks / curve->columns, to = (c + 1) * ticks / curve->columns;
        uint64_t count = to - from;
        memcpy(copy, tick_us + from, count * sizeof *copy);
        qsort(copy, count, sizeof *copy, by_size);
        curve->median[c] = copy[count / 2];
        curve->worst[c] = copy[count - 1];
    }
    free(copy);
    return true;
}

static void draw_curve(const struct frame *f, const struct curve *curve, const double *values,
                       int variant, const char *look) {
    fprintf(f->file, "<polyline fill=\"none\" stroke=\"%s\" %s points=\"", colour[variant], look);
    for (uint64_t c = 0; c < curve->columns; c++)
        fprintf(f->file, "%.1f,%.1f ",
                x_of(f, ((double)c + 0.5) * (double)f->ticks / (double)curve->columns),
                y_of(f, values[c]));
    fprintf(f->file, "\"/>\n");
}

static void draw_times(const struct frame *f) {
    static const double step[] = {1, 2, 5};
    for (int power = (int)floor(f->low); power <= (int)ceil(f->high); power++)
        for (int i = 0; i < 3; i++) {
            double us = step[i] * pow(10, power);
            if (log10(us) < f->low - 1e-9 || log10(us) > f->high + 1e-9)
                continue;
            fprintf(f->file,
                    "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#d8d8d8\"/>\n"
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                    LEFT, y_of(f, us), WIDTH - RIGHT, y_of(f, us), LEFT - 8, y_of(f, us) + 4, us);
        }
    fprintf(f->file,
            "<text x=\"22\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 22 %d)\">CPU "
            "time of a tick, us (log scale)</text>\n",
            (TOP + HEIGHT - BOTTOM) / 2, (TOP + HEIGHT - BOTTOM) / 2);
}

static void draw_ticks(const struct frame *f) {
    for (int i = 0; i <= 6; i++) {
        double tick = (double)f->ticks * i / 6;
        fprintf(f->file,
                "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#404040\"/>\n"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
                x_of(f, tick), HEIGHT - BOTTOM, x_of(f, tick), HEIGHT - BOTTOM + 6, x_of(f, tick),
                HEIGHT - BOTTOM + 22, tick);
    }
    fprintf(
        f->file,
        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">tick</text>\n"
        "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#404040\"/>\n",
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18, LEFT, TOP, WIDTH - LEFT - RIGHT,
        HEIGHT - TOP - BOTTOM);
}

static void draw_variant(const struct frame *f, const struct curve *curve, int variant, int row) {
    int x = WIDTH - RIGHT + 14, y = TOP + 14 + row * 22;
    draw_curve(f, curve, curve->worst, variant, "stroke-width=\"1\" stroke-opacity=\"0.35\"");
    draw_curve(f, curve, curve->median, variant, "stroke-width=\"2\"");
    fprintf(f->file,
            "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"2\"/>\n"
            "<text x=\"%d\" y=\"%d\">%s</text>\n",
            x, y, x + 28, y, colour[variant], x + 36, y + 4, arena_variant_name[variant]);
}

/* The scale holds everything that is drawn. */
static void choose_scale(struct frame *f, const struct curve *curve, const bool *runs_variant) {
    f->low = INFINITY;
    f->high = -INFINITY;
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        for (uint64_t c = 0; runs_variant[v] && c < curve[v].columns; c++) {
            f->low = fmin(f->low, log10(fmax(curve[v].median[c], 1)));
            f->high = fmax(f->high, log10(fmax(curve[v].worst[c], 1)));
        }
    f->low -= 0.05;
    f->high = fmax(f->high, f->low + 0.5) + 0.05;
}

bool arena_write_plot(const struct arena_session *session, const char *path) {
    static struct curve curve[ARENA_VARIANT_COUNT];
    struct frame f = {.ticks = session->options.ticks};
    int row = 0;
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        if (session->runs_variant[v] && !read_curve(session->tick_us[v], f.ticks, &curve[v]))
            return false;
    f.file = fopen(path, "w");
    if (f.file == NULL)
        return false;
    choose_scale(&f, curve, session->runs_variant);
    fprintf(f.file,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
            "%d\" font-family=\"sans-serif\" font-size=\"13\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"%d\" y=\"26\" font-size=\"16\" font-weight=\"bold\">Ticks of the arena"
            "</text>\n<text x=\"%d\" y=\"48\">%" PRIu64 " ticks, seed %" PRIu64
            "; thick: median of neighbouring ticks, faint: the slowest of them</text>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, LEFT, f.ticks, session->options.seed);
    draw_times(&f);
    draw_ticks(&f);
    for (int v = 0; v < ARENA_VARIANT_COUNT; v++)
        if (session->runs_variant[v])
            draw_variant(&f, &curve[v], v, row++);
    fprintf(f.file, "</svg>\n");
    bool written = ferror(f.file) == 0;
    return fclose(f.file) == 0 && written;
}
