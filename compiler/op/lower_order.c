/* lower_order.c -- the order of kernels, where new values overwrite old ones: the old are read first. */
#include "lower.h"

typedef struct Order {
    Lower *l;
    Uses uses;
    Ints *after;                   /* by kernel: those that must run after it */
    int n_after;                   /* capacity of `after` in kernels */
    int *seen, *reads, stamp;      /* by kernel: marks of the search that has the stamp */
} Order;

static void add_edge(Order *o, int from, int to)
{
    if (from != to) vec_push(o->l->arena, &o->after[from], to);
}

/* Writers of one buffer keep their order; readers follow the last. */
static void add_reads_after_writes(Order *o, const Buffer *b)
{
    const Ints *w = &o->uses.writers[b->id], *r = &o->uses.readers[b->id];
    for (int i = 1; i < w->n; i++) add_edge(o, w->at[i - 1], w->at[i]);
    for (int i = 0; w->n && i < r->n; i++) add_edge(o, w->at[w->n - 1], r->at[i]);
}

/* ---- updates ---- */

/* Whether any kernel but `from` itself that reads the old value must run after `from`. */
static bool runs_before_reader(Order *o, int from, const Ints *readers)
{
    Ints stack = { 0 };
    o->stamp++;
    for (int i = 0; i < readers->n; i++)
        if (readers->at[i] != from) o->reads[readers->at[i]] = o->stamp;
    vec_push(o->l->arena, &stack, from);
    while (stack.n) {
        const Ints *after = &o->after[stack.at[--stack.n]];
        for (int i = 0; i < after->n; i++) {
            int k = after->at[i];
            if (o->seen[k] == o->stamp) continue;
            if (o->reads[k] == o->stamp) return true;
            o->seen[k] = o->stamp;
            vec_push(o->l->arena, &stack, k);
        }
    }
    return false;
}

static bool may_store_in_place(Order *o, const Update *u)
{
    const Ints *writers = &o->uses.writers[u->value->id];
    if (writers->n != 1) return false;
    const Kernel *k = o->l->program->kernel.at[writers->at[0]];
    Affine store;
    if (k->accumulate || kernel_stores(k, u->value, &store) > 1) return false;
    for (int e = 0; kernel_expr(k, e); e++)
        if (!expr_reads_at(kernel_expr(k, e), u->target, &store)) return false;
    return !runs_before_reader(o, writers->at[0], &o->uses.readers[u->target->id]);
}

/* The kernel that will overwrite the target: that of the new value, or a copy. Everyone reads the target before it. */
static void place_update(Order *o, const Update *u, Buffer **instead)
{
    int writer;
    if (may_store_in_place(o, u)) {
        writer = o->uses.writers[u->value->id].at[0];
        instead[u->value->id] = u->target;
    } else {
        const Ints *w = &o->uses.writers[u->value->id];
        writer = o->l->program->kernel.n;
        kernel_move(o->l, u->value, u->target);
        if (writer >= o->n_after) internal_error("lower", "more updates than kernels were counted");
        add_edge(o, w->at[w->n - 1], writer);
    }
    for (int i = 0; i < o->uses.readers[u->target->id].n; i++) add_edge(o, o->uses.readers[u->target->id].at[i], writer);
}

static Buffer *replaced(Buffer *b, Buffer *const *instead)
{
    return instead[b->id] ? instead[b->id] : b;
}

static void replace_buffers(Program *p, Buffer *const *instead)
{
    Exprs all = { 0 };
    int n = 0;
    for (int i = 0; i < p->kernel.n; i++) {
        Kernel *k = p->kernel.at[i];
        kernel_exprs(p->arena, k, &all);
        for (int e = 0; e < all.n; e++)
            if (all.at[e]->kind == EX_load) all.at[e]->buffer = replaced(all.at[e]->buffer, instead);
        k->out = replaced(k->out, instead);
        for (int m = 0; m < k->more.n; m++) k->more.at[m].out = replaced(k->more.at[m].out, instead);
    }
    for (int i = 0; i < p->buffer.n; i++) {
        Buffer *b = p->buffer.at[i];
        if (!b->base) continue;
        b->base = replaced(b->base, instead);
        b->kind = b->base->kind;
    }
    for (int i = 0; i < p->buffer.n; i++)
        if (!instead[i]) p->buffer.at[n++] = p->buffer.at[i];
    p->buffer.n = n;
    for (int i = 0; i < n; i++) p->buffer.at[i]->id = i;
}

/* ---- sorting ---- */

typedef struct Heap { int *at; int n; } Heap;

static void heap_push(Heap *h, int x)
{
    int i = h->n++;
    for (; i && h->at[(i - 1) / 2] > x; i = (i - 1) / 2) h->at[i] = h->at[(i - 1) / 2];
    h->at[i] = x;
}

static int heap_pop(Heap *h)
{
    int least = h->at[0], x = h->at[--h->n], i = 0;
    for (int child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->at[child + 1] < h->at[child]) child++;
        if (h->at[child] >= x) break;
        h->at[i] = h->at[child];
    }
    h->at[i] = x;
    return least;
}

/* It takes no workspace to speak of, and may be the last that reads some. */
static bool is_eager(const Kernel *k) { return k->out->kind != BUF_workspace || !k->n_axes; }

/* Of the kernels that may run an eager one, else the one that stood first. */
static void sort_kernels(Order *o)
{
    Program *p = o->l->program;
    int n = p->kernel.n, done = 0, *before = NEW_ARRAY(p->arena, int, n + 1);
    Kernel **sorted = NEW_ARRAY(p->arena, Kernel *, n + 1);
    Heap ready = { .at = NEW_ARRAY(p->arena, int, n + 1) };
    for (int i = 0; i < n; i++)
        for (int e = 0; e < o->after[i].n; e++) before[o->after[i].at[e]]++;
    for (int i = 0; i < n; i++)
        if (!before[i]) heap_push(&ready, is_eager(p->kernel.at[i]) ? i : n + i);
    while (ready.n) {
        int k = heap_pop(&ready) % n;
        sorted[done++] = p->kernel.at[k];
        for (int e = 0; e < o->after[k].n; e++) {
            int next = o->after[k].at[e];
            if (!--before[next]) heap_push(&ready, is_eager(p->kernel.at[next]) ? next : n + next);
        }
    }
    if (done != n) internal_error("lower", "kernels wait for each other");
    for (int i = 0; i < n; i++) p->kernel.at[i] = sorted[i];
}

void lower_order(Lower *l)
{
    Program *p = l->program;
    if (!l->update.n) return;
    if (!l->options->no_fuse) lower_join(l);
    Order o = { .l = l, .uses = uses_of(l->arena, p), .n_after = p->kernel.n + l->update.n };
    o.after = NEW_ARRAY(l->arena, Ints, o.n_after);
    o.seen = NEW_ARRAY(l->arena, int, o.n_after);
    o.reads = NEW_ARRAY(l->arena, int, o.n_after);
    Buffer **instead = NEW_ARRAY(l->arena, Buffer *, p->buffer.n);
    for (int i = 0; i < p->buffer.n; i++) add_reads_after_writes(&o, p->buffer.at[i]);
    for (int i = 0; i < l->update.n; i++) place_update(&o, &l->update.at[i], instead);
    replace_buffers(p, instead);
    sort_kernels(&o);
}
