/* step.h -- a net over a sequence, one step at a time: which dimension of a tensor counts the steps, and the graph of one step. */
#ifndef NETC_PASS_STEP_H
#define NETC_PASS_STEP_H

#include "../ir/ir.h"

typedef enum TimeKind {
    TIME_none,       /* the same at every step */
    TIME_start,      /* what a sequence begins with: made of states of the net; wanted in the first step alone */
    TIME_present,    /* of the present step alone: the last one, as far as the whole sequence is concerned */
    TIME_along,      /* dimension `now` counts the steps */
    TIME_bad         /* `why`: it cannot be had step by step */
} TimeKind;

/* Of a tensor that also has a dimension for the steps looked back at, what stands there for steps to come. */
typedef enum Ahead {
    AHEAD_same,      /* something that no step changes */
    AHEAD_number,    /* everywhere the same number; -1e9 and less count as -infinity, as exp makes 0 of them */
    AHEAD_free       /* what those steps bring */
} Ahead;

typedef struct Time {
    TimeKind kind;
    int now, past;           /* along: dimensions; past is -1 where there is none */
    Ahead ahead;             /* with past */
    double number;
    const char *why;         /* bad */
    const Node *where;
} Time;

typedef struct Steps {
    Graph *graph;
    const Node *sequence;    /* the first input with an axis: its first axis is that of the steps; NULL: none yet */
    int64_t n;               /* its extent */
    VEC(Time) time;          /* by node id, as far as asked */
    Node *position;          /* steps done before; NULL: nobody asked */
    bool ends;               /* there is no step behind the n-th: places of tensors are taken or kept */
    VEC(Node *) cut;         /* by node id: what stands for it in a step */
    VEC(Node *) past;        /* by node id: it and what it was in earlier steps */
} Steps;

Steps *steps_new(Graph *g);
/* The time of a node of the graph. */
Time time_of(Steps *s, const Node *n);
/* Says what the rules cannot see. */
void time_set(Steps *s, const Node *n, TimeKind kind, int now);
/* An error at the place where it became impossible; `span` where the node has no place. */
void time_complain(Steps *s, Time t, Span span);
/* Why it is bad: anything but a scan takes what a sequence begins with. */
extern const char *const not_start;
/* The dimension of a reshape's result that is dimension d of its operand, or -1. */
int reshaped_dim(const Node *x, Shape s, int d);
/* The axis of a contraction that dimension d of an operand is, alone and whole; -1 when it is none such. */
int contract_axis(const Contract *c, const IndexMap *m, int d);
/* The dimension of the result that an axis of the contraction is, or -1. */
int contract_dim(const Contract *c, int axis);
/* Whether a tensor that is computed from nothing is one number everywhere. */
bool is_one_number(const Node *n, double *number);
/* Whether the rows of n along a dimension can be taken one at a time. */
bool can_narrow(const Node *n, int dim);

/* How many steps came before, a number. */
Node *steps_position(Steps *s);
/* A node that is the same at every step, at the present place along a dimension, which keeps extent 1. */
Node *steps_narrow(Steps *s, Node *n, int dim);
/* A number kept from step to step, or a tensor of them; `start` is its value in the first. */
Node *steps_state(Steps *s, const char *name, Shape shape, bool batched, double start);
/* Cuts the graph to one step: inputs and outputs have extent 1 where the steps were. False after errors. */
bool steps_cut(Steps *s);

#endif
