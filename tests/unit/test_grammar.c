/* test_grammar.c -- what parses and into what tree, what does not and with which message, and the formatter. */
#include "../../grammar/ast.h"
#include "programs.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

typedef struct Parsed {
    Arena *arena;
    Sources sources;
    const Source *source;
    Ast *file;
    char *messages;   /* malloc'd */
    size_t size;
    int errors;
} Parsed;

/* The arena owns everything but the messages; free with release(). */
static Parsed *parse_bytes(const char *text, size_t n)
{
    Arena *a = arena_new();
    Parsed *p = NEW(a, Parsed);
    p->arena = p->sources.arena = a;
    p->source = sources_add(&p->sources, "t.net", arena_strndup(a, text, n), n);
    ck_assert_ptr_nonnull(p->source);
    FILE *out = open_memstream(&p->messages, &p->size);
    Diag d = {.sources = &p->sources, .out = out};
    p->file = ast_parse(a, &d, p->source);
    fclose(out);
    p->errors = d.errors;
    ck_assert_int_eq(p->file->kind, AST_file);
    return p;
}

static Parsed *parse(const char *text) { return parse_bytes(text, strlen(text)); }

static void release(Parsed *p)
{
    free(p->messages);
    arena_free(p->arena);
}

/* ---- trees ---- */

static void dump(Text *t, const Ast *x)
{
    if (!x) {
        text_puts(t, "~");
        return;
    }
    if (x->kind == AST_integer || x->kind == AST_bool) {
        text_printf(t, "%lld", (long long)x->integer);
        return;
    }
    if (x->kind == AST_name || x->kind == AST_real || x->kind == AST_dtype) {
        text_puts(t, x->text);
        return;
    }
    text_printf(t, "(%s", x->op ? ast_op_text(x->op) : ast_kind_name(x->kind));
    if (x->text) text_printf(t, " %s", x->text);
    for (int i = 0; i < x->n; i++) {
        text_putc(t, ' ');
        dump(t, x->kid[i]);
    }
    text_putc(t, ')');
}

static bool ast_equal(const Ast *x, const Ast *y)
{
    if (!x || !y) return x == y;
    if (x->kind != y->kind || x->op != y->op || x->integer != y->integer || x->n != y->n) return false;
    if (memcmp(&x->real, &y->real, sizeof x->real) != 0 || !x->text != !y->text) return false;
    if (x->text && strcmp(x->text, y->text) != 0) return false;
    for (int i = 0; i < x->n; i++)
        if (!ast_equal(x->kid[i], y->kid[i])) return false;
    return true;
}

START_TEST(program_parses)
{
    Parsed *p = parse(programs[_i]);
    ck_assert_str_eq(p->messages, "");
    ck_assert_int_gt(p->file->n, 0);
    release(p);
}
END_TEST

