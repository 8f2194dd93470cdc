/* test_csv.c -- tables of text: columns of numbers and of labels, quoting, and what is refused. */
#include "inputs.h"

#define HEAD "size,\"the \"\"age\"\"\",kind\r\n"

static const struct { const char *text, *columns; int rows, width; double value[6]; const char *why; } numbers[] = {
    {"1,2\n3,4\n", NULL, 2, 2, {1, 2, 3, 4}, NULL},
    {"1,2\r\n3,4", NULL, 2, 2, {1, 2, 3, 4}, NULL},
    {"1;2;3\n4;5;6\n\n \n", "0,-1", 2, 2, {1, 3, 4, 6}, NULL},
    {"1\t2\n3\t4\n", "1", 2, 1, {2, 4}, NULL},
    {"\"1,5\";2\n\"3,5\";4\n", "1", 2, 1, {2, 4}, NULL},
    {"\xEF\xBB\xBF" "1,2\n", "1:", 1, 1, {2}, NULL},
    {" 1 , \"2\" \n 3,4\n", ":", 2, 2, {1, 2, 3, 4}, NULL},
    {"7\n8\n", NULL, 2, 1, {7, 8}, NULL},
    {HEAD "1,2,x\r\n3,4,y\r\n", "0:2", 2, 2, {1, 2, 3, 4}, NULL},
    {HEAD "1,2,x\r\n3,4,y\r\n", "the \"age\",size", 2, 2, {2, 1, 4, 3}, NULL},
    {HEAD "1,2,x\r\n3,4,y\r\n", "-3:-1", 2, 2, {1, 2, 3, 4}, NULL},
    {"id,2019\n1,2\n", "0", 1, 1, {1}, NULL},
    {"a,b\n\"x\ny\",2\n", "1", 1, 1, {2}, NULL},
    {"1e2,-.5\n+3.,4E-1\n", NULL, 2, 2, {100, -.5, 3, .4}, NULL},
    {"A1,2\nA2,4\n", NULL, 0, 0, {0}, "file:1: column 0: 'A1' is not a (finite) number"},
    {"", NULL, 0, 0, {0}, "file: the file is empty"},
    {"\n\n", NULL, 0, 0, {0}, "empty"},
    {"a,b\n", "0", 0, 0, {0}, "no rows after the header"},
    {"1,2\n3\n", NULL, 0, 0, {0}, "file:2: 1 columns, expected 2 as in line 1"},
    {"1,2\n3,4,5\n", "0", 0, 0, {0}, "file:2: 3 columns, expected 2"},
    {"1,2\n\n3,4\n", "0", 0, 0, {0}, "file:2: an empty line"},
    {"1,2\n3,?\n", NULL, 0, 0, {0}, "file:2: column 1: '?' is a missing value"},
    {"1,2\n,4\n", NULL, 0, 0, {0}, "file:2: column 0: '' is a missing value"},
    {"a,b\n1,2\n3,NA\n", NULL, 0, 0, {0}, "file:3: column 1 (b): 'NA' is a missing value"},
    {"1,2\n3,NaN\n", NULL, 0, 0, {0}, "missing"},
    {"1,2\n3,inf\n", NULL, 0, 0, {0}, "'inf' is not a (finite) number"},
    {"1,2\n3,1e999\n", NULL, 0, 0, {0}, "not a (finite) number"},
    {"1,2\n3,1e39\n", NULL, 0, 0, {0}, "does not fit in f32"},
    {"1,2\n3,0x10\n", NULL, 0, 0, {0}, "file:2: column 1: '0x10' is not"},
    {"1,2\n3,4e\n", NULL, 0, 0, {0}, "'4e' is not"},
    {"1,2\n3,1 2\n", NULL, 0, 0, {0}, "'1 2' is not"},
    {"1,\"2\n3,4\n", NULL, 0, 0, {0}, "file:1: a quote is opened and never closed"},
    {"1,\"2\"3\n", NULL, 0, 0, {0}, "file:1: text after a closing quote"},
    {"a,b\n\"x\ny\",2\n3,z\n", "1", 0, 0, {0}, "file:4: column 1 (b): 'z'"},
    {"1,2\n", "2", 0, 0, {0}, "no column 2: there are 2"},
    {"1,2\n", "-3", 0, 0, {0}, "no column -3"},
    {"1,2\n", "0:3", 0, 0, {0}, "no column 3"},
    {"1,2\n", "1:1", 0, 0, {0}, "no column in 1:1"},
    {"1,2\n", "0,,1", 0, 0, {0}, "an empty column"},
    {"1,2\n", "", 0, 0, {0}, "an empty column"},
    {"1,2\n", "99999999999999999999", 0, 0, {0}, "no column"},
    {"a,a\n1,2\n", "a", 0, 0, {0}, "columns 0 and 1 are both named \"a\""},
    {HEAD "1,2,3\n", "sise", 0, 0, {0}, "did you mean \"size\"?"},
};

START_TEST(csv_number_columns)
{
    Array x;
    CsvOptions options = {0};
    Input in = input_of(numbers[_i].text, strlen(numbers[_i].text));
    bool good = csv_numbers(&in, numbers[_i].columns, &options, ARRAY_f32, &x);
    if (numbers[_i].why) {
        ck_assert_msg(!good, "accepted, but expected: %s", numbers[_i].why);
        expect_failure(&in, numbers[_i].why);
    } else {
        ck_assert_msg(good, "%s", in.why);
        ck_assert_int_eq(x.shape[0], numbers[_i].rows);
        ck_assert_int_eq(x.shape[1], numbers[_i].width);
        for (int i = 0; i < numbers[_i].rows * numbers[_i].width; i++)
            ck_assert_float_eq(((float *)x.data)[i], (float)numbers[_i].value[i]);
    }
    input_free(&in);
}
END_TEST

