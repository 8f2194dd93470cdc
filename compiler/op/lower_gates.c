/* lower_gates.c -- what reads several parts of a contraction's result at one point (the gates of an LSTM or a GRU, halves of a
   gated unit) is computed in its kernel: the sums of the parts stay side by side in registers. So is what several kernels read of it
   at the point where it is made: one part. */
#include "lower.h"

enum {
    LANES = 16,                    /* of the widest target */
    USERS_MAX = 4
};

typedef struct Gates {
    Lower *l;
    Uses uses;
    bool *gone;                    /* by kernel: computed in another */
} Gates;

/* The contraction, and the kernels that read its result. */
typedef struct Group {
    Kernel *maker;
    int at, n;                     /* the maker's place; users */
    int user[USERS_MAX];
    int split;                     /* the axis that is parts of `size`; -1: one part */
    int64_t size;
    int parts;
} Group;

/* ---- who reads and writes what ---- */

/* Whether that kernel alone writes the memory of b. */
static bool writes_alone(const Gates *g, int kernel, const Buffer *b)
{
    const Ints *w = &g->uses.writers[buffer_memory(b)->id];
    return w->n == 1 && w->at[0] == kernel;
}

static bool reads(const Gates *g, int kernel, const Buffer *b)
{
    const Ints *r = &g->uses.readers[buffer_memory(b)->id];
    for (int i = 0; i < r->n; i++)
        if (r->at[i] == kernel) return true;
    return false;
}

static Kernel *kernel_at(const Gates *g, int i) { return g->l->program->kernel.at[i]; }

/* Somebody behind the program reads it: the caller, or an update. */
static bool is_wanted(const Gates *g, const Buffer *b)
{
    for (int i = 0; i < g->l->update.n; i++)
        if (buffer_memory(g->l->update.at[i].value) == b) return true;
    return b->kind != BUF_workspace;
}

/* ---- whether ---- */

/* The user has the maker's out axes, but perhaps for one that it sees in parts. */
static bool find_split(Group *g, const Kernel *user)
{
    const Kernel *k = g->maker;
    const int n = kernel_out_axes(k);
    g->split = -1;
    g->parts = 1;
    if (user->reduce != REDUCE_none || !kernel_is_plain(user) || user->n_axes != n || k->n_axes + 1 >= PICKED) return false;
    for (int i = 0; i < n; i++) {
        const int64_t all = k->axis[i].extent, part = user->axis[i].extent;
        if (all == part) continue;
        if (g->split >= 0 || all % part || all / part > KEPT_MAX / 2) return false;
        g->split = i;
        g->size = part;
        g->parts = (int)(all / part);
    }
    return g->split < 0 || 8 * ((g->size + LANES - 1) / LANES * LANES) <= 9 * g->size;
}

/* The part that a load of the maker's result reads at each point; -1 where it is not one part. */
static int part_of(const Group *g, const Expr *load)
{
    const Affine made = buffer_address(g->maker->out, g->maker->store), read = buffer_address(load->buffer, load->index);
    if (g->split < 0) return affine_equal(&made, &read) ? 0 : -1;
    const int64_t step = g->size * affine_coef(&made, g->split), offset = read.offset - made.offset;
    const Affine moved = affine_add(made, affine_constant(offset));
    return affine_equal(&moved, &read) && step > 0 && offset % step == 0 && offset / step < g->parts ? (int)(offset / step) : -1;
}

/* Loads of the result are parts; loads of what an earlier user stores are at the same point. */
static bool loads_fit(const Gates *gates, const Group *g, int user, const Expr *e)
{
    if (e->kind == EX_load) {
        const Buffer *b = buffer_memory(e->buffer);
        if (b == g->maker->out && part_of(g, e) < 0) return false;
        for (int i = 0; i < g->n; i++) {
            const Kernel *k = kernel_at(gates, g->user[i]);
            if (buffer_memory(k->out) != b) continue;
            const Affine stored = buffer_address(k->out, k->store), read = buffer_address(e->buffer, e->index);
            if (i >= user || !affine_equal(&stored, &read)) return false;
        }
    }
    for (int i = 0; i < expr_args[e->kind]; i++)
        if (!loads_fit(gates, g, user, e->arg[i])) return false;
    return true;
}

/* Whether k stores what the other reads. */
static bool writes_for(const Gates *gates, const Kernel *k, int other)
{
    bool any = reads(gates, other, k->out);
    for (int m = 0; m < k->more.n; m++) any |= reads(gates, other, k->more.at[m].out);
    return any;
}

/* Nobody between the maker and its last user needs what they store, or stores what they read. */
static bool can_wait(const Gates *gates, const Group *g)
{
    const int last = g->user[g->n - 1];
    for (int i = g->at + 1, u = 0; i < last; i++) {
        const Kernel *k = kernel_at(gates, i);
        if (i == g->user[u]) {
            u++;
            continue;
        }
        if (gates->gone[i]) continue;
        for (int j = 0; j < g->n; j++)
            if (reads(gates, i, kernel_at(gates, g->user[j])->out) || (g->user[j] < i && writes_for(gates, k, g->user[j]))) return false;
        if (writes_for(gates, k, g->at)) return false;
    }
    return true;
}