/* `text` stands in `net n { x = TEXT }`, or is a statement when it begins with a `!`, which is dropped. */
static const struct { const char *text, *tree; } trees[] = {
    {"1 + 2 * 3", "(+ 1 (* 2 3))"},
    {"1 - 2 - 3", "(- (- 1 2) 3)"},
    {"2 ^ 3 ^ 4", "(^ 2 (^ 3 4))"},
    {"-a ^ 2", "(- (^ a 2))"},
    {"a ^ -b * c", "(* (^ a (- b)) c)"},
    {"-a * b", "(* (- a) b)"},
    {"not a == b", "(== (not a) b)"},
    {"not a and not b or c", "(or (and (not a) (not b)) c)"},
    {"a or b and c", "(or a (and b c))"},
    {"a + 1 < b @ c", "(< (+ a 1) (@ b c))"},
    {"a == b and c != d", "(and (== a b) (!= c d))"},
    {"a ? b : c ? d : e", "(ternary a b (ternary c d e))"},
    {"a or b ? c -> f : d -> g", "(ternary (or a b) (pipe c (call f) ~) (pipe d (call g) ~))"},
    {"a + b -> f -> g(1, k=2)", "(pipe (pipe (+ a b) (call f) ~) (call g 1 (argument k 2)) ~)"},
    {"a -> f as n[i, 0] -> g", "(pipe (pipe a (call f) (label n i 0)) (call g) ~)"},
    {"x + (x -> f)", "(+ x (paren (pipe x (call f) ~)))"},
    {"a.shape[1].b", "(member b (index (member shape a) 1))"},
    {"a[:, 1:, :2, b ? 1 : 2 : 3]",
     "(index a (slice ~ ~) (slice 1 ~) (slice ~ 2) (slice (ternary b 1 2) 3))"},
    {"f(a, in=3, loss = 4,)", "(call f a (argument in 3) (argument loss 4))"},
    {"[1, f32, true, \"a\\n\\t\\\\\\\"\"]", "(list 1 f32 1 (string a\n\t\\\"))"},
    {"0x1F + 1_000 + 1.5e3 + 2e-1", "(+ (+ (+ 31 1000) 1.5e3) 2e-1)"},
    {"9223372036854775807", "9223372036854775807"},
    {"a\n-b", "(- a b)"},
    {"a\n(b)", "(call a b)"},
    {"!loss d = e updates a, b;", "(loss d e (list a b))"},
    {"!loss d(e)", "(loss (call d e) ~)"},
    {"!loss d", "(loss d ~)"},
    {"!input a, b : i32[2, c] in 0..d - 1", "(input (list a b) (type i32 (list 2 c) 0 (- d 1)))"},
    {"!param w : f32[2] = normal(0, 1)", "(param (list w) (type f32 (list 2) ~ ~) (call normal 0 1))"},
    {"!param w : f32 = 0", "(param (list w) (type f32 ~ ~ ~) 0)"},
    {"!param w[i, \"_b\"], v : f32 = 0", "(param (list (label w i (string _b)) v) (type f32 ~ ~ ~) 0)"},
    {"[] + [[]]", "(+ (list) (list (list)))"},
    {"!output a = b, c", "(output (assign a b) (assign c ~))"},
    {"!state h, c = zeros(3)", "(state (list h c) (call zeros 3))"},
    {"!const a = 1, b = 2", "(const (assign a 1) (assign b 2))"},
    {"!a, b : f32[3] = c, d", "(let (list a b) (type f32 (list 3) ~ ~) (list c d))"},
    {"!h = scan a, b in c, d { yield a, b }",
     "(let (list h) ~ (scan (list a b) (list c d) (body (yield a b))))"},
    {"!scan a in b { return c, d }", "(scan (list a) (list b) (body (return c d)))"},
    {"!for i in 0..n - 1 { }", "(for i 0 (- n 1) (body))"},
    {"!if a { b = 1 } else if c { } else { d = 2; }",
     "(if a (body (let (list b) ~ (list 1))) (if c (body) (body (let (list d) ~ (list 2)))))"},
};

START_TEST(tree_is_right)
{
    const char *text = trees[_i].text;
    bool statement = text[0] == '!';
    char all[400];
    snprintf(all, sizeof all, "net n { %s%s }", statement ? "" : "x = ", text + statement);
    Parsed *p = parse(all);
    ck_assert_str_eq(p->messages, "");
    const Ast *x = p->file->kid[0]->kid[0]->kid[0];
    Text t = {.arena = p->arena};
    dump(&t, statement ? x : x->kid[2]->kid[0]);
    ck_assert_str_eq(text_string(&t), trees[_i].tree);
    release(p);
}
END_TEST

START_TEST(spans_are_global)
{
    Arena *a = arena_new();
    Sources s = {.arena = a};
    Diag d = {.sources = &s, .out = stderr};
    const char *text = "net n { foo = bar(1) }";
    sources_add(&s, "a", "const a = 1", 11);
    const Source *source = sources_add(&s, "b", text, strlen(text));
    const Ast *let = ast_parse(a, &d, source)->kid[0]->kid[0]->kid[0], *call = let->kid[2]->kid[0];
    ck_assert_uint_eq(let->span.begin, source->base + 8);
    ck_assert_uint_eq(call->span.begin, source->base + 14);
    ck_assert_uint_eq(call->span.end, source->base + 20);
    ck_assert_uint_eq(call->name_span.end, source->base + 17);
    arena_free(a);
}
END_TEST

/* ---- messages ---- */

#define AT(line, column) "t.net:" #line ":" #column ": error: "

