/* builtin_contract.c -- convolution, pooling and linear layers as contractions and windows. */
#include "builtins.h"

#include <math.h>
#include <string.h>

/* Arguments of a window over the spatial dimensions. */
typedef struct Geometry {
    int n;                                     /* spatial dimensions: 1 or 2, or more */
    int64_t in[RANK_MAX], kernel[RANK_MAX], stride[RANK_MAX], low[RANK_MAX], high[RANK_MAX], dilation[RANK_MAX], out[RANK_MAX];
} Geometry;

/* Arguments 2.. are stride, pad, dilation; pad may be "same". kernel and in are set. */
static bool geometry(Call *c, Geometry *w, bool transposed)
{
    for (int d = 0; d < w->n; d++) w->stride[d] = w->dilation[d] = 1, w->low[d] = 0;
    if (c->given[2] && !value_to_ints(c->r, c->arg[2], c->at[2], "stride", w->n, 1, INT32_MAX, w->stride)) return false;
    if (c->given[4] && !value_to_ints(c->r, c->arg[4], c->at[4], "dilation", w->n, 1, INT32_MAX, w->dilation)) return false;
    bool same = c->given[3] && c->arg[3].kind == VALUE_string;
    if (same && (transposed || strcmp(c->arg[3].text, "same"))) {
        resolve_error(c->r, c->at[3], "pad must be a number, a list or \"same\", not %s", value_text(c->r->arena, c->arg[3]));
        return false;
    }
    if (c->given[3] && !same && !value_to_ints(c->r, c->arg[3], c->at[3], "pad", w->n, 0, INT32_MAX / 4, w->low)) return false;
    for (int d = 0; d < w->n; d++) {
        int64_t reach = w->dilation[d] * (w->kernel[d] - 1) + 1;
        w->high[d] = w->low[d];
        if (same) {   /* the result has ceil(in / stride) elements; what is odd goes behind */
            int64_t total = ((w->in[d] + w->stride[d] - 1) / w->stride[d] - 1) * w->stride[d] + reach - w->in[d];
            if (total < 0) total = 0;
            w->low[d] = total / 2;
            w->high[d] = total - total / 2;
        }
        if (transposed) continue;
        if (w->in[d] + w->low[d] + w->high[d] < reach) {
            resolve_error(c->r, c->span, "the window of %lld%s is larger than the %lld elements (with padding) it slides over", (long long)w->kernel[d],
                          w->dilation[d] > 1 ? arena_printf(c->r->arena, ", dilated to %lld,", (long long)reach) : "",
                          (long long)(w->in[d] + w->low[d] + w->high[d]));
            return false;
        }
        w->out[d] = (w->in[d] + w->low[d] + w->high[d] - reach) / w->stride[d] + 1;
    }
    return true;
}

static bool image(Call *c, Node **x, Geometry *w, int channels)
{
    *x = value_to_node(c->r, c->arg[0], c->at[0], arena_printf(c->r->arena, "the operand of `%s`", c->name), true);
    if (!*x) return false;
    Shape s = sample_shape(*x);
    w->n = s.rank - channels;
    if (w->n < 1 || w->n > 2) {
        resolve_error(c->r, c->at[0], "`%s` works on [channels, length] or [channels, height, width], not on %s",
                      c->r->user.begin && c->r->layer ? c->r->layer : c->name, shape_text(c->r->arena, s));
        diag_note(c->r->diag, (*x)->span, "%s comes from here", shape_text(c->r->arena, s));
        return false;
    }
    for (int d = 0; d < w->n; d++) w->in[d] = s.dim[channels + d];
    return true;
}

static Affine window_index(int out_axis, int kernel_axis, int64_t stride, int64_t dilation, int64_t low)
{
    Affine i = affine_add(affine_scale(affine_axis(out_axis), stride), affine_scale(affine_axis(kernel_axis), dilation));
    i.offset -= low;
    return i;
}

