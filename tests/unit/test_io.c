/* test_io.c -- the readers and writers of arrays, packed and not, and conversions: golden bytes, truncations, lies. */
#include "inputs.h"

#include <math.h>

/* ---- IDX ---- */

static const struct { const char *bytes; size_t n; ArrayType type; double value[2]; } idx_golden[] = {
    {BYTES("\0\0\x08\1\0\0\0\2\x07\xff"), ARRAY_u8, {7, 255}},
    {BYTES("\0\0\x09\1\0\0\0\2\x07\xff"), ARRAY_i8, {7, -1}},
    {BYTES("\0\0\x0B\1\0\0\0\2\1\2\xff\xfe"), ARRAY_i16, {258, -2}},
    {BYTES("\0\0\x0C\1\0\0\0\2\0\1\0\0\xff\xff\xff\xfe"), ARRAY_i32, {65536, -2}},
    {BYTES("\0\0\x0D\1\0\0\0\2\x3f\x80\0\0\xc0\x20\0\0"), ARRAY_f32, {1, -2.5}},
    {BYTES("\0\0\x0E\1\0\0\0\2\x3f\xf0\0\0\0\0\0\0\xc0\x04\0\0\0\0\0\0"), ARRAY_f64, {1, -2.5}},
};

START_TEST(idx_values)
{
    Array x;
    Input in = input_of(idx_golden[_i].bytes, idx_golden[_i].n);
    ck_assert_msg(idx_read(&in, &x), "%s", in.why);
    ck_assert_int_eq(x.type, idx_golden[_i].type);
    ck_assert_int_eq(x.rank, 1);
    check_values(&x, idx_golden[_i].value, 2);
    input_free(&in);
    check_every_prefix_refused(idx_read, idx_golden[_i].bytes, idx_golden[_i].n);
}
END_TEST

