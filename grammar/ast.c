/* ast.c -- builds the nodes that the grammar's actions ask for, and runs the parser over a file. */
#include "parse.h"
#include "parser.h"

#include <string.h>

Ast *ast_leaf(Parse *p, AstKind kind, Span span, const char *text, size_t n)
{
    Ast *x = NEW(p->arena, Ast);
    *x = (Ast){.kind = kind, .span = span, .name_span = span, .depth = 1};
    if (text) x->text = arena_strndup(p->arena, text, n);
    return x;
}

Ast *ast_word(Parse *p, Span span)
{
    return ast_leaf(p, AST_name, span, p->source->text + (span.begin - p->source->base), span.end - span.begin);
}

Ast *ast_bool(Parse *p, Span span, int value)
{
    Ast *x = ast_leaf(p, AST_bool, span, NULL, 0);
    x->integer = value;
    return x;
}

/* Every tree stays shallow enough for walks that recurse. */
static void deepen(Parse *p, Ast *x, const Ast *kid)
{
    if (!kid || kid->depth < x->depth) return;
    x->depth = kid->depth + 1;
    if (x->depth > DEPTH_MAX) too_deep(p, x->span);
}

Ast *ast_node(Parse *p, AstKind kind, Span span, int n, Ast *const *kids)
{
    return ast_named(p, kind, span, NULL, n, kids);
}

Ast *ast_named(Parse *p, AstKind kind, Span span, const Ast *name, int n, Ast *const *kids)
{
    Ast *x = NEW(p->arena, Ast);
    *x = (Ast){.kind = kind, .span = span, .n = n, .depth = 1};
    if (n) x->kid = NEW_ARRAY(p->arena, Ast *, n);
    if (name) {
        x->text = name->text;
        x->name_span = name->span;
    }
    for (int i = 0; i < n; i++) {
        x->kid[i] = kids[i];
        deepen(p, x, kids[i]);
    }
    return x;
}

Ast *ast_unary(Parse *p, AstOp op, Span span, Ast *operand)
{
    Ast *x = ast_node(p, AST_unary, span, KIDS(operand));
    x->op = op;
    return x;
}

Ast *ast_binary(Parse *p, AstOp op, Span span, Ast *left, Ast *right)
{
    Ast *x = ast_node(p, AST_binary, span, KIDS(left, right));
    x->op = op;
    return x;
}

/* Room for the kids doubles when their number is a power of two, so no node needs to store a capacity. */
Ast *ast_push(Parse *p, Ast *list, Ast *item)
{
    if ((list->n & (list->n - 1)) == 0) {
        Ast **grown = NEW_ARRAY(p->arena, Ast *, list->n ? 2 * (size_t)list->n : 1);
        if (list->n) memcpy(grown, list->kid, (size_t)list->n * sizeof *grown);
        list->kid = grown;
    }
    list->kid[list->n++] = item;
    list->span = span_join(list->span, item->span);
    deepen(p, list, item);
    return list;
}

Ast *ast_list(Parse *p, Ast *first)
{
    Ast *list = ast_leaf(p, AST_list, (Span){0, 0}, NULL, 0);
    list->name_span = (Span){0, 0};
    return first ? ast_push(p, list, first) : list;
}

Ast *ast_become(Ast *list, AstKind kind, Span span, const Ast *name)
{
    list->kind = kind;
    list->span = span;
    list->text = name ? name->text : NULL;
    list->name_span = name ? name->span : (Span){0, 0};
    return list;
}

Ast *ast_index(Parse *p, Span span, Ast *indexed, Ast *subscripts)
{
    Ast *x = ast_list(p, indexed);
    for (int i = 0; i < subscripts->n; i++) ast_push(p, x, subscripts->kid[i]);
    return ast_become(x, AST_index, span, NULL);
}

Ast *ast_parse(Arena *a, Diag *d, const Source *source)
{
    Parse *p = NEW(a, Parse);
    *p = (Parse){.arena = a, .diag = d, .source = source};
    p->file = ast_list(p, NULL);
    ast_become(p->file, AST_file, (Span){source->base, source->base + source->size}, NULL);
    scan_begin(p);
    yyparse(p);
    scan_end(p);
    return p->file;
}

const char *ast_op_text(AstOp op)
{
    static const char *const texts[] = {
        [AOP_none] = "?", [AOP_or] = "or",   [AOP_and] = "and", [AOP_not] = "not", [AOP_eq] = "==", [AOP_ne] = "!=",
        [AOP_lt] = "<",   [AOP_le] = "<=",   [AOP_gt] = ">",    [AOP_ge] = ">=",   [AOP_add] = "+", [AOP_sub] = "-",
        [AOP_mul] = "*",  [AOP_div] = "/",   [AOP_mod] = "%",   [AOP_matmul] = "@", [AOP_neg] = "-", [AOP_pow] = "^",
    };
    return texts[op];
}

const char *ast_kind_name(AstKind kind)
{
    static const char *const names[] = {
#define K(name) #name,
        AST_KINDS(K)
#undef K
    };
    return names[kind];
}
