/* test_base.c -- arenas, numbers as text, near names, places in sources, messages, files that are whole or not there. */
#include "../../compiler/base/base.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static Arena *a;

static void set_up(void) { a = arena_new(); }
static void tear_down(void) { arena_free(a); }

START_TEST(arena_gives_zeros_aligned)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 65536, 65537, 300000, 3, 1 << 20, 5};
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        unsigned char *p = arena_alloc(a, sizes[i]);
        ck_assert_uint_eq((uintptr_t)p % 16, 0);
        for (size_t j = 0; j < sizes[i]; j++) ck_assert_uint_eq(p[j], 0);
        memset(p, 0xff, sizes[i]);
    }
}
END_TEST

START_TEST(arena_refuses_what_overflows) { arena_array(a, SIZE_MAX / 2, 3); }
END_TEST

START_TEST(vector_keeps_its_elements)
{
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++) vec_push(a, &v, i);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(v.at[i], i);
}
END_TEST

START_TEST(arena_is_empty_again)
{
    for (int round = 0; round < 3; round++) {
        unsigned char *small = arena_alloc(a, 100), *large = arena_alloc(a, 1 << 20);
        for (int i = 0; i < 100; i++) ck_assert_uint_eq(small[i], 0);
        memset(small, 0xff, 100);
        memset(large, 0xff, 1 << 20);
        arena_clear(a);
    }
}
END_TEST

START_TEST(map_finds_what_was_added)
{
    Map m = {0};
    ck_assert_int_eq(map_find_name(&m, "x1"), -1);
    for (int i = 0; i < 1000; i++) {
        const char *name = arena_printf(a, "x%d", i);
        ck_assert_int_eq(map_find_name(&m, name), -1);
        map_add_name(a, &m, name, i);
    }
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(map_find_name(&m, arena_printf(a, "x%d", i)), i);
    ck_assert_int_eq(map_find_name(&m, ""), -1);
    map_add(a, &m, "a\0b", 3, 7);
    ck_assert_int_eq(map_find(&m, "a\0b", 3), 7);
    ck_assert_int_eq(map_find(&m, "a\0c", 3), -1);
    ck_assert_int_eq(map_find(&m, "a", 1), -1);
}
END_TEST

START_TEST(names_are_taken_once)
{
    Names n = {.arena = a};
    ck_assert_str_eq(names_take(&n, "x", "_"), "x");
    ck_assert_str_eq(names_take(&n, "x_2", "_"), "x_2");
    ck_assert_str_eq(names_take(&n, "x", "_"), "x_3");
    ck_assert_str_eq(names_take(&n, "x", "_"), "x_4");
    ck_assert_str_eq(names_take(&n, "x_2", "_"), "x_2_2");
    ck_assert_str_eq(names_take(&n, "y", ""), "y");
    ck_assert_str_eq(names_take(&n, "y", ""), "y2");
}
END_TEST

START_TEST(text_grows)
{
    Text t = {.arena = a};
    ck_assert_str_eq(text_string(&t), "");
    char wide[2000];
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    text_printf(&t, "%s%d", wide, 5);
    ck_assert_uint_eq(t.n, sizeof wide);
    ck_assert_str_eq(text_string(&t) + sizeof wide - 2, "x5");
    ck_assert_str_eq(arena_printf(a, "%s-%d", "a", 7), "a-7");
}
END_TEST

