/* loop.h -- loops: what one kernel computes, as an index space and scalar expressions. The only header of the loop IR. */
#ifndef NETC_LOOP_H
#define NETC_LOOP_H

#include "../ir/ir.h"

/* f32 elements of a line of the caches, of every target; whatever is stored begins with one. */
enum { LINE = 16 };

/* ---- buffers ---- */

typedef enum BufferKind {
    BUF_input,       /* argument, read only */
    BUF_output,      /* argument, written */
    BUF_param,       /* field of the weights */
    BUF_state,       /* field of the optimiser's state */
    BUF_memory,      /* field of what the caller keeps for the net from call to call */
    BUF_gradient,    /* field of the gradients: laid out as the param it belongs to */
    BUF_constant,    /* static const array in the file; `data` holds it */
    BUF_scalar,      /* field of the call's numbers: rate, step, valid; seed and step feed EX_random */
    BUF_workspace    /* in the arena, at `offset` */
} BufferKind;

/* A part of a dimension's index: (index / under) % extent, whose steps are `stride` elements apart. */
typedef struct Digit { int dim; int64_t under, extent, stride; } Digit;
enum { DIGITS = RANK_MAX + 2 };

typedef struct Buffer Buffer;
struct Buffer {
    int id;
    BufferKind kind;
    DType dtype;
    Shape shape;                   /* logical */
    int64_t stride[RANK_MAX];      /* elements; of `shape`'s dimensions in the stored order */
    int64_t elements;
    const char *name;              /* "image", "conv.weight", or after the node it holds */
    const Node *node;              /* leaf, root or anchor it belongs to */
    const double *data;            /* BUF_constant, in stored order */
    Digit digit[DIGITS];           /* BUF_param: where its elements lie instead, slowest first; kernels read it through a view */
    int n_digits;                  /* 0: as `stride` says */
    Buffer *base;                  /* not NULL: the memory of `base` under another shape, or a box inside it */
    int64_t origin;                /* with base: the place of the first element there */
    int64_t offset;                /* BUF_workspace without base: bytes from the arena's start, multiple of 64 */
    int first, last;               /* first kernel that writes, last that reads it (program order) */
};

/* ---- expressions: one element ---- */

/*   name      args  C helper   */
#define EXPRS(E)                                                                                                      \
    E(constant, 0) /* value */                                                                                        \
    E(load,     0) /* buffer[index...]; any dtype, converted to real */                                               \
    E(index,    0) /* the affine index[0] as a real */                                                                \
    E(reduced,  0) /* in Kernel.result: what the reduction gave, at step `value` of the kept axes */                                                    \
    E(random,   0) /* uniform; `key`, and the affine index[0] as the counter */                                       \
    E(neg, 1) E(exp, 1) E(expm1, 1) E(log, 1) E(log1p, 1) E(sqrt, 1) E(abs, 1) E(sin, 1) E(cos, 1) E(tanh, 1)         \
    E(sigmoid, 1) E(erf, 1) E(relu, 1) E(floor, 1)                                                                    \
    E(add, 2) E(sub, 2) E(mul, 2) E(div, 2) E(max, 2) E(min, 2) E(pow, 2)                                             \
    E(eq, 2) E(ne, 2) E(lt, 2) E(le, 2) E(gt, 2) E(ge, 2)                                                             \
    E(where, 3)    /* arg 0 != 0 ? arg 1 : arg 2; all three are evaluated */                                          \
    E(trunc_i32, 1) E(trunc_u8, 1) /* the value after a store and load as that type */                                \
    E(row, 1)      /* the number of a row of `value` rows, arg 0 held inside; in Kernel.pick alone */

typedef enum ExprKind {
#define E(name, args) EX_##name,
    EXPRS(E)
#undef E
    EX_COUNT
} ExprKind;

typedef struct Expr Expr;
struct Expr {
    ExprKind kind;
    double value;
    uint32_t key;
    int number;                    /* in the Exprs that had it last */
    Buffer *buffer;
    Affine *index;                 /* load: one per dimension of buffer->shape, over the kernel's axes */
    Expr *arg[3];
};

extern const char *const expr_names[EX_COUNT];
extern const int expr_args[EX_COUNT];

/* Builders fold constants and drop x + 0, x * 1. */
Expr *ex_number(Arena *a, double value);
Expr *ex_load(Arena *a, Buffer *b, const Affine *index);
Expr *ex_index(Arena *a, Affine i);
Expr *ex_reduced(Arena *a, int kept);
Expr *ex_random(Arena *a, uint32_t key, Affine counter);
Expr *ex_unary(Arena *a, ExprKind kind, Expr *x);
Expr *ex_binary(Arena *a, ExprKind kind, Expr *x, Expr *y);
Expr *ex_row(Arena *a, Expr *x, int64_t rows);
Expr *ex_where(Arena *a, Expr *condition, Expr *x, Expr *y);

/* Expressions, each once and behind its arguments, however many ways lead to it. To empty it n is 0. Of those that share expressions one is
   in use at a time. */
typedef VEC(Expr *) Exprs;
/* Adds e and what it reads, where they are new; gives the number of e. */
int exprs_add(Arena *a, Exprs *all, Expr *e);

/* The value of one elementwise expression kind: the meaning of every EX_ with arguments, in double. */
double expr_apply(ExprKind kind, const double *x);

/* ---- kernels: one perfect loop nest ---- */

typedef enum Reduce { REDUCE_none, REDUCE_sum, REDUCE_max, REDUCE_min } Reduce;

