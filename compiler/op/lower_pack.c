/* lower_pack.c -- weights that every step of a sequence reads again, and that no first cache holds, are copied once into the order in which
   the steps read them: of a cache line of units all steps of the sum, of each step the lines of all gates. */
#include "lower.h"

#include <string.h>

enum { LINE = 16, STEPS_LEAST = 16, ROWS_MOST = 2, BYTES_LEAST = 32 << 10 };

/* Of the packed weights. */
enum { BLOCK, STEP, PART, LANE, PACKED };

/* Axes of a kernel of gates: what is stored along, the parts, what is summed over; and their extents. */
typedef struct Roles { int unit, gate, sum; int64_t units, gates, sums; } Roles;

typedef struct Weights {
    const Expr *load;
    Affine at;
    Roles roles;
    int readers;                   /* kernels */
    Buffer *packed;
} Weights;

typedef VEC(Weights) List;
/* Of a kernel: its load of the weights, or NULL, and their place in the list. */
typedef struct Reader { Expr *load; int weights; } Reader;

/* Every axis of the load is one of the three, and these are what they should be. */
static bool find_roles(const Kernel *k, const Affine *at, Roles *r)
{
    *r = (Roles){ -1, -1, -1, 0, 0, 0 };
    for (int t = 0; t < at->n; t++) {
        const int axis = at->term[t].axis;
        if (axis >= k->n_axes) return false;
        int *role = k->axis[axis].kept ? &r->gate : k->axis[axis].reduce ? &r->sum : &r->unit;
        if (*role >= 0) return false;
        *role = axis;
    }
    if (r->unit < 0 || r->gate < 0 || r->sum < 0 || affine_coef(at, r->unit) != 1) return false;
    int64_t rows = 1;
    for (int i = 0; i < k->n_axes; i++)
        if (i != r->unit && i != r->gate && i != r->sum) rows *= k->axis[i].extent;
    if (rows > ROWS_MOST) return false;
    r->units = k->axis[r->unit].extent;
    r->gates = k->axis[r->gate].extent;
    r->sums = k->axis[r->sum].extent;
    return r->units % LINE == 0;
}

/* The load of the weights in a kernel of gates; NULL. */
static Expr *weights_of(const Kernel *k, Affine *at, Roles *r)
{
    if (k->reduce != REDUCE_sum || k->early.n || k->n_axes + 1 >= PICKED || k->value->kind != EX_mul) return NULL;
    for (int i = 0; i < 2; i++) {
        Expr *e = k->value->arg[i];
        if (e->kind != EX_load || e->buffer->kind != BUF_param) continue;
        *at = buffer_address(e->buffer, e->index);
        if (find_roles(k, at, r)) return e;
    }
    return NULL;
}

static int find(const List *list, const Expr *load, const Affine *at, const Roles *r)
{
    int i = 0;
    while (i < list->n && (list->at[i].load->buffer != load->buffer || !affine_equal(&list->at[i].at, at) || memcmp(&list->at[i].roles, r, sizeof *r))) i++;
    return i;
}

static List find_weights(Lower *l, Reader *reader)
{
    List list = { 0 };
    for (int i = 0; i < l->program->kernel.n; i++) {
        Affine at;
        Roles roles;
        Expr *load = reader[i].load = weights_of(l->program->kernel.at[i], &at, &roles);
        if (!load) continue;
        const int w = reader[i].weights = find(&list, load, &at, &roles);
        if (w == list.n) vec_push(l->arena, &list, (Weights){ load, at, roles, 0, NULL });
        list.at[w].readers++;
    }
    return list;
}

static bool is_worth_it(const Weights *w)
{
    return w->readers >= STEPS_LEAST && 4 * w->roles.units * w->roles.gates * w->roles.sums > BYTES_LEAST;
}

/* The kernel that copies them. */
static Kernel *pack(Lower *l, Weights *w, const Kernel *reader)
{
    Node like = *w->load->buffer->node;
    like.has_layout = false;
    like.shape = (Shape){ PACKED, { [BLOCK] = w->roles.units / LINE, [STEP] = w->roles.sums, [PART] = w->roles.gates, [LANE] = LINE } };
    const char *name = name_take(l, arena_printf(l->arena, "%s_packed", w->load->buffer->name));
    w->packed = buffer_new(l, BUF_workspace, name, &like);
    w->packed->node = w->load->buffer->node;
    Kernel *k = NEW(l->arena, Kernel);
    *k = (Kernel){ .node = reader->node, .name = name, .n_axes = PACKED, .out = w->packed };
    static const char *const names[PACKED] = { "block", "step", "part", "lane" };
    for (int i = 0; i < PACKED; i++) {
        k->axis[i] = (Axis){ .extent = like.shape.dim[i], .name = names[i] };
        k->store[i] = affine_axis(i);
    }
    Affine by[AXES_MAX] = { 0 };
    by[w->roles.unit] = affine_add(affine_scale(affine_axis(BLOCK), LINE), affine_axis(LANE));
    by[w->roles.gate] = affine_axis(PART);
    by[w->roles.sum] = affine_axis(STEP);
    k->value = expr_substitute(l->arena, w->load, by);
    return k;
}

static void substitute_store(const Buffer *out, Affine *at, const Affine *by)
{
    for (int d = 0; d < out->shape.rank; d++) at[d] = affine_substitute(&at[d], by);
}

/* The units become blocks of a line. */
static void read_packed(Lower *l, Kernel *k, Expr *load, const Weights *w)
{
    const int block = w->roles.unit, lane = block + 1;
    Affine by[AXES_MAX];
    for (int i = 0; i < k->n_axes; i++) by[i] = affine_axis(i + (i > block));
    const Affine at[PACKED] = { [BLOCK] = affine_axis(block), [STEP] = by[w->roles.sum], [PART] = by[w->roles.gate], [LANE] = affine_axis(lane) };
    by[block] = affine_add(affine_scale(affine_axis(block), LINE), affine_axis(lane));
    Expr *other = k->value->arg[k->value->arg[0] == load];
    k->value = ex_binary(l->arena, EX_mul, expr_substitute(l->arena, other, by), ex_load(l->arena, w->packed, at));
    if (k->result) k->result = expr_substitute(l->arena, k->result, by);
    substitute_store(k->out, k->store, by);
    for (int m = 0; m < k->more.n; m++) {
        k->more.at[m].value = expr_substitute(l->arena, k->more.at[m].value, by);
        substitute_store(k->more.at[m].out, k->more.at[m].at, by);
    }
    for (int i = k->n_axes++; i > lane; i--) k->axis[i] = k->axis[i - 1];
    k->axis[lane] = (Axis){ .extent = LINE, .name = "lane" };
    k->axis[block].extent /= LINE;
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
    for (int i = 0; i < n; i++) {
        Weights *w = reader[i].load ? &list.at[reader[i].weights] : NULL;
        if (w && is_worth_it(w)) {
            if (!w->packed) vec_push(l->arena, &p->kernel, pack(l, w, old[i]));
            read_packed(l, old[i], reader[i].load, w);
        }
        vec_push(l->arena, &p->kernel, old[i]);
    }
}
