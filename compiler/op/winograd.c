/* winograd.c -- the matrices of the forms, and multiplying by them with few operations. */
#include "winograd.h"

#include <math.h>

/* Over the points 0, 1, -1 and infinity. */
static const double bt2[] = { 1, 0, -1, 0,   0, 1, 1, 0,   0, -1, 1, 0,   0, 1, 0, -1 };
static const double g2[] = { 1, 0, 0,   .5, .5, .5,   .5, -.5, .5,   0, 0, 1 };
static const double at2[] = { 1, 1, 1, 0,   0, 1, -1, -1 };

/* Over the points 0, 1, -1, 2, -2 and infinity. */
static const double bt4[] = { 4, 0, -5, 0, 1, 0,   0, -4, -4, 1, 1, 0,   0, 4, -4, -1, 1, 0,
                              0, -2, -1, 2, 1, 0,   0, 2, -1, -2, 1, 0,   0, 4, 0, -5, 0, 1 };
static const double g4[] = { 1. / 4, 0, 0,   -1. / 6, -1. / 6, -1. / 6,   -1. / 6, 1. / 6, -1. / 6,
                             1. / 24, 1. / 12, 1. / 6,   1. / 24, -1. / 12, 1. / 6,   0, 0, 1 };
static const double at4[] = { 1, 1, 1, 1, 1, 0,   0, 1, -1, 2, -2, 0,   0, 1, 1, 4, 4, 0,   0, 1, -1, 8, -8, 1 };

const Winograd *winograd_form(int64_t tile)
{
    static const Winograd form[] = { { 2, 4, bt2, g2, at2 }, { 4, 6, bt4, g4, at4 } };
    for (size_t i = 0; i < LENGTH(form); i++)
        if (form[i].tile == tile) return &form[i];
    return NULL;
}

bool winograd_unpools(const Node *n, const Node *unpool)
{
    if ((n->op != OP_winograd && n->op != OP_winograd_weights) || unpool->shape.rank != 4) return false;
    const int64_t *size = node_ints(unpool, ATTR_window), *stride = node_ints(unpool, ATTR_stride), *dilation = node_ints(unpool, ATTR_dilation);
    for (int d = 0; d < 4; d++) {
        if (size[d] * unpool->in[0]->shape.dim[d] != unpool->shape.dim[d]) return false;
        if (size[d] > 1 && (d < 2 || stride[d] != size[d] || dilation[d] != 1 || node_int(n, ATTR_tile) % size[d])) return false;
    }
    return true;
}

/* ---- rounding ---- */

static double square(const double *x, int n, int step)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i * step] * x[i * step];
    return sum;
}

/* How much larger than a result what it is a sum of may be, as root mean squares of independent numbers: along one
   dimension, at the place where it is worst, sum of (at g bt)^2 next to the 3 products of a plain sum; of the gradient
   for weights sum of (g' at' bt)^2 next to as many as a tile has results. */
static double growth(const Winograd *w, bool gradient)
{
    double worst = 0;
    for (int i = 0; i < (gradient ? WINOGRAD_KERNEL : w->tile); i++) {
        double sum = 0;
        for (int u = 0; u < w->size; u++) {
            const double g = square(w->g + u * WINOGRAD_KERNEL + (gradient ? i : 0), gradient ? 1 : WINOGRAD_KERNEL, 1);
            const double a = square(w->at + u + (gradient ? 0 : i * w->size), gradient ? w->tile : 1, w->size);
            sum += a * g * square(w->bt + u * w->size, w->size, 1);
        }
        worst = fmax(worst, sum);
    }
    return worst / (gradient ? w->tile : WINOGRAD_KERNEL);
}

/* A sum of n random terms, rounded n times by a third of a unit squared on the average, is off by n / 6 of its own square;
   the transforms and their operands are some 15 roundings more. */
double winograd_error(const Winograd *w, bool gradient, int64_t terms)
{
    const double unit = ldexp(1, -24), transforms = w ? 5 : 1;
    return 8 * unit * (w ? growth(w, gradient) : 1) * sqrt((double)terms / 6 + transforms);
}

/* ---- sums of few terms ---- */

static Expr *add(Arena *a, Expr *x, Expr *y) { return x ? y ? ex_binary(a, EX_add, x, y) : x : y; }
static Expr *subtract(Arena *a, Expr *x, Expr *y) { return y ? x ? ex_binary(a, EX_sub, x, y) : ex_unary(a, EX_neg, y) : x; }

/* The sum of the terms k = first, first + step, ...; terms of 1 first, then those that are added by multiplication. */
static Expr *sum_of(Arena *a, const double *row, int n, int first, int step, Expr *const *x)
{
    Expr *sum = NULL;
    for (int k = first; k < n; k += step)
        if (row[k] == 1) sum = add(a, sum, x[k]);
    for (int k = first; k < n; k += step)
        if (row[k] == -1) sum = subtract(a, sum, x[k]);
    for (int k = first; k < n; k += step)
        if (row[k] != 0 && fabs(row[k]) != 1) sum = add(a, ex_binary(a, EX_mul, ex_number(a, row[k]), x[k]), sum);
    return sum;
}

/* Points p and -p: entries of two rows (columns) agree in even places and are opposite in odd ones. */
static bool mirrored(const double *p, const double *q, int n, int step)
{
    for (int k = 0; k < n; k++)
        if (q[k * step] != (k % 2 ? -p[k * step] : p[k * step])) return false;
    return true;
}

/* Columns that mirror each other become their sum, for even rows, and their difference, for odd ones. */
static void apply_columns(Arena *a, const double *matrix, int rows, int columns, Expr *const *x, Expr **y)
{
    double folded[WINOGRAD_SIDE * WINOGRAD_SIDE];
    Expr *sum[WINOGRAD_SIDE], *difference[WINOGRAD_SIDE];
    for (int i = 0; i < rows * columns; i++) folded[i] = matrix[i];
    for (int c = 0; c < columns; c++) sum[c] = difference[c] = x[c];
    for (int c = 0; c + 1 < columns; c++) {
        if (!mirrored(matrix + c, matrix + c + 1, rows, columns)) continue;
        sum[c] = add(a, x[c], x[c + 1]);
        difference[c] = subtract(a, x[c], x[c + 1]);
        for (int r = 0; r < rows; r++) folded[r * columns + c + 1] = 0;
        c++;
    }
    for (int r = 0; r < rows; r++) y[r] = sum_of(a, folded + r * columns, columns, 0, 1, r % 2 ? difference : sum);
}

/* Rows that mirror each other share the sums of their even and of their odd terms. */
void winograd_apply(Arena *a, const double *matrix, int rows, int columns, Expr *const *x, Expr **y)
{
    if (rows < columns) {
        apply_columns(a, matrix, rows, columns, x, y);
        return;
    }
    for (int r = 0; r < rows; r++) {
        const double *row = matrix + r * columns;
        y[r] = NULL;
        if (r + 1 == rows || !mirrored(row, row + columns, columns, 1)) {
            y[r] = sum_of(a, row, columns, 0, 1, x);
            continue;
        }
        Expr *even = sum_of(a, row, columns, 0, 2, x), *odd = sum_of(a, row, columns, 1, 2, x);
        y[r] = add(a, even, odd);
        y[r + 1] = subtract(a, even, odd);
        r++;
    }
}