static bool find_group(const Gates *gates, int at, Group *g)
{
    Kernel *k = kernel_at(gates, at);
    *g = (Group){ .maker = k, .at = at };
    if (k->reduce != REDUCE_sum || !kernel_is_plain(k) || is_wanted(gates, k->out) || k->out->base || !writes_alone(gates, at, k->out)) return false;
    const Ints *reader = &gates->uses.readers[k->out->id];
    if (!reader->n || reader->n > USERS_MAX || reader->at[0] <= at) return false;
    for (int i = 0; i < reader->n; i++) {
        const Kernel *user = kernel_at(gates, reader->at[i]);
        const Group before = *g;
        const bool waits = i + 1 < reader->n;
        if (gates->gone[reader->at[i]] || reads(gates, at, user->out) || !find_split(g, user)) return false;
        /* Updates join the gradient that they read by themselves. */
        if (g->split < 0 && is_wanted(gates, buffer_memory(user->out))) return false;
        if (waits && !writes_alone(gates, reader->at[i], user->out)) return false;
        if (i && (before.split != g->split || before.size != g->size)) return false;
        g->user[g->n++] = reader->at[i];
    }
    for (int i = 0; i < g->n; i++)
        if (!loads_fit(gates, g, i, kernel_at(gates, g->user[i])->value)) return false;
    return can_wait(gates, g);
}

/* ---- into one kernel ---- */

static void replace(const Gates *gates, const Group *g, Expr *e, Expr *const *part)
{
    if (e->kind == EX_load) {
        const Buffer *b = buffer_memory(e->buffer);
        Expr *by = b == g->maker->out ? part[part_of(g, e)] : NULL;
        for (int i = 0; i < g->n && !by; i++)
            if (buffer_memory(kernel_at(gates, g->user[i])->out) == b) by = kernel_at(gates, g->user[i])->value;
        if (by) *e = *by;
        return;
    }
    for (int i = 0; i < expr_args[e->kind]; i++) replace(gates, g, e->arg[i], part);
}

/* The axis `split` in parts: their number is an axis behind the others that are stored along. */
static void split_axes(Arena *a, const Group *g)
{
    Kernel *k = g->maker;
    const int n = kernel_out_axes(k);
    Affine by[AXES_MAX];
    for (int i = 0; i < k->n_axes; i++) by[i] = affine_axis(i < n ? i : i + 1);
    by[g->split] = affine_add(affine_axis(g->split), affine_scale(affine_axis(n), g->size));
    k->value = expr_substitute(a, k->value, by);
    for (int i = k->n_axes; i > n; i--) k->axis[i] = k->axis[i - 1];
    k->axis[n] = (Axis){ .extent = g->parts, .kept = true, .name = "part" };
    k->axis[g->split].extent = g->size;
    k->n_axes++;
}

/* What the maker stores of each part. */
static void part_values(Arena *a, const Group *g, Expr **part)
{
    const int n = kernel_out_axes(g->maker);
    for (int p = 0; p < g->parts; p++) {
        Affine by[AXES_MAX];
        for (int i = 0; i < n; i++) by[i] = affine_axis(i);
        if (g->split >= 0) by[g->split] = affine_add(affine_axis(g->split), affine_constant(p * g->size));
        part[p] = kernel_result_at(a, g->maker, p, by);
    }
}

static void join(Gates *gates, const Group *g)
{
    Lower *l = gates->l;
    Kernel *k = g->maker, *last = kernel_at(gates, g->user[g->n - 1]);
    Expr *part[KEPT_MAX];
    part_values(l->arena, g, part);
    for (int i = 0; i < g->n; i++) replace(gates, g, kernel_at(gates, g->user[i])->value, part);
    if (g->split >= 0) split_axes(l->arena, g);
    for (int i = 0; i + 1 < g->n; i++) {
        const Kernel *user = kernel_at(gates, g->user[i]);
        const Ints *reader = &gates->uses.readers[buffer_memory(user->out)->id];
        bool elsewhere = is_wanted(gates, buffer_memory(user->out));
        for (int r = 0; r < reader->n; r++) {
            bool inside = false;
            for (int j = 0; j < g->n; j++) inside |= reader->at[r] == g->user[j];
            elsewhere |= !inside;
        }
        if (elsewhere) kernel_store_more(l->arena, k, user->out, user->value, user->store);
    }
    k->result = last->value;
    k->out = last->out;
    for (int d = 0; d < last->out->shape.rank; d++) k->store[d] = last->store[d];
    l->program->kernel.at[g->user[g->n - 1]] = k;
    gates->gone[g->at] = true;
    for (int i = 0; i + 1 < g->n; i++) {
        gates->gone[g->user[i]] = true;
        gates->uses.writers[buffer_memory(kernel_at(gates, g->user[i])->out)->id].n = 0;
    }
    uses_add(&gates->uses, k, g->user[g->n - 1]);
}

void lower_gates(Lower *l)
{
    Program *p = l->program;
    Gates gates = { .l = l, .uses = uses_of(l->arena, p), .gone = NEW_ARRAY(l->arena, bool, p->kernel.n + 1) };
    int n = 0;
    for (int i = 0; i < p->kernel.n; i++) {
        Group g;
        if (!gates.gone[i] && find_group(&gates, i, &g)) join(&gates, &g);
    }
    for (int i = 0; i < p->kernel.n; i++)
        if (!gates.gone[i]) p->kernel.at[n++] = p->kernel.at[i];
    p->kernel.n = n;
}
