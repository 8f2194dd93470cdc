/* tokens.c -- tokens for the parser: open brackets, and where it is safe to go on after an error.
 *
 * After an error the parser waits for T_SYNC, which stands before the first token that surely begins something new:
 * a top-level keyword, the `}` of the body that the error is in, a statement's keyword, what follows a `;`, or a name
 * that begins a line no deeper than the body's other lines and is followed by `=`, `,` or `:`. So one mistake is one
 * message. The rules with T_SYNC must need no further token, so that yyerrok is done before the next error.
 */
#include "parse.h"
#include "parser.h"

#include <limits.h>

enum { TOP = 1, STATEMENT = 2 };

/* Which keywords begin what; others are 0. */
static int keyword_begins(int kind)
{
    static const struct { int kind, begins; } table[] = {
        {T_IMPORT, TOP},       {T_BLOCK, TOP},        {T_NET, TOP},          {T_TRAIN, TOP},
        {T_CONST, STATEMENT},  {T_INPUT, STATEMENT},  {T_OUTPUT, STATEMENT}, {T_PARAM, STATEMENT},
        {T_STATE, STATEMENT},  {T_LOSS, STATEMENT},   {T_METRIC, STATEMENT}, {T_FOR, STATEMENT},
        {T_IF, STATEMENT},     {T_SCAN, STATEMENT},   {T_YIELD, STATEMENT},  {T_RETURN, STATEMENT},
    };
    for (size_t i = 0; i < LENGTH(table); i++)
        if (table[i].kind == kind) return table[i].begins;
    return 0;
}

bool token_first_on_line(const Parse *p, Span token, int *column)
{
    const char *begin = p->source->text, *at = begin + (token.begin - p->source->base), *line = at;
    while (line > begin && line[-1] != '\n' && (line[-1] == ' ' || line[-1] == '\t')) line--;
    *column = (int)(at - line) + 1;
    return line == begin || line[-1] == '\n';
}

/* True when the token is followed by `=`, or also by `,` or `:` where a statement may go on so. */
static bool followed_by_equals(const Parse *p, Span token, bool or_list)
{
    const char *s = p->source->text + (token.end - p->source->base);
    while (*s == ' ' || *s == '\t') s++;
    if (*s == '=') return s[1] != '=';
    return or_list && (*s == ',' || *s == ':');
}

/* ---- brackets ---- */

static Bracket *innermost(Parse *p) { return p->brackets ? &p->open[p->brackets - 1] : NULL; }

static void bracket_pop(Parse *p)
{
    if (p->open[--p->brackets].open == '{') p->braces--;
}

static void bracket_push(Parse *p, const Token *t)
{
    if (p->brackets == BRACKETS_MAX) {
        if (!p->recovering) too_deep(p, t->span);
        return;
    }
    p->open[p->brackets++] = (Bracket){.open = (char)t->kind, .begin = t->span.begin};
    if (t->kind == '{') p->braces++;
}

/* Closes every ( and [ down to the innermost {. */
static void brackets_drop(Parse *p)
{
    while (p->brackets && innermost(p)->open != '{') bracket_pop(p);
}

/* The token is behind us: its effect on the open brackets. */
static void token_commit(Parse *p, const Token *t)
{
    Bracket *in = innermost(p);
    if (in && !in->indent) {
        int column;
        in->indent = token_first_on_line(p, t->span, &column) ? column : INT_MAX;
    }
    switch (t->kind) {
    case '(': case '[': case '{':
        bracket_push(p, t);
        break;
    case ')': case ']':
        if (in && in->open == (t->kind == ')' ? '(' : '[')) bracket_pop(p);
        break;
    case '}':
        if (p->braces) {
            brackets_drop(p);
            bracket_pop(p);
        }
        break;
    default:
        break;
    }
}

/* ---- recovery ---- */

static int body_indent(const Parse *p)
{
    for (int i = p->brackets; i-- > 0;)
        if (p->open[i].open == '{') return p->open[i].indent;
    return INT_MAX;
}

/* `level`: the bodies that were open where the error was. */
static bool token_is_safe(Parse *p, const Token *t, int level)
{
    int column, begins = keyword_begins(t->kind);
    if (t->kind == T_END) return true;
    bool first = token_first_on_line(p, t->span, &column);
    if (begins == TOP) return first ? !followed_by_equals(p, t->span, false) : p->braces == 0;
    if (p->braces > level) return false;
    if (level == 0) return t->kind == T_CONST && first;
    if (t->kind == '}' || t->kind == ';') return true;
    bool in_body = innermost(p) && innermost(p)->open == '{';
    if (begins == STATEMENT) return (first || in_body) && !followed_by_equals(p, t->span, false);
    return t->kind == T_NAME && first && column <= body_indent(p) && followed_by_equals(p, t->span, true);
}

/* Skips to a safe token, holds it, and gives the parser T_SYNC in front of it. A token that did not help is skipped. */
static int recover(Parse *p, Span *span)
{
    int level = p->braces;
    while (!token_is_safe(p, &p->last, level) || (p->last.span.begin == p->resumed && p->last.kind != T_END)) {
        token_commit(p, &p->last);
        p->last = scan_next(p);
    }
    p->recovering = false;
    if (p->last.kind == ';') p->last = scan_next(p);
    p->held = p->last;
    p->holding = true;
    p->resumed = p->held.span.begin;
    bool ends_bodies = p->held.kind == T_END || keyword_begins(p->held.kind) == TOP;
    p->closers = ends_bodies ? level : 0;
    if (ends_bodies) p->brackets = p->braces = 0;
    else brackets_drop(p);
    *span = (Span){p->held.span.begin, p->held.span.begin};
    return T_SYNC;
}

static int give(Parse *p, Ast **value, Span *span)
{
    if (p->stopped) p->last.kind = T_END;
    if (p->last.kind == T_YYerror) p->recovering = true;
    *value = p->last.value;
    *span = p->last.span;
    return p->last.kind;
}

int token_next(Parse *p, Ast **value, Span *span)
{
    if (p->recovering && !p->stopped) {
        *value = NULL;
        return recover(p, span);
    }
    if (p->closers) {
        p->closers--;
        *value = NULL;
        *span = (Span){p->held.span.begin, p->held.span.begin};
        return '}';
    }
    if (p->holding) {
        p->holding = false;
        p->last = p->held;
    } else {
        token_commit(p, &p->last);
        if (!p->stopped) p->last = scan_next(p);
    }
    return give(p, value, span);
}
