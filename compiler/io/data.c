/* data.c -- "FILE[PART]" to the array that a net's input wants, whatever the format. */
#include "io.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static bool read_tensor(Input *in, const char *part, Array *out)
{
    Tensors t;
    if (!safetensors_read(in, &t)) return false;
    const Array *x = part ? tensors_find(&t, part) : t.n == 1 ? &t.at[0] : NULL;
    if (x) {
        *out = *x;
        out->name = NULL;  /* messages count samples, not elements of a tensor */
        return true;
    }
    if (!part) return input_fail(in, "%d tensors: say which, as in FILE[NAME]", t.n);
    const char **name = NEW_ARRAY(in->arena, const char *, t.n);
    for (int i = 0; i < t.n; i++) name[i] = t.at[i].name;
    const char *near = did_you_mean(part, name, t.n);
    return input_fail(in, "no tensor \"%s\"%s%s%s", part, near ? "; did you mean \"" : "", near ? near : "",
                      near ? "\"?" : "");
}

static bool read_csv(Input *in, const char *part, const DataWant *want, Array *out)
{
    int64_t low = want->ranged ? want->low : INT32_MIN, high = want->ranged ? want->high : INT32_MAX;
    int columns = csv_columns(in, part, &want->csv);
    if (!columns) return false;
    if (array_types[want->type].real) {
        ArrayType type = want->type == ARRAY_f32 ? ARRAY_f32 : ARRAY_f64;
        return csv_numbers(in, part, &want->csv, type, out);
    }
    if (columns == 1) return csv_labels(in, part, &want->csv, low, high, want->like, out);
    return csv_numbers(in, part, &want->csv, ARRAY_f64, out);
}

static const struct Format {
    const char *name;
    bool (*is)(const Input *);
    bool (*read)(Input *, Array *);
} formats[] = {
    {"NPY", npy_is, npy_read},
    {"IDX", idx_is, idx_read},
};

static bool read_any(Input *in, const char *part, const DataWant *want, Array *out)
{
    for (size_t i = 0; i < LENGTH(formats); i++) {
        if (!formats[i].is(in)) continue;
        if (!part) return formats[i].read(in, out);
        return input_fail(in, "[%s] picks columns of CSV or a tensor of safetensors, but this is %s", part,
                          formats[i].name);
    }
    return safetensors_is(in) ? read_tensor(in, part, out) : read_csv(in, part, want, out);
}

static bool refuse_nan(Input *in, const Array *x)
{
    if (!array_types[x->type].real) return true;
    for (int64_t i = 0; i < x->elements; i++)
        if (isnan(array_real(x, i))) {
            int64_t per_sample = x->elements / x->shape[0];
            return input_fail(in, "sample %" PRId64 ", element %" PRId64 ": nan, a missing value", i / per_sample,
                              i % per_sample);
        }
    return true;
}

/* The axes of more than one, in order; returns how many. */
static int squeeze(int rank, const int64_t *shape, int64_t *kept)
{
    int n = 0;
    for (int i = 0; i < rank; i++)
        if (shape[i] != 1) kept[n++] = shape[i];
    return n;
}

static bool fit_shape(Input *in, const DataWant *want, Array *x)
{
    int64_t have[ARRAY_RANK], need[ARRAY_RANK], elements;
    size_t bytes;
    Array sample = {.type = want->type, .rank = want->rank};
    memcpy(sample.shape, want->shape, sizeof sample.shape);
    int n = squeeze(x->rank - 1, x->shape + 1, have), m = squeeze(want->rank, want->shape, need);
    bool same = n == m && memcmp(have, need, (size_t)n * sizeof *have) == 0;
    bool flat = (n <= 1 || m <= 1) && shape_size(want->rank, want->shape, want->type, &elements, &bytes) &&
                elements == x->elements / x->shape[0];
    if ((!same && !flat) || want->rank >= ARRAY_RANK) {
        Array found = {.type = x->type, .rank = x->rank - 1};
        memcpy(found.shape, x->shape + 1, (size_t)found.rank * sizeof *found.shape);
        return input_fail(in, "a sample is %s, but the input is %s", array_text(in->arena, &found),
                          array_text(in->arena, &sample));
    }
    x->rank = want->rank + 1;
    memcpy(x->shape + 1, want->shape, (size_t)want->rank * sizeof *x->shape);
    return true;
}

bool data_read(Input *in, const char *part, const DataWant *want, Array *out)
{
    Array x, y;
    if (!read_any(in, part, want, &x)) return false;
    if (x.rank == 0 || x.elements == 0) return input_fail(in, "%s holds no samples", array_text(in->arena, &x));
    if (!refuse_nan(in, &x)) return false;
    if (want->shaped && !fit_shape(in, want, &x)) return false;
    if (!array_convert(in, &x, want->type, &y)) return false;
    if (want->ranged && !array_types[y.type].real && !array_check_range(in, &y, want->low, want->high)) return false;
    *out = y;
    return true;
}

void spec_split(Arena *a, const char *spec, const char **path, const char **part)
{
    size_t n = strlen(spec);
    const char *open = n && spec[n - 1] == ']' ? strrchr(spec, '[') : NULL;
    *path = open ? arena_strndup(a, spec, (size_t)(open - spec)) : spec;
    *part = open ? arena_strndup(a, open + 1, strlen(open) - 2) : NULL;
}

bool data_load(Arena *a, const char *spec, const DataWant *want, Array *out, const char **why, int *status)
{
    Input in;
    const char *path, *part;
    spec_split(a, spec, &path, &part);
    if (input_read(&in, a, path, INPUT_LIMIT) && data_read(&in, part, want, out)) return true;
    *why = in.why;
    *status = in.status;
    return false;
}
