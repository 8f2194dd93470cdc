/* texts.c -- the texts of a file: UTF-8 as a whole, a part of it, line by line, or the cells of a CSV column. */
#include "vocabulary.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* https://www.rfc-editor.org/rfc/rfc3629 */

int utf8_length(const char *text, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    const int n = !left || !s[0] ? 0 : s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
    if (n < 2 || (size_t)n > left) return (size_t)n > left ? 0 : n;
    uint32_t x = s[0] & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        x = x << 6 | (s[i] & 0x3f);
    }
    return x >= least[n] && x <= 0x10ffff && x >> 11 != 0x1b ? n : 0;
}

bool text_fail(Input *in, const char *at, const char *fmt, ...)
{
    char message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    const char *begin = (const char *)in->bytes;
    if (!begin || at < begin || at >= begin + in->size) return input_fail(in, "%s", message);
    size_t line = 1, column = 1;
    for (const char *p = begin; p < at; p++) {
        column += ((unsigned char)*p & 0xc0) != 0x80;
        if (*p == '\n') line++, column = 1;
    }
    Input place = *in;
    place.name = arena_printf(in->arena, "%s:%zu:%zu", in->name, line, column);
    input_fail(&place, "%s", message);
    in->why = place.why;
    in->status = place.status;
    return false;
}

static bool check_utf8(Input *in)
{
    const char *s = (const char *)in->bytes;
    if (in->size >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) {   /* a byte order mark */
        in->bytes += 3;
        in->size -= 3;
        s += 3;
    }
    for (size_t i = 0; i < in->size;) {
        int n = utf8_length(s + i, in->size - i);
        if (!n) return text_fail(in, s + i, "byte 0x%02X: this is not text in UTF-8", (unsigned char)s[i]);
        i += (size_t)n;
    }
    return true;
}

/* ---- a part by its bytes ---- */

/* "", or a number of percent that ends in %. */
static bool read_percent(const char *s, size_t n, double otherwise, double *out)
{
    char text[16], *end;
    *out = otherwise;
    if (!n) return true;
    if (n < 2 || n >= sizeof text || s[n - 1] != '%' || !isdigit((unsigned char)s[0])) return false;
    memcpy(text, s, n - 1);
    text[n - 1] = '\0';
    *out = strtod(text, &end);
    return !*end && *out >= 0 && *out <= 100;
}

/* The first line (or character) that begins at that share of the bytes or behind it. */
static size_t boundary(const Input *in, double percent, bool lines)
{
    size_t at = (size_t)((double)in->size * percent / 100);
    if (at > in->size) at = in->size;
    if (lines) while (at > 0 && at < in->size && in->bytes[at - 1] != '\n') at++;
    else while (at < in->size && (in->bytes[at] & 0xc0) == 0x80) at++;
    return at;
}

static bool read_part(Input *in, const char *part, bool lines, Slice *out)
{
    double from, to;
    const char *colon = strchr(part, ':');
    if (!colon || !read_percent(part, (size_t)(colon - part), 0, &from) || !read_percent(colon + 1, strlen(colon + 1), 100, &to) || from >= to)
        return input_fail(in, "[%s]: a part of the text is expected, as in [:90%%] or [90%%:]", part);
    size_t begin = boundary(in, from, lines), end = boundary(in, to, lines);
    *out = (Slice){(const char *)in->bytes + begin, end - begin};
    return true;
}

/* ---- lines ---- */

/* Without their ends; empty ones are passed over. */
static void add_lines(Texts *t, Slice text, bool asked)
{
    const char *s = text.s, *end = text.s + text.n;
    for (const char *next; s < end; s = next) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        if (stop > s && stop[-1] == '\r') stop--;
        if (stop == s) continue;
        if (asked) vec_push(t->in.arena, &t->at, (Slice){s, (size_t)(stop - s)});
        else vec_push(t->in.arena, &t->all, (Slice){s, (size_t)(stop - s)});
    }
}

static void add_cell(Texts *t, const Cell *cell)
{
    Slice x = {cell->s, cell->n};
    if (cell->quoted && memchr(cell->s, '"', cell->n)) {
        x.s = cell_string(t->in.arena, cell);
        x.n = strlen(x.s);
    }
    vec_push(t->in.arena, &t->at, x);
    vec_push(t->in.arena, &t->all, x);
}

static bool split(Texts *t, const char *part, bool lines)
{
    const Slice whole = {(const char *)t->in.bytes, t->in.size};
    Slice asked = whole;
    if (lines && part && !strchr(part, '%')) {
        Cell *cell;
        int64_t n;
        if (!csv_column(&t->in, part, &(CsvOptions){0}, &cell, &n)) return false;
        for (int64_t i = 0; i < n; i++) add_cell(t, &cell[i]);
    } else {
        if (part && !read_part(&t->in, part, lines, &asked)) return false;
        if (lines) {
            add_lines(t, whole, false);
            add_lines(t, asked, true);
        } else {
            vec_push(t->in.arena, &t->all, whole);
            vec_push(t->in.arena, &t->at, asked);
        }
    }
    return t->at.n > 0 || input_fail(&t->in, "there is no text in it");
}

bool texts_read(Texts *t, const char *part, bool lines) { return check_utf8(&t->in) && split(t, part, lines); }

bool texts_load(Arena *a, const char *spec, bool lines, Texts *out, const char **why, int *status)
{
    const char *path, *part;
    *out = (Texts){0};
    spec_split(a, spec, &path, &part);
    if (input_read(&out->in, a, path, INPUT_LIMIT) && texts_read(out, part, lines)) return true;
    *why = out->in.why;
    *status = out->in.status;
    return false;
}
