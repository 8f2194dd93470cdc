/* value.c -- compile-time values: names in scopes, checked conversions, tensors out of numbers. */
#include "value.h"

#include <math.h>
#include <string.h>

Scope *scope_new(Arena *a, Scope *up)
{
    Scope *s = NEW(a, Scope);
    s->up = up;
    return s;
}

Value *scope_find(Scope *s, const char *name)
{
    for (; s; s = s->up)
        for (int i = s->binding.n - 1; i >= 0; i--)
            if (!strcmp(s->binding.at[i].name, name)) return &s->binding.at[i].value;
    return NULL;
}

void scope_set(Arena *a, Scope *s, const char *name, Value v)
{
    Value *old = scope_find(s, name);
    if (old) *old = v;
    else vec_push(a, &s->binding, (Binding){name, v});
}

static void add_list(Text *t, Value v)
{
    text_putc(t, '[');
    for (int i = 0; i < v.n; i++) text_printf(t, "%s%s", i ? ", " : "", value_text(t->arena, v.item[i]));
    text_putc(t, ']');
}

const char *value_text(Arena *a, Value v)
{
    Text t = {.arena = a};
    switch (v.kind) {
    case VALUE_poison: return "an error";
    case VALUE_int: return arena_printf(a, "%lld", (long long)v.integer);
    case VALUE_real: text_double(&t, v.real); return text_string(&t);
    case VALUE_bool: return v.integer ? "true" : "false";
    case VALUE_string: return arena_printf(a, "\"%s\"", v.text);
    case VALUE_dtype: return dtype_name(v.dtype);
    case VALUE_list: add_list(&t, v); return text_string(&t);
    case VALUE_tuple: return value_text(a, v.item[0]);
    case VALUE_tensor: return arena_printf(a, "a tensor %s%s", dtype_name(v.node->dtype), shape_text(a, sample_shape(v.node)));
    case VALUE_init: return "an initial distribution";
    case VALUE_missing: return "an input that is not given";
    }
    return "";
}

Shape sample_shape(const Node *n) { return n->batched ? shape_tail(n->shape) : n->shape; }

bool value_to_int(Resolver *r, Value v, Span span, const char *what, int64_t low, int64_t high, int64_t *out)
{
    if (v.kind == VALUE_tuple) v = v.item[0];
    if (v.kind == VALUE_poison) return false;
    if (v.kind == VALUE_real && v.ratio) {
        resolve_error(r, span, "%lld / %lld is %g, not a whole number, which %s must be", (long long)v.integer,
                      (long long)v.divisor, v.real, what);
        return false;
    }
    if (v.kind != VALUE_int) {
        resolve_error(r, span, "%s must be a whole number, not %s", what, value_text(r->arena, v));
        return false;
    }
    if (v.integer < low || v.integer > high) {
        if (high == INT32_MAX) resolve_error(r, span, "%s must be at least %lld, not %lld", what, (long long)low, (long long)v.integer);
        else resolve_error(r, span, "%s must be from %lld to %lld, not %lld", what, (long long)low, (long long)high, (long long)v.integer);
        return false;
    }
    *out = v.integer;
    return true;
}

bool value_to_real(Resolver *r, Value v, Span span, const char *what, double *out)
{
    if (v.kind == VALUE_tuple) v = v.item[0];
    if (v.kind == VALUE_poison) return false;
    if (!value_is_number(v)) {
        resolve_error(r, span, "%s must be a number, not %s", what, value_text(r->arena, v));
        return false;
    }
    *out = value_number(v);
    return true;
}

bool value_to_bool(Resolver *r, Value v, Span span, const char *what, bool *out)
{
    if (v.kind == VALUE_tuple) v = v.item[0];
    if (v.kind == VALUE_poison) return false;
    if (v.kind != VALUE_bool) {
        resolve_error(r, span, "%s must be true or false at compile time, not %s", what, value_text(r->arena, v));
        return false;
    }
    *out = v.integer != 0;
    return true;
}

bool value_to_ints(Resolver *r, Value v, Span span, const char *what, int n, int64_t low, int64_t high, int64_t *out)
{
    if (v.kind == VALUE_tuple) v = v.item[0];
    if (v.kind != VALUE_list) {
        if (!value_to_int(r, v, span, what, low, high, &out[0])) return false;
        for (int i = 1; i < n; i++) out[i] = out[0];
        return true;
    }
    if (v.n != n) {
        resolve_error(r, span, "%s has %d numbers, but %d are needed", what, v.n, n);
        return false;
    }
    for (int i = 0; i < n; i++)
        if (!value_to_int(r, v.item[i], span, what, low, high, &out[i])) return false;
    return true;
}

static bool add_dim(Resolver *r, Value v, Span span, Shape *s)
{
    if (v.kind == VALUE_tuple) v = v.item[0];
    if (v.kind == VALUE_list) {
        for (int i = 0; i < v.n; i++)
            if (!add_dim(r, v.item[i], span, s)) return false;
        return true;
    }
    int64_t dim;
    if (!value_to_int(r, v, span, "a dimension", 1, INT32_MAX, &dim)) return false;
    if (s->rank == RANK_MAX - 1) {
        resolve_error(r, span, "a tensor has at most %d dimensions", RANK_MAX - 1);
        return false;
    }
    s->dim[s->rank++] = dim;
    return true;
}

