/* three.h -- what the parts of `three` share: a net, and the arguments of its functions. */
#ifndef THREE_H
#define THREE_H

#include "../../compiler/pipeline.h"

enum { TRAIN_BATCH = 3, CASES_MAX = 4096, ARGS_MAX = 64 };

typedef struct Options {
    const char *target, *cc, *flags, *run, *dir;
    bool f64, step;
    int threads, batch, rank;      /* rank: of every register tile among the model's choices */
    int winograd;                  /* WINOGRAD_2 and _4: wherever it fits */
    int segments;                  /* of the forward pass, computed again for the gradients */
    const char *without[16];
    int n_without;
} Options;

typedef enum Called { RUN_forward, RUN_next, RUN_evaluate, RUN_gradient, RUN_step, RUNS } Called;
extern const char *const run_names[RUNS];   /* driver.c */

/* One argument of a call: its bytes before, and which tensors of the reference it is compared with afterwards. */
typedef struct Arg {
    enum { ARG_plain, ARG_weights, ARG_state, ARG_memory, ARG_gradient, ARG_output } kind;
    size_t bytes;
    size_t step;               /* bytes of one step of the sequence, one behind the other; 0: all steps have the same */
    char *data;
    const Buffer *buffer;      /* ARG_output */
} Arg;

typedef struct Case {
    const char *name, *path;
    Arena *arena;
    Model *model;
    Unit unit;
    TrainPlan plan;
    Tensors given;             /* of NAME.safetensors beside NAME.net */
    int batch;                 /* of forward */
    VEC(Arg) arg[RUNS];
} Case;

/* The program of a run, or NULL. */
const Program *case_program(const Case *c, Called run);
/* How often it is called. */
int case_steps(const Case *c, Called run);

/* ---- driver.c ---- */

int shell(const char *command);
/* The emitted C of all nets, and a program that calls it on data.bin and writes out.bin. */
void write_sources(Case *cases, int n, const Options *o);
bool build_and_run(const Options *o);

#endif
