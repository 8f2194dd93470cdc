/* winograd_choose.c -- which convolutions tiles make, and which tiles: by cycles in the whole net, within a budget of error. */
#include "winograd.h"

#include <math.h>

enum { LANES = 16, FAR = 16 };     /* where the context does not say */

static const double CLEARLY = 0.95;  /* a gain that is less is none */

/* What the model knows of the machine, and of the net: bytes of all weights with tiles of 0, 2 and 4 wherever they fit. */
typedef struct Costs {
    int lanes;
    double rate;                   /* multiply-adds a cycle */
    double far;                    /* bytes a cycle from the last cache */
    double weights[WINOGRAD_4 + 1];
} Costs;

/* Bytes a cycle that a core reads of so many that are used again and again: from its own cache, the last one, memory. */
static double bandwidth(double bytes, double far) { return bytes <= 1 << 20 ? 64 : bytes <= 8 << 20 ? far : 8; }

static double vectors(const Costs *m, double channels) { return ceil(channels / m->lanes); }

/* Cycles for a tile of a vector of channels, measured: to its places, and back. */
static double transform_cycles(int tile) { return tile == 2 ? 22 : 76; }
static double result_cycles(int tile) { return tile == 2 ? 20 : 55; }

static int64_t tiles(const Conv *v, const Winograd *form)
{
    const int64_t *extent = v->contract->extent;
    int64_t n = v->n < 0 ? 1 : extent[v->n];
    for (int i = 0; i < 2; i++) n *= form ? winograd_tiles(form, extent[v->at[i]]) : extent[v->at[i]];
    return n;
}

static double cycles(const Costs *m, const Conv *v, int tile)
{
    const int64_t *extent = v->contract->extent;
    const Winograd *form = winograd_form(tile);
    const double in = (double)extent[v->r], out = (double)extent[v->o];
    const double places = form ? form->size * form->size : WINOGRAD_KERNEL * WINOGRAD_KERNEL;
    const double points = (double)tiles(v, form);
    const double products = fmax(points * places * in * vectors(m, out) * m->lanes / m->rate,
                                 4 * places * in * out / bandwidth(m->weights[tile], m->far) / (v->known ? 1 : 2));
    if (!form) return products;
    const double bytes = 4 * places * points * (in + out);
    const double transforms = fmax(points * (transform_cycles(tile) * vectors(m, in) + result_cycles(tile) * vectors(m, out)),
                                   2 * bytes / bandwidth(bytes, FAR));
    const double weights = (form->size * 9 + places * 3) * in * out / (m->rate / 6);
    return products + transforms + (v->known ? 0 : weights);
}

/* Bytes of the parameters, were all convolutions with known weights made by such tiles. */
static double weight_bytes(const Graph *g, const Convs *all, int tile)
{
    const Winograd *form = winograd_form(tile);
    double bytes = 0;
    for (int i = 0; i < g->node.n; i++)
        if (g->node.at[i]->op == OP_param) bytes += 4 * (double)shape_elements(g->node.at[i]->shape);
    for (int i = 0; form && i < all->n; i++) {
        const Conv *v = &all->at[i];
        if (v->known) bytes += 4.0 * (form->size * form->size - 9) * (double)(v->contract->extent[v->r] * v->contract->extent[v->o]);
    }
    return bytes;
}

static double error(const Conv *v)
{
    const Winograd *form = winograd_form(v->tile);
    return winograd_error(form, v->gradient, v->gradient ? tiles(v, form) : v->contract->extent[v->r]);
}

/* Smaller tiles where the error is largest, until all together are within the budget. */
static void keep_budget(Convs *all, double budget)
{
    for (;;) {
        Conv *worst = NULL;
        double sum = 0;
        for (int i = 0; i < all->n; i++) {
            if (!all->at[i].tile) continue;
            sum += error(&all->at[i]);
            if (!worst || error(&all->at[i]) > error(worst)) worst = &all->at[i];
        }
        if (sum <= budget || !worst) return;
        worst->tile = worst->tile == WINOGRAD_4 ? WINOGRAD_2 : WINOGRAD_off;
    }
}

void winograd_choose(const Graph *g, const PassContext *context, Convs *all)
{
    const int lanes = context->lanes ? context->lanes : LANES;
    Costs m = { .lanes = lanes, .rate = lanes > 4 ? 16 : lanes > 1 ? 2 * lanes : 1, .far = context->far > 0 ? context->far : FAR };
    for (int tile = 0; tile <= WINOGRAD_4; tile += 2) m.weights[tile] = weight_bytes(g, all, tile);
    for (int i = 0; i < all->n; i++) {
        Conv *v = &all->at[i];
        v->tile = context->winograd == WINOGRAD_auto ? WINOGRAD_off : context->winograd;
        for (int tile = 2; context->winograd == WINOGRAD_auto && tile <= WINOGRAD_4; tile += 2)
            if (cycles(&m, v, tile) < CLEARLY * cycles(&m, v, v->tile)) v->tile = tile;
    }
    if (context->winograd == WINOGRAD_auto) keep_budget(all, context->error_budget);
}
