/* idx.c -- the format of MNIST: 0 0 TYPE RANK, big-endian u32 dimensions, big-endian elements. */
#include "io.h"

#include <string.h>

static size_t header_size(const unsigned char *bytes) { return 4 + 4 * (size_t)bytes[3]; }

/* ARRAY_type_count when the byte is no type's. */
static ArrayType type_of(int byte)
{
    int t = 0;
    while (t < ARRAY_type_count && (!byte || array_types[t].idx != byte)) t++;
    return (ArrayType)t;
}

static int64_t dimension(const unsigned char *bytes, int axis)
{
    const unsigned char *p = bytes + 4 + 4 * axis;
    return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void read_shape(const unsigned char *bytes, Array *x)
{
    x->type = type_of(bytes[2]);
    x->rank = bytes[3];
    for (int i = 0; i < x->rank; i++) x->shape[i] = dimension(bytes, i);
}

bool idx_is(const Input *in) { return in->size >= 4 && in->bytes[0] == 0 && in->bytes[1] == 0; }

size_t idx_size(const unsigned char *bytes, size_t n)
{
    if (n < 4 || bytes[0] || bytes[1] || type_of(bytes[2]) == ARRAY_type_count) return 0;
    if (bytes[3] < 1 || bytes[3] > ARRAY_RANK || n < header_size(bytes)) return 0;
    Array x = {0};
    size_t data;
    read_shape(bytes, &x);
    if (!shape_size(x.rank, x.shape, x.type, &x.elements, &data)) return SIZE_MAX;
    return header_size(bytes) + data;
}

bool idx_read(Input *in, Array *out)
{
    const unsigned char *bytes = in->bytes;
    if (in->size < 4) return input_fail(in, "an IDX header takes 4 bytes, the file has %zu", in->size);
    if (bytes[0] || bytes[1])
        return input_fail(in, "byte 0: an IDX file begins with 0 0, not %d %d", bytes[0], bytes[1]);
    if (type_of(bytes[2]) == ARRAY_type_count)
        return input_fail(in, "byte 2: 0x%02X is no IDX type (08 u8, 09 i8, 0B i16, 0C i32, 0D f32, 0E f64)", bytes[2]);
    if (bytes[3] < 1 || bytes[3] > ARRAY_RANK)
        return input_fail(in, "byte 3: %d dimensions, expected 1 to %d", bytes[3], ARRAY_RANK);
    if (in->size < header_size(bytes))
        return input_fail(in, "an IDX header of %d dimensions takes %zu bytes, the file has %zu", bytes[3],
                          header_size(bytes), in->size);
    Array x = {0};
    size_t end = idx_size(bytes, in->size);
    read_shape(bytes, &x);
    if (!input_elements(in, &x, header_size(bytes), true)) return false;
    if (in->size > end)
        return input_fail(in, "byte %zu: the file goes on after the %s that its header promises", end,
                          array_text(in->arena, &x));
    *out = x;
    return true;
}
