/* format.c -- prints a file back with canonical spaces and indentation: `netc fmt`.
 *
 * It prints the tokens of the source, all of them but `;`, so nothing can be lost or reordered; the tree only says where
 * statements begin and what a token means. Every statement of a body stands on a line of its own, but a body that was
 * written on one line and holds at most one statement stays there. Within a statement the author's line breaks stay,
 * with 4 more spaces before what goes on. Comments and single blank lines between statements stay.
 */
#include "parse.h"
#include "parser.h"

#include <string.h>

typedef struct Piece {
    Token token;
    int line;         /* that it begins on, from 0 */
    int width;        /* of a train entry's name: the longest name there */
    bool statement;   /* begins a statement, a top-level part or a train entry */
    bool airy;        /* names an argument whose value has operators: spaces around its `=` */
    bool on_line;     /* of a brace: its body stays on one line */
    bool unary;       /* a minus sign before its operand */
    bool tight;       /* no space on either side, but after a comma */
} Piece;

typedef struct Format {
    Parse *parse;
    Text *out;
    VEC(Piece) piece;
    int depth;        /* bodies open */
} Format;

/* ---- what the tree knows ---- */

/* The piece that begins at an offset. */
static Piece *piece_at(Format *f, uint32_t offset)
{
    int low = 0, high = f->piece.n - 1;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (f->piece.at[middle].token.span.begin < offset) low = middle + 1;
        else high = middle;
    }
    return &f->piece.at[low];
}

static bool has_operators(const Ast *x)
{
    return x && (x->kind == AST_binary || x->kind == AST_ternary || x->kind == AST_pipe);
}

static void mark_settings(Format *f, const Ast *train)
{
    uint32_t width = 0;
    for (int i = 0; i < train->n; i++) {
        uint32_t n = train->kid[i]->name_span.end - train->kid[i]->name_span.begin;
        if (n > width) width = n;
    }
    for (int i = 0; i < train->n; i++) {
        Piece *name = piece_at(f, train->kid[i]->span.begin);
        name->statement = true;
        name->width = (int)width;
    }
}

static void mark(Format *f, const Ast *x)
{
    if (!x) return;
    if (x->kind == AST_file || x->kind == AST_body)
        for (int i = 0; i < x->n; i++) piece_at(f, x->kid[i]->span.begin)->statement = true;
    if (x->kind == AST_train) mark_settings(f, x);
    if (x->kind == AST_argument || x->kind == AST_formal) piece_at(f, x->span.begin)->airy = has_operators(x->kid[0]);
    for (int i = 0; i < x->n; i++) mark(f, x->kid[i]);
}

/* ---- what the tokens know ---- */

static void read_pieces(Format *f)
{
    Parse *p = f->parse;
    uint32_t seen = 0;
    int line = 0;
    for (;;) {
        Piece piece = {.token = scan_next(p)};
        for (uint32_t to = piece.token.span.begin - p->source->base; seen < to; seen++)
            line += p->source->text[seen] == '\n';
        piece.line = line;
        if (piece.token.kind != ';') vec_push(p->arena, &f->piece, piece);
        if (piece.token.kind == T_END) return;
    }
}

static bool ends_operand(int kind)
{
    static const int ends[] = {T_NAME, T_DTYPE, T_INT, T_FLOAT, T_STRING, T_TRUE, T_FALSE, ')', ']'};
    for (size_t i = 0; i < LENGTH(ends); i++)
        if (ends[i] == kind) return true;
    return false;
}

static int kind_at(const Format *f, int i)
{
    return i >= 0 && i < f->piece.n ? f->piece.at[i].token.kind : T_END;
}

static bool is_number(int kind) { return kind == T_INT || kind == T_FLOAT; }

/* 1/255 */
static bool is_fraction(const Format *f, int i)
{
    return is_number(kind_at(f, i - 1)) && is_number(kind_at(f, i + 1)) && kind_at(f, i - 2) != '^' &&
           kind_at(f, i + 2) != '^';
}

