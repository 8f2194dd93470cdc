/* expected.c -- syntax errors in the user's words: what was found, and the few things that could stand there. */
#include "parse.h"

#include <string.h>

/* A class stands for its members in a message; it is meant when the token in `sign` is expected. */
typedef struct Class {
    const char *sign, *text;
    const char *members[40];
} Class;

static const Class expression = {"a number", "an expression",
    {"a name", "a type", "a number", "a real number", "a string", "true", "false", "not", "'-'", "'('", "'['",
     /* words that may name an argument */
     "import", "const", "block", "net", "train", "input", "output", "param", "state", "loss", "metric", "for", "in",
     "if", "else", "scan", "yield", "return", "updates", "as"}};
static const Class operation = {"or", "an operator",
    {"'?'", "->", "or", "and", "==", "!=", "'<'", "<=", "'>'", ">=", "'+'", "'-'", "'*'", "'/'", "'%'", "'@'", "'^'",
     "'('", "'['", "'.'", "as", "';'"}};
static const Class statement = {"yield", "a statement",
    {"a name", "const", "input", "output", "param", "state", "loss", "metric", "for", "if", "scan", "yield", "return",
     "';'"}};

static bool has(const char *const *list, int n, const char *word)
{
    for (int i = 0; i < n && list[i]; i++)
        if (strcmp(list[i], word) == 0) return true;
    return false;
}

static bool covers(const Class *c, const char *word)
{
    return c && has(c->members, (int)LENGTH(c->members), word);
}

/* A token's name as net.y spells it: "'+'", "->", "a name". */
static void add_token(Text *t, const char *name)
{
    size_t n = strlen(name);
    if (strcmp(name, "a type") == 0) text_puts(t, "a type such as `f32`");
    else if (strchr(name, ' ')) text_puts(t, name);
    else if (n == 3 && name[0] == '\'') text_printf(t, "`%c`", name[1]);
    else text_printf(t, "`%s`", name);
}

typedef struct Listing { const char *item[64]; int n; } Listing;

static void list_add(Listing *l, const char *item)
{
    if (l->n < (int)LENGTH(l->item)) l->item[l->n++] = item;
}

/* What goes on first, what ends things last. */
static Listing list_expected(const char *const *expected, int n)
{
    static const char *const ends[] = {"'}'", "end of file"};
    const Class *x = has(expected, n, expression.sign) ? &expression : NULL;
    const Class *o = has(expected, n, operation.sign) ? &operation : NULL;
    const Class *s = !x && has(expected, n, statement.sign) ? &statement : NULL;
    Listing l = {.n = 0};
    if (x) list_add(&l, x->text);
    if (o) list_add(&l, o->text);
    for (int i = 0; i < n; i++)
        if (!covers(x, expected[i]) && !covers(o, expected[i]) && !covers(s, expected[i]) && !has(ends, 2, expected[i]))
            list_add(&l, expected[i]);
    if (s) list_add(&l, s->text);
    for (size_t i = 0; i < LENGTH(ends); i++)
        if (has(expected, n, ends[i])) list_add(&l, ends[i]);
    return l;
}

static void add_listing(Text *t, const Listing *l)
{
    enum { HELPFUL = 6 };
    for (int i = 0; i < l->n && i < HELPFUL; i++) {
        text_puts(t, i == 0 ? "; expected " : i + 1 < l->n ? ", " : " or ");
        add_token(t, l->item[i]);
    }
    if (l->n > HELPFUL) text_puts(t, " ...");
}

/* "name `foo`", "number `5`", "`}`", "string". */
static void add_found(Text *t, const Parse *p, Span span, const char *name)
{
    enum { SHOWN = 40 };
    int n = (int)(span.end - span.begin);
    if (strncmp(name, "a ", 2) != 0) {
        add_token(t, name);
        return;
    }
    text_puts(t, name + 2);
    if (strcmp(name, "a string") == 0) return;
    text_printf(t, " `%.*s%s`", n < SHOWN ? n : SHOWN, p->source->text + (span.begin - p->source->base),
                n > SHOWN ? "..." : "");
}

/* What people coming from other languages write. */
static const char *advice(const Parse *p, Span span, const char *found, const char *const *expected, int n)
{
    static const char *const comparisons[] = {"==", "!=", "'<'", "<=", "'>'", ">="};
    bool after_expression = has(expected, n, operation.sign);
    bool after_name = span.begin > p->source->base;
    if (after_expression && has(comparisons, (int)LENGTH(comparisons), found))
        return " (comparisons do not chain: `a < b and b < c`)";
    if (after_expression && after_name && strcmp(found, "'='") == 0 && has(expected, n, "'{'"))
        return " (equality is `==`)";
    return "";
}

/* Points at the bracket that is open when the text ends too early. */
static void note_open(Parse *p, const char *found)
{
    static const char *const enders[] = {"end of file", "'}'", "import", "block", "net", "train"};
    if (!p->brackets || !has(enders, (int)LENGTH(enders), found)) return;
    const Bracket *b = &p->open[p->brackets - 1];
    if (b->open == '{' && strcmp(found, "'}'") == 0) return;
    diag_note(p->diag, (Span){b->begin, b->begin + 1}, "this `%c` is not closed", b->open);
}

void syntax_error(Parse *p, Span span, const char *found, const char *const *expected, int n)
{
    int limit = p->diag->limit ? p->diag->limit : 20;
    p->recovering = true;
    if (p->stopped) return;
    Text t = {.arena = p->arena};
    Listing l = list_expected(expected, n);
    text_puts(&t, "unexpected ");
    add_found(&t, p, span, found);
    add_listing(&t, &l);
    text_puts(&t, advice(p, span, found, expected, n));
    diag_error(p->diag, span, "%s", text_string(&t));
    note_open(p, found);
    p->stopped = p->diag->errors > limit;  /* nothing more would be printed */
}

void too_deep(Parse *p, Span span)
{
    if (!p->stopped)
        diag_error(p->diag, span, "nested too deeply: at most %d brackets, %d levels in all", BRACKETS_MAX, DEPTH_MAX);
    p->stopped = true;
}
