/* lower.h -- from graph to loops: what the lowering of each operator may use. */
#ifndef NETC_LOWER_H
#define NETC_LOWER_H

#include "../loop/loop.h"

enum { POWER_MAX = 8 };            /* x^8 is still computed as a product */

/* What becomes of one node. */
typedef struct Fate {
    bool live;                     /* a root that runs in C needs it */
    bool root;                     /* it is one */
    bool stored;                   /* has a buffer of its own */
    int users;                     /* live operand places that name it, and roots */
    const Node *anchor;            /* stored elementwise node: the anchor whose kernel computes it as its epilogue */
    const Node *end;               /* anchor: the node that its kernel stores in its stead */
    const Node *place;             /* pad or concat: the node lies inside its buffer */
    const Node *beside;            /* gradient for weights: a sum over samples and places of what it reads too, whose kernels go among its own */
    bool goes_beside;              /* it is such a sum */
    Buffer *buffer;
    Buffer *row_major;             /* a copy of `buffer`, where a reshape needs it */
    Buffer *view;                  /* reshape: the operand's memory under the new shape */
} Fate;

typedef struct Memo { const Node *node; const Affine *index; Expr *expr; } Memo;

/* A root whose value will be stored in its target, which others may still read. */
typedef struct Update { Buffer *value, *target; } Update;

typedef struct Lower {
    Arena *arena;
    const Graph *graph;
    const LowerOptions *options;
    Program *program;
    Fate *fate;                   /* by node id */
    Names names;                   /* taken by buffers and kernels */
    VEC(Update) update;
    /* while one kernel is made: */
    const Node *computing;         /* the node it stores: pulled, not loaded */
    const Node *hole;              /* the anchor that `filler` stands for */
    Expr *filler;
    VEC(Memo) memo;
} Lower;

/* ---- who uses what: op/uses.c ---- */

typedef VEC(int) Ints;

/* By the id of a buffer that is no view: the kernels that write and those that read its memory, by number, ascending. */
typedef struct Uses { Arena *arena; Ints *writers, *readers; Exprs exprs; } Uses;

Uses uses_of(Arena *a, const Program *p);
/* Kernel k, of that number, is new or another than before. */
void uses_add(Uses *u, const Kernel *k, int kernel);

/* ---- deciding: op/lower_store.c ---- */

/* Fills l->fate: which nodes are stored, which anchor ends where, which sums go along with whose kernels. */
void lower_decide(Lower *l);

/* ---- pulling: op/lower.c ---- */

/* One element of n at a logical index over the axes of the kernel in the making: a load where n is stored. */
Expr *lower_value(Lower *l, const Node *n, const Affine *index);
static inline Fate *fate_of(const Lower *l, const Node *n) { return &l->fate[n->id]; }
/* x with each axis i replaced by by[i]. */
Affine affine_substitute(const Affine *x, const Affine *by);
/* A copy of e with that done in each index. */
Expr *expr_substitute(Arena *a, const Expr *e, const Affine *by);
/* What the kernel stores where the reduction gave the value at that step of its kept axes; by[i] in place of axis i. */
Expr *kernel_result_at(Arena *a, const Kernel *k, int step, const Affine *by);
/* Whether all that e reads of the memory is the element at the address. */
bool expr_reads_at(const Expr *e, const Buffer *memory, const Affine *address);
/* The row-major number of the element at `index`. */
Affine affine_linear(Shape s, const Affine *index);
/* Moves *i and *j behind the shortest runs of dimensions of x and y that have as many elements. */
void reshape_run(Shape x, int *i, Shape y, int *j);
/* Whether a reshape from x to y has an affine index: size-1 dimensions come and go, a dimension is split.
   Then index_x, if not NULL, is where x has the element that y has at index_y. */
bool reshape_index(Shape x, Shape y, const Affine *index_y, Affine *index_x);
/* Where the operand x begins in the pad or concat n. */
void place_start(const Node *n, const Node *x, int64_t *start);
/* The element of a window_unpool at an index that is of the same place in its window at all points; windows lie side by side. */
Expr *unpool_value(Lower *l, const Node *n, const Affine *index);
/* A reshape that must find its operand in memory. */
bool reshape_is_view(const Node *n);

/* ---- operators, by the column `lower` of ops.def ---- */

/* Elementwise: the value given the operands' values. Other operators without loops of their own: one element at an
   index. Anchors: appends the kernels that compute them. */
#define LOWER_UNARY(lower) Expr *lower_##lower(Arena *a, Expr *const *x);
#define LOWER_BINARY(lower) Expr *lower_##lower(Arena *a, Expr *const *x);
#define LOWER_LEAF(lower) Expr *lower_##lower(Lower *l, const Node *n, const Affine *index);
#define LOWER_RANDOM(lower) Expr *lower_##lower(Lower *l, const Node *n, const Affine *index);
#define LOWER_PURE(lower) Expr *lower_##lower(Lower *l, const Node *n, const Affine *index);
#define LOWER_MOVE(lower) Expr *lower_##lower(Lower *l, const Node *n, const Affine *index);
#define LOWER_ANCHOR(lower) void lower_##lower(Lower *l, const Node *n);
#define OP(name, operands, shape, lower, grad, flags, what) LOWER_##flags(lower)
#include "../ir/ops.def"

/* ---- kernels: op/lower_kernel.c ---- */

