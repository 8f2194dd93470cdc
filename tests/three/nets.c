/* nets.c -- writes nets to test with.
   nets random SEED COUNT DIR: legal nets of random layers.
   nets sweep EVERY DIR: convolution and pooling with every legal kernel, stride, padding, dilation up to 4, groups 1, 2, 4,
   and sizes 1 to 9; many layers side by side in one net. EVERY keeps one layer in so many. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Random { uint64_t state; } Random;

/* splitmix64 (Steele, Lea and Flood, 2014) */
static int below(Random *r, int n)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

static FILE *create(const char *dir, const char *name, int i)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s_%03d.net", dir, name, i);
    FILE *f = fopen(path, "w");
    if (f) return f;
    perror(path);
    exit(1);
}

/* ---- random nets ---- */

typedef struct Tensor { int c, h, w; bool flat; } Tensor;

static const char *const activations[] = {"tanh", "sigmoid", "silu", "gelu", "softsign", "relu", "leaky_relu(0.1)", "elu"};

static void flatten(FILE *f, Tensor *t)
{
    if (t->flat) return;
    fprintf(f, "    x = x -> flatten\n");
    *t = (Tensor){.c = t->c * t->h * t->w, .flat = true};
}

static void random_conv(FILE *f, Random *r, Tensor *t)
{
    int k = 1 + below(r, 3), stride = 1 + below(r, 2), pad = below(r, k), dilation = 1 + below(r, 2);
    int reach = dilation * (k - 1) + 1, groups = t->c % 2 == 0 && below(r, 3) == 0 ? 2 : 1;
    if (t->h + 2 * pad < reach || t->w + 2 * pad < reach) return;
    int channels = groups * (1 + below(r, 11));
    fprintf(f, "    x = x -> conv(%d, %d, stride=%d, pad=%d, dilation=%d, groups=%d, bias=%s)\n", channels, k, stride, pad,
            dilation, groups, below(r, 2) ? "true" : "false");
    *t = (Tensor){.c = channels, .h = (t->h + 2 * pad - reach) / stride + 1, .w = (t->w + 2 * pad - reach) / stride + 1};
}

static void random_pool(FILE *f, Random *r, Tensor *t)
{
    int k = 2 + below(r, 2), stride = 1 + below(r, 3);
    if (t->h < k || t->w < k) return;
    fprintf(f, "    x = x -> %s(%d, stride=%d)\n", below(r, 2) ? "maxpool" : "avgpool", k, stride);
    t->h = (t->h - k) / stride + 1;
    t->w = (t->w - k) / stride + 1;
}

static void random_transpose_conv(FILE *f, Random *r, Tensor *t)
{
    int k = 2 + below(r, 2), stride = 1 + below(r, 2), channels = 1 + below(r, 6);
    if (t->h > 9) return;
    fprintf(f, "    x = x -> conv_transpose(%d, %d, stride=%d)\n", channels, k, stride);
    *t = (Tensor){.c = channels, .h = (t->h - 1) * stride + k, .w = (t->w - 1) * stride + k};
}

static void random_layer(FILE *f, Random *r, Tensor *t)
{
    switch (below(r, t->flat ? 7 : 13)) {
    case 0: fprintf(f, "    x = x -> %s\n", activations[below(r, 8)]); break;
    case 1: fprintf(f, "    x = x + 0.5 * (x -> %s)\n", activations[below(r, 8)]); break;
    case 2: fprintf(f, "    x = x -> batchnorm\n"); break;
    case 3: fprintf(f, "    x = x * sigmoid(x + %d) - x / %d\n", below(r, 3), 2 + below(r, 5)); break;
    case 4: fprintf(f, t->flat ? "    x = x -> layernorm\n" : "    x = x -> scale(0.5)\n"); break;
    case 5:
        flatten(f, t);
        t->c = 1 + below(r, 40);
        fprintf(f, "    x = x -> dense(%d)\n", t->c);
        break;
    case 6: fprintf(f, "    x = concat([x, x * x], axis=0)\n"); t->c *= 2; break;
    case 7: case 8: case 9: random_conv(f, r, t); break;
    case 10: random_pool(f, r, t); break;
    case 11: random_transpose_conv(f, r, t); break;
    default: fprintf(f, "    x = x + (x -> depthwise(3, pad=1) -> tanh)\n");
    }
}

