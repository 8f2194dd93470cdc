/* npy.c -- NumPy's .npy: a Python dict literal as the header, then the elements. */
#include "io.h"

#include <inttypes.h>
#include <string.h>

/* https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */

enum { MAGIC_BYTES = 6, NPY_ALIGNMENT = 64, HEADER_LIMIT = 65536 };
static const char magic[] = "\x93NUMPY";

bool npy_is(const Input *in) { return in->size >= MAGIC_BYTES && memcmp(in->bytes, magic, MAGIC_BYTES) == 0; }

/* ---- the header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ---- */

typedef struct Header {
    Input *in;
    size_t at, end;     /* what is left of the header, in the file's bytes */
    bool seen_descr, seen_order, seen_shape;
    bool big, fortran;
    Array x;            /* its type and shape */
} Header;

static int peek(Header *h)
{
    while (h->at < h->end && strchr(" \t\n", h->in->bytes[h->at]) && h->in->bytes[h->at]) h->at++;
    return h->at < h->end ? h->in->bytes[h->at] : -1;
}

static bool expected(Header *h, const char *what)
{
    int c = peek(h);
    if (c < 0) return input_fail(h->in, "byte %zu: the NPY header ends where %s is expected", h->at, what);
    return input_fail(h->in, "byte %zu: the NPY header has '%c' where %s is expected", h->at, c, what);
}

static bool accept(Header *h, int c)
{
    if (peek(h) != c) return false;
    h->at++;
    return true;
}

static bool expect(Header *h, int c)
{
    const char what[] = {'\'', (char)c, '\'', '\0'};
    return accept(h, c) || expected(h, what);
}

/* A string without escapes, of at most 31 bytes. */
static bool read_string(Header *h, char text[32], const char *what)
{
    int quote = peek(h), n = 0;
    if (quote != '\'' && quote != '"') return expected(h, what);
    for (h->at++; h->at < h->end && h->in->bytes[h->at] != quote; h->at++) {
        if (n == 31 || h->in->bytes[h->at] == '\\' || !h->in->bytes[h->at]) return expected(h, what);
        text[n++] = (char)h->in->bytes[h->at];
    }
    text[n] = '\0';
    return expect(h, quote);
}

static bool read_descr(Header *h)
{
    char text[32];
    if (peek(h) == '[') return input_fail(h->in, "byte %zu: structured NPY types are not supported", h->at);
    if (!read_string(h, text, "a type such as '<f4'")) return false;
    int t = 0;
    while (t < ARRAY_type_count && !(array_types[t].npy && text[0] && strcmp(array_types[t].npy, text + 1) == 0)) t++;
    if (t == ARRAY_type_count || !strchr("<>=|", text[0]) || (text[0] == '|' && array_types[t].bytes > 1))
        return input_fail(h->in, "the NPY type '%s' is not supported (f2 f4 f8, i1 to i8, u1 to u8, b1 are)", text);
    h->x.type = (ArrayType)t;
    h->big = text[0] == '>' || (text[0] == '=' && host_is_big());
    return true;
}

static bool accept_word(Header *h, const char *word)
{
    size_t n = strlen(word);
    peek(h);
    if (h->end - h->at < n || memcmp(h->in->bytes + h->at, word, n) != 0) return false;
    h->at += n;
    return true;
}

static bool read_order(Header *h)
{
    h->fortran = accept_word(h, "True");
    return h->fortran || accept_word(h, "False") || expected(h, "True or False");
}

static bool read_dimension(Header *h)
{
    int64_t n = 0;
    if (h->x.rank == ARRAY_RANK) return input_fail(h->in, "an NPY array of more than %d dimensions", ARRAY_RANK);
    if (peek(h) < '0' || peek(h) > '9') return expected(h, "a dimension");
    for (; h->at < h->end && h->in->bytes[h->at] >= '0' && h->in->bytes[h->at] <= '9'; h->at++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, h->in->bytes[h->at] - '0', &n))
            return input_fail(h->in, "byte %zu: the dimension is too large", h->at);
    h->x.shape[h->x.rank++] = n;
    return true;
}

/* (), (3,), (3, 4) or (3, 4,) */
static bool read_tuple(Header *h)
{
    bool comma = true;
    if (!expect(h, '(')) return false;
    while (peek(h) != ')') {
        if (!comma) return expected(h, "',' or ')'");
        if (!read_dimension(h)) return false;
        comma = accept(h, ',');
    }
    if (h->x.rank == 1 && !comma) return expected(h, "','");
    return expect(h, ')');
}

static bool read_pair(Header *h)
{
    char key[32];
    const struct { const char *key; bool *seen; bool (*read)(Header *); } keys[] = {
        {"descr", &h->seen_descr, read_descr},
        {"fortran_order", &h->seen_order, read_order},
        {"shape", &h->seen_shape, read_tuple},
    };
    if (!read_string(h, key, "a key") || !expect(h, ':')) return false;
    for (size_t i = 0; i < LENGTH(keys); i++)
        if (strcmp(key, keys[i].key) == 0) {
            if (*keys[i].seen) return input_fail(h->in, "the NPY header has '%s' twice", key);
            *keys[i].seen = true;
            return keys[i].read(h);
        }
    return input_fail(h->in, "the NPY header has an unknown key '%s'", key);
}

