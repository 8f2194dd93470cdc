/* pass.h -- from the AST to a graph, and from graph to graph. */
#ifndef NETC_PASS_H
#define NETC_PASS_H

#include "../../grammar/ast.h"
#include "../ir/ir.h"

/* ---- a model: the parsed files ---- */

typedef struct Model {
    Arena *arena;
    Diag *diag;
    Sources *sources;
    VEC(Ast *) file;               /* prelude, imports, then the main file: each an AST_file */
    VEC(const char *) path;        /* the files read, main file first: for -MD */
    VEC(const Ast *) broken;       /* nets whose errors were reported: a call of one is no second error */
} Model;

/* Parses the prelude, the file at `path` and what it imports (paths relative to the importing file; a cycle is an
   error at the import). NULL when the file cannot be read: *status has the exit status and one line was printed.
   Otherwise errors are counted in d. */
Model *model_read(Arena *a, Diag *d, Sources *sources, const char *path, int *status);

typedef struct Define { const char *name, *value; } Define;   /* -D name=value: value is an integer, float or bool */

typedef struct ResolveOptions {
    const char *net;               /* NULL: the only net, or the one that a train block names, or the last */
    Mode mode;
    int64_t batch;                 /* at least 1 */
    const Define *define;
    int n_define;
    bool step;                     /* infer: the graph of one step of a sequence (step.h) */
} ResolveOptions;

/* The graph of one net: blocks expanded, constants evaluated, shapes inferred. NULL after errors. */
Graph *resolve(Model *m, const ResolveOptions *options);

/* The name of the net that resolve takes; NULL with an error when there is none. */
const char *resolve_net_name(Model *m, const char *net);

/* ---- how to train ---- */

typedef enum OptimizerKind { OPTIMIZER_sgd, OPTIMIZER_adam, OPTIMIZER_adamw, OPTIMIZER_rmsprop, OPTIMIZER_adagrad } OptimizerKind;
typedef enum ScheduleKind { SCHEDULE_constant, SCHEDULE_step, SCHEDULE_cosine, SCHEDULE_linear } ScheduleKind;

/* rate(step), step counted from 0 (docs/language.md):
   warm-up:  rate (step + 1) / warmup   while step < warmup, for every kind
   step:     rate * factor^(step / every), in steps or epochs as the user wrote
   cosine:   to + (rate - to) (1 + cos(pi t)) / 2, t from 0 behind the warm-up to 1 at the last step
   linear:   rate + (to - rate) t */
typedef struct Schedule {
    ScheduleKind kind;
    double rate, to, factor;
    int64_t warmup, every;         /* in steps */
    int64_t every_epochs;          /* 0, or `every` counted in epochs */
} Schedule;

/* Text that becomes tokens: the inputs that a file's text fills. */
typedef struct TextPlan {
    const char *text;              /* the tokens; NULL: no text */
    const char *next;              /* what follows each; NULL: not wanted */
    const char *length;            /* how many count, of a line; NULL: not wanted */
    bool pieces;                   /* pieces of words, else characters */
    bool lines;                    /* a sample is a line, else a window of a running text */
    Span span;
} TextPlan;

typedef struct TrainPlan {
    OptimizerKind optimizer;
    Schedule rate;
    double momentum, dampening, beta1, beta2, alpha, eps, decay;   /* as PyTorch names and defaults them */
    bool nesterov;
    double clip;                   /* by global norm; 0: none */
    double weight_limit;           /* weights stay within it and its negative; 0: none */
    const char *limited;           /* the net whose weights these are; NULL: all */
    int64_t batch;
    int64_t accumulate;            /* batches whose mean gradient makes one update; 0 and 1: each its own */
    int64_t epochs, steps;         /* one of them is 0; neither given: 10 epochs */
    uint64_t seed;
    TextPlan tokens;
    Span span;                     /* of the train block; {0,0} when defaults are meant */
} TrainPlan;

/* The `train` block of a net, defaults (adam(rate=1e-3), batch 32, seed 42) where there is none. False after errors. */
bool resolve_train(Model *m, const ResolveOptions *options, const char *net, TrainPlan *plan);

/* ---- passes: each leaves the graph sorted ---- */

