/* ir.h -- the graph: SSA nodes over tensors of fixed shape. The only header of the graph. */
#ifndef NETC_IR_H
#define NETC_IR_H

#include "../base/base.h"

/* ---- types and shapes ---- */

/* How elements are stored. All arithmetic is in f32 (in f64 where the whole program is compiled so). */
typedef enum DType { DTYPE_f32, DTYPE_i32, DTYPE_u8 } DType;
enum { DTYPES = 3, RANK_MAX = 8, AXES_MAX = 12 };

const char *dtype_name(DType t);
bool dtype_find(const char *name, DType *t);
int dtype_bytes(DType t);

typedef struct Shape {
    int rank;
    int64_t dim[RANK_MAX];   /* each at least 1 */
} Shape;

/* Product of the dimensions; 1 for rank 0; -1 when it is over 2^31 - 1, which no tensor may be. */
int64_t shape_elements(Shape s);
bool shape_equal(Shape a, Shape b);
/* "[64, 8, 8]" */
const char *shape_text(Arena *a, Shape s);
/* Without its first dimension, the batch. */
Shape shape_tail(Shape s);

/* ---- index maps ---- */

/* offset + sum of coef * axis over the terms; terms sorted by axis, no coef 0, no axis twice. */
enum { AFFINE_TERMS = AXES_MAX };  /* every axis: the address of an element may have them all */
typedef struct Affine {
    int64_t offset, coef[AFFINE_TERMS];
    int8_t n, axis[AFFINE_TERMS];
} Affine;

Affine affine_constant(int64_t offset);
Affine affine_axis(int axis);                             /* the axis itself */
Affine affine_add(Affine x, Affine y);
Affine affine_scale(Affine x, int64_t by);
void affine_add_scaled(Affine *sum, const Affine *x, int64_t by);
bool affine_equal(const Affine *x, const Affine *y);
int64_t affine_coef(const Affine *x, int axis);           /* 0 when the axis has no part */
/* Smallest and largest value over axes of the given extents. */
void affine_range(const Affine *x, const int64_t *extent, int64_t *low, int64_t *high);
/* "2*i1 + i4 - 1"; names may be NULL for i0, i1 ... */
void affine_print(Text *out, const Affine *x, const char *const *names);

typedef struct IndexMap { int rank; Affine dim[RANK_MAX]; } IndexMap;

/* out[out(i)] += a[a(i)] * b[b(i)] over the box of `extent`. A read outside an operand is 0, a write outside
   the result is dropped. Every axis is used by at least one map. */
typedef struct Contract {
    int n_axes;
    int64_t extent[AXES_MAX];
    IndexMap a, b, out;
    Shape shape;               /* of the result */
} Contract;

/* ---- operators ---- */

typedef enum Op {
#define OP(name, operands, shape, lower, grad, flags, what) OP_##name,
#include "ops.def"
    OP_COUNT
} Op;

typedef enum OpFlag {
    OF_PURE = 0, OF_LEAF = 1, OF_UNARY = 2, OF_BINARY = 4, OF_MOVE = 8, OF_ANCHOR = 16, OF_RANDOM = 32
} OpFlag;

typedef enum AttrName {
#define ATTR(name, kind, what) ATTR_##name,
#include "attrs.def"
    ATTR_COUNT
} AttrName;

typedef enum AttrKind { KIND_INT, KIND_INTS, KIND_REAL, KIND_DATA, KIND_CONTRACT, KIND_INIT } AttrKind;

/* How a parameter begins: INIT_constant a; INIT_uniform in [a, b); INIT_normal with mean a and deviation b. */
typedef enum InitKind { INIT_constant, INIT_uniform, INIT_normal } InitKind;
typedef struct Init { InitKind kind; double a, b; } Init;

typedef struct Attr {
    AttrName name;
    int n;                         /* number of ints or doubles */
    const int64_t *ints;
    const double *data;
    double real;
    const Contract *contract;
    Init init;
} Attr;

