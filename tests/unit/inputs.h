/* inputs.h -- what the tests of readers and writers share: bytes as an input, files in a directory of their own, and how a reader refuses. */
#ifndef NETC_TEST_INPUTS_H
#define NETC_TEST_INPUTS_H

#include "../../compiler/io/io.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static Arena *arena;
static char directory[] = "/tmp/netc-test-io-XXXXXX";

static inline void setup(void) { arena = arena_new(); }
static inline void teardown(void) { arena_free(arena); }

typedef bool Reader(Input *in, Array *out);

/* Bytes of a string literal that may hold NULs. */
#define BYTES(s) (s), sizeof(s) - 1

/* The bytes in memory of exactly their size, so that a sanitizer sees a read past the end. */
static inline Input input_of(const void *bytes, size_t n)
{
    unsigned char *copy = malloc(n ? n : 1);
    if (n) memcpy(copy, bytes, n);
    return (Input){.arena = arena, .name = "file", .bytes = copy, .size = n};
}

static inline void input_free(Input *in) { free((void *)(uintptr_t)in->bytes); }

static inline void expect_failure(const Input *in, const char *part)
{
    ck_assert_ptr_nonnull(in->why);
    ck_assert_msg(strncmp(in->why, "file:", 5) == 0, "%s", in->why);
    ck_assert_msg(strstr(in->why, part) != NULL, "\"%s\" lacks \"%s\"", in->why, part);
    ck_assert_ptr_null(strchr(in->why, '\n'));
    ck_assert_int_eq(in->status, EXIT_model);
}

static inline void check_refused(Reader *read, const void *bytes, size_t n, const char *part)
{
    Array x;
    Input in = input_of(bytes, n);
    ck_assert_msg(!read(&in, &x), "accepted, but expected: %s", part);
    expect_failure(&in, part);
    input_free(&in);
}

static inline void check_every_prefix_refused(Reader *read, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) check_refused(read, bytes, i, "");
}

static inline void check_values(const Array *x, const double *value, int n)
{
    ck_assert_int_eq(x->elements, n);
    for (int i = 0; i < n; i++) ck_assert_double_eq(array_real(x, i), value[i]);
}

static inline const char *path_of(const char *name) { return arena_printf(arena, "%s/%s", directory, name); }

static inline const char *file_of(const char *name, const void *bytes, size_t n)
{
    const char *why = "", *path = path_of(name);
    ck_assert_msg(file_write(arena, path, bytes, n, &why), "%s", why);
    return path;
}

/* A tensor in the header of safetensors. */
#define ENTRY(name, type, shape, from, to) \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" from "," to "]}"

/* A file of two tensors. */
static const char tensors_golden[] = "\xa0\0\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"},"
    ENTRY("head.weight", "F32", "1,2", "0", "8") "," ENTRY("steps", "I64", "", "8", "16") "}"
    "      \0\0\x80\x3f\0\0\x20\xc0\7\0\0\0\0\0\0\0";

#define LOOP(test, table) tcase_add_loop_test(c, test, 0, (int)LENGTH(table))

/* Runs the tests of `c` in a directory of their own, which is removed behind them with all that they may leave there. */
static inline int run_case(const char *name, TCase *c)
{
    if (!mkdtemp(directory)) return EXIT_FAILURE;
    Suite *s = suite_create(name);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    static const char *const left[] = {"a.npy", "w.safetensors", "misnamed.npy", "a.gz", "a.csv", "w",
                                       "b", "c", "d", "e", "f", "g", "h", "i"};
    char path[64];
    for (size_t i = 0; i < LENGTH(left); i++) {
        snprintf(path, sizeof path, "%s/%s", directory, left[i]);
        unlink(path);
    }
    rmdir(directory);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline Text gzip(const void *bytes, size_t n)
{
    Text out = {.arena = arena};
    z_stream z = {0};
    unsigned char chunk[4096];
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)n;
    int code = Z_OK;
    while (code == Z_OK) {
        z.next_out = chunk;
        z.avail_out = sizeof chunk;
        code = deflate(&z, Z_FINISH);
        text_add(&out, (char *)chunk, sizeof chunk - z.avail_out);
    }
    ck_assert_int_eq(code, Z_STREAM_END);
    deflateEnd(&z);
    return out;
}

/* Version 1 with the header as given. */
static inline Text npy_of(const char *header, const void *data, size_t n)
{
    Text file = {.arena = arena};
    size_t length = strlen(header);
    const char preamble[] = {1, 0, (char)(length & 255), (char)(length >> 8)};
    text_add(&file, "\x93NUMPY", 6);
    text_add(&file, preamble, sizeof preamble);
    text_add(&file, header, length);
    text_add(&file, data, n);
    return file;
}

#define DICT(descr, order, shape) "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }\n"

#endif
