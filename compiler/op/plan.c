/* plan.c -- where workspace buffers lie: buffers that are never alive together share memory. No plan needs less than the
   largest sum of what is alive at once; most plans here need no more. */
#include "lower.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 4 * LINE, SEARCH_STEPS = 50000000 };

/* One or more buffers in the same place: an elementwise kernel may store over what it read. */
typedef struct Slot {
    int64_t bytes, offset, best;   /* best: the offset in the best plan so far */
    int first, last;               /* kernels */
    int order;                     /* tells equal ones apart */
    int into;                      /* the slot that this one joined, or itself */
} Slot;

static int64_t round_up(int64_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static bool in_workspace(const Buffer *b) { return b->kind == BUF_workspace && !b->base; }

static int64_t buffer_bytes(const Buffer *b, const LowerOptions *options)
{
    int64_t element = b->dtype == DTYPE_f32 && options->f64 ? 8 : dtype_bytes(b->dtype);
    return round_up(b->elements * element);
}

/* ---- lifetimes ---- */

static void find_lifetimes(Program *p)
{
    const Uses uses = uses_of(p->arena, p);
    for (int i = 0; i < p->buffer.n; i++) {
        Buffer *b = p->buffer.at[i];
        const int id = buffer_memory(b)->id;
        const Ints *list[] = { &uses.writers[id], &uses.readers[id] };
        b->first = b->last = -1;
        for (size_t k = 0; k < LENGTH(list); k++) {
            if (!list[k]->n) continue;
            const int first = list[k]->at[0], last = list[k]->at[list[k]->n - 1];
            if (b->first < 0 || first < b->first) b->first = first;
            if (last > b->last) b->last = last;
        }
    }
}

/* ---- storing over an operand ---- */

static int slot_of(Slot *slot, int i)
{
    while (slot[i].into != i) i = slot[i].into = slot[slot[i].into].into;
    return i;
}

/* The operand that dies in kernel i, of the same size, whose place the result may take. */
static const Buffer *find_operand(const Expr *e, const Kernel *k, int i, const Affine *store)
{
    if (e->kind == EX_load) {
        const Buffer *m = buffer_memory(e->buffer);
        bool fits = in_workspace(m) && m->last == i && m->first < i && m->elements == k->out->elements && m->dtype == k->out->dtype;
        if (fits && expr_reads_at(k->value, m, store)) return m;
    }
    for (int a = 0; a < expr_args[e->kind]; a++) {
        const Buffer *found = find_operand(e->arg[a], k, i, store);
        if (found) return found;
    }
    return NULL;
}

static int64_t kernel_points(const Kernel *k)
{
    int64_t points = 1;
    for (int a = 0; a < k->n_axes; a++) points *= k->axis[a].extent;
    return points;
}

static void join_in_place(const Program *p, Slot *slot)
{
    for (int i = 0; i < p->kernel.n; i++) {
        const Kernel *k = p->kernel.at[i];
        if (k->reduce || k->accumulate || k->more.n || !in_workspace(k->out) || k->out->first != i) continue;
        if (kernel_points(k) != k->out->elements) continue;  /* a part: others of the whole are still to come */
        Affine store = buffer_address(k->out, k->store);
        const Buffer *x = find_operand(k->value, k, i, &store);
        if (!x) continue;
        Slot *from = &slot[slot_of(slot, x->id)], *to = &slot[k->out->id];
        to->into = (int)(from - slot);
        from->last = to->last;
    }
}

/* ---- offsets ---- */

static int larger_first(const void *a, const void *b)
{
    const Slot *x = *(Slot *const *)a, *y = *(Slot *const *)b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return x->order - y->order;
}

/* By bytes times how long they are taken. */
static int costliest_first(const void *a, const void *b)
{
    const Slot *x = *(Slot *const *)a, *y = *(Slot *const *)b;
    const double cost_x = (double)x->bytes * (x->last - x->first + 1), cost_y = (double)y->bytes * (y->last - y->first + 1);
    return cost_x != cost_y ? (cost_y > cost_x ? 1 : -1) : larger_first(a, b);
}

/* The smallest gap that holds the slot between those alive at the same time, which are sorted by offset. */
static int64_t best_gap(Slot *const *placed, int n, const Slot *s)
{
    int64_t end = 0, best = -1, best_size = INT64_MAX;
    for (int i = 0; i < n; i++) {
        const Slot *x = placed[i];
        if (x->last < s->first || x->first > s->last) continue;
        int64_t gap = x->offset - end;
        if (gap >= s->bytes && gap < best_size) best = end, best_size = gap;
        if (x->offset + x->bytes > end) end = x->offset + x->bytes;
    }
    return best < 0 ? end : best;
}

static void insert_by_offset(Slot **placed, int n, Slot *s)
{
    int at = n;
    for (; at && placed[at - 1]->offset > s->offset; at--) placed[at] = placed[at - 1];
    placed[at] = s;
}

/* Places the slots in this order, each in its best gap; gives the end of the last, or of the first that lies behind `most`. */
static int64_t place_slots(Slot **slot, int n, Slot **placed, int64_t most)
{
    int64_t total = 0;
    for (int i = 0; i < n && total <= most; i++) {
        slot[i]->offset = best_gap(placed, i, slot[i]);
        insert_by_offset(placed, i, slot[i]);
        int64_t end = slot[i]->offset + slot[i]->bytes;
        if (end > total) total = end;
    }
    return total;
}

static int64_t place_apart(Slot **slot, int n)
{
    int64_t total = 0;
    for (int i = 0; i < n; i++) {
        slot[i]->offset = total;
        total += slot[i]->bytes;
    }
    return total;
}

static void move(Slot **slot, int from, int to)
{
    Slot *s = slot[from];
    for (; from > to; from--) slot[from] = slot[from - 1];
    for (; from < to; from++) slot[from] = slot[from + 1];
    slot[to] = s;
}

/* The same numbers on every run. */
static int draw(uint32_t *random, int n)
{
    *random = *random * 1664525u + 1013904223u;
    return (int)((*random >> 8) % (uint32_t)n);
}

/* Another order: a slot, most often one that came to lie behind the bound, has an earlier choice. */
static void change_order(Slot **slot, int n, int64_t bound, uint32_t *random)
{
    int i = draw(random, n);
    if (draw(random, 2))
        for (int k = 0; k < n && slot[i]->best + slot[i]->bytes <= bound; k++) i = (i + 1) % n;
    move(slot, i, draw(random, 2) ? draw(random, n) : 0);
}

/* Largest or costliest first is best as a rule; while that needs more than the bound, orders near the best one are tried. */
static int64_t search_places(Arena *a, Slot **slot, int n, int64_t bound)
{
    Slot **placed = NEW_ARRAY(a, Slot *, n + 1), **order = NEW_ARRAY(a, Slot *, n + 1);
    int64_t least = INT64_MAX, tries = SEARCH_STEPS / ((int64_t)n * n + 1) + 1;
    uint32_t random = 1;
    memcpy(order, slot, (size_t)n * sizeof *slot);
    for (int t = 0; t < tries && least > bound; t++) {
        if (t < 2) qsort(slot, (size_t)n, sizeof *slot, t ? costliest_first : larger_first);
        else change_order(slot, n, bound, &random);
        int64_t total = place_slots(slot, n, placed, least);
        if (total > least) {
            memcpy(slot, order, (size_t)n * sizeof *slot);
            continue;
        }
        least = total;
        memcpy(order, slot, (size_t)n * sizeof *slot);
        for (int i = 0; i < n; i++) slot[i]->best = slot[i]->offset;
    }
    for (int i = 0; i < n; i++) slot[i]->offset = slot[i]->best;
    return least;
}

static int64_t largest_sum(Arena *a, Slot *const *slot, int n, int kernels)
{
    int64_t *change = NEW_ARRAY(a, int64_t, kernels + 2), now = 0, most = 0;
    for (int i = 0; i < n; i++) {
        change[slot[i]->first] += slot[i]->bytes;
        change[slot[i]->last + 1] -= slot[i]->bytes;
    }
    for (int i = 0; i < kernels; i++) {
        now += change[i];
        if (now > most) most = now;
    }
    return most;
}

void program_plan(Program *p, const LowerOptions *options)
{
    Slot *slot = NEW_ARRAY(p->arena, Slot, p->buffer.n + 1), **used = NEW_ARRAY(p->arena, Slot *, p->buffer.n + 1);
    int n = 0;
    find_lifetimes(p);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        slot[i] = (Slot){ .bytes = buffer_bytes(b, options), .first = b->first, .last = b->last, .order = i, .into = i };
    }
    if (!options->no_reuse) join_in_place(p, slot);
    for (int i = 0; i < p->buffer.n; i++)
        if (in_workspace(p->buffer.at[i]) && slot[i].first >= 0 && slot[i].into == i) used[n++] = &slot[i];
    p->lower_bound = largest_sum(p->arena, used, n, p->kernel.n);
    p->workspace_bytes = options->no_reuse ? place_apart(used, n) : search_places(p->arena, used, n, p->lower_bound);
    for (int i = 0; i < p->buffer.n; i++)
        if (in_workspace(p->buffer.at[i])) p->buffer.at[i]->offset = slot[slot_of(slot, i)].offset;
}
