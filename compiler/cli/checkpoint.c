/* checkpoint.c -- weights and the optimiser's state to and from safetensors. */
#include "checkpoint.h"
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static Array field_array(const Host *h, Arena *a, const Field *f, const char *name, const void *memory)
{
    double *x = NEW_ARRAY(a, double, f->buffer->elements);
    Array out = array_new(a, ARRAY_f32, f->buffer->shape.rank, f->buffer->shape.dim);
    field_read(h, f, memory, x);
    for (int64_t i = 0; i < out.elements; i++) ((float *)out.data)[i] = (float)x[i];
    out.name = name;
    return out;
}

int checkpoint_save(const Host *h, const char *path, const Checkpoint *c)
{
    Arena *a = arena_new();
    const Unit *u = h->unit;
    const char *why = "";
    int status = 0;
    const char *pairs[8] = {"netc", NETC_VERSION, "step", arena_printf(a, "%lld", (long long)c->step),
                           "seed", arena_printf(a, "%llu", (unsigned long long)c->seed)};
    Tensors t = {.at = NEW_ARRAY(a, Array, u->weights.n + u->state.n + u->memory[MEMORY_train].n + 1), .metadata = pairs,
                 .metadata_pairs = c->with_state ? 3 : 1};
    if (c->vocabulary) {
        pairs[2 * t.metadata_pairs] = "vocabulary";
        pairs[2 * t.metadata_pairs++ + 1] = vocabulary_json(a, c->vocabulary);
    }
    for (int i = 0; i < u->weights.n; i++)
        t.at[t.n++] = field_array(h, a, &u->weights.at[i], u->weights.at[i].name, h->weights);
    for (int i = 0; i < u->state.n && c->with_state; i++) {
        const Field *f = &u->state.at[i];
        t.at[t.n++] = field_array(h, a, f, arena_printf(a, "optimizer.%s", f->name), h->state);
    }
    for (int i = 0; i < u->memory[MEMORY_train].n && c->with_state; i++) {
        const Field *f = &u->memory[MEMORY_train].at[i];
        t.at[t.n++] = field_array(h, a, f, arena_printf(a, "optimizer.memory.%s", f->name), h->memory[MEMORY_train]);
    }
    if (!safetensors_write(a, path, &t, &why, &status)) status = fail(status ? status : EXIT_io, "%s", why);
    else status = 0;
    arena_free(a);
    return status;
}

static int load_field(const Host *h, Arena *a, const Field *f, const char *name, const Tensors *t, void *memory, const char *path)
{
    const Array *x = tensors_find(t, name);
    const Shape *s = &f->buffer->shape;
    if (!x) return fail(EXIT_model, "%s: no tensor '%s', which the net needs as f32%s", path, name, shape_text(a, *s));
    bool same = x->rank == s->rank;
    for (int d = 0; same && d < s->rank; d++) same = x->shape[d] == s->dim[d];
    if (!same) return fail(EXIT_model, "%s: tensor '%s' is %s, the net needs f32%s", path, name, array_text(a, x), shape_text(a, *s));
    double *values = NEW_ARRAY(a, double, x->elements);
    for (int64_t i = 0; i < x->elements; i++) values[i] = array_real(x, i);
    field_write(h, f, memory, values);
    return 0;
}

/* A whole number in the metadata; false when it is absent. A malformed one is an error in *status. */
static bool read_number(const Tensors *t, const char *path, const char *key, uint64_t limit, uint64_t *value, int *status)
{
    const char *text = tensors_metadata(t, key);
    if (!text) return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    bool good = text[0] >= '0' && text[0] <= '9' && !*end && !errno && v <= limit;
    if (!good) *status = fail(EXIT_model, "%s: the metadata have %s '%s': a whole number is expected", path, key, text);
    *value = v;
    return good;
}

static int load_all(const Host *h, Arena *a, const char *path, const Tensors *t, Checkpoint *c)
{
    const Unit *u = h->unit;
    int status = 0, worst = 0;
    uint64_t step = 0, seed = 0;
    *c = (Checkpoint){0};
    c->with_state = read_number(t, path, "step", INT64_MAX, &step, &status) && read_number(t, path, "seed", UINT64_MAX, &seed, &status);
    if (status) return status;
    for (int i = 0; i < u->weights.n; i++) {
        status = load_field(h, a, &u->weights.at[i], u->weights.at[i].name, t, h->weights, path);
        if (status) worst = status;
    }
    for (int i = 0; i < u->state.n && c->with_state; i++) {
        const Field *f = &u->state.at[i];
        status = load_field(h, a, f, arena_printf(a, "optimizer.%s", f->name), t, h->state, path);
        if (status) worst = status;
    }
    for (int i = 0; i < u->memory[MEMORY_train].n && c->with_state; i++) {
        const Field *f = &u->memory[MEMORY_train].at[i];
        status = load_field(h, a, f, arena_printf(a, "optimizer.memory.%s", f->name), t, h->memory[MEMORY_train], path);
        if (status) worst = status;
    }
    if (c->with_state) c->step = (int64_t)step, c->seed = seed;
    return worst;
}

int checkpoint_load(const Host *h, const char *path, Checkpoint *c)
{
    Arena *a = arena_new();
    Tensors t = {0};
    const char *why = "";
    int status = 0;
    if (!safetensors_load(a, path, &t, &why, &status)) status = fail(status, "%s", why);
    else status = load_all(h, a, path, &t, c);
    arena_free(a);
    return status;
}

static int begin_all(const Host *h, Arena *a, const char *path, const Tensors *t)
{
    const Unit *u = h->unit;
    int worst = 0, found = 0;
    for (int i = 0; i < u->weights.n; i++) {
        const Field *f = &u->weights.at[i];
        if (!tensors_find(t, f->name)) continue;
        int status = load_field(h, a, f, f->name, t, h->weights, path);
        if (status) worst = status;
        found++;
    }
    if (!found) return fail(EXIT_model, "%s: it has no parameter of '%s'", path, u->net);
    if (!worst && found < u->weights.n) fprintf(stderr, "netc: note: %d of %d parameters begin as in %s, the others anew\n", found, u->weights.n, path);
    return worst;
}

int checkpoint_begin(const Host *h, const char *path)
{
    Arena *a = arena_new();
    Tensors t = {0};
    const char *why = "";
    int status = 0;
    if (!safetensors_load(a, path, &t, &why, &status)) status = fail(status, "%s", why);
    else status = begin_all(h, a, path, &t);
    arena_free(a);
    return status;
}

void weights_from_values(const Host *h)
{
    const Unit *u = h->unit;
    Arena *a = arena_new();
    for (int i = 0; i < u->weights.n; i++) {
        const Field *f = &u->weights.at[i];
        if (!f->node->value) continue;
        double *x = NEW_ARRAY(a, double, f->buffer->elements);
        for (int64_t k = 0; k < f->buffer->elements; k++) x[k] = f->node->value[k];
        field_write(h, f, h->weights, x);
    }
    arena_free(a);
}

const char *weights_not_finite(const Host *h)
{
    const Unit *u = h->unit;
    for (int i = 0; i < u->weights.n; i++) {
        const Field *f = &u->weights.at[i];
        const char *memory = (const char *)h->weights + f->offset;
        for (int64_t k = 0; k < f->buffer->elements; k++)
            if (!isfinite(host_get(h, f->buffer->dtype, memory, k))) return f->name;
    }
    return NULL;
}
