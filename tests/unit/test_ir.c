/* test_ir.c -- graphs: building, sorting, printing and reading, shape rules, fold and share. */
#include "../../compiler/pass/fold.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static Arena *arena;
static Diag diag;
static Sources sources;
static FILE *messages;
static char *message;
static size_t message_bytes;

static void setup(void)
{
    arena = arena_new();
    sources = (Sources){.arena = arena};
    messages = open_memstream(&message, &message_bytes);
    diag = (Diag){.sources = &sources, .out = messages};
}

static void teardown(void)
{
    fclose(messages);
    free(message);
    arena_free(arena);
}

static Graph *read_text(const char *text, size_t n)
{
    const Source *s = sources_add(&sources, "t", text, n);
    Graph *g = graph_read(arena, &diag, s);
    fflush(messages);
    return g;
}

static Graph *read_good(const char *text)
{
    Graph *g = read_text(text, strlen(text));
    ck_assert_msg(g, "%s\n%s", text, message);
    graph_verify(g, "read");
    return g;
}

static const char *printed(const Graph *g)
{
    Text t = {.arena = arena};
    graph_print(&t, g, NULL);
    return text_string(&t);
}

static Graph *new_graph(void) { return graph_new(arena, &diag, "t", MODE_infer, 4); }
static Shape shape(int rank, int64_t a, int64_t b, int64_t c, int64_t d) { return (Shape){rank, {a, b, c, d}}; }

/* ---- affine maps ---- */

START_TEST(affine_arithmetic)
{
    Affine x = affine_add(affine_scale(affine_axis(4), 2), affine_add(affine_axis(1), affine_constant(-3)));
    Affine y = affine_add(x, affine_scale(affine_axis(1), -1));
    Text t = {.arena = arena};
    affine_print(&t, &x, NULL);
    text_puts(&t, "; ");
    affine_print(&t, &y, NULL);
    text_puts(&t, "; ");
    Affine z = affine_scale(y, -1), none = affine_scale(y, 0);
    affine_print(&t, &z, (const char *const[]){"n", "c", "y", "x", "k"});
    text_puts(&t, "; ");
    affine_print(&t, &none, NULL);
    ck_assert_str_eq(text_string(&t), "i1 + 2*i4 - 3; 2*i4 - 3; -2*k + 3; 0");
    int64_t low, high;
    Affine w = affine_add(x, affine_scale(affine_axis(2), -1));
    affine_range(&w, (const int64_t[]){1, 5, 10, 1, 3}, &low, &high);
    ck_assert_int_eq(low, -3 - 9);
    ck_assert_int_eq(high, -3 + 4 + 4);
    ck_assert_int_eq(affine_coef(&x, 4), 2);
    ck_assert_int_eq(affine_coef(&x, 2), 0);
    ck_assert(!affine_equal(&x, &y));
}
END_TEST

START_TEST(affine_range_saturates)
{
    Affine x = affine_scale(affine_axis(0), INT64_MAX / 2);
    int64_t low, high;
    affine_range(&x, (const int64_t[]){INT32_MAX}, &low, &high);
    ck_assert(low == 0 && high == INT64_MAX);
}
END_TEST

START_TEST(shapes_have_a_limit)
{
    ck_assert_int_eq(shape_elements((Shape){0}), 1);
    ck_assert_int_eq(shape_elements(shape(2, 65536, 32767, 0, 0)), INT64_C(65536) * 32767);
    ck_assert_int_eq(shape_elements(shape(2, 65536, 32768, 0, 0)), -1);
    ck_assert_int_eq(shape_elements(shape(4, INT64_MAX, INT64_MAX, 3, 3)), -1);
}
END_TEST

/* ---- sorting ---- */

START_TEST(sort_survives_long_chains)
{
    enum { LONG = 100000 };
    Graph *g = new_graph();
    Node *x = node_leaf(g, OP_input, "x", DTYPE_f32, shape(2, 4, 3, 0, 0), true), *y = x;
    for (int i = 0; i < LONG; i++) y = node_unary(g, OP_tanh, y);
    graph_root(g, ROOT_output, "y", y, NULL, (Span){0});
    for (int i = 0, j = g->node.n - 1; i < j; i++, j--) {  /* the worst order there is */
        Node *swap = g->node.at[i];
        g->node.at[i] = g->node.at[j];
        g->node.at[j] = swap;
    }
    graph_sort(g);
    ck_assert_int_eq(g->node.n, LONG + 1);
    graph_verify(g, "sort");
}
END_TEST

