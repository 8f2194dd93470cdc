/* lower_pack.c -- weights that vectors times a matrix read, in one stream: of a cache line of units (of four, where no gates stand side by
   side) all steps of the sum, of each step the lines of all gates. A param of this program alone is stored so; of others, what many steps
   of a sequence read again is copied once a call. */
#include "lower.h"

#include <string.h>

enum { LINE = 16, LINES = 4, STEPS_LEAST = 16, ROWS_MOST = 2, BYTES_LEAST = 32 << 10 };

/* Of the packed weights. */
enum { BLOCK, STEP, PART, LANE, PACKED };

/* How a kernel reads weights [sums][gates][units]: its axes for the last two, and the place along the first. */
typedef struct Roles { int unit, gate; int64_t units, gates, sums, lanes; Affine sum; } Roles;

typedef struct Weights {
    Buffer *param;
    Roles roles;                   /* of the first reader; units, gates and sums are those of all */
    int readers, loads;            /* kernels that read them so, and loads at all */
    Buffer *packed;
} Weights;

typedef VEC(Weights) List;
/* Of a kernel: its load of the weights, or NULL, how it reads them, and their place in the list. */
typedef struct Reader { Expr *load; Roles roles; int weights; } Reader;

/* The dimension of a param of two that lies side by side; -1. */
static int units_dimension(const Buffer *b)
{
    if (b->kind != BUF_param || b->shape.rank != 2 || b->dtype != DTYPE_f32) return -1;
    return b->stride[1] == 1 ? 1 : b->stride[0] == 1 ? 0 : -1;
}

/* What is stored along, the kept axis and what is summed over, each where it should be. */
static bool find_roles(const Kernel *k, const Buffer *param, const Affine *at, Roles *r)
{
    const int dim = units_dimension(param);
    if (dim < 0) return false;
    const int64_t row = param->shape.dim[dim];
    *r = (Roles){ .unit = -1, .gate = -1, .gates = 1, .sums = param->shape.dim[!dim], .sum = affine_constant(at->offset / row) };
    if (at->offset % row) return false;
    for (int t = 0; t < at->n; t++) {
        const int axis = at->term[t].axis;
        const int64_t coef = at->term[t].coef;
        if (axis >= k->n_axes) return false;
        if (k->axis[axis].reduce) {
            if (coef % row) return false;
            r->sum = affine_add(r->sum, affine_scale(affine_axis(axis), coef / row));
        } else if (k->axis[axis].kept) r->gate = axis;
        else if (r->unit < 0 && coef == 1) r->unit = axis;
        else return false;
    }
    if (r->unit < 0 || !r->sum.n) return false;
    r->units = k->axis[r->unit].extent;
    if (r->gate >= 0) r->gates = k->axis[r->gate].extent;
    r->lanes = LINE * (r->gates < LINES ? LINES / r->gates : 1);
    int64_t rows = r->gates > 1 ? 1 : ROWS_MOST;       /* so many vectors a step that one row of them fills the registers */
    for (int i = 0; i < k->n_axes; i++)
        if (i != r->unit && i != r->gate && !k->axis[i].reduce) rows *= k->axis[i].extent;
    if (rows > ROWS_MOST || r->units % r->lanes || r->units * r->gates != row) return false;
    return r->gate < 0 || affine_coef(at, r->gate) == r->units;
}

/* The load of the weights in a kernel that sums; NULL. */
static Expr *weights_of(const Kernel *k, Roles *r)
{
    if (k->reduce != REDUCE_sum || k->early.n || k->n_axes + 1 >= PICKED || k->value->kind != EX_mul) return NULL;
    for (int i = 0; i < 2; i++) {
        Expr *e = k->value->arg[i];
        if (e->kind != EX_load || e->buffer->kind != BUF_param) continue;
        const Affine at = buffer_address(e->buffer, e->index);
        if (find_roles(k, buffer_memory(e->buffer), &at, r)) return e;
    }
    return NULL;
}

static int find(const List *list, const Buffer *param)
{
    int i = 0;
    while (i < list->n && list->at[i].param != param) i++;
    return i;
}

static void count_loads(List *list, const Expr *e)
{
    if (!e) return;
    if (e->kind == EX_load) {
        const int w = find(list, buffer_memory(e->buffer));
        if (w < list->n) list->at[w].loads++;
    }
    for (int i = 0; i < expr_args[e->kind]; i++) count_loads(list, e->arg[i]);
}

static List find_weights(Lower *l, Reader *reader)
{
    List list = { 0 };
    const Program *p = l->program;
    for (int i = 0; i < p->kernel.n; i++) {
        Reader *r = &reader[i];
        r->load = weights_of(p->kernel.at[i], &r->roles);
        if (!r->load) continue;
        Buffer *param = r->load->buffer->base ? r->load->buffer->base : r->load->buffer;
        r->weights = find(&list, param);
        if (r->weights == list.n) vec_push(l->arena, &list, (Weights){ param, r->roles, 0, 0, NULL });
        Weights *w = &list.at[r->weights];
        if (w->roles.units != r->roles.units) r->load = NULL;
        else w->readers++;
    }
    for (int i = 0; i < p->kernel.n; i++)
        for (int k = 0; kernel_expr(p->kernel.at[i], k); k++) count_loads(&list, kernel_expr(p->kernel.at[i], k));
    return list;
}

