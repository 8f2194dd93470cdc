/* nest.c -- a kernel as a nest: linear addresses, merged axes, each distinct subexpression once. */
#include "schedule.h"

#include <string.h>

static bool value_equal(const Value *x, const Value *y)
{
    return x->kind == y->kind && x->at.offset == y->at.offset && x->arg[0] == y->arg[0] && !memcmp(x->arg, y->arg, sizeof x->arg) &&
           !memcmp(&x->number, &y->number, sizeof x->number) && x->buffer == y->buffer && x->key == y->key && affine_equal(&x->at, &y->at);
}

enum { VALUE_BUCKETS = 512 };

typedef struct Walk {
    Arena *arena;
    Nest *nest;
    Exprs exprs;
    VEC(int) value;                /* by expression */
    VEC(int) next;                 /* by value: one before it in its bucket, and 1; 0 ends */
    int bucket[VALUE_BUCKETS];
} Walk;

static int value_add(Walk *w, const Value *v)
{
    Nest *n = w->nest;
    uint64_t hash = (uint64_t)v->kind * 31 + (uint64_t)v->at.offset;
    for (int k = 0; k < expr_args[v->kind]; k++) hash = hash * 31 + (uint64_t)v->arg[k];
    int *bucket = &w->bucket[hash % VALUE_BUCKETS];
    for (int i = *bucket; i; i = w->next.at[i - 1])
        if (value_equal(&n->value.at[i - 1], v)) return i - 1;
    vec_push(w->arena, &n->value, *v);
    vec_push(w->arena, &w->next, *bucket);
    *bucket = n->value.n;
    return n->value.n - 1;
}

static int value_of(Walk *w, Expr *e) { return w->value.at[exprs_add(w->arena, &w->exprs, e)]; }

static void walk_one(Walk *w, const Expr *e)
{
    Value v = {.kind = e->kind, .arg = {-1, -1, -1}};
    if (e->kind == EX_constant || e->kind == EX_row || e->kind == EX_reduced) v.number = e->value;
    if (e->kind == EX_load) {
        v.buffer = buffer_memory(e->buffer);
        v.at = buffer_address(e->buffer, e->index);
    }
    if (e->kind == EX_random) v.key = e->key;
    if (e->kind == EX_index || e->kind == EX_random) v.at = e->index[0];
    for (int i = 0; i < expr_args[e->kind]; i++) v.arg[i] = value_of(w, e->arg[i]);
    vec_push(w->arena, &w->value, value_add(w, &v));
}

static int walk(Walk *w, Expr *root)
{
    exprs_add(w->arena, &w->exprs, root);
    for (int i = w->value.n; i < w->exprs.n; i++) walk_one(w, w->exprs.at[i]);
    return value_of(w, root);
}

static void mark_needed(Nest *n, int root, bool result)
{
    Value *v = &n->value.at[root];
    bool *mark = result ? &v->in_result : &v->in_body;
    v->uses++;
    if (*mark) return;
    *mark = true;
    for (int i = 0; i < expr_args[v->kind]; i++) mark_needed(n, v->arg[i], result);
}

/* ---- axes ---- */

static Affine without_axis(const Affine *x, int gone)
{
    Affine y = {.offset = x->offset};
    for (int i = 0; i < x->n; i++) {
        int axis = x->axis[i];
        if (axis == gone) continue;
        y.axis[y.n] = (int8_t)(axis > gone && axis != PICKED ? axis - 1 : axis);
        y.coef[y.n++] = x->coef[i];
    }
    return y;
}

static void drop_axis(Nest *n, int gone)
{
    for (int i = 0; i < n->value.n; i++) n->value.at[i].at = without_axis(&n->value.at[i].at, gone);
    n->store = without_axis(&n->store, gone);
    for (int i = 0; i < n->more.n; i++) n->more.at[i].at = without_axis(&n->more.at[i].at, gone);
    if (gone < n->n_out) n->n_out--;
    for (int i = gone; i + 1 < n->n_axes; i++) n->axis[i] = n->axis[i + 1];
    n->n_axes--;
}

static bool runs_on(const Affine *x, int outer, int inner, int64_t extent)
{
    return affine_coef(x, outer) == affine_coef(x, inner) * extent;
}

/* Whether every address steps from the end of `inner` to the next of `outer` as within `inner`. */
static bool can_merge(const Nest *n, int outer, int inner)
{
    int64_t extent = n->axis[inner].extent;
    if (n->axis[outer].reduce != n->axis[inner].reduce || n->axis[outer].outer != n->axis[inner].outer || n->axis[outer].kept || n->axis[inner].kept || !runs_on(&n->store, outer, inner, extent)) return false;
    for (int i = 0; i < n->more.n; i++)
        if (!runs_on(&n->more.at[i].at, outer, inner, extent)) return false;
    for (int i = 0; i < n->value.n; i++)
        if (!runs_on(&n->value.at[i].at, outer, inner, extent)) return false;
    return true;
}

