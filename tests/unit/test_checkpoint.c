/* test_checkpoint.c -- weights and the optimiser's state survive a file, in whatever order they are stored. */
#include "../../compiler/cli/checkpoint.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Arena *a;
static char directory[] = "/tmp/test_checkpoint.XXXXXX";
static const char *path;
static Host host;
static Unit unit;

/* A [2, 3, 4] tensor stored with its second dimension fastest, and a vector of 5 behind it. */
static Buffer box = {.kind = BUF_param, .shape = {3, {2, 3, 4}}, .stride = {12, 1, 3}, .elements = 24};
static Buffer line = {.kind = BUF_param, .shape = {1, {5}}, .stride = {1}, .elements = 5};
static Node box_node = {.op = OP_param, .shape = {3, {2, 3, 4}}, .name = "conv.weight"};
static Node line_node = {.op = OP_param, .shape = {1, {5}}, .name = "conv.bias"};

static void setup(void)
{
    a = arena_new();
    ck_assert_ptr_nonnull(mkdtemp(directory));
    path = arena_printf(a, "%s/w.safetensors", directory);
    memset(&unit, 0, sizeof unit);
    unit.arena = a;
    vec_push(a, &unit.weights, (Field){"conv.weight", &box_node, &box, 0});
    vec_push(a, &unit.weights, (Field){"conv.bias", &line_node, &line, 128});
    vec_push(a, &unit.state, (Field){"m.conv.bias", &line_node, &line, 0});
    unit.weights_bytes = 192;
    unit.state_bytes = 64;
    host = (Host){.arena = a, .unit = &unit, .weights = arena_alloc(a, 192), .state = arena_alloc(a, 64)};
}

static void teardown(void)
{
    unlink(path);
    rmdir(directory);
    memcpy(directory + sizeof directory - 7, "XXXXXX", 6);
    arena_free(a);
}

START_TEST(test_fields_are_row_major_outside)
{
    double x[24], y[24];
    for (int i = 0; i < 24; i++) x[i] = i;
    field_write(&host, &unit.weights.at[0], host.weights, x);
    const float *stored = host.weights;
    ck_assert_float_eq(stored[1], 4);    /* [0, 1, 0] */
    ck_assert_float_eq(stored[3], 1);    /* [0, 0, 1] */
    ck_assert_float_eq(stored[12], 12);  /* [1, 0, 0] */
    field_read(&host, &unit.weights.at[0], host.weights, y);
    for (int i = 0; i < 24; i++) ck_assert_double_eq(x[i], y[i]);
}
END_TEST

static void fill(void)
{
    for (int i = 0; i < 37; i++) ((float *)host.weights)[i] = 1 / (float)(i + 3);
    for (int i = 0; i < 5; i++) ((float *)host.state)[i] = (float)i * 0.1f;
}

START_TEST(test_round_trip)
{
    char weights[192], state[64];
    Checkpoint c = {.step = 123456789012345, .seed = UINT64_MAX, .with_state = true}, back;
    double x[24] = {0.1};
    fill();
    field_write(&host, &unit.weights.at[0], host.weights, x);
    memcpy(weights, host.weights, sizeof weights);
    memcpy(state, host.state, sizeof state);
    ck_assert_int_eq(checkpoint_save(&host, path, &c), 0);
    memset(host.weights, 0x55, 24 * 4);
    memset((char *)host.weights + 128, 0x55, 20);
    memset(host.state, 0x55, 20);
    ck_assert_int_eq(checkpoint_load(&host, path, &back), 0);
    ck_assert(back.with_state);
    ck_assert_int_eq(back.step, c.step);
    ck_assert(back.seed == c.seed);
    ck_assert_int_eq(memcmp(weights, host.weights, 24 * 4), 0);
    ck_assert_int_eq(memcmp(weights + 128, (char *)host.weights + 128, 20), 0);
    ck_assert_int_eq(memcmp(state, host.state, 20), 0);
}
END_TEST

START_TEST(test_without_state)
{
    Checkpoint c = {.step = 9, .seed = 1, .with_state = false}, back;
    fill();
    ck_assert_int_eq(checkpoint_save(&host, path, &c), 0);
    ck_assert_int_eq(checkpoint_load(&host, path, &back), 0);
    ck_assert(!back.with_state);
    ck_assert_int_eq(back.step, 0);
}
END_TEST

START_TEST(test_other_shape_is_refused)
{
    Checkpoint c = {.with_state = true};
    ck_assert_int_eq(checkpoint_save(&host, path, &c), 0);
    Buffer other = line;
    other.shape.dim[0] = 4;
    other.elements = 4;
    unit.weights.at[1].buffer = &other;
    ck_assert_int_eq(checkpoint_load(&host, path, &c), EXIT_model);
    ck_assert_int_eq(checkpoint_load(&host, "/nonexistent", &c), EXIT_noinput);
}
END_TEST

START_TEST(test_not_finite)
{
    fill();
    ck_assert_ptr_null(weights_not_finite(&host));
    ((float *)host.weights)[34] = (float)NAN;
    ck_assert_str_eq(weights_not_finite(&host), "conv.bias");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *all = tcase_create("checkpoint");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, test_fields_are_row_major_outside);
    tcase_add_test(all, test_round_trip);
    tcase_add_test(all, test_without_state);
    tcase_add_test(all, test_other_shape_is_refused);
    tcase_add_test(all, test_not_finite);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
