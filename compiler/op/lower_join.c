/* lower_join.c -- what an update alone reads is computed in its kernel, in registers: Adam's moments and the weight gradient
   itself, the sum of a contraction. */
#include "lower.h"

typedef struct Join {
    Lower *l;
    Uses uses;                     /* as they were first */
    int *into;                     /* by kernel: the one that it joined, or itself */
    bool *wanted;                  /* by buffer: the new value of an update, which is stored even where it joins */
} Join;

static int now(const Join *j, int kernel)
{
    while (j->into[kernel] != kernel) kernel = j->into[kernel];
    return kernel;
}

/* Whether at each point of `user`, the one kernel that reads it, `maker` stores the element that is read there, where the
   user's own would lie. */
static bool goes_along(const Kernel *maker, const Kernel *user, const Expr *load)
{
    const int n = kernel_out_axes(maker);
    if (maker->accumulate || maker->pick || maker->more.n || (maker->reduce != REDUCE_none && user->reduce != REDUCE_none)) return false;
    if (n != kernel_out_axes(user)) return false;
    for (int i = 0; i < n; i++)
        if (maker->axis[i].extent != user->axis[i].extent) return false;
    Affine made = buffer_address(maker->out, maker->store), read = buffer_address(load->buffer, load->index), stored = buffer_address(user->out, user->store);
    return affine_equal(&made, &read) && affine_equal(&made, &stored);
}

/* Whether every load of the memory below e is of that element. */
static bool loads_alike(const Expr *e, const Buffer *memory, const Affine *at)
{
    if (e->kind == EX_load && buffer_memory(e->buffer) == memory) {
        Affine here = buffer_address(e->buffer, e->index);
        return affine_equal(&here, at);
    }
    for (int i = 0; i < expr_args[e->kind]; i++)
        if (!loads_alike(e->arg[i], memory, at)) return false;
    return true;
}

static void replace(Expr *e, const Buffer *memory, const Expr *by)
{
    if (e->kind == EX_load && buffer_memory(e->buffer) == memory) *e = *by;
    else
        for (int i = 0; i < expr_args[e->kind]; i++) replace(e->arg[i], memory, by);
}

/* The kernel whose value the load is, where nobody else reads it; NULL where it stays. */
static Kernel *maker_of(const Join *j, int user, const Expr *load)
{
    const Buffer *b = load->buffer;
    if (b->kind != BUF_workspace || b->base || j->uses.writers[b->id].n != 1) return NULL;
    const Ints *readers = &j->uses.readers[b->id];
    const int maker = j->uses.writers[b->id].at[0];
    if (now(j, maker) != maker || maker == user) return NULL;
    for (int i = 0; i < readers->n; i++)
        if (now(j, readers->at[i]) != user) return NULL;
    Kernel *k = j->l->program->kernel.at[maker], *into = j->l->program->kernel.at[user];
    if (!goes_along(k, into, load)) return NULL;
    Affine at = buffer_address(b, load->index);
    for (int e = 0; kernel_expr(into, e); e++)
        if (!loads_alike(kernel_expr(into, e), b, &at)) return NULL;
    return k;
}

/* A load whose maker can join the user; NULL when there is none. */
static Expr *find_load(const Join *j, int user, Expr *e)
{
    if (e->kind == EX_load) return maker_of(j, user, e) ? e : NULL;
    for (int i = 0; i < expr_args[e->kind]; i++) {
        Expr *found = find_load(j, user, e->arg[i]);
        if (found) return found;
    }
    return NULL;
}

static void take_sum(Kernel *k, const Kernel *sum)
{
    k->result = k->value;
    k->value = sum->value;
    k->reduce = sum->reduce;
    k->n_axes = sum->n_axes;
    for (int i = 0; i < sum->n_axes; i++) k->axis[i] = sum->axis[i];
}

static void join(Join *j, int user, const Expr *load)
{
    Arena *a = j->l->arena;
    Buffer *b = load->buffer;
    const int maker = j->uses.writers[b->id].at[0];
    Kernel *from = j->l->program->kernel.at[maker], *k = j->l->program->kernel.at[user];
    Expr *made = from->reduce == REDUCE_none ? from->value : from->result ? from->result : ex_reduced(a, 0);
    if (from->reduce != REDUCE_none) take_sum(k, from);
    for (int e = from->reduce != REDUCE_none ? 1 : 0; kernel_expr(k, e); e++) replace(kernel_expr(k, e), b, made);
    if (j->wanted[b->id]) kernel_store_more(a, k, b, made, from->store);
    j->into[maker] = user;
}

static void join_all(Join *j, int user)
{
    Kernel *k = j->l->program->kernel.at[user];
    if (k->accumulate || k->pick || k->more.n || k->reduce != REDUCE_none) return;
    for (int e = 0; kernel_expr(k, e);) {
        const Expr *load = e == 0 && k->reduce != REDUCE_none ? NULL : find_load(j, user, kernel_expr(k, e));
        if (load) join(j, user, load);
        e = load ? 0 : e + 1;
    }
}

static void drop_joined(const Join *j)
{
    Program *p = j->l->program;
    int n = 0;
    for (int i = 0; i < p->kernel.n; i++)
        if (j->into[i] == i) p->kernel.at[n++] = p->kernel.at[i];
    p->kernel.n = n;
}

void lower_join(Lower *l)
{
    const Program *p = l->program;
    Join j = { .l = l, .uses = uses_of(l->arena, p), .into = NEW_ARRAY(l->arena, int, p->kernel.n + 1),
               .wanted = NEW_ARRAY(l->arena, bool, p->buffer.n + 1) };
    for (int i = 0; i < p->kernel.n; i++) j.into[i] = i;
    for (int i = 0; i < l->update.n; i++) j.wanted[l->update.at[i].value->id] = true;
    for (int i = p->kernel.n - 1; i >= 0; i--)
        if (j.into[i] == i && j.wanted[buffer_memory(p->kernel.at[i]->out)->id]) join_all(&j, i);
    drop_joined(&j);
}
