/* winograd.c -- 3x3 convolutions of stride 1 by Winograd's minimal filtering: forward, gradients for data, which are
   convolutions too, and for weights. Weights are transformed by two contractions, which `freeze` computes where they are
   known and `lower_sides` in one kernel where they are not. */
#include "winograd.h"

enum {
    CHANNELS_MIN = 4,              /* fewer cannot pay for the transforms */
    GROUP_MIN = 32, GROUP_MAX = 64, GROUP_STEP = 16
};

static int plain_axis(const IndexMap *m, int d)
{
    const Affine *x = &m->dim[d];
    return x->n == 1 && x->coef[0] == 1 && x->offset == 0 ? x->axis[0] : -1;
}

static bool uses(const IndexMap *m, int axis)
{
    for (int d = 0; d < m->rank; d++)
        if (affine_coef(&m->dim[d], axis)) return true;
    return false;
}

/* Dimension 2 + i of a: y + ky + from. */
static bool find_window(const Contract *c, int i, Conv *v)
{
    const Affine *x = &c->a.dim[2 + i];
    if (x->n != 2 || affine_coef(x, v->at[i]) != 1) return false;
    const int t = x->axis[0] == v->at[i];
    v->k[i] = x->axis[t];
    v->flipped[i] = x->coef[t] == -1;
    v->from[i] = x->offset - (v->flipped[i] ? WINOGRAD_KERNEL - 1 : 0);
    return x->coef[t] * x->coef[t] == 1 && c->extent[v->k[i]] == WINOGRAD_KERNEL;
}

static bool find_conv(const Node *n, const Contract *c, Conv *v)
{
    if (c->n_axes != 7 || c->a.rank != 4 || c->out.rank != 4 || n->in[1]->batched) return false;
    v->n = plain_axis(&c->out, 0);
    v->o = plain_axis(&c->out, 1);
    v->r = plain_axis(&c->a, 1);
    for (int i = 0; i < 2; i++) {
        v->at[i] = plain_axis(&c->out, 2 + i);
        if (v->at[i] < 0 || !find_window(c, i, v) || uses(&c->out, v->k[i])) return false;
    }
    if (v->n < 0 || v->o < 0 || v->r < 0 || plain_axis(&c->a, 0) != v->n || uses(&c->out, v->r) || uses(&c->a, v->o)) return false;
    if (uses(&c->b, v->n) || uses(&c->b, v->at[0]) || uses(&c->b, v->at[1]) || !uses(&c->b, v->o)) return false;
    if (v->k[0] == v->k[1] || v->k[0] == v->r || v->k[1] == v->r) return false;
    const int64_t *size = n->in[0]->shape.dim;
    return c->extent[v->n] == size[0] && c->extent[v->r] == size[1];
}

static Node *matrix(Graph *g, const Winograd *form)
{
    return node_data(g, (Shape){ 2, { form->size, WINOGRAD_KERNEL } }, form->g);
}

/* Result channels that lie side by side: all of a few, else groups, so that what a register tile reads is one stream. */
static int64_t group_of(int64_t channels)
{
    for (int64_t group = GROUP_MIN; channels > GROUP_MAX && group <= GROUP_MAX; group += GROUP_STEP)
        if (channels % group == 0) return group;
    return channels;
}

/* transformed[i, j, o / group, o % group, r] = sum over ky, kx of g[i, ky] g[j, kx] w[...]; first the sum over ky, as
   half[i, kx, o, r]. */
