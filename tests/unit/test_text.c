/* test_text.c -- text to tokens: UTF-8, parts and lines of a file, vocabularies, pieces of words. */
#include "../../compiler/io/vocabulary.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static Arena *arena;
static void setup(void) { arena = arena_new(); }
static void teardown(void) { arena_free(arena); }

static Texts texts_of(const char *bytes, const char *part, bool lines)
{
    Texts t = {.in = {.arena = arena, .name = "file", .bytes = (const unsigned char *)bytes, .size = strlen(bytes)}};
    ck_assert_msg(texts_read(&t, part, lines), "%s", t.in.why);
    return t;
}

static const struct { const char *bytes; int length; } characters[] = {
    {"a", 1}, {"\xC3\xA9", 2}, {"\xE2\x82\xAC", 3}, {"\xF0\x9F\x98\x80", 4}, {"\xF4\x8F\xBF\xBF", 4},
    {"", 0},                                    /* NUL */
    {"\x80", 0}, {"\xC3", 0}, {"\xC3(", 0}, {"\xE2\x82", 0}, {"\xFF", 0},
    {"\xC0\x80", 0}, {"\xC1\xBF", 0}, {"\xE0\x80\xAF", 0}, {"\xF0\x80\x80\xAF", 0},   /* longer than need be */
    {"\xED\xA0\x80", 0}, {"\xF4\x90\x80\x80", 0}, {"\xF8\x88\x80\x80\x80", 0},        /* surrogates; beyond the last */
};

START_TEST(test_utf8)
{
    size_t n = strlen(characters[_i].bytes);
    ck_assert_int_eq(utf8_length(characters[_i].bytes, n ? n : 1), characters[_i].length);
    if (characters[_i].length > 1) ck_assert_int_eq(utf8_length(characters[_i].bytes, n - 1), 0);
}
END_TEST

static void check_text(const Texts *t, int i, const char *want)
{
    ck_assert_int_lt(i, t->at.n);
    ck_assert_uint_eq(t->at.at[i].n, strlen(want));
    ck_assert_int_eq(memcmp(t->at.at[i].s, want, strlen(want)), 0);
}

START_TEST(test_running_text)
{
    Texts t = texts_of("0123456789", NULL, false);
    check_text(&t, 0, "0123456789");
    t = texts_of("0123456789", ":90%", false);
    check_text(&t, 0, "012345678");
    t = texts_of("0123456789", "90%:", false);
    check_text(&t, 0, "9");
    t = texts_of("0123456789", "20%:70%", false);
    check_text(&t, 0, "23456");
    ck_assert_uint_eq(t.all.at[0].n, 10);
    t = texts_of("a\xC3\xA9z", "50%:", false);      /* not within a character */
    check_text(&t, 0, "z");
    t = texts_of("\xEF\xBB\xBFmark", NULL, false);
    check_text(&t, 0, "mark");
}
END_TEST

START_TEST(test_lines)
{
    Texts t = texts_of("one\r\n\ntwo words\nthree", NULL, true);
    ck_assert_int_eq(t.at.n, 3);
    check_text(&t, 0, "one");
    check_text(&t, 1, "two words");
    check_text(&t, 2, "three");
    t = texts_of("one\ntwo\nthree\nfour\n", ":50%", true);
    ck_assert_int_eq(t.at.n, 3);
    check_text(&t, 2, "three");
    t = texts_of("one\ntwo\nthree\nfour\n", "50%:", true);
    ck_assert_int_eq(t.at.n, 1);
    check_text(&t, 0, "four");
    ck_assert_int_eq(t.all.n, 4);
    t = texts_of("id,words\n1,\"a \"\"b\"\", c\"\n2,plain\n", "words", true);
    ck_assert_int_eq(t.at.n, 2);
    check_text(&t, 0, "a \"b\", c");
    check_text(&t, 1, "plain");
}
END_TEST

static const struct { const char *bytes, *part; bool lines; const char *why; } refused[] = {
    {"good\nba\xFF", NULL, false, "file:2:3: byte 0xFF"},
    {"\xC3\xA9\xC3", NULL, false, "file:1:2: byte 0xC3"},
    {"abc", "1:2", false, "a part of the text"},
    {"abc", "90%", false, "a part of the text"},
    {"abc", "90%:10%", false, "a part of the text"},
    {"abc", ":101%", false, "a part of the text"},
    {"abc", "-1%:", false, "a part of the text"},
    {"a,b\n", "0:2", true, "2 columns"},
    {"\n\n", NULL, true, "no text"},
};

START_TEST(test_refused)
{
    Texts t = {.in = {.arena = arena, .name = "file", .bytes = (const unsigned char *)refused[_i].bytes, .size = strlen(refused[_i].bytes)}};
    ck_assert(!texts_read(&t, refused[_i].part, refused[_i].lines));
    ck_assert_msg(strstr(t.in.why, refused[_i].why) != NULL, "\"%s\" lacks \"%s\"", t.in.why, refused[_i].why);
    ck_assert_int_eq(t.in.status, EXIT_model);
}
END_TEST

/* ---- vocabularies ---- */

static void check_json(const Vocabulary *v, const char *want) { ck_assert_str_eq(vocabulary_json(arena, v), want); }

static void check_tokens(const Vocabulary *v, Texts *t, const char *want)
{
    Tokens tokens = {0};
    Text got = {.arena = arena};
    Encoder e = encoder_new(v, &t->in);
    for (int i = 0; i < t->at.n; i++) ck_assert_msg(encode(&e, t->at.at[i], &tokens), "%s", t->in.why);
    for (int i = 0; i < tokens.n; i++) text_printf(&got, "%s%d", i ? " " : "", tokens.at[i]);
    ck_assert_str_eq(text_string(&got), want);
}

