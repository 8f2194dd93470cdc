/* eval_winograd.c -- the reference interpreter: convolutions by tiles and their gradients for weights, straight from the matrices. */
#include "eval.h"

#include "../op/winograd.h"

#include <string.h>

typedef double Square[WINOGRAD_SIDE][WINOGRAD_SIDE];

/* y = m x m' with m rows x columns, whose entry i, k is m[i * down + k * across]. */
static void apply_strided(const double *m, int down, int across, int rows, int columns, Square x, Square y)
{
    Square half = { { 0 } };
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            for (int k = 0; k < columns; k++) half[i][j] += m[i * down + k * across] * x[k][j];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            y[i][j] = 0;
            for (int k = 0; k < columns; k++) y[i][j] += half[i][k] * m[j * down + k * across];
        }
}

static void apply_both(const double *m, int rows, int columns, Square x, Square y) { apply_strided(m, columns, 1, rows, columns, x, y); }

/* The products of one tile of one result channel, summed over the channels of x, which begins at the tile. */
static void tile_products(const Winograd *w, const Node *n, const double *x, const double *v, int64_t out, Square sum)
{
    const Strides sx = eval_strides(n->in[0]->shape), sv = eval_strides(n->in[1]->shape);
    memset(sum, 0, sizeof(Square));
    for (int64_t c = 0; c < n->in[0]->shape.dim[1]; c++) {
        Square part, moved;
        for (int i = 0; i < w->size; i++)
            for (int j = 0; j < w->size; j++) part[i][j] = x[c * sx.step[1] + i * sx.step[2] + j];
        apply_both(w->bt, w->size, w->size, part, moved);
        for (int i = 0; i < w->size; i++)
            for (int j = 0; j < w->size; j++)
                sum[i][j] += moved[i][j] * v[i * sv.step[0] + j * sv.step[1] + out * sv.step[3] + c];
    }
}

void eval_winograd(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const Winograd *w = winograd_form(node_int(n, ATTR_tile));
    const Strides sx = eval_strides(n->in[0]->shape), sy = eval_strides(n->shape);
    const int64_t *size = n->shape.dim;
    for (int64_t s = 0; s < size[0]; s++)
        for (int64_t o = 0; o < size[1]; o++)
            for (int64_t top = 0; top < size[2]; top += w->tile)
                for (int64_t left = 0; left < size[3]; left += w->tile) {
                    Square sum, result;
                    tile_products(w, n, x[0] + s * sx.step[0] + top * sx.step[2] + left, x[1], o, sum);
                    apply_both(w->at, w->tile, w->size, sum, result);
                    for (int64_t i = 0; i < w->tile && top + i < size[2]; i++)
                        for (int64_t j = 0; j < w->tile && left + j < size[3]; j++)
                            y[s * sy.step[0] + o * sy.step[1] + (top + i) * sy.step[2] + left + j] = result[i][j];
                }
}

/* x: the tile of one channel; dy: of one channel of the result, of which high x wide are inside. */
static void gradient_tile(const Winograd *w, const double *x, int64_t x_row, const double *dy, int64_t dy_row, int64_t high, int64_t wide, Square v)
{
    Square part = { { 0 } }, moved, spread;
    for (int i = 0; i < w->size; i++)
        for (int j = 0; j < w->size; j++) part[i][j] = x[i * x_row + j];
    apply_both(w->bt, w->size, w->size, part, moved);
    for (int i = 0; i < w->tile; i++)
        for (int j = 0; j < w->tile; j++) part[i][j] = i < high && j < wide ? dy[i * dy_row + j] : 0;
    apply_strided(w->at, 1, w->size, w->size, w->tile, part, spread);
    for (int i = 0; i < w->size; i++)
        for (int j = 0; j < w->size; j++) v[i][j] += moved[i][j] * spread[i][j];
}

void eval_winograd_weights(const EvalInputs *in, const Node *n, const double *const *x, double *y)
{
    (void)in;
    const Winograd *w = winograd_form(node_int(n, ATTR_tile));
    const Strides sx = eval_strides(n->in[0]->shape), sdy = eval_strides(n->in[1]->shape), sy = eval_strides(n->shape);
    const int64_t *size = n->in[1]->shape.dim;
    for (int64_t o = 0; o < size[1]; o++)
        for (int64_t c = 0; c < n->in[0]->shape.dim[1]; c++) {
            Square v = { { 0 } };
            for (int64_t s = 0; s < size[0]; s++)
                for (int64_t top = 0; top < size[2]; top += w->tile)
                    for (int64_t left = 0; left < size[3]; left += w->tile)
                        gradient_tile(w, x[0] + s * sx.step[0] + c * sx.step[1] + top * sx.step[2] + left, sx.step[2],
                                      x[1] + s * sdy.step[0] + o * sdy.step[1] + top * sdy.step[2] + left, sdy.step[2], size[2] - top, size[3] - left, v);
            for (int i = 0; i < w->size; i++)
                for (int j = 0; j < w->size; j++) y[i * sy.step[0] + j * sy.step[1] + o * sy.step[2] + c] = v[i][j];
        }
}
