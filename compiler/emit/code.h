/* code.h -- what the files of emit/ share: writing lines, names, kernel functions. Not for other folders. */
#ifndef NETC_CODE_H
#define NETC_CODE_H

#include "../schedule/schedule.h"
#include "emit.h"

/* ---- writer: lines, blocks, comments ---- */

typedef struct Writer {
    Text text;
    int depth;                     /* four spaces each */
} Writer;

/* One line; a long one is broken after a comma and continued with a deeper indent. */
void write_line(Writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same as it is, however long: prose, and what stands in columns. */
void write_text(Writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A line that ends with " {", and everything after it one step deeper. */
void write_open(Writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The closing brace, with a comment of what it closes, or NULL. */
void write_close(Writer *w, const char *closes);
void write_blank(Writer *w);
/* A number that reads back exactly: "0.5f", "-INFINITY"; of type double without the suffix. */
void text_real(Text *t, double x, bool f64);

/* ---- names ---- */

/* `want` as an identifier, or with _2, _3 ... behind where that is taken; it is taken from now on. */
const char *name_unique(Names *n, const char *want);
/* The part of "layer.0.conv.weight" behind the last point. */
const char *name_last(const char *name);
const char *name_upper(Arena *a, const char *name);

/* ---- kernel functions ---- */

typedef struct Pointer {
    const Buffer *buffer;          /* a root */
    const char *name;
    bool written;
    int64_t offset;                /* elements from the buffer's start to where it points */
} Pointer;

/* One kernel as a C function whose text does not depend on which buffers it is called with. */
typedef struct Function {
    const char *name;
    const char *text;              /* "(const float *in, float *out)\n{...}\n", without the name */
    const Kernel *kernel;          /* the first that has this text */
    VEC(const Kernel *) shared;    /* others */
    int rank;                      /* of the plan */
} Function;

typedef struct Operand {
    const Buffer *buffer;          /* a root */
    int64_t offset;                /* elements */
    int64_t place;                 /* bytes from the start of workspace or struct, by calls_place; elsewhere elements */
} Operand;

typedef struct Call {
    const Function *function;
    VEC(Operand) argument;
    bool looped;                   /* one round of a run */
    VEC(uint32_t) key;             /* of the random draws, behind the buffers */
    Split split;                   /* behind them, where a part begins and ends */
} Call;

/* What became of kernels of one key: their function, and how threads share it. */
typedef struct Known { int function; Split split; } Known;

typedef struct Functions {
    Arena *arena, *scratch;        /* scratch: of one kernel's text, then empty again */
    const Unit *unit;
    Names names;
    VEC(Function *) function;
    VEC(Known) known;
    Map by_text, by_key;           /* to its place in `function`, in `known` */
} Functions;

/* `times` rounds of `period` calls each, to the same functions in the same order; only where their tensors lie differs. */
typedef struct Run { int first, period, times; } Run;
typedef const char *(*RunNames)(const void *user, const Buffer *b);
/* Whether it may be another tensor in each round; other arguments are the same buffer, if not the same place in it. */
bool run_moves(const Buffer *b);
void calls_place(const Unit *u, Call *const *call, int n);
/* The run from call `first` on that saves most text; one call in one round where a loop would save too little. */
Run run_find(Call *const *call, int n, int first);
/* The run as a loop, with a table of the places that follow no rule. `constant`: w is a pointer to const; name_of: of
   the arguments that are the same in each round. */
void run_write(Writer *w, const Unit *u, Names *names, Call *const *calls, const Run *run, bool constant, RunNames name_of, const void *user);

/* Plan.turn of kernel i, where that of kernel i - 1 was `before`: of kernels that follow each other with the same weights each
   begins with those that the one before read last, and which the first cache still holds; and it sums first what that one
   stored first, the result of its last tile last. */
int turn_of(const Program *p, int i, int before);
/* Adds the kernel's function, or finds the one with the same text. */
Call *function_of(Functions *f, const Kernel *k, int turn);
/* "float", "double", "uint8_t", "int32_t" */
const char *c_type(DType t, bool f64);

/* ---- expressions of one kernel ---- */

typedef struct Frame {             /* one axis while code is written */
    const char *variable;          /* NULL: the axis is the constant `offset` */
    int64_t offset;
    int count, tail;
} Frame;

typedef struct Body {
    Arena *arena;
    const Unit *unit;
    const Target *target;
    Nest *nest;
    Plan plan;
    int rank;                      /* of the plan; 0: the model's choice */
    Split split;
    const char *first, *end;       /* names of the bounds of a part */
    Writer w;
    Names names;
    Frame frame[AXES_MAX];
    VEC(Pointer) pointer;
    VEC(uint32_t) key;
    VEC(const char *) key_name;
    const char **name;             /* per value: the variable that holds it; NULL: written where it is used */
    bool *vector;                  /* per value: a vf rather than a float */
    bool acc_vector;
    VEC(const char *) defined;     /* in the reduction step that is being written */
    const char *acc, *reduced;     /* names of accumulators, and of what a lane reduction gives */
    const char *last;              /* of the sums of the tile before, whose result is computed in pieces */
    const char *panel;             /* name of the panel */
    bool packing;                  /* what the panel holds is being read where it lies */
} Body;

/* What the kernel is, as bytes: the plan and the text of its function follow from them. */
Text body_key(const Body *b);
bool body_reduces(const Body *b);
/* A bit for each axis that is not summed along. */
unsigned out_axes(const Body *b);
/* The lanes run along the sum. */
bool lane_reduces(const Body *b);
/* The statements between the braces of the function. */
void body_write(Body *b);
/* Hints for what the result of a tile reads; they stand where its sums begin. */
void hints_result(Body *b);
/* Where what the result needs is many lines: a row of the tile at a time, in chunks of so many steps of the innermost sum; 0: all at once. */
int64_t hints_chunk(const Body *b);
void hints_row(Body *b, const char *chunk_at, int64_t chunk);
/* Hints for the block of weights behind the one that tiles of rows read again; they stand in a step of a sum. */
void hints_next_blocks(Body *b);
/* The result in pieces, where the plan has some: variables before all loops, one piece among the sums of the next tile, what
   is kept of a tile for it, and behind all loops the result of the last tile. */
void overlap_begin(Body *b);
void overlap_piece(Body *b, int piece);
void overlap_keep(Body *b);
void overlap_end(Body *b);
/* Stores the instance of a value, or what was reduced where root is -1. */
void body_store(Body *b, int root, const Buffer *out, const Affine *store, const int *at);
/* Decides names and types of all values. */
void body_name_values(Body *b);
/* Name of an instance: base and the numbers of the axes that have several: "acc_1_0". */
const char *instance_name(const Body *b, const char *base, unsigned axes, const int *at);
/* The next instance over `axes` in the current frames; false behind the last. Start with all 0. */
bool instance_next(const Body *b, unsigned axes, int *at);
/* Of an instance of a load: "in + n * 784". */
const char *value_address(const Body *b, const Value *v, const int *at);
/* "n * 784 + y * 28 + x + 3" */
const char *address_text(const Body *b, const Affine *x, const int *at);
/* The same within the panel that holds the load. */
const char *panel_address(const Body *b, const Value *v, const int *at);
/* How far apart there the steps of an axis are. */
int64_t panel_step(const Body *b, const Value *v, int axis);
/* Elements in the vector of this instance, 0 when full. */
int instance_tail(const Body *b, const int *at);
/* A value as C, of its own type (a variable where it has one). */
const char *value_code(const Body *b, int value, const int *at);
/* The same, computed afresh even where a variable holds it: for the variable's definition. */
const char *value_compute(const Body *b, int value, const int *at);
const char *value_as_vector(const Body *b, int value, const int *at);
const char *value_as_scalar(const Body *b, int value, const int *at);

/* ---- api.c ---- */

typedef struct ApiNames {          /* C names of the struct fields, and the hash of names, shapes and layouts */
    const char **weight, **state, **memory[MEMORIES];
    uint64_t hash;
} ApiNames;

enum { TRAIN_PROGRAMS = 3 };
const Program *train_program(const Unit *u, int i);
ApiNames api_names(const Unit *u);
const char *api_header(const Unit *u, const ApiNames *names);

/* ---- arguments.c ---- */

/* One argument of an entry function, in order. */
typedef enum ArgumentKind { ARG_weights, ARG_state, ARG_memory, ARG_input, ARG_gradient, ARG_output, ARG_call, ARG_workspace, ARG_threads } ArgumentKind;
typedef struct Argument { ArgumentKind kind; const Buffer *buffer; const char *name; bool unread; } Argument;
typedef struct Arguments { VEC(Argument) at; } Arguments;
/* Whether it is forward, or the function for one step. */
bool program_infers(const Unit *u, const Program *p);
/* In front of the names of what belongs to the memory that a program has. */
extern const char *const memory_prefix[MEMORIES];
/* `unread`: an input that no kernel of the program reads; forward leaves it out. */
Arguments api_arguments(const Unit *u, const Program *p);
/* An input that inference does not take. */
bool api_leaves_out(const Unit *u, const Program *p, const Argument *a);
/* "const float *image" */
const char *api_argument(const Unit *u, const Program *p, const Argument *a);
/* "void lenet5_forward(const lenet5_weights *w, const uint8_t *image, float *probs, void *workspace)" */
const char *api_prototype(const Unit *u, const Program *p);
/* "w, image, probs, workspace" */
const char *api_call_arguments(const Unit *u, const Program *p);

/* ---- parts of the files ---- */

const char *constants_text(Functions *f, const Program *const *p, int n, Names *names);
/* `all`: the programs of the same file, which share its tables. */
void entry_write(Writer *w, const Unit *u, const ApiNames *names, const Program *p, Functions *f, const Program *const *all, int n);
/* The helpers of emit/simd that `code` uses, and those that they use. */
const char *simd_text(const Unit *u, const char *code);
void vocabulary_write(const Unit *u, const ApiNames *names, Emitted *out);
void weights_write(const Unit *u, const ApiNames *names, Emitted *out);
const char *pasted_text(const char *name);
/* A header and its source of runtime/, as files of their own. */
void add_runtime(const Unit *u, Emitted *out, const char *name);
/* A version of the unit for another row of the targets. */
Unit unit_version(const Unit *u, const Target *t);
bool target_is_multi(const Target *t);
/* The row's condition for the preprocessor, or NULL. */
const char *target_condition(const Unit *u, const Target *t);
/* The file of functions that pick a version, for the target "multi". */
const char *dispatch_text(const Unit *u, const Program *const *p, int n);
const char *banner(const Unit *u, const char *file, const char *what, uint64_t hash);
const char *unit_source(const Unit *u, const Node *n, int *line, const char **text, int *length);

#endif
