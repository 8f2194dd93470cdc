/* value.h -- what an expression of the language is while a net is resolved: compile-time values and tensors. */
#ifndef NETC_VALUE_H
#define NETC_VALUE_H

#include "pass.h"
#include "step.h"

typedef enum ValueKind {
    VALUE_poison,    /* an error was reported; silences what follows */
    VALUE_int,
    VALUE_real,
    VALUE_bool,
    VALUE_string,
    VALUE_dtype,
    VALUE_list,
    VALUE_tuple,     /* several values of a block; the first is meant where one is */
    VALUE_tensor,
    VALUE_init,      /* how a parameter begins */
    VALUE_missing    /* an input of a called net that the call does not give */
} ValueKind;

typedef struct Value Value;
struct Value {
    ValueKind kind;
    int64_t integer;         /* int, bool */
    double real;
    bool ratio;              /* real: the quotient integer / divisor of whole numbers, not whole */
    int64_t divisor;
    const char *text;        /* string */
    DType dtype;
    int n;                   /* list, tuple */
    Value *item;
    Node *node;              /* tensor */
    Init init;
};

static inline Value value_poison(void) { return (Value){.kind = VALUE_poison}; }
static inline Value value_int(int64_t i) { return (Value){.kind = VALUE_int, .integer = i}; }
static inline Value value_real(double x) { return (Value){.kind = VALUE_real, .real = x}; }
static inline Value value_bool(bool b) { return (Value){.kind = VALUE_bool, .integer = b}; }
static inline Value value_tensor(Node *n) { return (Value){.kind = VALUE_tensor, .node = n}; }
static inline bool value_is_number(Value v) { return v.kind == VALUE_int || v.kind == VALUE_real; }
static inline double value_number(Value v) { return v.kind == VALUE_int || v.kind == VALUE_bool ? (double)v.integer : v.real; }

/* "a number", "a tensor f32[3, 4]", "the list [1, 2]" ... */
const char *value_text(Arena *a, Value v);

/* ---- scopes ---- */

typedef struct Binding { const char *name; Value value; } Binding;
typedef struct Scope {
    struct Scope *up;        /* the enclosing body, NULL at a block's or net's own */
    VEC(Binding) binding;
} Scope;

/* ---- the resolver ---- */

typedef struct Used { const char *name; int count; } Used;

/* An input of a called net. */
typedef struct Given { const char *name; bool is_given; Value value; Span span; } Given;

/* A parameter: made once, found again whenever its net is called again. */
typedef struct Shared {
    const char *path;        /* "generator.dense.weight" */
    const Ast *name;         /* where the text names it */
    const Ast *net;          /* whose it is */
    Node *node;
    Node *now;               /* what `update` made of it in this step, or node */
    int call;                /* the last call that named it */
} Shared;

typedef struct Scan Scan;   /* resolve_scan.c */
/* A loss so far; its mean over the set and, of the first, its root, in evaluation. */
typedef struct Loss { const char *name; bool named; Node *mean; int root; } Loss;

/* What `state` made; `scope` is where its name is. */
typedef struct State { const Ast *name; Node *node; Scope *scope; } State;

/* One block or net being expanded. */
typedef struct Frame {
    struct Frame *up;
    const char *path;        /* prefix of parameters: "layer.0" or "" */
    const char *name;        /* the block's */
    const Ast *ast;
    bool is_net;
    int call;                /* net: which call this is; 0 is the net that is compiled */
    const Given *given;      /* net that is called: its inputs; else NULL */
    int n_given;
    Span at;                 /* of the call */
    bool refused;            /* the call is wrong, not the net */
    VEC(Binding) output;     /* net: its outputs so far */
    Scope *scope;
    Scan *scan;              /* whose body it is, or NULL */
    VEC(State) state;
    VEC(Used) used;          /* layer names in this path */
    const char *label;       /* of the pipe being evaluated, for the call it labels */
    bool returned;
    Value result;
} Frame;

typedef struct Resolver {
    Arena *arena;
    Model *model;
    Diag *diag;
    const ResolveOptions *options;
    Graph *graph;
    Scope *consts;
    Frame *frame;
    Span user;               /* the call in the user's text while the prelude is expanded; else {0,0} */
    const char *layer;       /* the outermost prelude block being expanded */
    int64_t draws;           /* random draws so far: keys */
    int depth;
    int64_t iterations;
    VEC(Node *) total;       /* operand of each total.k */
    VEC(const char *) names; /* of metrics, so that each is unique */
    VEC(Shared) shared;
    Map shared_at;           /* path to its place there */
    int calls;               /* of nets so far */
    VEC(Loss) loss;
    Steps *steps;            /* where the graph of one step is wanted, else NULL */
} Resolver;

/* An error at the place the user wrote: inside the prelude, at the user's call, with a note on the block. */
void resolve_error(Resolver *r, Span span, const char *fmt, ...) PRINTF_LIKE(3, 4);

