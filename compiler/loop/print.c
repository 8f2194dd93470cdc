/* print.c -- a program as text: `netc dump --after=lower`. */
#include "loop.h"

typedef struct Printer {
    Text *out;
    const char *axis[AXES_MAX];
    bool kept;                     /* the kernel has a kept axis */
} Printer;

static void print_index(Printer *p, const Buffer *b, const Affine *index)
{
    text_puts(p->out, b->name);
    if (!b->shape.rank) return;
    for (int d = 0; d < b->shape.rank; d++) {
        text_puts(p->out, d ? ", " : "[");
        affine_print(p->out, &index[d], p->axis);
    }
    text_putc(p->out, ']');
}

/* How an operator is written between its operands, and how tightly it binds. */
static const struct { const char *sign; int binds; } infix[EX_COUNT] = {
    [EX_add] = { " + ", 2 }, [EX_sub] = { " - ", 2 }, [EX_mul] = { " * ", 3 }, [EX_div] = { " / ", 3 },
    [EX_eq] = { " == ", 1 }, [EX_ne] = { " != ", 1 }, [EX_lt] = { " < ", 1 }, [EX_le] = { " <= ", 1 },
    [EX_gt] = { " > ", 1 }, [EX_ge] = { " >= ", 1 },
};

static void print_expr(Printer *p, const Expr *e, int around);

static void print_infix(Printer *p, const Expr *e, int around)
{
    int binds = infix[e->kind].binds;
    if (binds < around) text_putc(p->out, '(');
    print_expr(p, e->arg[0], binds);
    text_puts(p->out, infix[e->kind].sign);
    print_expr(p, e->arg[1], binds + 1);
    if (binds < around) text_putc(p->out, ')');
}

static void print_call(Printer *p, const Expr *e)
{
    text_puts(p->out, expr_names[e->kind]);
    for (int i = 0; i < expr_args[e->kind]; i++) {
        text_puts(p->out, i ? ", " : "(");
        print_expr(p, e->arg[i], 0);
    }
    if (expr_args[e->kind]) text_putc(p->out, ')');
}

static void print_expr(Printer *p, const Expr *e, int around)
{
    if (infix[e->kind].sign) print_infix(p, e, around);
    else if (e->kind == EX_constant) text_double(p->out, e->value);
    else if (e->kind == EX_load) print_index(p, e->buffer, e->index);
    else if (e->kind == EX_index) {
        text_puts(p->out, "index(");
        affine_print(p->out, e->index, p->axis);
        text_putc(p->out, ')');
    } else if (e->kind == EX_random) {
        text_printf(p->out, "random(key %u, ", (unsigned)e->key);
        affine_print(p->out, e->index, p->axis);
        text_putc(p->out, ')');
    } else if (e->kind == EX_reduced && p->kept) text_printf(p->out, "reduced[%d]", (int)e->value);
    else print_call(p, e);
}

static void print_axes(Printer *p, const Kernel *k)
{
    bool reduce = false;
    text_putc(p->out, '(');
    for (int i = 0; i < k->n_axes; i++) {
        if (k->axis[i].reduce != reduce) text_puts(p->out, i ? " | " : "| ");
        else if (i) text_puts(p->out, ", ");
        reduce = k->axis[i].reduce;
        text_printf(p->out, "%s:%lld", k->axis[i].name, (long long)k->axis[i].extent);
    }
    text_putc(p->out, ')');
}

static void print_kernel(Text *out, const Kernel *k)
{
    static const char *const reduce[] = { "", " sum", " max", " min" };
    Printer p = { .out = out };
    for (int i = 0; i < k->n_axes; i++) p.axis[i] = k->axis[i].name;
    p.kept = kernel_kept(k) >= 0;
    text_printf(out, "kernel %s ", k->name);
    print_axes(&p, k);
    text_puts(out, reduce[k->reduce]);
    if (k->pick) {
        p.axis[PICKED] = "row";
        text_puts(out, "\n  row    ");
        print_expr(&p, k->pick->arg[0], 0);
        text_printf(out, " of %lld", (long long)k->pick->value);
    }
    text_puts(out, "\n  value  ");
    print_expr(&p, k->value, 0);
    if (k->result) {
        text_puts(out, "\n  result ");
        print_expr(&p, k->result, 0);
    }
    text_puts(out, k->accumulate ? " +-> " : " -> ");
    print_index(&p, k->out, k->store);
    for (int i = 0; i < k->more.n; i++) {
        text_puts(out, k->reduce ? "\n  result " : "\n  value  ");
        print_expr(&p, k->more.at[i].value, 0);
        text_puts(out, " -> ");
        print_index(&p, k->more.at[i].out, k->more.at[i].at);
    }
    text_puts(out, "\n");
}

void digits_print(Text *out, const Buffer *b)
{
    Shape stored = { .rank = b->n_digits };
    for (int k = 0; k < b->n_digits; k++) stored.dim[k] = b->digit[k].extent;
    text_printf(out, " as %s by dimensions", shape_text(out->arena, stored));
    for (int k = 0; k < b->n_digits; k++) {
        const Digit *d = &b->digit[k];
        text_printf(out, " %d", d->dim);
        if (d->under > 1) text_printf(out, "/%lld", (long long)d->under);
        if (d->under * d->extent < b->shape.dim[d->dim]) text_printf(out, "%%%lld", (long long)d->extent);
    }
}

static void print_buffer(Text *out, const Buffer *b)
{
    static const char *const kinds[] = { "input", "output", "param", "state", "memory", "gradient", "constant", "scalar", "workspace" };
    text_printf(out, "buffer %s : %s%s %s", b->name, dtype_name(b->dtype), shape_text(out->arena, b->shape), kinds[b->kind]);
    if (b->shape.rank) {
        text_puts(out, " strides [");
        for (int d = 0; d < b->shape.rank; d++) text_printf(out, "%s%lld", d ? ", " : "", (long long)b->stride[d]);
        text_puts(out, "]");
    }
    if (b->n_digits) digits_print(out, b);
    if (b->base) text_printf(out, " of %s", b->base->name);
    if (b->origin) text_printf(out, " from %lld", (long long)b->origin);
    if (!b->base && b->kind == BUF_workspace) text_printf(out, " at %lld", (long long)b->offset);
    text_puts(out, "\n");
}

void program_print(Text *out, const Program *p)
{
    text_printf(out, "program %s\n", p->name);
    text_printf(out, "workspace %lld bytes, at least %lld\n", (long long)p->workspace_bytes, (long long)p->lower_bound);
    text_printf(out, "multiply-adds %lld\n\n", (long long)p->multiply_adds);
    for (int i = 0; i < p->buffer.n; i++) print_buffer(out, p->buffer.at[i]);
    for (int i = 0; i < p->kernel.n; i++) {
        text_putc(out, '\n');
        print_kernel(out, p->kernel.at[i]);
    }
}
