/* contest_netc.c -- a net that netc wrote, as a contestant. the_net.h includes its header and defines NET, UPPER (its name
   in capitals), and where wanted THREADS and TRAIN. usage: WEIGHTS INPUT EXPECTED, or with TRAIN: WEIGHTS INPUT LABELS */
#include "contest.h"
#include "the_net.h"
#include "netc_load.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define OF(name) PASTE(NET, name)
#define SIZE(name) PASTE(UPPER, name)

#ifdef THREADS
static netc_threads pool;
#define POOL , &pool
#else
#define THREADS 1
#define POOL
#endif

#ifdef TRAIN
#define BYTES SIZE(_TRAIN_WORKSPACE_BYTES)
#else
#define BYTES SIZE(_WORKSPACE_BYTES)
#endif

static OF(_weights) weights __attribute__((aligned(2 << 20)));
static unsigned char workspace[BYTES] __attribute__((aligned(2 << 20)));
static const void *input, *other;
static float *output, loss;

#ifdef TRAIN
static OF(_state) state;
static OF(_call) order = {.rate = 0.001, .valid = SIZE(_TRAIN_BATCH), .seed = 1};

static void call(void *self)
{
    (void)self;
    OF(_step)(&weights, &state, input, other, &loss, &order, workspace POOL);
    order.step++;
}

/* The losses of the first steps, for the referee to compare; then the rate is next to nothing, so that all steps are alike. */
static void show(size_t bytes)
{
    (void)bytes;
    printf("ready");
    for (int i = 0; i < 10; i++) {
        call(NULL);
        printf(" %.7g", (double)loss);
    }
    printf("\n");
    order.rate = 1e-7;
}
#else
static void call(void *self)
{
    (void)self;
    OF(_forward)(&weights, input, output, workspace POOL);
}

static void show(size_t bytes)
{
    output = aligned_alloc(64, (bytes + 127) & ~(size_t)63);
    call(NULL);
    printf("ready %g\n", difference(output, other, bytes / sizeof *output));
}
#endif

int main(int argc, char **argv)
{
    size_t bytes;
    if (argc != 4) return 2;
    if (sizeof weights > 4 << 20) netc_huge_pages(&weights, sizeof weights);
    if (sizeof workspace > 4 << 20) netc_huge_pages(workspace, sizeof workspace);
#ifdef TRAIN
    if (sizeof state > 4 << 20) netc_huge_pages(&state, sizeof state);
#endif
    const char *wrong = netc_load(argv[1], SIZE(_MODEL_HASH), &weights, sizeof weights);
    if (wrong) { fprintf(stderr, "%s: %s\n", argv[1], wrong); return 1; }
    input = numbers(argv[2], &bytes);
    other = numbers(argv[3], &bytes);
#if THREADS > 1
    netc_threads_start(&pool, THREADS);
#endif
    show(bytes);
    fflush(stdout);
    contest(call, NULL, THREADS);
    return 0;
}
