/* lower_kernel.c -- making kernels: axes with names, the epilogue, where the result goes. */
#include "lower.h"

#include <string.h>

Affine affine_substitute(const Affine *x, const Affine *by)
{
    Affine sum = affine_constant(x->offset);
    for (int t = 0; t < x->n; t++) sum = affine_add(sum, affine_scale(by[x->axis[t]], x->coef[t]));
    return sum;
}

Expr *expr_substitute(Arena *a, const Expr *e, const Affine *by)
{
    Expr *x = NEW(a, Expr);
    *x = *e;
    const int n = e->kind == EX_load ? e->buffer->shape.rank : e->index ? 1 : 0;
    if (n) x->index = NEW_ARRAY(a, Affine, n);
    for (int i = 0; i < n; i++) x->index[i] = affine_substitute(&e->index[i], by);
    for (int i = 0; i < expr_args[e->kind]; i++) x->arg[i] = expr_substitute(a, e->arg[i], by);
    return x;
}

static void number_reduced(Expr *e, int step)
{
    if (e->kind == EX_reduced) e->value = step;
    for (int i = 0; i < expr_args[e->kind]; i++) number_reduced(e->arg[i], step);
}

Expr *kernel_result_at(Arena *a, const Kernel *k, int step, const Affine *by)
{
    if (!k->result) return ex_reduced(a, step);
    Expr *x = expr_substitute(a, k->result, by);
    number_reduced(x, step);
    return x;
}

bool expr_reads_at(const Expr *e, const Buffer *memory, const Affine *address)
{
    if (e->kind == EX_load && buffer_memory(e->buffer) == memory) {
        Affine at = buffer_address(e->buffer, e->index);
        if (!affine_equal(&at, address)) return false;
    }
    for (int i = 0; i < expr_args[e->kind]; i++)
        if (!expr_reads_at(e->arg[i], memory, address)) return false;
    return true;
}

Affine affine_linear(Shape s, const Affine *index)
{
    Affine linear = affine_constant(0);
    for (int d = 0; d < s.rank; d++) linear = affine_add(affine_scale(linear, s.dim[d]), index[d]);
    return linear;
}

static const Node *stored_node(const Lower *l, const Node *n)
{
    const Node *end = fate_of(l, n)->end;
    return end ? end : n;
}

Buffer *stored_buffer(const Lower *l, const Node *n) { return fate_of(l, stored_node(l, n))->buffer; }

/* ---- names ---- */

const char *dim_name(const Node *n, int d)
{
    static const char *const batched[6][5] = {
        { 0 }, { "n" }, { "n", "c" }, { "n", "c", "x" }, { "n", "c", "y", "x" }, { "n", "c", "z", "y", "x" },
    };
    static const char *const weights[6][5] = {
        { 0 }, { "c" }, { "oc", "c" }, { "oc", "c", "kx" }, { "oc", "c", "ky", "kx" }, { "oc", "c", "kz", "ky", "kx" },
    };
    static const char *const others[RANK_MAX] = { "i", "j", "k", "l", "m", "o", "p", "q" };
    if (n->shape.rank > 5) return others[d];
    return n->batched ? batched[n->shape.rank][d] : weights[n->shape.rank][d];
}

static bool axis_named(const Kernel *k, const char *name)
{
    for (int i = 0; i < k->n_axes; i++)
        if (!strcmp(k->axis[i].name, name)) return true;
    return false;
}

/* Of the node that the graph came from: "conv_1", "gradient_conv_1_weight". */
static const char *wanted_name(const Lower *l, const Node *n)
{
    const Buffer *b = stored_buffer(l, n);
    if (b && b->kind == BUF_gradient) return arena_printf(l->arena, "gradient_%s", b->name);
    for (int i = 0; b && i < l->update.n; i++)
        if (l->update.at[i].value == b) return arena_printf(l->arena, "update_%s", l->update.at[i].target->name);
    return n->name ? n->name : op_info[n->op].name;
}

/* ---- axes ---- */

