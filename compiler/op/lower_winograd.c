/* lower_winograd.c -- a 3x3 convolution by minimal filtering: the tiles of x are transformed, multiplied as matrices for
   each of the size x size places of a tile, and transformed back. Everything a tile needs is in registers. The gradient for
   the transformed weights multiplies tiles of x by tiles of dy. */
#include "lower.h"
#include "winograd.h"

#include <string.h>

enum {
    BLOCK_BYTES = 640 << 10,       /* of transformed tiles at a time: they stay in the second cache */
    PART_BYTES = 384 << 10,        /* of one sample's, where enough tiles have no more: beside the weights of the layers around */
    BLOCK_TILES = 24               /* of one sample, at least: as many rows as fill the tiles of registers */
};

/* The tiles of some samples, or some rows of those of one. */
typedef struct Tiles {
    Lower *l;
    const Node *n;
    const Winograd *form;
    int64_t first, samples, row, down, across;   /* tiles down and across an image, from a row of them on */
    int64_t in, out;                             /* channels */
} Tiles;

static Affine plus(Affine x, int64_t by) { return affine_add(x, affine_constant(by)); }

/* Memory for transformed tiles, [i, j, sample, down, across, channel]. Tiles lie an odd number of cache lines apart, and so
   do the places of a tile, so that those of one tile do not fall together in a cache. */
static Buffer *transformed(const Tiles *t, const char *what, int64_t channels)
{
    Lower *l = t->l;
    const int64_t size = t->form->size;
    const int64_t step = odd_lines(channels), plane = odd_lines(t->samples * t->down * t->across * step);
    const Node whole = { .dtype = DTYPE_f32, .shape = { 1, { size * size * plane } } };
    const char *name = name_take(l, arena_printf(l->arena, "%s_%s", t->n->name ? t->n->name : "winograd", what));
    Buffer *memory = buffer_new(l, BUF_workspace, name, &whole);
    memory->node = t->n;
    Buffer *b = buffer_view(l, memory, whole.shape);
    b->shape = (Shape){ 6, { size, size, t->samples, t->down, t->across, channels } };
    b->elements = shape_elements(b->shape);
    const int64_t strides[] = { size * plane, plane, t->down * t->across * step, t->across * step, step, 1 };
    memcpy(b->stride, strides, sizeof strides);
    return b;
}

/* ---- to the places of a tile ---- */

typedef Expr *Square[WINOGRAD_SIDE][WINOGRAD_SIDE];

/* Whether one of the first rows of the matrix has a part of the column. */
static bool takes(const double *matrix, int rows, int columns, int column)
{
    for (int r = 0; r < rows; r++)
        if (matrix[r * columns + column] != 0) return true;
    return false;
}

/* The first high x wide of y = m x m'. Rows of x first, then columns: a row is done with before the next is read. */
static void apply_both(Lower *l, const double *matrix, int high, int wide, int columns, Square x, Square y, Kernel *k)
{
    Square half;
    for (int i = 0; i < columns; i++) {
        winograd_apply(l->arena, matrix, wide, columns, x[i], half[i]);
        for (int j = 0; takes(matrix, high, columns, i) && j < wide; j++) vec_push(l->arena, &k->early, half[i][j]);
    }
    for (int j = 0; j < wide; j++) {
        Expr *column[WINOGRAD_SIDE], *done[WINOGRAD_SIDE];
        for (int i = 0; i < columns; i++) column[i] = half[i][j];
        winograd_apply(l->arena, matrix, high, columns, column, done);
        for (int i = 0; i < high; i++) y[i][j] = done[i];
    }
}

static void store_place(Lower *l, Kernel *k, Buffer *to, Expr *value, const Affine *at)
{
    if (!k->value) vec_push(l->arena, &l->program->kernel, k);
    kernel_store_at(l, k, to, value, at);
}

static void transform_input(const Tiles *t, Buffer *to)
{
    Lower *l = t->l;
    const int size = t->form->size, tile = t->form->tile;
    Square x, y;
    Kernel *k = kernel_begin_part(l, t->n, "_tiles");
    Affine n = kernel_axis(l, k, t->samples, "n", false), down = kernel_axis(l, k, t->down, "y", false);
    Affine across = kernel_axis(l, k, t->across, "x", false), c = kernel_axis(l, k, t->in, "c", false), sample = plus(n, t->first);
    for (int i = 0; i < size; i++)
        for (int j = 0; j < size; j++) {
            Affine at[] = { sample, c, plus(affine_scale(plus(down, t->row), tile), i), plus(affine_scale(across, tile), j) };
            x[i][j] = lower_value(l, t->n->in[0], at);
        }
    apply_both(l, t->form->bt, size, size, size, x, y, k);
    for (int j = 0; j < size; j++)
        for (int i = 0; i < size; i++)
            store_place(l, k, to, y[i][j], (Affine[]){ affine_constant(i), affine_constant(j), n, down, across, c });
}