bool value_to_shape(Resolver *r, const Value *v, int n, Span span, Shape *out)
{
    *out = (Shape){.rank = 0};
    for (int i = 0; i < n; i++)
        if (!add_dim(r, v[i], span, out)) return false;
    int64_t elements = shape_elements(*out);
    if (elements < 0 || elements > INT32_MAX / r->options->batch) {
        resolve_error(r, span, "a tensor %s%s is too large: at most 2^31 - 1 elements", shape_text(r->arena, *out),
                      r->options->batch > 1 ? arena_printf(r->arena, " in a batch of %lld", (long long)r->options->batch) : "");
        return false;
    }
    return true;
}

/* A list of numbers, perhaps nested, as a constant tensor. */
static bool list_numbers(Resolver *r, Value v, Span span, int depth, Shape *s, Text *data)
{
    if (value_is_number(v)) {
        double x = value_number(v);
        if (depth != s->rank) {
            resolve_error(r, span, "the rows of this list differ in depth");
            return false;
        }
        text_add(data, (const char *)&x, sizeof x);
        return true;
    }
    if (v.kind != VALUE_list || depth == RANK_MAX - 1) {
        if (v.kind != VALUE_poison) resolve_error(r, span, "a list of numbers is needed here, not %s in it", value_text(r->arena, v));
        return false;
    }
    if (depth == s->rank && !data->n) s->dim[s->rank++] = v.n;
    if (depth >= s->rank || s->dim[depth] != v.n || !v.n) {
        resolve_error(r, span, v.n ? "the rows of this list differ in length" : "a tensor cannot be empty");
        return false;
    }
    for (int i = 0; i < v.n; i++)
        if (!list_numbers(r, v.item[i], span, depth + 1, s, data)) return false;
    return true;
}

Node *value_to_node(Resolver *r, Value v, Span span, const char *what, bool real)
{
    if (v.kind == VALUE_tuple) v = v.item[0];
    if (v.kind == VALUE_poison) return NULL;
    if (v.kind == VALUE_tensor) return real ? node_cast(r->graph, v.node, DTYPE_f32) : v.node;
    if (value_is_number(v) || v.kind == VALUE_bool) return node_number(r->graph, value_number(v));
    if (v.kind == VALUE_list) {
        Shape s = {.rank = 0};
        Text data = {.arena = r->arena};
        if (!list_numbers(r, v, span, 0, &s, &data)) return NULL;
        return node_data(r->graph, s, (const double *)(const void *)data.s);
    }
    resolve_error(r, span, "%s must be a tensor or a number, not %s", what, value_text(r->arena, v));
    return NULL;
}

bool sample_axis(Resolver *r, const Node *n, Value v, Span span, int *axis)
{
    int rank = sample_shape(n).rank;
    int64_t a;
    if (v.kind == VALUE_tuple) v = v.item[0];
    if (v.kind != VALUE_int || v.integer < -rank || v.integer >= rank) {
        if (v.kind == VALUE_int)
            resolve_error(r, span, "axis %lld does not exist: the tensor is %s", (long long)v.integer, shape_text(r->arena, sample_shape(n)));
        else value_to_int(r, v, span, "an axis", 0, 0, &a);
        return false;
    }
    a = v.integer < 0 ? v.integer + rank : v.integer;
    *axis = (int)a + n->batched;
    return true;
}

/* x as shape s of which dims axes-aligned at the right; 1s are stretched. */
static Node *stretch(Resolver *r, Node *x, Shape s, bool batched)
{
    Shape own = sample_shape(x), kept = {.rank = 0};
    int64_t axes[RANK_MAX];
    if (x->batched) {
        kept.dim[kept.rank] = x->shape.dim[0];
        axes[kept.rank++] = 0;
    }
    for (int d = 0; d < own.rank; d++) {
        int to = s.rank - own.rank + d;
        if (own.dim[d] == 1 && s.dim[to] != 1) continue;
        kept.dim[kept.rank] = own.dim[d];
        axes[kept.rank++] = to + batched;
    }
    Shape full = {.rank = 0};
    if (batched) full.dim[full.rank++] = r->graph->batch;
    for (int d = 0; d < s.rank; d++) full.dim[full.rank++] = s.dim[d];
    if (shape_equal(x->shape, full) && x->batched == batched) return x;
    return node_broadcast(r->graph, node_reshape(r->graph, x, kept), full, axes, batched);
}

bool resolve_broadcast(Resolver *r, Node **x, Node **y, Span span, const char *what)
{
    if ((*x)->shape.rank == 0 || (*y)->shape.rank == 0) return true;   /* node_binary repeats a number */
    Shape a = sample_shape(*x), b = sample_shape(*y), s = a.rank >= b.rank ? a : b;
    for (int i = 1; i <= s.rank; i++) {
        int64_t p = i <= a.rank ? a.dim[a.rank - i] : 1, q = i <= b.rank ? b.dim[b.rank - i] : 1;
        if (p != q && p != 1 && q != 1) {
            resolve_error(r, span, "%s: the shapes %s and %s do not fit", what, shape_text(r->arena, a), shape_text(r->arena, b));
            diag_note(r->diag, (*x)->span, "%s comes from here", shape_text(r->arena, a));
            diag_note(r->diag, (*y)->span, "%s comes from here", shape_text(r->arena, b));
            return false;
        }
        s.dim[s.rank - i] = p > q ? p : q;
    }
    if (shape_elements(s) < 0 || shape_elements(s) > INT32_MAX / r->options->batch) {
        resolve_error(r, span, "a tensor %s is too large", shape_text(r->arena, s));
        return false;
    }
    bool batched = (*x)->batched || (*y)->batched;
    *x = stretch(r, *x, s, batched);
    *y = stretch(r, *y, s, batched);
    return true;
}