Kernel *kernel_begin_part(Lower *l, const Node *n, const char *suffix)
{
    Kernel *k = NEW(l->arena, Kernel);
    k->node = n;
    k->name = name_take(l, arena_printf(l->arena, "%s%s", wanted_name(l, n), suffix));
    l->computing = l->hole = NULL;
    l->filler = NULL;
    l->memo.n = 0;
    return k;
}

Kernel *kernel_begin(Lower *l, const Node *n) { return kernel_begin_part(l, n, ""); }

Affine kernel_axis(Lower *l, Kernel *k, int64_t extent, const char *name, bool reduce)
{
    if (extent == 1) return affine_constant(0);
    if (k->n_axes == PICKED) internal_error("lower", "kernel %s has more than %d axes", k->name, PICKED);
    const char *unique = name;
    for (int i = 2; axis_named(k, unique); i++) unique = arena_printf(l->arena, "%s%d", name, i);
    k->axis[k->n_axes] = (Axis){ .extent = extent, .reduce = reduce, .name = unique };
    return affine_axis(k->n_axes++);
}

Affine kernel_pick(Lower *l, Kernel *k, Expr *row, int64_t rows)
{
    k->pick = ex_row(l->arena, row, rows);
    return affine_axis(PICKED);
}

void stored_order(const Buffer *b, int *order)
{
    for (int d = 0; d < b->shape.rank; d++) {
        int at = d;
        for (; at && b->stride[order[at - 1]] < b->stride[d]; at--) order[at] = order[at - 1];
        order[at] = d;
    }
}

static void box_axes(Lower *l, Kernel *k, const Node *n, const Buffer *out, Shape box, const char *const *names,
                     Affine *index)
{
    int order[RANK_MAX];
    stored_order(out, order);
    for (int i = 0; i < box.rank; i++) {
        int d = order[i];
        index[d] = kernel_axis(l, k, box.dim[d], names ? names[d] : dim_name(n, d), false);
    }
}

void kernel_box(Lower *l, Kernel *k, const Node *n, Shape box, const char *const *names, Affine *index)
{
    box_axes(l, k, n, stored_buffer(l, n), box, names, index);
}

/* ---- the end ---- */

static void finish(Lower *l, Kernel *k, Buffer *out, const Affine *index)
{
    k->out = out;
    for (int d = 0; d < out->shape.rank; d++) k->store[d] = index[d];
    vec_push(l->arena, &l->program->kernel, k);
}

static bool any_reduces(const Kernel *k)
{
    for (int i = 0; i < k->n_axes; i++)
        if (k->axis[i].reduce) return true;
    return false;
}

/* What is stored where n has the value: n, or the end of its epilogue. */
static Expr *with_epilogue(Lower *l, const Node *n, Expr *value, const Affine *index)
{
    if (stored_node(l, n) == n) return value;
    l->computing = stored_node(l, n);
    l->hole = n;
    l->filler = value;
    l->memo.n = 0;
    return lower_value(l, l->computing, index);
}

void kernel_end(Lower *l, Kernel *k, const Node *n, Expr *value, const Affine *index) { kernel_end_sum(l, k, n, value, index, NULL, false); }

void kernel_end_sum(Lower *l, Kernel *k, const Node *n, Expr *value, const Affine *index, Buffer *rest, bool last)
{
    const bool reduces = any_reduces(k), ends = !rest || last;
    Expr *all = reduces ? ex_reduced(l->arena, 0) : value;
    if (!reduces) k->reduce = REDUCE_none;
    if (last) all = ex_binary(l->arena, EX_add, ex_load(l->arena, rest, index), all);
    if (ends) all = with_epilogue(l, n, all, index);
    k->value = reduces ? value : all;
    if (all->kind != EX_reduced && reduces) k->result = all;
    finish(l, k, ends ? stored_buffer(l, n) : rest, index);
}

Buffer *partial_buffer(Lower *l, const Node *n)
{
    const Node *end = stored_node(l, n);
    Node like = *n;
    like.has_layout = end->has_layout;
    memcpy(like.layout, end->layout, sizeof like.layout);
    Buffer *b = buffer_new(l, BUF_workspace, name_take(l, arena_printf(l->arena, "%s_part", wanted_name(l, n))), &like);
    b->node = n;
    return b;
}

