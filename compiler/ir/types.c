/* types.c -- element types and shapes; the tables of attributes. */
#include "ir.h"

#include <string.h>

static const struct { const char *name; int bytes; } dtypes[DTYPES] = {
    [DTYPE_f32] = {"f32", 4},
    [DTYPE_i32] = {"i32", 4},
    [DTYPE_u8] = {"u8", 1},
};

const char *const attr_names[ATTR_COUNT] = {
#define ATTR(name, kind, what) [ATTR_##name] = #name,
#include "attrs.def"
};

const AttrKind attr_kinds[ATTR_COUNT] = {
#define ATTR(name, kind, what) [ATTR_##name] = KIND_##kind,
#include "attrs.def"
};

const char *dtype_name(DType t) { return dtypes[t].name; }
int dtype_bytes(DType t) { return dtypes[t].bytes; }

bool dtype_find(const char *name, DType *t)
{
    for (int i = 0; i < DTYPES; i++)
        if (!strcmp(name, dtypes[i].name)) {
            *t = (DType)i;
            return true;
        }
    return false;
}

int64_t shape_elements(Shape s)
{
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++)
        if (s.dim[d] > INT32_MAX || (n *= s.dim[d]) > INT32_MAX) return -1;
    return n;
}

bool shape_equal(Shape a, Shape b)
{
    return a.rank == b.rank && !memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim);
}

const char *shape_text(Arena *a, Shape s)
{
    Text t = {.arena = a};
    text_putc(&t, '[');
    for (int d = 0; d < s.rank; d++) text_printf(&t, "%s%lld", d ? ", " : "", (long long)s.dim[d]);
    text_putc(&t, ']');
    return text_string(&t);
}

Shape shape_tail(Shape s)
{
    Shape tail = {.rank = s.rank ? s.rank - 1 : 0};
    for (int d = 0; d < tail.rank; d++) tail.dim[d] = s.dim[d + 1];
    return tail;
}
