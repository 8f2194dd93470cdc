/* schedule.h -- from a kernel to statements: which axis feeds the vector lanes, which axes the register tile, what is
   unrolled, and where each subexpression is computed. The only header of the schedule that others see. */
#ifndef NETC_SCHEDULE_H
#define NETC_SCHEDULE_H

#include "../loop/loop.h"
#include "../target/target.h"

/* ---- nest: a kernel with linear addresses, axes merged where they run through memory as one, expressions as a DAG ---- */

/* One distinct subexpression; arguments stand before their users. */
typedef struct Value {
    ExprKind kind;
    double number;                 /* constant */
    const Buffer *buffer;          /* load: the buffer whose memory it is */
    uint32_t key;                  /* random */
    Affine at;                     /* load: address; index, random: the index; over the nest's axes */
    int arg[3];
    unsigned axes;                 /* bit per axis that it depends on */
    int uses;                      /* as an argument or as a root */
    bool in_body, in_result;       /* which of the two expressions need it */
    int level;                     /* computed when so many loops are open: 0 before all, n_axes inside all */
} Value;

typedef struct Stored { int value; const Buffer *out; Affine at; } Stored;

typedef struct Nest {
    const Kernel *kernel;
    int n_axes, n_out;             /* out axes first; no axis of extent 1 */
    Axis axis[AXES_MAX];
    VEC(Value) value;
    int body, result;              /* roots; result is -1 where the kernel has none */
    int pick;                      /* the value that axis PICKED is; -1: none. axis[PICKED] has the extent alone */
    const Buffer *out;
    Affine store;                  /* address in `out` */
    VEC(Stored) more;               /* other elements stored at each point */
    VEC(int) early;                /* with more: values that are computed first, in this order */
} Nest;

Nest *nest_new(Arena *a, const Kernel *k);
/* A bit for each axis that is stored along: the out axes but the kept one. */
unsigned nest_stored(const Nest *n);

/* ---- plan: the choices ---- */

typedef struct Plan {
    int lane;                      /* axis whose neighbours fill a vector; -1: no vectors */
    int count[AXES_MAX];           /* lane axis: vectors per step; other out axes: rows of the register tile */
    int unroll[AXES_MAX];          /* reduce axes: steps written out one after the other */
    int across;                    /* out axis; loads that have neighbours along it, not along the lanes, come as blocks of both; -1: none */
    int order[AXES_MAX];           /* loops from outside in; reduce axes behind out axes */
    int pieces;                    /* the result of a tile is computed in so many, among the sums of the next tile; 0: behind its own */
    int pace;                      /* with pieces: the only out axis of several tiles */
    int turn;                      /* 1: the sum goes from its end; 2: the tiles along `pace` do; 0: none */
    bool rows_outside;             /* the lanes' loop stands inside those over the rows of tiles */
    int panel;                     /* load whose elements for one step of the lanes are copied side by side first; -1: none */
    double cycles;                 /* of the whole kernel, as the model has it */
    double packing;                /* of these, for the copies */
} Plan;

/* rank 0: the plan that costs least by the model; 1, 2, ...: the same with the register tile that costs next to least, and so on;
   the last there is where there are fewer. */
void plan_choose(const Nest *n, const Target *t, int rank, Plan *p);
/* Whether it takes many times what a multiplication does. */
bool value_is_slow(const Value *v);
/* Elements of a tile along an out axis. */
int64_t plan_tile(const Plan *p, const Target *t, int axis);
/* Whether the load's vectors come as a block, transposed. */
bool plan_transposes(const Plan *p, const Value *v);
/* The only out axis but that of the lanes along which a tile has several rows; -1. */
int plan_rows(const Nest *n, const Plan *p);
/* Of a load that lies apart along the lanes and runs along the sum: that axis. Blocks of it change places on their way into a panel. -1. */
int panel_turns(const Nest *n, const Value *v, int lane);
/* Steps of the reduction that the panel has a row for. */
int64_t panel_rows(const Nest *n, const Value *v);
/* Sets each value's level for the order of the plan. */
void plan_levels(Nest *n, const Plan *p);

/* ---- split: what each of several threads does ---- */

enum { PARTS_MAX = 64 };

/* Part i does the steps of an out axis from bound[i] to bound[i + 1]: whole tiles, so that every element is computed as it
   is without threads. */
typedef struct Split {
    int axis;                      /* -1: one thread does it all */
    int parts;
    int64_t bound[PARTS_MAX + 1];
} Split;

/* At most `threads` parts of at least `least_cycles` each. */
void split_choose(const Nest *n, const Plan *p, const Target *t, int threads, double least_cycles, Split *s);

/* ---- statements ---- */

typedef enum StmtKind {
    STMT_loop,                     /* axis from `from` to `to` by `step`; a single step is no loop */
    STMT_at,                       /* one unrolled step of a reduce axis: the loop's axis + from */
    STMT_pack,                     /* fill the panel for the present step of the lanes */
    STMT_let,                      /* compute the values of `level` */
    STMT_clear,                    /* accumulators = the neutral element */
    STMT_update,                   /* accumulate one point (or tile) */
    STMT_piece,                    /* piece `from` of the result of the tile before */
    STMT_finish                    /* result and store; with pieces: the sums are kept for them */
} StmtKind;

typedef struct Stmt Stmt;
struct Stmt {
    StmtKind kind;
    int axis;
    int64_t from, to, step;
    int count;                     /* loop: instances of the axis in one step; the lane axis counts vectors */
    int tail;                      /* loop over lanes: elements in the last vector; 0 when it is full */
    bool only;                     /* loop: the axis has no other piece */
    int level;                     /* let */
    VEC(Stmt *) body;
};

/* The whole kernel as a block (an STMT_at without axis: axis is -1). */
Stmt *stmt_build(Arena *a, const Nest *n, const Plan *p, const Target *t);

#endif
