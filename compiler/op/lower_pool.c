/* lower_pool.c -- a maximum or mean over windows that lie side by side is computed where the elements are made, before they are stored: by
   a convolution whose sums of a window stay side by side in registers, or by kernels that store whole windows at a point. */
#include "lower.h"

/* The kernel that pools, and what of the tensor that it reads alone is a window. */
typedef struct Pool {
    Lower *l;
    Kernel *user;
    Buffer *in;
    int out[RANK_MAX];             /* per dimension of `in`: the user's out axis along it; -1: none */
    int64_t size[RANK_MAX], elements;   /* of a window */
} Pool;

/* ---- whether ---- */

static bool is_plain(const Kernel *k) { return !k->accumulate && !k->pick && !k->more.n && !k->early.n; }

/* Index d of the load is size * out + step, over all of the dimension, which has several windows. */
static bool find_dimension(Pool *p, const Affine *x, int d)
{
    const Kernel *k = p->user;
    p->out[d] = -1;
    p->size[d] = 1;
    int64_t extent = 1, step = 0;
    for (int t = 0; t < x->n; t++) {
        const Axis *axis = &k->axis[x->term[t].axis];
        if (axis->reduce && x->term[t].coef == 1 && p->size[d] == 1) p->size[d] = axis->extent;
        else if (!axis->reduce && p->out[d] < 0) p->out[d] = x->term[t].axis, extent = axis->extent, step = x->term[t].coef;
        else return false;
    }
    return x->offset == 0 && (p->out[d] < 0 ? p->size[d] == 1 : step == p->size[d]) && extent * p->size[d] == p->in->shape.dim[d];
}

static bool find_pool(Lower *l, Kernel *k, Pool *p)
{
    *p = (Pool){ .l = l, .user = k, .elements = 1 };
    if (k->reduce == REDUCE_none || !is_plain(k) || k->value->kind != EX_load || kernel_kept(k) >= 0) return false;
    p->in = k->value->buffer;
    if (p->in->kind != BUF_workspace || p->in->base || (k->out->kind != BUF_workspace && k->out->kind != BUF_output)) return false;
    for (int d = 0; d < p->in->shape.rank; d++) {
        if (!find_dimension(p, &k->value->index[d], d)) return false;
        p->elements *= p->size[d];
    }
    return p->elements > 1 && p->elements <= KEPT_MAX;
}

static bool reads(const Expr *e, const Buffer *b)
{
    if (e->kind == EX_load && buffer_memory(e->buffer) == b) return true;
    for (int i = 0; i < expr_args[e->kind]; i++)
        if (reads(e->arg[i], b)) return true;
    return false;
}

/* ---- a convolution ---- */

/* Its sums, each dimension of the window along an axis of its own whose elements lie apart: across the lanes they could not be compared.
   Targets of short vectors have 16 registers, too few for the sums of several windows. */
static bool is_convolution(const Pool *p, const Kernel *k)
{
    const Affine address = buffer_address(k->out, k->store);
    int axes = k->n_axes;
    if (p->l->options->lanes && p->l->options->lanes < LINE) return false;
    if (k->reduce != REDUCE_sum || !is_plain(k) || k->out != p->in || kernel_kept(k) >= 0) return false;
    for (int d = 0; d < p->in->shape.rank; d++) {
        const Affine *x = &k->store[d];
        if (p->size[d] == 1) continue;
        if (x->n != 1 || x->term[0].coef != 1 || x->offset % p->size[d] || k->axis[x->term[0].axis].extent % p->size[d]) return false;
        if (affine_coef(&address, x->term[0].axis) == 1) return false;
        axes++;
    }
    return axes < PICKED;
}

/* ---- kernels that store windows ---- */

/* The store's place in its window, row by row; -1 where its window is another at other points. */
static int place_of(const Pool *p, const Affine *at)
{
    int64_t place = 0;
    for (int d = 0; d < p->in->shape.rank; d++) {
        for (int t = 0; t < at[d].n; t++)
            if (at[d].term[t].coef % p->size[d]) return -1;
        place = place * p->size[d] + at[d].offset % p->size[d];
    }
    return (int)place;
}

static const Affine *store_of(const Kernel *k, int i) { return i < 0 ? k->store : k->more.at[i].at; }
static Expr *stored_by(const Kernel *k, int i) { return i < 0 ? k->value : k->more.at[i].value; }

/* The store of an element of the window whose first element is store `first`; -2: there is none. -1 is the kernel's own. */
static int store_in(const Pool *p, const Kernel *k, int first, int place)
{
    Affine want[RANK_MAX];
    for (int d = p->in->shape.rank - 1; d >= 0; d--) {
        want[d] = store_of(k, first)[d];
        want[d].offset += place % p->size[d];
        place /= (int)p->size[d];
    }
    for (int i = -1; i < k->more.n; i++) {
        int d = 0;
        while (d < p->in->shape.rank && affine_equal(&store_of(k, i)[d], &want[d])) d++;
        if (d == p->in->shape.rank) return i;
    }
    return -2;
}

static bool stores_windows(const Pool *p, const Kernel *k)
{
    if (k->reduce != REDUCE_none || k->result || k->accumulate || k->pick || (k->more.n + 1) % p->elements) return false;
    for (int i = -1; i < k->more.n; i++) {
        if ((i < 0 ? k->out : k->more.at[i].out) != p->in) return false;
        const int place = place_of(p, store_of(k, i));
        if (place < 0) return false;
        for (int e = 1; !place && e < p->elements; e++)
            if (store_in(p, k, i, e) == -2) return false;
    }
    return true;
}

/* ---- into those kernels ---- */

