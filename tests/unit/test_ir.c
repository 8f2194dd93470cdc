/* test_ir.c -- affine maps, the order of a graph, and its text. */
#include "graph_text.h"

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

int main(void)
{
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
    return run_case("ir", c);
}