START_TEST(test_characters)
{
    Texts t = texts_of("b\xC3\xA9\nab", NULL, false);
    Vocabulary v, again;
    const char *why = "";
    ck_assert(vocabulary_build(&t, false, false, 4, &v));
    check_json(&v, "[\"\\n\",\"a\",\"b\",\"\xC3\xA9\"]");
    check_tokens(&v, &t, "2 3 0 1 2");
    ck_assert(vocabulary_read(arena, vocabulary_json(arena, &v), &again, &why));
    ck_assert(!again.lines);
    check_tokens(&again, &t, "2 3 0 1 2");
    ck_assert(!vocabulary_build(&t, false, false, 3, &v));
    ck_assert_msg(strstr(t.in.why, "4 different characters, but the net takes 3") != NULL, "%s", t.in.why);
}
END_TEST

START_TEST(test_characters_of_lines)
{
    Texts t = texts_of("ba\nab\n", NULL, true);
    Vocabulary v, again;
    const char *why = "";
    ck_assert(vocabulary_build(&t, true, false, 3, &v));
    check_json(&v, "[\"\",\"a\",\"b\"]");
    check_tokens(&v, &t, "2 1 1 2");
    ck_assert(vocabulary_read(arena, vocabulary_json(arena, &v), &again, &why));
    ck_assert(again.lines);
    ck_assert(!vocabulary_build(&t, true, false, 2, &v));
}
END_TEST

START_TEST(test_words)
{
    const char *s = "Don't  stop 2day!\n\n  \xC3\xA9\xC3\xA9.";
    static const size_t want[] = {3, 1, 1, 1, 5, 5, 1, 3, 5, 1};
    for (size_t i = 0; i < LENGTH(want); i++) {
        ck_assert_msg(word_length(s, strlen(s)) == want[i], "word %zu: %zu bytes", i, word_length(s, strlen(s)));
        s += want[i];
    }
    ck_assert_str_eq(s, "");
    char longest[200];
    memset(longest, 'x', sizeof longest);
    memcpy(longest + 63, "\xC3\xA9", 2);
    ck_assert_uint_eq(word_length(longest, sizeof longest), 65);
}
END_TEST

/* In "low low low lower lower newest newest newest newest": first what is most frequent, of several what came first. */
START_TEST(test_pieces)
{
    Texts t = texts_of("low low low lower lower newest newest newest newest", NULL, false);
    Vocabulary v, again;
    const char *why = "";
    ck_assert(vocabulary_build(&t, false, true, 14, &v));
    check_json(&v, "[\" \",\"e\",\"l\",\"n\",\"o\",\"r\",\"s\",\"t\",\"w\",\"we\",\"lo\",\" n\",\"st\",\"ewe\"]");
    ck_assert(vocabulary_read(arena, vocabulary_json(arena, &v), &again, &why));
    Texts other = texts_of("low newel", NULL, false);
    check_tokens(&again, &other, "10 8 11 13 2");
    ck_assert(vocabulary_build(&t, false, true, 1000, &v));
    for (int i = 0; i < v.piece.at.n; i++) ck_assert_uint_gt(v.piece.at.at[i].n, 0);
    ck_assert_int_lt(v.piece.at.n, 30);     /* pairs that occur once stay two */
}
END_TEST

START_TEST(test_unknown_character)
{
    Texts t = texts_of("abc", NULL, false), other = texts_of("ab\nax", NULL, false);
    Vocabulary v;
    Tokens tokens = {0};
    ck_assert(vocabulary_build(&t, false, false, 10, &v));
    Encoder e = encoder_new(&v, &other.in);
    ck_assert(!encode(&e, other.at.at[0], &tokens));
    ck_assert_str_eq(other.in.why, "file:1:3: '?' is not among the vocabulary's 3 tokens");
}
END_TEST

static const char *const not_vocabularies[] = {"", "{}", "[]", "[1]", "[\"a\",\"a\"]", "[\"a\",\"\"]", "[\"a\"", "\"a\""};

START_TEST(test_not_vocabularies)
{
    Vocabulary v;
    const char *why = NULL;
    ck_assert(!vocabulary_read(arena, not_vocabularies[_i], &v, &why));
    ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(test_strings)
{
    Strings t = {.arena = arena};
    enum { N = 5000 };
    for (int i = 0; i < N; i++) {
        const char *s = arena_printf(arena, "%d", i);
        ck_assert_int_eq(strings_find(&t, s, strlen(s)), -1);
        ck_assert_int_eq(strings_add(&t, s, strlen(s)), i);
    }
    for (int i = 0; i < N; i++) {
        const char *s = arena_printf(arena, "%d", i);
        ck_assert_int_eq(strings_find(&t, s, strlen(s)), i);
        ck_assert_int_eq(strings_add(&t, s, strlen(s)), i);
    }
    ck_assert_int_eq(t.at.n, N);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *c = tcase_create("text");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, test_utf8, 0, LENGTH(characters));
    tcase_add_test(c, test_running_text);
    tcase_add_test(c, test_lines);
    tcase_add_loop_test(c, test_refused, 0, LENGTH(refused));
    tcase_add_test(c, test_characters);
    tcase_add_test(c, test_characters_of_lines);
    tcase_add_test(c, test_words);
    tcase_add_test(c, test_pieces);
    tcase_add_test(c, test_unknown_character);
    tcase_add_loop_test(c, test_not_vocabularies, 0, LENGTH(not_vocabularies));
    tcase_add_test(c, test_strings);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