static const struct { const char *text, *messages; } bad[] = {
    {"net n { x = }", AT(1, 13) "unexpected `}`; expected an expression\n"
                      "     1 | net n { x = }\n       |             ^\n"},
    {"net n { x = f(a b) }", AT(1, 17) "unexpected name `b`; expected an operator, `)`, `,` or `=`\n"
                             "     1 | net n { x = f(a b) }\n       |                 ^\n"},
    {"net n {\n\ty = a < b < c\n}",
     AT(2, 12) "unexpected `<`; expected an operator, `,`, a statement or `}` "
               "(comparisons do not chain: `a < b and b < c`)\n     2 | \ty = a < b < c\n       | \t          ^\n"},
    {"net n { if a = b { } }", AT(1, 14) "unexpected `=`; expected an operator or `{` (equality is `==`)\n"
                               "     1 | net n { if a = b { } }\n       |              ^\n"},
    {"net n { input x : float[2] }", AT(1, 19) "unexpected name `float`; expected a type such as `f32`\n"
                                     "     1 | net n { input x : float[2] }\n       |                   ^~~~~\n"},
    {"net n {\n    x = 1\n",
     AT(3, 1) "unexpected end of file; expected an operator, `,`, a statement or `}`\n     3 | \n       | ^\n"
     "t.net:1:7: note: this `{` is not closed\n     1 | net n {\n       |       ^\n"},
    {"net n {\n    x = (1\n}",
     AT(3, 1) "unexpected `}`; expected an operator or `)`\n     3 | }\n       | ^\n"
     "t.net:2:9: note: this `(` is not closed\n     2 |     x = (1\n       |         ^\n"},
    {"x = 1", AT(1, 1) "unexpected name `x`; expected `import`, `const`, `block`, `net`, `train` or end of file\n"
              "     1 | x = 1\n       | ^\n"},
    {"train t { a : 1 }", AT(1, 13) "unexpected `:`; expected `=`\n     1 | train t { a : 1 }\n       |             ^\n"},
    {"net n { x = 12abc }", AT(1, 13) "`12abc` is not a number\n"
                            "     1 | net n { x = 12abc }\n       |             ^~~~~\n"},
    {"net n { x = 1.2.3 }", AT(1, 13) "`1.2.3` is not a number\n"
                            "     1 | net n { x = 1.2.3 }\n       |             ^~~~~\n"},
    {"net n { x = .5 }", AT(1, 13) "`.5` is not a number: a digit must stand before the point\n"
                         "     1 | net n { x = .5 }\n       |             ^~\n"},
    {"net n { x = 007 }", AT(1, 13) "`007` is not a number: it begins with a 0\n"
                          "     1 | net n { x = 007 }\n       |             ^~~\n"},
    {"net n { x = 9223372036854775808 }",
     AT(1, 13) "this integer is too large: at most 9223372036854775807\n"
     "     1 | net n { x = 9223372036854775808 }\n       |             ^~~~~~~~~~~~~~~~~~~\n"},
    {"net n { x = 1e999 }", AT(1, 13) "this number is too large for a double: at most 1.8e308\n"
                            "     1 | net n { x = 1e999 }\n       |             ^~~~~\n"},
    {"net n { x = \"abc\r\n }", AT(1, 13) "this string has no closing `\"` on its line\n"
                               "     1 | net n { x = \"abc\n       |             ^~~~\n"},
    {"import \"a\\qb\"", AT(1, 10) "unknown escape; strings know \\n \\t \\\\ and \\\"\n"
                         "     1 | import \"a\\qb\"\n       |          ^~\n"},
    {"net n { x = a && b }", AT(1, 15) "unexpected `&&`; `and` joins conditions\n"
                             "     1 | net n { x = a && b }\n       |               ^~\n"},
    {"net n { x = caf\xc3\xa9\xc3\xa9 # caf\xc3\xa9\n }",
     AT(1, 16) "only ASCII may stand outside comments and strings\n"
     "     1 | net n { x = caf\xc3\xa9\xc3\xa9 # caf\xc3\xa9\n       |                ^~\n"},
};

START_TEST(message_is_right)
{
    Parsed *p = parse(bad[_i].text);
    ck_assert_str_eq(p->messages, bad[_i].messages);
    release(p);
}
END_TEST