static Node *transformed_weights(Graph *g, Node *w, const Contract *c, const Conv *v, const Winograd *form)
{
    enum { I, O, R, KX, KY, AXES };
    const int64_t size = form->size, o = c->extent[v->o], r = c->extent[v->r];
    Affine of[AXES_MAX] = { 0 };
    of[v->o] = affine_axis(O);
    of[v->r] = affine_axis(R);
    for (int i = 0; i < 2; i++) {
        Affine k = affine_axis(i ? KX : KY);
        of[v->k[i]] = v->flipped[i] ? affine_add(affine_scale(k, -1), affine_constant(WINOGRAD_KERNEL - 1)) : k;
    }
    Contract half = { .n_axes = AXES, .extent = { size, o, r, WINOGRAD_KERNEL, WINOGRAD_KERNEL } };
    half.shape = (Shape){ 4, { size, WINOGRAD_KERNEL, o, r } };
    half.out = (IndexMap){ 4, { affine_axis(I), affine_axis(KX), affine_axis(O), affine_axis(R) } };
    half.a = (IndexMap){ 2, { affine_axis(I), affine_axis(KY) } };
    half.b.rank = c->b.rank;
    for (int d = 0; d < c->b.rank; d++) {
        half.b.dim[d] = affine_constant(c->b.dim[d].offset);
        for (int t = 0; t < c->b.dim[d].n; t++)
            half.b.dim[d] = affine_add(half.b.dim[d], affine_scale(of[c->b.dim[d].axis[t]], c->b.dim[d].coef[t]));
    }
    enum { J = KY, IN_GROUP = AXES };
    const int64_t group = group_of(o);
    Contract whole = { .n_axes = AXES + 1, .extent = { size, o / group, r, WINOGRAD_KERNEL, size, group } };
    whole.shape = (Shape){ 5, { size, size, o / group, group, r } };
    whole.out = (IndexMap){ 5, { affine_axis(I), affine_axis(J), affine_axis(O), affine_axis(IN_GROUP), affine_axis(R) } };
    whole.a = half.out;
    whole.a.dim[2] = affine_add(affine_scale(affine_axis(O), group), affine_axis(IN_GROUP));
    whole.b = (IndexMap){ 2, { affine_axis(J), affine_axis(KX) } };
    Node *m = matrix(g, form);
    const char *label = g->label;
    g->label = arena_printf(g->arena, "%s_weights", label ? label : "winograd");
    Node *y = node_contract(g, node_contract(g, m, w, &half), m, &whole);
    g->label = label;
    return y;
}

/* What the tiles read of x, from `from` on: a box of x, with zeros behind it where they reach out. */
static Node *read_by_tiles(Graph *g, Node *x, const Conv *v, const int64_t *tiled)
{
    int64_t start[RANK_MAX] = { 0 }, low[RANK_MAX] = { 0 }, high[RANK_MAX] = { 0 };
    Shape box = x->shape;
    for (int i = 0; i < 2; i++) {
        int64_t end = v->from[i] + tiled[i] + WINOGRAD_KERNEL - 1, have = box.dim[2 + i];
        start[2 + i] = v->from[i];
        if (end > have) high[2 + i] = end - have;
        box.dim[2 + i] = (end < have ? end : have) - v->from[i];
    }
    if (!shape_equal(box, x->shape)) x = node_slice(g, x, start, box);
    if (x->op == OP_pad && node_real(x, ATTR_value) == 0) {   /* one border, not one around the other */
        for (int d = 0; d < 4; d++) {
            low[d] = node_ints(x, ATTR_low)[d];
            high[d] += node_ints(x, ATTR_high)[d];
        }
        x = x->in[0];
    }
    return node_pad(g, x, low, high, 0);
}

static Node *by_tiles(Graph *g, Node *n, const Contract *c, const Conv *v, const Winograd *form)
{
    const int64_t tiled[] = { winograd_tiles(form, n->shape.dim[2]) * form->tile, winograd_tiles(form, n->shape.dim[3]) * form->tile };
    Node *in[] = { read_by_tiles(g, n->in[0], v, tiled), transformed_weights(g, n->in[1], c, v, form) };
    const Attr attr[] = { { .name = ATTR_tile, .n = 1, .ints = &(int64_t){ form->tile } },
                          { .name = ATTR_shape, .n = 4, .ints = n->shape.dim } };
    return node_new(g, OP_winograd, 2, in, LENGTH(attr), attr);
}

