/* writer.c -- lines, blocks and exact numbers. Knows nothing of networks. */
#include "code.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 118, INDENT = 4 };

static void indent(Writer *w, int depth)
{
    for (int i = 0; i < depth * INDENT; i++) text_putc(&w->text, ' ');
}

/* Where to break a line that is too long: behind the last comma, or space, that fits. */
static size_t break_at(const char *s, size_t room)
{
    for (size_t i = room; i > room / 3; i--)
        if (s[i] == ' ' && s[i - 1] == ',') return i + 1;
    for (size_t i = room; i > room / 3; i--)
        if (s[i] == ' ') return i + 1;
    const char *space = strchr(s + room, ' ');
    return space ? (size_t)(space - s) + 1 : strlen(s);
}

static void write_wrapped(Writer *w, const char *s)
{
    int depth = w->depth;
    for (;;) {
        size_t n = strlen(s), room = (size_t)(WIDTH - depth * INDENT);
        indent(w, depth);
        if (n <= room) break;
        size_t cut = break_at(s, room);
        if (cut == n) break;
        text_add(&w->text, s, cut - 1);
        text_putc(&w->text, '\n');
        s += cut;
        depth = w->depth + 1;
    }
    text_puts(&w->text, s);
}

static const char *format(Writer *w, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *s = NEW_ARRAY(w->text.arena, char, n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

void write_line(Writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    write_wrapped(w, format(w, fmt, ap));
    va_end(ap);
    text_putc(&w->text, '\n');
}

void write_text(Writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    indent(w, w->depth);
    text_puts(&w->text, format(w, fmt, ap));
    va_end(ap);
    text_putc(&w->text, '\n');
}

void write_open(Writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *head = format(w, fmt, ap);
    va_end(ap);
    write_wrapped(w, *head ? arena_printf(w->text.arena, "%s {", head) : "{");
    text_putc(&w->text, '\n');
    w->depth++;
}

void write_close(Writer *w, const char *closes)
{
    w->depth--;
    if (closes) write_line(w, "} /* %s */", closes);
    else write_line(w, "}");
}

void write_blank(Writer *w) { text_putc(&w->text, '\n'); }

void text_real(Text *t, double x, bool f64)
{
    if (isnan(x) || isinf(x)) {
        text_puts(t, isnan(x) ? "NAN" : x < 0 ? "-INFINITY" : "INFINITY");
        return;
    }
    char s[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, f64 ? x : (double)(float)x);
        if (f64 ? strtod(s, NULL) == x : strtof(s, NULL) == (float)x) break;
    }
    if (!strpbrk(s, ".e")) strcat(s, ".0");
    text_puts(t, s);
    if (!f64) text_putc(t, 'f');
}
