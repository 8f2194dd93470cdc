/* key.c -- kernels whose functions have the same text are told by a key, so that the text is written once. */
#include "code.h"

static void put(Text *t, const void *bytes, size_t n) { text_add(t, bytes, n); }
static void put_int(Text *t, int64_t x) { put(t, &x, sizeof x); }

static void put_affine(Text *t, const Affine *x)
{
    put_int(t, x->offset);
    put_int(t, x->n);
    for (int i = 0; i < x->n; i++) {
        put_int(t, x->axis[i]);
        put_int(t, x->coef[i]);
    }
}

static int pointer_number(const Body *b, const Buffer *buffer)
{
    int i = 0;
    while (i < b->pointer.n && b->pointer.at[i].buffer != buffer) i++;
    return i;
}

static int key_number(const Body *b, uint32_t key)
{
    int i = 0;
    while (i < b->key.n && b->key.at[i] != key) i++;
    return i;
}

static void put_value(Text *t, const Body *b, const Value *v)
{
    put_int(t, v->kind);
    put(t, &v->number, sizeof v->number);
    if (v->kind == EX_load) put_int(t, pointer_number(b, v->buffer));
    if (v->kind == EX_random) put_int(t, key_number(b, v->key));
    put_affine(t, &v->at);
    put(t, v->arg, sizeof v->arg);
    put_int(t, v->axes);
    put_int(t, v->uses);
    put_int(t, v->in_body + 2 * v->in_result);
}

static void put_axis(Text *t, const Axis *x)
{
    put_int(t, x->extent);
    put_int(t, x->reduce + 2 * x->outer + 4 * x->kept);
    text_puts(t, x->name);
    text_putc(t, ' ');
}

static void put_pointers(Text *t, const Body *b)
{
    put_int(t, b->pointer.n);
    for (int i = 0; i < b->pointer.n; i++) {
        const Pointer *p = &b->pointer.at[i];
        put_int(t, p->buffer->dtype * 2 + p->written);
        text_puts(t, p->name);
        text_putc(t, ' ');
    }
}

Text body_key(const Body *b)
{
    const Nest *n = b->nest;
    Text t = {.arena = b->arena};
    put_pointers(&t, b);
    for (int i = 0; i < n->n_axes; i++) put_axis(&t, &n->axis[i]);
    put_int(&t, n->n_out);
    for (int i = 0; i < n->value.n; i++) put_value(&t, b, &n->value.at[i]);
    for (int i = 0; i < n->early.n; i++) put_int(&t, n->early.at[i]);
    for (int i = 0; i < n->more.n; i++) {
        put_int(&t, n->more.at[i].value);
        put_affine(&t, &n->more.at[i].at);
    }
    const int root[] = {n->n_axes, n->value.n, n->early.n, n->more.n, n->body, n->result, n->pick, pointer_number(b, n->out),
                        (int)n->kernel->reduce, n->kernel->accumulate};
    put(&t, root, sizeof root);
    put_affine(&t, &n->store);
    return t;
}
