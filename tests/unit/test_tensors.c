/* test_tensors.c -- safetensors: golden bytes, round trips, every prefix, lies. */
#include "inputs.h"

static bool read_tensors(Input *in, Array *out)
{
    Tensors t;
    (void)out;
    return safetensors_read(in, &t);
}

static Text tensors_of(const char *header, const void *data, size_t n)
{
    Text file = {.arena = arena};
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++) text_putc(&file, (char)(length >> 8 * i & 255));
    text_add(&file, header, length);
    text_add(&file, data, n);
    return file;
}

static Tensors tensors_example(void)
{
    static float weight[] = {1, -2.5f};
    static int64_t steps[] = {7};
    static const char *const metadata[] = {"format", "pt"};
    Array *at = NEW_ARRAY(arena, Array, 2);
    at[0] = (Array){.name = "head.weight", .type = ARRAY_f32, .rank = 2, .shape = {1, 2}, .elements = 2, .data = weight};
    at[1] = (Array){.name = "steps", .type = ARRAY_i64, .elements = 1, .data = steps};
    return (Tensors){.at = at, .n = 2, .metadata_pairs = 1, .metadata = metadata};
}

START_TEST(tensors_write)
{
    const char *why = "";
    Tensors t = tensors_example();
    Text file;
    ck_assert_msg(safetensors_bytes(arena, &t, &file, &why), "%s", why);
    ck_assert_uint_eq(file.n, sizeof tensors_golden - 1);
    ck_assert_int_eq(memcmp(file.s, tensors_golden, file.n), 0);
}
END_TEST

START_TEST(tensors_round_trip)
{
    const char *why = "", *path = path_of("w.safetensors");
    int status = 0;
    Tensors t = tensors_example(), u;
    ck_assert_msg(safetensors_write(arena, path, &t, &why, &status), "%s", why);
    ck_assert_msg(safetensors_load(arena, path, &u, &why, &status), "%s", why);
    ck_assert_int_eq(u.n, 2);
    ck_assert_str_eq(u.at[0].name, "head.weight");
    check_values(&u.at[0], (double[]){1, -2.5}, 2);
    check_values(tensors_find(&u, "steps"), (double[]){7}, 1);
    ck_assert_ptr_null(tensors_find(&u, "nothing"));
    ck_assert_str_eq(tensors_metadata(&u, "format"), "pt");
    ck_assert_ptr_null(tensors_metadata(&u, "x"));
    ck_assert(!safetensors_load(arena, path_of("absent"), &u, &why, &status));
    ck_assert_int_eq(status, EXIT_noinput);
}
END_TEST

START_TEST(tensors_prefixes)
{
    check_every_prefix_refused(read_tensors, tensors_golden, sizeof tensors_golden - 1);
}
END_TEST

