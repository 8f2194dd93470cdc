/* parse.h -- what the scanner, the parser and the builders of nodes share; private to grammar/. */
#ifndef NETC_PARSE_H
#define NETC_PARSE_H

#include "ast.h"

enum {
    BRACKETS_MAX = 1000,  /* open ( [ { at one place */
    DEPTH_MAX = 2000      /* nodes from the file's to a leaf; ast.h promises it */
};

typedef struct Token {
    int kind;             /* as in parser.h */
    Span span;
    Ast *value;           /* a leaf, for names and literals */
} Token;

typedef struct Bracket {
    char open;
    uint32_t begin;       /* offset in the offset space of Sources */
    int indent;           /* column of the first token after it, 0 before that is known, INT_MAX on the same line */
} Bracket;

typedef struct Parse {
    Arena *arena;
    Diag *diag;
    const Source *source;
    Ast *file;            /* grows while parsing, so that it is there after an abort */
    void *scanner;        /* flex's yyscan_t */
    uint32_t at;          /* offset in the offset space of the next byte to scan */
    Token last;           /* given to the parser; its bracket is not yet on the stack */
    Token held;           /* to give after the synthetic tokens of a recovery */
    bool holding, recovering, stopped;
    uint32_t resumed;     /* where the parser went on after the last error */
    int closers;          /* `}` to invent before `held` */
    int braces, brackets; /* open now: of `{`, and of all kinds */
    Bracket open[BRACKETS_MAX];
} Parse;

/* ---- tokens: net.l with the bookkeeping of tokens.c around it ---- */

/* Begins and ends scanning p->source; nothing else in p is used but arena and diag. */
void scan_begin(Parse *p);
void scan_end(Parse *p);
/* The next token as the rules of net.l see it. Comments are skipped. */
Token scan_next(Parse *p);
/* The next token for the parser, which after an error is T_SYNC at the first place where it is safe to go on. */
int token_next(Parse *p, Ast **value, Span *span);
/* True when only blanks stand before the token on its line; *column counts bytes from 1. */
bool token_first_on_line(const Parse *p, Span token, int *column);

/* ---- values of literals: literal.c ---- */

Ast *literal_integer(Parse *p, Span span, const char *text, size_t n);
Ast *literal_real(Parse *p, Span span, const char *text, size_t n);
Ast *literal_string(Parse *p, Span span, const char *text, size_t n);
void literal_bad_number(Parse *p, Span span, const char *text, size_t n);
void literal_bad_byte(Parse *p, Span span, const char *text, size_t n);

/* ---- messages: expected.c ---- */

/* What was found and what could have stood there, both as the %token lines of net.y call them. */
void syntax_error(Parse *p, Span span, const char *found, const char *const *expected, int n);
/* One error, then the parse ends quietly. */
void too_deep(Parse *p, Span span);

/* ---- nodes: ast.c ---- */

#define KIDS(...) (int)LENGTH(((Ast *[]){__VA_ARGS__})), (Ast *[]){__VA_ARGS__}

Ast *ast_leaf(Parse *p, AstKind kind, Span span, const char *text, size_t n);
Ast *ast_word(Parse *p, Span span);                                   /* a keyword where a name stands */
Ast *ast_bool(Parse *p, Span span, int value);
Ast *ast_node(Parse *p, AstKind kind, Span span, int n, Ast *const *kids);
/* With the text of a name, which may be NULL. */
Ast *ast_named(Parse *p, AstKind kind, Span span, const Ast *name, int n, Ast *const *kids);
Ast *ast_unary(Parse *p, AstOp op, Span span, Ast *x);
Ast *ast_binary(Parse *p, AstOp op, Span span, Ast *x, Ast *y);
Ast *ast_list(Parse *p, Ast *first);                                  /* first: NULL for an empty list */
Ast *ast_push(Parse *p, Ast *list, Ast *item);
/* The list becomes a node of another kind that holds the same kids; name may be NULL. */
Ast *ast_become(Ast *list, AstKind kind, Span span, const Ast *name);
Ast *ast_index(Parse *p, Span span, Ast *indexed, Ast *subscripts);

#endif