static bool groups_of(Call *c, int i, int64_t in, int64_t *groups)
{
    *groups = 1;
    if (c->given[i] && !value_to_int(c->r, c->arg[i], c->at[i], "groups", 1, INT32_MAX, groups)) return false;
    if (in % *groups == 0) return true;
    resolve_error(c->r, c->span, "%lld channels do not divide into %lld groups", (long long)in, (long long)*groups);
    return false;
}

static bool check_size(Call *c, Shape s)
{
    if (shape_elements(s) >= 0) return true;
    resolve_error(c->r, c->span, "the result %s is too large", shape_text(c->r->arena, s));
    return false;
}

static bool weight_of(Call *c, const Geometry *w, Node **weight)
{
    *weight = value_to_node(c->r, c->arg[1], c->at[1], "the weight", true);
    if (!*weight) return false;
    if ((*weight)->batched || (*weight)->shape.rank != w->n + 2) {
        resolve_error(c->r, c->at[1], "the weight %s needs %d dimensions", shape_text(c->r->arena, (*weight)->shape), w->n + 2);
        return false;
    }
    return true;
}

/* out[n, g Og + o, y] += x[n, g Cg + i, y stride + k dilation - pad] weight[g Og + o, i, k], per spatial dimension. */
Value call_convolve(Call *c)
{
    Geometry w = {0};
    Node *x, *weight;
    int64_t groups;
    if (!image(c, &x, &w, 1) || !weight_of(c, &w, &weight)) return value_poison();
    int64_t in = sample_shape(x).dim[0], out = weight->shape.dim[0];
    for (int d = 0; d < w.n; d++) w.kernel[d] = weight->shape.dim[2 + d];
    if (!geometry(c, &w, false) || !groups_of(c, 5, in, &groups)) return value_poison();
    if (out % groups || weight->shape.dim[1] != in / groups) {
        resolve_error(c->r, c->span, "the weight %s does not fit %lld channels in %lld group%s", shape_text(c->r->arena, weight->shape),
                      (long long)in, (long long)groups, groups > 1 ? "s" : "");
        return value_poison();
    }
    Contract k = {.n_axes = 0};
    int n = 0, batch = -1, group = -1;
    if (x->batched) k.extent[batch = n++] = x->shape.dim[0];
    if (groups > 1) k.extent[group = n++] = groups;
    int o = n++, i, y = n;
    k.extent[o] = out / groups;
    for (int d = 0; d < w.n; d++) k.extent[n++] = w.out[d];
    k.extent[i = n++] = in / groups;
    int q = n;
    for (int d = 0; d < w.n; d++) k.extent[n++] = w.kernel[d];
    k.n_axes = n;
    Affine oc = affine_axis(o), ic = affine_axis(i);
    if (group >= 0) {
        oc = affine_add(affine_scale(affine_axis(group), out / groups), oc);
        ic = affine_add(affine_scale(affine_axis(group), in / groups), ic);
    }
    if (x->batched) k.a.dim[k.a.rank++] = k.out.dim[k.out.rank++] = affine_axis(batch);
    k.a.dim[k.a.rank++] = ic;
    k.out.dim[k.out.rank++] = oc;
    k.b.dim[k.b.rank++] = oc;
    k.b.dim[k.b.rank++] = affine_axis(i);
    k.shape = (Shape){.rank = 0};
    if (x->batched) k.shape.dim[k.shape.rank++] = x->shape.dim[0];
    k.shape.dim[k.shape.rank++] = out;
    for (int d = 0; d < w.n; d++) {
        k.a.dim[k.a.rank++] = window_index(y + d, q + d, w.stride[d], w.dilation[d], w.low[d]);
        k.b.dim[k.b.rank++] = affine_axis(q + d);
        k.out.dim[k.out.rank++] = affine_axis(y + d);
        k.shape.dim[k.shape.rank++] = w.out[d];
    }
    return check_size(c, k.shape) ? value_tensor(node_contract(c->r->graph, x, weight, &k)) : value_poison();
}

