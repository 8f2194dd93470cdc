/* write.c -- goes on with a text by the GPT inside, as `netc sample` does.
   usage: write [--tokens N] [--temperature T] [--top-k K] [--seed N] [PROMPT] */
#include "gpt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKSPACE_BYTES = GPT_WORKSPACE_BYTES > GPT_NEXT_WORKSPACE_BYTES ? GPT_WORKSPACE_BYTES : GPT_NEXT_WORKSPACE_BYTES,
    KEY_sample = 0x73616d70
};

typedef struct Options {
    const char *prompt;
    double tokens, temperature, top_k, seed;
} Options;

typedef struct Candidate {
    double score, weight;
    int32_t token;
} Candidate;

static _Alignas(64) unsigned char workspace[WORKSPACE_BYTES];
static gpt_next_memory memory;                        /* keys and values so far */
static int32_t said[GPT_STEPS];                       /* the last tokens */
static long n_said;                                   /* of all */
static float window[GPT_STEPS][GPT_NEXT_LOGITS_SIZE];
static const float *score = window[0];                /* of what follows */

/* ---- the net ---- */

/* One step, as long as the net has a place for it; behind the last the window is read as a whole. */
static void hear(int32_t token)
{
    if (n_said >= GPT_STEPS) memmove(said, said + 1, sizeof said - sizeof *said);
    said[n_said < GPT_STEPS ? n_said : GPT_STEPS - 1] = token;
    if (n_said++ < GPT_STEPS) {
        gpt_next(&gpt_trained, &memory, &token, window[0], workspace);
        return;
    }
    gpt_forward(&gpt_trained, said, window[0], workspace);
    score = window[GPT_STEPS - 1];
}

/* The token that the text begins with, or -1. */
static int32_t token_of(const char *text)
{
    for (int32_t i = 0; i < GPT_VOCABULARY; i++)
        if (!strncmp(text, gpt_vocabulary[i], strlen(gpt_vocabulary[i]))) return i;
    return -1;
}

/* ---- the draw ---- */

static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

/* Uniform in [0, 1): a hash of seed and step. */
static double uniform(uint64_t seed, uint64_t step)
{
    const uint32_t word[] = {(uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)step, (uint32_t)(step >> 32), KEY_sample};
    uint32_t h = 0;
    for (int i = 0; i < 5; i++) h = mix((h ^ word[i]) + 0x9e3779b9u);
    return (double)(mix(mix(h) ^ mix(h + 0x9e3779b9u)) >> 8) * 0x1p-24;
}

static int largest_first(const void *left, const void *right)
{
    const Candidate *a = left, *b = right;
    if (a->score > b->score || a->score < b->score) return a->score > b->score ? -1 : 1;
    return a->token - b->token;
}

/* In proportion to e^(score / temperature), of the best top_k; temperature 0: the best. */
static int32_t choose(const Options *o, long step)
{
    Candidate c[GPT_VOCABULARY];
    const int n = o->top_k >= 1 && o->top_k < GPT_VOCABULARY ? (int)o->top_k : GPT_VOCABULARY;
    double sum = 0;
    for (int32_t i = 0; i < GPT_VOCABULARY; i++) c[i] = (Candidate){(double)score[i], 0, i};
    qsort(c, GPT_VOCABULARY, sizeof *c, largest_first);
    if (o->temperature <= 0) return c[0].token;
    for (int i = 0; i < n; i++) sum += c[i].weight = exp((c[i].score - c[0].score) / o->temperature);
    double left = uniform((uint64_t)o->seed, (uint64_t)step) * sum;
    for (int i = 0; i < n; i++)
        if ((left -= c[i].weight) < 0) return c[i].token;
    return c[0].token;
}

/* ---- the program ---- */

static int read_options(Options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        double *number = !strcmp(argv[i], "--tokens") ? &o->tokens : !strcmp(argv[i], "--temperature") ? &o->temperature :
                         !strcmp(argv[i], "--top-k") ? &o->top_k : !strcmp(argv[i], "--seed") ? &o->seed : NULL;
        char *end = NULL;
        if (number && i + 1 < argc) *number = strtod(argv[++i], &end);
        else if (!number && argv[i][0] != '-' && !o->prompt) o->prompt = argv[i];
        else return 0;
        if (number && (end == argv[i] || *end || !(*number >= 0 && *number < 9e15))) return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    Options o = {.tokens = 200, .temperature = 1, .seed = 42};
    if (!read_options(&o, argc, argv))
        return fprintf(stderr, "usage: write [--tokens N] [--temperature T] [--top-k K] [--seed N] [PROMPT]\n"), 64;
    gpt_next_reset(&memory);
    for (const char *p = o.prompt ? o.prompt : ""; *p;) {
        const int32_t token = token_of(p);
        if (token < 0) return fprintf(stderr, "write: '%s' begins with what is not in the vocabulary\n", p), 1;
        hear(token);
        p += strlen(gpt_vocabulary[token]);
    }
    if (!n_said) hear(token_of("\n") > 0 ? token_of("\n") : 0);
    if (o.prompt) fputs(o.prompt, stdout);
    for (long i = 0; i < (long)o.tokens; i++) {
        const int32_t token = choose(&o, i);
        fputs(gpt_vocabulary[token], stdout);
        hear(token);
    }
    putchar('\n');
    return 0;
}