void kernel_store_at(Lower *l, Kernel *k, Buffer *to, Expr *value, const Affine *at)
{
    if (k->value) {
        kernel_store_more(l->arena, k, to, value, at);
        return;
    }
    k->value = value;
    k->out = to;
    for (int d = 0; d < to->shape.rank; d++) k->store[d] = at[d];
}

void kernel_store_part(Lower *l, Kernel *k, const Node *n, Expr *value, const Affine *index)
{
    if (!k->value) {
        kernel_end(l, k, n, value, index);
        return;
    }
    kernel_store_at(l, k, k->out, with_epilogue(l, n, value, index), index);
}

void kernel_fill(Lower *l, const Node *n, double value)
{
    Affine index[RANK_MAX];
    Kernel *k = kernel_begin_part(l, n, "_fill");
    kernel_box(l, k, n, n->shape, NULL, index);
    kernel_end(l, k, n, ex_number(l->arena, value), index);
}

/* In dimension d: `extent` elements from `start` on, and as many at the end where there are two sides; in the others
   all of n, or where `inside` says so only the box that begins at `low`. */
typedef struct Border { int d, sides; int64_t start, extent; const int64_t *low; Shape box; bool inside[RANK_MAX]; } Border;

static void border_side(Lower *l, const Node *n, const Border *b, double value)
{
    int order[RANK_MAX];
    Affine index[RANK_MAX];
    Kernel *k = kernel_begin_part(l, n, "_border");
    stored_order(stored_buffer(l, n), order);
    for (int i = 0; i < n->shape.rank; i++) {
        const int d = order[i];
        if (d == b->d) {
            Affine side = kernel_axis(l, k, b->sides, "side", false);
            Affine at = affine_add(kernel_axis(l, k, b->extent, dim_name(n, d), false), affine_constant(b->start));
            index[d] = affine_add(affine_scale(side, n->shape.dim[d] - b->extent), at);
        } else if (b->inside[d]) {
            index[d] = affine_add(kernel_axis(l, k, b->box.dim[d], dim_name(n, d), false), affine_constant(b->low[d]));
        } else {
            index[d] = kernel_axis(l, k, n->shape.dim[d], dim_name(n, d), false);
        }
    }
    kernel_end(l, k, n, ex_number(l->arena, value), index);
}

void kernel_border(Lower *l, const Node *n, Shape box, const int64_t *start, double value)
{
    int order[RANK_MAX];
    Border b = { .box = box, .low = start };
    stored_order(stored_buffer(l, n), order);
    for (int i = 0; i < n->shape.rank; i++) {
        const int d = b.d = order[i];
        const int64_t low = start[d], high = n->shape.dim[d] - box.dim[d] - low;
        b.sides = low == high ? 2 : 1;
        b.start = 0;
        b.extent = low;
        if (low) border_side(l, n, &b, value);
        b.start = low + box.dim[d];
        b.extent = high;
        if (high && b.sides == 1) border_side(l, n, &b, value);
        b.inside[d] = true;
    }
}

void kernel_store(Lower *l, const Node *n)
{
    Affine index[RANK_MAX];
    Kernel *k = kernel_begin(l, n);
    kernel_box(l, k, n, n->shape, NULL, index);
    l->computing = n;
    k->value = lower_value(l, n, index);
    finish(l, k, fate_of(l, n)->buffer, index);
}

void kernel_copy(Lower *l, const Node *n, Buffer *to)
{
    Affine index[RANK_MAX];
    Kernel *k = kernel_begin_part(l, n, "_copy");
    box_axes(l, k, n, to, n->shape, NULL, index);
    k->value = lower_value(l, n, index);
    finish(l, k, to, index);
}

void kernel_move(Lower *l, Buffer *from, Buffer *to)
{
    Affine index[RANK_MAX];
    Kernel *k = kernel_begin_part(l, from->node, "_copy");
    box_axes(l, k, from->node, to, to->shape, NULL, index);
    k->value = ex_load(l->arena, from, index);
    finish(l, k, to, index);
}