/* The gradient of a convolution as a layer: out[n, g Og + o, y stride + k dilation - pad] += x[n, g Cg + i, y] weight[g Cg + i, o, k]. */
Value call_convolve_transpose(Call *c)
{
    Geometry w = {0};
    Node *x, *weight;
    int64_t groups, more[RANK_MAX] = {0};
    if (!image(c, &x, &w, 1) || !weight_of(c, &w, &weight)) return value_poison();
    int64_t in = sample_shape(x).dim[0];
    for (int d = 0; d < w.n; d++) w.kernel[d] = weight->shape.dim[2 + d];
    if (!geometry(c, &w, true) || !groups_of(c, 5, in, &groups)) return value_poison();
    if (c->given[6] && !value_to_ints(c->r, c->arg[6], c->at[6], "output_pad", w.n, 0, INT32_MAX / 4, more)) return value_poison();
    int64_t each = weight->shape.dim[1], out = each * groups;
    if (weight->shape.dim[0] != in) {
        resolve_error(c->r, c->span, "the weight %s does not fit %lld channels", shape_text(c->r->arena, weight->shape), (long long)in);
        return value_poison();
    }
    for (int d = 0; d < w.n; d++) {
        w.out[d] = (w.in[d] - 1) * w.stride[d] - 2 * w.low[d] + w.dilation[d] * (w.kernel[d] - 1) + more[d] + 1;
        if (w.out[d] >= 1) continue;
        resolve_error(c->r, c->span, "with this padding nothing is left of the result: its size would be %lld", (long long)w.out[d]);
        return value_poison();
    }
    Contract k = {.n_axes = 0};
    int n = 0, batch = -1, group = -1;
    if (x->batched) k.extent[batch = n++] = x->shape.dim[0];
    if (groups > 1) k.extent[group = n++] = groups;
    int o = n++, i, y = n;
    k.extent[o] = each;
    for (int d = 0; d < w.n; d++) k.extent[n++] = w.in[d];
    k.extent[i = n++] = in / groups;
    int q = n;
    for (int d = 0; d < w.n; d++) k.extent[n++] = w.kernel[d];
    k.n_axes = n;
    Affine oc = affine_axis(o), ic = affine_axis(i);
    if (group >= 0) {
        oc = affine_add(affine_scale(affine_axis(group), each), oc);
        ic = affine_add(affine_scale(affine_axis(group), in / groups), ic);
    }
    if (x->batched) {
        k.a.dim[k.a.rank++] = k.out.dim[k.out.rank++] = affine_axis(batch);
        k.shape.dim[k.shape.rank++] = x->shape.dim[0];
    }
    k.a.dim[k.a.rank++] = ic;
    k.out.dim[k.out.rank++] = oc;
    k.shape.dim[k.shape.rank++] = out;
    k.b.dim[k.b.rank++] = ic;
    k.b.dim[k.b.rank++] = affine_axis(o);
    for (int d = 0; d < w.n; d++) {
        k.a.dim[k.a.rank++] = affine_axis(y + d);
        k.b.dim[k.b.rank++] = affine_axis(q + d);
        k.out.dim[k.out.rank++] = window_index(y + d, q + d, w.stride[d], w.dilation[d], w.low[d]);
        k.shape.dim[k.shape.rank++] = w.out[d];
    }
    return check_size(c, k.shape) ? value_tensor(node_contract(c->r->graph, x, weight, &k)) : value_poison();
}

static bool pooling(Call *c, Node **x, Geometry *w)
{
    if (!image(c, x, w, 1)) return false;
    if (!value_to_ints(c->r, c->arg[1], c->at[1], "the kernel", w->n, 1, INT32_MAX, w->kernel)) return false;
    return geometry(c, w, false);
}