/* Inside which brackets a token stands decides what `=` and `:` mean. */
typedef struct Inside { int bracket, questions; } Inside;

static void mark_tight(Format *f)
{
    VEC(Inside) in = {0};
    vec_push(f->parse->arena, &in, (Inside){0, 0});
    for (int i = 0; i < f->piece.n; i++) {
        Piece *piece = &f->piece.at[i];
        Inside *inside = &in.at[in.n - 1];
        switch (piece->token.kind) {
        case '(': case '[': case '{':
            vec_push(f->parse->arena, &in, (Inside){piece->token.kind, 0});
            break;
        case ')': case ']': case '}':
            in.n--;
            break;
        case '?':
            inside->questions++;
            break;
        case ':':
            if (inside->questions) inside->questions--;
            else piece->tight = inside->bracket == '[';
            break;
        case '=':
            piece->tight = inside->bracket == '(' && !f->piece.at[i - 1].airy;
            break;
        case '/':
            piece->tight = is_fraction(f, i);
            break;
        case '-':
            piece->unary = !ends_operand(kind_at(f, i - 1));
            break;
        case '.': case '^': case T_RANGE:
            piece->tight = true;
            break;
        default:
            break;
        }
    }
}

static bool is_empty_body(const Format *f, int open, int close)
{
    const Source *source = f->parse->source;
    uint32_t from = f->piece.at[open].token.span.end, to = f->piece.at[close].token.span.begin;
    return close == open + 1 && !memchr(source->text + (from - source->base), '#', to - from);
}

/* Whether a body stays on its line: it is there now, with one statement, and all bodies in it stay too. */
static void mark_bodies(Format *f)
{
    typedef struct Body { int open, statements; bool spread; } Body;
    VEC(Body) in = {0};
    vec_push(f->parse->arena, &in, (Body){0});
    for (int i = 0; i < f->piece.n; i++) {
        Piece *piece = &f->piece.at[i];
        if (piece->statement) in.at[in.n - 1].statements++;
        if (piece->token.kind == '{') vec_push(f->parse->arena, &in, (Body){.open = i});
        if (piece->token.kind != '}') continue;
        Body b = in.at[--in.n];
        Piece *open = &f->piece.at[b.open];
        open->on_line = piece->on_line = is_empty_body(f, b.open, i) ||
                                         (open->line == piece->line && b.statements <= 1 && !b.spread);
        if (!open->on_line) in.at[in.n - 1].spread = true;
    }
}

/* ---- printing ---- */

/* Begins a line, after an empty one when asked, but not at the beginning of the file. */
static void begin_line(Format *f, bool blank, int depth)
{
    if (f->out->n) text_puts(f->out, blank ? "\n\n" : "\n");
    for (int i = 0; i < depth; i++) text_puts(f->out, "    ");
}

static void put_comment(Format *f, const char *text, size_t n)
{
    while (n && strchr(" \t\r\f\v", text[n - 1])) n--;
    text_add(f->out, text, n);
}

/* What stands between two tokens. */
typedef struct Gap {
    int newlines;     /* since the token or comment before */
    bool comment;     /* there was one, so a line must begin */
} Gap;

static bool begins_line(const Piece *x)
{
    return x->token.kind == T_END || x->statement || x->token.kind == '}';
}

/* Prints the comments before piece i. */
static Gap put_gap(Format *f, int i)
{
    const Source *source = f->parse->source;
    const Piece *piece = &f->piece.at[i];
    uint32_t from = i ? f->piece.at[i - 1].token.span.end : source->base;
    const char *s = source->text + (from - source->base), *end = source->text + (piece->token.span.begin - source->base);
    Gap gap = {0};
    bool after_open = kind_at(f, i - 1) == '{';
    while (s < end) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        if (*s == '\n') gap.newlines++;
        if (*s != '#') {
            s++;
            continue;
        }
        if (!stop) stop = end;
        if (f->out->n && !gap.newlines) text_puts(f->out, "  ");
        else begin_line(f, gap.newlines > 1 && begins_line(piece) && !after_open, f->depth + !(begins_line(piece) || piece->token.kind == T_ELSE));
        put_comment(f, s, (size_t)(stop - s));
        gap = (Gap){.comment = true};
        after_open = false;
        s = stop;
    }
    return gap;
}

