/* safetensors.c -- named tensors: u64 header length, a JSON header, the data; nothing overlaps, nothing is left over. */
#include "io.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* https://huggingface.co/docs/safetensors */

enum {
    ALIGNMENT = 8,
    HEADER_LIMIT = 16 << 20  /* 100,000 tensors; a parsed header takes twenty times as much */
};

typedef struct Extent { size_t begin, end; int tensor; } Extent;

typedef struct Reader {
    Input *in;
    size_t data;      /* where the data begin */
    Tensors *out;
    Extent *extent;   /* [out->n], relative to `data` */
} Reader;

static uint64_t little64(const unsigned char *p)
{
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

bool safetensors_is(const Input *in)
{
    return in->size >= 10 && in->bytes[8] == '{' && little64(in->bytes) >> 40 == 0;  /* eight letters are more */
}

static bool natural(const json_t *value, int64_t *n)
{
    *n = json_integer_value(value);
    return json_is_integer(value) && *n >= 0;
}

static bool read_type(Reader *r, const char *name, const json_t *value, Array *x)
{
    const char *text = json_string_value(value);
    int t = 0;
    if (!text) return input_fail(r->in, "tensor %s: no \"dtype\" string", name);
    while (t < ARRAY_type_count && strcmp(array_types[t].safetensors, text) != 0) t++;
    if (t == ARRAY_type_count) return input_fail(r->in, "tensor %s: the type \"%s\" is not supported", name, text);
    x->type = (ArrayType)t;
    return true;
}

static bool read_shape(Reader *r, const char *name, const json_t *value, Array *x)
{
    if (!json_is_array(value)) return input_fail(r->in, "tensor %s: no \"shape\" array", name);
    size_t rank = json_array_size(value);
    if (rank > ARRAY_RANK) return input_fail(r->in, "tensor %s: %zu dimensions, at most %d", name, rank, ARRAY_RANK);
    x->rank = (int)rank;
    for (size_t i = 0; i < rank; i++)
        if (!natural(json_array_get(value, i), &x->shape[i]))
            return input_fail(r->in, "tensor %s: dimension %zu is no natural number", name, i);
    return true;
}

static bool read_extent(Reader *r, const char *name, const json_t *value, const Array *x, Extent *e)
{
    int64_t begin, end, elements;
    size_t bytes, size = r->in->size - r->data;
    if (json_array_size(value) != 2 || !natural(json_array_get(value, 0), &begin) ||
        !natural(json_array_get(value, 1), &end))
        return input_fail(r->in, "tensor %s: no \"data_offsets\" of two natural numbers", name);
    if (begin > end || (uint64_t)end > size)
        return input_fail(r->in, "tensor %s: its data_offsets %" PRId64 ", %" PRId64 " are not within the %zu bytes of data",
                          name, begin, end, size);
    if (!shape_size(x->rank, x->shape, x->type, &elements, &bytes))
        return input_fail(r->in, "tensor %s: its shape is too large", name);
    if (bytes != (size_t)(end - begin))
        return input_fail(r->in, "tensor %s: %s takes %zu bytes, but its data_offsets span %" PRId64, name,
                          array_text(r->in->arena, x), bytes, end - begin);
    e->begin = (size_t)begin;
    e->end = (size_t)end;
    return true;
}

static bool read_tensor(Reader *r, const char *name, const json_t *entry)
{
    Array *x = &r->out->at[r->out->n];
    Extent *e = &r->extent[r->out->n];
    if (!json_is_object(entry)) return input_fail(r->in, "tensor %s: the entry is no JSON object", name);
    if (!read_type(r, name, json_object_get(entry, "dtype"), x) ||
        !read_shape(r, name, json_object_get(entry, "shape"), x) ||
        !read_extent(r, name, json_object_get(entry, "data_offsets"), x, e))
        return false;
    if (json_object_size(entry) != 3)
        return input_fail(r->in, "tensor %s: more than dtype, shape and data_offsets", name);
    x->name = arena_strdup(r->in->arena, name);
    e->tensor = r->out->n++;
    return input_elements(r->in, x, r->data + e->begin, false);
}

static bool read_metadata(Reader *r, json_t *object)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return input_fail(r->in, "__metadata__ is no JSON object");
    const char **pairs = NEW_ARRAY(r->in->arena, const char *, 2 * json_object_size(object) + 1);
    r->out->metadata = pairs;
    json_object_foreach(object, key, value) {
        if (!json_is_string(value)) return input_fail(r->in, "__metadata__: the value of %s is no string", key);
        *pairs++ = arena_strdup(r->in->arena, key);
        *pairs++ = arena_strdup(r->in->arena, json_string_value(value));
        r->out->metadata_pairs++;
    }
    return true;
}