Value call_window_max(Call *c)
{
    Geometry w = {0};
    Node *x;
    if (!pooling(c, &x, &w)) return value_poison();
    int64_t low[RANK_MAX] = {0}, high[RANK_MAX] = {0}, window[RANK_MAX], stride[RANK_MAX], dilation[RANK_MAX];
    int first = x->shape.rank - w.n;
    for (int d = 0; d < x->shape.rank; d++) {
        int s = d - first;
        window[d] = s < 0 ? 1 : w.kernel[s];
        stride[d] = s < 0 ? 1 : w.stride[s];
        dilation[d] = s < 0 ? 1 : w.dilation[s];
        if (s < 0) continue;
        low[d] = w.low[s];
        high[d] = w.high[s];
        if (w.low[s] * 2 > w.dilation[s] * (w.kernel[s] - 1) + 1) {
            resolve_error(c->r, c->span, "pad %lld is more than half the window, so that a window could lie outside", (long long)w.low[s]);
            return value_poison();
        }
    }
    return value_tensor(node_window(c->r->graph, node_pad(c->r->graph, x, low, high, -INFINITY), window, stride, dilation));
}

/* The sum in each window: a contraction with ones; outside is 0. */
Value call_window_sum(Call *c)
{
    Geometry w = {0};
    Node *x;
    if (!pooling(c, &x, &w)) return value_poison();
    Contract k = {.shape = x->shape};
    Shape ones = {.rank = w.n};
    int first = x->shape.rank - w.n, n = x->shape.rank;
    k.n_axes = n + w.n;
    for (int d = 0; d < n; d++) {
        int s = d - first;
        k.extent[d] = s < 0 ? x->shape.dim[d] : w.out[s];
        k.shape.dim[d] = k.extent[d];
        k.out.dim[k.out.rank++] = affine_axis(d);
        k.a.dim[k.a.rank++] = s < 0 ? affine_axis(d) : window_index(d, n + s, w.stride[s], w.dilation[s], w.low[s]);
        if (s < 0) continue;
        k.extent[n + s] = ones.dim[s] = w.kernel[s];
        k.b.dim[k.b.rank++] = affine_axis(n + s);
    }
    return value_tensor(node_contract(c->r->graph, x, node_fill(c->r->graph, 1, ones, false), &k));
}

/* x[..., in] weight[units, in] -> [..., units] */
Value call_linear(Call *c)
{
    Node *x = value_to_node(c->r, c->arg[0], c->at[0], "the operand of `linear`", true);
    Node *weight = value_to_node(c->r, c->arg[1], c->at[1], "the weight", true);
    if (!x || !weight) return value_poison();
    Shape s = sample_shape(x);
    if (weight->batched || weight->shape.rank != 2 || s.rank < 1 || s.dim[s.rank - 1] != weight->shape.dim[1]) {
        resolve_error(c->r, c->span, "`linear`: the last dimension of %s must be the second of the weight %s", shape_text(c->r->arena, s),
                      shape_text(c->r->arena, sample_shape(weight)));
        diag_note(c->r->diag, x->span, "%s comes from here", shape_text(c->r->arena, s));
        return value_poison();
    }
    int rows = x->shape.rank - 1;
    Contract k = {.n_axes = rows + 2, .shape = x->shape};
    for (int d = 0; d < rows; d++) {
        k.extent[d] = x->shape.dim[d];
        k.a.dim[d] = k.out.dim[d] = affine_axis(d);
    }
    k.extent[rows] = k.shape.dim[rows] = weight->shape.dim[0];
    k.extent[rows + 1] = weight->shape.dim[1];
    k.a.rank = k.out.rank = rows + 1;
    k.a.dim[rows] = affine_axis(rows + 1);
    k.out.dim[rows] = affine_axis(rows);
    k.b = (IndexMap){.rank = 2, .dim = {affine_axis(rows), affine_axis(rows + 1)}};
    return check_size(c, k.shape) ? value_tensor(node_contract(c->r->graph, x, weight, &k)) : value_poison();
}