START_TEST(sort_replaces_and_drops)
{
    Graph *g = new_graph();
    Shape s = shape(2, 4, 3, 0, 0);
    Node *x = node_leaf(g, OP_input, "x", DTYPE_f32, s, true);
    node_leaf(g, OP_input, "unused", DTYPE_f32, s, true);
    node_leaf(g, OP_param, "dead", DTYPE_f32, s, false);
    Node *a = node_unary(g, OP_exp, x), *b = node_unary(g, OP_log, a);
    Node *c = node_unary(g, OP_sin, x), *d = node_unary(g, OP_cos, x);
    graph_root(g, ROOT_output, "b", b, NULL, (Span){0});
    graph_replace(g, a, c);
    graph_replace(g, c, d);
    graph_replace(g, d, a);  /* already the same: nothing to do */
    graph_sort(g);
    graph_verify(g, "sort");
    ck_assert_str_eq(printed(g),
                     "graph \"t\" infer batch=4\n"
                     "%0 = input \"x\" f32[4, 3] batched\n"
                     "%1 = input \"unused\" f32[4, 3] batched\n"
                     "%2 = cos %0 f32[4, 3] batched\n"
                     "%3 = log %2 f32[4, 3] batched\n"
                     "output \"b\" %3\n");
    Graph *copy = graph_copy(g);
    ck_assert_str_eq(printed(copy), printed(g));
    ck_assert(copy->node.at[0] != g->node.at[0]);
    graph_verify(copy, "copy");
}
END_TEST

START_TEST(sort_puts_the_new_where_the_old_was)
{
    Graph *g = new_graph();
    Node *x = node_leaf(g, OP_input, "x", DTYPE_f32, shape(2, 4, 3, 0, 0), true);
    Node *a = node_unary(g, OP_exp, x), *b = node_unary(g, OP_log, x);
    graph_root(g, ROOT_output, "a", a, NULL, (Span){0});
    graph_root(g, ROOT_output, "b", b, NULL, (Span){0});
    graph_replace(g, a, node_unary(g, OP_sin, x));
    graph_sort(g);
    ck_assert_str_eq(printed(g),
                     "graph \"t\" infer batch=4\n"
                     "%0 = input \"x\" f32[4, 3] batched\n"
                     "%1 = sin %0 f32[4, 3] batched\n"
                     "%2 = log %0 f32[4, 3] batched\n"
                     "output \"a\" %1\n"
                     "output \"b\" %2\n");
}
END_TEST

/* ---- text ---- */

static const char *const whole =
    "graph \"t\" train batch=4\n"
    "%0 = input \"image\" u8[4, 1, 6, 6] batched {low=[0], high=[256]}\n"
    "%1 = param \"a \\\"b\\\" \\x0a\" f32[2, 1, 3, 3] trained layout [1, 2, 3, 0] {init=uniform -0.1 0.1}\n"
    "%2 = state \"m\" f32[2, 1, 3, 3] {init=constant 0}\n"
    "%3 = scalar \"rate\" f32[]\n"
    "%4 = constant f32[] {value=1e-05}\n"
    "%5 = constant f32[3] {data=[1, inf, nan]}\n"
    "%6 = cast %0 f32[4, 1, 6, 6] batched\n"
    "%7 = contract %6 %1 f32[4, 2, 6, 6] batched {over [4, 2, 6, 6, 1, 3, 3] "
    "a [i0, i4, i2 + i5 - 1, i3 + i6 - 1] b [i1, i4, i5, i6] out [i0, i1, i2, i3]} \"conv\"\n"
    "%8 = window_max %7 f32[4, 2, 3, 2] batched {window=[1, 1, 2, 2], stride=[1, 1, 2, 2], dilation=[1, 1, 1, 3]}\n"
    "%9 = window_argmax %7 %8 i32[4, 2, 3, 2] batched {window=[1, 1, 2, 2], stride=[1, 1, 2, 2], dilation=[1, 1, 1, 3]}\n"
    "%10 = window_unpool %8 %9 f32[4, 2, 6, 6] batched {shape=[4, 2, 6, 6]}\n"
    "%11 = transpose %10 f32[4, 6, 6, 2] batched {axes=[0, 2, 3, 1]}\n"
    "%12 = pad %11 f32[4, 8, 6, 2] batched {low=[0, 1, 0, 0], high=[0, 1, 0, 0], value=-inf}\n"
    "%13 = reshape %12 f32[4, 96] batched {shape=[4, 96]}\n"
    "%14 = slice %13 f32[4, 5] batched {shape=[4, 5], start=[0, 91]}\n"
    "%15 = reverse %14 f32[4, 5] batched {axes=[1]}\n"
    "%16 = concat %14 %15 f32[4, 10] batched {axis=1}\n"
    "%17 = random f32[4, 10] batched {key=7}\n"
    "%18 = iota f32[4, 10] batched {axis=1}\n"
    "%19 = lt %17 %18 f32[4, 10] batched\n"
    "%20 = where %19 %16 %17 f32[4, 10] batched \"drop\"\n"
    "%21 = sum %20 f32[] {axes=[0, 1]}\n"
    "%22 = reduce_max %20 f32[4] batched {axes=[1]}\n"
    "%23 = broadcast %22 f32[4, 7] batched {axes=[0], shape=[4, 7]}\n"
    "%24 = mul %21 %3 f32[]\n"
    "%25 = broadcast %24 f32[2, 1, 3, 3] {axes=[], shape=[2, 1, 3, 3]}\n"
    "%26 = sub %1 %25 f32[2, 1, 3, 3]\n"
    "output \"y\" %23\n"
    "loss %21\n"
    "total \"accuracy\" %21\n"
    "metric \"accuracy\" %4\n"
    "gradient %1 %25\n"
    "update %1 %26\n"
    "update %2 %26\n";

