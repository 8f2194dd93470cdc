/* lower_pack.c -- weights in the order in which products read them: of a block of units all steps of the sum, of each step the lines of
   all gates. A param of this program alone is stored so; of others, what many steps of a sequence read again is copied once a call. */
#include "lower.h"

#include <string.h>

enum {
    LINES = 4,                     /* of gates for one row: sums enough to hide that each waits for the last */
    FEW_ROWS = 3, STEPS_LEAST = 16, ROWS_COPIED = 2, BYTES_LEAST = 32 << 10
};

/* Units of a block where one row, two or three, or more read it, as targets of so many lanes at most do best; and the least bytes of weights
   that one row reads better so: what the second cache holds comes as fast from rows of any length where it has 1 MB. */
typedef struct Blocks { int most_lanes, one, few, many; int64_t least_bytes; } Blocks;
static const Blocks blocks[] = { { 8, 64, 32, 16, BYTES_LEAST }, { LINE, 64, 128, 32, 1 << 20 } };

/* Of the packed weights. */
enum { BLOCK, STEP, PART, LANE, PACKED };

/* How a kernel reads weights [steps][gates][units]: its axes for the last two, the place along the first, and by how many rows it uses each. */
typedef struct Roles { int unit, gate; int64_t units, gates, rows; Affine step; } Roles;

typedef struct Weights {
    Buffer *param;
    int64_t units, gates, steps, rows, lanes;
    int readers, loads;            /* kernels that read them so, and loads at all */
    Buffer *packed;
} Weights;

typedef VEC(Weights) List;
/* Of a kernel: its load of the weights, or NULL, how it reads them, and their place in the list. */
typedef struct Reader { Expr *load; Roles roles; int weights; } Reader;

/* The dimension of a param that lies side by side; -1. */
static int units_dimension(const Buffer *b)
{
    int found = -1;
    for (int d = 0; d < b->shape.rank && b->kind == BUF_param && b->dtype == DTYPE_f32; d++)
        if (b->stride[d] == 1 && b->shape.dim[d] > 1) found = d;
    return found;
}

static bool find_roles(const Kernel *k, const Buffer *param, const Affine *at, Roles *r)
{
    const int dim = units_dimension(param);
    if (dim < 0) return false;
    const int64_t row = param->shape.dim[dim];
    *r = (Roles){ .unit = -1, .gate = -1, .gates = 1, .rows = 1, .step = affine_constant(at->offset / row) };
    if (at->offset % row) return false;
    for (int t = 0; t < at->n; t++) {
        const int axis = at->axis[t];
        const int64_t coef = at->coef[t];
        if (axis >= k->n_axes) return false;
        if (coef % row == 0) r->step = affine_add(r->step, affine_scale(affine_axis(axis), coef / row));
        else if (k->axis[axis].reduce) return false;
        else if (k->axis[axis].kept) r->gate = axis;
        else if (r->unit < 0 && coef == 1) r->unit = axis;
        else return false;
    }
    if (r->unit < 0 || !r->step.n) return false;
    r->units = k->axis[r->unit].extent;
    if (r->gate >= 0) r->gates = k->axis[r->gate].extent;
    for (int i = 0; i < k->n_axes; i++)
        if (!k->axis[i].reduce && !affine_coef(at, i)) r->rows *= k->axis[i].extent;
    return r->units * r->gates == row && (r->gate < 0 || affine_coef(at, r->gate) == r->units);
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

static void count_loads(List *list, const Exprs *all)
{
    for (int i = 0; i < all->n; i++) {
        if (all->at[i]->kind != EX_load) continue;
        const int w = find(list, buffer_memory(all->at[i]->buffer));
        if (w < list->n) list->at[w].loads++;
    }
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
        if (r->weights == list.n)
            vec_push(l->arena, &list, (Weights){ .param = param, .units = r->roles.units, .gates = r->roles.gates,
                                                 .steps = param->elements / (r->roles.units * r->roles.gates) });
        Weights *w = &list.at[r->weights];
        if (w->units == r->roles.units) w->readers++;
        else r->load = NULL;
        if (w->rows < r->roles.rows) w->rows = r->roles.rows;
    }
    Exprs all = { 0 };
    for (int i = 0; list.n && i < p->kernel.n; i++) {
        kernel_exprs(l->arena, p->kernel.at[i], &all);
        count_loads(&list, &all);
    }
    return list;
}

/* Units of a block; 0: the rows stay as they are. */
static int64_t choose_lanes(const LowerOptions *o, const Weights *w)
{
    const Blocks *b = blocks;
    const bool one = w->rows == 1;
    while (b->most_lanes < (o->lanes ? o->lanes : LINE)) b++;
    int64_t lanes = one ? b->one : w->rows <= FEW_ROWS ? b->few : b->many;
    if (w->gates > 1) lanes = one && w->gates < LINES ? LINES / w->gates * LINE : LINE;
    const int64_t least = one && w->gates == 1 ? b->least_bytes : BYTES_LEAST;
    const bool fits = w->units % lanes == 0 && w->units > lanes && (w->gates == 1 || w->rows <= ROWS_COPIED);
    return fits && 4 * w->param->elements > least ? lanes : 0;
}