/* The tiles that pass winograd uses wherever they fit; auto: which ones and where, by cost and within the error budget. */
enum { WINOGRAD_off = 0, WINOGRAD_auto = 1, WINOGRAD_2 = 2, WINOGRAD_4 = 4 };

typedef struct PassContext {
    const TrainPlan *plan;         /* optimize; may be NULL in other modes */
    bool gradients_only;           /* grad leaves ROOT_gradient roots and optimize does nothing */
    bool loss_only;                /* grad adds nothing, optimize drops the updates: the loss of a step */
    int winograd;                  /* WINOGRAD_x */
    double error_budget;           /* what `auto` may add to the error of the results, relative to their size */
    int lanes;                     /* of the target, for costs; 0: many. Threads are no part of them: results stay the same */
    double far;                    /* target_far, for the costs of weights; 0: as near as a small processor's last cache */
    int segments;                  /* recompute: into so many the forward pass is cut; 0, 1: all is kept */
    const char *const *without;    /* names of optional passes to leave out */
    int n_without;
} PassContext;

#define PASS(name, when, optional, what) void pass_##name(Graph *g, const PassContext *context);
#include "passes.def"

/* Adds a ROOT_gradient for each parameter that the loss, root number `loss`, trains and depends on, at the values that
   the graph's updates of parameters have by then; sets their link to that value. The graph is sorted before, not after. */
void grad_loss(Graph *g, int loss);

typedef struct PassInfo {
    const char *name;
    void (*run)(Graph *g, const PassContext *context);
    unsigned modes;                /* bit (1u << MODE_x) */
    bool optional;
    const char *what;
} PassInfo;
extern const PassInfo pass_info[];  /* pass/passes.c; ends with a NULL name */

/* Runs the passes of g->mode in order, verifying after each; stops after the pass named `until` (NULL: all).
   A ROOT_loss in `evaluate` and `infer` graphs stays a total. */
void passes_run(Graph *g, const PassContext *context, const char *until);

/* How far results may be off by rounding, relative to their size (root mean square): the first-order estimate of
   winograd_error, with a margin of eight deviations, added up along the worst path. */
typedef struct ErrorBound {
    double largest;
    int tiled;                     /* convolutions by Winograd's method */
} ErrorBound;
ErrorBound graph_error(const Graph *g);

/* What Node.mark says after graph_mark_weights: the node depends on anything, on constants alone, on constants and
   parameters of known value alone. */
enum { WEIGHTS_none, WEIGHTS_constant, WEIGHTS_known };
void graph_mark_weights(Graph *g);

/* The reference: every root's value in double by plain loops over the graph as it is (no lowering, no fusion).
   values: one double array per leaf that is an input, param, state or scalar, asked for by the callback;
   results: malloc-free, in the arena, one array per root in the order of g->root. seed and step feed `random`. */
typedef struct EvalInputs {
    const double *(*leaf)(void *user, const Node *leaf);  /* row-major elements; NULL is internal_error */
    void *user;
    uint64_t seed, step;
} EvalInputs;
void graph_eval(const Graph *g, Arena *a, const EvalInputs *in, const double **results);
/* What an elementwise operator of one operand computes. */
double (*unary_function(Op op))(double);

/* What op random draws, the same bits on every target, in arithmetic of uint32_t alone (vectors of it do the same):

       mix(x):  x ^= x >> 16;  x *= 0x7feb352d;  x ^= x >> 15;  x *= 0x846ca68b;  x ^= x >> 16
       base:    h = 0;  for each word w of  seed low, seed high, step low, step high, key:  h = mix((h ^ w) + 0x9e3779b9)
                base[0] = h;  base[1] = mix(h + 0x9e3779b9)                  -- once per call and node
       hash:    mix(mix(index * 0x9e3779b1 + base[0]) ^ base[1])             -- once per element
       number:  (hash >> 8) * 2^-24, in [0, 1)

   index is the element's row-major index in the logical shape. */
void random_base(uint64_t seed, uint64_t step, uint32_t key, uint32_t base[2]);
uint32_t random_hash(const uint32_t base[2], uint32_t index);
double random_uniform(uint64_t seed, uint64_t step, uint32_t key, uint32_t index);

#endif