/* The lines of the errors, as "2 4 5 "; one mistake is one error. */
static const struct { const char *text, *lines; } several[] = {
    {"net a {\n    x = f(1,, 2)\n    y = (b\n    z = c d\n    for i in 3 {\n        q = 1\n    }\n"
     "    w = x -> 5\n    output y\n}\n", "2 4 5 5 8 "},
    {"net a {\n    x = 1 +\n}\nblock b(x {\n    return x\n}\nnet c {\n    y = 1\nnet d {\n    z = [1, 2\n    output z\n}\n"
     "train d {\n    a : 1\n    b = 2\n}\n", "3 4 9 11 14 "},
    {"import 5\nconst = 1\nblock (x) { return x }\nnet { output x }\ntrain t { x }\n", "1 2 3 4 5 "},
    {"net a {\n    x = conv(3, ,\n        stride=2)\n    y = $\n    s = \"abc\n    t = 1x + 2\n    u = 1 2 3 4\n    output x,\n}\n",
     "2 4 5 6 7 9 "},
    {"net a {\n    x = 1 }\n    output x\n}\nnet b { input x : f32[ output y }\nnet c { x = ) y = 3; z = ] ; output z }\n",
     "3 5 6 6 "},
};

START_TEST(errors_are_independent)
{
    Parsed *p = parse(several[_i].text);
    char lines[200] = "";
    for (const char *s = p->messages; (s = strstr(s, "t.net:")); s++) {
        int line = atoi(s + 6);
        const char *kind = strchr(strchr(s + 6, ':') + 1, ':');
        if (strncmp(kind, ": error", 7) == 0) snprintf(lines + strlen(lines), 20, "%d ", line);
    }
    ck_assert_msg(strcmp(lines, several[_i].lines) == 0, "%s\n%s", lines, p->messages);
    release(p);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    static const char text[] = "net a { x = \0\0\0 1 # \0\n output x }";
    Parsed *p = parse_bytes(text, sizeof text - 1);
    ck_assert_int_eq(p->errors, 2);
    ck_assert_ptr_nonnull(strstr(p->messages, "t.net:1:13: error: a NUL byte: this is not text"));
    release(p);
}
END_TEST

/* before, `open` many times, middle, `close` many times, after */
static const struct { const char *open, *close; int n, errors; } deep[] = {
    {"(", ")", 900, 0},   {"(", ")", 100000, 1}, {"[", "]", 100000, 1}, {"-", "", 1000, 0},   {"-", "", 100000, 1},
    {"not ", "", 100000, 1}, {"1 ? ", " : 1", 100000, 1}, {"1 ? 1 : ", "", 100000, 1}, {"2^", "", 100000, 1},
    {"1 + ", "", 1000, 0}, {"1 + ", "", 100000, 1}, {"", " -> f", 100000, 1}, {"f(a=", ")", 100000, 1}, {"", "[0]", 100000, 1},
    {"(", "", 100000, 1},
};

START_TEST(depth_is_limited)
{
    Arena *a = arena_new();
    Text t = {.arena = a};
    text_puts(&t, "net n { x = ");
    for (int i = 0; i < deep[_i].n; i++) text_puts(&t, deep[_i].open);
    text_puts(&t, "1");
    for (int i = 0; i < deep[_i].n; i++) text_puts(&t, deep[_i].close);
    text_puts(&t, " }\n");
    Parsed *p = parse_bytes(t.s, t.n);
    ck_assert_int_eq(p->errors, deep[_i].errors);
    if (p->errors) ck_assert_ptr_nonnull(strstr(p->messages, "nested too deeply"));
    release(p);
    arena_free(a);
}
END_TEST

START_TEST(many_errors_end)
{
    Arena *a = arena_new();
    Text t = {.arena = a};
    text_puts(&t, "net n {\n");
    for (int i = 0; i < 100000; i++) text_puts(&t, "x = )\n");
    Parsed *p = parse_bytes(t.s, t.n);
    ck_assert_int_eq(p->errors, 21);
    ck_assert_ptr_nonnull(strstr(p->messages, "more errors follow"));
    release(p);
    arena_free(a);
}
END_TEST

/* ---- the formatter ---- */

