/* lower_pool.c -- a maximum or mean over windows that lie side by side, and where in its window a maximum is, are computed where the elements
   are made, before they are stored: by a convolution whose sums of a window stay side by side in registers, or by kernels that store whole
   windows at a point. */
#include "lower.h"

/* A kernel that reads a tensor in windows. Per dimension of that: its out axis along it, and its axis in the window; -1: none. */
typedef struct Reader { Kernel *k; int out[RANK_MAX], in[RANK_MAX]; } Reader;

/* The kernels that pool, and what of the tensor that they read alone is a window. */
typedef struct Pool {
    Lower *l;
    Buffer *in;
    Reader user, places;           /* places.k: where the maximum is; NULL: nobody asks */
    int places_at;                 /* the number of that kernel */
    int64_t size[RANK_MAX], elements;   /* of a window */
} Pool;

/* ---- whether ---- */

/* Index d of a load is size * out + step, over all of the dimension, which has several windows. */
static bool find_dimension(const Affine *x, int64_t dimension, int d, Reader *r, int64_t *size)
{
    int64_t extent = 1, step = 0;
    r->out[d] = r->in[d] = -1;
    for (int t = 0; t < x->n; t++) {
        const int a = x->axis[t];
        const Axis *axis = &r->k->axis[a];
        if (axis->reduce && x->coef[t] == 1 && r->in[d] < 0) r->in[d] = a;
        else if (!axis->reduce && r->out[d] < 0) r->out[d] = a, extent = axis->extent, step = x->coef[t];
        else return false;
    }
    *size = r->in[d] < 0 ? 1 : r->k->axis[r->in[d]].extent;
    return x->offset == 0 && (r->out[d] < 0 ? *size == 1 : step == *size) && extent * *size == dimension;
}

static bool find_pool(Lower *l, Kernel *k, Pool *p)
{
    *p = (Pool){ .l = l, .user.k = k, .elements = 1 };
    if (k->reduce == REDUCE_none || !kernel_is_plain(k) || k->value->kind != EX_load || kernel_kept(k) >= 0) return false;
    p->in = k->value->buffer;
    if (p->in->kind != BUF_workspace || p->in->base || (k->out->kind != BUF_workspace && k->out->kind != BUF_output)) return false;
    for (int d = 0; d < p->in->shape.rank; d++) {
        if (!find_dimension(&k->value->index[d], p->in->shape.dim[d], d, &p->user, &p->size[d])) return false;
        p->elements *= p->size[d];
    }
    return p->elements > 1 && p->elements <= KEPT_MAX;
}

/* The out axes of a reader at the window that begins at `at`. */
static void reader_axes(const Pool *p, const Reader *r, const Affine *at, Affine *by)
{
    for (int d = 0; d < p->in->shape.rank; d++) {
        if (r->out[d] < 0) continue;
        Affine *x = &by[r->out[d]];
        *x = at[d];
        x->offset /= p->size[d];
        for (int t = 0; t < x->n; t++) x->coef[t] /= p->size[d];
    }
}

/* The least place whose element equals the maximum that the user stores: where(in[...] == out[...], place, last). */
static bool find_places(Pool *p, Kernel *k)
{
    const Expr *e = k->value, *same = e->arg[0];
    Reader *r = &p->places;
    Affine of_user[AXES_MAX] = { 0 };
    int64_t size;
    if (r->k || p->user.k->reduce != REDUCE_max || p->user.k->result || k->reduce != REDUCE_min || !kernel_is_plain(k) || k->result) return false;
    if (e->kind != EX_where || same->kind != EX_eq || e->arg[1]->kind != EX_index || e->arg[2]->kind != EX_constant) return false;
    if (same->arg[0]->kind != EX_load || same->arg[0]->buffer != p->in || same->arg[1]->kind != EX_load || same->arg[1]->buffer != p->user.k->out) return false;
    r->k = k;
    for (int d = 0; d < p->in->shape.rank; d++) {
        if (!find_dimension(&same->arg[0]->index[d], p->in->shape.dim[d], d, r, &size) || size != p->size[d]) return false;
        if (p->user.out[d] >= 0) of_user[p->user.out[d]] = affine_axis(r->out[d]);
    }
    for (int d = 0; d < p->user.k->out->shape.rank; d++) {
        const Affine at = affine_substitute(&p->user.k->store[d], of_user);
        if (!affine_equal(&at, &same->arg[1]->index[d])) return false;
    }
    return true;
}