typedef struct Node Node;
struct Node {
    int id;                        /* position in the graph after graph_sort; printed as %id */
    Op op;
    DType dtype;
    Shape shape;
    bool batched;                  /* dimension 0 is the batch */
    bool trained;                  /* param: gradients are wanted for it */
    int n_in;
    Node **in;
    int n_attr;
    Attr *attr;
    Span span;
    const char *name;              /* leaves: the name ("conv_1.weight"); else where it came from ("conv_1") or NULL */
    const float *value;            /* param: its known elements (row-major in `shape`), or NULL */
    bool has_layout;
    signed char layout[RANK_MAX];  /* stored order of the dimensions, slowest first; row-major without has_layout */
    Node *became;                  /* set by graph_replace: who stands for this node now */
    Node *link;                    /* free for use within one pass */
    int mark;                      /* free for use within one pass; 0 at its start */
};

typedef enum RootKind {
    ROOT_output,                   /* tensor that the caller gets */
    ROOT_loss,                     /* scalar: averaged over the batch */
    ROOT_total,                    /* scalar: summed over the batch's valid samples; the host adds batches up */
    ROOT_metric,                   /* scalar over `scalar` leaves named total.N: the host evaluates it */
    ROOT_gradient,                 /* of `target`, a param */
    ROOT_update                    /* new value of `target`, a param or state, stored after the last read of the old */
} RootKind;

typedef struct Root {
    RootKind kind;
    const char *name;              /* outputs, losses, metrics: as the user named or wrote it */
    Node *node;
    Node *target;
    bool chooses;                  /* loss: it trains `updates` alone, else all that it reaches */
    int n_updates;
    Node **updates;
    Span span;
} Root;

/* infer: outputs only, no randomness. evaluate: as infer, with loss and metrics as totals. train: with loss,
   totals and updates; dropout and augmentation act, batchnorm takes the batch's statistics. */
typedef enum Mode { MODE_infer, MODE_evaluate, MODE_train } Mode;

typedef struct Graph {
    Arena *arena;
    Diag *diag;
    const char *net;
    Mode mode;
    int64_t batch;
    int64_t steps;                 /* of the sequence of which the graph is one step; else 0 */
    bool steps_end;                /* no step may follow the last */
    VEC(Node *) node;              /* operands before their users */
    VEC(Root) root;
    Span span;                     /* given to nodes made from now on */
    const char *label;             /* given as `name` to nodes made from now on */
} Graph;

typedef struct OpInfo {
    const char *name;
    int operands;
    unsigned flags;
    const char *what;
    /* Fills dtype and shape from operands and attributes. NULL when they fit, else what is wrong. */
    const char *(*shape)(Graph *g, Node *n);
    /* dx[i]: gradient for operand i given dy of the result's shape, or NULL where none flows. NULL: not differentiable. */
    void (*grad)(Graph *g, Node *n, Node *dy, Node **dx);
} OpInfo;

extern const OpInfo op_info[OP_COUNT];   /* op/table.c */
extern const char *const attr_names[ATTR_COUNT];
extern const AttrKind attr_kinds[ATTR_COUNT];

/* ---- building ---- */

Graph *graph_new(Arena *a, Diag *d, const char *net, Mode mode, int64_t batch);

/* A node with operands and attributes copied; shape and dtype from the shape rule; appended to g.
   An operand mistake here is ours: internal_error. Callers that serve the user check first. */