static const struct { double x; const char *text; } doubles[] = {
    {0, "0"}, {-0.0, "-0"}, {1, "1"}, {0.1, "0.1"}, {1.0 / 3, "0.3333333333333333"}, {1e-5, "1e-05"}, {1e300, "1e+300"},
    {16777217, "16777217"}, {4.9406564584124654e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
    {INFINITY, "inf"}, {-INFINITY, "-inf"}, {NAN, "nan"},
};

START_TEST(double_is_shortest)
{
    Text t = {.arena = a};
    text_double(&t, doubles[_i].x);
    ck_assert_str_eq(text_string(&t), doubles[_i].text);
    Text negative = {.arena = a};
    text_double(&negative, copysign(NAN, -1));
    ck_assert_str_eq(text_string(&negative), "nan");
}
END_TEST

static const struct { const char *word, *meant; } words[] = {
    {"dence", "dense"}, {"con", "conv"}, {"relu", "relu"}, {"sigmoyd", "sigmoid"}, {"banana", NULL}, {"q", NULL},
    {"", NULL}, {"xn", "x"},
};

START_TEST(near_names_are_found)
{
    static const char *const candidates[] = {"x", "dense", "conv", "relu", "sigmoid", "batchnorm"};
    const char *meant = did_you_mean(words[_i].word, candidates, (int)LENGTH(candidates));
    if (words[_i].meant) ck_assert_str_eq(meant ? meant : "(none)", words[_i].meant);
    else ck_assert_ptr_null(meant);
}
END_TEST

/* ---- places and messages ---- */

START_TEST(places_are_found)
{
    Sources s = {.arena = a};
    Place p;
    const Source *first = sources_add(&s, "first", "ab\r\ncd", 6);
    const Source *second = sources_add(&s, "second", "", 0);
    ck_assert_uint_ge(first->base, 1);
    ck_assert(!sources_place(&s, 0, &p));
    ck_assert(sources_place(&s, first->base + 1, &p));
    ck_assert_int_eq(p.line, 1);
    ck_assert_int_eq(p.column, 2);
    ck_assert_int_eq(p.line_length, 2);
    ck_assert(sources_place(&s, first->base + 6, &p));
    ck_assert_int_eq(p.line, 2);
    ck_assert_int_eq(p.column, 3);
    ck_assert_ptr_eq(p.source, first);
    ck_assert(sources_place(&s, second->base, &p));
    ck_assert_ptr_eq(p.source, second);
    ck_assert(!sources_place(&s, second->base + 1, &p));
    ck_assert_ptr_null(sources_add(&s, "third", "", (size_t)SOURCE_LIMIT + 1));
}
END_TEST

static const struct { const char *text; Span at; const char *message; } carets[] = {
    {"abc def\n", {5, 8}, "f:1:5: error: bad\n     1 | abc def\n       |     ^~~\n"},
    {"\tabc\r\n", {2, 5}, "f:1:2: error: bad\n     1 | \tabc\n       | \t^~~\n"},
    {"\"\xc3\xa9\" x\n", {6, 7}, "f:1:6: error: bad\n     1 | \"\xc3\xa9\" x\n       |     ^\n"},
    {"ab\ncd\n", {2, 6}, "f:1:2: error: bad\n     1 | ab\n       |  ^\n"},
    {"a\033[1m\n", {1, 2}, "f:1:1: error: bad\n     1 | a?[1m\n       | ^\n"},
    {"", {1, 1}, "f:1:1: error: bad\n     1 | \n       | ^\n"},
    {"", {0, 0}, "netc: error: bad\n"},
};

START_TEST(caret_is_under_the_span)
{
    Sources s = {.arena = a};
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    Diag d = {.sources = &s, .out = out};
    sources_add(&s, "f", carets[_i].text, strlen(carets[_i].text));
    diag_error(&d, carets[_i].at, "bad");
    fclose(out);
    ck_assert_str_eq(text, carets[_i].message);
    free(text);
}
END_TEST

START_TEST(errors_are_limited)
{
    Sources s = {.arena = a};
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    Diag d = {.sources = &s, .out = out, .limit = 2};
    sources_add(&s, "f", "abcdef", 6);
    diag_error(&d, (Span){1, 2}, "one");
    diag_error(&d, (Span){1, 2}, "one again");
    diag_note(&d, (Span){0, 0}, "muted");
    diag_error(&d, (Span){2, 3}, "two");
    diag_note(&d, (Span){0, 0}, "heard");
    diag_error(&d, (Span){3, 4}, "three");
    diag_error(&d, (Span){4, 5}, "four");
    fclose(out);
    ck_assert_int_eq(d.errors, 4);
    ck_assert_str_eq(text, "f:1:1: error: one\n     1 | abcdef\n       | ^\nf:1:2: error: two\n     1 | abcdef\n"
                           "       |  ^\nnetc: note: heard\nnetc: more errors follow; these come first\n");
    free(text);
}
END_TEST

/* ---- files ---- */

static char folder[] = "/tmp/netc-test-XXXXXX";

static const char *in_folder(const char *name) { return arena_printf(a, "%s/%s", folder, name); }

START_TEST(file_is_whole_or_not_there)
{
    const char *why = NULL, *path = in_folder("x");
    size_t n;
    int status = 0;
    struct stat before, after;
    ck_assert(file_write(a, path, "hello", 5, &why));
    ck_assert_str_eq(file_read(a, path, 5, &n, &why, &status), "hello");
    ck_assert_uint_eq(n, 5);
    stat(path, &before);
    ck_assert(file_write(a, path, "hello", 5, &why));
    stat(path, &after);
    ck_assert_uint_eq(before.st_ino, after.st_ino);  /* the same bytes: not touched */
    ck_assert(file_write(a, path, "other", 5, &why));
    ck_assert_str_eq(file_read(a, path, 5, &n, &why, &status), "other");
    ck_assert_ptr_null(file_read(a, path, 4, &n, &why, &status));
    ck_assert_int_eq(status, EXIT_model);
    ck_assert_ptr_null(file_read(a, in_folder("none"), 4, &n, &why, &status));
    ck_assert_int_eq(status, EXIT_noinput);
    ck_assert_ptr_null(file_read(a, folder, 1 << 20, &n, &why, &status));
    ck_assert_int_eq(status, EXIT_noinput);
    ck_assert(!file_write(a, in_folder("none/x"), "x", 1, &why));
    ck_assert_ptr_nonnull(strstr(why, "cannot write"));
    ck_assert(directory_make(a, in_folder("d/e/f"), &why));
    ck_assert(!directory_make(a, in_folder("x/e"), &why));
    ck_assert_int_eq(system(arena_printf(a, "test \"$(ls %s | tr '\\n' ' ')\" = 'd x '; s=$?; rm -r %s; exit $s", folder, folder)), 0);
}
END_TEST

START_TEST(full_disk_is_an_error)
{
    const char *why = "";
    if (access("/dev/full", W_OK) != 0) return;
    ck_assert(!file_write(a, "/dev/full", "x", 1, &why));
    ck_assert_ptr_nonnull(strstr(why, "/dev/full: cannot write: "));
}
END_TEST

START_TEST(stream_is_read_to_its_end)
{
    const char *why;
    size_t n;
    int status, fd[2];
    ck_assert_int_eq(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 1000; i++)
            if (write(fd[1], arena_alloc(a, 200), 200) != 200) _exit(1);
        _exit(0);
    }
    close(fd[1]);
    const char *bytes = file_read(a, arena_printf(a, "/proc/self/fd/%d", fd[0]), 1 << 20, &n, &why, &status);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(n, 200000);
    waitpid(child, NULL, 0);
    close(fd[0]);
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, (int)LENGTH(table))

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    Suite *s = suite_create("base");
    TCase *tc = tcase_create("base");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, arena_gives_zeros_aligned);
    tcase_add_exit_test(tc, arena_refuses_what_overflows, EXIT_memory);
    tcase_add_test(tc, vector_keeps_its_elements);
    tcase_add_test(tc, arena_is_empty_again);
    tcase_add_test(tc, map_finds_what_was_added);
    tcase_add_test(tc, names_are_taken_once);
    tcase_add_test(tc, text_grows);
    LOOP(tc, double_is_shortest, doubles);
    LOOP(tc, near_names_are_found, words);
    tcase_add_test(tc, places_are_found);
    LOOP(tc, caret_is_under_the_span, carets);
    tcase_add_test(tc, errors_are_limited);
    tcase_add_test(tc, file_is_whole_or_not_there);
    tcase_add_test(tc, full_disk_is_an_error);
    tcase_add_test(tc, stream_is_read_to_its_end);
    suite_add_tcase(s, tc);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    rmdir(folder);
    return failed ? 1 : 0;
}
