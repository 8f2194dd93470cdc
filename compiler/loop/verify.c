/* verify.c -- what every program promises: reads and writes inside buffers, each element stored once. */
#include "loop.h"

#include <string.h>

typedef struct Check {
    const Kernel *kernel;
    int64_t extent[AXES_MAX];
    bool in_result;
    Exprs exprs;
} Check;

static _Noreturn void fail(const Kernel *k, const char *what)
{
    internal_error("program_verify", "kernel %s: %s", k->name, what);
}

/* ---- axes ---- */

static bool is_identifier(const char *s)
{
    if (!s || !*s || (*s >= '0' && *s <= '9')) return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == strlen(s);
}

static void check_axes(Check *c)
{
    const Kernel *k = c->kernel;
    if (k->n_axes < 0 || k->n_axes > (k->pick ? PICKED : AXES_MAX)) fail(k, "too many axes");
    if (k->pick && (k->pick->kind != EX_row || k->pick->value < 1)) fail(k, "what is picked is no row");
    if (k->pick) c->extent[PICKED] = (int64_t)k->pick->value;
    for (int i = 0; i < k->n_axes; i++) {
        c->extent[i] = k->axis[i].extent;
        if (k->axis[i].extent < 1) fail(k, "an empty axis");
        if (k->axis[i].reduce && k->reduce == REDUCE_none) fail(k, "an axis reduces where nothing does");
        if (i && k->axis[i - 1].reduce && !k->axis[i].reduce) fail(k, "an out axis behind a reduce axis");
        if (i && k->axis[i - 1].kept && !k->axis[i].kept && !k->axis[i].reduce) fail(k, "an out axis behind the kept ones");
        if (k->axis[i].kept && (k->axis[i].reduce || !k->result || k->accumulate || kernel_kept_steps(k) > KEPT_MAX)) fail(k, "an axis is kept that cannot be");
        if (!is_identifier(k->axis[i].name)) fail(k, "the name of an axis is no identifier");
        for (int j = 0; j < i; j++)
            if (!strcmp(k->axis[i].name, k->axis[j].name)) fail(k, "two axes of one name");
    }
}

/* ---- places ---- */

static bool is_axis(const Kernel *k, int axis) { return (axis >= 0 && axis < k->n_axes) || (axis == PICKED && k->pick); }

static void check_inside(const Check *c, const Buffer *b, const Affine *index)
{
    for (int d = 0; d < b->shape.rank; d++) {
        int64_t low, high;
        for (int t = 0; t < index[d].n; t++)
            if (!is_axis(c->kernel, index[d].axis[t])) fail(c->kernel, "an index over no axis");
        affine_range(&index[d], c->extent, &low, &high);
        if (low < 0 || high >= b->shape.dim[d])
            internal_error("program_verify", "kernel %s: index %d of %s is in [%lld, %lld], its size is %lld",
                           c->kernel->name, d, b->name, (long long)low, (long long)high, (long long)b->shape.dim[d]);
    }
}

/* Different axes give different places when each step is longer than all that the shorter ones reach together. */
static bool steps_apart(const Check *c, const Affine *x)
{
    int64_t reach = 0, below = 0;
    for (int left = x->n; left; left--) {
        int64_t coef = INT64_MAX;
        int axis = -1;
        for (int t = 0; t < x->n; t++) {
            int64_t step = x->coef[t] < 0 ? -x->coef[t] : x->coef[t];
            if (step > below && step < coef) coef = step, axis = x->axis[t];
        }
        if (axis < 0 || coef <= reach) return false;
        reach += coef * (c->extent[axis] - 1);
        below = coef;
    }
    return true;
}

/* Its address where all axes are 0. */
static int64_t first_element(const Buffer *b, const Affine *index)
{
    int64_t at = b->origin;
    for (int d = 0; d < b->shape.rank; d++) at += index[d].offset * b->stride[d];
    return at;
}