/* ---- gradients for weights ---- */

/* w[o, r, ky, kx] += a[n, r, y + ky + from, x + kx + from'] b[n, o, y, x], with all of b. */
static bool find_gradient(const Node *n, const Contract *c, Conv *v)
{
    if (c->a.rank != 4 || c->b.rank != 4 || c->out.rank != 4 || n->batched || !n->in[1]->batched) return false;
    v->o = plain_axis(&c->out, 0);
    v->r = plain_axis(&c->out, 1);
    v->n = plain_axis(&c->a, 0);
    const Shape b = n->in[1]->shape;
    if (v->o < 0 || v->r < 0 || plain_axis(&c->a, 1) != v->r || plain_axis(&c->b, 0) != v->n || plain_axis(&c->b, 1) != v->o) return false;
    for (int i = 0; i < 2; i++) {
        v->at[i] = plain_axis(&c->b, 2 + i);
        if (v->at[i] < 0 || c->extent[v->at[i]] != b.dim[2 + i] || !find_window(c, i, v) || v->flipped[i] || plain_axis(&c->out, 2 + i) != v->k[i]) return false;
    }
    const int64_t samples = v->n < 0 ? 1 : c->extent[v->n];
    return c->n_axes == 6 + (v->n >= 0) && samples == b.dim[0] && samples == n->in[0]->shape.dim[0] && c->extent[v->o] == b.dim[1] &&
           c->extent[v->r] == n->in[0]->shape.dim[1];
}

/* w[o, r, ky, kx] = sum over i, j of g[i, ky] g[j, kx] v[i, j, o, r]; first over i. */
static Node *weights_of(Graph *g, Node *v, const Winograd *form)
{
    enum { O, R, KY, J, I, HALF, KX = I };
    const int64_t *size = v->shape.dim;
    Node *m = matrix(g, form);
    Contract half = { .n_axes = HALF, .extent = { size[2], size[3], WINOGRAD_KERNEL, size[1], size[0] } };
    half.shape = (Shape){ 4, { WINOGRAD_KERNEL, size[1], size[2], size[3] } };
    half.out = (IndexMap){ 4, { affine_axis(KY), affine_axis(J), affine_axis(O), affine_axis(R) } };
    half.a = (IndexMap){ 2, { affine_axis(I), affine_axis(KY) } };
    half.b = (IndexMap){ 4, { affine_axis(I), affine_axis(J), affine_axis(O), affine_axis(R) } };
    Contract whole = { .n_axes = HALF, .extent = { size[2], size[3], WINOGRAD_KERNEL, size[1], WINOGRAD_KERNEL } };
    whole.shape = (Shape){ 4, { size[2], size[3], WINOGRAD_KERNEL, WINOGRAD_KERNEL } };
    whole.out = (IndexMap){ 4, { affine_axis(O), affine_axis(R), affine_axis(KY), affine_axis(KX) } };
    whole.a = half.out;
    whole.b = (IndexMap){ 2, { affine_axis(J), affine_axis(KX) } };
    return node_contract(g, node_contract(g, m, v, &half), m, &whole);
}

static Node *gradient_by_tiles(Graph *g, Node *n, const Conv *v, const Winograd *form)
{
    const int64_t *image = n->in[1]->shape.dim;
    const int64_t tiled[] = { winograd_tiles(form, image[2]) * form->tile, winograd_tiles(form, image[3]) * form->tile };
    Node *in[] = { read_by_tiles(g, n->in[0], v, tiled), n->in[1] };
    const Attr attr[] = { { .name = ATTR_tile, .n = 1, .ints = &(int64_t){ form->tile } } };
    return weights_of(g, node_new(g, OP_winograd_weights, 2, in, LENGTH(attr), attr), form);
}

/* ---- gradients of pooling ---- */