START_TEST(text_round_trip)
{
    Graph *g = read_good(whole);
    ck_assert_str_eq(printed(g), whole);
    ck_assert_str_eq(printed(graph_copy(g)), whole);
}
END_TEST

static const struct { const char *text, *message; } bad[] = {
    {"", "expected: graph"},
    {"graph t", "expected: '\"'"},
    {"graph \"t\" inver batch=4", "did you mean infer?"},
    {"graph \"t\" infer batch=0", "from 1 to 2147483647"},
    {"%1 = iota f32[4] {axis=0}", "not numbered in order"},
    {"%0 = neq f32[4]", "did you mean neg?"},
    {"%0 = neg %0 f32[4]", "no such node before this one"},
    {"%0 = neg f32[4]", "the number of operands is wrong: neg"},
    {"%0 = iota f33[4] {axis=0}", "no such type: f33"},
    {"%0 = iota f32[0] {axis=0}", "expected an integer"},
    {"%0 = iota f32[1, 1, 1, 1, 1, 1, 1, 1, 1] {axis=0}", "too long"},
    {"%0 = iota f32[65536, 65536] {axis=0}", "more than 2^31 - 1 elements"},
    {"%0 = iota f32[4] {axis=1}", "no such axis"},
    {"%0 = iota f32[4] {axis=0, axis=0}", "there already"},
    {"%0 = iota f32[4] {axis=[0]}", "expected an integer"},
    {"%0 = iota f32[4] {contract=[0]}", "over [...]"},
    {"%0 = iota f32[3] batched {axis=0}", "not the batch"},
    {"%0 = random f32[3] {key=-1}", "key"},
    {"%0 = input f32[4]", "needs a name"},
    {"%0 = input \"x f32[4]", "does not end"},
    {"%0 = input \"\\q\" f32[4]", "unknown escape"},
    {"%0 = constant f32[2] {data=[1]}", "does not fill"},
    {"%0 = constant f32[2] {value=1}", "rank 0"},
    {"%0 = constant f32[2]", "either a value or data"},
    {"%0 = param \"p\" f32[2] layout [0, 0]", "no permutation"},
    {"%0 = param \"p\" f32[2, 2] layout [0, 0]", "no permutation"},
    {"%0 = param \"p\" f32[2, 2] layout [0, 8]", "from 0 to 7"},
    {"%0 = param \"p\" f32[] %1 = param \"p\" f32[]", "have this name: p"},
    {"%0 = input \"x\" u8[4] %1 = neg %0 f32[4]", "cast it"},
    {"%0 = iota f32[4] {axis=0} %1 = neg %0 f32[5]", "give another type: f32[4]"},
    {"%0 = iota f32[4] {axis=0} %1 = iota f32[5] {axis=0} %2 = add %0 %1 f32[4]", "shapes differ: [4] and [5]"},
    {"%0 = iota f32[4] {axis=0} %1 = sum %0 f32[] {axes=[0, 0]}", "no such axes"},
    {"%0 = iota f32[4] {axis=0} %1 = reshape %0 f32[5] {shape=[5]}", "number of elements"},
    {"%0 = iota f32[4] {axis=0} %1 = transpose %0 f32[4] {axes=[1]}", "permutation"},
    {"%0 = iota f32[4] {axis=0} %1 = broadcast %0 f32[5] {axes=[0], shape=[5]}", "does not broadcast"},
    {"%0 = iota f32[4] {axis=0} %1 = slice %0 f32[2] {shape=[2], start=[3]}", "not inside"},
    {"%0 = iota f32[4] {axis=0} %1 = pad %0 f32[9] {low=[5]}", "needs low"},
    {"%0 = iota f32[4] {axis=0} %1 = pad %0 f32[3] {low=[-1], high=[0], value=0}", "needs low"},
    {"%0 = iota f32[4] {axis=0} %1 = concat %0 %0 f32[8] {axis=1}", "no such axis"},
    {"%0 = iota f32[4] {axis=0} %1 = window_max %0 f32[4] {window=[5], stride=[1], dilation=[1]}", "not lie inside"},
    {"%0 = iota f32[4] {axis=0} %1 = contract %0 %0 f32[] {over [4, 2] a [i0] b [i0] out []}", "in no map"},
    {"%0 = iota f32[4] {axis=0} %1 = contract %0 %0 f32[] {over [4] a [i1] b [i0] out []}", "map of a"},
    {"%0 = iota f32[4] {axis=0} %1 = contract %0 %0 f32[] {over [4] a [i12] b [i0] out []}", "from 0 to 11"},
    {"%0 = iota f32[4] {axis=0} %1 = contract %0 %0 f32[] {over [2147483647, 2147483647, 2147483647] a [i0] b [i1 + i2] out []}", "impossible extent"},
    {"%0 = constant f32[] {value=1} loss %1", "no such node"},
    {"%0 = iota f32[4] {axis=0} loss %0", "not a number"},
    {"%0 = constant f32[] {value=1} update %0 %0", "no parameter"},
    {"%0 = param \"p\" f32[2] %1 = constant f32[] {value=1} gradient %0 %1", "not that of its target"},
    {"%0 = constant f32[] {value=1} lost %0", "did you mean loss?"},
};