static void write_random(FILE *f, int i, uint64_t seed)
{
    Random r = {seed * 1000003u + (uint64_t)i};
    Tensor t = {.c = 1 + below(&r, 5), .h = 1 + below(&r, 10), .w = 1 + below(&r, 10), .flat = below(&r, 4) == 0};
    if (t.flat) t.h = t.w = 1;
    fprintf(f, "net random%d {\n    input image : f32[%d", i, t.c);
    if (!t.flat) fprintf(f, ", %d, %d", t.h, t.w);
    fprintf(f, "]\n    input k : i32 in 0..5\n    x = image * 1\n");
    for (int layers = 2 + below(&r, 7); layers; layers--)
        if (t.flat ? t.c < 400 : t.c * t.h * t.w < 4000) random_layer(f, &r, &t);
    flatten(f, &t);
    fprintf(f, "    logits = x -> dense(5) as head\n    output probs = softmax(logits)\n"
               "    loss cross_entropy(logits, k)\n    metric accuracy(logits, k)\n}\n");
    static const char *const optimizers[] = {"sgd(rate=0.1, momentum=0.9, nesterov=true)", "adam(rate=0.01)", "adamw(rate=0.01)",
                                             "rmsprop(rate=0.01)", "adagrad(rate=0.01)", "sgd(rate=0.1, decay=0.01)"};
    fprintf(f, "\ntrain random%d { optimizer = %s batch = 3 %s }\n", i, optimizers[below(&r, 6)], below(&r, 2) ? "clip = 0.5" : "");
}

/* ---- sweep ---- */

static void write_sweep(FILE *f, const char *layer, int size, int groups, int every, int *count)
{
    bool pool = strstr(layer, "pool") != NULL, transposed = strstr(layer, "transpose") != NULL, flat = strchr(layer, '1') != NULL;
    fprintf(f, "net sweep {\n    input x : f32[4, %d", size);
    if (!flat) fprintf(f, ", %d", size == 1 ? 2 : size - 1);
    fprintf(f, "]\n    param p : f32[4] = uniform(-1, 1)\n    z = x + reshape(p, [4, 1%s])\n    s = 0\n", flat ? "" : ", 1");
    int across = flat ? size : size == 1 ? 2 : size - 1;
    for (int k = 1; k <= 4; k++)
        for (int stride = 1; stride <= 4; stride++)
            for (int pad = 0; pad <= 4; pad++)
                for (int dilation = 1; dilation <= 4; dilation++) {
                    int reach = dilation * (k - 1) + 1, smaller = across < size ? across : size;
                    if (pool && (pad > k / 2 || (dilation > 1 && !strncmp(layer, "avg", 3)))) continue;
                    if (transposed ? (smaller - 1) * stride + reach - 2 * pad < 1 : smaller + 2 * pad < reach) continue;
                    if ((*count)++ % every) continue;
                    fprintf(f, "    y = z -> %.*s(", (int)strcspn(layer, "12"), layer);
                    if (!pool) fprintf(f, "4, ");
                    fprintf(f, "%d, stride=%d, pad=%d", k, stride, pad);
                    if (!pool || strncmp(layer, "avg", 3)) fprintf(f, ", dilation=%d", dilation);
                    if (!pool) fprintf(f, ", groups=%d", groups);
                    fprintf(f, ")\n    s = s + mean(y * y) + mean(y)\n");
                }
    fprintf(f, "    output s\n    loss s + 0 * mean(z)\n}\n\ntrain sweep { optimizer = sgd(rate=0.1) batch = 3 }\n");
}

static void sweep(int every, const char *dir)
{
    static const char *const layers[] = {"conv1", "conv2", "conv_transpose1", "conv_transpose2", "maxpool1", "maxpool2", "avgpool1", "avgpool2"};
    int count = 0;
    for (int l = 0; l < 8; l++)
        for (int groups = 1; groups <= (l < 4 ? 4 : 1); groups *= 2)
            for (int size = 1; size <= 9; size++) {
                char name[64];
                snprintf(name, sizeof name, "%s_g%d", layers[l], groups);
                FILE *f = create(dir, name, size);
                write_sweep(f, layers[l], size, groups, every, &count);
                if (fclose(f)) exit(1);
            }
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "random")) {
        for (int i = 0; i < atoi(argv[3]); i++) {
            FILE *f = create(argv[4], "random", i);
            write_random(f, i, strtoull(argv[2], NULL, 10));
            if (fclose(f)) return 1;
        }
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "sweep") && atoi(argv[2]) > 0) {
        sweep(atoi(argv[2]), argv[3]);
        return 0;
    }
    fprintf(stderr, "usage: nets random SEED COUNT DIR | nets sweep EVERY DIR\n");
    return 64;
}
