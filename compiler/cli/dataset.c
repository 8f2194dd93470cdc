/* dataset.c -- files to samples, samples to batches. */
#include "dataset.h"
#include "cli.h"
#include "tokens.h"

#include <string.h>

static ArrayType array_type(DType t)
{
    static const ArrayType types[DTYPES] = {[DTYPE_f32] = ARRAY_f32, [DTYPE_i32] = ARRAY_i32, [DTYPE_u8] = ARRAY_u8};
    return types[t];
}

static int find_name(const Dataset *ds, const char *name)
{
    for (int i = 0; i < ds->n; i++)
        if (!strcmp(ds->name[i], name)) return i;
    return -1;
}

/* What one sample of the input is; the batch is in front in its shape. */
static DataWant want_of(const Buffer *b, const Dataset *like)
{
    const Node *n = b->node;
    DataWant w = {.type = array_type(b->dtype), .shaped = true, .rank = b->shape.rank - 1};
    memcpy(w.shape, b->shape.dim + 1, sizeof w.shape[0] * (size_t)w.rank);
    const Attr *low = node_attr(n, ATTR_low), *high = node_attr(n, ATTR_high);
    w.ranged = low && high;
    if (w.ranged) w.low = low->ints[0], w.high = high->ints[0];
    int known = like ? find_name(like, n->name) : -1;
    if (known >= 0) w.like = &like->column[known];
    return w;
}

/* An input that another one's text fills. */
static bool comes_with_text(const TextPlan *plan, const char *name)
{
    return plan->text && ((plan->next && !strcmp(name, plan->next)) || (plan->length && !strcmp(name, plan->length)));
}

static int check_names(const Define *pairs, int n, const char *const *inputs, int n_inputs, const TextPlan *plan)
{
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < n_inputs && strcmp(inputs[k], pairs[i].name)) k++;
        if (k == n_inputs) {
            const char *near = did_you_mean(pairs[i].name, inputs, n_inputs);
            return fail(EXIT_model, "%s=%s: the net takes no input '%s' here%s%s%s", pairs[i].name, pairs[i].value,
                        pairs[i].name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        if (comes_with_text(plan, pairs[i].name))
            return fail(EXIT_model, "%s=%s: the net takes '%s' from the text of '%s'", pairs[i].name, pairs[i].value, pairs[i].name, plan->text);
        for (int j = 0; j < i; j++)
            if (!strcmp(pairs[i].name, pairs[j].name)) return fail(EXIT_usage, "%s is given twice", pairs[i].name);
    }
    return 0;
}

static int load_column(Dataset *ds, Arena *a, const Define *pairs, int n, const Buffer *b, const Dataset *like)
{
    const char *name = b->node->name, *why = "", *file = NULL;
    int status = EXIT_model;
    if (find_name(ds, name) >= 0) return 0;
    for (int i = 0; i < n; i++)
        if (!strcmp(pairs[i].name, name)) file = pairs[i].value;
    if (!file && b->last < 0) return 0;
    if (!file)
        return fail(EXIT_model, "no data for the input '%s : %s%s'; give %s=FILE", name, dtype_name(b->dtype),
                    b->shape.rank > 1 ? shape_text(a, shape_tail(b->shape)) : "", name);
    if (ds->window) return fail(EXIT_model, "%s: the net reads a running text, and samples of nothing else beside it", name);
    DataWant want = want_of(b, like);
    Array *x = &ds->column[ds->n];
    if (!data_load(a, file, &want, x, &why, &status)) return fail(status, "%s: %s", name, why);
    if (ds->n && x->shape[0] != ds->samples)
        return fail(EXIT_model, "%s: %lld samples, but %s has %lld", name, (long long)x->shape[0], ds->name[0], (long long)ds->samples);
    ds->samples = x->shape[0];
    ds->name[ds->n++] = name;
    return 0;
}

int dataset_load(Dataset *ds, Arena *a, const Define *pairs, int n, const Program *p, const Dataset *like, const TextPlan *plan)
{
    int n_inputs = 0, status;
    const char **names = NEW_ARRAY(a, const char *, p->buffer.n + 1);
    *ds = (Dataset){.name = NEW_ARRAY(a, const char *, p->buffer.n + 1), .column = NEW_ARRAY(a, Array, p->buffer.n + 1),
                    .shift = NEW_ARRAY(a, int64_t, p->buffer.n + 1)};
    for (int i = 0; i < p->buffer.n; i++)
        if (p->buffer.at[i]->kind == BUF_input && !p->buffer.at[i]->base) names[n_inputs++] = p->buffer.at[i]->node->name;
    status = check_names(pairs, n, names, n_inputs, plan);
    if (!status && plan->text) status = tokens_load(ds, a, pairs, n, p, like, plan);
    for (int i = 0; i < p->buffer.n && !status; i++) {
        const Buffer *b = p->buffer.at[i];
        ds->in_stretches |= b->kind == BUF_memory;
        if (b->kind == BUF_input && !b->base) status = load_column(ds, a, pairs, n, b, like);
    }
    return status;
}

void dataset_slide(Dataset *ds)
{
    if (!ds->window) return;
    const int64_t samples = (ds->tokens - ds->window + 1) / ds->window;
    if (samples) ds->samples = samples;
    ds->slack = ds->tokens - ds->samples * ds->window;
    if (ds->slack >= ds->window) ds->slack = ds->window - 1;
}

int64_t dataset_element(const Dataset *ds, int column, int64_t sample, int64_t n) { return sample * n + ds->shift[column] + ds->begin; }

void dataset_copy(const Dataset *ds, const Host *h, const HostProgram *p, int64_t sample, int64_t at)
{
    for (int i = 0; i < p->n_input; i++) {
        const Buffer *b = p->input[i];
        int column = find_name(ds, b->node->name);
        if (column < 0) continue;                     /* nothing reads it */
        const Array *x = &ds->column[column];
        int64_t n = b->elements / b->shape.dim[0];
        size_t bytes = (size_t)n * host_element_bytes(h, b->dtype);
        memcpy((char *)p->input_data[i] + (size_t)at * bytes, (const char *)x->data + (size_t)dataset_element(ds, column, sample, n) * host_element_bytes(h, b->dtype), bytes);
    }
}

int64_t dataset_sample(const Dataset *ds, int64_t k, int64_t batch, int64_t at)
{
    const int64_t length = ds->samples / batch, longer = ds->samples % batch, i = k * batch + at;
    if (!ds->in_stretches) return i < ds->samples ? i : -1;
    return k < length + (at < longer) ? at * length + (at < longer ? at : longer) + k : -1;
}

int64_t dataset_batch(const Dataset *ds, const Host *h, const HostProgram *p, int64_t k, int64_t batch)
{
    int64_t valid = 0;
    for (int64_t i = 0; i < batch; i++) {
        const int64_t sample = dataset_sample(ds, k, batch, i);
        valid += sample >= 0;
        dataset_copy(ds, h, p, sample >= 0 ? sample : dataset_sample(ds, k, batch, 0), i);
    }
    return valid;
}
