/* fill.c -- inputs and parameters where there are no data: drawn, within their ranges. */
#include "fill.h"
#include "learn.h"

#include <math.h>

void fill_inputs(Host *h, ProgramKind kind, uint64_t seed)
{
    const HostProgram *p = &h->program[kind];
    for (int k = 0; k < p->n_input; k++) {
        const Buffer *b = p->input[k];
        const Attr *low = node_attr(b->node, ATTR_low), *high = node_attr(b->node, ATTR_high);
        double from = 0.05, to = 0.95;
        if (b->dtype != DTYPE_f32) from = 0, to = b->dtype == DTYPE_u8 ? 256 : 2;
        if (low && high) from = (double)low->ints[0], to = (double)high->ints[0];
        Init init = {INIT_uniform, from, to};
        double *x = NEW_ARRAY(h->arena, double, b->elements);
        init_fill(&init, b->node->name, seed, x, b->elements);
        for (int64_t i = 0; i < b->elements; i++)
            host_put(h, b->dtype, p->input_data[k], i, b->dtype == DTYPE_f32 ? x[i] : floor(x[i]));
    }
}

static double *draw_param(Arena *a, const Node *param, uint64_t seed)
{
    static const Init nudge = {INIT_uniform, -0.05, 0.05};
    const Attr *init = node_attr(param, ATTR_init);
    const int64_t n = shape_elements(param->shape);
    double *x = NEW_ARRAY(a, double, n), *y = NEW_ARRAY(a, double, n);
    if (param->value)
        for (int64_t k = 0; k < n; k++) x[k] = param->value[k];
    else if (init) init_fill(&init->init, param->name, seed, x, n);
    init_fill(&nudge, param->name, seed + 1, y, n);
    for (int64_t k = 0; param->trained && k < n; k++) x[k] += y[k];
    return x;
}

const float *drawn_value(Arena *a, const Node *param)
{
    const int64_t n = shape_elements(param->shape);
    const double *x = draw_param(a, param, 1);
    float *value = NEW_ARRAY(a, float, n);
    for (int64_t k = 0; k < n; k++) value[k] = (float)x[k];
    return value;
}

void fill_params(Host *h, uint64_t seed)
{
    const Unit *u = h->unit;
    for (int i = 0; i < u->weights.n; i++) field_write(h, &u->weights.at[i], h->weights, draw_param(h->arena, u->weights.at[i].node, seed));
}

void fill_memory(Host *h, uint64_t seed)
{
    static const Init any = {INIT_uniform, -0.5, 0.5};
    const Fields *f = &h->unit->memory[MEMORY_train];
    for (int i = 0; i < f->n; i++) {
        double *x = NEW_ARRAY(h->arena, double, f->at[i].buffer->elements);
        init_fill(&any, f->at[i].name, seed, x, f->at[i].buffer->elements);
        field_write(h, &f->at[i], h->memory[MEMORY_train], x);
    }
}