/* Each of the elements stored at one point lies where none of another point does: in one tensor, in the box of their offsets. */
static void check_more(const Check *c)
{
    const Kernel *k = c->kernel;
    const Affine first = buffer_address(k->out, k->store);
    if (k->more.n && (k->accumulate || (k->reduce != REDUCE_none && !k->result))) fail(k, "what is added up stores more elements");
    for (int i = 0; i < k->more.n; i++) {
        const Store *s = &k->more.at[i];
        Affine here = buffer_address(s->out, s->at), moved = affine_add(here, affine_constant(first.offset - here.offset));
        check_inside(c, s->out, s->at);
        if (buffer_memory(s->out) == buffer_memory(k->out) && !affine_equal(&moved, &first)) fail(k, "elements stored at a point differ by more than offsets");
        if (here.n != first.n || !steps_apart(c, &here)) fail(k, "two points store to one element");
        bool again = buffer_memory(s->out) == buffer_memory(k->out) && here.offset == first.offset;
        for (int j = 0; j < i && !again; j++)
            again = buffer_memory(s->out) == buffer_memory(k->more.at[j].out) && here.offset == first_element(k->more.at[j].out, k->more.at[j].at);
        if (again) fail(k, "two elements are stored in one place");
    }
}

static void check_store(const Check *c)
{
    const Kernel *k = c->kernel;
    int used[AXES_MAX] = { 0 };
    bool all = true;
    if (!k->out) fail(k, "no result");
    check_inside(c, k->out, k->store);
    for (int d = 0; d < k->out->shape.rank; d++) {
        for (int t = 0; t < k->store[d].n; t++) {
            int axis = k->store[d].axis[t];
            if (k->axis[axis].reduce) fail(k, "a store over a reduce axis");
            used[axis]++;
        }
        if (!k->accumulate && !steps_apart(c, &k->store[d])) fail(k, "two points store to one element");
    }
    for (int i = 0; i < k->n_axes; i++) {
        if (!k->axis[i].reduce && used[i] != !k->axis[i].kept && (used[i] || !used[PICKED])) fail(k, "an out axis is not in the store, or is twice");
        all &= used[i] || k->axis[i].reduce;
    }
    if (k->pick && used[PICKED] && !k->accumulate && !all) fail(k, "points that may pick one row store there");
}

/* ---- expressions ---- */

static void check_load(const Check *c, const Expr *e)
{
    const Kernel *k = c->kernel;
    Affine to;
    check_inside(c, e->buffer, e->index);
    const int stores = kernel_stores(k, e->buffer, &to);
    if (!stores) return;
    const Affine from = buffer_address(e->buffer, e->index);
    if (stores > 1) fail(k, "a tensor is read of which several elements are stored at a point");
    if (!affine_equal(&from, &to)) fail(k, "the result is read at another index");
}

static void check_written(const Check *c, const Expr *load, const bool *written)
{
    const Buffer *b = buffer_memory(load->buffer);
    const bool made_here = b->kind == BUF_workspace || b->kind == BUF_output || b->kind == BUF_gradient;
    if (made_here && !written[b->id]) fail(c->kernel, "a buffer is read before it is written");
}

/* What of it is not checked yet. */
static void check_expr(Arena *a, Check *c, Expr *root, const bool *written)
{
    int i = c->exprs.n;
    if (!root) fail(c->kernel, "no value");
    for (exprs_add(a, &c->exprs, root); i < c->exprs.n; i++) {
        const Expr *e = c->exprs.at[i];
        if (e->kind == EX_reduced && (!c->in_result || c->kernel->reduce == REDUCE_none)) fail(c->kernel, "nothing is reduced");
        if (e->kind == EX_reduced && !(e->value >= 0 && e->value < (double)kernel_kept_steps(c->kernel))) fail(c->kernel, "a step is not kept");
        if (e->kind == EX_load) check_load(c, e), check_written(c, e, written);
    }
}

static void check_buffers(const Program *p)
{
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->id != i) internal_error("program_verify", "buffer %s has a wrong id", b->name);
        if (b->base && b->base->elements < b->elements) internal_error("program_verify", "view %s is larger than its base", b->name);
        if (b->elements != shape_elements(b->shape)) internal_error("program_verify", "buffer %s has a wrong size", b->name);
    }
}

void program_verify(const Program *p)
{
    bool *written = NEW_ARRAY(p->arena, bool, p->buffer.n + 1);
    check_buffers(p);
    Check c = { 0 };
    for (int i = 0; i < p->kernel.n; i++) {
        const Kernel *k = c.kernel = p->kernel.at[i];
        c.exprs.n = 0;
        check_axes(&c);
        check_store(&c);
        check_more(&c);
        for (int e = 0; e == 0 || kernel_expr(k, e); e++) {
            c.in_result = e > 0;
            check_expr(p->arena, &c, kernel_expr(k, e), written);
        }
        written[buffer_memory(k->out)->id] = true;
        for (int m = 0; m < k->more.n; m++) written[buffer_memory(k->more.at[m].out)->id] = true;
    }
}
