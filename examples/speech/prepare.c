/* prepare.c -- the Free Spoken Digit Dataset as files that netc trains from: frames.npy, length.npy and digit.npy in two directories.
   usage: prepare RECORDINGS INDEX TRAIN TEST
   RECORDINGS: all samples one after the other, 16 bits, the low byte first. INDEX: a line of seven columns, parted by tabs, for each
   recording, the names of the columns above: its file, digit, speaker, number, first sample, number of samples, "train" or "test". */
#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stop(const char *what, const char *name)
{
    fprintf(stderr, "prepare: %s %s\n", what, name);
    exit(1);
}

typedef struct Npy { FILE *file; char name[4096]; int rows; const char *type, *shape; } Npy;

/* The header says how many rows there are: it is written again at the end. */
static void write_header(const Npy *y)
{
    char text[118];
    const int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%d,%s), }", y->type, y->rows, y->shape);
    if (fseek(y->file, 0, SEEK_SET) || fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, y->file) != 10 || fprintf(y->file, "%s%*s\n", text, 117 - n, "") != 118)
        stop("cannot write", y->name);
}

static Npy npy_open(const char *directory, const char *name, const char *type, const char *shape)
{
    Npy y = { .type = type, .shape = shape };
    snprintf(y.name, sizeof y.name, "%s/%s.npy", directory, name);
    if (!(y.file = fopen(y.name, "wb"))) stop("cannot write", y.name);
    write_header(&y);
    return y;
}

static void npy_add(Npy *y, const void *row, size_t bytes)
{
    if (fwrite(row, 1, bytes, y->file) != bytes) stop("cannot write", y->name);
    y->rows++;
}

static void npy_close(Npy *y)
{
    write_header(y);
    if (fclose(y->file)) stop("cannot write", y->name);
}

static short *read_recordings(const char *name, long *samples)
{
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END)) stop("cannot read", name);
    *samples = ftell(file) / 2;
    unsigned char *byte = malloc((size_t)*samples * 2 + 1);
    short *sample = malloc((size_t)*samples * sizeof *sample + 1);
    rewind(file);
    if (!byte || !sample || fread(byte, 2, (size_t)*samples, file) != (size_t)*samples) stop("cannot read", name);
    for (long i = 0; i < *samples; i++) sample[i] = (short)(byte[2 * i] | byte[2 * i + 1] << 8);
    free(byte);
    fclose(file);
    return sample;
}

int main(int argc, char **argv)
{
    if (argc != 5) stop("usage: prepare", "RECORDINGS INDEX TRAIN TEST");
    long samples, first, n;
    short *sample = read_recordings(argv[1], &samples);
    Npy frames[2], length[2], digit[2];
    char line[4096], part[16];
    int said;
    for (int i = 0; i < 2; i++) {
        frames[i] = npy_open(argv[3 + i], "frames", "<f4", " 64, 24");
        length[i] = npy_open(argv[3 + i], "length", "<i4", "");
        digit[i] = npy_open(argv[3 + i], "digit", "<i4", "");
    }
    FILE *index = fopen(argv[2], "r");
    if (!index || !fgets(line, sizeof line, index)) stop("cannot read", argv[2]);
    while (fgets(line, sizeof line, index)) {
        float frame[FRAMES][BANDS];
        if (sscanf(line, "%*[^\t]\t%d\t%*[^\t]\t%*[^\t]\t%ld\t%ld\t%15s", &said, &first, &n, part) != 4) stop("cannot understand in the index:", line);
        if (said < 0 || said > 9 || first < 0 || n < 1 || first > samples || n > samples - first) stop("out of range in the index:", line);
        const int i = !strcmp(part, "test"), count = frames_of(sample + first, (int)n, frame);
        npy_add(&frames[i], frame, sizeof frame);
        npy_add(&length[i], &count, sizeof count);
        npy_add(&digit[i], &said, sizeof said);
    }
    printf("%d recordings to learn from, %d to test\n", digit[0].rows, digit[1].rows);
    for (int i = 0; i < 2; i++) {
        npy_close(&frames[i]);
        npy_close(&length[i]);
        npy_close(&digit[i]);
    }
    fclose(index);
    free(sample);
    return 0;
}
