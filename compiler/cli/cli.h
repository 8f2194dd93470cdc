/* cli.h -- the command line: commands, their options, and what several commands share. */
#ifndef NETC_CLI_H
#define NETC_CLI_H

#include "../pipeline.h"

#define NETC_VERSION "0.1.0"

typedef struct Command Command;

/* What the command line says; the rows of options.def fill it. Strings are those of argv. */
typedef struct Options {
    Arena *arena;
    const Command *command;
    const char *file;
    VEC(Define) define;            /* -D name=value */
    VEC(Define) input, valid;      /* name=FILE before and after --valid */
    VEC(const char *) without;
    const char *output, *net, *target, *weights, *embed, *dependency, *after, *winograd, *format, *memory, *resume, *prompt, *tune;
    int64_t batch, threads, epochs, steps, log_every, entries;   /* 0: not given */
    int64_t samples, tokens, top_k;
    double error_budget;                                 /* -1: not given */
    double temperature, top_p;                           /* 1: not given */
    int64_t seed;                                        /* -1: not given */
    bool train, step, quiet, interpret, in_place, check, all, weights_only, best, after_valid, strict, help;
} Options;

typedef int Run(const Options *o);

/* One row of commands.def. `assignments`: takes name=FILE arguments. */
struct Command {
    const char *name;
    Run *run;
    bool file, assignments;
    const char *synopsis, *what;
};

#define COMMAND(name, file, assignments, synopsis, what) Run command_##name;
#include "commands.def"

extern const Command commands[];   /* ends with a NULL name */
const Command *command_find(const char *name);

/* Reads argv[1] on, argv[0] being the command's name. False when nothing is left to do: *status is the exit status. */
bool options_read(Options *o, const Command *c, int argc, char **argv, int *status);
void help_print(FILE *out);
void help_command(FILE *out, const Command *c);
/* One line, "Try 'netc emit --help'", and EXIT_usage. */
int usage_error(const Command *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "netc: error: ..." and `status`. */
int fail(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- a model and its programs, as the options ask ---- */

typedef struct Session {
    Arena *arena;
    const Options *options;
    Sources sources;
    Diag diag;
    Model *model;
    CompileOptions compile;
    TrainPlan plan;
    Unit unit;
} Session;

/* Parses the file; fills `compile` from the options with `target` as the default. Returns 0 or the exit status. */
int session_open(Session *s, const Options *o, const char *target);
/* The programs. */
int session_compile(Session *s);
/* Whether the net can be taken step by step (emit --step), without a word where it cannot. */
bool session_has_step(Session *s);
/* The graph of `mode` as it is after the pass `until`: NULL for all, "resolve" for none. NULL after errors. */
Graph *session_graph(Session *s, Mode mode, int64_t batch, const char *until);

/* In quotes, escaped as JSON wants. */
void text_json(Text *out, const char *s);
/* EXIT_usage when this machine cannot run the target. */
int require_native(const Session *s);

#endif
