/* array.c -- element types, shapes, and conversions that never change a value in silence. */
#include "io.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const ArrayTypeInfo array_types[ARRAY_type_count] = {
#define T(name, C, safetensors, npy, idx) [ARRAY_##name] = {#name, (int)sizeof(C), false, safetensors, npy, idx},
    ARRAY_INTEGERS(T)
#undef T
#define T(name, C, safetensors, npy, idx) [ARRAY_##name] = {#name, (int)sizeof(C), true, safetensors, npy, idx},
    ARRAY_REALS(T)
#undef T
};

/* The smallest and the largest value of each integer type. u64 ends where int64_t does: that is what we convert by. */
static const struct { int64_t low, high; } limits[ARRAY_type_count] = {
    [ARRAY_i8] = {INT8_MIN, INT8_MAX},    [ARRAY_u8] = {0, UINT8_MAX},   [ARRAY_i16] = {INT16_MIN, INT16_MAX},
    [ARRAY_u16] = {0, UINT16_MAX},        [ARRAY_i32] = {INT32_MIN, INT32_MAX}, [ARRAY_u32] = {0, UINT32_MAX},
    [ARRAY_i64] = {INT64_MIN, INT64_MAX}, [ARRAY_u64] = {0, INT64_MAX},  [ARRAY_bool] = {0, 1},
};

/* Zero dimensions do not hide an overflow of the others: whoever computes strides may rely on it. */
bool shape_size(int rank, const int64_t *shape, ArrayType type, int64_t *elements, size_t *bytes)
{
    int64_t product = 1, total;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0 || __builtin_mul_overflow(product, shape[i] ? shape[i] : 1, &product)) return false;
        empty = empty || shape[i] == 0;
    }
    if (__builtin_mul_overflow(product, (int64_t)array_types[type].bytes, &total)) return false;
    if ((uint64_t)total > SIZE_MAX / 2) return false;
    *elements = empty ? 0 : product;
    *bytes = empty ? 0 : (size_t)total;
    return true;
}

Array array_new(Arena *a, ArrayType type, int rank, const int64_t *shape)
{
    Array x = {.type = type, .rank = rank};
    size_t bytes;
    if (!shape_size(rank, shape, type, &x.elements, &bytes)) memory_out();
    if (rank) memcpy(x.shape, shape, (size_t)rank * sizeof *shape);
    x.data = arena_alloc(a, bytes);
    return x;
}

char *array_text(Arena *a, const Array *x)
{
    Text t = {.arena = a};
    text_puts(&t, array_types[x->type].name);
    for (int i = 0; i < x->rank; i++) text_printf(&t, "%s%" PRId64, i ? ", " : "[", x->shape[i]);
    if (x->rank) text_putc(&t, ']');
    return t.s;
}

float bf16_value(uint16_t bits)
{
    uint32_t word = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &word, sizeof x);
    return x;
}

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
float f16_value(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float x;
    if (exponent == 31) x = fraction ? NAN : INFINITY;
    else if (exponent) x = ldexpf((float)(1024 + fraction), exponent - 25);
    else x = ldexpf((float)fraction, -24);
    return half & 0x8000 ? -x : x;
}

static int64_t integer_at(const Array *x, int64_t i)
{
    switch (x->type) {
#define T(name, C, ...) case ARRAY_##name: return (int64_t)((const C *)x->data)[i];
    ARRAY_INTEGERS(T)
#undef T
    default: return 0;
    }
}

static void integer_store(Array *x, int64_t i, int64_t value)
{
    switch (x->type) {
#define T(name, C, ...) case ARRAY_##name: ((C *)x->data)[i] = (C)value; break;
    ARRAY_INTEGERS(T)
#undef T
    default: break;
    }
}

double array_real(const Array *x, int64_t i)
{
    switch (x->type) {
    case ARRAY_f32: return (double)((const float *)x->data)[i];
    case ARRAY_f64: return ((const double *)x->data)[i];
    case ARRAY_f16: return (double)f16_value(((const uint16_t *)x->data)[i]);
    case ARRAY_bf16: return (double)bf16_value(((const uint16_t *)x->data)[i]);
    case ARRAY_u64: return (double)((const uint64_t *)x->data)[i];
    default: return (double)integer_at(x, i);
    }
}

/* "sample 7, element 3" of data [samples, ...]; "tensor NAME: element 45" where it has a name. */
static const char *element_text(Arena *a, const Array *x, int64_t i)
{
    int64_t per_sample = x->rank && x->shape[0] ? x->elements / x->shape[0] : 1;
    if (x->name) return arena_printf(a, "tensor %s: element %" PRId64, x->name, i);
    if (per_sample == 1) return arena_printf(a, "sample %" PRId64, i);
    return arena_printf(a, "sample %" PRId64 ", element %" PRId64, i / per_sample, i % per_sample);
}

