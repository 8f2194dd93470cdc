/* weights.c -- known weights inside the program or beside it. */
#include "code.h"

#include <string.h>

static const double *stored_values(const Unit *u, const Field *f)
{
    double *row_major = NEW_ARRAY(u->arena, double, f->buffer->elements), *stored = NEW_ARRAY(u->arena, double, f->buffer->elements);
    if (!f->node->value) internal_error("emit", "%s has no value to embed", f->name);
    for (int64_t i = 0; i < f->buffer->elements; i++) row_major[i] = (double)f->node->value[i];
    buffer_store_order(f->buffer, row_major, stored);
    return stored;
}

/* ---- the struct's bytes, little-endian ---- */

static void put_little(unsigned char *at, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (unsigned char)(x >> 8 * i);
}

static unsigned char *struct_bytes(const Unit *u)
{
    unsigned char *bytes = arena_alloc(u->arena, (size_t)u->weights_bytes);
    for (int i = 0; i < u->weights.n; i++) {
        const Field *f = &u->weights.at[i];
        const double *v = stored_values(u, f);
        for (int64_t k = 0; k < f->buffer->elements; k++) {
            float single = (float)v[k];
            uint32_t bits;
            uint64_t wide;
            memcpy(&bits, &single, sizeof bits);
            memcpy(&wide, &v[k], sizeof wide);
            put_little(bytes + f->offset + k * (u->f64 ? 8 : 4), u->f64 ? wide : bits, u->f64 ? 8 : 4);
        }
    }
    return bytes;
}

static uint32_t crc32_of(const unsigned char *p, size_t n)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

/* 64 bytes before the struct: "netcw1\0\0", model hash, byte count, CRC-32 of the struct, zeros. Little-endian. */
static void add_bin(const Unit *u, const ApiNames *names, Emitted *out)
{
    size_t n = (size_t)u->weights_bytes;
    unsigned char *all = arena_alloc(u->arena, n + 64), *bytes = struct_bytes(u);
    memcpy(all, "netcw1", 6);
    put_little(all + 8, names->hash, 8);
    put_little(all + 16, n, 8);
    put_little(all + 24, crc32_of(bytes, n), 4);
    memcpy(all + 64, bytes, n);
    EmittedFile file = {arena_printf(u->arena, "%s_weights.bin", u->net), (const char *)all, n + 64};
    vec_push(u->arena, &out->file, file);
}

static void add_text(const Unit *u, Emitted *out, const char *name, const char *text)
{
    EmittedFile file = {name, text, strlen(text)};
    vec_push(u->arena, &out->file, file);
}

void add_runtime(const Unit *u, Emitted *out, const char *name)
{
    static const char *const ends[] = {".h", ".c"};
    for (size_t i = 0; i < LENGTH(ends); i++) {
        const char *file = arena_printf(u->arena, "%s%s", name, ends[i]);
        add_text(u, out, file, pasted_text(file));
    }
}

/* ---- C text ---- */

static void write_values(Writer *w, const Unit *u, const Field *f)
{
    const double *v = stored_values(u, f);
    for (int64_t i = 0; i < f->buffer->elements;) {
        Text line = {.arena = u->arena};
        for (int k = 0; i < f->buffer->elements && k < 8 && line.n < 96; k++, i++) {
            if (k) text_putc(&line, ' ');
            text_real(&line, v[i], u->f64);
            text_putc(&line, ',');
        }
        write_line(w, "%s", line.s);
    }
}

static void write_inline(Writer *w, const Unit *u, const ApiNames *names)
{
    write_line(w, "#include <math.h>");
    write_blank(w);
    write_open(w, "const %s_weights %s_trained =", u->net, u->net);
    for (int i = 0; i < u->weights.n; i++) {
        write_open(w, ".%s =", names->weight[i]);
        write_values(w, u, &u->weights.at[i]);
        w->depth--;
        write_line(w, "},");
    }
    if (!u->weights.n) write_line(w, ".nothing = { 0 }");
    w->depth--;
    write_line(w, "};");
}

/* Bytes from *at on, until a line of about `width` is full: octal where they cannot be printed, three digits where one follows. */
static void escape(Text *line, const unsigned char *p, size_t n, size_t *at, size_t width)
{
    for (size_t i = *at; *at < n && *at < i + 4096 && line->n < width; ++*at) {
        const unsigned char c = p[*at];
        bool digit = *at + 1 < n && p[*at + 1] >= '0' && p[*at + 1] <= '7';
        if (c >= 32 && c < 127 && c != '"' && c != '\\' && c != '?') text_putc(line, (char)c);
        else if (c == '"' || c == '\\' || c == '?') text_printf(line, "\\%c", c);
        else text_printf(line, digit ? "\\%03o" : "\\%o", (unsigned)c);
    }
}

