/* uses.c -- which kernels write and read each buffer's memory. */
#include "lower.h"

static void insert(Arena *a, Ints *list, int kernel)
{
    int i = list->n;
    while (i && list->at[i - 1] > kernel) i--;
    if (i && list->at[i - 1] == kernel) return;
    vec_push(a, list, kernel);
    for (int k = list->n - 1; k > i; k--) list->at[k] = list->at[k - 1];
    list->at[i] = kernel;
}

void uses_add(Uses *u, const Kernel *k, int kernel)
{
    insert(u->arena, &u->writers[buffer_memory(k->out)->id], kernel);
    for (int m = 0; m < k->more.n; m++) insert(u->arena, &u->writers[buffer_memory(k->more.at[m].out)->id], kernel);
    kernel_exprs(u->arena, k, &u->exprs);
    for (int i = 0; i < u->exprs.n; i++) {
        const Expr *e = u->exprs.at[i];
        if (e->kind == EX_load) insert(u->arena, &u->readers[buffer_memory(e->buffer)->id], kernel);
    }
}

Uses uses_of(Arena *a, const Program *p)
{
    Uses u = { .arena = a, .writers = NEW_ARRAY(a, Ints, p->buffer.n + 1), .readers = NEW_ARRAY(a, Ints, p->buffer.n + 1) };
    for (int i = 0; i < p->kernel.n; i++) uses_add(&u, p->kernel.at[i], i);
    return u;
}