static bool refuse(Input *in, const Array *x, int64_t i, ArrayType type, const char *reason)
{
    Text value = {.arena = in->arena};
    if (x->type == ARRAY_u64) text_printf(&value, "%" PRIu64, ((const uint64_t *)x->data)[i]);
    else if (array_types[x->type].real) {
        double v = array_real(x, i);
        if (v == nearbyint(v) && fabs(v) < 1e9) text_printf(&value, "%.0f", v);  /* 300, not 3e+02 */
        else text_double(&value, v);
    } else text_printf(&value, "%" PRId64, integer_at(x, i));
    return input_fail(in, "%s: %s of type %s %s %s", element_text(in->arena, x, i), value.s, array_types[x->type].name,
                      reason, array_types[type].name);
}

static bool integers_to_integers(Input *in, const Array *x, Array *out)
{
    bool wide = x->type == ARRAY_u64;
    for (int64_t i = 0; i < x->elements; i++) {
        int64_t v = integer_at(x, i);
        if (v < limits[out->type].low || v > limits[out->type].high || (wide && v < 0))
            return refuse(in, x, i, out->type, "does not fit in");
        integer_store(out, i, v);
    }
    return true;
}

static bool integers_to_reals(Input *in, const Array *x, Array *out)
{
    int64_t exact = out->type == ARRAY_f32 ? (int64_t)1 << 24 : (int64_t)1 << 53;
    bool wide = x->type == ARRAY_u64;
    for (int64_t i = 0; i < x->elements; i++) {
        int64_t v = integer_at(x, i);
        if (v > exact || v < -exact || (wide && v < 0)) return refuse(in, x, i, out->type, "is not exact in");
        if (out->type == ARRAY_f32) ((float *)out->data)[i] = (float)v;
        else ((double *)out->data)[i] = (double)v;
    }
    return true;
}

static bool reals_to_integers(Input *in, const Array *x, Array *out)
{
    for (int64_t i = 0; i < x->elements; i++) {
        double v = array_real(x, i);
        if (!isfinite(v) || v != nearbyint(v)) return refuse(in, x, i, out->type, "is no integer for");
        if (v < -0x1p63 || v >= 0x1p63 || (int64_t)v < limits[out->type].low || (int64_t)v > limits[out->type].high)
            return refuse(in, x, i, out->type, "does not fit in");
        integer_store(out, i, (int64_t)v);
    }
    return true;
}

static bool reals_to_reals(Input *in, const Array *x, Array *out)
{
    for (int64_t i = 0; i < x->elements; i++) {
        double v = array_real(x, i);
        if (out->type == ARRAY_f64) {
            ((double *)out->data)[i] = v;
        } else {
            /* past this a double rounds to infinity, and the cast would be undefined */
            if (isfinite(v) && fabs(v) >= 0x1.ffffffp127) return refuse(in, x, i, out->type, "does not fit in");
            ((float *)out->data)[i] = (float)v;
        }
    }
    return true;
}

bool array_convert(Input *in, const Array *x, ArrayType type, Array *out)
{
    if (x->type == type) {
        *out = *x;
        return true;
    }
    if (type == ARRAY_f16 || type == ARRAY_bf16)
        return input_fail(in, "%s cannot be made %s", array_text(in->arena, x), array_types[type].name);
    Array y = array_new(in->arena, type, x->rank, x->shape);
    y.name = x->name;
    y.classes = x->classes;
    y.class_name = x->class_name;
    bool from = array_types[x->type].real, to = array_types[type].real;
    bool (*const convert[2][2])(Input *, const Array *, Array *) = {{integers_to_integers, integers_to_reals},
                                                                    {reals_to_integers, reals_to_reals}};
    if (!convert[from][to](in, x, &y)) return false;
    *out = y;
    return true;
}

bool array_to_f32(Arena *a, const char *file, const Array *x, Array *out, const char **why, int *status)
{
    Input in = {.arena = a, .name = file};
    if (array_convert(&in, x, ARRAY_f32, out)) return true;
    *why = in.why;
    *status = in.status;
    return false;
}

bool array_check_range(Input *in, const Array *x, int64_t low, int64_t high)
{
    for (int64_t i = 0; i < x->elements; i++) {
        int64_t v = integer_at(x, i);
        if (v < low || v >= high || (x->type == ARRAY_u64 && v < 0))
            return input_fail(in, "%s: value %" PRId64 " is not in %" PRId64 "..%" PRId64 " (its end excluded)",
                              element_text(in->arena, x, i), v, low, high);
    }
    return true;
}
