/* draw.c -- digits at random points of what the decoder knows. usage: draw PICTURE.pgm [SEED] */
#include "../mnist/judge.h"
#include "dream.h"

static void draw(uint64_t seed, uint64_t number, float *picture)
{
    static _Alignas(64) unsigned char workspace[DREAM_WORKSPACE_BYTES];
    const dream_call call = {.seed = seed, .step = number};
    dream_forward(&dream_trained, picture, &call, workspace);
}

int main(int argc, char **argv) { return judge_main(argc, argv, draw); }