START_TEST(reader_explains)
{
    const char *text = bad[_i].text;
    if (strstr(text, "graph") != text && *text) text = arena_printf(arena, "graph \"t\" infer batch=4 %s", text);
    ck_assert_ptr_null(read_text(text, strlen(text)));
    ck_assert_int_eq(diag.errors, 1);
    ck_assert_msg(strstr(message, bad[_i].message) != NULL, "%s\nwanted: %s", message, bad[_i].message);
}
END_TEST

/* Whatever the bytes are: no crash, and what is accepted prints and reads back. */
START_TEST(reader_survives_garbage)
{
    static const char alphabet[] = "%0123456789[]{},=\"\\-+*i #\nabcfsumnegx.e\x01\xff";
    size_t n = strlen(whole);
    uint32_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        char *text = arena_strdup(arena, whole);
        size_t length = round < (int)n / 2 ? (size_t)round * 2 : n;
        text[length] = '\0';
        for (int i = 0; length == n && i < 1 + round % 3; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[(seed >> 8) % n] = alphabet[(seed >> 3) % (sizeof alphabet - 1)];
        }
        Sources own = {.arena = arena};
        Diag quiet = {.sources = &own, .out = messages, .limit = 1};
        Graph *g = graph_read(arena, &quiet, sources_add(&own, "t", text, strlen(text)));
        ck_assert_int_eq(g == NULL, quiet.errors > 0);
        if (!g) continue;
        graph_verify(g, "read");
        ck_assert_str_eq(printed(read_good(printed(g))), printed(g));
    }
}
END_TEST

/* ---- fold ---- */

/* Inputs of every case: %0 x f32[4, 3], %1 y f32[4, 3], %2 w f32[3], %3 two, %4 zero broadcast, %5 two broadcast. */
static const char *const prologue =
    "graph \"t\" infer batch=4\n"
    "%0 = input \"x\" f32[4, 3] batched\n"
    "%1 = input \"y\" f32[4, 3] batched\n"
    "%2 = param \"w\" f32[3]\n"
    "%3 = constant f32[] {value=2}\n"
    "%4 = constant f32[] {value=0}\n"
    "%5 = broadcast %3 f32[4, 3] batched {axes=[], shape=[4, 3]}\n"
    "%6 = broadcast %4 f32[4, 3] batched {axes=[], shape=[4, 3]}\n";

#define F " f32[4, 3] batched\n"
#define W "{axes=[1], shape=[4, 3]}\n"
#define FILL(id, from) "%" id " = broadcast %" from " f32[4, 3] batched {axes=[], shape=[4, 3]}\n"