static const struct { const char *bytes; size_t n; const char *why; } idx_lies[] = {
    {BYTES("\0\1\x08\1\0\0\0\1\0"), "byte 0"},
    {BYTES("\0\0\x0A\1\0\0\0\1\0"), "byte 2: 0x0A is no IDX type"},
    {BYTES("\0\0\0\1\0\0\0\1\0"), "byte 2"},
    {BYTES("\0\0\x08\0\0\0\0\1\0"), "0 dimensions"},
    {BYTES("\0\0\x08\x09\0\0\0\1\0"), "9 dimensions"},
    {BYTES("\0\0\x08\1\0\0\0\2\0"), "promises u8[2], which takes 2 bytes, but 1 follow"},
    {BYTES("\0\0\x08\1\0\0\0\1\0\0"), "byte 9: the file goes on after the u8[1]"},
    {BYTES("\0\0\x08\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "too large"},
    {BYTES("\0\0\x08\4\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), "too large"},
    {BYTES("\0\0\x0E\2\x7f\xff\xff\xff\x7f\xff\xff\xff"), "too large"},
};

START_TEST(idx_refuses) { check_refused(idx_read, idx_lies[_i].bytes, idx_lies[_i].n, idx_lies[_i].why); }
END_TEST

/* An IDX file of `n` zeros whose header promises `promised`. */
static Text idx_zeros(size_t n, unsigned promised)
{
    Text file = {.arena = arena};
    const char header[] = {0, 0, 8, 1, (char)(promised >> 24), (char)(promised >> 16), (char)(promised >> 8),
                           (char)promised};
    char *zeros = arena_alloc(arena, n);
    text_add(&file, header, sizeof header);
    text_add(&file, zeros, n);
    return file;
}

START_TEST(gzip_unpacks)
{
    static const size_t sizes[] = {0, 1, 247, 248, 249, 250, 5000, 300000};
    Text plain = idx_zeros(sizes[_i], (unsigned)sizes[_i]), packed = gzip(plain.s, plain.n);
    Array x;
    Input in = input_of(packed.s, packed.n);
    unsigned char *given = (unsigned char *)(uintptr_t)in.bytes;
    ck_assert_msg(input_unzip(&in, 1 << 20), "%s", in.why);
    ck_assert_msg(idx_read(&in, &x), "%s", in.why);
    ck_assert_int_eq(x.elements, (int64_t)sizes[_i]);
    free(given);
    for (size_t n = 0; n < packed.n; n++) {
        in = input_of(packed.s, n);
        given = (unsigned char *)(uintptr_t)in.bytes;
        ck_assert(!input_unzip(&in, 1 << 20));
        expect_failure(&in, "");
        free(given);
    }
}
END_TEST

START_TEST(gzip_two_members)
{
    Text one = gzip("a,b\n", 4), two = gzip("1,2\n", 4);
    text_add(&one, two.s, two.n);
    Input in = input_of(one.s, one.n);
    unsigned char *given = (unsigned char *)(uintptr_t)in.bytes;
    ck_assert_msg(input_unzip(&in, 100), "%s", in.why);
    ck_assert_uint_eq(in.size, 8);
    ck_assert_int_eq(memcmp(in.bytes, "a,b\n1,2\n", 8), 0);
    free(given);
}
END_TEST

static const struct { size_t n; unsigned promised; size_t limit; const char *why; } bombs[] = {
    {1 << 20, 1 << 20, 1 << 19, "promises more"},
    {1000, 0x7fffffff, SIZE_MAX / 4, "promises more"},
    {5000, 4000, 1 << 20, "goes on after the 4008 bytes"},
};

START_TEST(gzip_bombs)
{
    Text plain = idx_zeros(bombs[_i].n, bombs[_i].promised), packed = gzip(plain.s, plain.n);
    Input in = {.arena = arena, .name = "file", .bytes = (unsigned char *)packed.s, .size = packed.n};
    ck_assert(!input_unzip(&in, bombs[_i].limit));
    expect_failure(&in, bombs[_i].why);
}
END_TEST

START_TEST(gzip_limit)
{
    char *spaces = arena_alloc(arena, 100000);
    memset(spaces, ' ', 100000);
    Text packed = gzip(spaces, 100000);
    Input in = {.arena = arena, .name = "file", .bytes = (unsigned char *)packed.s, .size = packed.n};
    Input whole = in;
    ck_assert(!input_unzip(&in, 99999));
    expect_failure(&in, "too large");
    ck_assert(input_unzip(&whole, 100000));
    packed.s[packed.n - 6] ^= 1;  /* the checksum */
    in = (Input){.arena = arena, .name = "file", .bytes = (unsigned char *)packed.s, .size = packed.n};
    ck_assert(!input_unzip(&in, 100000));
    expect_failure(&in, "damaged");
}
END_TEST

/* ---- NPY ---- */

static const struct { const char *header, *data; size_t n; const char *text; int elements; double value[6]; } npy_golden[] = {
    {DICT("<f4", "False", "(2,)"), BYTES("\0\0\x80\x3f\0\0\x20\xc0"), "f32[2]", 2, {1, -2.5}},
    {DICT(">f4", "False", "(2,)"), BYTES("\x3f\x80\0\0\xc0\x20\0\0"), "f32[2]", 2, {1, -2.5}},
    {DICT("<f8", "False", "()"), BYTES("\0\0\0\0\0\0\xf0\x3f"), "f64", 1, {1}},
    {DICT("<f2", "False", "(3,)"), BYTES("\0\x3c\1\0\0\xfc"), "f16[3]", 3, {1, 0x1p-24, (double)-INFINITY}},
    {DICT("|i1", "False", "(1,2)"), BYTES("\1\xff"), "i8[1, 2]", 2, {1, -1}},
    {DICT("|u1", "False", "(2,1)"), BYTES("\1\xff"), "u8[2, 1]", 2, {1, 255}},
    {DICT("|b1", "False", "(2,)"), BYTES("\1\0"), "bool[2]", 2, {1, 0}},
    {DICT("<i2", "False", "(1,)"), BYTES("\xfe\xff"), "i16[1]", 1, {-2}},
    {DICT("<u2", "False", "(1,)"), BYTES("\xfe\xff"), "u16[1]", 1, {65534}},
    {DICT(">i4", "False", "(1,)"), BYTES("\xff\xff\xff\xfe"), "i32[1]", 1, {-2}},
    {DICT("<u4", "False", "(1,)"), BYTES("\xfe\xff\xff\xff"), "u32[1]", 1, {4294967294}},
    {DICT("<i8", "False", "(1,)"), BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff"), "i64[1]", 1, {-2}},
    {DICT("|u1", "True", "(2, 3)"), BYTES("\1\4\2\5\3\6"), "u8[2, 3]", 6, {1, 2, 3, 4, 5, 6}},
    {DICT(">i2", "True", "(3, 1, 2)"), BYTES("\0\1\0\3\0\5\0\2\0\4\0\6"), "i16[3, 1, 2]", 6, {1, 2, 3, 4, 5, 6}},
    {"{\"shape\": (2, ), 'descr':'|u1','fortran_order':False}", BYTES("\1\2"), "u8[2]", 2, {1, 2}},
    {DICT("<f4", "False", "(0, 3)"), "", 0, "f32[0, 3]", 0, {0}},
};

START_TEST(npy_values)
{
    Array x;
    Text file = npy_of(npy_golden[_i].header, npy_golden[_i].data, npy_golden[_i].n);
    Input in = input_of(file.s, file.n);
    ck_assert_msg(npy_read(&in, &x), "%s", in.why);
    ck_assert_str_eq(array_text(arena, &x), npy_golden[_i].text);
    check_values(&x, npy_golden[_i].value, npy_golden[_i].elements);
    input_free(&in);
    check_every_prefix_refused(npy_read, file.s, file.n);
}
END_TEST

static const struct { const char *header, *why; } npy_lies[] = {
    {"", "ends where '{'"},
    {"[]", "'[' where '{'"},
    {"{}", "lacks 'descr'"},
    {"{'descr': '<f4', 'shape': (1,)}", "lacks 'fortran_order'"},
    {"{'descr': '<f4', 'fortran_order': False}", "lacks 'shape'"},
    {DICT("<f4", "False", "(1,)") "x", "where its end is expected"},
    {DICT("<f4", "Maybe", "(1,)"), "True or False"},
    {DICT("<f4", "False", "(1)"), "','"},
    {DICT("<f4", "False", "(-1,)"), "a dimension"},
    {DICT("<f4", "False", "(1,,)"), "a dimension"},
    {DICT("<f4", "False", "(2,)"), "takes 8 bytes, but 4 follow"},
    {DICT("<f4", "False", "(0,)"), "goes on after the f32[0]"},
    {DICT("<f4", "False", "(99999999999999999999,)"), "too large"},
    {DICT("<f4", "False", "(4611686018427387904,)"), "too large"},
    {DICT("<f4", "False", "(4294967296, 4294967296, 0)"), "too large"},
    {DICT("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), "more than 8 dimensions"},
    {DICT("|f4", "False", "(1,)"), "'|f4' is not supported"},
    {DICT("f4", "False", "(1,)"), "not supported"},
    {DICT("", "False", "(1,)"), "not supported"},
    {DICT("<c8", "False", "(1,)"), "'<c8' is not supported"},
    {DICT("|O", "False", "(1,)"), "not supported"},
    {DICT("<f4\\x", "False", "(1,)"), "a type such as"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "structured"},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "'descr' twice"},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", "',' or '}'"},
    {"{'color': '<f4', 'fortran_order': False, 'shape': (1,)}", "unknown key 'color'"},
    {"{'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa': 1}", "a key"},
};

START_TEST(npy_refuses)
{
    Text file = npy_of(npy_lies[_i].header, "\0\0\0\0", 4);
    check_refused(npy_read, file.s, file.n, npy_lies[_i].why);
}
END_TEST

START_TEST(npy_versions)
{
    Text file = npy_of(DICT("|u1", "False", "(1,)"), "\7", 1);
    Text second = {.arena = arena};
    Array x;
    text_add(&second, "\x93NUMPY\2\0", 8);
    text_add(&second, file.s + 8, 2);
    text_add(&second, "\0\0", 2);
    text_add(&second, file.s + 10, file.n - 10);
    Input in = input_of(second.s, second.n);
    ck_assert_msg(npy_read(&in, &x), "%s", in.why);
    check_values(&x, (double[]){7}, 1);
    input_free(&in);
    check_every_prefix_refused(npy_read, second.s, second.n);
    file.s[6] = 4;
    check_refused(npy_read, file.s, file.n, "version 4");
    file.s[6] = 1;
    file.s[9] = 1;
    check_refused(npy_read, file.s, file.n, "header says");
}
END_TEST

START_TEST(npy_writes)
{
    static const unsigned char golden[] =
        "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"
        "                                                          \n\0\0\x80\x3f\0\0\x20\xc0";
    float values[] = {1, -2.5f};
    Array x = {.type = ARRAY_f32, .rank = 2, .shape = {2, 1}, .elements = 2, .data = values}, y;
    Text file = npy_bytes(arena, &x);
    ck_assert_uint_eq(file.n, sizeof golden - 1);
    ck_assert_int_eq(memcmp(file.s, golden, file.n), 0);
    const char *why = "", *path = path_of("a.npy");
    ck_assert_msg(npy_write(arena, path, &x, &why), "%s", why);
    Input in;
    ck_assert(input_read(&in, arena, path, 1000));
    ck_assert_msg(npy_read(&in, &y), "%s", in.why);
    ck_assert_str_eq(array_text(arena, &y), "f32[2, 1]");
    check_values(&y, (double[]){1, -2.5}, 2);
}
END_TEST

/* ---- conversions ---- */

static const struct { ArrayType from; double value; ArrayType to; double got; const char *why; } conversions[] = {
    {ARRAY_u8, 255, ARRAY_f32, 255, NULL},
    {ARRAY_i64, -16777216, ARRAY_f32, -16777216, NULL},
    {ARRAY_i64, 16777217, ARRAY_f32, 0, "sample 1: 16777217 of type i64 is not exact in f32"},
    {ARRAY_f64, 0.1, ARRAY_f32, (double)0.1f, NULL},
    {ARRAY_f64, 1e39, ARRAY_f32, 0, "1e+39 of type f64 does not fit in f32"},
    {ARRAY_f64, 3.4028235677973366e38, ARRAY_f32, 0, "does not fit in f32"},
    {ARRAY_f64, -3.4028234e38, ARRAY_f32, (double)-3.4028234e38f, NULL},
    {ARRAY_f32, 0.5, ARRAY_f64, 0.5, NULL},
    {ARRAY_i64, 7, ARRAY_i32, 7, NULL},
    {ARRAY_i64, 2147483648, ARRAY_i32, 0, "2147483648 of type i64 does not fit in i32"},
    {ARRAY_i32, -1, ARRAY_u8, 0, "-1 of type i32 does not fit in u8"},
    {ARRAY_i32, 2, ARRAY_bool, 0, "does not fit in bool"},
    {ARRAY_u64, 5, ARRAY_i64, 5, NULL},
    {ARRAY_f32, 3, ARRAY_i32, 3, NULL},
    {ARRAY_f32, 2.5, ARRAY_i32, 0, "2.5 of type f32 is no integer for i32"},
    {ARRAY_f32, 300, ARRAY_u8, 0, "300 of type f32 does not fit in u8"},
    {ARRAY_f64, 1e300, ARRAY_i64, 0, "does not fit in i64"},
    {ARRAY_f64, (double)NAN, ARRAY_i32, 0, "nan of type f64 is no integer"},
    {ARRAY_f64, (double)INFINITY, ARRAY_f32, (double)INFINITY, NULL},
    {ARRAY_f32, 1, ARRAY_f16, 0, "cannot be made f16"},
};

static void store(Array *x, int64_t i, double value)
{
    switch (x->type) {
    case ARRAY_f32: ((float *)x->data)[i] = (float)value; break;
    case ARRAY_f64: ((double *)x->data)[i] = value; break;
    case ARRAY_u8: ((uint8_t *)x->data)[i] = (uint8_t)value; break;
    case ARRAY_i32: ((int32_t *)x->data)[i] = (int32_t)value; break;
    case ARRAY_u64: ((uint64_t *)x->data)[i] = (uint64_t)value; break;
    default: ((int64_t *)x->data)[i] = (int64_t)value; break;
    }
}

START_TEST(convert)
{
    Input in = {.arena = arena, .name = "file"};
    Array x = array_new(arena, conversions[_i].from, 1, (int64_t[]){2}), y;
    store(&x, 1, conversions[_i].value);
    bool good = array_convert(&in, &x, conversions[_i].to, &y);
    if (conversions[_i].why) {
        ck_assert(!good);
        expect_failure(&in, conversions[_i].why);
    } else {
        ck_assert_msg(good, "%s", in.why);
        ck_assert_int_eq(y.type, conversions[_i].to);
        check_values(&y, (double[]){0, conversions[_i].got}, 2);
    }
}
END_TEST

START_TEST(convert_weights)
{
    const char *why = "";
    int status = 0;
    Array x = array_new(arena, ARRAY_f64, 2, (int64_t[]){2, 2}), y;
    x.name = "head.weight";
    ck_assert(array_to_f32(arena, "w", &x, &y, &why, &status));
    ((double *)x.data)[3] = -1e300;
    ck_assert(!array_to_f32(arena, "w", &x, &y, &why, &status));
    ck_assert_str_eq(why, "w: tensor head.weight: element 3: -1e+300 of type f64 does not fit in f32");
    ck_assert_int_eq(status, EXIT_model);
}
END_TEST

START_TEST(halves)
{
    static const struct { uint16_t bits; float value; } rows[] = {
        {0x0000, 0}, {0x3c00, 1}, {0xc000, -2}, {0x7bff, 65504}, {0x0400, 0x1p-14f}, {0x03ff, 0x3ffp-24f}, {0x3555, 0x1.554p-2f},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) ck_assert_float_eq(f16_value(rows[i].bits), rows[i].value);
    ck_assert(isnan(f16_value(0x7e00)) && isinf(f16_value(0xfc00)) && signbit(f16_value(0x8000)));
    ck_assert_float_eq(bf16_value(0x3fc0), 1.5f);
    ck_assert_float_eq(bf16_value(0xc2f7), -123.5f);
}
END_TEST

START_TEST(ranges)
{
    Input in = {.arena = arena, .name = "file"};
    Array x = array_new(arena, ARRAY_i32, 2, (int64_t[]){3, 2});
    ((int32_t *)x.data)[3] = 10;
    ck_assert(array_check_range(&in, &x, 0, 11));
    ck_assert(!array_check_range(&in, &x, 0, 10));
    expect_failure(&in, "sample 1, element 1: value 10 is not in 0..10");
    ck_assert(!array_check_range(&in, &x, 1, 11));
    expect_failure(&in, "sample 0, element 0: value 0 is not in 1..11");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("io");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    LOOP(idx_values, idx_golden);
    LOOP(idx_refuses, idx_lies);
    tcase_add_loop_test(c, gzip_unpacks, 0, 8);
    tcase_add_test(c, gzip_two_members);
    LOOP(gzip_bombs, bombs);
    tcase_add_test(c, gzip_limit);
    LOOP(npy_values, npy_golden);
    LOOP(npy_refuses, npy_lies);
    tcase_add_test(c, npy_versions);
    tcase_add_test(c, npy_writes);
    LOOP(convert, conversions);
    tcase_add_test(c, convert_weights);
    tcase_add_test(c, halves);
    tcase_add_test(c, ranges);
    return run_case("io", c);
}