static const struct { const char *text, *columns; int high, rows; int32_t value[5]; const char *names, *why; } labels[] = {
    {"0\n2\n1\n", NULL, 3, 3, {0, 2, 1}, "", NULL},
    {"1,b\n2,a\n3,c\n4,b\n", "-1", 3, 4, {1, 0, 2, 1}, "a b c", NULL},
    {"x,kind\n1,b\n2,a\n", "kind", 2, 2, {1, 0}, "a b", NULL},
    {"x,kind\n1,b\n2,a\n", "1", 2, 2, {1, 0}, "a b", NULL},
    {"1\n10\n2\n1.0\n", NULL, 3, 4, {0, 2, 1, 0}, "1 2 10", NULL},
    {"2\n4\n4\n", NULL, 2, 3, {0, 1, 1}, "2 4", NULL},
    {"1.0\n0\n", NULL, 2, 2, {1, 0}, "", NULL},
    {"-1\n+1\n", NULL, 2, 2, {0, 1}, "-1 1", NULL},
    {"0\n5\n", NULL, 3, 0, {0}, NULL, "file:2: sample 1: label 5 is not in 0..3"},
    {"0\n1\n2\n5\n", NULL, 3, 0, {0}, NULL, "file:4: sample 3: label 5 is not in 0..3"},
    {"a\nb\nc\n", NULL, 2, 0, {0}, NULL, "file:3: column 0: 'c' is one label more"},
    {"a\nb\n", NULL, 3, 0, {0}, NULL, "column 0 has 2 different labels, expected 3"},
    {"0.5\n1\n", NULL, 3, 0, {0}, NULL, "file:1: column 0: a label must be an integer or a name"},
    {"a\n?\n", NULL, 2, 0, {0}, NULL, "file:2: column 0: '?' is a missing value"},
    {"1,2\n", NULL, 2, 0, {0}, NULL, "2 columns are picked for a label"},
};

START_TEST(csv_label_column)
{
    Array x;
    CsvOptions options = {0};
    Text names = {.arena = arena};
    Input in = input_of(labels[_i].text, strlen(labels[_i].text));
    bool good = csv_labels(&in, labels[_i].columns, &options, 0, labels[_i].high, NULL, &x);
    if (labels[_i].why) {
        ck_assert_msg(!good, "accepted, but expected: %s", labels[_i].why);
        expect_failure(&in, labels[_i].why);
    } else {
        ck_assert_msg(good, "%s", in.why);
        ck_assert_int_eq(x.elements, labels[_i].rows);
        ck_assert_int_eq(memcmp(x.data, labels[_i].value, (size_t)labels[_i].rows * 4), 0);
        for (int i = 0; i < x.classes; i++) text_printf(&names, i ? " %s" : "%s", x.class_name[i]);
        ck_assert_str_eq(text_string(&names), labels[_i].names);
    }
    input_free(&in);
}
END_TEST

START_TEST(csv_labels_like_before)
{
    CsvOptions options = {0};
    Array train, valid;
    Input first = {.arena = arena, .name = "file", .bytes = (const unsigned char *)"a\nc\nb\n", .size = 6};
    Input second = {.arena = arena, .name = "file", .bytes = (const unsigned char *)"c\nb\n", .size = 4};
    Input third = {.arena = arena, .name = "file", .bytes = (const unsigned char *)"c\nd\n", .size = 4};
    ck_assert(csv_labels(&first, NULL, &options, 0, 3, NULL, &train));
    ck_assert_msg(csv_labels(&second, NULL, &options, 0, 3, &train, &valid), "%s", second.why);
    ck_assert_int_eq(valid.classes, 3);
    check_values(&valid, (double[]){2, 1}, 2);
    ck_assert(!csv_labels(&third, NULL, &options, 0, 3, &train, &valid));
    expect_failure(&third, "file:2: column 0: 'd' is no label of the data before");
}
END_TEST

START_TEST(csv_options)
{
    Array x;
    CsvOptions present = {.header = CSV_header_present}, absent = {.header = CSV_header_absent}, semicolon = {.separator = ';'};
    const unsigned char *text = (const unsigned char *)"1,2\n3,4\n";
    Input in = {.arena = arena, .name = "file", .bytes = text, .size = 8};
    ck_assert(csv_numbers(&in, NULL, &present, ARRAY_f64, &x));
    check_values(&x, (double[]){3, 4}, 2);
    ck_assert(csv_numbers(&in, NULL, &absent, ARRAY_f64, &x));
    check_values(&x, (double[]){1, 2, 3, 4}, 4);
    ck_assert(!csv_numbers(&in, NULL, &semicolon, ARRAY_f64, &x));
    ck_assert(!csv_numbers(&in, "x", &absent, ARRAY_f64, &x));
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("csv");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    LOOP(csv_number_columns, numbers);
    LOOP(csv_label_column, labels);
    tcase_add_test(c, csv_labels_like_before);
    tcase_add_test(c, csv_options);
    return run_case("csv", c);
}
