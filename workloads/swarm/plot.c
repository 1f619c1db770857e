/* SPDX-License-Identifier: MIT
 * The convergence of a run as one SVG file: the best value so far and the mean of the swarm over the
 * iterations, values on a logarithmic scale. No style sheet, no script, no font of its own: it
 * opens in any browser and prints in black and white (the mean is dashed). */
#include "swarm/report.h"

#include <inttypes.h>
#include <math.h>

enum { width = 860, height = 520, left = 96, right = 30, top = 64, bottom = 64, columns = 700 };

struct frame {
    FILE *file;
    uint64_t iterations;
    int low, high; /* powers of ten */
};

/* Where so many iterations have been done. */
static double x_of(const struct frame *f, uint64_t done) {
    return left + (double)done / (double)f->iterations * (width - left - right);
}

/* Zero and what lies below the scale stand on its lower edge. */
static double y_of(const struct frame *f, double value) {
    double power = value > 0 ? log10(value) : f->low;
    power = fmin(fmax(power, f->low), f->high);
    return height - bottom - (power - f->low) / (f->high - f->low) * (height - top - bottom);
}

static void widen(const double *values, uint64_t count, double *least, double *most) {
    for (uint64_t i = 0; i < count; i++) {
        if (values[i] > 0)
            *least = fmin(*least, values[i]);
        *most = fmax(*most, values[i]);
    }
}

/* Numbers of at most six digits are written out; others as 2e9. */
static void draw_value(const struct frame *f, int factor, int power) {
    double value = factor * pow(10, power), y = y_of(f, value);
    char text[32];
    if (power >= -4 && power <= 5)
        snprintf(text, sizeof text, "%g", value);
    else
        snprintf(text, sizeof text, "%de%d", factor, power);
    fprintf(f->file,
            "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#d8d8d8\"/>\n"
            "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
            left, y, width - right, y, left - 8, y + 4, text);
}

/* Every power of ten, or fewer on a wide scale; on a narrow one also 2 and 5 times each. */
static void draw_values_axis(const struct frame *f) {
    static const int steps[] = {1, 2, 5, 10, 20, 50, 100};
    int step = 0;
    while (step < 6 && (f->high - f->low) / steps[step] > 9)
        step++;
    for (int power = f->low; power <= f->high; power++) {
        if (power % steps[step] != 0)
            continue;
        draw_value(f, 1, power);
        if (f->high - f->low > 3 || power == f->high)
            continue;
        draw_value(f, 2, power);
        draw_value(f, 5, power);
    }
    fprintf(f->file,
            "<text x=\"22\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 22 %d)\">"
            "function value (log scale, minimum 0)</text>\n",
            (top + height - bottom) / 2, (top + height - bottom) / 2);
}

/* 1, 2 or 5 times a power of ten, so that about five labels fit. */
static uint64_t round_step(uint64_t iterations) {
    uint64_t step = 1;
    for (;;) {
        static const uint64_t factor[] = {1, 2, 5};
        for (int i = 0; i < 3; i++)
            if (iterations / (step * factor[i]) <= 5)
                return step * factor[i];
        step *= 10;
    }
}

static void draw_iterations_axis(const struct frame *f) {
    uint64_t step = round_step(f->iterations);
    for (uint64_t it = 0; it <= f->iterations; it += step)
        fprintf(f->file,
                "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#404040\"/>\n"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%" PRIu64 "</text>\n",
                x_of(f, it), height - bottom, x_of(f, it), height - bottom + 6, x_of(f, it),
                height - bottom + 22, it);
    fprintf(
        f->file,
        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">iteration</text>\n"
        "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#404040\"/>\n",
        (left + width - right) / 2, height - 18, left, top, width - left - right,
        height - top - bottom);
}

static void draw_curve(const struct frame *f, const double *values, const char *look) {
    uint64_t points = f->iterations < columns ? f->iterations : columns;
    fprintf(f->file, "<polyline fill=\"none\" %s points=\"", look);
    for (uint64_t p = 0; p < points; p++) {
        uint64_t it = points > 1 ? p * (f->iterations - 1) / (points - 1) : 0;
        fprintf(f->file, "%.1f,%.1f ", x_of(f, it + 1), y_of(f, values[it]));
    }
    fprintf(f->file, "\"/>\n");
}

static const char *const best_look = "stroke=\"#0b5394\" stroke-width=\"2\"";
static const char *const mean_look = "stroke=\"#b45f06\" stroke-width=\"1.5\" "
                                     "stroke-dasharray=\"6 4\"";

static void draw_title(const struct frame *f, const struct swarm_session *session) {
    const struct swarm_options *o = &session->options;
    fprintf(f->file,
            "<text x=\"%d\" y=\"26\" font-size=\"16\" font-weight=\"bold\">Particle swarm on %s%s"
            "</text>\n"
            "<text x=\"%d\" y=\"48\">%" PRIu64 " particles x %" PRIu64 " dimensions, seed %" PRIu64
            ", best value %.4g</text>\n",
            left, o->shifted_rotated ? "shifted-rotated-" : "", o->function->name, left,
            o->particles, o->dimensions, o->seed, session->best_of[o->iterations - 1]);
    int x = width - right - 190, y = top + 20;
    fprintf(
        f->file,
        "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" %s/>\n<text x=\"%d\" y=\"%d\">best so "
        "far</text>\n"
        "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" %s/>\n<text x=\"%d\" y=\"%d\">mean of the "
        "swarm</text>\n",
        x, y, x + 36, y, best_look, x + 46, y + 4, x, y + 20, x + 36, y + 20, mean_look, x + 46,
        y + 24);
}

bool swarm_write_plot(const struct swarm_session *session, const char *path) {
    struct frame f = {.file = fopen(path, "w"), .iterations = session->options.iterations};
    if (f.file == NULL)
        return false;
    double least = INFINITY, most = 0;
    widen(session->best_of, f.iterations, &least, &most);
    widen(session->mean_of, f.iterations, &least, &most);
    f.high = most > 0 ? (int)ceil(log10(most)) : 1;
    f.low = least <= most ? (int)floor(log10(least)) : f.high - 1;
    if (f.low >= f.high)
        f.low = f.high - 1;
    fprintf(f.file,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
            "%d\" font-family=\"sans-serif\" font-size=\"13\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            width, height, width, height);
    draw_values_axis(&f);
    draw_iterations_axis(&f);
    draw_curve(&f, session->mean_of, mean_look);
    draw_curve(&f, session->best_of, best_look);
    draw_title(&f, session);
    fprintf(f.file, "</svg>\n");
    bool written = ferror(f.file) == 0;
    return fclose(f.file) == 0 && written;
}