/* Whether tiles alone read n, which is the unpooled tensor or what pads that, and may take windows instead. */
static bool only_tiles_read(const Graph *g, const Node *n, const Node *unpool)
{
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].node == n) return false;
    for (int i = n->id + 1; i < g->node.n; i++) {
        const Node *user = g->node.at[i];
        for (int k = 0; k < user->n_in; k++)
            if (user->in[k] == n && !winograd_unpools(user, unpool) && (user->op != OP_pad || !only_tiles_read(g, user, unpool))) return false;
    }
    return true;
}

/* pad(unpool(dy, places)) as a box of unpool(pad(dy), pad(places)), whose elements tiles take as they read: the unpooled tensor is nowhere. */
static void pad_windows(Graph *g, Node *n)
{
    Node *x = n->in[0], *in[2];
    const int64_t *low = node_ints(n, ATTR_low), *high = node_ints(n, ATTR_high), *size = node_ints(x, ATTR_window);
    int64_t before[RANK_MAX], behind[RANK_MAX], start[RANK_MAX];
    Attr attr[] = { { .name = ATTR_shape, .n = 4 }, *node_attr(x, ATTR_window), *node_attr(x, ATTR_stride), *node_attr(x, ATTR_dilation) };
    Shape whole = x->shape;
    for (int d = 0; d < 4; d++) {
        before[d] = (low[d] + size[d] - 1) / size[d];
        behind[d] = (high[d] + size[d] - 1) / size[d];
        start[d] = before[d] * size[d] - low[d];
        whole.dim[d] += (before[d] + behind[d]) * size[d];
    }
    for (int i = 0; i < 2; i++) in[i] = node_pad(g, x->in[i], before, behind, 0);
    attr[0].ints = whole.dim;
    Node *y = node_new(g, OP_window_unpool, 2, in, LENGTH(attr), attr);
    graph_replace(g, n, node_slice(g, y, start, n->shape));
}

static void unpool_in_tiles(Graph *g)
{
    for (int i = 0; i < g->node.n; i++) {
        Node *n = g->node.at[i], *x = n->op == OP_pad ? n->in[0] : NULL;
        if (!x || x->op != OP_window_unpool || !only_tiles_read(g, x, x)) continue;
        g->span = n->span;
        g->label = n->name;
        pad_windows(g, n);
    }
}

/* What tiles may make. */
static void collect(Graph *g, Convs *all)
{
    graph_mark_weights(g);
    for (int i = 0; i < g->node.n; i++) {
        Node *n = g->node.at[i];
        const Contract *c = n->op == OP_contract ? node_attr(n, ATTR_contract)->contract : NULL;
        Conv v = { .node = n, .contract = c };
        v.gradient = c && find_gradient(n, c, &v);
        if (!c || (!v.gradient && !find_conv(n, c, &v)) || v.from[0] < 0 || v.from[1] < 0) continue;
        if (c->extent[v.o] < CHANNELS_MIN || c->extent[v.r] < CHANNELS_MIN) continue;
        v.known = !v.gradient && n->in[1]->mark != WEIGHTS_none;
        vec_push(g->arena, all, v);
    }
}

/* needs: contractions that gather; leaves: those that are 3x3 convolutions by tiles, as the context says. */
void pass_winograd(Graph *g, const PassContext *context)
{
    Convs all = { 0 };
    if (context->winograd == WINOGRAD_off) return;
    collect(g, &all);
    winograd_choose(g, context, &all);
    for (int i = 0; i < all.n; i++) {
        const Conv *v = &all.at[i];
        const Winograd *form = winograd_form(v->tile);
        if (!form) continue;
        g->span = v->node->span;
        g->label = v->node->name;
        graph_replace(g, v->node, v->gradient ? gradient_by_tiles(g, v->node, v, form) : by_tiles(g, v->node, v->contract, v, form));
    }
    graph_sort(g);
    unpool_in_tiles(g);
    g->span = (Span){ 0 };
    g->label = NULL;
    graph_sort(g);
}