static void write_string(Writer *w, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        Text line = {.arena = w->text.arena};
        escape(&line, p, n, &i, 108);
        text_puts(&w->text, "    \"");
        text_add(&w->text, line.s, line.n);
        text_puts(&w->text, "\"\n");
    }
}

static void write_little_check(Writer *w)
{
    write_line(w, "#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__");
    write_line(w, "#error \"these bytes are for little-endian machines\"");
    write_line(w, "#endif");
    write_blank(w);
}

static void write_packed(Writer *w, const Unit *u)
{
    write_little_check(w);
    write_line(w, "#pragma GCC diagnostic ignored \"-Woverlength-strings\"");
    write_blank(w);
    write_line(w, "const %s_packed %s_trained_packed = { .bytes =", u->net, u->net);
    write_string(w, struct_bytes(u), (size_t)u->weights_bytes);
    write_line(w, "};");
}

static void write_incbin(Writer *w, const Unit *u)
{
    const char *upper = name_upper(u->arena, u->net);
    write_little_check(w);
    write_line(w, "#ifndef %s_WEIGHTS_BIN", upper);
    write_line(w, "#define %s_WEIGHTS_BIN \"%s_weights.bin\"", upper, u->net);
    write_line(w, "#endif");
    write_blank(w);
    write_line(w, "#define TEXT_OF(x) #x");
    write_line(w, "#define SYMBOL_OF(prefix) TEXT_OF(prefix) \"%s_trained\"", u->net);
    write_line(w, "#define SYMBOL SYMBOL_OF(__USER_LABEL_PREFIX__)");
    write_blank(w);
    write_line(w, "/* The first 64 bytes of the file are its header. */");
    write_line(w, "__asm__(");
    w->depth++;
    write_line(w, "\".pushsection .rodata\\n\"");
    write_line(w, "\".balign 64\\n\"");
    write_line(w, "\".globl \" SYMBOL \"\\n\"");
    write_line(w, "\".type \" SYMBOL \", %%object\\n\"");
    write_line(w, "SYMBOL \":\\n\"");
    write_line(w, "\".incbin \\\"\" %s_WEIGHTS_BIN \"\\\", 64\\n\"", upper);
    write_line(w, "\".size \" SYMBOL \", %lld\\n\"", (long long)u->weights_bytes);
    write_line(w, "\".popsection\\n\");");
    w->depth--;
}

void vocabulary_write(const Unit *u, const ApiNames *names, Emitted *out)
{
    if (!u->vocabulary || u->embed == EMBED_none) return;
    Writer w = {.text.arena = u->arena};
    const char *name = arena_printf(u->arena, "%s_vocabulary.c", u->net);
    text_puts(&w.text, banner(u, name, "what each token stands for.", names->hash));
    write_line(&w, "#include \"%s.h\"", u->net);
    write_blank(&w);
    write_open(&w, "const char *const %s_vocabulary[%s_VOCABULARY] =", u->net, name_upper(u->arena, u->net));
    for (int i = 0; i < u->n_vocabulary;) {
        Text line = {.arena = u->arena};
        for (; i < u->n_vocabulary && line.n < 100; i++) {
            const char *s = u->vocabulary[i];
            size_t at = 0;
            text_puts(&line, line.n ? " \"" : "\"");
            escape(&line, (const unsigned char *)s, strlen(s), &at, SIZE_MAX);
            text_puts(&line, "\",");
        }
        write_line(&w, "%s", line.s);
    }
    w.depth--;
    write_line(&w, "};");
    add_text(u, out, name, text_string(&w.text));
}

void weights_write(const Unit *u, const ApiNames *names, Emitted *out)
{
    if (u->embed == EMBED_none) return;
    if (u->embed == EMBED_file || u->embed == EMBED_incbin) add_bin(u, names, out);
    if (u->embed == EMBED_file) {
        add_runtime(u, out, "netc_load");
        return;
    }
    Writer w = {.text.arena = u->arena};
    const char *name = arena_printf(u->arena, "%s_weights.c", u->net);
    text_puts(&w.text, banner(u, name, "the trained weights.", names->hash));
    write_line(&w, "#include \"%s.h\"", u->net);
    write_blank(&w);
    if (u->embed == EMBED_inline) write_inline(&w, u, names);
    if (u->embed == EMBED_string) write_packed(&w, u);
    if (u->embed == EMBED_incbin) write_incbin(&w, u);
    add_text(u, out, name, text_string(&w.text));
}