/* ---- the products ---- */

static void multiply(const Tiles *t, Buffer *x, Buffer *to)
{
    Lower *l = t->l;
    const int size = t->form->size;
    Kernel *k = kernel_begin_part(l, t->n, "_products");
    k->reduce = REDUCE_sum;
    Affine i = kernel_axis(l, k, size, "i", false), j = kernel_axis(l, k, size, "j", false);
    const int64_t *weights = t->n->in[1]->shape.dim;
    Affine group = kernel_axis(l, k, weights[2], "group", false);
    for (int a = 0; a < k->n_axes; a++) k->axis[a].outer = true;
    Affine n = kernel_axis(l, k, t->samples, "n", false), down = kernel_axis(l, k, t->down, "y", false);
    Affine across = kernel_axis(l, k, t->across, "x", false), o = kernel_axis(l, k, weights[3], "oc", false);
    Affine c = kernel_axis(l, k, t->in, "c", true);
    if (t->in == 1) k->reduce = REDUCE_none;
    Expr *a = ex_load(l->arena, x, (Affine[]){ i, j, n, down, across, c });
    k->value = ex_binary(l->arena, EX_mul, a, lower_value(l, t->n->in[1], (Affine[]){ i, j, group, o, c }));
    k->out = to;
    o = affine_add(affine_scale(group, weights[3]), o);
    memcpy(k->store, (Affine[]){ i, j, n, down, across, o }, 6 * sizeof *k->store);
    vec_push(l->arena, &l->program->kernel, k);
    l->program->multiply_adds += size * size * t->samples * t->down * t->across * t->out * t->in;
}

/* ---- back to the result, with what follows on it ---- */

/* The tiles [row, row + rows) x [column, column + columns) of an image, of each the first high x wide results. */
typedef struct Part { int64_t row, rows, column, columns; int high, wide; } Part;

static void transform_part(const Tiles *t, Buffer *from, const Part *p)
{
    Lower *l = t->l;
    const int size = t->form->size, tile = t->form->tile;
    Square x, y;
    Kernel *k = kernel_begin(l, t->n);
    Affine n = kernel_axis(l, k, t->samples, "n", false), down = plus(kernel_axis(l, k, p->rows, "y", false), p->row), in_block = plus(down, -t->row);
    Affine across = plus(kernel_axis(l, k, p->columns, "x", false), p->column), o = kernel_axis(l, k, t->out, "oc", false);
    for (int i = 0; i < size; i++)
        for (int j = 0; j < size; j++)
            x[i][j] = ex_load(l->arena, from, (Affine[]){ affine_constant(i), affine_constant(j), n, in_block, across, o });
    apply_both(l, t->form->at, p->high, p->wide, size, x, y, k);
    for (int j = 0; j < p->wide; j++)
        for (int i = 0; i < p->high; i++) {
            Affine at[] = { plus(n, t->first), o, plus(affine_scale(down, tile), i), plus(affine_scale(across, tile), j) };
            kernel_store_part(l, k, t->n, y[i][j], at);
        }
}

/* Of the block's tiles the whole ones, and those that reach over the edges of `image`. */
static void transform_parts(const Tiles *t, const Node *image, Buffer *tiles, void (*transform)(const Tiles *t, Buffer *tiles, const Part *p))
{
    const int tile = t->form->tile;
    const int64_t high = image->shape.dim[2], wide = image->shape.dim[3];
    const int64_t end = t->row + t->down, whole = high / tile < end ? high / tile : end;
    const int64_t rows[] = { whole - t->row, end - whole }, columns[] = { wide / tile, wide % tile != 0 };
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < 2; c++) {
            const Part p = { r ? whole : t->row, rows[r], c ? columns[0] : 0, columns[c],
                             r ? (int)(high % tile) : tile, c ? (int)(wide % tile) : tile };
            if (p.rows && p.columns) transform(t, tiles, &p);
        }
}

/* ---- the gradient for weights ---- */

/* To the places of a tile, from those of its results that lie inside: the others are zeros. */
static void transform_gradient_part(const Tiles *t, Buffer *to, const Part *p)
{
    Lower *l = t->l;
    const int size = t->form->size, tile = t->form->tile;
    double a[WINOGRAD_SIDE * WINOGRAD_SIDE];
    Square x, y;
    Kernel *k = kernel_begin_part(l, t->n, "_spread");
    Affine n = kernel_axis(l, k, t->samples, "n", false), down = plus(kernel_axis(l, k, p->rows, "y", false), p->row), in_block = plus(down, -t->row);
    Affine across = plus(kernel_axis(l, k, p->columns, "x", false), p->column), o = kernel_axis(l, k, t->out, "oc", false);
    for (int i = 0; i < tile; i++)
        for (int j = 0; j < tile; j++) {
            Affine at[] = { plus(n, t->first), o, plus(affine_scale(down, tile), i), plus(affine_scale(across, tile), j) };
            x[i][j] = i < p->high && j < p->wide ? lower_value(l, t->n->in[1], at) : ex_number(l->arena, 0);
        }
    for (int i = 0; i < size; i++)
        for (int j = 0; j < tile; j++) a[i * tile + j] = t->form->at[j * size + i];
    apply_both(l, a, size, size, tile, x, y, k);
    for (int j = 0; j < size; j++)
        for (int i = 0; i < size; i++)
            store_place(l, k, to, y[i][j], (Affine[]){ affine_constant(i), affine_constant(j), n, in_block, across, o });
}

