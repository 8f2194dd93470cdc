/* host.h -- the programs of a unit, compiled by the C compiler of this machine and called. */
#ifndef NETC_HOST_H
#define NETC_HOST_H

#include "../emit/emit.h"

typedef enum ProgramKind { PROGRAM_forward, PROGRAM_next, PROGRAM_evaluate, PROGRAM_gradient, PROGRAM_step, PROGRAMS } ProgramKind;

/* One program with memory for its inputs and outputs, each in logical row-major order. */
typedef struct HostProgram {
    const Program *program;        /* NULL when the unit has none */
    void (*run)(void *const *argument);
    void **argument;
    int n_argument;                /* the last is the threads */
    int n_input, n_output;
    const Buffer **input, **output;
    void **input_data, **output_data;
} HostProgram;

typedef struct Host {
    Arena *arena;
    const Unit *unit;
    void *library;
    void *threads;                 /* netc_threads of the library, or NULL */
    void *weights, *gradient;      /* weights_bytes each */
    void *state;                   /* state_bytes */
    void *memory[MEMORIES];        /* memory_bytes */
    HostCall call;
    HostProgram program[PROGRAMS];
} Host;

/* Writes the unit's C into a temporary directory, compiles it with $CC (cc), loads it, removes the directory. Returns 0
   or the exit status, after one line of explanation. The memory is the arena's, zeroed and aligned to 64 bytes. */
int host_open(Host *h, Arena *a, const Unit *u);
void host_close(Host *h);
void host_run(Host *h, ProgramKind kind);
/* What is kept from call to call, MEMORY_, begins anew. */
void host_reset(Host *h, int of);
/* The calls from now on with the unit's threads, as at first, or by this thread alone. */
void host_use_threads(Host *h, ProgramKind kind, bool use);

/* The output that root r of the program's graph fills, or -1 (updates, gradients and metrics fill none). */
int host_output(const HostProgram *p, int r);
/* Element i of a buffer's memory as a number; f32 memory holds doubles in an f64 unit. */
double host_get(const Host *h, DType t, const void *memory, int64_t i);
void host_put(const Host *h, DType t, void *memory, int64_t i, double value);
size_t host_element_bytes(const Host *h, DType t);

/* A field's elements in row-major order, from and to `memory` (weights, gradient or state). */
void field_read(const Host *h, const Field *f, const void *memory, double *row_major);
void field_write(const Host *h, const Field *f, void *memory, const double *row_major);

#endif