static Expr *finished(const Pool *p, const Expr *e, Expr *reduced, const Affine *by)
{
    if (e->kind == EX_reduced) return reduced;
    Expr *x = expr_substitute(p->l->arena, e, by);
    for (int i = 0; i < expr_args[e->kind]; i++) x->arg[i] = finished(p, e->arg[i], reduced, by);
    return x;
}

/* What the user stores of the window that begins at `at`, given what it reduces its elements to. */
static Store pooled(const Pool *p, Expr *reduced, const Affine *at)
{
    Affine by[AXES_MAX] = { 0 };
    for (int d = 0; d < p->in->shape.rank; d++) {
        if (p->out[d] < 0) continue;
        Affine *x = &by[p->out[d]];
        *x = at[d];
        x->offset /= p->size[d];
        for (int t = 0; t < x->n; t++) x->term[t].coef /= p->size[d];
    }
    Store s = { .value = p->user->result ? finished(p, p->user->result, reduced, by) : reduced, .out = p->user->out };
    for (int d = 0; d < s.out->shape.rank; d++) s.at[d] = affine_substitute(&p->user->store[d], by);
    return s;
}

static void set_store(Kernel *k, const Store *s)
{
    k->out = s->out;
    for (int d = 0; d < s->out->shape.rank; d++) k->store[d] = s->at[d];
}

static Expr *combined(const Pool *p, Expr *x, Expr *y)
{
    static const ExprKind by[] = { [REDUCE_sum] = EX_add, [REDUCE_max] = EX_max, [REDUCE_min] = EX_min };
    return x ? ex_binary(p->l->arena, by[p->user->reduce], x, y) : y;
}

static void store_pooled(const Pool *p, Kernel *k)
{
    const Kernel old = *k;
    k->value = NULL;
    k->more.n = 0;
    k->more.at = NULL;
    k->more.cap = 0;
    for (int i = -1; i < old.more.n; i++) {
        Expr *all = NULL;
        if (place_of(p, store_of(&old, i))) continue;
        for (int e = 0; e < p->elements; e++) all = combined(p, all, stored_by(&old, store_in(p, &old, i, e)));
        const Store s = pooled(p, all, store_of(&old, i));
        if (k->value) {
            vec_push(p->l->arena, &k->more, s);
            continue;
        }
        k->value = s.value;
        set_store(k, &s);
    }
}

static void number_reduced(Expr *e, int number)
{
    if (e->kind == EX_reduced) e->value = number;
    for (int i = 0; i < expr_args[e->kind]; i++) number_reduced(e->arg[i], number);
}

static void keep_windows(const Pool *p, Kernel *k)
{
    Arena *a = p->l->arena;
    Affine by[AXES_MAX], first[RANK_MAX];
    Axis window[RANK_MAX];
    Expr *all = NULL;
    int n = 0, windows = 0;
    while (n < k->n_axes && !k->axis[n].reduce) n++;
    for (int d = 0; d < p->in->shape.rank; d++) {
        first[d] = k->store[d];
        if (p->size[d] == 1) continue;
        Axis *axis = &k->axis[k->store[d].term[0].axis];
        window[windows++] = (Axis){ .extent = p->size[d], .kept = true, .name = arena_printf(a, "in_%s", axis->name) };
        axis->extent /= p->size[d];
        first[d].term[0].coef = p->size[d];
    }
    for (int e = 0; e < p->elements; e++) {
        for (int i = 0; i < n; i++) by[i] = affine_axis(i);
        for (int d = p->in->shape.rank - 1, place = e; d >= 0; d--) {
            if (p->size[d] > 1) by[first[d].term[0].axis] = (Affine){ place % p->size[d], 1, { { first[d].term[0].axis, p->size[d] } } };
            place /= (int)p->size[d];
        }
        Expr *part = k->result ? expr_substitute(a, k->result, by) : ex_reduced(a, e);
        number_reduced(part, e);
        all = combined(p, all, part);
    }
    for (int i = 0; i < k->n_axes; i++) by[i] = affine_axis(i < n ? i : i + windows);
    for (int d = 0, w = n; d < p->in->shape.rank; d++)
        if (p->size[d] > 1) by[first[d].term[0].axis] = affine_add(affine_scale(affine_axis(first[d].term[0].axis), p->size[d]), affine_axis(w++));
    k->value = expr_substitute(a, k->value, by);
    for (int i = k->n_axes; i-- > n;) k->axis[i + windows] = k->axis[i];
    for (int w = 0; w < windows; w++) k->axis[n + w] = window[w];
    k->n_axes += windows;
    const Store s = pooled(p, all, first);
    k->result = s.value;
    set_store(k, &s);
}

/* Nobody but the user reads the tensor, and all who write it do so before. */
static bool is_alone(const Pool *p, int user)
{
    const Program *all = p->l->program;
    for (int i = 0; i < all->kernel.n; i++) {
        const Kernel *k = all->kernel.at[i];
        Affine at;
        for (int e = 0; i != user && kernel_expr(k, e); e++)
            if (reads(kernel_expr(k, e), p->in)) return false;
        if (kernel_stores(k, p->in, &at) && (i > user || (!is_convolution(p, k) && !stores_windows(p, k)))) return false;
    }
    return true;
}

void lower_pool(Lower *l)
{
    Program *all = l->program;
    Pool p;
    for (int i = 0; i < all->kernel.n; i++) {
        if (!find_pool(l, all->kernel.at[i], &p) || !is_alone(&p, i)) continue;
        for (int j = 0; j < i; j++) {
            Kernel *k = all->kernel.at[j];
            if (k->out != p.in) continue;
            if (k->reduce == REDUCE_sum) keep_windows(&p, k);
            else store_pooled(&p, k);
        }
        for (int j = i + 1; j < all->kernel.n; j++) all->kernel.at[j - 1] = all->kernel.at[j];
        all->kernel.n--;
        i--;
    }
}
