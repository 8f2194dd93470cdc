/* test_data.c -- what a file becomes for an input: each format, shapes and ranges that do not fit, real data. */
#include "inputs.h"

static Array load(const char *spec, DataWant want)
{
    Array x;
    const char *why = "";
    int status = 0;
    ck_assert_msg(data_load(arena, spec, &want, &x, &why, &status), "%s", why);
    return x;
}

static void load_fails(const char *spec, DataWant want, int expected, const char *part)
{
    Array x;
    const char *why = "";
    int status = 0;
    ck_assert(!data_load(arena, spec, &want, &x, &why, &status));
    ck_assert_msg(strstr(why, part) != NULL, "\"%s\" lacks \"%s\"", why, part);
    ck_assert_int_eq(status, expected);
}

START_TEST(load_each_format)
{
    const DataWant digit = {.type = ARRAY_i32, .ranged = true, .high = 3, .shaped = true};
    const DataWant pixels = {.type = ARRAY_f32, .shaped = true, .rank = 3, .shape = {1, 2, 2}};
    static const char idx[] = "\0\0\x08\3\0\0\0\2\0\0\0\2\0\0\0\2\1\2\3\4\5\6\7\x08";
    Text gz = gzip(BYTES(idx));
    const char *csv = file_of("a.csv", BYTES("p,q,r,s,kind\n1,2,3,4,b\n5,6,7,8,a\n9,9,9,9,c\n"));
    Array x = load(file_of("misnamed.npy", BYTES(idx)), pixels);
    ck_assert_str_eq(array_text(arena, &x), "f32[2, 1, 2, 2]");
    check_values(&x, (double[]){1, 2, 3, 4, 5, 6, 7, 8}, 8);
    x = load(file_of("a.gz", gz.s, gz.n), pixels);
    check_values(&x, (double[]){1, 2, 3, 4, 5, 6, 7, 8}, 8);
    x = load(path_of("a.gz"), (DataWant){.type = ARRAY_u8, .shaped = true, .rank = 1, .shape = {4}});
    ck_assert_str_eq(array_text(arena, &x), "u8[2, 4]");
    x = load(arena_printf(arena, "%s[0:4]", csv), pixels);
    ck_assert_str_eq(array_text(arena, &x), "f32[3, 1, 2, 2]");
    x = load(arena_printf(arena, "%s[kind]", csv), digit);
    ck_assert_str_eq(array_text(arena, &x), "i32[3]");
    check_values(&x, (double[]){1, 0, 2}, 3);
    ck_assert_str_eq(x.class_name[2], "c");
    const char *weights = file_of("w", BYTES(tensors_golden));
    x = load(arena_printf(arena, "%s[head.weight]", weights), (DataWant){.type = ARRAY_f32});
    ck_assert_str_eq(array_text(arena, &x), "f32[1, 2]");
    load_fails(weights, digit, EXIT_model, "2 tensors: say which");
    load_fails(arena_printf(arena, "%s[head.weigh]", weights), digit, EXIT_model, "did you mean \"head.weight\"?");
}
END_TEST

START_TEST(load_refuses)
{
    const DataWant wide = {.type = ARRAY_f32, .shaped = true, .rank = 1, .shape = {3}};
    const DataWant digit = {.type = ARRAY_i32, .ranged = true, .high = 3};
    const char *idx = file_of("b", BYTES("\0\0\x08\2\0\0\0\2\0\0\0\2\1\2\3\4"));
    load_fails(path_of("absent.csv"), wide, EXIT_noinput, "absent.csv: cannot open");
    load_fails(directory, wide, EXIT_noinput, "");
    load_fails(idx, wide, EXIT_model, "a sample is u8[2], but the input is f32[3]");
    load_fails(idx, digit, EXIT_model, "sample 1, element 0: value 3 is not in 0..3");
    load_fails(arena_printf(arena, "%s[1]", idx), wide, EXIT_model, "but this is IDX");
    load_fails(file_of("c", BYTES("\0\0\x08\2\0\0\0\0\0\0\0\2")), wide, EXIT_model, "holds no samples");
    Text scalar = npy_of(DICT("<f4", "False", "()"), "\0\0\0\0", 4), nan = npy_of(DICT("<f4", "False", "(1,3)"),
                         "\0\0\0\0\0\0\xc0\x7f\0\0\0\0", 12);
    load_fails(file_of("d", scalar.s, scalar.n), wide, EXIT_model, "holds no samples");
    load_fails(file_of("e", nan.s, nan.n), wide, EXIT_model, "sample 0, element 1: nan");
    load_fails(file_of("f", BYTES("\x93NUM\0\0")), wide, EXIT_model, "byte 4 is 0");
    load_fails(file_of("g", BYTES("a\nb\n")), (DataWant){.type = ARRAY_i32}, EXIT_model, "needs a range");
    load_fails(file_of("h", BYTES("1,2.5\n")), (DataWant){.type = ARRAY_i32}, EXIT_model, "no integer");
    load_fails(file_of("i", BYTES("\0\0\x08\3\0\0\0\1\0\0\0\1\0\0\0\4\1\2\3\4")),
               (DataWant){.type = ARRAY_f32, .shaped = true, .rank = 2, .shape = {2, 3}}, EXIT_model, "a sample is u8[1, 4]");
}
END_TEST