static int by_begin(const void *left, const void *right)
{
    const Extent *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return a->tensor < b->tensor ? -1 : 1;
}

/* Each byte of data belongs to one tensor: no overlap, no hole. */
static bool check_extents(Reader *r)
{
    size_t at = 0, size = r->in->size - r->data;
    if (r->out->n) qsort(r->extent, (size_t)r->out->n, sizeof *r->extent, by_begin);
    for (int i = 0; i < r->out->n; i++) {
        const Extent *e = &r->extent[i];
        const char *name = r->out->at[e->tensor].name;
        if (e->begin < at) return input_fail(r->in, "tensor %s: overlaps tensor %s", name,
                                             r->out->at[e[-1].tensor].name);
        if (e->begin > at)
            return input_fail(r->in, "data byte %zu: %zu bytes before tensor %s belong to none", at, e->begin - at, name);
        at = e->end;
    }
    return at == size || input_fail(r->in, "data byte %zu: the last %zu bytes belong to no tensor", at, size - at);
}

static bool read_header(Reader *r, json_t *root)
{
    const char *name;
    json_t *entry;
    if (!json_is_object(root)) return input_fail(r->in, "the header is no JSON object");
    r->out->at = NEW_ARRAY(r->in->arena, Array, json_object_size(root) + 1);
    r->extent = NEW_ARRAY(r->in->arena, Extent, json_object_size(root) + 1);
    json_object_foreach(root, name, entry) {
        bool good = strcmp(name, "__metadata__") == 0 ? read_metadata(r, entry) : read_tensor(r, name, entry);
        if (!good) return false;
    }
    return check_extents(r);
}

bool safetensors_read(Input *in, Tensors *out)
{
    if (in->size < 8) return input_fail(in, "a safetensors file has at least 8 bytes, this has %zu", in->size);
    uint64_t length = little64(in->bytes);
    if (length > in->size - 8)
        return input_fail(in, "byte 0: the safetensors header says it has %" PRIu64 " bytes, but %zu follow", length,
                          in->size - 8);
    if (length > HEADER_LIMIT)
        return input_fail(in, "byte 0: a safetensors header of %" PRIu64 " bytes, at most %d are read", length,
                          HEADER_LIMIT);
    json_error_t error;
    *out = (Tensors){0};
    json_t *root = json_loadb((const char *)in->bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory) memory_out();
    if (!root) return input_fail(in, "byte %d: the header is not valid JSON: %s", 8 + error.position, error.text);
    Reader r = {.in = in, .data = 8 + (size_t)length, .out = out};
    bool good = read_header(&r, root);
    json_decref(root);
    return good;
}

bool safetensors_load(Arena *a, const char *path, Tensors *out, const char **why, int *status)
{
    Input in;
    if (input_read(&in, a, path, INPUT_LIMIT) && safetensors_read(&in, out)) return true;
    *why = in.why;
    *status = in.status;
    return false;
}

const Array *tensors_find(const Tensors *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->at[i].name, name) == 0) return &t->at[i];
    return NULL;
}

const char *tensors_metadata(const Tensors *t, const char *key)
{
    for (int i = 0; i < t->metadata_pairs; i++)
        if (strcmp(t->metadata[2 * i], key) == 0) return t->metadata[2 * i + 1];
    return NULL;
}

/* ---- writing ---- */