/* The last node is the output; what is left of it, after the two inputs. */
static const struct { const char *before, *after; } folds[] = {
    {"%7 = add %0 %6" F, ""},
    {"%7 = add %6 %0" F, ""},
    {"%7 = sub %0 %6" F, ""},
    {"%7 = sub %6 %0" F, "%2 = neg %0" F},
    {"%7 = mul %0 %6" F, "%2 = constant f32[] {value=0}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = mul %5 %0" F, "%2 = constant f32[] {value=2}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = div %0 %5" F, "%2 = constant f32[] {value=0.5}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = mul %0 %5" F "%8 = mul %7 %5" F, "%2 = constant f32[] {value=4}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = mul %0 %5" F "%8 = neg %7" F, "%2 = constant f32[] {value=-2}\n" FILL("3", "2") "%4 = mul %0 %3" F},
    {"%7 = pow %0 %5" F, "%2 = mul %0 %0" F},
    {"%7 = pow %0 %6" F, "%2 = constant f32[] {value=1}\n" FILL("3", "2")},
    {"%7 = neg %0" F "%8 = neg %7" F, ""},
    {"%7 = neg %0" F "%8 = add %1 %7" F, "%2 = sub %1 %0" F},
    {"%7 = where %5 %0 %1" F, ""},
    {"%7 = stop_gradient %0" F "%8 = exp %7" F, "%2 = exp %0" F},
    {"%7 = exp %6" F, "%2 = constant f32[] {value=1}\n" FILL("3", "2")},
    {"%7 = sum %5 f32[4] batched {axes=[1]}\n", "%2 = constant f32[] {value=6}\n"
     "%3 = broadcast %2 f32[4] batched {axes=[], shape=[4]}\n"},
    {"%7 = transpose %0 f32[3, 4] {axes=[1, 0]}\n%8 = transpose %7 f32[4, 3] {axes=[1, 0]}\n",
     "%2 = transpose %0 f32[3, 4] {axes=[1, 0]}\n%3 = transpose %2 f32[4, 3] {axes=[1, 0]}\n"},  /* the batch was lost */
    {"%7 = transpose %2 f32[3] {axes=[0]}\n", "%2 = param \"w\" f32[3]\n"},
    {"%7 = reshape %0 f32[4, 1, 3] batched {shape=[4, 1, 3]}\n%8 = transpose %7 f32[4, 3, 1] batched {axes=[0, 2, 1]}\n",
     "%2 = reshape %0 f32[4, 3, 1] batched {shape=[4, 3, 1]}\n"},
    {"%7 = reshape %0 f32[4, 1, 3] batched {shape=[4, 1, 3]}\n%8 = reshape %7 f32[4, 3] batched {shape=[4, 3]}\n", ""},
    {"%7 = slice %0 f32[4, 3] batched {shape=[4, 3], start=[0, 0]}\n", ""},
    {"%7 = slice %0 f32[4, 2] batched {shape=[4, 2], start=[0, 1]}\n%8 = slice %7 f32[4, 1] batched {shape=[4, 1], start=[0, 1]}\n",
     "%2 = slice %0 f32[4, 1] batched {shape=[4, 1], start=[0, 2]}\n"},
    {"%7 = concat %0 %1 f32[4, 6] batched {axis=1}\n%8 = slice %7 f32[4, 3] batched {shape=[4, 3], start=[0, 3]}\n", ""},
    {"%7 = reverse %0 f32[4, 3] batched {axes=[1]}\n%8 = reverse %7 f32[4, 3] batched {axes=[1]}\n", ""},
    {"%7 = sum %0 f32[4] batched {axes=[1]}\n%8 = reshape %7 f32[4, 1] batched {shape=[4, 1]}\n"
     "%9 = sum %8 f32[4] batched {axes=[1]}\n", "%2 = sum %0 f32[4] batched {axes=[1]}\n"},
    {"%7 = broadcast %2 f32[4, 3] batched " W "%8 = exp %7" F,
     "%2 = param \"w\" f32[3]\n%3 = exp %2 f32[3]\n%4 = broadcast %3 f32[4, 3] batched " W},
    {"%7 = broadcast %2 f32[4, 3] batched " W "%8 = mul %7 %5" F,
     "%2 = param \"w\" f32[3]\n%3 = constant f32[] {value=2}\n%4 = broadcast %3 f32[3] {axes=[], shape=[3]}\n"
     "%5 = mul %2 %4 f32[3]\n%6 = broadcast %5 f32[4, 3] batched " W},
    {"%7 = broadcast %2 f32[4, 3] batched " W "%8 = sum %7 f32[3] {axes=[0]}\n",
     "%2 = param \"w\" f32[3]\n%3 = constant f32[] {value=4}\n%4 = broadcast %3 f32[3] {axes=[], shape=[3]}\n"
     "%5 = mul %2 %4 f32[3]\n"},
    {"%7 = constant f32[2, 2] {data=[1, 2, 3, 4]}\n%8 = transpose %7 f32[2, 2] {axes=[1, 0]}\n%9 = add %8 %8 f32[2, 2]\n",
     "%2 = constant f32[2, 2] {data=[2, 6, 4, 8]}\n"},
    {"%7 = constant f32[2, 2] {data=[1, 2, 3, 4]}\n%8 = reverse %7 f32[2, 2] {axes=[0]}\n"
     "%9 = slice %8 f32[1, 2] {shape=[1, 2], start=[1, 0]}\n", "%2 = constant f32[1, 2] {data=[1, 2]}\n"},
    {"%7 = pad %0 f32[4, 4] batched {low=[0, 1], high=[0, 0], value=0}\n"
     "%8 = pad %7 f32[4, 6] batched {low=[0, 0], high=[0, 2], value=0}\n",
     "%2 = pad %0 f32[4, 6] batched {low=[0, 1], high=[0, 2], value=0}\n"},
};

