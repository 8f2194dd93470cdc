/* builtin_move.c -- the functions that give the elements of a tensor another shape, order or place. */
#include "builtins.h"

#include <string.h>

static Shape batch_shape(const Node *x, Shape s)
{
    if (!x->batched) return s;
    Shape full = {.rank = s.rank + 1, .dim = {x->shape.dim[0]}};
    memcpy(full.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
    return full;
}

Value call_reshape(Call *c)
{
    Node *x = operand_any(c, 0);
    Shape s;
    if (!x || !value_to_shape(c->r, &c->arg[1], 1, c->at[1], &s)) return value_poison();
    if (shape_elements(s) != shape_elements(sample_shape(x))) {
        resolve_error(c->r, c->span, "`reshape`: %s has %lld elements, but %s has %lld", shape_text(c->r->arena, sample_shape(x)),
                      (long long)shape_elements(sample_shape(x)), shape_text(c->r->arena, s), (long long)shape_elements(s));
        diag_note(c->r->diag, x->span, "%s comes from here", shape_text(c->r->arena, sample_shape(x)));
        return value_poison();
    }
    return value_tensor(node_reshape(c->r->graph, x, batch_shape(x, s)));
}

Value call_transpose(Call *c)
{
    Node *x = operand_any(c, 0);
    if (!x) return value_poison();
    int rank = sample_shape(x).rank;
    int64_t axes[RANK_MAX] = {0}, own[RANK_MAX];
    bool seen[RANK_MAX] = {false};
    if (!value_to_ints(c->r, c->arg[1], c->at[1], "the order of axes", rank, -rank, rank - 1, own)) return value_poison();
    for (int d = 0; d < rank; d++) {
        int64_t a = own[d] < 0 ? own[d] + rank : own[d];
        if (seen[a]) {
            resolve_error(c->r, c->at[1], "the order of axes names axis %lld twice", (long long)a);
            return value_poison();
        }
        seen[a] = true;
        axes[d + x->batched] = a + x->batched;
    }
    return value_tensor(node_transpose(c->r->graph, x, axes));
}

Value call_concat(Call *c)
{
    Value v = c->arg[0];
    if (v.kind != VALUE_list || v.n == 0 || v.n > 1024) {
        resolve_error(c->r, c->at[0], "`concat` takes a list of tensors, not %s", value_text(c->r->arena, v));
        return value_poison();
    }
    Node **x = NEW_ARRAY(c->r->arena, Node *, v.n);
    bool batched = false;
    for (int i = 0; i < v.n; i++) {
        if (!(x[i] = value_to_node(c->r, v.item[i], c->at[0], "`concat`", true))) return value_poison();
        batched |= x[i]->batched;
    }
    int axis = 0;
    Value zero = value_int(0);
    if (!sample_axis(c->r, x[0], c->given[1] ? c->arg[1] : zero, c->given[1] ? c->at[1] : c->span, &axis)) return value_poison();
    axis += batched - x[0]->batched;
    for (int i = 0; i < v.n; i++) {
        Shape a = sample_shape(x[0]), b = sample_shape(x[i]);
        bool fits = a.rank == b.rank;
        for (int d = 0; fits && d < a.rank; d++) fits = a.dim[d] == b.dim[d] || d + batched == axis;
        if (!fits) {
            resolve_error(c->r, c->span, "`concat`: the shapes %s and %s differ in more than axis %d", shape_text(c->r->arena, a),
                          shape_text(c->r->arena, b), axis - batched);
            diag_note(c->r->diag, x[i]->span, "%s comes from here", shape_text(c->r->arena, b));
            return value_poison();
        }
        if (batched && !x[i]->batched) {
            int64_t axes[RANK_MAX];
            Shape full = {.rank = b.rank + 1, .dim = {c->r->graph->batch}};
            for (int d = 0; d < b.rank; d++) full.dim[d + 1] = b.dim[d], axes[d] = d + 1;
            x[i] = node_broadcast(c->r->graph, x[i], full, axes, true);
        }
    }
    return value_tensor(node_concat(c->r->graph, x, v.n, axis));
}

/* split(x, n, axis=0): n equal parts. */
Value call_split(Call *c)
{
    Node *x = operand_any(c, 0);
    int64_t n;
    int axis;
    if (!x || !value_to_int(c->r, c->arg[1], c->at[1], "the number of parts", 1, 1024, &n)) return value_poison();
    if (!sample_axis(c->r, x, c->given[2] ? c->arg[2] : value_int(0), c->span, &axis)) return value_poison();
    if (x->shape.dim[axis] % n) {
        resolve_error(c->r, c->span, "`split`: %lld does not divide into %lld equal parts", (long long)x->shape.dim[axis], (long long)n);
        return value_poison();
    }
    Value parts = {.kind = VALUE_tuple, .n = (int)n, .item = NEW_ARRAY(c->r->arena, Value, n)};
    for (int64_t i = 0; i < n; i++) {
        int64_t start[RANK_MAX] = {0};
        Shape box = x->shape;
        box.dim[axis] /= n;
        start[axis] = i * box.dim[axis];
        parts.item[i] = value_tensor(node_slice(c->r->graph, x, start, box));
    }
    return parts;
}

/* pad(x, low, high=low, value=0) */
Value call_pad(Call *c)
{
    Node *x = operand(c, 0);
    if (!x) return value_poison();
    int rank = sample_shape(x).rank;
    int64_t low[RANK_MAX] = {0}, high[RANK_MAX] = {0};
    double value = 0;
    if (!value_to_ints(c->r, c->arg[1], c->at[1], "padding", rank, 0, 1 << 20, low + x->batched)) return value_poison();
    memcpy(high, low, sizeof high);
    if (c->given[2] && !value_to_ints(c->r, c->arg[2], c->at[2], "padding", rank, 0, 1 << 20, high + x->batched)) return value_poison();
    if (c->given[3] && !value_to_real(c->r, c->arg[3], c->at[3], "the pad value", &value)) return value_poison();
    Shape s = x->shape;
    for (int d = 0; d < s.rank; d++) s.dim[d] += low[d] + high[d];
    if (shape_elements(s) < 0) {
        resolve_error(c->r, c->span, "the padded tensor %s is too large", shape_text(c->r->arena, s));
        return value_poison();
    }
    return value_tensor(node_pad(c->r->graph, x, low, high, value));
}

/* slice(x, start, size): a box. */
Value call_slice(Call *c)
{
    Node *x = operand_any(c, 0);
    if (!x) return value_poison();
    Shape own = sample_shape(x), box = x->shape;
    int64_t start[RANK_MAX] = {0};
    if (!value_to_ints(c->r, c->arg[1], c->at[1], "the start", own.rank, 0, INT32_MAX, start + x->batched) ||
        !value_to_ints(c->r, c->arg[2], c->at[2], "the size", own.rank, 1, INT32_MAX, box.dim + x->batched)) return value_poison();
    for (int d = 0; d < box.rank; d++)
        if (start[d] + box.dim[d] > x->shape.dim[d]) {
            resolve_error(c->r, c->span, "`slice` leaves the tensor %s", shape_text(c->r->arena, own));
            return value_poison();
        }
    return value_tensor(node_slice(c->r->graph, x, start, box));
}

Value call_reverse(Call *c)
{
    Node *x = operand(c, 0);
    int axis;
    if (!x || !sample_axis(c->r, x, c->arg[1], c->at[1], &axis)) return value_poison();
    int64_t axes[1] = {axis};
    return value_tensor(node_reverse(c->r->graph, x, axes, 1));
}
