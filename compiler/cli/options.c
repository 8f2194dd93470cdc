/* options.c -- the command line read by the rows of options.def, and the help printed from them. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum OptionKind { FLAG, TEXT, COUNT, SEED, REAL, DEFINE, LIST } OptionKind;

enum {
#define COMMAND(name, file, pairs, synopsis, what) COMMAND_##name,
#include "commands.def"
    COMMANDS
};

#define C(name) (1u << COMMAND_##name)
#define C_ALL ((1u << COMMANDS) - 1)
#define C_MODEL (C_ALL & ~(C(ops) | C(targets) | C(passes) | C(fmt)))

typedef struct OptionInfo {
    const char *name;
    char letter;
    OptionKind kind;
    const char *argument;
    size_t offset;             /* of the field in Options */
    unsigned commands;
    const char *what;
} OptionInfo;

static const OptionInfo table[] = {
#define OPT(name, letter, kind, argument, field, commands, what) \
    {name, letter, kind, argument, offsetof(Options, field), commands, what},
#include "options.def"
};

const Command commands[] = {
#define COMMAND(name, file, pairs, synopsis, what) {#name, command_##name, file, pairs, synopsis, what},
#include "commands.def"
    {0}
};

const Command *command_find(const char *name)
{
    for (const Command *c = commands; c->name; c++)
        if (!strcmp(c->name, name)) return c;
    return NULL;
}

static bool takes(const Command *c, const OptionInfo *o) { return o->commands >> (c - commands) & 1; }

int fail(int status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("netc: error: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

int usage_error(const Command *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "netc%s%s: ", c ? " " : "", c ? c->name : "");
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\nTry 'netc%s%s --help'\n", c ? " " : "", c ? c->name : "");
    va_end(args);
    return EXIT_usage;
}

/* ---- reading ---- */

/* The options that a command takes, in the forms of getopt_long. The value of a long option is its row + 256. */
typedef struct Getopt {
    struct option longs[LENGTH(table) + 1];
    const char *names[LENGTH(table)];
    char letters[2 * LENGTH(table) + 3];
    int n;
} Getopt;

static void getopt_tables(Getopt *g, const Command *c)
{
    char *letter = g->letters;
    *letter++ = '-';   /* other arguments come in order, as option 1 */
    *letter++ = ':';
    for (int i = 0; i < (int)LENGTH(table); i++) {
        const OptionInfo *o = &table[i];
        if (!takes(c, o)) continue;
        int argument = o->kind == FLAG ? no_argument : required_argument;
        g->names[g->n] = o->name;
        g->longs[g->n++] = (struct option){o->name, argument, NULL, 256 + i};
        if (!o->letter) continue;
        *letter++ = o->letter;
        if (argument) *letter++ = ':';
    }
}

static bool read_count(const char *text, int64_t least, int64_t *value)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    *value = v;
    return end != text && !*end && !errno && v >= least && (text[0] != ' ');
}

static bool read_real(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value) && *value >= 0 && text[0] != ' ';
}

/* NAME=VALUE; false when there is no name or no value. */
static bool read_define(Arena *a, const char *text, Define *d)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1]) return false;
    *d = (Define){arena_strndup(a, text, (size_t)(equals - text)), equals + 1};
    return true;
}

static int option_set(Options *o, const OptionInfo *info, char *argument)
{
    char *field = (char *)o + info->offset;
    int64_t least = info->kind == SEED ? 0 : 1, limit = info->kind == SEED ? INT64_MAX : INT32_MAX;
    Define define;
    switch (info->kind) {
    case FLAG: *(bool *)field = true; return 0;
    case TEXT: *(const char **)(void *)field = argument; return 0;
    case LIST: vec_push(o->arena, &o->without, argument); return 0;
    case DEFINE:
        if (!read_define(o->arena, argument, &define))
            return usage_error(o->command, "-D %s: NAME=VALUE is expected, as in -D width=64", argument);
        vec_push(o->arena, &o->define, define);
        return 0;
    case REAL:
        if (read_real(argument, (double *)(void *)field)) return 0;
        return usage_error(o->command, "--%s %s: a number from 0 is expected", info->name, argument);
    case COUNT:
    case SEED: break;
    }
    int64_t *number = (int64_t *)(void *)field;
    if (read_count(argument, least, number) && *number <= limit) return 0;
    return usage_error(o->command, "--%s %s: a whole number from %d is expected", info->name, argument, (int)least);
}