static int last_node(const char *lines, int otherwise)
{
    int last = otherwise;
    for (const char *at = lines; (at = strchr(at, '%')); at++)
        if (at == lines || at[-1] == '\n') last = atoi(at + 1);
    return last;
}

START_TEST(fold_table)
{
    const char *before = folds[_i].before, *after = folds[_i].after;
    Graph *g = read_good(arena_printf(arena, "%s%soutput \"y\" %%%d\n", prologue, before, last_node(before, 0)));
    fold_graph(g, true);
    share_graph(g);
    graph_verify(g, "fold");
    int last = last_node(after, 0);
    if (strstr(before, "concat")) last = 1;
    ck_assert_str_eq(printed(g), arena_printf(arena,
                     "graph \"t\" infer batch=4\n"
                     "%%0 = input \"x\" f32[4, 3] batched\n"
                     "%%1 = input \"y\" f32[4, 3] batched\n%soutput \"y\" %%%d\n", after, last));
}
END_TEST

START_TEST(share_makes_equals_one)
{
    Graph *g = read_good(
        "graph \"t\" infer batch=4\n"
        "%0 = input \"x\" f32[4, 3] batched\n"
        "%1 = param \"v\" f32[4, 3]\n"
        "%2 = param \"w\" f32[4, 3]\n"
        "%3 = add %0 %1 f32[4, 3] batched\n"
        "%4 = add %1 %0 f32[4, 3] batched\n"
        "%5 = sub %3 %2 f32[4, 3] batched\n"
        "%6 = sub %4 %2 f32[4, 3] batched\n"
        "%7 = sub %2 %4 f32[4, 3] batched\n"
        "%8 = random f32[4, 3] batched {key=1}\n"
        "%9 = random f32[4, 3] batched {key=2}\n"
        "%10 = random f32[4, 3] batched {key=1}\n"
        "output \"a\" %5\noutput \"b\" %6\noutput \"c\" %7\noutput \"d\" %8\noutput \"e\" %9\noutput \"f\" %10\n");
    share_graph(g);
    graph_verify(g, "share");
    ck_assert_str_eq(printed(g),
        "graph \"t\" infer batch=4\n"
        "%0 = input \"x\" f32[4, 3] batched\n"
        "%1 = param \"v\" f32[4, 3]\n"
        "%2 = param \"w\" f32[4, 3]\n"
        "%3 = add %0 %1 f32[4, 3] batched\n"
        "%4 = sub %3 %2 f32[4, 3] batched\n"
        "%5 = sub %2 %3 f32[4, 3] batched\n"
        "%6 = random f32[4, 3] batched {key=1}\n"
        "%7 = random f32[4, 3] batched {key=2}\n"
        "output \"a\" %4\noutput \"b\" %4\noutput \"c\" %5\noutput \"d\" %6\noutput \"e\" %7\noutput \"f\" %6\n");
}
END_TEST

/* ---- fold and share mean the same ---- */

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 10) % below;
}

static Node *draw_operand(Graph *g, uint32_t *seed) { return g->node.at[draw(seed, (uint32_t)g->node.n)]; }