/* A kernel without axes for the anchor, root or stored node n. */
Kernel *kernel_begin(Lower *l, const Node *n);
/* The same, with more behind its name. */
Kernel *kernel_begin_part(Lower *l, const Node *n, const char *suffix);
/* Adds an axis; its index is 0 where the extent is 1. The name is made unique in the kernel. */
Affine kernel_axis(Lower *l, Kernel *k, int64_t extent, const char *name, bool reduce);
/* The index of a row of `rows`, as `row` says at each point of the out axes. Once in a kernel. */
Affine kernel_pick(Lower *l, Kernel *k, Expr *row, int64_t rows);
/* Adds an out axis for each dimension of a box inside n, in the order n is stored; index: the dimensions' axes.
   names: of the dimensions, or NULL for dim_name. */
void kernel_box(Lower *l, Kernel *k, const Node *n, Shape box, const char *const *names, Affine *index);
/* The dimensions of a buffer from the slowest to the fastest. */
void stored_order(const Buffer *b, int *order);
/* What the kernel of n stores into: the buffer of n, or of the end of its epilogue. */
Buffer *stored_buffer(const Lower *l, const Node *n);
/* Stores the value, and behind it the epilogue of n, at the index of n; appends the kernel. */
void kernel_end(Lower *l, Kernel *k, const Node *n, Expr *value, const Affine *index);
/* The same for a part of the sum that n is. rest: what the parts before it came to, to which the last adds its own; others store there. */
void kernel_end_sum(Lower *l, Kernel *k, const Node *n, Expr *value, const Affine *index, Buffer *rest, bool last);
/* For `rest`: of n's shape, stored as what its kernel stores. */
Buffer *partial_buffer(Lower *l, const Node *n);
/* The kernel's own store at each point, or one more where it has that. */
void kernel_store_at(Lower *l, Kernel *k, Buffer *to, Expr *value, const Affine *at);
/* As kernel_end for each of several values at each point, where nothing reduces; the first call appends the kernel. */
void kernel_store_part(Lower *l, Kernel *k, const Node *n, Expr *value, const Affine *index);
/* All of n's buffer set to a number, as a kernel of its own. */
void kernel_fill(Lower *l, const Node *n, double value);
/* What lies around a box of that shape, which begins at `start`, set to a number: a kernel or two for each dimension. */
void kernel_border(Lower *l, const Node *n, Shape box, const int64_t *start, double value);
/* A kernel that stores a node that has no loops of its own. */
void kernel_store(Lower *l, const Node *n);
/* A kernel that stores a node's value in another place too. */
void kernel_copy(Lower *l, const Node *n, Buffer *to);
/* A kernel that copies a buffer to one of the same shape. */
void kernel_move(Lower *l, Buffer *from, Buffer *to);
/* "y" for dimension 2 of an image. */
const char *dim_name(const Node *n, int d);

/* ---- sums that go along: op/lower_reduce.c ---- */

/* The sum that goes along with the kernels of a gradient for weights, or NULL. It is made up to sample `done`; rest: what that came to. */
typedef struct Beside { const Node *sum; Buffer *rest; int64_t done; } Beside;

Beside beside_begin(Lower *l, const Node *n);
/* The sum goes on up to sample `to`, so that what the next kernel reads of them is in the cache. */
void beside_samples(Lower *l, Beside *b, int64_t to);

/* ---- buffers and names: op/lower_buffer.c ---- */

Buffer *buffer_new(Lower *l, BufferKind kind, const char *name, const Node *n);
/* The memory of `base` under another shape of as many elements; NULL when the order of its dimensions forbids it. */
Buffer *buffer_view(Lower *l, Buffer *base, Shape s);
/* Memory for n inside `base`, from the index `start` there on. */
Buffer *buffer_box(Lower *l, Buffer *base, const char *name, const Node *n, const int64_t *start);
/* Elements that tensors side by side lie apart, of so many each: whole lines would fall together in a cache where they are even in number. */
int64_t odd_lines(int64_t elements);
/* `wanted` as a C identifier that was not given before. */
const char *name_take(Lower *l, const char *wanted);

/* ---- joining: op/lower_join.c ---- */

/* Has the kernel of an update compute what it alone reads at the point that it stores, and store that too where it is the
   new value of another update. */
void lower_join(Lower *l);

/* ---- rows: op/lower_row.c ---- */

/* Behind the updates in place: a kernel that stores back what it reads in every row but one stores that row alone. */
void lower_row(Lower *l);

/* ---- gates: op/lower_gates.c ---- */

/* Has the kernel of a contraction compute what reads several parts of its result at one point. */
void lower_gates(Lower *l);
/* Weights in the order in which the steps of a sequence read them. */
void lower_pack(Lower *l);

/* ---- pooling: op/lower_pool.c ---- */

/* Has the kernels of a convolution compute the maximum or mean over windows that alone reads its result. */
void lower_pool(Lower *l);

/* ---- sides: op/lower_sides.c ---- */

/* Has one kernel compute what small known matrices multiply from both sides. */
void lower_sides(Lower *l);

/* ---- order: op/lower_order.c ---- */

/* Lets updates store in place where that is right, else adds copies; sorts kernels so that old values are read
   before new ones are stored. */
void lower_order(Lower *l);

/* ---- memory: op/plan.c ---- */

/* Offsets of workspace buffers by lifetime, workspace_bytes and lower_bound. */
void program_plan(Program *p, const LowerOptions *options);

#endif