static const struct { const char *header, *why; } tensor_lies[] = {
    {"", "not valid JSON"},
    {"{", "not valid JSON"},
    {"[]", "no JSON object"},
    {"{}", "the last 8 bytes belong to no tensor"},
    {"{} x", "not valid JSON"},
    {"{" ENTRY("a", "F32", "2", "0", "8") "," ENTRY("a", "F32", "2", "0", "8") "}", "duplicate"},
    {"{" ENTRY("a", "F32", "2", "0", "8") "," ENTRY("b", "F32", "1", "4", "8") "}", "tensor b: overlaps tensor a"},
    {"{" ENTRY("a", "F32", "1", "0", "4") "}", "the last 4 bytes belong to no tensor"},
    {"{" ENTRY("a", "F32", "1", "4", "8") "}", "4 bytes before tensor a belong to none"},
    {"{" ENTRY("a", "F32", "3", "0", "8") "}", "tensor a: f32[3] takes 12 bytes, but its data_offsets span 8"},
    {"{" ENTRY("a", "F32", "4", "0", "16") "}", "not within the 8 bytes"},
    {"{" ENTRY("a", "F32", "2", "8", "0") "}", "not within"},
    {"{" ENTRY("a", "F32", "2", "-8", "0") "}", "two natural numbers"},
    {"{" ENTRY("a", "F32", "2", "0.0", "8") "}", "two natural numbers"},
    {"{" ENTRY("a", "F32", "2", "0", "99999999999999999999") "}", "not valid JSON"},
    {"{" ENTRY("a", "F32", "-2", "0", "8") "}", "dimension 0 is no natural number"},
    {"{" ENTRY("a", "F32", "2.0", "0", "8") "}", "dimension 0 is no natural number"},
    {"{" ENTRY("a", "F32", "4294967296,4294967296,4294967296", "0", "8") "}", "too large"},
    {"{" ENTRY("a", "F32", "1,1,1,1,1,1,1,1,2", "0", "8") "}", "9 dimensions"},
    {"{" ENTRY("a", "F8_E4M3", "8", "0", "8") "}", "\"F8_E4M3\" is not supported"},
    {"{\"a\":1}", "tensor a: the entry is no JSON object"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", "no \"shape\""},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", "no \"dtype\""},
    {"{\"a\":{\"shape\":[2],\"dtype\":\"F32\"}}", "no \"data_offsets\""},
    {"{\"a\":{\"shape\":[2],\"dtype\":\"F32\",\"data_offsets\":[0]}}", "no \"data_offsets\""},
    {"{\"a\":{\"shape\":[2],\"dtype\":\"F32\",\"data_offsets\":[0,8],\"x\":1}}", "more than dtype"},
    {"{" ENTRY("a", "BOOL", "8", "0", "8") "}", "a bool of 2"},
    {"{\"__metadata__\":[]," ENTRY("a", "F32", "2", "0", "8") "}", "__metadata__ is no JSON object"},
    {"{\"__metadata__\":{\"k\":1}," ENTRY("a", "F32", "2", "0", "8") "}", "the value of k is no string"},
    {"{\"a\\u0000b\":1}", "not valid JSON"},
    {"{\"\xff\":1}", "not valid JSON"},
};

START_TEST(tensors_refuse)
{
    Text file = tensors_of(tensor_lies[_i].header, "\0\0\0\0\0\0\0\2", 8);
    check_refused(read_tensors, file.s, file.n, tensor_lies[_i].why);
}
END_TEST

START_TEST(tensors_deep_json)
{
    Text header = {.arena = arena};
    for (int i = 0; i < 100000; i++) text_puts(&header, "{\"a\":");
    Text file = tensors_of(header.s, "", 0);
    check_refused(read_tensors, file.s, file.n, "not valid JSON");
    check_refused(read_tensors, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "header says");
}
END_TEST

START_TEST(tensors_refuse_to_write)
{
    const char *why = "";
    int status = 0;
    Tensors t = tensors_example();
    t.at[1].name = "head.weight";
    ck_assert(!safetensors_write(arena, path_of("no"), &t, &why, &status));
    ck_assert_ptr_nonnull(strstr(why, "two tensors are named \"head.weight\""));
    ck_assert_int_eq(status, EXIT_model);
    t.at[1].name = "\xff";
    ck_assert(!safetensors_write(arena, path_of("no"), &t, &why, &status));
    ck_assert_ptr_nonnull(strstr(why, "UTF-8"));
    ck_assert_int_ne(access(path_of("no"), F_OK), 0);
    t = tensors_example();
    ck_assert(!safetensors_write(arena, path_of("no/such/folder"), &t, &why, &status));
    ck_assert_int_eq(status, EXIT_io);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("tensors");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, tensors_write);
    tcase_add_test(c, tensors_round_trip);
    tcase_add_test(c, tensors_prefixes);
    LOOP(tensors_refuse, tensor_lies);
    tcase_add_test(c, tensors_deep_json);
    tcase_add_test(c, tensors_refuse_to_write);
    return run_case("tensors", c);
}
