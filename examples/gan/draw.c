/* draw.c -- digits that the generator makes out of noise. usage: draw PICTURE.pgm [SEED] */
#include "../mnist/judge.h"
#include "gan.h"

static void draw(uint64_t seed, uint64_t number, float *picture)
{
    static _Alignas(64) unsigned char workspace[GAN_WORKSPACE_BYTES];
    const gan_call call = {.seed = seed, .step = number};
    gan_forward(&gan_trained, picture, &call, workspace);
}

int main(int argc, char **argv) { return judge_main(argc, argv, draw); }
