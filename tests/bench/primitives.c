/* primitives.c -- single operators as netc writes them beside OpenBLAS and oneDNN, whichever are here (BLAS and DNNL are defined),
   in turn in one process on one thread. Operands of oneDNN lie as it likes best, which is not timed; netc takes and gives planes.
   usage: primitives PEAK-IN-GFLOP/S ROUNDS; prints a row of Markdown per operator. */
#include "contest.h"
#include "conv_1x1.h"
#include "conv_3x3.h"
#include "dense_1024.h"
#include "depthwise.h"
#include "gemm_128.h"
#include "gemm_512.h"
#ifdef BLAS
#include <cblas.h>
#endif
#ifdef DNNL
#include <dnnl.h>
#endif

enum { PEERS = 3, NETC = 0, OPENBLAS = 1, ONEDNN = 2 };

/* An operator: a sum over k, n results in m rows; of a convolution k is the window's width, n and m channels, and rows are pixels. */
typedef struct Op { const char *name; int m, n, k, groups; void (*netc)(void); } Op;

static const Op *op;
static float *x, *w, *bias, *y[PEERS];
static unsigned char *workspace;

static void call_gemm_512(void) { gemm_512_forward(NULL, x, w, y[NETC], workspace); }
static void call_gemm_128(void) { gemm_128_forward(NULL, x, w, y[NETC], workspace); }
static void call_conv_3x3(void) { conv_3x3_forward(&conv_3x3_trained, x, y[NETC], workspace); }
static void call_conv_1x1(void) { conv_1x1_forward(&conv_1x1_trained, x, y[NETC], workspace); }
static void call_depthwise(void) { depthwise_forward(&depthwise_trained, x, y[NETC], workspace); }
static void call_dense_1024(void) { dense_1024_forward(&dense_1024_trained, x, y[NETC], workspace); }

enum { SIDE = 56, PIXELS = SIDE * SIDE };

static const Op ops[] = {
    {"product 512 x 512 x 512", 512, 512, 512, 0, call_gemm_512},   {"product 128 x 768 x 3072", 128, 3072, 768, 0, call_gemm_128},
    {"conv 3x3, 64 to 64, 56x56", 64, 64, 3, 1, call_conv_3x3},     {"conv 1x1, 64 to 64, 56x56", 64, 64, 1, 1, call_conv_1x1},
    {"depthwise 3x3, 64, 56x56", 64, 64, 3, 64, call_depthwise},    {"dense 1024 to 1024, one row", 1, 1024, 1024, 0, call_dense_1024},
};

static size_t results(void) { return (size_t)op->n * (size_t)(op->groups ? PIXELS : op->m); }
static double flops(void)
{
    return op->groups ? 2.0 * PIXELS * op->n * op->m / op->groups * op->k * op->k : 2.0 * op->m * op->n * op->k;
}

#ifdef BLAS
static void call_blas(void)
{
    if (op->groups) cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, op->n, PIXELS, op->m, 1, w, op->m, x, PIXELS, 0, y[OPENBLAS], PIXELS);
    else if (op->m > 1) cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, op->m, op->n, op->k, 1, x, op->k, w, op->n, 0, y[OPENBLAS], op->n);
    else cblas_sgemv(CblasRowMajor, CblasNoTrans, op->n, op->k, 1, w, op->k, x, 1, 0, y[OPENBLAS], 1);
}
#endif

#ifdef DNNL
#define CHECK(call) do { dnnl_status_t status = (call); if (status) { fprintf(stderr, "oneDNN, line %d: status %d\n", __LINE__, (int)status); exit(1); } } while (0)

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_primitive_t primitive;
static dnnl_exec_arg_t args[4];

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *d, void *data)
{
    dnnl_memory_t m;
    CHECK(dnnl_memory_create(&m, d, engine, data));
    return m;
}

static void reorder(dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *a, *b;
    dnnl_primitive_desc_t d;
    dnnl_primitive_t p;
    CHECK(dnnl_memory_get_memory_desc(from, &a));
    CHECK(dnnl_memory_get_memory_desc(to, &b));
    CHECK(dnnl_reorder_primitive_desc_create(&d, a, engine, b, engine, NULL));
    CHECK(dnnl_primitive_create(&p, d));
    CHECK(dnnl_primitive_execute(p, stream, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}));
    CHECK(dnnl_stream_wait(stream));
}

/* Operand i as the library likes it, with the numbers of data, which lie row by row. */
static dnnl_memory_t operand(dnnl_primitive_desc_t p, dnnl_query_t query, const dnnl_memory_desc_t *plain, void *data)
{
    dnnl_memory_t m = memory_of(dnnl_primitive_desc_query_md(p, query, 0), DNNL_MEMORY_ALLOCATE);
    reorder(memory_of(plain, data), m);
    return m;
}

static dnnl_memory_desc_t described(int n, const int64_t *sizes, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t d;
    dnnl_dims_t dims;
    memcpy(dims, sizes, (size_t)n * sizeof *sizes);
    CHECK(dnnl_memory_desc_init_by_tag(&d, n, dims, dnnl_f32, tag));
    return d;
}

static dnnl_memory_desc_t plain_out;

