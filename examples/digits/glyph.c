/* glyph.c -- digits as strokes: bent, slanted, shifted, thick or thin, with specks. */
#include "glyph.h"

#include <math.h>

enum { POINTS_MAX = 96 };

typedef struct Pen { double x[POINTS_MAX], y[POINTS_MAX]; int down[POINTS_MAX], n; } Pen;
typedef struct Draw { uint64_t state; } Draw;

/* splitmix64 (Steele, Lea and Flood, 2014) */
static uint64_t draw_bits(Draw *d)
{
    uint64_t z = (d->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [low, high). */
static double draw_between(Draw *d, double low, double high)
{
    return low + (high - low) * (double)(draw_bits(d) >> 11) * 0x1p-53;
}

static Draw draw_start(uint64_t seed, uint32_t index)
{
    Draw d = {seed * 0x2545f4914f6cdd1du + index};
    draw_bits(&d);
    return d;
}

static void pen_to(Pen *p, double x, double y, int down)
{
    if (p->n == POINTS_MAX) return;
    p->x[p->n] = x;
    p->y[p->n] = y;
    p->down[p->n++] = down;
}

/* An arc of an ellipse around (x, y), from angle a to b in quarter turns; 0 is right, 1 is down. */
static void pen_arc(Pen *p, double x, double y, double rx, double ry, double a, double b, int join)
{
    enum { STEPS = 12 };
    for (int i = 0; i <= STEPS; i++) {
        double t = (a + (b - a) * i / STEPS) * acos(0);
        pen_to(p, x + rx * cos(t), y + ry * sin(t), i > 0 || join);
    }
}

/* Strokes in the unit square, y downwards; some digits have two ways to be written. */
static void pen_digit(Pen *p, int digit, int way)
{
    switch (digit) {
    case 0: pen_arc(p, 0.5, 0.5, 0.32, 0.48, -1, 3, 0); break;
    case 1:
        if (way) pen_to(p, 0.3, 0.2, 0);
        pen_to(p, 0.55, 0.02, way);
        pen_to(p, 0.55, 0.98, 1);
        break;
    case 2:
        pen_arc(p, 0.5, 0.28, 0.3, 0.26, -2, 0.6, 0);
        pen_to(p, 0.16, 0.96, 1);
        pen_to(p, 0.86, 0.96, 1);
        break;
    case 3:
        pen_arc(p, 0.47, 0.26, 0.28, 0.24, -1.8, 1, 0);
        pen_arc(p, 0.47, 0.73, 0.32, 0.24, -1, 1.8, 1);
        break;
    case 4:
        pen_to(p, way ? 0.6 : 0.25, 0.02, 0);
        pen_to(p, 0.12, 0.62, 1);
        pen_to(p, 0.9, 0.62, 1);
        pen_to(p, 0.66, way ? 0.02 : 0.3, 0);
        pen_to(p, 0.66, 0.98, 1);
        break;
    case 5:
        pen_to(p, 0.82, 0.04, 0);
        pen_to(p, 0.26, 0.04, 1);
        pen_to(p, 0.22, 0.46, 1);
        pen_arc(p, 0.46, 0.69, 0.34, 0.27, -1.2, 1.8, 1);
        break;
    case 6:
        pen_to(p, 0.68, 0.03, 0);
        pen_to(p, 0.3, 0.4, 1);
        pen_arc(p, 0.5, 0.71, 0.3, 0.26, -2, 2, 1);
        break;
    case 7:
        pen_to(p, 0.14, 0.05, 0);
        pen_to(p, 0.86, 0.05, 1);
        pen_to(p, 0.4, 0.98, 1);
        if (way) {
            pen_to(p, 0.38, 0.52, 0);
            pen_to(p, 0.78, 0.52, 1);
        }
        break;
    case 8:
        pen_arc(p, 0.5, 0.26, 0.26, 0.24, 1, -3, 0);
        pen_arc(p, 0.5, 0.74, 0.32, 0.24, -1, 3, 0);
        break;
    default:
        pen_arc(p, 0.5, 0.3, 0.3, 0.27, 0, 4, 0);
        pen_to(p, way ? 0.72 : 0.6, 0.98, 1);
    }
}

/* A random affine map with a slight bend, into pixels. */
static void pen_place(Pen *p, Draw *d)
{
    double turn = draw_between(d, -0.2, 0.2), slant = draw_between(d, -0.3, 0.15);
    double width = draw_between(d, 11, 16), height = draw_between(d, 16.5, 20.5);
    double x0 = 14 + draw_between(d, -1.8, 1.8), y0 = 14 + draw_between(d, -1.8, 1.8);
    double bend = draw_between(d, -0.12, 0.12), wave = draw_between(d, -0.06, 0.06);
    for (int i = 0; i < p->n; i++) {
        double u = p->x[i] - 0.5 + bend * (p->y[i] - 0.5) * (p->y[i] - 0.5) * 4;
        double v = p->y[i] - 0.5 + wave * sin(6 * p->x[i]);
        u = (u - slant * v) * width + draw_between(d, -0.35, 0.35);
        v = v * height + draw_between(d, -0.35, 0.35);
        p->x[i] = x0 + u * cos(turn) - v * sin(turn);
        p->y[i] = y0 + u * sin(turn) + v * cos(turn);
    }
}

/* Distance from (x, y) to the segment that ends at point i. */
static double segment_distance(const Pen *p, int i, double x, double y)
{
    double ax = p->x[i - 1], ay = p->y[i - 1], bx = p->x[i] - ax, by = p->y[i] - ay;
    double t = ((x - ax) * bx + (y - ay) * by) / (bx * bx + by * by + 1e-12);
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return hypot(x - ax - t * bx, y - ay - t * by);
}

int glyph_digit(uint64_t seed, uint32_t index)
{
    Draw d = draw_start(seed, index);
    return (int)(draw_bits(&d) % 10);
}

void glyph_draw(uint64_t seed, uint32_t index, int digit, uint8_t pixels[GLYPH_SIZE * GLYPH_SIZE])
{
    Draw d = draw_start(seed ^ 0x5bd1e995, index);
    Pen p = {.n = 0};
    pen_digit(&p, digit, (int)(draw_bits(&d) & 1));
    pen_place(&p, &d);
    double radius = draw_between(&d, 0.7, 1.6), ink = draw_between(&d, 190, 255), grain = draw_between(&d, 0, 25);
    for (int y = 0; y < GLYPH_SIZE; y++)
        for (int x = 0; x < GLYPH_SIZE; x++) {
            double nearest = 1e9;
            for (int i = 1; i < p.n; i++)
                if (p.down[i]) nearest = fmin(nearest, segment_distance(&p, i, x + 0.5, y + 0.5));
            double cover = fmin(fmax(radius + 0.5 - nearest, 0), 1);
            double value = ink * cover + draw_between(&d, -grain, grain);
            pixels[y * GLYPH_SIZE + x] = (uint8_t)fmin(fmax(value, 0), 255);
        }
}
