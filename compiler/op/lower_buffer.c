/* lower_buffer.c -- the memory that nodes are stored in, and names for it. */
#include "lower.h"

#include <string.h>

/* ---- names ---- */

static const char *identifier(Arena *a, const char *s)
{
    char *name = arena_printf(a, "%s%s", *s >= '0' && *s <= '9' ? "k" : "", s);
    for (char *c = name; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!letter) *c = '_';
    }
    return *name ? name : "k";
}

const char *name_take(Lower *l, const char *wanted) { return names_take(&l->names, identifier(l->arena, wanted), "_"); }

/* ---- buffers ---- */

/* Steps of the dimensions, the last in `order` being contiguous; row-major without order. */
static void set_strides(Buffer *b, const signed char *order)
{
    int64_t step = 1;
    for (int i = b->shape.rank - 1; i >= 0; i--) {
        int d = order ? order[i] : i;
        b->stride[d] = step;
        step *= b->shape.dim[d];
    }
    b->elements = step;
}

static Buffer *append(Lower *l, Buffer b)
{
    Buffer *copy = NEW(l->arena, Buffer);
    *copy = b;
    copy->id = l->program->buffer.n;
    copy->first = copy->last = -1;
    vec_push(l->arena, &l->program->buffer, copy);
    return copy;
}

Buffer *buffer_new(Lower *l, BufferKind kind, const char *name, const Node *n)
{
    Buffer b = { .kind = kind, .dtype = n->dtype, .shape = n->shape, .name = name, .node = n };
    set_strides(&b, n->has_layout ? n->layout : NULL);
    return append(l, b);
}

int64_t odd_lines(int64_t elements) { return elements % (2 * LINE) ? elements : elements + LINE; }

/* Steps of the dimensions [j, to) of y, which are the dimensions [i, end) of x: those must lie as one. */
static bool split_run(const Buffer *x, int i, int end, Buffer *y, int j, int to)
{
    int64_t step = 0, next = 0;    /* of the innermost dimension above 1; of the one around those seen */
    for (int d = end - 1; d >= i; d--) {
        if (x->shape.dim[d] == 1) continue;
        if (next && x->stride[d] != next) return false;
        if (!next) step = x->stride[d];
        next = x->stride[d] * x->shape.dim[d];
    }
    for (int d = to - 1; d >= j; d--) {
        y->stride[d] = step ? step : 1;
        step *= y->shape.dim[d];
    }
    return true;
}

Buffer *buffer_view(Lower *l, Buffer *base, Shape s)
{
    Buffer b = { .kind = base->kind, .dtype = base->dtype, .shape = s, .node = base->node, .elements = base->elements };
    int i = 0, j = 0;
    for (int d = 0; d < s.rank; d++) b.stride[d] = 1;
    while (i < base->shape.rank && j < s.rank) {
        int from = i, start = j;
        reshape_run(base->shape, &i, s, &j);
        if (!split_run(base, from, i, &b, start, j)) return NULL;
    }
    b.name = arena_printf(l->arena, "%s_%d", base->name, l->program->buffer.n);
    b.base = base->base ? base->base : base;
    b.origin = base->origin;
    return append(l, b);
}

Buffer *buffer_box(Lower *l, Buffer *base, const char *name, const Node *n, const int64_t *start)
{
    Buffer b = { .kind = base->kind, .dtype = base->dtype, .shape = n->shape, .name = name, .node = n, .elements = shape_elements(n->shape) };
    b.base = base->base ? base->base : base;
    b.origin = base->origin;
    for (int d = 0; d < n->shape.rank; d++) {
        b.stride[d] = base->stride[d];
        b.origin += start[d] * base->stride[d];
    }
    return append(l, b);
}