static bool needs_space(const Format *f, int i)
{
    const Piece *piece = &f->piece.at[i], *before = &f->piece.at[i - 1];
    int kind = piece->token.kind, last = before->token.kind;
    if (last == ',') return kind != ')';
    if (piece->tight || before->tight || before->unary || last == '(' || last == '[') return false;
    if (kind == ')' || kind == ']' || kind == ',' || (kind == '}' && last == '{')) return false;
    if (kind == '(') return last != T_NAME;
    if (kind == '[') return !ends_operand(last);
    return true;
}

/* A line begins before the piece because of what it is. */
static bool breaks_always(const Format *f, int i, bool on_line)
{
    const Piece *piece = &f->piece.at[i];
    if (i == 0) return true;
    return (piece->statement && !on_line) || (piece->token.kind == '}' && !piece->on_line);
}

/* ... and because the author began one. */
static bool may_break(const Piece *piece)
{
    int kind = piece->token.kind;
    return kind != '{' && kind != '}' && kind != T_ELSE && !piece->statement;
}

static int continuation_depth(const Format *f, const Piece *piece)
{
    int kind = piece->token.kind;
    return f->depth + !(piece->statement || kind == '{' || kind == '}' || kind == T_ELSE || kind == ')' || kind == ']');
}

/* The train entries' `=` stand below each other. */
static void put_padding(Format *f, int i)
{
    const Piece *name = &f->piece.at[i - 1];
    int n = (int)(name->token.span.end - name->token.span.begin);
    for (; n < name->width; n++) text_putc(f->out, ' ');
}

static void put_piece(Format *f, int i, bool on_line)
{
    const Piece *piece = &f->piece.at[i];
    const Source *source = f->parse->source;
    Gap gap = put_gap(f, i);
    if (piece->token.kind == '}' && !piece->on_line) f->depth--;
    if (breaks_always(f, i, on_line)) {
        bool blank = gap.newlines > 1 && piece->token.kind != '}' && (gap.comment || kind_at(f, i - 1) != '{');
        begin_line(f, blank, f->depth);
    } else if (gap.comment || (gap.newlines && may_break(piece))) {
        begin_line(f, false, continuation_depth(f, piece));
    } else {
        if (piece->token.kind == '=' && !on_line) put_padding(f, i);
        if (needs_space(f, i)) text_putc(f->out, ' ');
    }
    text_add(f->out, source->text + (piece->token.span.begin - source->base),
             piece->token.span.end - piece->token.span.begin);
    if (piece->token.kind == '{' && !piece->on_line) f->depth++;
}

void ast_format(Text *out, const Ast *file, const Source *source)
{
    Diag none = {0};
    Parse *p = NEW(out->arena, Parse);
    *p = (Parse){.arena = out->arena, .diag = &none, .source = source};
    Format f = {.parse = p, .out = out};
    scan_begin(p);
    read_pieces(&f);
    scan_end(p);
    mark(&f, file);
    mark_tight(&f);
    mark_bodies(&f);
    int on_line = 0;  /* bodies open that stay on their line */
    for (int i = 0; i + 1 < f.piece.n; i++) {
        const Piece *piece = &f.piece.at[i];
        put_piece(&f, i, on_line > 0);
        if (piece->on_line) on_line += piece->token.kind == '{' ? 1 : -1;
    }
    put_gap(&f, f.piece.n - 1);
    if (out->n) text_putc(out, '\n');
}
