/* net.y -- the grammar. docs/language.md explains it; every action is one call that builds a node.
 *
 * Text is free-form: a line's end means nothing. A statement ends where the next token cannot go on with it, which
 * is decidable because statements begin with a keyword or a name and no expression goes on with either. So a line
 * that begins with `-`, `(` or `[` goes on with the line above it, as in Lua: `a = b` and below it `-c` is `a = b - c`.
 */
%require "3.8"
%expect 0
%define api.pure full
%define api.value.type {struct Ast *}
%define api.location.type {struct Span}
%define api.token.prefix {T_}
%define parse.error custom
%define parse.lac full
%locations
%param {struct Parse *p}

%code requires {
    struct Ast;
    struct Parse;
    struct Span;
}

%code top {
#include "parse.h"

#include <stdlib.h>
}

%code {
static void *parser_alloc(size_t size);
static int yylex(YYSTYPE *value, YYLTYPE *span, Parse *p) { return token_next(p, value, span); }
static void yyerror(const YYLTYPE *span, Parse *p, const char *message);

/* Right-nested text costs stack until it ends; tree depth is checked where nodes are made. */
#define YYMAXDEPTH 50000
#define YYMALLOC parser_alloc
#define YYFREE free
#define YYLLOC_DEFAULT(all, rhs, n)                                                                       \
    ((all) = (n) ? span_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n))                                          \
                 : (Span){YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end})
}

%initial-action { @$ = (Span){p->source->base, p->source->base}; }

/* A name with a space in it is printed as it is in messages, others between backticks. */
%token END 0 "end of file"
%token SYNC "end of a skipped statement"
%token IMPORT "import" CONST "const" BLOCK "block" NET "net" TRAIN "train"
%token INPUT "input" OUTPUT "output" PARAM "param" STATE "state" LOSS "loss" METRIC "metric"
%token FOR "for" IN "in" IF "if" ELSE "else" SCAN "scan" YIELD "yield" RETURN "return" UPDATES "updates" AS "as"
%token TRUE "true" FALSE "false" NOT "not"
%token NAME "a name" DTYPE "a type" INT "a number" FLOAT "a real number" STRING "a string"
%token RANGE ".." ARROW "->" OR "or" AND "and" EQ "==" NE "!=" LE "<=" GE ">="

%right      '?' ':'
%left       "->"
%left       "or"
%left       "and"
%nonassoc   "==" "!=" '<' "<=" '>' ">="
%left       '+' '-'
%left       '*' '/' '%' '@'
%precedence UNARY
%right      '^'

%%

file:
    %empty                                  { $$ = p->file; }
  | file item                               { $$ = ast_push(p, p->file, $2); }
  | file error SYNC                         { yyerrok; }
  ;

item:
    "import" STRING                         { $$ = ast_named(p, AST_import, @$, $2, 0, NULL); }
  | const
  | "block" NAME '(' formals ')' body       { $$ = ast_named(p, AST_block, @$, $2, KIDS($4, $6)); }
  | "net" NAME body                         { $$ = ast_named(p, AST_net, @$, $2, KIDS($3)); }
  | "train" NAME '{' settings '}'           { $$ = ast_become($4, AST_train, @$, $2); }
  ;

const: "const" constants                    { $$ = ast_become($2, AST_const, @$, NULL); };
constants:
    assign                                  { $$ = ast_list(p, $1); }
  | constants ',' assign                    { $$ = ast_push(p, $1, $3); }
  ;
assign: NAME '=' expr                       { $$ = ast_named(p, AST_assign, @$, $1, KIDS($3)); };

settings:
    %empty                                  { $$ = ast_list(p, NULL); }
  | settings setting                        { $$ = ast_push(p, $1, $2); }
  | settings setting ';'                    { $$ = ast_push(p, $1, $2); }
  | settings error SYNC                     { yyerrok; }
  ;
setting: NAME '=' expr                      { $$ = ast_named(p, AST_argument, @$, $1, KIDS($3)); };

formals:
    %empty                                  { $$ = ast_list(p, NULL); }
  | formal_list
  | formal_list ','
  ;
formal_list:
    formal                                  { $$ = ast_list(p, $1); }
  | formal_list ',' formal                  { $$ = ast_push(p, $1, $3); }
  ;
formal:
    NAME                                    { $$ = ast_named(p, AST_formal, @$, $1, KIDS(NULL)); }
  | NAME '=' expr                           { $$ = ast_named(p, AST_formal, @$, $1, KIDS($3)); }
  ;

body: '{' statements '}'                    { $$ = ast_become($2, AST_body, @$, NULL); };
statements:
    %empty                                  { $$ = ast_list(p, NULL); }
  | statements statement                    { $$ = ast_push(p, $1, $2); }
  | statements statement ';'                { $$ = ast_push(p, $1, $2); }
  | statements error SYNC                   { yyerrok; $$ = ast_push(p, $1, ast_leaf(p, AST_error, @2, "", 0)); }
  ;

