/* diag.c -- offsets to lines and columns; errors with the source line and a caret. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

const Source *sources_add(Sources *s, const char *name, const char *text, size_t size)
{
    if (!s->next) s->next = 1;
    if (size > SOURCE_LIMIT || size > UINT32_MAX - 1 - s->next) return NULL;
    Source *source = NEW(s->arena, Source);
    *source = (Source){.name = name, .text = text, .size = (uint32_t)size, .base = s->next};
    s->next += (uint32_t)size + 1;
    vec_push(s->arena, &s->file, source);
    return source;
}

static const Source *source_at(const Sources *s, uint32_t offset)
{
    for (int i = 0; s && offset && i < s->file.n; i++) {
        const Source *f = s->file.at[i];
        if (offset >= f->base && offset <= f->base + f->size) return f;
    }
    return NULL;
}

bool sources_place(const Sources *s, uint32_t offset, Place *place)
{
    const Source *f = source_at(s, offset);
    if (!f) return false;
    const char *at = f->text + (offset - f->base), *begin = f->text;
    int line = 1;
    for (const char *p = f->text; p < at; p++)
        if (*p == '\n') {
            line++;
            begin = p + 1;
        }
    const char *stop = f->text + f->size, *end = begin;
    while (end < stop && *end != '\n') end++;
    if (end > begin && end > at && end[-1] == '\r') end--;
    *place = (Place){.source = f, .line = line, .column = (int)(at - begin) + 1,
                     .line_text = begin, .line_length = (int)(end - begin)};
    return true;
}

Span span_join(Span a, Span b)
{
    if (!a.begin) return b;
    if (!b.begin) return a;
    return (Span){a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

/* False for the bytes of UTF-8 that go on with a character: they take no column on a screen. */
static bool begins_character(char c) { return ((unsigned char)c & 0xc0) != 0x80; }

/* A long line is shown around the caret; bytes that a terminal would act on become '?'. */
static void print_line(FILE *out, const Place *p, uint32_t span_bytes)
{
    enum { WIDTH = 160, BEFORE = 60 };
    int from = p->column - 1 > WIDTH - 40 ? p->column - 1 - BEFORE : 0;
    int to = p->line_length - from > WIDTH ? from + WIDTH : p->line_length;
    fprintf(out, "%6d | %s", p->line, from ? "..." : "");
    for (int i = from; i < to; i++) {
        unsigned char c = (unsigned char)p->line_text[i];
        fputc(c == '\t' ? '\t' : c < 32 || c == 127 ? '?' : c, out);
    }
    fprintf(out, "%s\n       | %s", to < p->line_length ? "..." : "", from ? "   " : "");
    for (int i = from; i < p->column - 1; i++)
        if (begins_character(p->line_text[i])) fputc(p->line_text[i] == '\t' ? '\t' : ' ', out);
    int left = to - (p->column - 1), carets = span_bytes < (uint32_t)left ? (int)span_bytes : left;
    fputc('^', out);
    for (int i = 1; i < carets; i++)
        if (begins_character(p->line_text[p->column - 1 + i])) fputc('~', out);
    fputc('\n', out);
}

static void print_message(const Diag *d, Span span, const char *kind, const char *fmt, va_list args)
{
    Place p;
    bool placed = sources_place(d->sources, span.begin, &p);
    if (placed) fprintf(d->out, "%s:%d:%d: %s: ", p.source->name, p.line, p.column, kind);
    else fprintf(d->out, "netc: %s: ", kind);
    vfprintf(d->out, fmt, args);
    fputc('\n', d->out);
    if (placed) print_line(d->out, &p, span.end > span.begin ? span.end - span.begin : 1);
}

void diag_error(Diag *d, Span span, const char *fmt, ...)
{
    int limit = d->limit ? d->limit : 20;
    bool repeated = d->errors && span.begin && span.begin == d->last.begin && span.end == d->last.end;
    d->muted = repeated || d->errors >= limit;
    d->last = span;
    if (repeated) return;
    d->errors++;
    if (d->errors == limit + 1) fprintf(d->out, "netc: more errors follow; these come first\n");
    if (d->muted) return;
    va_list args;
    va_start(args, fmt);
    print_message(d, span, "error", fmt, args);
    va_end(args);
}

void diag_note(Diag *d, Span span, const char *fmt, ...)
{
    if (d->muted) return;
    va_list args;
    va_start(args, fmt);
    print_message(d, span, "note", fmt, args);
    va_end(args);
}

void diag_warning(Diag *d, Span span, const char *fmt, ...)
{
    d->muted = false;
    va_list args;
    va_start(args, fmt);
    print_message(d, span, "warning", fmt, args);
    va_end(args);
}

/* Levenshtein's distance with one row of the table; words over 63 bytes are never near. */
static int edit_distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b), row[64];
    if (n > 63 || m > 63) return 64;
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

const char *did_you_mean(const char *word, const char *const *candidates, int n)
{
    int length = (int)(strlen(word) < 64 ? strlen(word) : 64);
    int best = length < 2 ? 0 : length < 3 ? 1 : 1 + length / 4;
    const char *found = NULL;
    for (int i = 0; i < n; i++) {
        int distance = edit_distance(word, candidates[i]);
        if (distance < best || (!found && distance == best)) {
            best = distance;
            found = candidates[i];
        }
    }
    return found;
}

_Noreturn void internal_error(const char *where, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "netc: internal error in %s: ", where);
    vfprintf(stderr, fmt, args);
    fputs("\nThis is a mistake in netc, not in your file; please report it.\n", stderr);
    va_end(args);
    exit(EXIT_internal);
}