static void multiply_gradient(const Tiles *t, Buffer *x, Buffer *dy)
{
    Lower *l = t->l;
    const int size = t->form->size;
    Kernel *k = kernel_begin(l, t->n);
    k->reduce = t->samples * t->down * t->across > 1 ? REDUCE_sum : REDUCE_none;
    k->accumulate = t->first > 0 || t->row > 0;
    Affine i = kernel_axis(l, k, size, "i", false), j = kernel_axis(l, k, size, "j", false);
    for (int a = 0; a < k->n_axes; a++) k->axis[a].outer = true;
    Affine c = kernel_axis(l, k, t->in, "c", false), o = kernel_axis(l, k, t->out, "oc", false);
    Affine n = kernel_axis(l, k, t->samples, "n", true), down = kernel_axis(l, k, t->down, "y", true);
    Affine across = kernel_axis(l, k, t->across, "x", true);
    Expr *a = ex_load(l->arena, dy, (Affine[]){ i, j, n, down, across, o });
    Expr *b = ex_load(l->arena, x, (Affine[]){ i, j, n, down, across, c });
    kernel_end(l, k, t->n, ex_binary(l->arena, EX_mul, a, b), (Affine[]){ i, j, o, c });
    l->program->multiply_adds += size * size * t->samples * t->down * t->across * t->out * t->in;
}

/* ---- block by block ---- */

/* The largest part of `all` of at most `most` bytes, all of them alike; at least 1. */
static int64_t part_of(int64_t all, int64_t bytes, int64_t most)
{
    int64_t part = all;
    while (part > 1 && (all % part || part * bytes > most)) part--;
    return part;
}

/* Rows of tiles of one sample, of so many bytes each. */
static int64_t rows_of(int64_t all, int64_t across, int64_t bytes)
{
    int64_t part = part_of(all, bytes, PART_BYTES);
    while (part < all && (all % part || part * across < BLOCK_TILES)) part++;
    return part;
}

/* `image`: the result, or its gradient. The rows of a large sample are cut where the weights too, which all parts read, stay in the cache. */
static Tiles begin(Lower *l, const Node *n, const Node *image)
{
    const Winograd *form = winograd_form(node_int(n, ATTR_tile));
    Tiles t = { .l = l, .n = n, .form = form, .samples = image->shape.dim[0], .in = n->in[0]->shape.dim[1], .out = image->shape.dim[1],
                .down = winograd_tiles(form, image->shape.dim[2]), .across = winograd_tiles(form, image->shape.dim[3]) };
    const int64_t places = (int64_t)sizeof(float) * form->size * form->size, row = places * t.across * (t.in + t.out);
    t.samples = part_of(t.samples, t.down * row, BLOCK_BYTES);
    const int64_t rows = rows_of(t.down, t.across, row);
    if (t.samples == 1 && rows * row <= BLOCK_BYTES && places * t.in * t.out <= BLOCK_BYTES) t.down = rows;
    return t;
}

/* The next block; false behind the last. */
static bool next(Tiles *t, const Node *image)
{
    t->row += t->down;
    if (t->row < winograd_tiles(t->form, image->shape.dim[2])) return true;
    t->row = 0;
    t->first += t->samples;
    return t->first < image->shape.dim[0];
}

void lower_winograd(Lower *l, const Node *n)
{
    Tiles t = begin(l, n, n);
    do {
        Buffer *x = transformed(&t, "tiles", t.in), *y = transformed(&t, "products", t.out);
        transform_input(&t, x);
        multiply(&t, x, y);
        transform_parts(&t, n, y, transform_part);
    } while (next(&t, n));
}

void lower_winograd_weights(Lower *l, const Node *n)
{
    const Node *image = n->in[1];
    Tiles t = begin(l, n, image);
    Beside beside = beside_begin(l, n);
    do {
        beside_samples(l, &beside, t.first + t.samples);
        Buffer *x = transformed(&t, "tiles", t.in), *dy = transformed(&t, "spread", t.out);
        transform_input(&t, x);
        transform_parts(&t, image, dy, transform_gradient_part);
        multiply_gradient(&t, x, dy);
    } while (next(&t, image));
}
