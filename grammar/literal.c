/* literal.c -- the values of numbers and strings, and messages about bytes that are no text. */
#include "parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The digits without `_`. */
static char *digits_only(Arena *a, const char *text, size_t n)
{
    char *s = arena_alloc(a, n + 1), *end = s;
    for (size_t i = 0; i < n; i++)
        if (text[i] != '_') *end++ = text[i];
    return s;
}

static int digit_value(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

Ast *literal_integer(Parse *p, Span span, const char *text, size_t n)
{
    bool hex = n > 2 && (text[1] == 'x' || text[1] == 'X');
    int64_t value = 0;
    Ast *x = ast_leaf(p, AST_integer, span, NULL, 0);
    for (size_t i = hex ? 2 : 0; i < n; i++) {
        if (text[i] == '_') continue;
        if (__builtin_mul_overflow(value, hex ? 16 : 10, &value) ||
            __builtin_add_overflow(value, digit_value(text[i]), &value)) {
            diag_error(p->diag, span, "this integer is too large: at most 9223372036854775807");
            return x;
        }
    }
    x->integer = value;
    return x;
}

static bool all_zeros(const char *s)
{
    return s[strspn(s, "0.")] == '\0' || s[strspn(s, "0.")] == 'e' || s[strspn(s, "0.")] == 'E';
}

Ast *literal_real(Parse *p, Span span, const char *text, size_t n)
{
    const char *s = digits_only(p->arena, text, n);
    Ast *x = ast_leaf(p, AST_real, span, text, n);
    x->real = strtod(s, NULL);
    if (isinf(x->real)) diag_error(p->diag, span, "this number is too large for a double: at most 1.8e308");
    else if (x->real == 0 && !all_zeros(s))
        diag_error(p->diag, span, "this number is too small for a double: at least 4.9e-324");
    return x;
}

/* `escape` is the byte after the backslash; -1 when there is no such escape. */
static int unescape(char escape)
{
    static const char from[] = "nt\\\"", to[] = "\n\t\\\"";
    const char *at = strchr(from, escape);
    return at ? to[at - from] : -1;
}

/* `text` with its quotes. */
Ast *literal_string(Parse *p, Span span, const char *text, size_t n)
{
    char *s = arena_alloc(p->arena, n), *end = s;
    for (size_t i = 1; i + 1 < n; i++) {
        uint32_t at = span.begin + (uint32_t)i;
        if (text[i] != '\\') {
            *end++ = text[i];
            continue;
        }
        int c = unescape(text[++i]);
        if (c < 0) diag_error(p->diag, (Span){at, at + 2}, "unknown escape; strings know \\n \\t \\\\ and \\\"");
        else *end++ = (char)c;
    }
    Ast *x = ast_leaf(p, AST_string, span, "", 0);
    x->text = s;
    return x;
}

void literal_bad_number(Parse *p, Span span, const char *text, size_t n)
{
    enum { SHOWN = 40 };
    const char *hint = "";
    if (text[0] == '.') hint = ": a digit must stand before the point";
    else if (n > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9') hint = ": it begins with a 0";
    diag_error(p->diag, span, "`%.*s%s` is not a number%s", n < SHOWN ? (int)n : SHOWN, text, n > SHOWN ? "..." : "",
               hint);
}

/* `text` is one byte or a run of bytes that cannot stand outside comments and strings. */
void literal_bad_byte(Parse *p, Span span, const char *text, size_t n)
{
    static const struct { const char *text, *advice; } foreign[] = {
        {"&", "; `and` joins conditions"}, {"&&", "; `and` joins conditions"},
        {"|", "; `or` joins conditions"},  {"||", "; `or` joins conditions"},
        {"!", "; `not` negates"},          {"'", "; strings stand between `\"`"},
    };
    unsigned char c = (unsigned char)text[0];
    const char *advice = "";
    for (size_t i = 0; i < LENGTH(foreign); i++)
        if (strlen(foreign[i].text) == n && memcmp(foreign[i].text, text, n) == 0) advice = foreign[i].advice;
    if (c >= 0x80) diag_error(p->diag, span, "only ASCII may stand outside comments and strings");
    else if (c < 32 || c == 127) diag_error(p->diag, span, "a control character (byte 0x%02x)", c);
    else diag_error(p->diag, span, "unexpected `%.*s`%s", (int)n, text, advice);
}