static void dnnl_prepare(void)
{
    const int conv = op->groups > 0, grouped = op->groups > 1;
    const int64_t one[] = {op->n};
    const int64_t xs[] = {1, conv ? op->m : op->k, SIDE, SIDE}, ys[] = {1, op->n, SIDE, SIDE};
    const int64_t ws[] = {op->n, conv ? op->m : op->k, op->k, op->k}, gs[] = {op->groups, 1, 1, op->k, op->k};
    const int rank = conv ? 4 : 2, w_rank = grouped ? 5 : rank;
    const dnnl_format_tag_t tag = conv ? dnnl_abcd : dnnl_ab, w_tag = grouped ? dnnl_abcde : tag, any = dnnl_format_tag_any;
    const dnnl_memory_desc_t b = described(1, one, dnnl_a), xp = described(rank, xs, tag), wp = described(w_rank, grouped ? gs : ws, w_tag);
    const dnnl_memory_desc_t xa = described(rank, xs, any), wa = described(w_rank, grouped ? gs : ws, any), ya = described(rank, ys, any);
    const dnnl_dims_t strides = {1, 1}, pads = {op->k / 2, op->k / 2};
    dnnl_convolution_desc_t c;
    dnnl_inner_product_desc_t d;
    dnnl_primitive_desc_t p;
    plain_out = described(rank, ys, tag);
    if (conv) CHECK(dnnl_convolution_forward_desc_init(&c, dnnl_forward_inference, dnnl_convolution_auto, &xa, &wa, &b, &ya, strides, pads, pads));
    else CHECK(dnnl_inner_product_forward_desc_init(&d, dnnl_forward_inference, &xa, &wa, &b, &ya));
    CHECK(dnnl_primitive_desc_create(&p, conv ? (const void *)&c : (const void *)&d, NULL, engine, NULL));
    CHECK(dnnl_primitive_create(&primitive, p));
    args[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, operand(p, dnnl_query_src_md, &xp, x)};
    args[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, operand(p, dnnl_query_weights_md, &wp, w)};
    args[2] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, memory_of(&b, bias)};
    args[3] = (dnnl_exec_arg_t){DNNL_ARG_DST, memory_of(dnnl_primitive_desc_query_md(p, dnnl_query_dst_md, 0), DNNL_MEMORY_ALLOCATE)};
}

static void call_dnnl(void)
{
    if (!op->groups && op->m > 1) {
        CHECK(dnnl_sgemm('N', 'N', op->m, op->n, op->k, 1, x, op->k, w, op->n, 0, y[ONEDNN], op->n));
        return;
    }
    CHECK(dnnl_primitive_execute(primitive, stream, 4, args));
    CHECK(dnnl_stream_wait(stream));
}
#endif

/* Weights as primitives.py gives them to netc. */
static void fill(float *p, size_t n, size_t factor)
{
    for (size_t i = 0; i < n; i++) p[i] = (float)((double)(i * factor % 1009) / 1009 - 0.5);
}

static void perform(void *self) { (*(void (**)(void))self)(); }

static void judge(int peer)
{
    double d = difference(y[NETC], y[peer], results());
    if (!(d <= 1e-4)) { fprintf(stderr, "%s: peer %d differs by %g\n", op->name, peer, d); exit(1); }
}

static void row(double peak, int rounds)
{
    void (*calls[PEERS])(void) = {op->netc, NULL, NULL};
    double least[PEERS] = {INFINITY, INFINITY, INFINITY};
    int bundle[PEERS];
    op->netc();
#ifdef BLAS
    if (op->groups <= 1 && !(op->groups && op->k > 1)) {
        calls[OPENBLAS] = call_blas;
        call_blas();
        judge(OPENBLAS);
    }
#endif
#ifdef DNNL
    calls[ONEDNN] = call_dnnl;
    if (op->groups || op->m == 1) dnnl_prepare();
    call_dnnl();
    if (op->groups || op->m == 1) reorder(args[3].memory, memory_of(&plain_out, y[ONEDNN]));
    judge(ONEDNN);
#endif
    for (int r = 0; r <= rounds; r++)
        for (int i = 0; i < PEERS; i++) {
            if (!calls[i]) continue;
            Calls c = {perform, &calls[i], r ? bundle[i] : 1, CLOCK_MONOTONIC};
            while (!r && timed(&c) < 1e-3) c.n *= 2;
            bundle[i] = c.n;
            for (int k = 0; k < 5; k++) least[i] = fmin(least[i], timed(&c) / c.n);
        }
    printf("| %s | %.1f µs, %.1f, %.0f %%", op->name, 1e6 * least[NETC], 1e-9 * flops() / least[NETC], 1e-7 * flops() / least[NETC] / peak);
    for (int i = 1; i < PEERS; i++)
        if (calls[i]) printf(" | %.1f µs, %.1f, %.0f %% | %.2f", 1e6 * least[i], 1e-9 * flops() / least[i], 1e-7 * flops() / least[i] / peak, least[i] / least[NETC]);
        else printf(" | – | –");
    printf(" |\n");
    fflush(stdout);
}

static void *room(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (!p) { perror("primitives"); exit(1); }
    return p;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    const size_t most = 4u << 20;
    x = room(most * sizeof *x), w = room(most * sizeof *w), workspace = room(64u << 20), bias = room(4096 * sizeof *bias);
    for (int i = 0; i < PEERS; i++) y[i] = room(most * sizeof *x);
    fill(x, most, 7919);
    fill(w, most, 3571);
    memset(bias, 0, 4096 * sizeof *bias);
#ifdef DNNL
    CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
#endif
    for (op = ops; op < ops + sizeof ops / sizeof *ops; op++) row(atof(argv[1]), atoi(argv[2]));
    return 0;
}