/* ---- real data, where NETC_DATA says they are ---- */

static const char *real(const char *name)
{
    const char *folder = getenv("NETC_DATA"), *path = folder ? arena_printf(arena, "%s/%s", folder, name) : NULL;
    if (path && access(path, R_OK) == 0) return path;
    printf("skip: no %s in $NETC_DATA\n", name);
    return NULL;
}

START_TEST(real_mnist)
{
    const char *images = real("mnist/t10k-images-idx3-ubyte.gz"), *digits = real("mnist/t10k-labels-idx1-ubyte.gz");
    if (!images || !digits) return;
    Array x = load(images, (DataWant){.type = ARRAY_f32, .shaped = true, .rank = 3, .shape = {1, 28, 28}});
    Array y = load(digits, (DataWant){.type = ARRAY_i32, .ranged = true, .high = 10, .shaped = true});
    ck_assert_str_eq(array_text(arena, &x), "f32[10000, 1, 28, 28]");
    ck_assert_str_eq(array_text(arena, &y), "i32[10000]");
    ck_assert_int_eq(((int32_t *)y.data)[0], 7);
    load_fails(digits, (DataWant){.type = ARRAY_u8, .ranged = true, .high = 9}, EXIT_model, "value 9 is not in 0..9");
}
END_TEST

static const struct { const char *file, *x, *y; int rows, width, classes; } tables[] = {
    {"iris.csv", "0:4", "4", 150, 4, 3},
    {"wine.csv", ":-1", "-1", 178, 13, 3},
    {"sonar.csv", "0:60", "60", 208, 60, 2},
    {"banknote_authentication.csv", "0:4", "4", 1372, 4, 2},
    {"mammography.csv", "0:6", "6", 11183, 6, 2},
    {"abalone.csv", "1:8", "0", 4177, 7, 3},
    {"pima-indians-diabetes.csv", "0:8", "8", 768, 8, 2},
};

START_TEST(real_tables)
{
    const char *path = real(arena_printf(arena, "tabular/%s", tables[_i].file));
    if (!path) return;
    DataWant label = {.type = ARRAY_i32, .ranged = true, .high = tables[_i].classes, .shaped = true};
    Array x = load(arena_printf(arena, "%s[%s]", path, tables[_i].x),
                   (DataWant){.type = ARRAY_f32, .shaped = true, .rank = 1, .shape = {tables[_i].width}});
    Array y = load(arena_printf(arena, "%s[%s]", path, tables[_i].y), label);
    ck_assert_int_eq(x.shape[0], tables[_i].rows);
    ck_assert_int_eq(y.shape[0], tables[_i].rows);
}
END_TEST

START_TEST(real_headers)
{
    const char *months = real("tabular/airline-passengers.csv"), *missing = real("tabular/breast-cancer-wisconsin.csv");
    if (!months || !missing) return;
    Array x = load(arena_printf(arena, "%s[Passengers]", months), (DataWant){.type = ARRAY_f32});
    ck_assert_str_eq(array_text(arena, &x), "f32[144, 1]");
    x = load(arena_printf(arena, "%s[1]", months), (DataWant){.type = ARRAY_f32});
    ck_assert_str_eq(array_text(arena, &x), "f32[144, 1]");
    load_fails(missing, (DataWant){.type = ARRAY_f32}, EXIT_model, ":24: column 5: '?' is a missing value");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("data");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, load_each_format);
    tcase_add_test(c, load_refuses);
    tcase_add_test(c, real_mnist);
    LOOP(real_tables, tables);
    tcase_add_test(c, real_headers);
    return run_case("data", c);
}
