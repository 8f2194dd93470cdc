/* buffer.c -- where the elements of a tensor lie, and the expressions of a kernel. */
#include "loop.h"

Affine buffer_address(const Buffer *b, const Affine *index)
{
    if (b->n_digits) internal_error("buffer_address", "%s lies in digits", b->name);
    Affine address = affine_constant(b->origin);
    for (int d = 0; d < b->shape.rank; d++) affine_add_scaled(&address, &index[d], b->stride[d]);
    return address;
}

int64_t buffer_place_next(const Buffer *b, int64_t *i)
{
    int64_t at = 0;
    for (int d = 0; b->n_digits == 0 && d < b->shape.rank; d++) at += i[d] * b->stride[d];
    for (int k = 0; k < b->n_digits; k++) at += i[b->digit[k].dim] / b->digit[k].under % b->digit[k].extent * b->digit[k].stride;
    for (int d = b->shape.rank - 1; d >= 0 && ++i[d] == b->shape.dim[d]; d--) i[d] = 0;
    return at;
}

void buffer_store_order(const Buffer *b, const double *row_major, double *stored)
{
    int64_t i[RANK_MAX] = { 0 };
    for (int64_t e = 0; e < b->elements; e++) stored[buffer_place_next(b, i)] = row_major[e];
}

void buffer_row_order(const Buffer *b, const double *stored, double *row_major)
{
    int64_t i[RANK_MAX] = { 0 };
    for (int64_t e = 0; e < b->elements; e++) row_major[e] = stored[buffer_place_next(b, i)];
}

bool kernel_is_plain(const Kernel *k) { return !k->accumulate && !k->pick && !k->more.n && !k->early.n; }

int kernel_out_axes(const Kernel *k)
{
    int n = 0;
    while (n < k->n_axes && !k->axis[n].reduce) n++;
    return n;
}

int kernel_kept(const Kernel *k)
{
    for (int i = 0; i < k->n_axes; i++)
        if (k->axis[i].kept) return i;
    return -1;
}

int64_t kernel_kept_steps(const Kernel *k)
{
    int64_t steps = 1;
    for (int i = 0; i < k->n_axes; i++)
        if (k->axis[i].kept) steps *= k->axis[i].extent;
    return steps;
}

Expr *kernel_expr(const Kernel *k, int i)
{
    const int more = k->result ? 2 : 1;
    if (i == 0) return k->value;
    if (i == 1 && k->result) return k->result;
    if (i - more == k->more.n) return k->pick;
    return i - more < k->more.n ? k->more.at[i - more].value : NULL;
}

void kernel_exprs(Arena *a, const Kernel *k, Exprs *all)
{
    all->n = 0;
    for (int e = 0; kernel_expr(k, e); e++) exprs_add(a, all, kernel_expr(k, e));
}

void kernel_store_more(Arena *a, Kernel *k, Buffer *out, Expr *value, const Affine *at)
{
    Store s = { .value = value, .out = out, .at = NEW_ARRAY(a, Affine, out->shape.rank) };
    for (int d = 0; d < out->shape.rank; d++) s.at[d] = at[d];
    vec_push(a, &k->more, s);
}

int kernel_stores(const Kernel *k, const Buffer *b, Affine *at)
{
    const Buffer *memory = buffer_memory(b);
    int n = 0;
    if (buffer_memory(k->out) == memory) *at = buffer_address(k->out, k->store), n++;
    for (int i = 0; i < k->more.n; i++)
        if (buffer_memory(k->more.at[i].out) == memory) *at = buffer_address(k->more.at[i].out, k->more.at[i].at), n++;
    return n;
}

const Buffer *buffer_memory(const Buffer *b)
{
    while (b->base) b = b->base;
    return b;
}
