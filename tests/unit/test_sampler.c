/* test_sampler.c -- the draw of a token: its frequencies, what top-k and top-p leave out, ties. */
#include "../../compiler/cli/sampler.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { N = 5, DRAWS = 20000 };
static const double score[N] = {1, 3, 0, 3, -INFINITY};

/* How often each token is drawn. */
static void draw(const Sampler *s, int count[N])
{
    for (int i = 0; i < N; i++) count[i] = 0;
    for (int i = 0; i < DRAWS; i++) count[sampler_draw(s, score, N, (uint64_t)i)]++;
}

/* The frequencies are those of softmax(score / temperature) over the tokens of `allowed`. */
static void check_frequencies(const Sampler *s, unsigned allowed)
{
    int count[N];
    double sum = 0;
    draw(s, count);
    for (int i = 0; i < N; i++) sum += allowed >> i & 1 ? exp(score[i] / s->temperature) : 0;
    for (int i = 0; i < N; i++) {
        double p = allowed >> i & 1 ? exp(score[i] / s->temperature) / sum : 0;
        ck_assert_msg(fabs(count[i] - p * DRAWS) <= 4 * sqrt(p * DRAWS), "token %d: %d times, expected %g", i, count[i], p * DRAWS);
    }
}

static const struct { Sampler sampler; unsigned allowed; } draws[] = {
    {{1, 0, 1, 42}, 0x0f}, {{1, 0, 1, 7}, 0x0f}, {{0.5, 0, 1, 42}, 0x0f}, {{3, 0, 1, 42}, 0x0f},
    {{1, 3, 1, 42}, 0x0b}, {{1, 2, 1, 42}, 0x0a}, {{1, 1, 1, 42}, 0x02}, {{1, 99, 1, 42}, 0x0f},
    {{1, 0, 0.9, 42}, 0x0a}, {{1, 0, 0.4, 42}, 0x02}, {{1, 0, 0.95, 42}, 0x0b}, {{1, 1, 0.95, 42}, 0x02},
};

START_TEST(test_frequencies) { check_frequencies(&draws[_i].sampler, draws[_i].allowed); }
END_TEST

START_TEST(test_temperature_zero_takes_the_best)
{
    Sampler s = {.top_p = 1};
    for (int i = 0; i < 100; i++) ck_assert_int_eq(sampler_draw(&s, score, N, (uint64_t)i), 1);
}
END_TEST

START_TEST(test_the_same_draw_again)
{
    Sampler s = {1, 0, 1, 3}, other = {1, 0, 1, 4};
    int differ = 0;
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_int_eq(sampler_draw(&s, score, N, i), sampler_draw(&s, score, N, i));
        differ += sampler_draw(&s, score, N, i) != sampler_draw(&other, score, N, i);
    }
    ck_assert_int_gt(differ, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sampler");
    TCase *c = tcase_create("sampler");
    tcase_add_loop_test(c, test_frequencies, 0, sizeof draws / sizeof *draws);
    tcase_add_test(c, test_temperature_zero_takes_the_best);
    tcase_add_test(c, test_the_same_draw_again);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
