/* recompute.c -- what gradients read of the forward pass is computed again where they need it, in place of being kept.

   The nodes up to the loss are cut into segments, where least crosses the cuts. What crosses a cut is kept. The rest of a
   segment is cloned, from what is kept, in front of the first node behind the loss that reads it. The last segment is kept:
   its gradients come first. (Chen, Xu, Zhang, Guestrin: Training Deep Nets with Sublinear Memory Cost, 2016) */
#include "pass.h"

typedef struct Recompute {
    Graph *graph;
    int loss;                      /* id of the last node of the forward pass */
    int *last_read;                /* by node: the last reader up to the loss */
    bool *read_late;               /* by node: read behind the loss */
    int *segment;                  /* by node up to the loss */
    bool *kept;
    int64_t *kept_bytes;           /* by node: of what is read late, from the first node to this one */
    int64_t *crossing;             /* by node: bytes that cross a cut behind it */
} Recompute;

static bool is_free(const Node *n)
{
    double number;
    return op_info[n->op].flags & OF_LEAF || node_is_number(n, &number);
}

static bool is_view(const Node *n) { return op_info[n->op].flags & OF_MOVE; }

static int64_t bytes_of(const Node *n)
{
    return is_free(n) || is_view(n) ? 0 : shape_elements(n->shape) * dtype_bytes(n->dtype);
}

static int find_loss(const Graph *g)
{
    for (int i = 0; i < g->root.n; i++)
        if (g->root.at[i].kind == ROOT_loss) return g->root.at[i].node->id;
    return -1;
}

/* A view's readers read what it is of. */
static void note_reads(Recompute *r)
{
    const Graph *g = r->graph;
    for (int i = g->node.n - 1; i >= 0; i--) {
        const Node *n = g->node.at[i];
        for (int k = 0; k < n->n_in; k++) {
            const int x = n->in[k]->id, last = is_view(n) && r->last_read[i] > i ? r->last_read[i] : i;
            if (i <= r->loss && last > r->last_read[x]) r->last_read[x] = last;
            r->read_late[x] |= i > r->loss || (is_view(n) && r->read_late[i]);
        }
    }
}

static void measure(Recompute *r)
{
    int64_t kept = 0, crossing = 0;
    int64_t *ends = NEW_ARRAY(r->graph->arena, int64_t, r->loss + 1);
    for (int i = 0; i <= r->loss; i++) {
        const int64_t bytes = bytes_of(r->graph->node.at[i]);
        if (r->read_late[i]) kept += bytes;
        if (r->last_read[i] > i) ends[r->last_read[i]] += bytes, crossing += bytes;
        crossing -= ends[i];
        r->kept_bytes[i] = kept;
        r->crossing[i] = crossing;
    }
}

/* The cut, where least crosses, behind a node from which on the segment that begins at `from` keeps half its share and no
   more than all of it; -1 at the end. */
static int choose_cut(const Recompute *r, int from, int64_t share)
{
    const int64_t before = from ? r->kept_bytes[from - 1] : 0;
    int cut = -1;
    if (r->kept_bytes[r->loss] - before <= share) return -1;
    for (int i = from; i < r->loss && (cut < 0 || r->kept_bytes[i] - before <= share); i++)
        if (r->kept_bytes[i] - before >= share / 2 && (cut < 0 || r->crossing[i] < r->crossing[cut])) cut = i;
    return cut;
}

/* Cuts into segments that keep `share` bytes or so. */
static void cut_up(Recompute *r, int64_t share)
{
    for (int from = 0, cut, segment = 0; from <= r->loss; from = cut + 1, segment++) {
        cut = choose_cut(r, from, share);
        if (cut < 0) cut = r->loss;
        for (int i = from; i <= cut; i++) r->segment[i] = segment;
    }
}

static void decide_kept(Recompute *r)
{
    const int last = r->segment[r->loss];
    for (int i = 0; i <= r->loss; i++) {
        const Node *n = r->graph->node.at[i];
        r->kept[i] = is_free(n) || r->segment[i] == last || (r->last_read[i] > i && r->segment[r->last_read[i]] != r->segment[i]);
    }
}

/* What is to be cloned: what is read late and not kept, and what that is computed from. */
static bool *cloned_nodes(const Recompute *r)
{
    bool *cloned = NEW_ARRAY(r->graph->arena, bool, r->loss + 1);
    for (int i = r->loss; i >= 0; i--) {
        const Node *n = r->graph->node.at[i];
        cloned[i] = !r->kept[i] && (cloned[i] || r->read_late[i]);
        for (int k = 0; cloned[i] && k < n->n_in; k++) cloned[n->in[k]->id] = true;
    }
    return cloned;
}

static Node *clone_of(Graph *g, const Node *n)
{
    Node **in = NEW_ARRAY(g->arena, Node *, n->n_in);
    for (int k = 0; k < n->n_in; k++) in[k] = n->in[k]->link ? n->in[k]->link : n->in[k];
    return node_like(g, n, in);
}

static void clone_segment(Recompute *r, Node *const *old, const bool *cloned, int segment)
{
    for (int i = 0; i <= r->loss; i++)
        if (cloned[i] && r->segment[i] == segment) old[i]->link = clone_of(r->graph, old[i]);
}

/* The nodes again in their order, with the clones of a segment before the first late reader of one of them. */
static void put_clones(Recompute *r, const bool *cloned)
{
    Graph *g = r->graph;
    const int n = g->node.n;
    Node **old = g->node.at;
    g->node.at = NULL;
    g->node.n = g->node.cap = 0;
    for (int i = 0; i < n; i++) {
        for (int k = 0; i > r->loss && k < old[i]->n_in; k++) {
            const int x = old[i]->in[k]->id;
            if (x > r->loss || !cloned[x]) continue;
            if (!old[x]->link) clone_segment(r, old, cloned, r->segment[x]);
            old[i]->in[k] = old[x]->link;
        }
        vec_push(g->arena, &g->node, old[i]);
    }
}

/* needs: gradients; leaves: no equal nodes made one, which would undo it. */
void pass_recompute(Graph *g, const PassContext *context)
{
    Recompute r = { .graph = g, .loss = find_loss(g) };
    if (context->segments < 2 || r.loss < 0) return;
    r.last_read = NEW_ARRAY(g->arena, int, g->node.n);
    r.read_late = NEW_ARRAY(g->arena, bool, g->node.n);
    r.segment = NEW_ARRAY(g->arena, int, g->node.n);
    r.kept = NEW_ARRAY(g->arena, bool, g->node.n);
    r.kept_bytes = NEW_ARRAY(g->arena, int64_t, g->node.n);
    r.crossing = NEW_ARRAY(g->arena, int64_t, g->node.n);
    note_reads(&r);
    measure(&r);
    cut_up(&r, r.kept_bytes[r.loss] / context->segments);
    decide_kept(&r);
    put_clones(&r, cloned_nodes(&r));
    graph_sort(g);
}