static const struct { const char *from, *to; } formats[] = {
    {"", ""},
    {"\n\n# a  \r\n\n\n# b", "# a\n\n# b\n"},
    {"\xef\xbb\xbf" "const a=1", "const a = 1\n"},
    {"const a=1", "const a = 1\n"},
    {"net n{x=1;y=2}", "net n {\n    x = 1\n    y = 2\n}\n"},
    {"net n { output x }", "net n { output x }\n"},
    {"net n\n{\n}\n", "net n {}\n"},
    {"net n {\n# c\n}\n", "net n {\n    # c\n}\n"},
    {"net n { # c\n\n\n  x = 1 # d\n\n\n\n  y = - 1\n\n}", "net n {  # c\n\n    x = 1  # d\n\n    y = -1\n}\n"},
    {"net n {\nx = a\n-> f ( 1,\n2 ) as l [ i ]\n}", "net n {\n    x = a\n        -> f(1,\n        2) as l[i]\n}\n"},
    {"net n {\nx = f(\n1,\n2\n)\n}", "net n {\n    x = f(\n        1,\n        2\n    )\n}\n"},
    {"block b(x,y = 2,z=a+1) {return x ^ 2*1 / 2 - -y}", "block b(x, y=2, z = a + 1) { return x^2 * 1/2 - -y }\n"},
    {"net n { x = y -> scale( 1 / 255 ) }", "net n { x = y -> scale(1/255) }\n"},
    {"net n {\nif a { b = 1 }\nelse if c { d = 1 e = 2 }\n}",
     "net n {\n    if a { b = 1 } else if c {\n        d = 1\n        e = 2\n    }\n}\n"},
    {"net n {\nif a { b = 1 } # c\nelse { d = 1 }\n}", "net n {\n    if a { b = 1 }  # c\n    else { d = 1 }\n}\n"},
    {"net n { x = a [ : , 0 : d , b ? 1:2 ] . shape [ 0 ] }", "net n { x = a[:, 0:d, b ? 1 : 2].shape[0] }\n"},
    {"net n { input x,y:f32 [2] in 0 .. 3 }", "net n { input x, y : f32[2] in 0..3 }\n"},
    {"train t { a=1\nlong = adam(rate = 1e-3)\n\n# c\nb=not x }",
     "train t {\n    a    = 1\n    long = adam(rate=1e-3)\n\n    # c\n    b    = not x\n}\n"},
    {"net n {\nh = scan x in xs { yield x y = 2 }\n}",
     "net n {\n    h = scan x in xs {\n        yield x\n        y = 2\n    }\n}\n"},
};

/* Formats, and checks that the output means the same and formats to itself. The string lives with p. */
static const char *format(const Parsed *p)
{
    Text once = {.arena = p->arena}, twice = {.arena = p->arena};
    ast_format(&once, p->file, p->source);
    Parsed *again = parse_bytes(text_string(&once), once.n);
    ck_assert_msg(again->errors == 0, "%s\n%s", again->messages, text_string(&once));
    ck_assert_msg(ast_equal(p->file, again->file), "another tree:\n%s", text_string(&once));
    ast_format(&twice, again->file, again->source);
    ck_assert_str_eq(text_string(&once), arena_strdup(p->arena, text_string(&twice)));
    release(again);
    return text_string(&once);
}

START_TEST(format_is_right)
{
    Parsed *p = parse(formats[_i].from);
    ck_assert_str_eq(p->messages, "");
    ck_assert_str_eq(format(p), formats[_i].to);
    release(p);
}
END_TEST

START_TEST(program_formats)
{
    Parsed *p = parse(programs[_i]);
    ck_assert_str_eq(p->messages, "");
    format(p);
    release(p);
}
END_TEST

START_TEST(prelude_parses)
{
    Parsed *p = parse(prelude_text);
    ck_assert_str_eq(p->messages, "");
    format(p);
    release(p);
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, (int)LENGTH(table))

int main(void)
{
    Suite *s = suite_create("grammar");
    TCase *tc = tcase_create("grammar");
    LOOP(tc, program_parses, programs);
    LOOP(tc, tree_is_right, trees);
    tcase_add_test(tc, spans_are_global);
    LOOP(tc, message_is_right, bad);
    LOOP(tc, errors_are_independent, several);
    tcase_add_test(tc, nul_bytes_are_refused);
    LOOP(tc, depth_is_limited, deep);
    tcase_add_test(tc, many_errors_end);
    LOOP(tc, format_is_right, formats);
    LOOP(tc, program_formats, programs);
    tcase_add_test(tc, prelude_parses);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