Value resolve_expr(Resolver *r, const Ast *e);
/* The single value meant: the first of a tuple. */
Value resolve_single(Resolver *r, const Ast *e);
void resolve_body(Resolver *r, const Ast *body);
/* A tuple of what the steps yield, stacked; it may be empty. */
Value resolve_scan(Resolver *r, const Ast *scan);
void resolve_yield(Resolver *r, const Ast *yield);
void resolve_state(Resolver *r, const Ast *state);
/* The states of the frame become what their names are bound to now. */
void resolve_states_end(Resolver *r);
/* "layer.0" and "weight" */
const char *path_join(Arena *a, const char *path, const char *name);
/* A name with its subscripts, numbers or strings, behind it. */
const char *label_text(Resolver *r, const Ast *label, const char *between);
Shape with_batch(Resolver *r, Shape s);
/* Counts one more; false after an error when there are too many. */
bool iteration(Resolver *r, Span span);
Value *scope_find(Scope *s, const char *name);
void scope_set(Arena *a, Scope *s, const char *name, Value v);
Scope *scope_new(Arena *a, Scope *up);

/* Checked conversions; false after an error at span. `what` names what is wanted: "axis". */
bool value_to_int(Resolver *r, Value v, Span span, const char *what, int64_t low, int64_t high, int64_t *out);
bool value_to_real(Resolver *r, Value v, Span span, const char *what, double *out);
bool value_to_bool(Resolver *r, Value v, Span span, const char *what, bool *out);
/* A number becomes a rank-0 tensor; integers tensors become f32 when `real`. NULL after an error. */
Node *value_to_node(Resolver *r, Value v, Span span, const char *what, bool real);
/* A number or a list of `n` of them, each in [low, high]. */
bool value_to_ints(Resolver *r, Value v, Span span, const char *what, int n, int64_t low, int64_t high, int64_t *out);
/* A list of dimensions, lists in it spliced; per sample. */
bool value_to_shape(Resolver *r, const Value *v, int n, Span span, Shape *out);

Value resolve_binary(Resolver *r, AstOp op, Value x, Value y, Span span);
/* NumPy's rule per sample; both get equal shapes. False after an error. */
bool resolve_broadcast(Resolver *r, Node **x, Node **y, Span span, const char *what);
/* The rows of a table that a tensor of whole numbers names, per sample. */
Value resolve_gather(Resolver *r, Node *table, Span at, Node *index, Span index_at);
/* Calls a block or a builtin. `pipe` is the value in front, or NULL. */
Value resolve_call(Resolver *r, const Ast *call, const Value *pipe, const Ast *pipe_ast, const Ast *label);

/* `tokens = characters(text, next=next)` of a train block: trainplan_tokens.c. */
void resolve_tokens(Resolver *r, TextPlan *plan, const char *net, const Ast *e);

/* ---- calls of nets: resolve_net.c ---- */

/* The names of the inputs that stand outside `if` and `for`, at most `max`; returns how many. */
int net_inputs(const Ast *net, const char **name, int max);

/* The net that a call means: one of that name that is not being expanded, or where no block or function (is_other) has that name. */
const Ast *callee_net(const Resolver *r, const char *name, bool is_other);
Value call_net(Resolver *r, const Ast *net, const Ast *call, const Value *pipe, const Ast *pipe_ast, const Ast *label);
/* The frame of the net whose text or block is being expanded. */
Frame *net_frame(const Resolver *r);
/* What a call gives for an input of that type; range: the least whole number and one more than the largest, or NULL. */
Value given_input(Resolver *r, const Ast *name, DType t, Shape s, const int64_t *range);
/* The parameter of that path when its net was called before; *twice: something else has that path already. */
Shared *shared_again(Resolver *r, const Ast *name, const char *path, bool *twice);
void shared_add(Resolver *r, const Ast *name, const char *path, Node *node);
/* The parameter that n is, or is the present value of; NULL. */
Shared *shared_of(const Resolver *r, const Node *n);
/* Its value after the step, and where the net is called again in this one. */
void shared_update(Resolver *r, Shared *s, Node *value, Span span);

/* Binds the arguments of a call to formals by position and name. False after errors. */
bool bind_arguments(Resolver *r, const Ast *call, const Value *pipe, const Ast *pipe_ast, const char *const *formal, int n,
                    Value *value, bool *given, Span *at);
enum { ARGUMENTS_MAX = 32 };

/* The shape without the batch. */
Shape sample_shape(const Node *n);
/* Axis as the user counts to axis of the node. False after an error. */
bool sample_axis(Resolver *r, const Node *n, Value v, Span span, int *axis);

/* ---- builtins ---- */

enum { BUILTIN_ARGS = 8 };
typedef struct Call {
    Resolver *r;
    Span span;                    /* of the call */
    const char *name;
    int n;                        /* arguments given or not: as the builtin's formals */
    bool given[BUILTIN_ARGS];
    Value arg[BUILTIN_ARGS];
    Span at[BUILTIN_ARGS];
} Call;

typedef struct Builtin {
    const char *name;
    const char *formals;          /* "x, axis=, keep=": a name with = may be left out */
    Value (*call)(Call *c);
} Builtin;
extern const Builtin builtins[];  /* ends with a NULL name */
const Builtin *builtin_find(const char *name);
/* Whether the operator can be called by its name. */
bool op_is_function(Op op);

/* A loss in train and evaluate mode, a metric, an update: see resolve_root.c. */
Value total_of(Resolver *r, Node *x, Span span);
Node *mean_over_sample(Resolver *r, Node *x);
Node *node_batch_mean(Graph *g, Node *x);

#endif
