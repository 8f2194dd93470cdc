/* contest_ort.c -- ONNX Runtime through its C interface, as a contestant; the library is opened by its path, so no header is
   needed. OrtApi is a table of functions that only grows at its end. usage: LIBRARY MODEL INPUT EXPECTED THREADS SIZE... */
#include "contest.h"
#include <dlfcn.h>
#include <stdint.h>

enum { ERROR_MESSAGE = 2, CREATE_ENV = 3, CREATE_SESSION = 7, RUN = 9, CREATE_OPTIONS = 10, SET_OPTIMIZATION = 23, SET_THREADS = 24,
       SET_OUTER_THREADS = 25, CREATE_TENSOR = 49, TENSOR_DATA = 51, CREATE_MEMORY = 69 };

typedef void *Handle;
typedef struct Base { void **(*api)(uint32_t); const char *(*version)(void); } Base;
typedef Handle Run(Handle, Handle, const char *const *, const Handle *, size_t, const char *const *, size_t, Handle *);

static void **api;

static void check(Handle status)
{
    if (!status) return;
    fprintf(stderr, "ONNX Runtime: %s\n", ((const char *(*)(Handle))api[ERROR_MESSAGE])(status));
    exit(1);
}

static Handle session_of(const char *model, int threads)
{
    Handle env, options, session;
    check(((Handle (*)(int, const char *, Handle *))api[CREATE_ENV])(3, "bench", &env));
    check(((Handle (*)(Handle *))api[CREATE_OPTIONS])(&options));
    check(((Handle (*)(Handle, int))api[SET_OPTIMIZATION])(options, 99));
    check(((Handle (*)(Handle, int))api[SET_THREADS])(options, threads));
    check(((Handle (*)(Handle, int))api[SET_OUTER_THREADS])(options, 1));
    check(((Handle (*)(Handle, const char *, Handle, Handle *))api[CREATE_SESSION])(env, model, options, &session));
    return session;
}

typedef struct Call { Handle session, input, output; } Call;

static void call(void *self)
{
    static const char *const in[] = {"input"}, *const out[] = {"output"};
    Call *c = self;      /* the first call makes the output, the others use it again */
    check(((Run *)api[RUN])(c->session, NULL, in, (const Handle *)&c->input, 1, out, 1, &c->output));
}

int main(int argc, char **argv)
{
    if (argc < 7) return 2;
    Handle library = dlopen(argv[1], RTLD_NOW), memory;
    if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    const Base *base = ((const Base *(*)(void))dlsym(library, "OrtGetApiBase"))();
    api = base->api(14);
    Call c = {.session = session_of(argv[2], atoi(argv[5]))};
    size_t in_bytes, out_bytes, rank = (size_t)argc - 6;
    float *in = numbers(argv[3], &in_bytes), *expected = numbers(argv[4], &out_bytes), *out;
    int64_t shape[8];
    for (size_t i = 0; i < rank && i < 8; i++) shape[i] = atoll(argv[6 + i]);
    check(((Handle (*)(int, int, Handle *))api[CREATE_MEMORY])(1, 0, &memory));
    check(((Handle (*)(Handle, void *, size_t, const int64_t *, size_t, int, Handle *))api[CREATE_TENSOR])(memory, in, in_bytes, shape, rank, 1, &c.input));
    call(&c);
    check(((Handle (*)(Handle, void **))api[TENSOR_DATA])(c.output, (void **)&out));
    printf("ready %g %s\n", difference(out, expected, out_bytes / sizeof *out), base->version());
    fflush(stdout);
    contest(call, &c, atoi(argv[5]));
    _Exit(0);
}