statement:
    "input" names ':' type                  { $$ = ast_node(p, AST_input, @$, KIDS($2, $4)); }
  | "output" outputs                        { $$ = ast_become($2, AST_output, @$, NULL); }
  | "param" params ':' type '=' expr        { $$ = ast_node(p, AST_param, @$, KIDS($2, $4, $6)); }
  | "state" names '=' expr                  { $$ = ast_node(p, AST_state, @$, KIDS($2, $4)); }
  | const
  | "loss" expr updates                     { $$ = ast_named(p, AST_loss, @$, NULL, KIDS($2, $3)); }
  | "loss" NAME '=' expr updates            { $$ = ast_named(p, AST_loss, @$, $2, KIDS($4, $5)); }
  | "metric" expr                           { $$ = ast_node(p, AST_metric, @$, KIDS($2)); }
  | names '=' values                        { $$ = ast_node(p, AST_let, @$, KIDS($1, NULL, $3)); }
  | names ':' type '=' values               { $$ = ast_node(p, AST_let, @$, KIDS($1, $3, $5)); }
  | scan
  | "for" NAME "in" expr ".." expr body     { $$ = ast_named(p, AST_for, @$, $2, KIDS($4, $6, $7)); }
  | if
  | "yield" exprs                           { $$ = ast_become($2, AST_yield, @$, NULL); }
  | "return" exprs                          { $$ = ast_become($2, AST_return, @$, NULL); }
  ;

outputs:
    output                                  { $$ = ast_list(p, $1); }
  | outputs ',' output                      { $$ = ast_push(p, $1, $3); }
  ;
output:
    NAME                                    { $$ = ast_named(p, AST_assign, @$, $1, KIDS(NULL)); }
  | assign
  ;
updates:
    %empty                                  { $$ = NULL; }
  | "updates" names                         { $$ = $2; }
  ;
values: exprs | scan;
scan: "scan" names "in" exprs body          { $$ = ast_node(p, AST_scan, @$, KIDS($2, $4, $5)); };
if:
    "if" expr body                          { $$ = ast_node(p, AST_if, @$, KIDS($2, $3, NULL)); }
  | "if" expr body "else" body              { $$ = ast_node(p, AST_if, @$, KIDS($2, $3, $5)); }
  | "if" expr body "else" if                { $$ = ast_node(p, AST_if, @$, KIDS($2, $3, $5)); }
  ;

names:
    NAME                                    { $$ = ast_list(p, $1); }
  | names ',' NAME                          { $$ = ast_push(p, $1, $3); }
  ;
params:
    param                                   { $$ = ast_list(p, $1); }
  | params ',' param                        { $$ = ast_push(p, $1, $3); }
  ;
param:
    NAME
  | NAME '[' exprs ']'                      { $$ = ast_become($3, AST_label, @$, $1); }
  ;
type:
    DTYPE dims                              { $$ = ast_named(p, AST_type, @$, $1, KIDS($2, NULL, NULL)); }
  | DTYPE dims "in" expr ".." expr          { $$ = ast_named(p, AST_type, @$, $1, KIDS($2, $4, $6)); }
  ;
dims:
    %empty                                  { $$ = NULL; }
  | list
  ;

exprs:
    expr                                    { $$ = ast_list(p, $1); }
  | exprs ',' expr                          { $$ = ast_push(p, $1, $3); }
  ;
list: '[' exprs ']'                         { $$ = ast_become($2, AST_list, @$, NULL); };

