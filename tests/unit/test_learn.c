/* test_learn.c -- the order of samples, initial parameters and the learning rate. */
#include "../../compiler/cli/learn.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

static Arena *a;
static void setup(void) { a = arena_new(); }
static void teardown(void) { arena_free(a); }

START_TEST(test_each_epoch_is_a_permutation)
{
    Stream s;
    stream_init(&s, a, 7, 13);
    bool moved = false;
    int64_t first[13];
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int seen[13] = {0};
        for (int64_t i = 0; i < 13; i++) {
            int64_t k = stream_sample(&s, epoch * 13 + i);
            ck_assert(k >= 0 && k < 13);
            seen[k]++;
            if (epoch == 0) first[i] = k;
            moved = moved || k != first[i];
        }
        for (int i = 0; i < 13; i++) ck_assert_int_eq(seen[i], 1);
    }
    ck_assert_msg(moved, "epochs have orders of their own");
}
END_TEST

START_TEST(test_stream_can_start_anywhere)
{
    Stream s, t;
    stream_init(&s, a, 7, 10);
    stream_init(&t, a, 7, 10);
    for (int64_t k = 0; k < 35; k++) stream_sample(&s, k);
    for (int64_t k = 35; k < 50; k++) ck_assert_int_eq(stream_sample(&s, k), stream_sample(&t, k));
}
END_TEST

START_TEST(test_windows_begin_anew_each_epoch)
{
    Stream s;
    int seen[5] = {0};
    stream_init(&s, a, 7, 10);
    for (int64_t k = 0; k < 1000; k++) {
        int64_t begin = stream_begin(&s, k, 4);
        ck_assert(begin >= 0 && begin <= 4);
        ck_assert_int_eq(begin, stream_begin(&s, k / 10 * 10, 4));
        ck_assert_int_eq(stream_begin(&s, k, 0), 0);
        seen[begin]++;
    }
    for (int i = 0; i < 5; i++) ck_assert_int_gt(seen[i], 100);
}
END_TEST

START_TEST(test_every_order_comes_equally_often)
{
    int count[3][3] = {{0}};
    Stream s;
    stream_init(&s, a, 1, 3);
    for (int64_t k = 0; k < 3 * 6000; k++) count[k % 3][stream_sample(&s, k)]++;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) ck_assert_int_lt(abs(count[i][j] - 2000), 200);
}
END_TEST

START_TEST(test_init)
{
    enum { N = 100000 };
    double *x = NEW_ARRAY(a, double, N), mean = 0, square = 0;
    Init normal = {INIT_normal, 1, 2}, uniform = {INIT_uniform, -3, 1}, constant = {INIT_constant, 0.5, 0};
    init_fill(&normal, "w", 1, x, N);
    for (int i = 0; i < N; i++) mean += x[i] / N, square += (x[i] - 1) * (x[i] - 1) / N;
    ck_assert_double_eq_tol(mean, 1, 0.03);
    ck_assert_double_eq_tol(sqrt(square), 2, 0.03);
    double other[4];
    init_fill(&normal, "v", 1, other, 4);
    ck_assert_double_ne(other[0], x[0]);
    init_fill(&uniform, "w", 1, x, N);
    mean = 0;
    for (int i = 0; i < N; i++) {
        ck_assert(x[i] >= -3 && x[i] < 1);
        mean += x[i] / N;
    }
    ck_assert_double_eq_tol(mean, -1, 0.02);
    init_fill(&constant, "w", 1, x, 3);
    ck_assert_double_eq(x[2], 0.5);
}
END_TEST

START_TEST(test_rates)
{
    Schedule constant = {.kind = SCHEDULE_constant, .rate = 0.5};
    ck_assert_double_eq(schedule_rate(&constant, 9, 10, 100, 10), 0.5);
    Schedule warm = {.kind = SCHEDULE_linear, .rate = 1, .to = 0, .warmup = 4};
    ck_assert_double_eq(schedule_rate(&warm, 0, 9, 100, 10), 0.25);
    ck_assert_double_eq(schedule_rate(&warm, 3, 9, 100, 10), 1);
    ck_assert_double_eq(schedule_rate(&warm, 4, 9, 100, 10), 1);
    ck_assert_double_eq(schedule_rate(&warm, 6, 9, 100, 10), 0.5);
    ck_assert_double_eq(schedule_rate(&warm, 8, 9, 100, 10), 0);
    Schedule cosine = {.kind = SCHEDULE_cosine, .rate = 1, .to = 0.2};
    ck_assert_double_eq_tol(schedule_rate(&cosine, 0, 11, 100, 10), 1, 1e-15);
    ck_assert_double_eq_tol(schedule_rate(&cosine, 5, 11, 100, 10), 0.6, 1e-15);
    ck_assert_double_eq_tol(schedule_rate(&cosine, 10, 11, 100, 10), 0.2, 1e-15);
    ck_assert_double_eq_tol(schedule_rate(&cosine, 1, 1, 100, 10), 1, 1e-15);
    Schedule stairs = {.kind = SCHEDULE_step, .rate = 1, .factor = 0.1, .every = 3};
    ck_assert_double_eq(schedule_rate(&stairs, 2, 10, 100, 10), 1);
    ck_assert_double_eq_tol(schedule_rate(&stairs, 6, 10, 100, 10), 0.01, 1e-15);
    Schedule epochs = {.kind = SCHEDULE_step, .rate = 1, .factor = 0.5, .every_epochs = 2};
    ck_assert_double_eq(schedule_rate(&epochs, 19, 100, 100, 10), 1);
    ck_assert_double_eq(schedule_rate(&epochs, 20, 100, 100, 10), 0.5);
}
END_TEST

START_TEST(test_steps)
{
    ck_assert_int_eq(steps_of_epochs(1, 100, 10), 10);
    ck_assert_int_eq(steps_of_epochs(3, 5, 2), 8);
    ck_assert_int_eq(steps_of_epochs(1, 3, 32), 1);
    ck_assert_int_gt(steps_of_epochs(INT64_MAX, 1000, 2), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("learn");
    TCase *all = tcase_create("learn");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, test_each_epoch_is_a_permutation);
    tcase_add_test(all, test_stream_can_start_anywhere);
    tcase_add_test(all, test_every_order_comes_equally_often);
    tcase_add_test(all, test_windows_begin_anew_each_epoch);
    tcase_add_test(all, test_init);
    tcase_add_test(all, test_rates);
    tcase_add_test(all, test_steps);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