static json_t *json_or_die(json_t *value)
{
    if (!value) memory_out();
    return value;
}

/* NULL when it is not UTF-8 (or memory ran out). */
static json_t *text_value(const char *s) { return json_stringn(s, strlen(s)); }

/* Takes `value`; false when the key is not UTF-8. */
static bool object_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, json_or_die(value)) == 0;
}

static bool write_metadata(Arena *a, const Tensors *t, json_t *root, const char **why)
{
    json_t *object = json_or_die(json_object());
    object_set(root, "__metadata__", object);
    for (int i = 0; i < t->metadata_pairs; i++) {
        const char *key = t->metadata[2 * i];
        json_t *value = text_value(t->metadata[2 * i + 1]);
        if (!value || !object_set(object, key, value)) {
            *why = arena_printf(a, "the metadata of \"%s\" are not UTF-8", key);
            return false;
        }
    }
    return true;
}

static bool write_entry(Arena *a, const Array *x, json_t *root, size_t *at, const char **why)
{
    if (!x->name) internal_error("safetensors", "a tensor without a name");
    if (strcmp(x->name, "__metadata__") == 0 || json_object_get(root, x->name)) {
        *why = arena_printf(a, "two tensors are named \"%s\"", x->name);
        return false;
    }
    json_t *entry = json_or_die(json_object()), *shape = json_or_die(json_array());
    json_t *extent = json_or_die(json_array());
    size_t end = *at + (size_t)x->elements * (size_t)array_types[x->type].bytes;
    for (int i = 0; i < x->rank; i++) json_array_append_new(shape, json_or_die(json_integer(x->shape[i])));
    json_array_append_new(extent, json_or_die(json_integer((json_int_t)*at)));
    json_array_append_new(extent, json_or_die(json_integer((json_int_t)end)));
    object_set(entry, "dtype", text_value(array_types[x->type].safetensors));
    object_set(entry, "shape", shape);
    object_set(entry, "data_offsets", extent);
    *at = end;
    if (object_set(root, x->name, entry)) return true;
    *why = "a tensor's name is not UTF-8";
    return false;
}

static void write_data(Arena *a, const Array *x, Text *file)
{
    int width = array_types[x->type].bytes;
    size_t bytes = (size_t)x->elements * (size_t)width;
    const void *data = x->data;
    if (host_is_big() && bytes) {
        void *swapped = arena_alloc(a, bytes);
        bytes_swap(swapped, x->data, x->elements, width);
        data = swapped;
    }
    text_add(file, data, bytes);
}

static bool write_root(Arena *a, const Tensors *t, json_t *root, Text *file, const char **why)
{
    size_t data = 0;
    if (t->metadata_pairs && !write_metadata(a, t, root, why)) return false;
    for (int i = 0; i < t->n; i++)
        if (!write_entry(a, &t->at[i], root, &data, why)) return false;
    char *header = json_dumps(root, JSON_COMPACT);
    if (!header) memory_out();
    size_t n = strlen(header), padded = (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    file->cap = 8 + padded + data + 1;
    file->s = arena_alloc(a, file->cap);
    for (int i = 0; i < 8; i++) text_putc(file, (char)((uint64_t)padded >> 8 * i & 255));
    text_add(file, header, n);
    free(header);
    for (; n < padded; n++) text_putc(file, ' ');
    for (int i = 0; i < t->n; i++) write_data(a, &t->at[i], file);
    return true;
}

bool safetensors_bytes(Arena *a, const Tensors *t, Text *out, const char **why)
{
    json_t *root = json_or_die(json_object());
    *out = (Text){.arena = a};
    bool good = write_root(a, t, root, out, why);
    json_decref(root);
    return good;
}

bool safetensors_write(Arena *a, const char *path, const Tensors *t, const char **why, int *status)
{
    Text file;
    *status = EXIT_model;
    if (!safetensors_bytes(a, t, &file, why)) {
        *why = arena_printf(a, "%s: %s", path, *why);
        return false;
    }
    *status = EXIT_io;
    return file_write(a, path, file.s, file.n, why);
}