typedef struct Axis {
    int64_t extent;
    bool reduce;                   /* runs inside; only where Kernel.reduce is not none */
    bool outer;                    /* runs outside, step by step: other data for every step, so nothing to keep in registers */
    bool kept;                     /* a last out axis: the result reads what was reduced at each step, and nothing is stored along it */
    const char *name;              /* "n", "oc", "y", "x", "ky" ...: unique in the kernel, a C identifier */
} Axis;

/* An axis that nothing runs along: at each point its index is the value of Kernel.pick, an EX_row. */
enum { PICKED = AXES_MAX - 1 };

enum { KEPT_MAX = 8 };             /* steps of the kept axes, the last the fastest */

/* One more element stored at each point: at an address in `out` that differs from the kernel's own by an offset alone. */
typedef struct Store { Expr *value; Buffer *out; Affine *at; } Store;      /* one per dimension of out->shape */

/* For every point of the axes that do not reduce and are not kept:  r = reduce(value over the reduce axes);  out[store] = result(r).
   With `accumulate`:  out[store] += result. It may store `more` elements. A tensor of which it stores one element at a
   point it may read, only at that index: the old value; one of which it stores several it does not read. A store at the picked
   row adds where it does not have all out axes: several points may pick one row, in the order of the others. */
typedef struct Kernel {
    const char *name;              /* C identifier, from the model: "conv_1" */
    const Node *node;              /* the anchor or root, for comments and messages */
    int n_axes;
    Axis axis[AXES_MAX];           /* the out axes, then the reduce axes */
    Reduce reduce;
    Expr *value;
    Expr *result;                  /* NULL: the reduced (or only) value as it is */
    Buffer *out;
    Affine store[RANK_MAX];        /* one per dimension of out->shape; only out axes */
    bool accumulate;
    Expr *pick;                    /* NULL, or what axis PICKED is at each point; over out axes */
    VEC(Store) more;               /* their values come after the reduction, as the result */
    VEC(Expr *) early;             /* with `more`: what values share, in the order in which code computes it first */
} Kernel;

/* Stores one element at each point, as it is, at an index of its axes. */
bool kernel_is_plain(const Kernel *k);
/* How many axes stand before those that reduce. */
int kernel_out_axes(const Kernel *k);
/* The first kept axis, or -1. */
int kernel_kept(const Kernel *k);
/* Steps of all kept axes; 1 where there are none. */
int64_t kernel_kept_steps(const Kernel *k);
/* The i-th expression of a kernel: value, result if it has one, those of `more`, pick; NULL behind the last. */
Expr *kernel_expr(const Kernel *k, int i);
/* All of those, and what they read, in place of what `all` had. */
void kernel_exprs(Arena *a, const Kernel *k, Exprs *all);
/* Has it store one more element. */
void kernel_store_more(Arena *a, Kernel *k, Buffer *out, Expr *value, const Affine *at);
/* How many elements of the memory of b it stores at a point, and the address of the last of them. */
int kernel_stores(const Kernel *k, const Buffer *b, Affine *at);

typedef struct Program {
    Arena *arena;
    const Graph *graph;            /* after all passes */
    const char *name;              /* "forward", "evaluate", "gradient", "step" */
    VEC(Buffer *) buffer;
    VEC(Kernel *) kernel;          /* in the order of execution */
    int64_t workspace_bytes;       /* by plan */
    int64_t lower_bound;           /* the largest sum of buffers alive at once */
    int64_t multiply_adds;         /* of contractions */
} Program;

typedef struct LowerOptions {
    bool no_fuse;                  /* every node is a kernel of its own */
    bool no_reuse;                 /* every workspace buffer has memory of its own */
    bool alone;                    /* no other program has its params: they may lie as it reads them */
    int lanes;                     /* of the target; 0: many */
    bool f64;                      /* the program will be compiled in double: plan 8 bytes for an f32 element */
} LowerOptions;

/* Graph to kernels: decides which nodes are stored, pulls elementwise and moving nodes into the kernels that use
   them, makes epilogues, plans memory. op/lower.c, op/plan.c. */
Program *graph_lower(Graph *g, const char *name, const LowerOptions *options);

/* Linear offset of an index: sum of dim * stride. Not of a buffer in digits. */
Affine buffer_address(const Buffer *b, const Affine *index);
/* Where the element of an index is stored; the index goes on to the next in row-major order, behind the last to the first. */
int64_t buffer_place_next(const Buffer *b, int64_t *index);
/* The elements of a tensor from row-major order of b->shape to b's stored order and back. */
void buffer_store_order(const Buffer *b, const double *row_major, double *stored);
void buffer_row_order(const Buffer *b, const double *stored, double *row_major);
/* The buffer whose memory b is: b itself, or the base of a view. */
const Buffer *buffer_memory(const Buffer *b);

/* Index ranges inside buffers, axes used once, stores injective unless accumulate; internal_error otherwise. */
void program_verify(const Program *p);
void program_print(Text *out, const Program *p);
/* " as [4, 784, 64] by dimensions 1/64 0 1%64": what is stored, slowest first, and which part of which index each is. */
void digits_print(Text *out, const Buffer *b);

/* Runs the kernels in double with plain loops. memory[buffer id]: stored-order doubles of input, param, state, output,
   scalar buffers (caller's); constants and workspace are made here. */
void program_eval(const Program *p, double *const *memory, uint64_t seed, uint64_t step);

#endif