static Node *random_elementwise(Graph *g, uint32_t *seed, Node *x)
{
    static const Op unary[] = {OP_neg, OP_exp, OP_tanh, OP_abs, OP_relu, OP_stop_gradient, OP_neg, OP_floor};
    static const Op binary[] = {OP_add, OP_sub, OP_mul, OP_div, OP_max, OP_min, OP_lt, OP_eq, OP_mul, OP_sub};
    static const double numbers[] = {0, 1, 2, -1, 0.5, 3};
    if (draw(seed, 3) == 0) return node_unary(g, unary[draw(seed, LENGTH(unary))], x);
    Op op = binary[draw(seed, LENGTH(binary))];
    Node *c = node_number(g, numbers[draw(seed, LENGTH(numbers))]), *y = NULL;
    for (int i = 0; i < 8 && !y; i++) {
        Node *other = draw_operand(g, seed);
        if (shape_equal(other->shape, x->shape)) y = other;
    }
    if (!y || draw(seed, 2)) y = c;
    if (draw(seed, 6) == 0) return node_where(g, x, x, y);
    return draw(seed, 2) ? node_binary(g, op, x, y) : node_binary(g, op, y, x);
}

static Node *random_move(Graph *g, uint32_t *seed, Node *x)
{
    int rank = x->shape.rank;
    int64_t axes[RANK_MAX], zero[RANK_MAX] = {0};
    Shape s = x->shape;
    switch (draw(seed, 8)) {
    case 0:
        for (int d = 0; d < rank; d++) axes[d] = rank - 1 - d;
        return rank ? node_transpose(g, x, axes) : x;
    case 1:
        if (rank == RANK_MAX) return x;
        for (int d = rank; d > 0; d--) s.dim[d] = s.dim[d - 1];
        s.dim[0] = 1 + draw(seed, 3);
        s.rank++;
        for (int d = 0; d < rank; d++) axes[d] = d + 1;
        return shape_elements(s) < 2000 ? node_broadcast(g, x, s, axes, false) : x;
    case 2: return rank ? node_reduce(g, OP_sum, x, (const int64_t[]){draw(seed, (uint32_t)rank)}, 1) : x;
    case 3: return rank ? node_reverse(g, x, (const int64_t[]){draw(seed, (uint32_t)rank)}, 1) : x;
    case 4:
        if (!rank) return x;
        zero[rank - 1] = s.dim[rank - 1] > 1 ? draw(seed, 2) : 0;
        s.dim[rank - 1] -= zero[rank - 1];
        return node_slice(g, x, zero, s);
    case 5: return rank ? node_concat(g, (Node *[]){x, x}, 2, (int)draw(seed, (uint32_t)rank)) : x;
    case 6:
        for (int d = 0; d < rank; d++) axes[d] = draw(seed, 2);
        return shape_elements(s) < 500 ? node_pad(g, x, axes, zero, draw(seed, 2)) : x;
    default:
        if (rank == RANK_MAX) return x;
        s.dim[s.rank++] = 1;
        return node_reshape(g, x, s);
    }
}

static const double *leaf_values(void *user, const Node *leaf)
{
    (void)user;
    int64_t n = shape_elements(leaf->shape);
    double *v = NEW_ARRAY(arena, double, n);
    for (int64_t i = 0; i < n; i++) v[i] = (double)((i * 7 + (int64_t)strlen(leaf->name)) % 5) - 1.75;
    return v;
}

/* A net of everything above over an input, a trained param, a table and a scalar. */
static Graph *random_graph(uint32_t seed, Mode mode)
{
    Graph *g = graph_new(arena, &diag, "t", mode, 4);
    node_leaf(g, OP_input, "x", DTYPE_f32, shape(2, 4, 3, 0, 0), true);
    node_leaf(g, OP_param, "w", DTYPE_f32, shape(1, 3, 0, 0, 0), false)->trained = true;
    node_data(g, shape(2, 2, 2, 0, 0), (const double[]){1, -2, 3, 0.5});
    node_leaf(g, OP_scalar, "rate", DTYPE_f32, (Shape){0}, false);
    for (int i = 0; i < 60; i++) {
        Node *x = draw_operand(g, &seed);
        if (shape_elements(x->shape) > 3000) continue;
        if (draw(&seed, 2)) random_elementwise(g, &seed, x);
        else random_move(g, &seed, x);
    }
    return g;
}

