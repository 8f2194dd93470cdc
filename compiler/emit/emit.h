/* emit.h -- programs to C text: the header, the forward file, the backward file, the weights. */
#ifndef NETC_EMIT_H
#define NETC_EMIT_H

#include "../loop/loop.h"
#include "../target/target.h"

typedef enum Embed { EMBED_none, EMBED_inline, EMBED_string, EMBED_incbin, EMBED_file } Embed;

/* One field of NET_weights or NET_state: aligned to 64 bytes, elements in the stored order of `buffer`. */
typedef struct Field {
    const char *name;        /* "conv_1.weight"; the C field is conv_1_weight */
    const Node *node;        /* shape, layout, init, value */
    const Buffer *buffer;    /* strides */
    int64_t offset;          /* bytes, from the struct's start; multiple of 64 */
} Field;

typedef struct Fields { Field *at; int n, cap; Map of; } Fields;    /* of: name to its place in `at` */

/* Programs that keep the same between calls. */
enum { MEMORY_forward, MEMORY_train, MEMORY_next, MEMORIES };

enum { TILE_RANKS = 4 };         /* so many of the model's best are tried */

/* Which register tile each kernel has that was tuned: its rank by the model's costs, 0 the best (plan_choose). */
typedef struct Tile { char target[16]; uint64_t kernel; int rank; } Tile;    /* kernel 0: all that have no line of their own */
typedef struct Tiles { VEC(Tile) at; } Tiles;

void tiles_add(Arena *a, Tiles *t, const Target *target, uint64_t kernel, int rank);
/* -1 when there is none for the kernel. */
int tiles_find(const Tiles *t, const Target *target, uint64_t kernel);
/* The kernel's rank, that for all, or 0. */
int tiles_rank(const Tiles *t, const Target *target, uint64_t kernel);

/* What is written for one net. The programs' params agree in shape and layout where they share a name. */
typedef struct Unit {
    Arena *arena;
    const Sources *sources;       /* for the .net line above each kernel; may be NULL */
    const char *net;              /* C identifier: prefix of every symbol */
    const Target *target;
    const char *suffix;           /* NULL, or "_avx2": of the functions and files of one version for "multi" */
    int threads;                  /* more than 1: kernels that are worth it are split for so many */
    double part_cycles;           /* least that a part is worth; 0: two microseconds or so */
    const Tiles *tiles;           /* NULL: the model's choices */
    bool timed;                   /* for measuring: host functions time every kernel (see emit_host) */
    bool f64;                     /* all `float` are `double`, for gradient checks; scalar target only */
    const Program *forward;       /* NET_forward.c */
    const Program *next;          /* there too, or alone: one step of a sequence; NULL without --step */
    const Program *evaluate;      /* NET_backward.c: the three below; all NULL without --train */
    const Program *gradient;
    const Program *step;
    int64_t accumulate;           /* calls of step that make one update */
    Fields weights;               /* params of all programs, by first use in step, evaluate, forward */
    int64_t weights_bytes;        /* sizeof NET_weights */
    Fields state;
    int64_t state_bytes;
    Fields memory[MEMORIES];      /* what the caller keeps from call to call */
    int64_t memory_bytes[MEMORIES];
    double error_bound;           /* of forward's results, relative to their size; 0: not known */
    int tiled;                    /* convolutions of forward by Winograd's method */
    Embed embed;                  /* not none: every weight has node->value */
    const char *const *vocabulary;/* what each token stands for, written beside embedded weights; NULL: no text */
    int n_vocabulary;
} Unit;

/* MEMORY_ of a program. */
int memory_of(const Unit *u, const Program *p);
/* What a kernel that sums is known by in Tiles, the same in every program and layer where its text is; 0 for others. */
uint64_t kernel_hash(const Unit *u, const Kernel *k);
/* Fills weights, state and memory from the programs. */
void unit_fields(Unit *u);
/* Which field a buffer of the caller is. */
int field_index(const Fields *f, const Buffer *b);

typedef struct EmittedFile { const char *name; const char *bytes; size_t size; } EmittedFile;
typedef struct Emitted { VEC(EmittedFile) file; } Emitted;

/* NET.h, NET_forward.c, with training NET_backward.c, with weights NET_weights.c / .bin / .safetensors as embed asks.
   With threads netc_threads.[hc] too. For the target "multi" NET_forward.c picks one of NET_forward_scalar.c, NET_forward_sse.c ... Same unit, same bytes. */
void emit_unit(const Unit *u, Emitted *out);

/* NET_host.c, for netc's own use through dlopen, not for users:
       void netc_forward(void *const *p);   p: weights, memory, inputs ..., outputs ..., call where it draws, workspace, threads
       void netc_next(void *const *p);      p: as netc_forward
       void netc_evaluate(void *const *p);  p: weights, memory, inputs ..., outputs ..., call, workspace, threads
       void netc_gradient(void *const *p);  p: weights, memory, inputs ..., gradient, outputs ..., call, workspace, threads
       void netc_step(void *const *p);      p: weights, state, memory, inputs ..., outputs ..., call, workspace, threads
   memory: only where the unit has fields for the program. threads: netc_threads * or NULL, only in a unit with threads.
   inputs: the program's BUF_input buffers by id; outputs: its BUF_output buffers by id, that is in root order
   (loss, totals, named outputs, each a pointer to its elements). call: const HostCall *. */
/* In a unit with threads also
       void *netc_threads_begin(int threads);   the one netc_threads of the library
       void netc_threads_end(void);
   In a timed unit also
       double netc_seconds[];                   of the last call: what each kernel of the program took, in order
       void netc_peak(long steps, float *out);  NETC_PEAK_FLOPS(target) operations a step, in registers
       float netc_read(const float *x, long n); reads n floats, a multiple of 64 */
void emit_host(const Unit *u, Emitted *out);
/* Whether the program's function takes a call. */
bool program_takes_call(const Unit *u, const Program *p);
/* Floating-point operations in a step of netc_peak. */
int peak_flops(const Target *t);

/* What a call takes beside tensors; the same struct is NET_call in the header. */
typedef struct HostCall {
    double rate;         /* learning rate of this step */
    int32_t valid;       /* evaluate: how many leading samples of the batch count */
    uint64_t seed, step; /* step counts from 0 */
} HostCall;

/* A C identifier from a model's name: "conv_1.weight" -> "conv_1_weight"; never a keyword. */
const char *c_name(Arena *a, const char *name);

#endif
