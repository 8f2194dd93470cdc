/* learn.c -- initial parameters, the order of the samples, the learning rate: functions of seed and step alone. */
#include "learn.h"

#include <math.h>
#include <string.h>

/* Keys that keep these draws apart from those of dropout and augmentation, whose keys count from 0. */
enum { KEY_shuffle = 0x73687566, KEY_begin = 0x62656769, KEY_first = 0x696e6974, KEY_second };

void init_fill(const Init *init, const char *name, uint64_t seed, double *x, int64_t n)
{
    uint32_t first[2], second[2];
    uint64_t own = hash_bytes(0xcbf29ce484222325u, name, strlen(name));
    random_base(seed, own, KEY_first, first);
    random_base(seed, own, KEY_second, second);
    for (int64_t i = 0; i < n; i++) {
        double u = (random_hash(first, (uint32_t)i) >> 8) * 0x1p-24, v = (random_hash(second, (uint32_t)i) >> 8) * 0x1p-24;
        switch (init->kind) {
        case INIT_constant: x[i] = init->a; break;
        case INIT_uniform: x[i] = init->a + (init->b - init->a) * u; break;
        /* Box and Muller: 1 - u is in (0, 1]. */
        case INIT_normal: x[i] = init->a + init->b * sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v); break;
        }
    }
}

void stream_init(Stream *s, Arena *a, uint64_t seed, int64_t samples)
{
    *s = (Stream){.seed = seed, .samples = samples, .epoch = -1, .order = NEW_ARRAY(a, int64_t, samples)};
}

/* Fisher and Yates. */
static void shuffle(Stream *s, int64_t epoch)
{
    uint32_t base[2];
    random_base(s->seed, (uint64_t)epoch, KEY_shuffle, base);
    for (int64_t i = 0; i < s->samples; i++) s->order[i] = i;
    for (int64_t i = s->samples - 1; i > 0; i--) {
        int64_t j = (int64_t)(((uint64_t)random_hash(base, (uint32_t)i) * (uint64_t)(i + 1)) >> 32), other = s->order[j];
        s->order[j] = s->order[i];
        s->order[i] = other;
    }
    s->epoch = epoch;
}

int64_t stream_sample(Stream *s, int64_t k)
{
    if (s->lanes) return k % s->lanes * (s->samples / s->lanes) + k % s->samples / s->lanes;
    if (k / s->samples != s->epoch) shuffle(s, k / s->samples);
    return s->order[k % s->samples];
}

int64_t stream_begin(const Stream *s, int64_t k, int64_t slack)
{
    uint32_t base[2];
    random_base(s->seed, (uint64_t)(k / s->samples), KEY_begin, base);
    return (int64_t)(((uint64_t)random_hash(base, 0) * (uint64_t)(slack + 1)) >> 32);
}

int64_t steps_of_epochs(int64_t epochs, int64_t samples, int64_t batch)
{
    int64_t all;
    if (__builtin_mul_overflow(epochs, samples, &all) || all > INT64_MAX - batch) return INT64_MAX / batch;
    return (all + batch - 1) / batch;
}

double schedule_rate(const Schedule *s, int64_t step, int64_t total, int64_t samples, int64_t batch)
{
    if (step < s->warmup) return s->rate * (double)(step + 1) / (double)s->warmup;
    double t = total - 1 > s->warmup ? (double)(step - s->warmup) / (double)(total - 1 - s->warmup) : 0;
    if (t > 1) t = 1;
    int64_t epoch = step * batch / samples;
    int64_t drops = s->every_epochs ? epoch / s->every_epochs : s->every ? step / s->every : 0;
    switch (s->kind) {
    case SCHEDULE_constant: return s->rate;
    case SCHEDULE_step: return s->rate * pow(s->factor, (double)drops);
    case SCHEDULE_cosine: return s->to + (s->rate - s->to) * (1 + cos(3.141592653589793 * t)) / 2;
    case SCHEDULE_linear: return s->rate + (s->to - s->rate) * t;
    }
    internal_error("schedule", "kind %d", (int)s->kind);
}