static bool is_worth_it(const Weights *w)
{
    const Roles *r = &w->roles;
    return 4 * r->units * r->gates * r->sums > BYTES_LEAST && r->units > r->lanes;
}

static Buffer *packed_buffer(Lower *l, const Weights *w, BufferKind kind)
{
    const Roles *r = &w->roles;
    Node like = *w->param->node;
    like.has_layout = false;
    like.shape = (Shape){ PACKED, { [BLOCK] = r->units / r->lanes, [STEP] = r->sums, [PART] = r->gates, [LANE] = r->lanes } };
    Buffer *b = buffer_new(l, kind, name_take(l, arena_printf(l->arena, "%s_packed", w->param->name)), &like);
    b->node = w->param->node;
    return b;
}

/* The param itself lies so, and what kernels read is a view of it. */
static Buffer *store_packed(Lower *l, Weights *w)
{
    const Roles *r = &w->roles;
    const int unit = units_dimension(w->param);
    Buffer *view = packed_buffer(l, w, BUF_param);
    view->base = w->param;
    const Digit digit[PACKED] = {
        [BLOCK] = { unit, r->lanes, r->units / r->lanes, view->stride[BLOCK] },
        [STEP] = { !unit, 1, r->sums, view->stride[STEP] },
        [PART] = { unit, r->units, r->gates, view->stride[PART] },
        [LANE] = { unit, 1, r->lanes, 1 },
    };
    for (int i = 0; i < PACKED; i++)
        if (digit[i].extent > 1) w->param->digit[w->param->n_digits++] = digit[i];
    return view;
}

/* The kernel that copies them. */
static Kernel *copy_packed(Lower *l, Weights *w, const Kernel *reader)
{
    const Roles *r = &w->roles;
    const int unit = units_dimension(w->param);
    w->packed = packed_buffer(l, w, BUF_workspace);
    Kernel *k = NEW(l->arena, Kernel);
    *k = (Kernel){ .node = reader->node, .name = w->packed->name, .n_axes = PACKED, .out = w->packed };
    static const char *const names[PACKED] = { "block", "step", "part", "lane" };
    for (int i = 0; i < PACKED; i++) {
        k->axis[i] = (Axis){ .extent = w->packed->shape.dim[i], .name = names[i] };
        k->store[i] = affine_axis(i);
    }
    Affine at[2];
    at[!unit] = affine_axis(STEP);
    at[unit] = affine_add(affine_scale(affine_axis(PART), r->units), affine_add(affine_scale(affine_axis(BLOCK), r->lanes), affine_axis(LANE)));
    k->value = ex_load(l->arena, w->param, at);
    return k;
}

static void substitute_store(const Buffer *out, Affine *at, const Affine *by)
{
    for (int d = 0; d < out->shape.rank; d++) at[d] = affine_substitute(&at[d], by);
}

/* The units become blocks. */
static void read_packed(Lower *l, Kernel *k, const Reader *r, const Weights *w)
{
    const Roles *roles = &r->roles;
    const int block = roles->unit, lane = block + 1;
    Affine by[AXES_MAX];
    for (int i = 0; i < k->n_axes; i++) by[i] = affine_axis(i + (i > block));
    const Affine at[PACKED] = {
        [BLOCK] = affine_axis(block),
        [STEP] = affine_substitute(&roles->sum, by),
        [PART] = roles->gate < 0 ? affine_constant(0) : by[roles->gate],
        [LANE] = affine_axis(lane),
    };
    by[block] = affine_add(affine_scale(affine_axis(block), roles->lanes), affine_axis(lane));
    Expr *other = k->value->arg[k->value->arg[0] == r->load];
    k->value = ex_binary(l->arena, EX_mul, expr_substitute(l->arena, other, by), ex_load(l->arena, w->packed, at));
    if (k->result) k->result = expr_substitute(l->arena, k->result, by);
    substitute_store(k->out, k->store, by);
    for (int m = 0; m < k->more.n; m++) {
        k->more.at[m].value = expr_substitute(l->arena, k->more.at[m].value, by);
        substitute_store(k->more.at[m].out, k->more.at[m].at, by);
    }
    for (int i = k->n_axes++; i > lane; i--) k->axis[i] = k->axis[i - 1];
    k->axis[lane] = (Axis){ .extent = roles->lanes, .name = "lane" };
    k->axis[block].extent /= roles->lanes;
    k->axis[block].outer = true;
}

void lower_pack(Lower *l)
{
    Program *p = l->program;
    const int n = p->kernel.n;
    Reader *reader = NEW_ARRAY(l->arena, Reader, n + 1);
    List list = find_weights(l, reader);
    Kernel **old = p->kernel.at;
    p->kernel.at = NULL;
    p->kernel.n = p->kernel.cap = 0;
    for (int i = 0; i < list.n; i++) {
        Weights *w = &list.at[i];
        if (l->options->alone && w->readers == w->loads && is_worth_it(w)) w->packed = store_packed(l, w);
    }
    for (int i = 0; i < n; i++) {
        Weights *w = reader[i].load ? &list.at[reader[i].weights] : NULL;
        if (w && !w->packed && w->readers >= STEPS_LEAST && is_worth_it(w)) vec_push(l->arena, &p->kernel, copy_packed(l, w, old[i]));
        if (w && w->packed) read_packed(l, old[i], &reader[i], w);
        vec_push(l->arena, &p->kernel, old[i]);
    }
}