static int argument_set(Options *o, const char *text)
{
    const Command *c = o->command;
    Define pair;
    if (c->file && !o->file) o->file = text;
    else if (!c->assignments) return usage_error(c, "unexpected argument '%s'", text);
    else if (!read_define(o->arena, text, &pair))
        return usage_error(c, "'%s': NAME=FILE is expected, NAME being an input of the net", text);
    else if (o->after_valid) vec_push(o->arena, &o->valid, pair);
    else vec_push(o->arena, &o->input, pair);
    return 0;
}

static int unknown_option(const Command *c, const Getopt *g, const char *written)
{
    if (optopt && optopt < 256) return usage_error(c, "unknown option -%c", optopt);
    const char *near = did_you_mean(written + (strncmp(written, "--", 2) ? 0 : 2), g->names, g->n);
    if (optopt) return usage_error(c, "%s: this option takes no argument", written);
    return near ? usage_error(c, "unknown option %s; did you mean --%s?", written, near)
                : usage_error(c, "unknown option %s", written);
}

static const OptionInfo *option_of(const Command *c, int code)
{
    if (code >= 256) return &table[code - 256];
    for (size_t i = 0; i < LENGTH(table); i++)
        if (takes(c, &table[i]) && table[i].letter == code) return &table[i];
    internal_error("options", "getopt gave %d", code);
}

static int read_all(Options *o, int argc, char **argv)
{
    Getopt *g = NEW(o->arena, Getopt);
    getopt_tables(g, o->command);
    int code, status = 0;
    while (!status && !o->help && (code = getopt_long(argc, argv, g->letters, g->longs, NULL)) != -1) {
        if (code == 1) status = argument_set(o, optarg);
        else if (code == ':') status = usage_error(o->command, "%s needs an argument", argv[optind - 1]);
        else if (code == '?') status = unknown_option(o->command, g, argv[optind - 1]);
        else status = option_set(o, option_of(o->command, code), optarg);
    }
    while (!status && !o->help && optind < argc) status = argument_set(o, argv[optind++]);
    return status;
}

bool options_read(Options *o, const Command *c, int argc, char **argv, int *status)
{
    o->command = c;
    o->seed = -1;
    o->temperature = o->top_p = 1;
    o->error_budget = -1;
    *status = read_all(o, argc, argv);
    if (!*status && o->help) {
        help_command(stdout, c);
        return false;
    }
    if (!*status && o->dependency && strcmp(o->dependency, "D")) *status = usage_error(c, "-M%s: only -MD is known", o->dependency);
    if (!*status && c->file && !o->file) *status = usage_error(c, "which FILE.net?");
    if (!*status && o->format && strcmp(o->format, "text") && strcmp(o->format, "json"))
        *status = usage_error(c, "--format %s: text or json is expected", o->format);
    return *status == 0;
}

/* ---- help ---- */

void help_print(FILE *out)
{
    fputs("netc: from a text that describes a neural network to standalone C\n\nUsage:\n", out);
    for (const Command *c = commands; c->name; c++)
        fprintf(out, "  netc %-10s %-10s %s\n", c->name, c->file ? "FILE.net" : "", c->what);
    fputs("\n  netc COMMAND --help    the options of a command\n  netc --version\n\n"
          "Exit status: 0 good, 1 a mistake in the model or the data, 64 in the command line, 66 a file is missing,\n"
          "70 a mistake in netc, 71 out of memory, 74 reading or writing failed.\n", out);
}

void help_command(FILE *out, const Command *c)
{
    fprintf(out, "Usage: netc %s [OPTION]... %s\n\nnetc %s: %s.\n\n", c->name, c->synopsis, c->name, c->what);
    for (size_t i = 0; i < LENGTH(table); i++) {
        const OptionInfo *o = &table[i];
        if (!takes(c, o)) continue;
        char left[64], letter[8] = "   ";
        if (o->letter) snprintf(letter, sizeof letter, "-%c,", o->letter);
        snprintf(left, sizeof left, "%s --%s%s%s", letter, o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        fprintf(out, "  %-26s %s\n", left, o->what);
    }
    if (c->assignments)
        fputs("\nNAME=DATA names an input of the net and a file with a row per sample: NPY, IDX, CSV or safetensors, NPY and\n"
              "IDX also gzip'ed. x='points.csv[0:2]' takes columns of a CSV file, counted from 0; x='all.safetensors[x]' a\n"
              "tensor. An input that the train block's `tokens` names takes a text in UTF-8, text='book.txt[:90%]' a part.\n", out);
}
