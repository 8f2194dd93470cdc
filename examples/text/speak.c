/* speak.c -- goes on with a text by the GRU inside. usage: speak [PROMPT [TOKENS [TEMPERATURE [SEED]]]] */
#include "char_gru.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(64) unsigned char workspace[CHAR_GRU_WORKSPACE_BYTES];
static char_gru_memory memory;
static float score[CHAR_GRU_LOGITS_SIZE];

/* The token that the text begins with, or -1. */
static int32_t token_of(const char *text)
{
    for (int32_t i = 0; i < CHAR_GRU_VOCABULARY; i++)
        if (!strncmp(text, char_gru_vocabulary[i], strlen(char_gru_vocabulary[i]))) return i;
    return -1;
}

static void hear(int32_t token) { char_gru_forward(&char_gru_trained, &memory, &token, score, workspace); }

/* Uniform in [0, 1). */
static double uniform(uint64_t *seed)
{
    uint64_t x = *seed += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

/* In proportion to e^(score / temperature); temperature 0: the best. */
static int32_t choose(double temperature, uint64_t *seed)
{
    double sum = 0, weight[CHAR_GRU_VOCABULARY];
    int32_t best = 0;
    for (int32_t i = 1; i < CHAR_GRU_VOCABULARY; i++)
        if (score[i] > score[best]) best = i;
    if (temperature <= 0) return best;
    for (int i = 0; i < CHAR_GRU_VOCABULARY; i++) sum += weight[i] = exp((double)(score[i] - score[best]) / temperature);
    double left = uniform(seed) * sum;
    for (int32_t i = 0; i < CHAR_GRU_VOCABULARY; i++)
        if ((left -= weight[i]) < 0) return i;
    return best;
}

int main(int argc, char **argv)
{
    const char *prompt = argc > 1 ? argv[1] : "\n";
    long tokens = argc > 2 ? strtol(argv[2], NULL, 10) : 500;
    double temperature = argc > 3 ? strtod(argv[3], NULL) : 0.8;
    uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    char_gru_reset(&memory);
    for (const char *p = prompt; *p;) {
        int32_t token = token_of(p);
        if (token < 0) return fprintf(stderr, "speak: '%c' is not in the vocabulary\n", *p), 1;
        hear(token);
        p += strlen(char_gru_vocabulary[token]);
    }
    fputs(prompt, stdout);
    for (long i = 0; i < tokens; i++) {
        int32_t token = choose(temperature, &seed);
        fputs(char_gru_vocabulary[token], stdout);
        hear(token);
    }
    putchar('\n');
    return 0;
}
