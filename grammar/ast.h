/* ast.h -- what a .net file says: nodes with spans. Knows no operator. */
#ifndef NETC_AST_H
#define NETC_AST_H

#include "../compiler/base/base.h"

/* One row per kind: what `text`, `kid[]` and the numbers hold. Absent kids are NULL, never left out. */
#define AST_KINDS(K)                                                                                                    \
    /* top level: kids of AST_file */                                                                                   \
    K(file)      /* kid: import, const, block, net, train in order                                    */              \
    K(import)    /* text: path                                                                         */              \
    K(const)     /* kid: assign[text name; kid 0: value] ...  (top level or statement)                */              \
    K(block)     /* text: name; kid 0: formals (list of formal), kid 1: body                          */              \
    K(formal)    /* text: name; kid 0: default or NULL                                                */              \
    K(net)       /* text: name; kid 0: body                                                           */              \
    K(train)     /* text: name; kid: argument[text name; kid 0: value] ...                            */              \
    /* statements */                                                                                                    \
    K(body)      /* kid: statements                                                                    */              \
    K(input)     /* kid 0: names (list of name), kid 1: type                                          */              \
    K(output)    /* kid: assign[text name; kid 0: value or NULL] ...                                  */              \
    K(param)     /* kid 0: names or labels, kid 1: type, kid 2: initial value                         */              \
    K(state)     /* kid 0: names, kid 1: initial value                                                */              \
    K(loss)      /* text: name or NULL; kid 0: value, kid 1: updates (list of name) or NULL           */              \
    K(metric)    /* kid 0: value                                                                      */              \
    K(let)       /* kid 0: names, kid 1: type or NULL, kid 2: list of expr, or a scan                 */              \
    K(scan)      /* kid 0: names, kid 1: list of expr, kid 2: body                                    */              \
    K(for)       /* text: variable; kid 0: from, kid 1: to, kid 2: body                               */              \
    K(if)        /* kid 0: condition, kid 1: body, kid 2: body or if or NULL                          */              \
    K(yield)     /* kid: values                                                                       */              \
    K(return)    /* kid: values                                                                       */              \
    K(assign)    /* text: name; kid 0: value                                                          */              \
    K(type)      /* text: "f32"...; kid 0: list of dims or NULL, kid 1: low or NULL, kid 2: high      */              \
    /* expressions */                                                                                                   \
    K(integer)   /* integer                                                                           */              \
    K(real)      /* real; text: as written                                                            */              \
    K(string)    /* text: the value without quotes, escapes resolved                                  */              \
    K(bool)      /* integer: 0 or 1                                                                   */              \
    K(name)      /* text                                                                              */              \
    K(dtype)     /* text: "f32" ... used as a value                                                   */              \
    K(list)      /* kid: elements ([a, b] when an expression)                                         */              \
    K(unary)     /* op: '-' or "not"; kid 0                                                           */              \
    K(binary)    /* op; kid 0, kid 1                                                                  */              \
    K(ternary)   /* kid 0 ? kid 1 : kid 2                                                             */              \
    K(call)      /* text: callee; kid: arguments (positional: the expr itself; named: argument)       */              \
    K(argument)  /* text: name; kid 0: value                                                          */              \
    K(pipe)      /* kid 0: left, kid 1: call, kid 2: label or NULL                                    */              \
    K(label)     /* text: name; kid: indices                                                          */              \
    K(member)    /* kid 0 . text                                                                      */              \
    K(index)     /* kid 0 [ kid 1 ... ]; each further kid an expr or a slice                          */              \
    K(slice)     /* kid 0: from or NULL, kid 1: to or NULL                                            */              \
    K(paren)     /* kid 0: kept so that fmt prints what was written                                   */              \
    K(error)     /* what the parser skipped; diagnosed already                                        */

typedef enum AstKind {
#define K(name) AST_##name,
    AST_KINDS(K)
#undef K
} AstKind;

/* The operators of AST_unary and AST_binary. */
typedef enum AstOp {
    AOP_none, AOP_or, AOP_and, AOP_not, AOP_eq, AOP_ne, AOP_lt, AOP_le, AOP_gt, AOP_ge,
    AOP_add, AOP_sub, AOP_mul, AOP_div, AOP_mod, AOP_matmul, AOP_neg, AOP_pow
} AstOp;

typedef struct Ast Ast;
struct Ast {
    AstKind kind;
    AstOp op;
    Span span;         /* the whole construct */
    Span name_span;    /* where `text` stands, for messages about the name */
    const char *text;
    int64_t integer;
    double real;
    int n;             /* number of kids */
    int depth;         /* of the tree below, 1 for a leaf; at most 2000 after a parse without errors: walks may recurse */
    Ast **kid;
};

/* Parses one file that was added to d->sources. Errors go to d (several a run); always returns an AST_file, whose
   parts may be AST_error after errors. Nesting deeper than 1000 is an error, not a crash. */
Ast *ast_parse(Arena *a, Diag *d, const Source *source);

/* Prints a parsed file back as .net text with its comments and blank lines, canonically spaced:
   parsing and formatting the output gives the same output. Needs a file that parsed without an error. */
void ast_format(Text *out, const Ast *file, const Source *source);

/* The operator as it is written: "+", "and", ... */
const char *ast_op_text(AstOp op);
const char *ast_kind_name(AstKind kind);

/* The layers, losses and metrics written in the language: the bytes of prelude.net, NUL-terminated. */
extern const char prelude_text[];

#endif