Node *node_new(Graph *g, Op op, int n_in, Node *const *in, int n_attr, const Attr *attr);
Node *node_leaf(Graph *g, Op op, const char *name, DType t, Shape s, bool batched);
Node *node_number(Graph *g, double value);                                /* f32, rank 0 */
Node *node_data(Graph *g, Shape s, const double *values);                 /* f32 constant; values are copied */
Node *node_fill(Graph *g, double value, Shape s, bool batched);           /* a number, broadcast */
Node *node_iota(Graph *g, Shape s, int axis, bool batched);               /* f32 */
Node *node_random(Graph *g, Shape s, int64_t key, bool batched);          /* uniform in [0, 1) */
Node *node_unary(Graph *g, Op op, Node *x);
/* Equal shapes, or either of rank 0, which is broadcast. Batched when either is. */
Node *node_binary(Graph *g, Op op, Node *x, Node *y);
Node *node_where(Graph *g, Node *condition, Node *x, Node *y);            /* as node_binary */
Node *node_cast(Graph *g, Node *x, DType t);                              /* x itself when it has the type */
Node *node_reduce(Graph *g, Op op, Node *x, const int64_t *axes, int n);  /* x itself when n is 0 */
Node *node_contract(Graph *g, Node *x, Node *y, const Contract *c);
/* Per-dimension lists of x's rank; no padding: pad first. */
Node *node_window(Graph *g, Node *x, const int64_t *window, const int64_t *stride, const int64_t *dilation);
Node *node_reshape(Graph *g, Node *x, Shape s);                           /* x itself when equal; batched stays if dim 0 does */
Node *node_transpose(Graph *g, Node *x, const int64_t *axes);
Node *node_broadcast(Graph *g, Node *x, Shape s, const int64_t *axes, bool batched);
Node *node_slice(Graph *g, Node *x, const int64_t *start, Shape s);
Node *node_reverse(Graph *g, Node *x, const int64_t *axes, int n);
Node *node_pad(Graph *g, Node *x, const int64_t *low, const int64_t *high, double value);  /* x itself when all 0 */
Node *node_gather(Graph *g, Node *table, Node *index);                    /* index: i32 or u8 */
Node *node_scatter_add(Graph *g, Node *x, Node *index, Shape table);
Node *node_concat(Graph *g, Node *const *x, int n, int axis);
/* Another node with n's operator, type, batched flag, attributes, span and name, over other operands of the same kind. */
Node *node_like(Graph *g, const Node *n, Node *const *in);
/* Adds an attribute (copied), or replaces the one of its name: the init of a param, low and high of an input. */
void node_set_attr(Graph *g, Node *n, Attr attr);
void graph_root(Graph *g, RootKind kind, const char *name, Node *node, Node *target, Span span);
/* Whether that loss trains the parameter. */
bool root_updates(const Root *loss, const Node *param);

/* ---- reading ---- */

/* Who stands for n after the replacements so far: n itself or the end of its `became` chain. */
Node *node_now(Node *n);
const Attr *node_attr(const Node *n, AttrName name);         /* NULL when absent */
const int64_t *node_ints(const Node *n, AttrName name);      /* internal_error when absent */
int64_t node_int(const Node *n, AttrName name);
double node_real(const Node *n, AttrName name);
/* A constant whose elements all equal one number (through broadcast and reshape): true and the number. */
bool node_is_number(const Node *n, double *value);
bool op_is_elementwise(Op op);                               /* unary, binary, where, cast */
/* Marks, by place in the graph, all that the marked nodes are made of. */
void graph_mark_operands(const Graph *g, bool *marked);

/* ---- changing ---- */

/* From now on `by` stands wherever `old` stood (in `by`'s own operands too: it must not need old); takes effect at
   graph_sort. Shapes, types and batched must agree. */
void graph_replace(Graph *g, Node *old, Node *by);
/* Applies the replacements, drops what no root reaches (inputs stay), orders operands before users (stable by the old
   order), numbers nodes. Every pass ends with it. */
void graph_sort(Graph *g);
/* Copies the whole graph; params keep name, value and layout. */
Graph *graph_copy(const Graph *g);

/* ---- printing, reading, checking ---- */

/* The text of `netc dump`: one node a line,
   "%7 = contract %3 %6 f32[1, 6, 28, 28] batched {contract=...} # lenet5.net:5 conv". */
void graph_print(Text *out, const Graph *g, const Sources *sources);
/* Reads what graph_print printed; spans come back as no place. NULL with errors in d. */
Graph *graph_read(Arena *a, Diag *d, const Source *source);
/* Checks order, operands, shapes, attributes, roots; internal_error naming `after` where something is wrong. */
void graph_verify(const Graph *g, const char *after);

#endif