static bool merge_one(Arena *a, Nest *n)
{
    for (int outer = 0; outer < n->n_axes; outer++)
        for (int inner = 0; inner < n->n_axes; inner++) {
            if (inner == outer || !can_merge(n, outer, inner)) continue;
            n->axis[inner].name = arena_printf(a, "%s_%s", n->axis[outer].name, n->axis[inner].name);
            n->axis[inner].extent *= n->axis[outer].extent;
            drop_axis(n, outer);
            return true;
        }
    return false;
}

unsigned nest_stored(const Nest *n)
{
    unsigned axes = 0;
    for (int i = 0; i < n->n_out; i++)
        if (!n->axis[i].kept) axes |= 1u << i;
    return axes;
}

static void find_axes(Nest *n)
{
    for (int i = 0; i < n->value.n; i++) {
        Value *v = &n->value.at[i];
        for (int t = 0; t < v->at.n; t++)
            v->axes |= v->at.axis[t] == PICKED && n->pick >= 0 ? n->value.at[n->pick].axes : 1u << v->at.axis[t];
        for (int k = 0; k < expr_args[v->kind]; k++) v->axes |= n->value.at[v->arg[k]].axes;
        if (v->kind == EX_reduced) v->axes = nest_stored(n);
    }
}

/* Where nothing is reduced the reduced value is the value itself, and there is one expression. */
static void join_result(Nest *n)
{
    if (n->n_out < n->n_axes || n->result < 0) return;
    int reduced = -1;
    for (int i = 0; i < n->value.n; i++)
        if (n->value.at[i].kind == EX_reduced) reduced = i;
    for (int i = 0; reduced >= 0 && i < n->value.n; i++)
        for (int k = 0; k < expr_args[n->value.at[i].kind]; k++)
            if (n->value.at[i].arg[k] == reduced) n->value.at[i].arg[k] = n->body;
    for (int i = 0; i < n->more.n; i++)
        if (n->more.at[i].value == reduced) n->more.at[i].value = n->body;
    if (n->result != reduced) n->body = n->result;
    n->result = -1;
}

/* Of several tensors that are stored, all old values are read before the first is overwritten. */
static void add_early(Arena *a, Nest *n)
{
    for (int i = 0; n->more.n && i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        bool stored = v->kind == EX_load && v->buffer == n->out;
        for (int k = 0; k < n->more.n; k++) stored |= v->kind == EX_load && v->buffer == n->more.at[k].out;
        if (stored) vec_push(a, &n->early, i);
    }
}

Nest *nest_new(Arena *a, const Kernel *k)
{
    Nest *n = NEW(a, Nest);
    n->kernel = k;
    n->n_axes = k->n_axes;
    memcpy(n->axis, k->axis, sizeof n->axis);
    while (n->n_out < n->n_axes && !n->axis[n->n_out].reduce) n->n_out++;
    Walk w = {.arena = a, .nest = n};
    n->pick = k->pick ? walk(&w, k->pick) : -1;
    if (k->pick) n->axis[PICKED].extent = (int64_t)k->pick->value;
    for (int i = 0; i < k->early.n; i++) vec_push(a, &n->early, walk(&w, k->early.at[i]));
    n->body = walk(&w, k->value);
    n->result = k->result ? walk(&w, k->result) : -1;
    for (int i = 0; i < k->more.n; i++) {
        const Store *s = &k->more.at[i];
        Stored p = {walk(&w, s->value), buffer_memory(s->out), buffer_address(s->out, s->at)};
        vec_push(a, &n->more, p);
    }
    n->out = buffer_memory(k->out);
    n->store = buffer_address(k->out, k->store);
    for (int i = n->n_axes - 1; i >= 0; i--)
        if (n->axis[i].extent == 1) drop_axis(n, i);
    while (merge_one(a, n)) continue;
    join_result(n);
    add_early(a, n);
    const bool reduces = n->n_out < n->n_axes;
    for (int i = 0; i < n->early.n; i++) mark_needed(n, n->early.at[i], reduces);
    mark_needed(n, n->body, false);
    if (n->pick >= 0) mark_needed(n, n->pick, false);
    for (int i = 0; i < n->more.n; i++) mark_needed(n, n->more.at[i].value, reduces);
    if (n->result >= 0) mark_needed(n, n->result, true);
    find_axes(n);
    return n;
}