static Buffer *packed_buffer(Lower *l, const Weights *w, BufferKind kind)
{
    Node like = *w->param->node;
    like.has_layout = false;
    like.shape = (Shape){ PACKED, { [BLOCK] = w->units / w->lanes, [STEP] = w->steps, [PART] = w->gates, [LANE] = w->lanes } };
    Buffer *b = buffer_new(l, kind, name_take(l, arena_printf(l->arena, "%s_packed", w->param->name)), &like);
    b->node = w->param->node;
    return b;
}

/* Slowest first. */
static void add_digit(Buffer *b, Digit digit)
{
    int at = b->n_digits++;
    for (; at && b->digit[at - 1].stride < digit.stride; at--) b->digit[at] = b->digit[at - 1];
    b->digit[at] = digit;
}

/* The param itself lies so, and what kernels read is a view of it. */
static Buffer *store_packed(Lower *l, const Weights *w)
{
    Buffer *param = w->param, *view = packed_buffer(l, w, BUF_param);
    view->base = param;
    for (int d = 0; d < param->shape.rank; d++) {
        if (param->shape.dim[d] == 1) continue;
        if (d != units_dimension(param)) {
            add_digit(param, (Digit){ d, 1, param->shape.dim[d], param->stride[d] / (w->units * w->gates) * view->stride[STEP] });
            continue;
        }
        add_digit(param, (Digit){ d, w->lanes, w->units / w->lanes, view->stride[BLOCK] });
        if (w->gates > 1) add_digit(param, (Digit){ d, w->units, w->gates, view->stride[PART] });
        add_digit(param, (Digit){ d, 1, w->lanes, 1 });
    }
    return view;
}

/* The kernel that copies those of two dimensions. */
static Kernel *copy_packed(Lower *l, Weights *w, const Kernel *reader)
{
    w->packed = packed_buffer(l, w, BUF_workspace);
    const int unit = units_dimension(w->param);
    Kernel *k = NEW(l->arena, Kernel);
    *k = (Kernel){ .node = reader->node, .name = w->packed->name, .n_axes = PACKED, .out = w->packed };
    static const char *const names[PACKED] = { "block", "step", "part", "lane" };
    for (int i = 0; i < PACKED; i++) {
        k->axis[i] = (Axis){ .extent = w->packed->shape.dim[i], .name = names[i] };
        k->store[i] = affine_axis(i);
    }
    Affine at[2];
    at[!unit] = affine_axis(STEP);
    at[unit] = affine_add(affine_scale(affine_axis(PART), w->units), affine_add(affine_scale(affine_axis(BLOCK), w->lanes), affine_axis(LANE)));
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
        [STEP] = affine_substitute(&roles->step, by),
        [PART] = roles->gate < 0 ? affine_constant(0) : by[roles->gate],
        [LANE] = affine_axis(lane),
    };
    by[block] = affine_add(affine_scale(affine_axis(block), w->lanes), affine_axis(lane));
    Expr *other = k->value->arg[k->value->arg[0] == r->load];
    k->value = ex_binary(l->arena, EX_mul, expr_substitute(l->arena, other, by), ex_load(l->arena, w->packed, at));
    if (k->result) k->result = expr_substitute(l->arena, k->result, by);
    substitute_store(k->out, k->store, by);
    for (int m = 0; m < k->more.n; m++) {
        k->more.at[m].value = expr_substitute(l->arena, k->more.at[m].value, by);
        substitute_store(k->more.at[m].out, k->more.at[m].at, by);
    }
    for (int i = k->n_axes++; i > lane; i--) k->axis[i] = k->axis[i - 1];
    k->axis[lane] = (Axis){ .extent = w->lanes, .name = "lane" };
    k->axis[block].extent /= w->lanes;
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
        w->lanes = choose_lanes(l->options, w);
        if (l->options->alone && w->readers == w->loads && w->lanes) w->packed = store_packed(l, w);
    }
    for (int i = 0; i < n; i++) {
        Weights *w = reader[i].load ? &list.at[reader[i].weights] : NULL;
        bool copied = w && !w->packed && w->readers >= STEPS_LEAST && w->rows <= ROWS_COPIED && w->param->shape.rank == 2 && w->lanes;
        if (copied) vec_push(l->arena, &p->kernel, copy_packed(l, w, old[i]));
        if (w && w->packed) read_packed(l, old[i], &reader[i], w);
        vec_push(l->arena, &p->kernel, old[i]);
    }
}