static bool read_dict(Header *h)
{
    bool comma = true;
    if (!expect(h, '{')) return false;
    while (peek(h) != '}') {
        if (!comma) return expected(h, "',' or '}'");
        if (!read_pair(h)) return false;
        comma = accept(h, ',');
    }
    h->at++;
    if (peek(h) >= 0) return expected(h, "its end");
    if (h->seen_descr && h->seen_order && h->seen_shape) return true;
    return input_fail(h->in, "the NPY header lacks '%s'",
                      !h->seen_descr ? "descr" : !h->seen_order ? "fortran_order" : "shape");
}

/* Where the dict begins and ends. */
static bool read_preamble(Input *in, Header *h)
{
    const unsigned char *p = in->bytes;
    if (!npy_is(in)) return input_fail(in, "byte 0: this is not an NPY file");
    if (in->size < 12) return input_fail(in, "an NPY header takes at least 12 bytes, the file has %zu", in->size);
    if (p[6] < 1 || p[6] > 3) return input_fail(in, "byte 6: NPY version %d, expected 1, 2 or 3", p[6]);
    size_t length = p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    h->at = p[6] > 1 ? 12 : 10;
    if (length > HEADER_LIMIT || length > in->size - h->at)
        return input_fail(in, "byte 8: the NPY header says it has %zu bytes, but %zu follow", length, in->size - h->at);
    h->end = h->at + length;
    return true;
}

/* Element (i, j, k) lies at i + rows (j + columns k): walk in row-major order and keep the offset beside. */
static void transpose(Input *in, Array *x)
{
    size_t width = (size_t)array_types[x->type].bytes;
    int64_t stride[ARRAY_RANK], at[ARRAY_RANK] = {0}, offset = 0, step = 1;
    for (int i = 0; i < x->rank; i++, step *= x->shape[i - 1]) stride[i] = step;
    unsigned char *to = arena_alloc(in->arena, (size_t)x->elements * width);
    for (int64_t n = 0; n < x->elements; n++) {
        memcpy(to + (size_t)n * width, (unsigned char *)x->data + (size_t)offset * width, width);
        int axis = x->rank - 1;
        for (; axis >= 0 && ++at[axis] == x->shape[axis]; axis--) {
            offset -= stride[axis] * (at[axis] - 1);
            at[axis] = 0;
        }
        if (axis >= 0) offset += stride[axis];
    }
    x->data = to;
}

bool npy_read(Input *in, Array *out)
{
    Header h = {.in = in};
    if (!read_preamble(in, &h) || !read_dict(&h) || !input_elements(in, &h.x, h.end, h.big)) return false;
    size_t end = h.end + (size_t)h.x.elements * (size_t)array_types[h.x.type].bytes;
    if (in->size > end)
        return input_fail(in, "byte %zu: the file goes on after the %s that its header promises", end,
                          array_text(in->arena, &h.x));
    if (h.fortran && h.x.rank > 1 && h.x.elements) transpose(in, &h.x);
    *out = h.x;
    return true;
}

/* ---- writing ---- */

Text npy_bytes(Arena *a, const Array *x)
{
    const ArrayTypeInfo *type = &array_types[x->type];
    if (!type->npy) internal_error("npy", "no NPY type for %s", type->name);
    Text dict = {.arena = a}, file = {.arena = a};
    text_printf(&dict, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", type->bytes > 1 ? '<' : '|', type->npy);
    for (int i = 0; i < x->rank; i++) text_printf(&dict, i ? ", %" PRId64 : "%" PRId64, x->shape[i]);
    text_puts(&dict, x->rank == 1 ? ",), }" : "), }");
    while ((MAGIC_BYTES + 4 + dict.n + 1) % NPY_ALIGNMENT) text_putc(&dict, ' ');
    text_putc(&dict, '\n');
    const char preamble[] = {1, 0, (char)(dict.n & 255), (char)(dict.n >> 8)};
    text_add(&file, magic, MAGIC_BYTES);
    text_add(&file, preamble, sizeof preamble);
    text_add(&file, dict.s, dict.n);
    size_t bytes = (size_t)x->elements * (size_t)type->bytes;
    const void *data = x->data;
    if (host_is_big() && bytes) {
        void *swapped = arena_alloc(a, bytes);
        bytes_swap(swapped, x->data, x->elements, type->bytes);
        data = swapped;
    }
    text_add(&file, data, bytes);
    return file;
}

bool npy_write(Arena *a, const char *path, const Array *x, const char **why)
{
    Text file = npy_bytes(a, x);
    return file_write(a, path, file.s, file.n, why);
}