static void check_same_roots(const Graph *g, const Graph *h)
{
    EvalInputs in = {.leaf = leaf_values};
    const double **was = NEW_ARRAY(arena, const double *, g->root.n), **is = NEW_ARRAY(arena, const double *, h->root.n);
    ck_assert_int_eq(g->root.n, h->root.n);
    graph_eval(g, arena, &in, was);
    graph_eval(h, arena, &in, is);
    for (int i = 0; i < g->root.n; i++)
        for (int64_t e = 0; e < shape_elements(g->root.at[i].node->shape); e++) {
            double a = was[i][e], b = is[i][e];
            ck_assert_msg(a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * (1 + fabs(a)),
                          "root %d [%lld]: %g, folded %g\n%.1500s\n%.1500s", i, (long long)e, a, b, printed(g), printed(h));
        }
}

static void fold_and_share(Graph *g, bool stops)
{
    fold_graph(g, stops);
    graph_verify(g, "fold");
    share_graph(g);
    graph_verify(g, "share");
}

START_TEST(fold_keeps_the_meaning)
{
    Graph *g = random_graph((uint32_t)_i, MODE_infer);
    for (int i = 0; i < g->node.n; i += 3) graph_root(g, ROOT_output, "o", g->node.at[i], NULL, (Span){0});
    graph_sort(g);
    graph_verify(g, "build");
    Graph *h = graph_copy(g);
    fold_and_share(h, true);
    ck_assert_int_le(h->node.n, g->node.n);
    check_same_roots(g, h);
    ck_assert_str_eq(printed(read_good(printed(h))), printed(h));
}
END_TEST

/* Gradients taken after folding are those taken before it. */
START_TEST(fold_keeps_the_gradient)
{
    static const PassContext gradients = {.gradients_only = true};
    Graph *g = random_graph((uint32_t)_i, MODE_train);
    Node *loss = node_number(g, 0);
    for (int i = g->node.n - 1; i > 0; i -= 4) {
        Node *x = node_unary(g, OP_tanh, g->node.at[i]);
        loss = node_binary(g, OP_add, loss, node_reduce(g, OP_sum, x, (const int64_t[]){0, 1, 2, 3, 4, 5, 6, 7}, x->shape.rank));
    }
    graph_root(g, ROOT_loss, NULL, loss, NULL, (Span){0});
    graph_root(g, ROOT_output, "w", g->node.at[1], NULL, (Span){0});
    graph_sort(g);
    Graph *h = graph_copy(g);
    fold_and_share(h, false);
    pass_grad(g, &gradients);
    graph_verify(g, "grad");
    pass_grad(h, &gradients);
    fold_and_share(h, true);
    check_same_roots(g, h);
}
END_TEST

/* ---- size ---- */

START_TEST(deep_nets_take_linear_time)
{
    enum { DEEP = 2000 };
    Graph *g = new_graph();
    Shape s = shape(2, 4, 8, 0, 0);
    Node *x = node_leaf(g, OP_input, "x", DTYPE_f32, s, true);
    for (int i = 0; i < DEEP; i++) {
        Node *b = node_leaf(g, OP_param, arena_printf(arena, "b%d", i), DTYPE_f32, shape(1, 8, 0, 0, 0), false);
        Node *wide = node_broadcast(g, b, s, (const int64_t[]){1}, true);
        x = node_binary(g, OP_add, node_binary(g, OP_mul, x, node_number(g, 2)), node_binary(g, OP_mul, wide, node_number(g, 3)));
        x = node_unary(g, OP_relu, x);
    }
    graph_root(g, ROOT_output, "y", x, NULL, (Span){0});
    clock_t begin = clock();
    graph_sort(g);
    fold_graph(g, true);
    graph_verify(g, "fold");
    share_graph(g);
    graph_verify(g, "share");
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    ck_assert_msg(seconds < 1, "%g seconds", seconds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ir");
    TCase *c = tcase_create("ir");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, affine_arithmetic);
    tcase_add_test(c, affine_range_saturates);
    tcase_add_test(c, shapes_have_a_limit);
    tcase_add_test(c, sort_survives_long_chains);
    tcase_add_test(c, sort_replaces_and_drops);
    tcase_add_test(c, sort_puts_the_new_where_the_old_was);
    tcase_add_test(c, text_round_trip);
    tcase_add_loop_test(c, reader_explains, 0, (int)LENGTH(bad));
    tcase_add_test(c, reader_survives_garbage);
    tcase_add_loop_test(c, fold_table, 0, (int)LENGTH(folds));
    tcase_add_test(c, share_makes_equals_one);
    tcase_add_loop_test(c, fold_keeps_the_meaning, 0, 300);
    tcase_add_loop_test(c, fold_keeps_the_gradient, 0, 300);
    tcase_add_test(c, deep_nets_take_linear_time);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