expr:
    expr '?' expr ':' expr                  { $$ = ast_node(p, AST_ternary, @$, KIDS($1, $3, $5)); }
  | expr "->" step                          { $$ = ast_node(p, AST_pipe, @$, KIDS($1, $3, NULL)); }
  | expr "->" step "as" label               { $$ = ast_node(p, AST_pipe, @$, KIDS($1, $3, $5)); }
  | expr "or" expr                          { $$ = ast_binary(p, AOP_or, @$, $1, $3); }
  | expr "and" expr                         { $$ = ast_binary(p, AOP_and, @$, $1, $3); }
  | expr "==" expr                          { $$ = ast_binary(p, AOP_eq, @$, $1, $3); }
  | expr "!=" expr                          { $$ = ast_binary(p, AOP_ne, @$, $1, $3); }
  | expr '<' expr                           { $$ = ast_binary(p, AOP_lt, @$, $1, $3); }
  | expr "<=" expr                          { $$ = ast_binary(p, AOP_le, @$, $1, $3); }
  | expr '>' expr                           { $$ = ast_binary(p, AOP_gt, @$, $1, $3); }
  | expr ">=" expr                          { $$ = ast_binary(p, AOP_ge, @$, $1, $3); }
  | expr '+' expr                           { $$ = ast_binary(p, AOP_add, @$, $1, $3); }
  | expr '-' expr                           { $$ = ast_binary(p, AOP_sub, @$, $1, $3); }
  | expr '*' expr                           { $$ = ast_binary(p, AOP_mul, @$, $1, $3); }
  | expr '/' expr                           { $$ = ast_binary(p, AOP_div, @$, $1, $3); }
  | expr '%' expr                           { $$ = ast_binary(p, AOP_mod, @$, $1, $3); }
  | expr '@' expr                           { $$ = ast_binary(p, AOP_matmul, @$, $1, $3); }
  | expr '^' expr                           { $$ = ast_binary(p, AOP_pow, @$, $1, $3); }
  | '-' expr    %prec UNARY                 { $$ = ast_unary(p, AOP_neg, @$, $2); }
  | "not" expr  %prec UNARY                 { $$ = ast_unary(p, AOP_not, @$, $2); }
  | postfix
  ;

step:
    NAME                                    { $$ = ast_named(p, AST_call, @$, $1, 0, NULL); }
  | call
  ;
call: NAME '(' args ')'                     { $$ = ast_become($3, AST_call, @$, $1); };
label:
    NAME                                    { $$ = ast_named(p, AST_label, @$, $1, 0, NULL); }
  | NAME '[' exprs ']'                      { $$ = ast_become($3, AST_label, @$, $1); }
  ;

args:
    %empty                                  { $$ = ast_list(p, NULL); }
  | arg_list
  | arg_list ','
  ;
arg_list:
    arg                                     { $$ = ast_list(p, $1); }
  | arg_list ',' arg                        { $$ = ast_push(p, $1, $3); }
  ;
arg:
    expr
  | NAME '=' expr                           { $$ = ast_named(p, AST_argument, @$, $1, KIDS($3)); }
  | keyword '=' expr                        { $$ = ast_named(p, AST_argument, @$, $1, KIDS($3)); }
  ;
/* The words that no expression begins with may name an argument. */
keyword: word                               { $$ = ast_word(p, @1); };
word:
    "import" | "const" | "block" | "net" | "train" | "input" | "output" | "param" | "state" | "loss" | "metric"
  | "for" | "in" | "if" | "else" | "scan" | "yield" | "return" | "updates" | "as"
  ;

postfix:
    primary
  | postfix '.' NAME                        { $$ = ast_named(p, AST_member, @$, $3, KIDS($1)); }
  | postfix '[' subscripts ']'              { $$ = ast_index(p, @$, $1, $3); }
  ;
subscripts:
    subscript                               { $$ = ast_list(p, $1); }
  | subscripts ',' subscript                { $$ = ast_push(p, $1, $3); }
  ;
subscript:
    expr
  | ':'                                     { $$ = ast_node(p, AST_slice, @$, KIDS(NULL, NULL)); }
  | expr ':'                                { $$ = ast_node(p, AST_slice, @$, KIDS($1, NULL)); }
  | ':' expr                                { $$ = ast_node(p, AST_slice, @$, KIDS(NULL, $2)); }
  | expr ':' expr                           { $$ = ast_node(p, AST_slice, @$, KIDS($1, $3)); }
  ;
primary:
    NAME
  | call
  | DTYPE
  | INT
  | FLOAT
  | STRING
  | "true"                                  { $$ = ast_bool(p, @$, 1); }
  | "false"                                 { $$ = ast_bool(p, @$, 0); }
  | '(' expr ')'                            { $$ = ast_node(p, AST_paren, @$, KIDS($2)); }
  | '[' ']'                                 { $$ = ast_become(ast_list(p, NULL), AST_list, @$, NULL); }
  | list
  ;

%%

static void *parser_alloc(size_t size)
{
    void *m = malloc(size);
    if (!m) memory_out();
    return m;
}

/* Reached only when the parser's stack is at YYMAXDEPTH: everything else goes to yyreport_syntax_error(). */
static void yyerror(const YYLTYPE *span, Parse *p, const char *message)
{
    (void)message;
    too_deep(p, *span);
}

static int yyreport_syntax_error(const yypcontext_t *context, Parse *p)
{
    yysymbol_kind_t kinds[YYNTOKENS];
    const char *expected[YYNTOKENS];
    int n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    if (n == YYENOMEM) return n;
    for (int i = 0; i < n; i++) expected[i] = yysymbol_name(kinds[i]);
    syntax_error(p, *yypcontext_location(context), yysymbol_name(yypcontext_token(context)), expected, n);
    return 0;
}
