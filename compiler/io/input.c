/* input.c -- a file's bytes: read, unpacked where gzip'ed, turned to the host's byte order. */
#include "io.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

bool host_is_big(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 0;
}

void bytes_swap(void *to, const void *from, int64_t elements, int width)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    for (int64_t i = 0; i < elements; i++, t += width, f += width)
        for (int k = 0; k < width; k++) t[k] = f[width - 1 - k];
}

bool input_fail(Input *in, const char *fmt, ...)
{
    Text t = {.arena = in->arena};
    char message[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    text_printf(&t, "%s: %s", in->name, message);
    for (size_t i = 0; i < t.n; i++)  /* names and cells of a hostile file shall not steer a terminal */
        if ((unsigned char)t.s[i] < ' ' || t.s[i] == 127) t.s[i] = '?';
    in->why = t.s;
    in->status = EXIT_model;
    return false;
}

bool input_elements(Input *in, Array *x, size_t offset, bool big)
{
    size_t bytes, rest = in->size - offset;
    if (!shape_size(x->rank, x->shape, x->type, &x->elements, &bytes))
        return input_fail(in, "the header's shape is too large");
    if (bytes > rest)
        return input_fail(in, "byte %zu: the header promises %s, which takes %zu bytes, but %zu follow", offset,
                          array_text(in->arena, x), bytes, rest);
    const unsigned char *from = in->bytes + offset;
    for (size_t i = 0; x->type == ARRAY_bool && i < bytes; i++)
        if (from[i] > 1) return input_fail(in, "byte %zu: a bool of %d", offset + i, from[i]);
    size_t width = (size_t)array_types[x->type].bytes;
    bool swap = width > 1 && big != host_is_big();
    if (!swap && (uintptr_t)from % width == 0) {
        x->data = (void *)(uintptr_t)from;
        return true;
    }
    x->data = arena_alloc(in->arena, bytes);
    if (swap) bytes_swap(x->data, from, x->elements, (int)width);
    else if (bytes) memcpy(x->data, from, bytes);
    return true;
}

/* ---- gzip ---- */

enum {
    PEEK_BYTES = 256,     /* an IDX header is shorter */
    DEFLATE_RATIO = 1032  /* deflate never packs better than this */
};

typedef struct Unzip {
    z_stream z;
    const unsigned char *next;  /* packed bytes that zlib was not given yet */
    size_t left;
    unsigned char *out;
    size_t n, cap;
} Unzip;

static uInt chunk(size_t n) { return n < INT_MAX ? (uInt)n : INT_MAX; }

/* Inflates until `out` is full or the packed bytes end. Z_OK: full; Z_STREAM_END: all done. */
static int unzip_fill(Unzip *u)
{
    int code = Z_OK;
    while (u->n < u->cap) {
        if (!u->z.avail_in) {
            u->z.next_in = (Bytef *)(uintptr_t)u->next;
            u->z.avail_in = chunk(u->left);
            u->next += u->z.avail_in;
            u->left -= u->z.avail_in;
        }
        uInt room = chunk(u->cap - u->n);
        u->z.next_out = u->out + u->n;
        u->z.avail_out = room;
        code = inflate(&u->z, Z_NO_FLUSH);
        u->n += room - u->z.avail_out;
        if (code == Z_STREAM_END) {  /* another member may follow, as `cat a.gz b.gz` makes */
            if (!u->z.avail_in && !u->left) return Z_STREAM_END;
            if ((code = inflateReset(&u->z)) != Z_OK) return code;
        } else if (code != Z_OK) {
            return code;
        }
    }
    return Z_OK;
}

/* Room for `size` bytes, one more to see whether there are more, and the NUL that file_read's bytes have too. */
static void unzip_grow(Input *in, Unzip *u, size_t size)
{
    unsigned char *more = arena_alloc(in->arena, size + 2);
    if (u->n) memcpy(more, u->out, u->n);
    u->out = more;
    u->cap = size + 1;
}

/* The size in the last four bytes (of the last member, modulo 2^32), as far as the packed size makes it possible. */
static size_t unzip_hint(const Input *in, size_t limit)
{
    const unsigned char *end = in->bytes + in->size;
    size_t said = in->size < 18 ? 0 : end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
    size_t possible = in->size < SIZE_MAX / DEFLATE_RATIO ? in->size * DEFLATE_RATIO : SIZE_MAX;
    size_t hint = said < possible ? said : possible;
    if (hint > limit) hint = limit;
    return hint < PEEK_BYTES ? PEEK_BYTES : hint;
}

static bool unzip_failed(Input *in, const Unzip *u, int code)
{
    if (code == Z_MEM_ERROR) memory_out();
    size_t at = in->size - u->left - u->z.avail_in;
    if (code == Z_BUF_ERROR) return input_fail(in, "byte %zu: the gzip'ed data end too early (truncated file?)", at);
    return input_fail(in, "byte %zu: the gzip'ed data are damaged: %s", at, u->z.msg ? u->z.msg : "not gzip");
}

static bool too_large(Input *in, size_t limit)
{
    return input_fail(in, "too large: at most %zu unpacked bytes are read", limit);
}

static bool unzip_all(Input *in, Unzip *u, size_t limit)
{
    unzip_grow(in, u, PEEK_BYTES);
    int code = unzip_fill(u);
    size_t promised = code == Z_OK ? idx_size(u->out, u->n) : 0;
    if (promised > limit || (promised / DEFLATE_RATIO > in->size))
        return input_fail(in, "the header promises more than a gzip'ed file of %zu bytes can hold (or than %zu bytes, "
                              "the limit)", in->size, limit);
    if (code == Z_OK) unzip_grow(in, u, promised > PEEK_BYTES ? promised : unzip_hint(in, limit));
    while (code == Z_OK && (code = unzip_fill(u)) == Z_OK) {
        if (u->n > limit) return too_large(in, limit);
        if (promised && u->n > promised)
            return input_fail(in, "the file goes on after the %zu bytes that its header promises", promised);
        unzip_grow(in, u, u->cap > limit / 2 ? limit : u->cap * 2);
    }
    if (code != Z_STREAM_END) return unzip_failed(in, u, code);
    if (u->n > limit) return too_large(in, limit);
    u->out[u->n] = '\0';
    in->bytes = u->out;
    in->size = u->n;
    return true;
}

bool input_unzip(Input *in, size_t limit)
{
    Unzip u = {.next = in->bytes, .left = in->size};
    if (inflateInit2(&u.z, 15 + 16) != Z_OK) memory_out();  /* 16: gzip, nothing else */
    bool good = unzip_all(in, &u, limit);
    inflateEnd(&u.z);
    return good;
}

static bool gzip_is(const Input *in) { return in->size >= 2 && in->bytes[0] == 0x1f && in->bytes[1] == 0x8b; }

bool input_read(Input *in, Arena *a, const char *path, size_t limit)
{
    *in = (Input){.arena = a, .name = path};
    in->bytes = (unsigned char *)file_read(a, path, limit, &in->size, &in->why, &in->status);
    if (!in->bytes) return false;
    return !gzip_is(in) || input_unzip(in, limit);
}
