/* random.c -- the one source of random numbers: a hash of seed, step, key and the element's index. */
#include "pass.h"

/* A bijection of 32 bits in which every input bit changes half of the output's (Wellons, "lowbias32"). */
static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    x ^= x >> 16;
    return x;
}

void random_base(uint64_t seed, uint64_t step, uint32_t key, uint32_t base[2])
{
    const uint32_t word[] = { (uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)step, (uint32_t)(step >> 32), key };
    uint32_t h = 0;
    for (size_t i = 0; i < LENGTH(word); i++) h = mix((h ^ word[i]) + 0x9e3779b9u);
    base[0] = h;
    base[1] = mix(h + 0x9e3779b9u);
}

uint32_t random_hash(const uint32_t base[2], uint32_t index)
{
    return mix(mix(index * 0x9e3779b1u + base[0]) ^ base[1]);
}

double random_uniform(uint64_t seed, uint64_t step, uint32_t key, uint32_t index)
{
    uint32_t base[2];
    random_base(seed, step, key, base);
    return (double)(random_hash(base, index) >> 8) * 0x1p-24;
}
