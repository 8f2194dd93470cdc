/* judge.h -- for nets that draw digits: 64 of them as one picture, and how sure LeNet-5 is of what it sees in 1,000. */
#ifndef JUDGE_H
#define JUDGE_H

#include <stdint.h>

/* Digit `number` of a seed: 28 rows of 28 pixels from 0, black, to 1. */
typedef void DrawDigit(uint64_t seed, uint64_t number, float *picture);

/* The program `draw PICTURE.pgm [SEED]`; its exit status. */
int judge_main(int argc, char **argv, DrawDigit *draw);

#endif
