/* fuzz_io.c -- hostile bytes to every reader: the first byte picks the reader, the rest is the file. */
#include "../../compiler/io/vocabulary.h"

#include <string.h>

enum { UNPACKED_LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What a reader accepts must be whole: each element is touched. */
static void touch(const Array *x)
{
    volatile double sum = 0;
    for (int64_t i = 0; i < x->elements; i++) sum = sum + array_real(x, i);
    for (int i = 0; i < x->classes; i++) sum = sum + (double)strlen(x->class_name[i]);
}

static bool read_idx(Input *in, Array *x) { return idx_read(in, x); }
static bool read_npy(Input *in, Array *x) { return npy_read(in, x); }
static bool read_gzip(Input *in, Array *x) { return input_unzip(in, UNPACKED_LIMIT) && idx_read(in, x); }

static bool read_tensors(Input *in, Array *x)
{
    Tensors t;
    Text again;
    const char *why;
    if (!safetensors_read(in, &t)) return false;
    for (int i = 0; i < t.n; i++) touch(&t.at[i]);
    if (!safetensors_bytes(in->arena, &t, &again, &why)) internal_error("fuzz", "what was read cannot be written");
    *x = (Array){0};
    return true;
}

/* The rest begins with a spec of columns that ends at a newline. */
static const char *take_columns(Input *in)
{
    const unsigned char *end = in->size ? memchr(in->bytes, '\n', in->size) : NULL;
    if (!end) return NULL;
    size_t n = (size_t)(end - in->bytes);
    const char *columns = arena_strndup(in->arena, (const char *)in->bytes, n);
    in->bytes += n + 1;
    in->size -= n + 1;
    return columns;
}

static bool read_numbers(Input *in, Array *x)
{
    const char *columns = take_columns(in);
    return csv_numbers(in, columns, &(CsvOptions){0}, ARRAY_f32, x);
}

static bool read_labels(Input *in, Array *x)
{
    const char *columns = take_columns(in);
    return csv_labels(in, columns, &(CsvOptions){0}, 0, 3, NULL, x);
}

static bool read_float_data(Input *in, Array *x)
{
    const DataWant want = {.type = ARRAY_f32, .shaped = true, .rank = 2, .shape = {1, 2}};
    const char *part = take_columns(in);
    return data_read(in, part && *part ? part : NULL, &want, x);
}

static bool read_class_data(Input *in, Array *x)
{
    const DataWant want = {.type = ARRAY_u8, .ranged = true, .high = 4};
    const char *part = take_columns(in);
    return data_read(in, part && *part ? part : NULL, &want, x);
}

/* Pieces of lines; a text is encoded by them, and by them read back from JSON. */
static bool read_texts(Input *in, Array *x)
{
    const char *why, *part = take_columns(in);
    Texts t = {.in = *in};
    Vocabulary v, again;
    Tokens tokens[2] = {{0}};
    bool good = texts_read(&t, part && *part ? part : NULL, true) && vocabulary_build(&t, true, true, 40, &v);
    *in = t.in;
    *x = (Array){0};
    if (!good) return false;
    if (!vocabulary_read(in->arena, vocabulary_json(in->arena, &v), &again, &why)) internal_error("fuzz", "a vocabulary that is not read back");
    Encoder e[2] = {encoder_new(&v, in), encoder_new(&again, in)};
    for (int i = 0; i < t.at.n; i++)
        if (!encode(&e[0], t.at.at[i], &tokens[0]) || !encode(&e[1], t.at.at[i], &tokens[1])) internal_error("fuzz", "text that is not encoded");
    if (tokens[0].n != tokens[1].n) internal_error("fuzz", "other tokens");
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool (*const readers[])(Input *, Array *) = {
        read_idx, read_npy, read_gzip, read_tensors, read_numbers, read_labels, read_float_data, read_class_data, read_texts,
    };
    if (!size) return 0;
    Arena *arena = arena_new();
    Input in = {.arena = arena, .name = "fuzz", .bytes = bytes + 1, .size = size - 1};
    Array x;
    if (readers[bytes[0] % LENGTH(readers)](&in, &x)) touch(&x);
    else if (!in.why || strchr(in.why, '\n') || in.status != EXIT_model) internal_error("fuzz", "a failure without its line");
    arena_free(arena);
    return 0;
}