/* ---- a convolution ---- */

/* Its sums, each dimension of the window along an axis of its own whose elements lie apart: across the lanes they could not be compared.
   Targets of short vectors have 16 registers, too few for the sums of several windows. */
static bool is_convolution(const Pool *p, const Kernel *k)
{
    const Affine address = buffer_address(k->out, k->store);
    int axes = k->n_axes;
    if (p->l->options->lanes && p->l->options->lanes < LINE) return false;
    if (k->reduce != REDUCE_sum || !kernel_is_plain(k) || k->out != p->in || kernel_kept(k) >= 0) return false;
    for (int d = 0; d < p->in->shape.rank; d++) {
        const Affine *x = &k->store[d];
        if (p->size[d] == 1) continue;
        if (x->n != 1 || x->coef[0] != 1 || x->offset % p->size[d] || k->axis[x->axis[0]].extent % p->size[d]) return false;
        if (affine_coef(&address, x->axis[0]) == 1) return false;
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
            if (at[d].coef[t] % p->size[d]) return -1;
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

static Expr *with_reduced(Expr *e, Expr *by)
{
    if (e->kind == EX_reduced) return by;
    for (int i = 0; i < expr_args[e->kind]; i++) e->arg[i] = with_reduced(e->arg[i], by);
    return e;
}

/* What a reader stores of the window that begins at `at`, given what it reduces its elements to. */
static Store pooled(const Pool *p, const Reader *r, Expr *reduced, const Affine *at)
{
    Affine by[AXES_MAX] = { 0 };
    reader_axes(p, r, at, by);
    Arena *a = p->l->arena;
    Store s = { .value = r->k->result ? with_reduced(expr_substitute(a, r->k->result, by), reduced) : reduced,
                .out = r->k->out, .at = NEW_ARRAY(a, Affine, r->k->out->shape.rank) };
    for (int d = 0; d < s.out->shape.rank; d++) s.at[d] = affine_substitute(&r->k->store[d], by);
    return s;
}

static Expr *combined(const Pool *p, Reduce how, Expr *const *element)
{
    static const ExprKind by[] = { [REDUCE_sum] = EX_add, [REDUCE_max] = EX_max, [REDUCE_min] = EX_min };
    Expr *all = element[0];
    for (int e = 1; e < p->elements; e++) all = ex_binary(p->l->arena, by[how], all, element[e]);
    return all;
}

/* Given a window's elements row by row. */
static Expr *place_of_most(const Pool *p, Expr *const *element, Expr *most)
{
    const Expr *value = p->places.k->value;
    Expr *place[KEPT_MAX] = { NULL };
    for (int e = 0; e < p->elements; e++) {
        Affine step[AXES_MAX] = { 0 };
        for (int d = p->in->shape.rank - 1, left = e; d >= 0; left /= (int)p->size[d--])
            if (p->places.in[d] >= 0) step[p->places.in[d]].offset = left % p->size[d];
        Expr *same = ex_binary(p->l->arena, EX_eq, element[e], most);
        Expr *here = ex_number(p->l->arena, (double)affine_substitute(value->arg[1]->index, step).offset);
        place[e] = ex_where(p->l->arena, same, here, value->arg[2]);
    }
    return combined(p, REDUCE_min, place);
}

/* Has the kernel store what the readers would of the window. */
static void store_window(const Pool *p, Kernel *k, Expr *const *element, const Affine *at, bool first)
{
    Arena *a = p->l->arena;
    Expr *all = combined(p, p->user.k->reduce, element);
    const Store s = pooled(p, &p->user, all, at);
    if (first) {
        *(k->reduce ? &k->result : &k->value) = s.value;
        k->out = s.out;
        for (int d = 0; d < s.out->shape.rank; d++) k->store[d] = s.at[d];
    } else {
        vec_push(a, &k->more, s);
    }
    if (!p->places.k) return;
    vec_push(a, &k->early, all);
    vec_push(a, &k->more, pooled(p, &p->places, place_of_most(p, element, all), at));
}

static void store_windows(const Pool *p, Kernel *k)
{
    const Kernel old = *k;
    bool first = true;
    k->more.n = k->more.cap = 0;
    k->more.at = NULL;
    for (int i = -1; i < old.more.n; i++) {
        Expr *element[KEPT_MAX];
        if (place_of(p, store_of(&old, i))) continue;
        for (int e = 0; e < p->elements; e++) element[e] = stored_by(&old, store_in(p, &old, i, e));
        store_window(p, k, element, store_of(&old, i), first);
        first = false;
    }
}

static void keep_windows(const Pool *p, Kernel *k)
{
    Arena *a = p->l->arena;
    Affine by[AXES_MAX], first[RANK_MAX];
    Axis window[RANK_MAX];
    Expr *element[KEPT_MAX];
    const int n = kernel_out_axes(k);
    int windows = 0;
    for (int d = 0; d < p->in->shape.rank; d++) {
        first[d] = k->store[d];
        if (p->size[d] == 1) continue;
        Axis *axis = &k->axis[k->store[d].axis[0]];
        window[windows++] = (Axis){ .extent = p->size[d], .kept = true, .name = arena_printf(a, "in_%s", axis->name) };
        axis->extent /= p->size[d];
        first[d].coef[0] = p->size[d];
    }
    for (int e = 0; e < p->elements; e++) {
        for (int i = 0; i < n; i++) by[i] = affine_axis(i);
        for (int d = p->in->shape.rank - 1, place = e; d >= 0; d--) {
            if (p->size[d] > 1) by[first[d].axis[0]] = affine_add(affine_scale(affine_axis(first[d].axis[0]), p->size[d]), affine_constant(place % p->size[d]));
            place /= (int)p->size[d];
        }
        element[e] = kernel_result_at(a, k, e, by);
    }
    for (int i = 0; i < k->n_axes; i++) by[i] = affine_axis(i < n ? i : i + windows);
    for (int d = 0, w = n; d < p->in->shape.rank; d++)
        if (p->size[d] > 1) by[first[d].axis[0]] = affine_add(affine_scale(affine_axis(first[d].axis[0]), p->size[d]), affine_axis(w++));
    k->value = expr_substitute(a, k->value, by);
    for (int i = k->n_axes; i-- > n;) k->axis[i + windows] = k->axis[i];
    for (int w = 0; w < windows; w++) k->axis[n + w] = window[w];
    k->n_axes += windows;
    store_window(p, k, element, first, true);
}

/* Also finds who else reads the tensor: nobody but for the place of the maximum; all who write it do so before. */
static bool find_readers(Pool *p, const Uses *uses, const bool *gone, int user)
{
    Kernel *const *kernel = p->l->program->kernel.at;
    const Ints *readers = &uses->readers[p->in->id], *writers = &uses->writers[p->in->id];
    for (int i = 0; i < readers->n; i++) {
        const int reader = readers->at[i];
        if (reader == user || gone[reader]) continue;
        if (!find_places(p, kernel[reader])) return false;
        p->places_at = reader;
    }
    for (int i = 0; i < writers->n; i++) {
        const Kernel *k = kernel[writers->at[i]];
        if (!gone[writers->at[i]] && (writers->at[i] > user || (!is_convolution(p, k) && !stores_windows(p, k)))) return false;
    }
    return true;
}

static void pool(const Pool *p, Uses *uses, const bool *gone)
{
    const Ints *writers = &uses->writers[p->in->id];
    for (int i = 0; i < writers->n; i++) {
        Kernel *k = p->l->program->kernel.at[writers->at[i]];
        if (gone[writers->at[i]]) continue;
        if (k->reduce == REDUCE_sum) keep_windows(p, k);
        else store_windows(p, k);
        uses_add(uses, k, writers->at[i]);
    }
}

void lower_pool(Lower *l)
{
    Program *all = l->program;
    bool *gone = NEW_ARRAY(l->arena, bool, all->kernel.n + 1);
    Uses uses = { 0 };
    Pool p;
    int n = 0;
    for (int i = 0; i < all->kernel.n; i++) {
        if (gone[i] || !find_pool(l, all->kernel.at[i], &p)) continue;
        if (!uses.arena) uses = uses_of(l->arena, all);
        if (!find_readers(&p, &uses, gone, i)) continue;
        pool(&p, &uses, gone);
        gone[i] = true;
        if (p.places.k) gone[p.places_at] = true;
    }
    for (int i = 0; i < all->kernel.n; i++)
        if (!gone[i]) all->kernel.at[n++] = all->kernel.at[i];
    all->kernel.n = n;
}
